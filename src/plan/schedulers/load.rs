//! `--dist load`: chunks of the order to whichever worker runs low.
//!
//! Each worker starts with a quarter of its even share, at least two tests. When it has finished a
//! test and has less than an eighth of what is left per worker (at least two), it gets enough for a
//! quarter. A worker that has just spent 0.1 s on a test and still has two gets none yet. When nothing
//! is left to hand out, each worker that finishes a test is shut down. `--maxschedchunk` is not given.

use std::collections::VecDeque;
use std::ops::Range;

use crate::plan::schedulers::simulation::{Scheduler, Workers};

/// A test of this many ticks counts as slow: 0.1 s.
const SLOW: u64 = 100;

/// The scheduler.
pub struct Load {
    /// Positions not yet handed out.
    left: Range<usize>,
    /// What each worker has been given and not finished.
    pending: Vec<VecDeque<usize>>,
}

impl Load {
    /// A scheduler of so many tests.
    pub fn new(workers: usize, items: usize) -> Self {
        Self { left: 0..items, pending: vec![VecDeque::new(); workers] }
    }

    fn send(&mut self, worker: usize, number: usize, workers: &mut Workers) {
        let chunk = self.left.start..self.left.end.min(self.left.start + number);
        if !chunk.is_empty() {
            self.left.start = chunk.end;
            self.pending[worker].extend(chunk.clone());
            workers.send(worker, chunk);
        }
    }
}

impl Scheduler for Load {
    fn start(&mut self, workers: &mut Workers) {
        let count = self.pending.len();
        let items = self.left.len();
        if items == 0 {
            return;
        }
        if items < 2 * count {
            (0..items).for_each(|turn| self.send(turn % count, 1, workers));
        } else {
            let chunk = (items / count / 4).max(2);
            (0..count).for_each(|worker| self.send(worker, chunk, workers));
        }
        if self.left.is_empty() {
            (0..count).for_each(|worker| workers.shut_down(worker));
        }
    }

    fn completed(&mut self, worker: usize, item: usize, ticks: u64, workers: &mut Workers) {
        remove(&mut self.pending[worker], item);
        if workers.is_shutting_down(worker) {
            return;
        }
        if self.left.is_empty() {
            workers.shut_down(worker);
            return;
        }
        let per_worker = self.left.len() / self.pending.len();
        let (least, most) = ((per_worker / 4).max(2), (per_worker / 2).max(2));
        let has = self.pending[worker].len();
        if has < least && !(ticks >= SLOW && has >= 2) {
            self.send(worker, most - has, workers);
        }
    }

    fn finished(&self) -> bool {
        self.left.is_empty() && self.pending.iter().all(|pending| pending.len() < 2)
    }

    fn known(&self) -> usize {
        self.pending.len()
    }
}

/// Takes a test out of a worker's list, in which it nearly always comes first.
pub(crate) fn remove(pending: &mut VecDeque<usize>, item: usize) {
    if let Some(at) = pending.iter().position(|&other| other == item) {
        pending.remove(at);
    }
}
