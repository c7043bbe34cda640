//! What the runs of a replay showed, in the JSON report.

use serde::Serialize;

use crate::judge::observation::FailureMatcher;
use crate::judge::signature::FailureLocation;
use crate::report::words;
use crate::session::replay::Replayed;
use crate::suite::{Suite, TestId};

/// The runs of a replay.
#[derive(Debug, Serialize)]
pub(crate) struct ReplayDocument {
    /// What was looked for; none if any failure was.
    wanted: Option<String>,
    /// The runs that tell of it.
    runs: u32,
    /// In how many of them it showed.
    failed: u32,
    /// Runs that tell nothing, as the test was skipped, expected to fail, or not run.
    silent: u32,
    /// Runs of a race that made other calls than recorded, or in another order.
    diverged: u32,
    /// Every failure that was seen.
    failures: Vec<ReplayedFailure>,
}

#[derive(Debug, Serialize)]
struct ReplayedFailure {
    test: TestId,
    crash: FailureLocation,
    /// In how many runs.
    runs: u32,
}

impl ReplayDocument {
    /// What the runs of a plan of this suite showed.
    pub(crate) fn new(replayed: &Replayed, wanted: Option<&FailureMatcher>, suite: &Suite) -> Self {
        let failures = replayed.failures.iter().map(|(suspect, runs)| ReplayedFailure {
            test: suite.test(suspect.signature.test).id.clone(),
            crash: suspect.signature.crash.clone(),
            runs: *runs,
        });
        Self {
            wanted: wanted.map(|wanted| words::wanted(wanted, suite)),
            runs: replayed.tally.runs,
            failed: replayed.tally.failed,
            silent: replayed.silent,
            diverged: replayed.diverged,
            failures: failures.collect(),
        }
    }
}
