//! Plans near a recorded failure: the same tests with others before and between them, in a whole shuffled
//! suite, on several workers, under another hash seed. A fix that holds only for the recorded plan shows here.

use crate::finding::Kind;
use crate::plan::keyed::{Keyed, Purpose, Stream};
use crate::plan::schedule::Switch;
use crate::plan::{
    Barrier, Imports, Interleaving, Mode, OrderKind, Plan, Schedule, WorkerId, order, schedulers,
};
use crate::suite::{Suite, TestIndex};

/// How many other tests are taken along; the last is more than any suite has.
const OTHERS: [usize; 6] = [1, 2, 4, 8, 0, usize::MAX];
/// The modes of plans with several workers.
const MODES: [Mode; 4] = [Mode::Load, Mode::Loadscope, Mode::Worksteal, Mode::Loadfile];
/// How many workers these have.
const WORKERS: [usize; 2] = [2, 4];

/// What makes a failure, and what fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Core<'a> {
    /// What kind of failure it is.
    pub(crate) kind: Kind,
    /// The test that fails.
    pub(crate) victim: TestIndex,
    /// The smallest plan that shows what it is.
    pub(crate) minimal: &'a Plan,
}

impl Core<'_> {
    /// The other tests of the minimal plan, in their order.
    pub(crate) fn culprits(&self) -> Vec<TestIndex> {
        let mut tests: Vec<TestIndex> = self.minimal.workers.iter().flatten().copied().collect();
        if let Some(at) = tests.iter().rposition(|&test| test == self.victim) {
            tests.remove(at);
        }
        tests
    }

    /// A plan in which the failure would have shown: a pure function of its arguments.
    pub(crate) fn neighbour(&self, suite: &Suite, number: u64) -> Plan {
        let mut stream = Stream::new(self.minimal.seed, Purpose::Neighbourhood, number);
        let others = self.others(suite, stream.key());
        let random_seed = stream.draw() as u32;
        let several = number % 3 == 2 || self.kind == Kind::Race;
        let turn = (number / 3) as usize;
        let mode = if several { MODES[turn % MODES.len()] } else { Mode::No };
        let count = if several { WORKERS[turn / MODES.len() % WORKERS.len()] } else { 1 };
        let taken = OTHERS[number as usize % OTHERS.len()].min(others.len());
        let (workers, interleaving) = if let Interleaving::Controlled(schedule) = &self.minimal.interleaving {
            (self.minimal.workers.clone(), Interleaving::Controlled(overtaking(schedule, number)))
        } else if self.kind == Kind::Race {
            self.race(&self.admitted_before(suite, &others[..taken]), count)
        } else {
            let (taken, rest) = others.split_at(taken);
            let first = self.list(suite, taken, &mut stream);
            let rest = if several { order::admitted(suite, rest.to_vec()) } else { Vec::new() };
            let ticks = vec![1; suite.tests.len()];
            let more = if rest.is_empty() || count == 1 {
                Vec::new()
            } else {
                schedulers::partition(mode, count - 1, &rest, &suite.tests, &ticks)
            };
            (std::iter::once(first).chain(more).collect(), Interleaving::Free)
        };
        Plan {
            order: OrderKind::Explicit,
            mode,
            workers,
            interleaving,
            hash_seed: self.minimal.hash_seed.wrapping_add((number / 2 % 2) as u32).max(1),
            random_seed,
            imports: Imports::All,
            ..*self.minimal
        }
    }

    /// A plan without what makes the failure: a victim's polluters, a race's other side, the first run of a
    /// test that pollutes itself. None if that is a mere import, which cannot be taken out of a whole suite.
    pub(crate) fn without_culprits(&self, plan: &Plan) -> Option<Plan> {
        let culprits = self.culprits();
        let kept = |list: &Vec<TestIndex>| {
            let last = list.iter().rposition(|&test| test == self.victim);
            let tests = list.iter().enumerate();
            tests
                .filter(|&(at, test)| Some(at) == last || !culprits.contains(test))
                .map(|(_, &test)| test)
                .collect()
        };
        let workers = plan.workers.iter().map(kept).collect();
        let serial =
            Plan { workers, interleaving: Interleaving::Free, order: OrderKind::Explicit, ..plan.clone() };
        (!culprits.is_empty()).then_some(serial)
    }

    /// The tests that have no part in the failure, shuffled.
    fn others(&self, suite: &Suite, key: Keyed) -> Vec<TestIndex> {
        let part: Vec<TestIndex> = self.minimal.workers.iter().flatten().copied().collect();
        let mut others: Vec<_> = suite.collected.iter().filter(|test| !part.contains(test)).collect();
        others.sort_by_key(|&&test| key.test(&suite.test(test).id));
        others.into_iter().copied().collect()
    }

    /// The victim's worker: others at any place before the victim, the culprits in their order.
    fn list(&self, suite: &Suite, others: &[TestIndex], stream: &mut Stream) -> Vec<TestIndex> {
        let mut list = if self.kind == Kind::Brittle { Vec::new() } else { self.culprits() };
        let after = self.after_victim();
        list.truncate(list.len() - after.len().min(list.len()));
        let core: Vec<TestIndex> = list.iter().copied().chain([self.victim]).chain(after.clone()).collect();
        for &other in others {
            let at = stream.below(list.len() as u64 + 1) as usize;
            list.insert(at, other);
        }
        list.push(self.victim);
        list.extend(after);
        if suite.admits(&core) { order::admitted_around(suite, list, &core) } else { list }
    }

    /// Those of the others, in order, that may run before each test of the minimal plan.
    fn admitted_before(&self, suite: &Suite, others: &[TestIndex]) -> Vec<TestIndex> {
        let core = || self.minimal.workers.iter().flatten();
        let before = |&&other: &&TestIndex| core().all(|&test| suite.admits(&[other, test]));
        order::admitted(suite, others.iter().filter(before).copied().collect())
    }

    /// The tests that make the teardown of a fixture fail, after the one that it is set up for. Nothing may come
    /// between them, as that may end the fixture.
    fn after_victim(&self) -> Vec<TestIndex> {
        if matches!(self.kind, Kind::Brittle | Kind::Nio) {
            return Vec::new();
        }
        let mut lists = self.minimal.workers.iter();
        let after = lists.find_map(|list| {
            list.iter().rposition(|&test| test == self.victim).map(|at| list[at + 1..].to_vec())
        });
        after.unwrap_or_default()
    }

    /// The workers of a race with as many other tests before the barrier on each, and more workers beside.
    fn race(&self, others: &[TestIndex], count: usize) -> (Vec<Vec<TestIndex>>, Interleaving) {
        let sides = self.minimal.workers.len().max(1);
        let shift = others.len() / count.max(sides);
        let mut shares = others.chunks(shift.max(1));
        let mut workers: Vec<Vec<TestIndex>> = Vec::new();
        for list in &self.minimal.workers {
            let before = if shift == 0 { &[] } else { shares.next().unwrap_or_default() };
            workers.push(before.iter().chain(list).copied().collect());
        }
        while workers.len() < count && shift > 0 {
            match shares.next() {
                Some(share) => workers.push(share.to_vec()),
                None => break,
            }
        }
        let moved = |(worker, place): (WorkerId, u32)| (worker, place + shift as u32);
        let mut barriers: Vec<Barrier> = match &self.minimal.interleaving {
            Interleaving::Free | Interleaving::Controlled(_) => Vec::new(),
            Interleaving::Barriers(barriers) => barriers
                .iter()
                .map(|barrier| Barrier { first: moved(barrier.first), second: moved(barrier.second) })
                .collect(),
        };
        if barriers.is_empty() {
            barriers.extend(self.barrier(shift as u32));
        }
        let interleaving =
            if barriers.is_empty() { Interleaving::Free } else { Interleaving::Barriers(barriers) };
        (workers, interleaving)
    }

    /// The victim and the last test of another worker.
    fn barrier(&self, shift: u32) -> Option<Barrier> {
        let lists = || (0..).map(WorkerId).zip(&self.minimal.workers);
        let (worker, place) = lists().find_map(|(worker, list)| {
            list.iter().rposition(|&test| test == self.victim).map(|place| (worker, place as u32))
        })?;
        let (other, list) = lists().find(|&(other, list)| other != worker && !list.is_empty())?;
        let last = list.len() as u32 - 1;
        Some(Barrier { first: (worker, place + shift), second: (other, last + shift) })
    }
}

