//! `--dist worksteal`: even shares at the start; workers that run out get what busy ones have last.
//!
//! Whenever a test ends, workers with less than two tests share what is left evenly. If there is none,
//! half of the longest list, as far as it leaves two tests, is asked back from its worker, one request
//! at a time. If nothing can be had, idle workers are shut down.

use std::collections::VecDeque;

use crate::plan::schedulers::load::remove;
use crate::plan::schedulers::simulation::{Scheduler, Workers};

/// A worker with fewer tests than this is idle (xdist's `MIN_PENDING`).
const FEW: usize = 2;

/// The scheduler.
pub struct Worksteal {
    left: VecDeque<usize>,
    pending: Vec<VecDeque<usize>>,
    asked: Option<usize>,
}

impl Worksteal {
    /// A scheduler of so many tests.
    pub fn new(workers: usize, items: usize) -> Self {
        Self { left: (0..items).collect(), pending: vec![VecDeque::new(); workers], asked: None }
    }

    fn idle(&self, workers: &Workers) -> Vec<usize> {
        let idle = |&worker: &usize| !workers.is_shutting_down(worker) && self.pending[worker].len() < FEW;
        (0..self.pending.len()).filter(idle).collect()
    }

    fn check(&mut self, workers: &mut Workers) {
        let mut idle = self.idle(workers);
        if idle.is_empty() {
            return;
        }
        if !self.left.is_empty() {
            for (turn, &worker) in idle.iter().enumerate() {
                let share = self.left.len() / (idle.len() - turn);
                let items: Vec<usize> = self.left.drain(..share).collect();
                self.pending[worker].extend(&items);
                workers.send(worker, items);
            }
            idle = self.idle(workers);
        }
        if idle.is_empty() || self.asked.is_some() {
            return;
        }
        match self.longest(workers) {
            Some((from, stolen)) => {
                workers.steal(from, &stolen);
                self.asked = Some(from);
            }
            None => idle.into_iter().for_each(|worker| workers.shut_down(worker)),
        }
    }

    /// The first of the workers with the longest list, and what can be taken from its end.
    fn longest(&self, workers: &Workers) -> Option<(usize, Vec<usize>)> {
        let up = (0..self.pending.len()).filter(|&worker| !workers.is_shutting_down(worker));
        let from = up.max_by_key(|&worker| (self.pending[worker].len(), std::cmp::Reverse(worker)))?;
        let list = &self.pending[from];
        let number = (list.len() / 2).min(list.len().saturating_sub(FEW));
        (number > 0).then(|| (from, list.iter().skip(list.len() - number).copied().collect()))
    }
}

impl Scheduler for Worksteal {
    fn start(&mut self, workers: &mut Workers) {
        if !self.left.is_empty() {
            self.check(workers);
        }
    }

    fn completed(&mut self, worker: usize, item: usize, _: u64, workers: &mut Workers) {
        remove(&mut self.pending[worker], item);
        self.check(workers);
    }

    fn unscheduled(&mut self, worker: usize, items: &[usize], workers: &mut Workers) {
        self.asked = None;
        let mut gone = items.to_vec();
        gone.sort_unstable();
        self.pending[worker].retain(|item| gone.binary_search(item).is_err());
        self.left.extend(items);
        self.check(workers);
    }

    fn finished(&self) -> bool {
        self.left.is_empty() && self.asked.is_none() && self.pending.iter().all(|pending| pending.len() < FEW)
    }

    fn known(&self) -> usize {
        self.pending.len()
    }
}
