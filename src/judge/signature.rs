//! Failure signatures: when two failures count as the same bug.

use serde::{Deserialize, Serialize};

use crate::suite::{Phase, TestIndex};
use crate::trial::Outcome;

/// What makes a failure the same failure: never the text of a line or a message, which may hold
/// values that change from run to run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    /// The test that failed.
    pub test: TestIndex,
    /// How it failed.
    pub crash: FailureLocation,
}

/// A [`Signature`] without its test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FailureLocation {
    /// The first phase that failed; `call` for a timeout or a crash.
    pub phase: Phase,
    /// Type of the exception; `timeout` or `crash` if the worker was lost.
    pub exception: String,
    /// File of the crash; empty if the worker was lost.
    pub file: String,
    /// Function of the crash; for a lost worker, what is known of its end.
    pub function: String,
}

impl Signature {
    /// The signature of an outcome, if it is a failure.
    pub fn of(test: TestIndex, outcome: &Outcome) -> Option<Self> {
        let crash = match outcome {
            Outcome::Failed(failure) => FailureLocation {
                phase: failure.phase,
                exception: failure.exception.clone(),
                file: failure.file.clone(),
                function: failure.function.clone(),
            },
            Outcome::Timeout { .. } => FailureLocation::lost("timeout", ""),
            Outcome::Crashed { how } => FailureLocation::lost("crash", how),
            Outcome::Passed | Outcome::Skipped | Outcome::NotRun { .. } => return None,
        };
        Some(Self { test, crash })
    }
}

impl FailureLocation {
    fn lost(exception: &str, how: &str) -> Self {
        Self { phase: Phase::Call, exception: exception.into(), file: String::new(), function: how.into() }
    }

    /// Whether the failure lies outside the test's own body. pytest charges a fixture of a wider
    /// scope to whichever test set it up first or used it last, so the charged test is an accident.
    pub fn is_of_a_fixture(&self) -> bool {
        self.phase != Phase::Call
    }
}
