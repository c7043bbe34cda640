//! What is known of one worker of a trial: its list, how far it is, and in which process.

use std::time::{Duration, Instant};

use crate::plan::WorkerId;
use crate::suite::TestIndex;
use crate::trial::{Execution, Failure, Outcome, Verdict};

/// How far a process of a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// pytest starts and collects.
    Collecting,
    /// Between two tests.
    Idle,
    /// The test at a place of the list runs.
    Running(usize, Instant),
    /// The test at a place waits to meet another.
    Waiting(usize),
    /// It has stopped before a test, to be forked.
    Stopped,
    /// pytest tears the session down.
    Ending,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Which.
    pub(crate) id: WorkerId,
    /// What it runs.
    pub(crate) list: Vec<TestIndex>,
    /// How far its process is.
    pub(crate) stage: Stage,
    /// When the stage began.
    pub(crate) since: Instant,
    /// How many processes it has used up.
    pub(crate) process: u32,
    /// Where in the list the present process started.
    pub(crate) offset: usize,
    runs: Vec<Option<(u32, Outcome, Duration)>>,
}

impl Worker {
    /// A worker that has not started.
    pub(crate) fn new(id: WorkerId, list: Vec<TestIndex>) -> Self {
        let runs = vec![None; list.len()];
        Self { id, list, stage: Stage::Collecting, since: Instant::now(), process: 0, offset: 0, runs }
    }

    /// A worker that goes on where this one has stopped, in a process that is about to be forked off it. Its list begins
    /// with the tests that this one has run.
    pub(crate) fn going_on(&self, list: Vec<TestIndex>) -> Self {
        let runs = (0..list.len()).map(|place| self.runs.get(place).cloned().flatten()).collect();
        Self { list, runs, ..Self::new(self.id, Vec::new()) }
    }

    /// Moves to another stage.
    pub(crate) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.since = Instant::now();
    }

    /// The place in the list of a position of the present process.
    pub(crate) fn place(&self, position: u32) -> Option<usize> {
        let place = self.offset + position as usize;
        (place < self.list.len()).then_some(place)
    }

    /// Notes what became of the test at a place.
    pub(crate) fn note(&mut self, place: usize, outcome: Outcome, duration: Duration) {
        if self.runs[place].is_none() {
            self.runs[place] = Some((self.process, outcome, duration));
        }
    }

    /// The first place from which on no test has an outcome. Tests before it that have none were not
    /// collected, and have theirs by then.
    pub(crate) fn next_place(&self) -> usize {
        self.runs.iter().rposition(Option::is_some).map_or(0, |place| place + 1).max(self.offset)
    }

    /// Whether it has come as far as its first test.
    pub(crate) fn has_begun(&self) -> bool {
        self.process > 0 || self.stage != Stage::Collecting
    }

    /// Whether every test has an outcome.
    pub(crate) fn is_done(&self) -> bool {
        self.runs.iter().all(Option::is_some)
    }

    /// Whether the test at a place is over, or will never be.
    pub(crate) fn has_passed(&self, place: usize) -> bool {
        self.runs.get(place).is_none_or(Option::is_some)
    }

    /// Gives every test without an outcome this reason for not having been run.
    pub(crate) fn give_up(&mut self, why: &str) {
        for run in self.runs.iter_mut().filter(|run| run.is_none()) {
            *run = Some((self.process, Outcome::NotRun { why: why.into() }, Duration::ZERO));
        }
    }

    /// The execution at a place, once it has an outcome.
    pub(crate) fn execution(&self, place: usize) -> Option<Execution> {
        let (process, outcome, duration) = self.runs[place].clone()?;
        Some(Execution { worker: self.id, process, test: self.list[place], outcome, duration })
    }

    /// All executions, in the list's order.
    pub(crate) fn executions(&self) -> impl Iterator<Item = Execution> + '_ {
        (0..self.list.len()).filter_map(|place| self.execution(place))
    }
}

/// The outcome that the harness reports.
pub(crate) fn outcome(verdict: Verdict, failure: Option<Failure>) -> Outcome {
    match (verdict, failure) {
        (_, Some(failure)) => Outcome::Failed(failure),
        (Verdict::Skipped, None) => Outcome::Skipped,
        (Verdict::Xfailed, None) => Outcome::Xfailed,
        (Verdict::Passed | Verdict::Failed, None) => Outcome::Passed,
    }
}
