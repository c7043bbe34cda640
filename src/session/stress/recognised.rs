//! Failures that are known: one run of the recorded plan shows that they are still there, and nothing else is to be
//! found out of them.

use crate::finding::{Finding, Kind};
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::judge::verdict::Verdict;
use crate::judge::{Evidence, Tally};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::lab::{Lab, alone};
use crate::session::suspect::{Suspect, finding_of, minimal};
use crate::shrink::Shrunk;

/// What a failure was shown to be.
#[derive(Debug)]
pub(crate) enum Recognised {
    /// A recorded failure that was not told yet.
    As(Box<Finding>),
    /// Another test of a recorded failure which this finding tells of.
    With(usize),
}

/// Which recorded failure this is, if it is one. The test was seen to do alone what is recorded, and does with the recorded
/// tests, in a fresh process, what is recorded of that.
///
/// # Errors
/// Those of the engine.
pub(crate) fn recognised(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<Recognised>, RunError> {
    let recorded: Vec<(Kind, String, Plan)> = lab
        .book()
        .recorded(suspect, lab.suite)
        .into_iter()
        .filter_map(|(known, plan)| {
            let plan = plan.plan(lab.suite).ok()?;
            Some((known.identity.kind, known.file.clone(), plan))
        })
        .collect();
    if recorded.is_empty() {
        return Ok(None);
    }
    let fails_alone = fails_alone(lab, suspect)?;
    for (kind, file, plan) in recorded {
        let Some(shows) = shows(kind, suspect.again, fails_alone) else { continue };
        if observe(&lab.probe_fresh(&plan)?, &suspect.wanted()) != shows {
            continue;
        }
        let told = lab.book().findings().iter().position(|finding| {
            finding.known.as_ref().is_some_and(|known| known.file == file) && finding.kind == kind
        });
        return Ok(Some(match told {
            Some(finding) => Recognised::With(finding),
            None => Recognised::As(Box::new(finding(lab, suspect, kind, plan))),
        }));
    }
    Ok(None)
}

/// Whether the test fails alone, as far as a run tells.
///
/// # Errors
/// Those of the engine.
pub(crate) fn fails_alone(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<bool>, RunError> {
    let (test, plan) = (suspect.signature.test, &suspect.plan);
    if let Some(failed) = lab.history.failed_alone(test, plan.hash_seed) {
        return Ok(Some(failed));
    }
    let alone = alone(plan, lab.suite, test, plan.random_seed);
    let trial = lab.probe_fresh(&alone)?;
    Ok(observe(&trial, &FailureMatcher::Failure(test)).shown())
}

/// What the recorded plan has to show of a failure of this kind, if what the test does alone is what is recorded.
fn shows(kind: Kind, again: bool, fails_alone: Option<bool>) -> Option<Observation> {
    match (kind, again, fails_alone) {
        (Kind::Victim, false, Some(false)) | (Kind::Nio, true, Some(false)) => Some(Observation::Same),
        (Kind::Brittle, false, Some(true)) => Some(Observation::Passed),
        _ => None,
    }
}

fn finding(lab: &Lab<'_>, suspect: &Suspect, kind: Kind, plan: Plan) -> Finding {
    let shrunk = Shrunk {
        plan,
        one_minimal: true,
        complete: true,
        exhausted: false,
        odds: Vec::new(),
        calls: 0,
        tests_run: 0,
    };
    let (failed, passed) = (Tally { runs: 1, failed: 1 }, Tally { runs: 1, failed: 0 });
    let (with, without) = if kind == Kind::Brittle { (passed, failed) } else { (failed, passed) };
    Finding {
        kind,
        with,
        without,
        shrunk: Some(minimal(lab.suite, &shrunk, suspect.signature.test)),
        ..finding_of(suspect, Verdict::Victim, &Evidence::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_recognised_where_the_test_does_alone_what_is_recorded() {
        let rows = [
            (Kind::Victim, false, Some(false), Some(Observation::Same)),
            (Kind::Victim, false, Some(true), None),
            (Kind::Victim, false, None, None),
            (Kind::Victim, true, Some(false), None),
            (Kind::Nio, true, Some(false), Some(Observation::Same)),
            (Kind::Nio, false, Some(false), None),
            (Kind::Brittle, false, Some(true), Some(Observation::Passed)),
            (Kind::Brittle, false, Some(false), None),
            (Kind::Race, false, Some(false), None),
        ];
        for (kind, again, fails_alone, expected) in rows {
            assert_eq!(shows(kind, again, fails_alone), expected, "{kind:?} {again} {fails_alone:?}");
        }
    }
}
