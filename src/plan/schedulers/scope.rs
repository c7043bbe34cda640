//! `--dist loadscope`, `loadfile` and `loadgroup`: tests that belong together stay on one worker.
//!
//! The order is split into units by a scope read off the node id; units are handed out by their
//! number of tests, most first (xdist's `loadscopereorder`, on by default), one to a worker and a
//! second if there is one, then one whenever a worker has at most two tests left. Workers for which
//! there is no unit are shut down at once.
//!
//! xdist keys a unit's tests by node id, so of two tests with one node id it runs only the first;
//! here both run, since a plan runs what was collected.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use crate::plan::schedulers::simulation::{Scheduler, Workers};
use crate::suite::{Test, TestIndex};

/// A worker gets another unit when it has at most this many tests left.
const LOW: usize = 2;

/// The scope of `loadscope`: all before the last `::`, parameters not being looked at specially.
pub(crate) fn loadscope(test: &Test) -> Cow<'_, str> {
    let id = &test.id.node_id;
    Cow::Borrowed(id.rsplit_once("::").map_or(id, |(scope, _)| scope))
}

/// The scope of `loadfile`: all before the first `::`.
pub(crate) fn loadfile(test: &Test) -> Cow<'_, str> {
    let id = &test.id.node_id;
    Cow::Borrowed(id.split_once("::").map_or(id, |(file, _)| file))
}

/// The scope of `loadgroup`: the group, which xdist appends to the node id after an `@`, else the
/// test itself. As xdist reads it back from the id, an `@` behind the last `]` counts even if no group
/// put it there.
pub(crate) fn loadgroup(test: &Test) -> Cow<'_, str> {
    let id = match &test.group {
        Some(group) => Cow::Owned(format!("{}@{group}", test.id.node_id)),
        None => Cow::Borrowed(test.id.node_id.as_str()),
    };
    match (id.rfind('@'), id.rfind(']')) {
        (Some(at), bracket) if bracket.is_none_or(|bracket| at > bracket) => match id {
            Cow::Borrowed(id) => Cow::Borrowed(&id[at + 1..]),
            Cow::Owned(id) => Cow::Owned(id[at + 1..].to_owned()),
        },
        _ => id,
    }
}

/// Splits an order into units of positions, those with most tests first.
pub(crate) fn units<'t>(
    order: &[TestIndex],
    tests: &'t [Test],
    scope: fn(&'t Test) -> Cow<'t, str>,
) -> Vec<Vec<usize>> {
    let mut numbers: HashMap<Cow<'t, str>, usize> = HashMap::new();
    let mut units: Vec<Vec<usize>> = Vec::new();
    for (position, &test) in order.iter().enumerate() {
        let number = *numbers.entry(scope(&tests[test.get()])).or_insert(units.len());
        if number == units.len() {
            units.push(Vec::new());
        }
        units[number].push(position);
    }
    units.sort_by_key(|unit| std::cmp::Reverse(unit.len()));
    units
}

/// The scheduler of all three.
pub(crate) struct Scopes {
    items: usize,
    left: VecDeque<Vec<usize>>,
    /// How many tests each worker has been given and not finished.
    pending: Vec<usize>,
}

impl Scopes {
    /// A scheduler of so many tests in units.
    pub(crate) fn new(workers: usize, items: usize, units: Vec<Vec<usize>>) -> Self {
        Self { items, left: units.into(), pending: vec![0; workers] }
    }

    fn assign(&mut self, worker: usize, workers: &mut Workers) {
        if let Some(unit) = self.left.pop_front() {
            self.pending[worker] += unit.len();
            workers.send(worker, unit);
        }
    }

    fn reschedule(&mut self, worker: usize, workers: &mut Workers) {
        if workers.is_shutting_down(worker) {
            return;
        }
        if self.left.is_empty() {
            workers.shut_down(worker);
        } else if self.pending[worker] <= LOW {
            self.assign(worker, workers);
        }
    }
}

impl Scheduler for Scopes {
    fn start(&mut self, workers: &mut Workers) {
        if self.items == 0 {
            return;
        }
        for unused in (self.left.len().min(self.pending.len())..self.pending.len()).rev() {
            workers.shut_down(unused);
            self.pending.pop();
        }
        (0..self.pending.len()).for_each(|worker| self.assign(worker, workers));
        (0..self.pending.len()).for_each(|worker| self.reschedule(worker, workers));
        if self.left.is_empty() {
            (0..self.pending.len()).for_each(|worker| workers.shut_down(worker));
        }
    }

    fn completed(&mut self, worker: usize, _: usize, _: u64, workers: &mut Workers) {
        self.pending[worker] -= 1;
        self.reschedule(worker, workers);
    }

    fn finished(&self) -> bool {
        self.left.is_empty() && self.pending.iter().all(|&pending| pending < 2)
    }

    fn known(&self) -> usize {
        self.pending.len()
    }
}
