//! The candidates of a plan: what is left of it when some of its tests are taken away.

use std::collections::BTreeSet;

use crate::plan::{Barrier, Imports, Interleaving, Mode, OrderKind, Plan, WorkerId};
use crate::shrink::Target;
use crate::suite::{Suite, TestIndex};

/// Which files a candidate imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Importing {
    /// Those of the tests it runs, so that a candidate of few tests is cheap.
    OfTests,
    /// Always the same.
    Fixed(Imports),
}

/// A plan, and which of its tests may go.
#[derive(Clone, Debug)]
pub(crate) struct Space<'a> {
    /// The plan.
    pub(crate) plan: Plan,
    /// Which files candidates import.
    importing: Importing,
    suite: &'a Suite,
    /// Worker and place of every test that may go.
    elements: Vec<(usize, usize)>,
    victim: (usize, usize),
}

impl<'a> Space<'a> {
    /// The space of a plan around its target.
    pub(crate) fn new(plan: Plan, target: Target, suite: &'a Suite, importing: Importing) -> Self {
        let worker = (target.worker.0 as usize).min(plan.workers.len().saturating_sub(1));
        let place =
            plan.workers.get(worker).and_then(|list| list.iter().rposition(|&test| test == target.victim));
        let victim = (worker, place.unwrap_or(0));
        let places = plan
            .workers
            .iter()
            .enumerate()
            .flat_map(|(worker, list)| (0..list.len()).map(move |at| (worker, at)));
        let elements = places.filter(|&at| at != victim).collect();
        Self { plan, importing, suite, elements, victim }
    }

    /// The same space with other imports.
    pub(crate) fn importing(&self, importing: Importing) -> Self {
        Self { importing, ..self.clone() }
    }

    /// How many tests may go.
    pub(crate) fn size(&self) -> usize {
        self.elements.len()
    }

    /// The test that an element stands for.
    pub(crate) fn test(&self, element: usize) -> TestIndex {
        let (worker, place) = self.elements[element];
        self.plan.workers[worker][place]
    }

    /// Which elements run on the victim's worker before it.
    pub(crate) fn before_victim(&self) -> Vec<usize> {
        let (worker, place) = self.victim;
        let before =
            |element: &usize| self.elements[*element].0 == worker && self.elements[*element].1 < place;
        (0..self.size()).filter(before).collect()
    }

    /// Which elements run on some workers.
    pub(crate) fn on_workers(&self, workers: &[usize]) -> Vec<usize> {
        (0..self.size()).filter(|&element| workers.contains(&self.elements[element].0)).collect()
    }

    /// The victim's worker.
    pub(crate) fn victim_worker(&self) -> usize {
        self.victim.0
    }

    /// The plan with these elements, in ascending order, and the victim.
    pub(crate) fn candidate(&self, elements: &[usize]) -> Plan {
        let mut kept: Vec<Vec<usize>> = vec![Vec::new(); self.plan.workers.len()];
        let places = elements.iter().map(|&element| self.elements[element]).chain([self.victim]);
        places.for_each(|(worker, place)| kept[worker].push(place));
        kept[self.victim.0].sort_unstable();
        let lists = kept.iter().zip(&self.plan.workers);
        let workers: Vec<Vec<TestIndex>> = lists
            .map(|(places, list)| places.iter().map(|&place| list[place]).collect::<Vec<_>>())
            .filter(|list| !list.is_empty())
            .collect();
        let whole = workers == self.plan.workers;
        Plan {
            order: if whole { self.plan.order } else { OrderKind::Explicit },
            mode: if workers.len() == 1 { Mode::No } else { self.plan.mode },
            interleaving: self.interleaving(&kept),
            imports: self.imports(&workers),
            workers,
            ..self.plan
        }
    }

    fn imports(&self, workers: &[Vec<TestIndex>]) -> Imports {
        match &self.importing {
            Importing::Fixed(imports) => imports.clone(),
            Importing::OfTests => Imports::Only(files(self.suite, workers.iter().flatten())),
        }
    }

    /// The barriers between tests that are left, under their new workers and places.
    fn interleaving(&self, kept: &[Vec<usize>]) -> Interleaving {
        let barriers = match &self.plan.interleaving {
            Interleaving::Barriers(barriers) => barriers,
            // A schedule names the calls of all workers: it means nothing without one of them.
            Interleaving::Controlled(schedule) if kept.iter().all(|list| !list.is_empty()) => {
                return Interleaving::Controlled(schedule.clone());
            }
            Interleaving::Controlled(_) | Interleaving::Free => return Interleaving::Free,
        };
        let moved = |(worker, place): (WorkerId, u32)| {
            let old = worker.0 as usize;
            let now = kept.get(old)?.iter().position(|&at| at == place as usize)?;
            let gone = kept[..old].iter().filter(|list| list.is_empty()).count();
            Some((WorkerId((old - gone) as u32), now as u32))
        };
        let left: Vec<Barrier> = barriers
            .iter()
            .filter_map(|barrier| {
                Some(Barrier { first: moved(barrier.first)?, second: moved(barrier.second)? })
            })
            .collect();
        if left.is_empty() { Interleaving::Free } else { Interleaving::Barriers(left) }
    }
}

/// The files that define some tests.
pub fn files<'t>(suite: &Suite, tests: impl Iterator<Item = &'t TestIndex>) -> BTreeSet<String> {
    tests.map(|&test| suite.test(test).file.clone()).collect()
}
