//! What the page keeps of a session's trials, each taken in as it ends: what became of each test, on which worker, after
//! which others and for how long, packed into bytes of which there is a limit. Nothing is kept twice, and what has no room
//! is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::finding::Origin;
use crate::plan::coverage::{Coverage, HeatMap, PairSort};
use crate::plan::{Mode, OrderKind, Plan};
use crate::report::page::packed::{self, Shown};
use crate::session::account::ran::part_that_ran;
use crate::session::{Event, Reporter};
use crate::suite::{Suite, TestIndex};
use crate::trial::Trial;

/// Bytes for the runs of tests with their times: those of 7,000 tests in 40 trials and more.
const RUNS_BYTES: usize = 1_300_000;

/// Bytes for what became of each test in each trial.
const ROWS_BYTES: usize = 400_000;

/// Trials that are kept at most, so that a night of small ones does not fill the page.
const TRIALS: usize = 1_000;

/// Failures that are named at most.
const FAILURES: usize = 5_000;

/// Rows and columns of a heat map at most.
const HEAT: usize = 48;

/// The trials of a session, as far as there is room for them.
#[derive(Default)]
pub(crate) struct Trials {
    coverage: Option<Coverage>,
    /// What each test alone came to.
    alone: BTreeMap<u32, Shown>,
    kept: Vec<Kept>,
    /// Trials of which nothing is kept but their number.
    pub(super) left_out: u64,
    /// Failures of tests in those that are kept.
    pub(super) failures: Vec<TestFailure>,
    /// Runs by what they are for, with the sum of their times.
    pub(super) spent: BTreeMap<&'static str, (u64, Duration)>,
    runs_bytes: usize,
    rows_bytes: usize,
}

/// A trial that is kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Which.
    pub(super) origin: Origin,
    /// How it was run; nothing of what is put together of many runs.
    pub(super) how: Option<How>,
    /// What became of each test, packed.
    pub(super) row: Vec<u8>,
    /// The tests of each worker with their times, packed, if there was room.
    pub(super) runs: Option<Vec<u8>>,
}

/// How a trial was run.
#[derive(Clone, Copy, Debug)]
pub(super) struct How {
    /// The order.
    pub(super) order: OrderKind,
    /// Whose partition.
    pub(super) mode: Mode,
    /// How many workers.
    pub(super) workers: usize,
    /// `PYTHONHASHSEED`.
    pub(super) hash_seed: u32,
    /// How long it took.
    pub(super) time: Duration,
    /// How many tests failed.
    pub(super) failed: usize,
}

/// A failure of a test in a trial.
#[derive(Clone, Copy, Debug)]
pub(super) struct TestFailure {
    /// In which of the trials that are kept.
    pub(super) trial: usize,
    /// On which worker.
    pub(super) worker: u32,
    /// The test.
    pub(super) test: TestIndex,
    /// How.
    pub(super) shown: Shown,
}

impl Trials {
    fn finished(&mut self, suite: &Suite, origin: Origin, plan: &Plan, trial: &Trial) {
        let (runs, time) = self.spent.entry(purpose(origin)).or_default();
        *runs += 1;
        *time += trial.duration;
        if origin.mixes_tests() {
            let coverage = self.coverage.get_or_insert_with(|| Coverage::new(suite));
            coverage.add(&part_that_ran(plan, trial));
        }
        match origin {
            Origin::Alone => {
                for run in &trial.executions {
                    let shown = self.alone.entry(run.test.0).or_default();
                    *shown = (*shown).max(Shown::of(&run.outcome));
                }
            }
            // Of few tests each, and there may be thousands.
            Origin::Leaking(_) | Origin::Part(_) | Origin::Pair(_) | Origin::Race(_) => {}
            _ => self.keep(suite, origin, plan, trial),
        }
    }

    fn keep(&mut self, suite: &Suite, origin: Origin, plan: &Plan, trial: &Trial) {
        let mut shown = vec![Shown::NotRun; suite.tests.len()];
        for run in &trial.executions {
            if let Some(known) = shown.get_mut(run.test.get()) {
                *known = (*known).max(Shown::of(&run.outcome));
            }
        }
        let row = packed::row(&shown);
        if self.kept.len() >= TRIALS || self.rows_bytes + row.len() > ROWS_BYTES {
            self.left_out += 1;
            return;
        }
        self.rows_bytes += row.len();
        let runs = packed::runs(&trial.executions, plan.workers.len());
        let has_room = self.runs_bytes + runs.len() <= RUNS_BYTES;
        let runs = has_room.then_some(runs);
        self.runs_bytes += runs.as_ref().map_or(0, Vec::len);
        let number = self.kept.len();
        let failed = trial.executions.iter().filter(|run| run.outcome.is_failure());
        let failures = failed.clone().map(|run| TestFailure {
            trial: number,
            worker: run.worker.0,
            test: run.test,
            shown: Shown::of(&run.outcome),
        });
        self.failures.extend(failures.take(FAILURES.saturating_sub(self.failures.len())));
        let how = How {
            order: plan.order,
            mode: plan.mode,
            workers: plan.workers.len(),
            hash_seed: plan.hash_seed,
            time: trial.duration,
            failed: failed.count(),
        };
        self.kept.push(Kept { origin, how: Some(how), row, runs });
    }

    /// The trials that are kept, and at the end each test alone, if they were run so.
    pub(super) fn kept(&self, tests: usize) -> Vec<Kept> {
        let mut all = self.kept.clone();
        if !self.alone.is_empty() {
            let shown: Vec<Shown> =
                (0..tests as u32).map(|test| self.alone.get(&test).copied().unwrap_or_default()).collect();
            all.push(Kept { origin: Origin::Alone, how: None, row: packed::row(&shown), runs: None });
        }
        all
    }

    /// Whether nothing was run.
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.alone.is_empty()
    }

    /// Whether some failures are not named.
    pub(super) fn has_more_failures(&self) -> bool {
        self.failures.len() >= FAILURES
    }

    /// Which pairs were tried; nothing if no trial mixed tests.
    pub(super) fn heat_map(&self, sort: PairSort) -> Option<HeatMap> {
        self.coverage.as_ref().map(|coverage| coverage.heat_map(sort, HEAT))
    }

    /// Forgets what tests came to: it was so for want of the machine's network.
    fn forget(&mut self) {
        self.alone.clear();
        self.kept.clear();
        self.failures.clear();
        (self.runs_bytes, self.rows_bytes) = (0, 0);
    }
}

impl Reporter for Trials {
    fn notice(&mut self, suite: &Suite, event: &Event<'_>) {
        match event {
            Event::Finished { origin, plan, trial } => self.finished(suite, *origin, plan, trial),
            Event::Forgotten => self.forget(),
            _ => {}
        }
    }
}

/// What a run is for.
fn purpose(origin: Origin) -> &'static str {
    match origin {
        Origin::Baseline => "suite order",
        Origin::Alone => "each test alone",
        Origin::Twice => "every test twice",
        Origin::Apart(_) => "tests that take their process along",
        Origin::LeftOver(_) => "what the session before left unjudged",
        Origin::Suspected(_) => "suspected tests before or after all others",
        Origin::Leaking(_) => "tests directly after those that leave what they name",
        Origin::Part(_) => "parts of suite order with the named test after them",
        Origin::Trial(_) => "trials",
        Origin::Adjacent(_) => "every test directly after every other",
        Origin::Pair(_) => "two tests by themselves",
        Origin::Recording => "recording what tests touch",
        Origin::Race(_) => "races under control",
        Origin::Replay => "replays",
    }
}
