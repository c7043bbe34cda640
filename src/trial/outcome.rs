//! What becomes of a test that is run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::plan::WorkerId;
use crate::suite::{Fixture, Phase, TestIndex};

/// A test's first failing phase, as pytest reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which phase failed.
    pub phase: Phase,
    /// Type of the exception, with its module unless that is `builtins`.
    pub exception: String,
    /// File of the crash: the innermost frame inside rootdir, relative to it; else the innermost frame's.
    pub file: String,
    /// Function of the crash.
    pub function: String,
    /// 1-based line of the crash.
    pub line: u32,
    /// 1-based line in the test's own file, the outermost on the way to the crash; 0 if there is none, or not
    /// known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub test_line: u32,
    /// The exception's message, at most 2,000 characters of it.
    pub message: String,
    /// pytest's rendering of the failure, at most 20,000 characters of its end.
    pub trace: String,
    /// The fixture that raised it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixture: Option<Fixture>,
    /// The test for which that fixture was set up, if it is shared by several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<TestIndex>,
}

impl Failure {
    /// The fixture whose teardown failed, if tests share it: which of them pytest charges is then an accident.
    pub(crate) fn shared_teardown(&self) -> Option<&Fixture> {
        self.fixture.as_ref().filter(|fixture| fixture.is_shared() && fixture.phase == Phase::Teardown)
    }
}

/// What became of a test that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All phases passed (an unexpected pass that is not strict included).
    Passed,
    /// It failed as its `xfail` mark or `pytest.xfail()` expects: as it should be, and no pass. Earlier versions wrote
    /// `passed` of it.
    Xfailed,
    /// Skipped, or marked `xfail(run=False)`: it did not run, which is no pass and no failure.
    Skipped,
    /// A phase failed.
    Failed(Failure),
    /// It exceeded the time limit for a test; its worker was ended.
    Timeout {
        /// The limit that was exceeded.
        limit: Duration,
    },
    /// Its worker's process ended, or stopped speaking, while the test ran.
    Crashed {
        /// What is known: `killed by signal 11 (SIGSEGV)`, `exited with code 3`, `closed its channel`.
        how: String,
    },
    /// It was never started: pytest no longer collected it, or the trial was cut short.
    NotRun {
        /// Why.
        why: String,
    },
}

impl Outcome {
    /// Whether the test failed, in any way.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Timeout { .. } | Self::Crashed { .. })
    }
}

/// Why a test was not run whose process collected none of its name.
pub(crate) const NOT_COLLECTED: &str = "not collected";

/// One test's run within a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// On which worker.
    pub worker: WorkerId,
    /// 0 in the worker's first process; one more after each crash or timeout, when the rest of its
    /// list goes on in a fresh process. Tests of different processes share no memory.
    pub process: u32,
    /// The test.
    pub test: TestIndex,
    /// What became of it.
    pub outcome: Outcome,
    /// Wall-clock time of all its phases.
    pub duration: Duration,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
