//! What a session varies.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::plan::keyed::{Purpose, Stream};
use crate::plan::{Mode, OrderKind, Seed};
use crate::suite::Suite;

/// The values that plans are drawn from. Part of what a token means: the same seed and index with
/// other axes name another plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axes {
    /// Numbers of workers, each at least 1, none twice.
    pub workers: Vec<u32>,
    /// Scheduler modes; [`Mode::No`] is what a single worker uses and applies if `workers` has 1.
    pub modes: Vec<Mode>,
    /// How orders are made.
    pub orders: Vec<OrderKind>,
    /// How many values of `PYTHONHASHSEED` a session uses, at least 1.
    pub hash_seeds: u32,
    /// Whether orders are tried that the suite's plugins do not admit; see [`crate::suite::sorting`].
    pub ignore_rank: bool,
}

impl Default for Axes {
    /// 1, 2 and 4 workers, on every machine; all modes but `each`, which no run on one machine with
    /// one interpreter uses, so that what fails only under it would be a false alarm to most.
    fn default() -> Self {
        Self {
            workers: vec![1, 2, 4],
            modes: vec![
                Mode::No,
                Mode::Load,
                Mode::Loadscope,
                Mode::Loadfile,
                Mode::Loadgroup,
                Mode::Worksteal,
            ],
            orders: vec![
                OrderKind::Suite,
                OrderKind::Reversed,
                OrderKind::Shuffled,
                OrderKind::Nested,
                OrderKind::Adjacent,
            ],
            hash_seeds: 4,
            ignore_rank: false,
        }
    }
}

impl Axes {
    /// A suite with what is heeded of how its plugins sort.
    pub(crate) fn heeded_of(&self, suite: &Suite) -> Suite {
        if self.ignore_rank { suite.clone().unsorted() } else { suite.clone() }
    }

    /// Whether trials with one worker are made.
    pub fn serial(&self) -> bool {
        self.workers.contains(&1) && self.modes.contains(&Mode::No)
    }

    /// The numbers of workers of trials with several.
    pub(crate) fn parallel_workers(&self) -> Vec<u32> {
        let least = if self.modes.contains(&Mode::No) { 2 } else { 1 };
        self.workers.iter().copied().filter(|&workers| workers >= least).collect()
    }

    /// The modes of trials with several workers that make a difference to this suite: without
    /// `xdist_group` marks `loadgroup` does what `load` does.
    pub(crate) fn parallel_modes(&self, suite: &Suite) -> Vec<Mode> {
        let grouped = suite.tests.iter().any(|test| test.group.is_some());
        let applies = |mode: Mode| match mode {
            Mode::No => false,
            Mode::Loadgroup => grouped || !self.modes.contains(&Mode::Load),
            _ => true,
        };
        self.modes.iter().copied().filter(|&mode| applies(mode)).collect()
    }

    /// The session's values of `PYTHONHASHSEED`: distinct, at least 1 (0 would switch the
    /// randomisation off), drawn from the seed. The first is the baseline's.
    pub fn hash_seed_values(&self, seed: Seed) -> Vec<u32> {
        let mut stream = Stream::new(seed, Purpose::HashSeeds, 0);
        let mut seen = BTreeSet::new();
        let mut values = Vec::new();
        while values.len() < self.hash_seeds as usize {
            let value = 1 + stream.below(u64::from(u32::MAX)) as u32;
            if seen.insert(value) {
                values.push(value);
            }
        }
        values
    }
}
