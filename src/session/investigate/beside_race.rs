//! A failure that hardly shows again, of a test that a race was found of. Whether it is of the same cause nobody knows:
//! it is noted of the race, and is no finding of its own.

use crate::finding::{Finding, Kind, Origin};
use crate::judge::Tally;
use crate::judge::signature::FailureLocation;
use crate::suite::Suite;

/// What is noted of the race; nothing if more is to be said of the failure than that it showed.
pub(crate) fn note(finding: &Finding, race: &Finding, suite: &Suite) -> Option<String> {
    let (test, signature) = (finding.test?, finding.signature.as_ref()?);
    let unclaimed = finding.kind == Kind::Unreproduced && !finding.unjudged && finding.no_command.is_none();
    let seldom = finding.with.runs > 0 && !finding.with.always() && finding.without.failed == 0;
    if !unclaimed || !seldom || finding.note.is_some() {
        return None;
    }
    let FailureLocation { exception, function, .. } = &signature.crash;
    let id = &suite.test(test).id;
    let seen_in = match finding.origin {
        Origin::Trial(index) => format!(" in trial {index}"),
        _ => String::new(),
    };
    let same = race.signature.as_ref().is_some_and(|race| race.crash == signature.crash);
    let way = if same { "" } else { " in another way" };
    let Tally { failed, runs } = finding.with;
    Some(format!(
        "{id} failed{seen_in}{way}, {exception} in {function}, and so in {failed} of {runs} further runs of the same plan: \
         whether it is of this race is not known"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Signature;
    use crate::session::fake_engine::{failed, suite, test};

    fn finding(kind: Kind, exception: &str, with: (u32, u32)) -> Finding {
        let with = Tally { failed: with.0, runs: with.1 };
        let signature = Signature::of(test('b'), &failed(exception));
        Finding { signature, with, ..Finding::new(kind, Some(test('b')), Origin::Trial(3)) }
    }

    #[test]
    fn what_hardly_shows_again_of_a_test_that_loses_a_race_is_noted_with_what_was_seen() {
        let (suite, race) = (suite(3), finding(Kind::Race, "KeyError", (10, 10)));
        let told = |finding: Finding| note(&finding, &race, &suite);
        let ends = "further runs of the same plan: whether it is of this race is not known";
        let once = format!(
            "test_b.py::b failed in trial 3 in another way, OSError in body, and so in 0 of 3 {ends}"
        );
        assert_eq!(told(finding(Kind::Unreproduced, "OSError", (0, 3))), Some(once));
        let seldom = format!("test_b.py::b failed in trial 3, KeyError in body, and so in 2 of 20 {ends}");
        assert_eq!(told(finding(Kind::Unreproduced, "KeyError", (2, 20))), Some(seldom));
    }

    #[test]
    fn of_what_more_is_known_a_finding_tells() {
        let (suite, race) = (suite(3), finding(Kind::Race, "KeyError", (10, 10)));
        let seldom = || finding(Kind::Unreproduced, "OSError", (0, 3));
        let alone = Finding { without: Tally { failed: 1, runs: 3 }, ..seldom() };
        let noted = Finding { note: Some("it is skipped".into()), ..seldom() };
        let unjudged = Finding { unjudged: true, ..seldom() };
        let always = finding(Kind::Unreproduced, "OSError", (3, 3));
        let unrun = finding(Kind::Unreproduced, "OSError", (0, 0));
        let victim = finding(Kind::Victim, "OSError", (0, 3));
        for other in [alone, noted, unjudged, always, unrun, victim] {
            assert_eq!(note(&other, &race, &suite), None, "{other:?}");
        }
    }
}
