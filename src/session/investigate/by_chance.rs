//! A test that fails by chance, whatever is run before it, and each time after some other test. Both are told: it is a
//! victim, with the rate at which it fails alone.

use crate::finding::{Finding, Kind};
use crate::judge::Tally;
use crate::judge::observation::{FailureMatcher, Observation};
use crate::limits::{CANDIDATE_DOUBT, CONFIRMED_DOUBT, SHOWS_AGAINST_CHANCE, VARYING_RUNS};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::investigate::confirm::{Side, tallied};
use crate::session::investigate::oracle::run_shrinker_against_chance;
use crate::session::investigate::shrinking::given_up;
use crate::session::lab::{Lab, alone};
use crate::session::stress::draws::told_apart;
use crate::session::suspect::{Suspect, minimal};
use crate::shrink::Target;

/// Looks for the tests after which the test fails each time. `of` is the plan in which it was seen to do so, `chance` how
/// often it failed alone. Where chance explains the difference, or it does not fail each time, it is non-deterministic.
///
/// # Errors
/// Those of the engine.
pub(crate) fn victim(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    of: (Plan, Target),
    chance: Tally,
    finding: Finding,
) -> Result<Finding, RunError> {
    let test = suspect.signature.test;
    // What fails by chance need not fail in another way.
    let any = FailureMatcher::Failure(test);
    let shows = chance.runs_against_chance(CANDIDATE_DOUBT).min(SHOWS_AGAINST_CHANCE);
    let shrunk = run_shrinker_against_chance(lab, of.0, of.1, (1.0, shows), &any, Observation::Same)?;
    let given_up = given_up(&shrunk);
    let shrunk = minimal(lab.suite, &shrunk, test);
    let cheap = if shrunk.imports.is_empty() { lab.in_forks(&shrunk.plan) } else { shrunk.plan.clone() };
    let with = Side::new(shrunk.plan.clone(), cheap, any.clone(), Tally::always);
    let of_test = alone(&shrunk.plan, lab.suite, test, 0);
    let without = Side::new(of_test, lab.alone(&shrunk.plan, test, 0), any.clone(), Tally::never);
    let (with, without) = tallied(lab, with, without, VARYING_RUNS)?;
    let others = shrunk.culprits.iter().any(|&culprit| culprit != test) || !shrunk.imports.is_empty();
    let more = with.all.always() && with.fresh_runs.always();
    if others && more && with.all.chance_against(without.all) <= CONFIRMED_DOUBT {
        let shown = with.commonest_failure();
        let found = Finding {
            kind: Kind::Victim,
            with: with.all,
            without: without.all,
            shrunk: Some(shrunk),
            given_up,
            ..finding
        };
        return Ok(found.showing(shown));
    }
    let found = Finding { kind: Kind::Nod, with: Tally::default(), without: without.all, ..finding };
    told_apart(lab, found.showing(without.commonest_failure()), &any, &without.seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Origin;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, plan, suite};
    use crate::session::investigate::investigate;
    use crate::session::suspect::suspects;
    use crate::suite::TestIndex;
    use crate::trial::Outcome;

    /// What is found of `f`, which failed after `abcde`.
    fn found(becomes: impl FnMut(Situation<'_>) -> Outcome) -> Finding {
        let (suite, mut engine, mut nobody) =
            (suite(8), FakeEngine::new(suite(8), becomes), Reporters::default());
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        let whole = plan("abcdefgh");
        let trial = lab.trial(Origin::Trial(0), &whole).unwrap();
        let suspect = suspects(Origin::Trial(0), &whole, &trial).into_iter().next();
        investigate(&mut lab, &suspect.expect("it fails")).unwrap()
    }

    fn culprits(finding: &Finding) -> Vec<TestIndex> {
        finding.causes().0.to_vec()
    }

    /// Whether a run is one of those that fail by chance, one in so many.
    fn by_chance(runs: &mut u32, of: u32) -> bool {
        // As lots are drawn, which have no regard to what is asked.
        *runs = runs.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*runs >> 16).is_multiple_of(of)
    }

    #[test]
    fn what_fails_by_chance_and_each_time_after_a_test_is_its_victim_with_the_rate_alone() {
        for start in 0..8 {
            let mut runs = start;
            let finding = found(|run| match () {
                () if !run.is('f') => Outcome::Passed,
                () if run.after('b') => failed("ValueError"),
                () => fails_if(by_chance(&mut runs, 5)),
            });
            assert_eq!(
                (finding.kind, culprits(&finding)),
                (Kind::Victim, vec![crate::session::fake_engine::test('b')])
            );
            assert!(finding.with.always(), "{:?}", finding.with);
            assert_eq!(finding.fails_by_chance_too(), finding.without.failed > 0);
            assert_eq!(finding.failure.unwrap().exception, "ValueError");
        }
    }

    #[test]
    fn what_fails_by_chance_alone_is_blamed_on_no_test_and_quoted_as_it_fails_alone() {
        let mut kinds = Vec::new();
        for start in 0..8 {
            let mut runs = start;
            let mut first = true;
            let finding = found(|run| match () {
                () if !run.is('f') => Outcome::Passed,
                () if std::mem::take(&mut first) => failed("ValueError"),
                () => fails_if(by_chance(&mut runs, 2)),
            });
            assert!(culprits(&finding).is_empty() && !finding.kind.is_isolation_failure());
            if finding.kind == Kind::Nod {
                let quoted = finding.failure.expect("it failed").exception;
                assert_eq!(quoted, "AssertionError", "nothing else was seen alone");
            }
            kinds.push(finding.kind);
        }
        assert!(kinds.iter().filter(|&&kind| kind == Kind::Nod).count() > 5, "{kinds:?}");
    }
}
