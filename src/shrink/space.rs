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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Schedule;
    use crate::session::fake_engine::{plan, suite, test};

    /// The space of a plan around a test on a worker.
    fn around(plan: Plan, victim: char, worker: u32, suite: &Suite) -> Space<'_> {
        let target = Target { victim: test(victim), worker: WorkerId(worker) };
        Space::new(plan, target, suite, Importing::OfTests)
    }

    #[test]
    fn what_is_left_keeps_its_worker_and_its_order() {
        let suite = suite(6);
        let space = around(plan("bc|daf|e"), 'a', 1, &suite);
        assert_eq!((space.size(), space.victim_worker(), space.test(3)), (5, 1, test('f')));
        assert_eq!(space.before_victim(), [2]);
        assert_eq!(space.on_workers(&[0, 2]), [0, 1, 4]);
        let left = |elements: &[usize]| space.candidate(elements).workers;
        assert_eq!(left(&[1, 3, 4]), plan("c|af|e").workers);
        assert_eq!(left(&[2]), plan("da").workers);
        assert_eq!(around(plan("ab|cd"), 'b', 0, &suite).victim_worker(), 0);
    }

    #[test]
    fn of_a_test_that_runs_twice_the_last_run_stays() {
        let suite = suite(3);
        let space = around(plan("abac"), 'a', 0, &suite);
        assert_eq!(space.before_victim(), [0, 1]);
        assert_eq!(space.candidate(&[1]).workers, plan("ba").workers);
        assert_eq!(space.candidate(&[0]).workers, plan("aa").workers);
    }

    #[test]
    fn a_part_of_a_plan_is_in_no_order_of_its_own_and_one_worker_is_no_mode() {
        let suite = suite(3);
        let space = around(Plan { order: OrderKind::Shuffled, ..plan("b|ca") }, 'a', 1, &suite);
        let told = |elements: &[usize]| {
            let candidate = space.candidate(elements);
            (candidate.order, candidate.mode)
        };
        assert_eq!(told(&[0, 1]), (OrderKind::Shuffled, Mode::Load));
        assert_eq!(told(&[0]), (OrderKind::Explicit, Mode::Load));
        assert_eq!(told(&[1]), (OrderKind::Explicit, Mode::No));
    }

    #[test]
    fn a_candidate_imports_the_files_of_its_tests_or_always_the_same() {
        let suite = suite(3);
        let space = around(plan("bca"), 'a', 0, &suite);
        let files = ["test_a.py".to_owned(), "test_b.py".to_owned()];
        assert_eq!(space.candidate(&[0]).imports, Imports::Only(files.into()));
        let fixed = space.importing(Importing::Fixed(Imports::All));
        assert_eq!(fixed.candidate(&[0]).imports, Imports::All);
    }

    #[test]
    fn tests_that_are_left_meet_where_they_are_now() {
        let barrier = |first: (u32, u32), second: (u32, u32)| Barrier {
            first: (WorkerId(first.0), first.1),
            second: (WorkerId(second.0), second.1),
        };
        // `c` meets the victim, and `e` meets `f`.
        let met = vec![barrier((0, 1), (2, 1)), barrier((1, 1), (2, 0))];
        let suite = suite(6);
        let whole = Plan { interleaving: Interleaving::Barriers(met), ..plan("bc|de|fa") };
        let space = around(whole, 'a', 2, &suite);
        let rows: [(&[usize], Vec<Barrier>); 3] = [
            (&[1, 4], vec![barrier((0, 0), (1, 1))]),
            (&[2, 3, 4], vec![barrier((0, 1), (1, 0))]),
            (&[0, 1, 3, 4], vec![barrier((0, 1), (2, 1)), barrier((1, 0), (2, 0))]),
        ];
        for (elements, left) in rows {
            assert_eq!(space.candidate(elements).interleaving, Interleaving::Barriers(left), "{elements:?}");
        }
        assert_eq!(space.candidate(&[3]).interleaving, Interleaving::Free, "neither pair is left");
    }

    #[test]
    fn a_schedule_stays_as_long_as_each_of_its_workers_does() {
        let suite = suite(3);
        let schedule = Interleaving::Controlled(Schedule::sequential(WorkerId(0)));
        let space = around(Plan { interleaving: schedule.clone(), ..plan("b|ca") }, 'a', 1, &suite);
        assert_eq!(space.candidate(&[0]).interleaving, schedule);
        assert_eq!(space.candidate(&[1]).interleaving, Interleaving::Free);
    }
}
