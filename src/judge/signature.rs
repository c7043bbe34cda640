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

/// How a worker was lost while it ran a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The test did not end in time.
    Timeout,
    /// The process ended.
    Crash,
}

impl Loss {
    /// What stands in the place of an exception.
    fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Crash => "crash",
        }
    }
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
            Outcome::Timeout { .. } => FailureLocation::lost(Loss::Timeout, ""),
            Outcome::Crashed { how } => FailureLocation::lost(Loss::Crash, how),
            Outcome::Passed | Outcome::Xfailed | Outcome::Skipped | Outcome::NotRun { .. } => return None,
        };
        Some(Self { test, crash })
    }
}

impl FailureLocation {
    fn lost(loss: Loss, how: &str) -> Self {
        let exception = loss.word().to_owned();
        Self { phase: Phase::Call, exception, file: String::new(), function: how.into() }
    }

    /// How the worker was lost; none if the test failed by an exception, be it one that has such a name.
    pub fn loss(&self) -> Option<Loss> {
        let is = |loss: &Loss| self.file.is_empty() && self.exception == loss.word();
        [Loss::Timeout, Loss::Crash].into_iter().find(is)
    }

    /// Whether the failure lies outside the test's own body. pytest charges a fixture of a wider
    /// scope to whichever test set it up first or used it last, so the charged test is an accident.
    pub(crate) fn is_of_a_fixture(&self) -> bool {
        self.phase != Phase::Call
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_worker_that_was_lost_is_told_by_how() {
        let of = |outcome: &Outcome| {
            let crash = Signature::of(TestIndex(1), outcome)?.crash;
            Some((crash.phase, crash.exception, crash.file, crash.function))
        };
        let lost =
            |exception: &str, how: &str| Some((Phase::Call, exception.into(), String::new(), how.into()));
        assert_eq!(of(&Outcome::Timeout { limit: Duration::from_secs(1) }), lost("timeout", ""));
        assert_eq!(
            of(&Outcome::Crashed { how: "exited with code 3".into() }),
            lost("crash", "exited with code 3")
        );
        assert_eq!(of(&Outcome::Passed), None);
        assert_eq!(of(&Outcome::Skipped), None);
        assert_eq!(of(&Outcome::NotRun { why: "not collected".into() }), None);
    }

    #[test]
    fn a_lost_worker_is_told_from_an_exception_of_that_name() {
        let loss = |exception: &str, file: &str| {
            let (exception, file) = (exception.to_owned(), file.to_owned());
            FailureLocation { phase: Phase::Call, exception, file, function: String::new() }.loss()
        };
        assert_eq!((loss("timeout", ""), loss("crash", "")), (Some(Loss::Timeout), Some(Loss::Crash)));
        assert_eq!((loss("timeout", "test_a.py"), loss("ValueError", "")), (None, None));
    }

    #[test]
    fn what_fails_outside_of_the_tests_body_is_of_a_fixture() {
        let of =
            |phase| FailureLocation { phase, ..FailureLocation::lost(Loss::Crash, "") }.is_of_a_fixture();
        assert_eq!([Phase::Setup, Phase::Call, Phase::Teardown].map(of), [true, false, true]);
    }
}
