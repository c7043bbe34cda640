//! Exit codes; they follow pytest's where they mean the same.

use crate::cli::values::UsageError;
use crate::finding::Finding;
use crate::run::RunError;
use crate::session::SessionResult;

/// What jostle's exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// No isolation failure.
    Clean = 0,
    /// Isolation failures were found.
    Found = 1,
    /// Interrupted; what was known was printed.
    Interrupted = 2,
    /// jostle itself failed.
    Internal = 3,
    /// A wrong option, configuration, token or file, or a Python without pytest.
    Usage = 4,
    /// No test was collected.
    NothingCollected = 5,
    /// Nothing was found, but collection errors, failures that there was no time to look into, such that could not be
    /// judged, or a server outside of the trials that tests talk to leave a part of the suite unjudged.
    Unjudged = 10,
    /// `replay` could not decide: the suite has changed, or the failure did not show.
    Undecided = 11,
    /// `merge` lacks results of some shards.
    ShardsMissing = 12,
}

impl ExitCode {
    /// The code of a session. Known failures count only if it is `strict`.
    pub(crate) fn of_session(outline: &SessionResult, strict: bool) -> Self {
        let suite = &outline.collected.suite;
        let counts =
            |finding: &Finding| finding.kind.is_isolation_failure() && (strict || finding.known.is_none());
        if outline.interrupted {
            Self::Interrupted
        } else if let Some(error) = &outline.error {
            Self::of_run_error(error)
        } else if outline.findings.iter().any(counts) {
            Self::Found
        } else if !suite.errors.is_empty()
            || !outline.unjudged.is_empty()
            || !outline.outside.is_empty()
            || outline.findings.iter().any(|finding| finding.unjudged)
            || outline.trials == 0 && outline.findings.is_empty() && !suite.tests.is_empty()
        {
            Self::Unjudged
        } else if suite.tests.is_empty() {
            Self::NothingCollected
        } else {
            Self::Clean
        }
    }

    /// The code of an error: the one place that maps errors to codes.
    pub fn of_error(error: &anyhow::Error) -> Self {
        if error.is::<UsageError>() {
            return Self::Usage;
        }
        error.downcast_ref::<RunError>().map_or(Self::Internal, Self::of_run_error)
    }

    fn of_run_error(error: &RunError) -> Self {
        match error {
            RunError::Interrupted => Self::Interrupted,
            RunError::OutOfTime => Self::Unjudged,
            RunError::Pytest(_) | RunError::Service(_) => Self::Usage,
            RunError::Io { .. } | RunError::Sandbox(_) | RunError::LostThreads { .. } => Self::Internal,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}
