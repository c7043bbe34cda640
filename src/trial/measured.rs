//! What a run shows that pytest or pytest-xdist distributes itself, against the clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one run showed.
#[derive(Clone, Debug, Default)]
pub(crate) struct MeasuredRun {
    /// From the start of the process to its end.
    pub(crate) duration: Duration,
    /// From the start of the process to the start of the first test; the whole run if there was none.
    pub(crate) start_up: Duration,
    /// From the start of the first test to the end of the last.
    pub(crate) work: Duration,
    /// The tests in the order of their ends.
    pub(crate) tests: Vec<MeasuredTest>,
    /// Node id and error of what could not be collected.
    pub(crate) errors: Vec<(String, String)>,
    /// Why nothing is known of the tests, if pytest did not come to its end.
    pub(crate) broken_off: Option<String>,
}

/// A test of a measured run: node id, what became of it, and the seconds of setup, call and teardown.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct MeasuredTest(pub String, pub Verdict, pub f64, pub f64, pub f64);

/// pytest's word for what became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All phases passed. Of measured runs, or they failed as expected.
    Passed,
    /// Skipped.
    Skipped,
    /// A phase failed.
    Failed,
    /// A phase failed as is expected of it, by an `xfail` mark or by `pytest.xfail()`.
    Xfailed,
}
