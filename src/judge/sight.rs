//! What a trial shows of one test.

use crate::judge::signature::{Crash, Signature};
use crate::run::{Execution, Outcome, Trial};
use crate::suite::TestIndex;

/// What a trial shows of a failure that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The test failed with the signature that is looked for.
    Same,
    /// It failed in another way.
    Other,
    /// It passed, or was skipped.
    Passed,
    /// It was not run, so nothing is known.
    Unknown,
}

/// What a failure is recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The test, failing with this signature.
    Signature(Signature),
    /// A fixture that workers share, failing in this way under whichever test.
    Fixture(Crash),
    /// The test, failing at all.
    Failure(TestIndex),
}

/// Looks for a failure in a trial. A test that ran more than once is judged by its last run, which
/// is the one that everything else of its worker's list comes before.
pub fn look(trial: &Trial, wanted: &Wanted) -> Sight {
    match wanted {
        Wanted::Signature(signature) => match last(trial, signature.test) {
            Some(run) => see(run, |found| found == signature),
            None => Sight::Unknown,
        },
        Wanted::Failure(test) => match last(trial, *test) {
            Some(run) => see(run, |_| true),
            None => Sight::Unknown,
        },
        Wanted::Fixture(crash) => {
            let mut sights = trial.executions.iter().map(|run| see(run, |found| found.crash == *crash));
            if sights.any(|sight| sight == Sight::Same) { Sight::Same } else { Sight::Passed }
        }
    }
}

fn last(trial: &Trial, test: TestIndex) -> Option<&Execution> {
    trial.executions.iter().rev().find(|run| run.test == test)
}

fn see(run: &Execution, same: impl Fn(&Signature) -> bool) -> Sight {
    match (&run.outcome, Signature::of(run.test, &run.outcome)) {
        (Outcome::NotRun { .. }, _) => Sight::Unknown,
        (_, None) => Sight::Passed,
        (_, Some(found)) if same(&found) => Sight::Same,
        _ => Sight::Other,
    }
}