/// Another schedule of the same two workers: either starts in turn, and is overtaken once, at each of its
/// calls in turn.
fn overtaking(schedule: &Schedule, number: u64) -> Schedule {
    let first = WorkerId(number as u32 % 2);
    let switch = Switch { worker: first, point: number as u32 / 2, to: WorkerId(1 - first.0) };
    Schedule { first, switches: vec![switch], calls: Vec::new(), ..schedule.clone() }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Seed, TrialIndex};
    use crate::suite::{Test, TestId};

    fn suite(tests: u32) -> Suite {
        let test = |n| Test {
            id: TestId { node_id: format!("test_{}.py::test_{n:03}", n % 3), occurrence: 0 },
            file: format!("test_{}.py", n % 3),
            line: None,
            group: None,
            rank: 0,
        };
        Suite::new((0..tests).map(test).collect(), Vec::new(), 0)
    }

    fn minimal(workers: Vec<Vec<u32>>) -> Plan {
        let list = |list: Vec<u32>| list.into_iter().map(TestIndex).collect();
        Plan {
            seed: Seed(5),
            index: TrialIndex(0),
            order: OrderKind::Explicit,
            mode: if workers.len() > 1 { Mode::Load } else { Mode::No },
            workers: workers.into_iter().map(list).collect(),
            interleaving: Interleaving::Free,
            hash_seed: 7,
            random_seed: 1,
            imports: Imports::All,
        }
    }

    fn neighbours(kind: Kind, minimal: &Plan, numbers: std::ops::Range<u64>) -> Vec<Plan> {
        neighbours_of(30, kind, minimal, numbers)
    }

    fn neighbours_of(tests: u32, kind: Kind, minimal: &Plan, numbers: std::ops::Range<u64>) -> Vec<Plan> {
        let core = Core { kind, victim: TestIndex(1), minimal };
        numbers.map(|number| core.neighbour(&suite(tests), number)).collect()
    }

    /// How often each of all workers' tests is run.
    fn times(plan: &Plan) -> BTreeMap<TestIndex, u32> {
        plan.workers.iter().flatten().fold(BTreeMap::new(), |mut times, &test| {
            *times.entry(test).or_default() += 1;
            times
        })
    }

    #[test]
    fn neighbours_differ_in_all_that_a_fix_could_be_bound_to() {
        let serial = minimal(vec![vec![0, 2, 1]]);
        let plans = neighbours(Kind::Victim, &serial, 0..48);
        for (number, plan) in plans.iter().enumerate() {
            let several = number % 3 == 2;
            let others = [1, 2, 4, 8, 0, 27][number % 6];
            assert_eq!(plan.workers[0].len(), 3 + others, "{number}");
            // What is not taken along is run by other workers, if there are any.
            let all = if several { 30 } else { 3 + others };
            assert!(times(plan).len() == all && times(plan).values().all(|&times| times == 1), "{number}");
            let turn = number / 3;
            let count = if several && others < 27 { [2, 4][turn / 4 % 2] } else { 1 };
            assert_eq!(plan.workers.len(), count, "{number}");
            assert_eq!(plan.mode, if several { MODES[turn % 4] } else { Mode::No }, "{number}");
            assert_eq!(plan.hash_seed, [7, 7, 8, 8][number % 4], "{number}");
            let kept = (plan.seed, plan.index, plan.order, &plan.imports);
            assert_eq!(kept, (serial.seed, serial.index, OrderKind::Explicit, &Imports::All));
        }
        let seeds: BTreeSet<u32> = plans.iter().map(|plan| plan.random_seed).collect();
        assert_eq!(seeds.len(), plans.len());
        let place = |plan: &Plan, test| plan.workers[0].iter().position(|&other| other == TestIndex(test));
        let between = |plan: &&Plan| place(plan, 1) > place(plan, 0).map(|at| at + 2);
        assert!(plans.iter().filter(between).count() > 10, "others come between the tests as well");
        let before_victim = |plan: &&Plan| plan.workers[0].iter().rev().nth(1) != Some(&TestIndex(2));
        assert!(plans.iter().filter(before_victim).count() > 5, "and right before the one that fails");
        let shuffled = Plan { order: OrderKind::Shuffled, ..serial.clone() };
        assert_eq!(neighbours(Kind::Victim, &shuffled, 0..1)[0].order, OrderKind::Explicit);
        let last = Plan { hash_seed: u32::MAX, ..serial };
        let seeds: BTreeSet<u32> =
            neighbours(Kind::Victim, &last, 0..4).iter().map(|plan| plan.hash_seed).collect();
        assert_eq!(seeds, [1, u32::MAX].into(), "0 would turn hashing by a seed off");
    }

    #[test]
    fn the_tests_of_a_race_meet_as_late_on_each_worker() {
        let two = minimal(vec![vec![0], vec![1]]);
        let of = |tests: u32| {
            let plans = neighbours_of(tests, Kind::Race, &two, 0..48).into_iter().enumerate();
            plans.map(move |(number, plan)| (number, plan, tests as usize - 2))
        };
        // 29 others cannot be shared evenly.
        for (number, plan, others) in of(30).chain(of(31)) {
            let count = [2, 4][number / 3 / 4 % 2];
            let shift = [1, 2, 4, 8, 0, others][number % 6] / count;
            assert_eq!(plan.workers.len(), if shift == 0 { 2 } else { count }, "{number}");
            assert!(plan.workers[..2].iter().all(|list| list.len() == shift + 1), "{number}");
            assert!(plan.workers[2..].iter().all(|list| list.len() == shift), "{number}");
            assert!(times(&plan).values().all(|&times| times == 1), "{number}");
            assert_eq!(plan.mode, MODES[number / 3 % 4], "{number}");
            let at = shift as u32;
            let barrier = Barrier { first: (WorkerId(1), at), second: (WorkerId(0), at) };
            assert_eq!(plan.interleaving, Interleaving::Barriers(vec![barrier]), "{number}");
        }
        let core = Core { kind: Kind::Race, victim: TestIndex(1), minimal: &two };
        let most = (0..48).map(|number| core.neighbour(&suite(31), number).workers.len()).max();
        assert_eq!(most, Some(4), "a test that is left over has no worker of its own");
        let barrier = Barrier { first: (WorkerId(0), 1), second: (WorkerId(1), 0) };
        let later = minimal(vec![vec![3, 0], vec![1]]);
        let given = Plan { interleaving: Interleaving::Barriers(vec![barrier]), ..later };
        let moved = Barrier { first: (WorkerId(0), 3), second: (WorkerId(1), 2) };
        let plan = &neighbours(Kind::Race, &given, 2..3)[0];
        assert_eq!(plan.interleaving, Interleaving::Barriers(vec![moved]));
    }

    #[test]
    fn a_recorded_schedule_is_left_for_others_of_the_same_workers() {
        let schedule = Schedule { calls: vec!["gw0 read".into()], ..Schedule::sequential(WorkerId(0)) };
        let two = minimal(vec![vec![0], vec![1]]);
        let two = Plan { interleaving: Interleaving::Controlled(schedule.clone()), ..two };
        let expected = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)];
        for (plan, (first, point)) in neighbours(Kind::Race, &two, 0..5).iter().zip(expected) {
            let (first, to) = (WorkerId(first), WorkerId(1 - first));
            let switches = vec![Switch { worker: first, point, to }];
            let other = Schedule { first, switches, calls: Vec::new(), ..schedule.clone() };
            assert_eq!(plan.interleaving, Interleaving::Controlled(other));
            assert_eq!(plan.workers, two.workers);
        }
    }

    #[test]
    fn a_plan_without_the_culprits_is_a_plain_one() {
        let serial = minimal(vec![vec![0, 2, 1]]);
        let core = Core { kind: Kind::Victim, victim: TestIndex(1), minimal: &serial };
        assert_eq!(core.culprits(), [TestIndex(0), TestIndex(2)]);
        let met = Interleaving::Barriers(Vec::new());
        let plan = Plan {
            order: OrderKind::Shuffled,
            interleaving: met,
            ..minimal(vec![vec![0, 3, 1], vec![2, 4]])
        };
        let without = core.without_culprits(&plan).unwrap();
        assert_eq!(without, minimal(vec![vec![3, 1], vec![4]]));
        let alone = minimal(vec![vec![1]]);
        let import = Core { minimal: &alone, ..core };
        assert_eq!(import.without_culprits(&plan), None, "an import cannot be taken out");
    }

    proptest! {
        #[test]
        fn the_failure_would_show_in_every_neighbour(tests in 3_u32..40, number in 0_u64..200) {
            let suite = suite(tests);
            let victim = TestIndex(1);
            let serial = minimal(vec![vec![0, 2, 1]]);
            let plan = Core { kind: Kind::Victim, victim, minimal: &serial }.neighbour(&suite, number);
            let core: Vec<u32> = plan.workers[0].iter().map(|test| test.0).filter(|&test| test < 3).collect();
            prop_assert_eq!(core, vec![0, 2, 1]);
            let clean = Core { kind: Kind::Victim, victim, minimal: &serial }.without_culprits(&plan).unwrap();
            prop_assert_eq!(clean.len(), plan.len() - 2);

            let torn_down = minimal(vec![vec![0, 1, 2]]);
            let fixture = Core { kind: Kind::Victim, victim, minimal: &torn_down };
            let near = fixture.neighbour(&suite, number);
            let at = near.workers[0].iter().position(|&test| test == victim).unwrap();
            prop_assert_eq!(near.workers[0].get(at + 1), Some(&TestIndex(2)));
            prop_assert!(near.workers[0][..at].contains(&TestIndex(0)));
            prop_assert_eq!(fixture.without_culprits(&near).unwrap().len(), near.len() - 2);

            let brittle = Core { kind: Kind::Brittle, victim, minimal: &serial }.neighbour(&suite, number);
            prop_assert!(!brittle.workers.iter().flatten().any(|test| test.0 == 0 || test.0 == 2));
            prop_assert_eq!(brittle.workers[0].last(), Some(&victim));

            let twice = minimal(vec![vec![1, 1]]);
            let nio = Core { kind: Kind::Nio, victim, minimal: &twice };
            prop_assert_eq!(nio.neighbour(&suite, number).workers[0].iter().filter(|&&test| test == victim).count(), 2);
            let once = nio.without_culprits(&nio.neighbour(&suite, number)).unwrap();
            prop_assert_eq!(once.workers[0].iter().filter(|&&test| test == victim).count(), 1);

            let two = minimal(vec![vec![0], vec![1]]);
            let race = Core { kind: Kind::Race, victim, minimal: &two }.neighbour(&suite, number);
            let Interleaving::Barriers(barriers) = &race.interleaving else { panic!("no barrier") };
            let at = |(worker, place): (WorkerId, u32)| race.workers[worker.0 as usize][place as usize];
            prop_assert_eq!((at(barriers[0].first), at(barriers[0].second)), (victim, TestIndex(0)));

            let schedule = Schedule::sequential(WorkerId(0));
            let controlled = Plan { interleaving: Interleaving::Controlled(schedule), ..two };
            let race = Core { kind: Kind::Race, victim, minimal: &controlled }.neighbour(&suite, number);
            let Interleaving::Controlled(schedule) = &race.interleaving else { panic!("no schedule") };
            prop_assert_eq!(schedule.stranger(race.workers.len()), None);
            prop_assert_eq!(race.workers, controlled.workers);
        }
    }
}
