//! What a session is told, and what it found out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::finding::Finding;
use crate::finding::known::Recorded;
use crate::finding::left_unjudged::LeftUnjudged;
use crate::leaks::known::KnownLeaks;
use crate::plan::coverage::Shares;
use crate::plan::{Axes, Seed};
use crate::race::servers::OutsideServer;
use crate::run::RunError;
use crate::session::suspect::Suspect;
use crate::suite::TestIndex;
use crate::suite::suspicion::Suspicion;
use crate::trial::Collected;

/// How far findings are explained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Explain {
    /// What makes a test fail is told, and the command that shows it.
    No,
    /// The state behind it as well, and who else has to do with that.
    State,
    /// A fix as well, tried in a copy of the project.
    #[default]
    Fix,
}

/// How far a session goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Trials at most; without a limit the time decides.
    pub trials: Option<u64>,
    /// Time in all, shrinking included.
    pub time: Option<Duration>,
    /// Schedules of pairs of tests in conflict at most; if none is given, those that follow from their calls,
    /// as far as 384 go, or the time.
    pub schedules: Option<u64>,
    /// Whether to stop at the first isolation failure.
    pub(crate) fail_fast: bool,
    /// How far findings are explained.
    pub(crate) explain: Explain,
    /// Node id of the only test whose failures are looked into; the session ends once one is explained.
    pub victim: Option<String>,
    /// Failures that are known, and are no reason to stop.
    pub known: Vec<Recorded>,
    /// What the session before saw fail and did not judge.
    pub left: LeftUnjudged,
    /// Which tests are suspected.
    pub(crate) suspicion: Option<Suspicion>,
    /// What an earlier `jostle leaks` has told of places that tests leave changed.
    pub(crate) leaks: Option<KnownLeaks>,
    /// Whether no test is left out of the trials, as they were planned by who did not know what each test does.
    pub(crate) whole_trials: bool,
}

/// All that a session found out.
#[derive(Clone, Debug)]
pub struct SessionResult {
    /// What was collected.
    pub(crate) collected: Collected,
    /// The seed.
    pub(crate) seed: Seed,
    /// What was varied.
    pub(crate) axes: Axes,
    /// Why it took much longer than other sessions.
    pub(crate) costs: Vec<String>,
    /// What the user should know besides of how plans were run.
    pub(crate) remarks: Vec<String>,
    /// The tests that the trials left out, as each takes its process along wherever it runs.
    pub(crate) left_out: BTreeSet<TestIndex>,
    /// Servers outside of the trials that tests talk to.
    pub(crate) outside: Vec<OutsideServer>,
    /// How many tests were run alone, in the sweep over them.
    pub(crate) alone: usize,
    /// How many trials ran to their end, the baseline not counted.
    pub(crate) trials: u64,
    /// How many schedules of tests in conflict were tried before the first trial.
    pub(crate) schedules: u64,
    /// How many plans were run to judge, shrink and confirm.
    pub(crate) probes: u32,
    /// The share of pairs that were tried.
    pub(crate) coverage: Shares,
    /// What was found, in the order of [`Finding::rank`].
    pub(crate) findings: Vec<Finding>,
    /// Failures that were seen and not judged, for want of time.
    pub(crate) unjudged: Vec<Suspect>,
    /// The files of known failures that did not show.
    pub(crate) unseen: Vec<String>,
    /// Whether the user stopped it.
    pub(crate) interrupted: bool,
    /// The error that ended it, if one did; what is told was known by then.
    pub(crate) error: Option<Arc<RunError>>,
    /// How long it took.
    pub(crate) duration: Duration,
}

impl SessionResult {
    /// The same, of a session that was ended by an interrupt or an error, or by neither.
    #[must_use]
    pub(crate) fn ended(self, by: Option<Arc<RunError>>) -> Self {
        match by {
            Some(error) if error.is_interrupt() => Self { interrupted: true, ..self },
            error => Self { error, ..self },
        }
    }
}
