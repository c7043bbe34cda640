//! Failures for want of room on the disk. A trial's sandbox has as much as `--disk` says, which is less than the machine has:
//! a test that fills it, and those that then find it full, say nothing of how they do on the machine.

use crate::finding::{Finding, Kind};
use crate::judge::Evidence;
use crate::judge::verdict::Verdict;
use crate::session::lab::Lab;
use crate::session::suspect::{Suspect, finding_of};

/// What Python, programs and SQLite say where a disk is full.
const FULL: [&str; 3] = ["[Errno 28]", "No space left on device", "database or disk is full"];

/// What is said of the first of them; the others are told with it.
pub(crate) const NOTE: &str = "a trial's sandbox had no more room on the disk: give trials more with --disk, to have these \
     failures judged";

/// Whether a test failed as its sandbox's disk was full.
pub(crate) fn was_lacking(lab: &Lab<'_>, suspect: &Suspect) -> bool {
    let message = suspect.failure.as_ref().map_or("", |failure| failure.message.as_str());
    lab.keeps_apart() && FULL.iter().any(|full| message.contains(full))
}

/// That it could not be judged.
pub(crate) fn finding(suspect: &Suspect) -> Finding {
    let open = finding_of(suspect, Verdict::Unreproduced, &Evidence::default());
    Finding { unjudged: true, note: Some(NOTE.to_owned()), ..open }
}

/// Whether a finding is one that tells of this.
pub(crate) fn is_told_by(finding: &Finding) -> bool {
    finding.kind == Kind::Unreproduced && finding.note.as_deref() == Some(NOTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Axes, Seed};
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, name, suite};
    use crate::session::result::{Limits, SessionResult};
    use crate::session::stress::stress;
    use crate::trial::{Failure, Outcome};

    fn full(fails: bool) -> Outcome {
        match fails_if(fails) {
            Outcome::Failed(failure) => {
                let message = "[Errno 28] No space left on device: 'a.bin'".into();
                Outcome::Failed(Failure { exception: "OSError".into(), message, ..failure })
            }
            passed => passed,
        }
    }

    fn session(engine: FakeEngine<'_>) -> SessionResult {
        let (mut engine, limits) = (engine, Limits { trials: Some(4), ..Limits::default() });
        stress(&mut engine, &mut Reporters::default(), Seed(1), &Axes::default(), &limits).unwrap()
    }

    #[test]
    fn a_full_disk_of_a_sandbox_makes_no_victims() {
        let becomes = |run: Situation<'_>| match name(run.test) {
            'b' => full(true),
            'd' | 'f' => full(run.after('b')),
            'g' => fails_if(run.after('e')),
            _ => Outcome::Passed,
        };
        let result = session(FakeEngine::new(suite(8), becomes));
        let told: Vec<(Kind, bool, String)> = result
            .findings
            .iter()
            .map(|it| {
                (it.kind, it.unjudged, it.test.into_iter().chain(it.also.iter().copied()).map(name).collect())
            })
            .collect();
        assert_eq!(
            told,
            [(Kind::Victim, false, "g".into()), (Kind::Unreproduced, true, "bdf".into())],
            "{:?}",
            result.findings
        );
        let machine = session(FakeEngine::new(suite(8), becomes).in_one_place());
        assert!(
            machine.findings.iter().all(|it| !is_told_by(it)),
            "without a sandbox it is the machine that is full"
        );
    }
}
