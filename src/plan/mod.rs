//! Plans: everything that decides a trial, as a pure function of the seed and the trial's index.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::suite::TestIndex;

mod configuration;
pub(crate) mod keyed;
pub mod axes;
pub mod order;
pub mod durations;
pub mod schedulers;
pub(crate) mod layout;
pub mod coverage;
pub mod schedule;
pub mod token;
pub(crate) mod shard;
pub mod document;

pub use axes::Axes;
pub(crate) use configuration::Configuration;
pub use layout::plan;
pub(crate) use layout::plan_without;
pub(crate) use schedule::Schedule;

/// The seed of a session. All its plans follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// The 0-based number of a trial of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrialIndex(pub u64);

/// A worker's 0-based number; it shows itself to the suite as `gw0`, `gw1`, … as xdist's do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub u32);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gw{}", self.0)
    }
}

/// pytest-xdist's ways to hand tests to workers (`--dist`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// No distribution: one plain pytest process, no sign of xdist in it.
    No,
    /// Chunks of tests to whichever worker runs low.
    Load,
    /// Tests of one module or class stay on one worker.
    Loadscope,
    /// Tests of one file stay on one worker.
    Loadfile,
    /// Tests of one `xdist_group` mark stay on one worker.
    Loadgroup,
    /// Equal shares at the start; idle workers steal from busy ones.
    Worksteal,
    /// Every worker runs every test.
    Each,
}

impl Mode {
    /// The value of pytest-xdist's `--dist`.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Load => "load",
            Self::Loadscope => "loadscope",
            Self::Loadfile => "loadfile",
            Self::Loadgroup => "loadgroup",
            Self::Worksteal => "worksteal",
            Self::Each => "each",
        }
    }
}

/// How a plan's order came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderKind {
    /// Suite order.
    Suite,
    /// Suite order backwards.
    Reversed,
    /// All tests shuffled.
    Shuffled,
    /// Modules shuffled, then classes in them, then tests in those.
    Nested,
    /// A row of a Tuscan square: over all rows every test comes directly after every other.
    Adjacent,
    /// A list that was written down, or left by shrinking.
    Explicit,
}

impl OrderKind {
    /// The value of `--order`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Suite => "suite",
            Self::Reversed => "reversed",
            Self::Shuffled => "shuffled",
            Self::Nested => "nested",
            Self::Adjacent => "adjacent",
            Self::Explicit => "explicit",
        }
    }
}

/// What lets the workers of a trial run when.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interleaving {
    /// Every worker runs as fast as it can.
    Free,
    /// Neither of a barrier's workers goes on until both are there.
    #[serde(rename = "barrier")]
    Barriers(Vec<Barrier>),
    /// One worker at a time, in the turns of a schedule.
    Controlled(Schedule),
}

/// Two tests on two workers that start together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Barrier {
    /// Worker and 0-based position in its list.
    pub first: (WorkerId, u32),
    /// Another worker and position.
    pub second: (WorkerId, u32),
}

/// Which modules a trial's pytest processes import.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Imports {
    /// Everything the suite collects, as a plain run of it would.
    All,
    /// These files only (as in [`crate::suite::Test::file`]), whether or not a test of them is run.
    Only(BTreeSet<String>),
}

/// Everything that decides a trial.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// The session's seed.
    pub seed: Seed,
    /// Which trial of the session this is.
    pub index: TrialIndex,
    /// How the order was made.
    pub order: OrderKind,
    /// Whose partition the workers' lists follow.
    pub mode: Mode,
    /// What each worker runs, in its order. A test may stand in a list twice.
    pub workers: Vec<Vec<TestIndex>>,
    /// What lets the workers run when.
    pub interleaving: Interleaving,
    /// `PYTHONHASHSEED` of the trial's processes.
    pub hash_seed: u32,
    /// What `random` (and numpy's generator, if imported) is seeded with before the first test of a process, unless the
    /// suite has seeded it by then.
    pub random_seed: u32,
    /// Which modules are imported.
    pub imports: Imports,
}

impl Plan {
    /// How many tests the plan runs, over all workers.
    pub fn len(&self) -> usize {
        self.workers.iter().map(Vec::len).sum()
    }

    /// The same plan under another random seed, so many after its own.
    #[must_use]
    pub(crate) fn reseeded(&self, by: u32) -> Self {
        Self { random_seed: self.random_seed.wrapping_add(by), ..self.clone() }
    }

    /// The plan with tests left out. Nobody waits for anybody then, as places in the lists mean other tests.
    #[must_use]
    pub(crate) fn without(&self, left_out: &BTreeSet<TestIndex>) -> Self {
        if !self.workers.iter().flatten().any(|test| left_out.contains(test)) {
            return self.clone();
        }
        let kept =
            |list: &Vec<TestIndex>| list.iter().filter(|test| !left_out.contains(test)).copied().collect();
        let workers = self.workers.iter().map(kept).collect();
        Self { workers, interleaving: Interleaving::Free, ..self.clone() }
    }

    /// Whether the plan runs no test.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
