//! Why a plan could not be run.

use crate::suite::TestIndex;

/// Why a plan could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The user pressed Ctrl-C (or sent SIGTERM); every child has been ended.
    #[error("interrupted")]
    Interrupted,
    /// The session's time is used up, so that nothing more is run.
    #[error("the time is used up")]
    OutOfTime,
    /// pytest ended before it ran anything; the text holds what it printed.
    #[error("{0}")]
    Pytest(String),
    /// In a fork that lost threads of libraries, a test hung or took its process along, which says nothing of the test.
    #[error("in a fork that lost threads a test {how}")]
    LostThreads {
        /// The test.
        test: TestIndex,
        /// What became of it: `timed out`, `ended its process (killed by signal 11)`.
        how: String,
    },
    /// A sandbox could not be made, or ended.
    #[error("{0}")]
    Sandbox(String),
    /// A server of the trials' own could not be had; the text holds what it said.
    #[error("{0}")]
    Service(String),
    /// An operating-system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl RunError {
    /// Whether it is the user's wish to stop.
    pub(crate) fn is_interrupt(&self) -> bool {
        matches!(self, Self::Interrupted)
    }

    /// An operating-system call that failed, and what it was for.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}

/// What failed, followed by the end of what pytest printed.
pub(crate) fn with_output(why: &str, output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = lines[lines.len().saturating_sub(30)..].join("\n  ");
    if shown.is_empty() { why.to_owned() } else { format!("{why}. It printed:\n  {shown}") }
}
