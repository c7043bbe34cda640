//! The shrinker against simulated suites whose truth is known.

use std::collections::BTreeSet;

use jostle::limits::SEARCH_RUNS;
use jostle::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
use jostle::shrink::speculation;
use jostle::shrink::{Oracle, Problem, Shrunk, Stopped, Target, Verdict, shrink};
use jostle::suite::{Suite, Test, TestId, TestIndex};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

const PER_FILE: usize = 10;

fn suite(tests: usize) -> Suite {
    let test = |number: usize| {
        let file = format!("tests/test_{:04}.py", number / PER_FILE);
        let id = TestId { node_id: format!("{file}::test_{number:05}"), occurrence: 0 };
        Test { id, file, line: None, group: None, rank: 0 }
    };
    Suite::new((0..tests).map(test).collect(), Vec::new(), 0)
}

fn plan(workers: Vec<Vec<TestIndex>>) -> Plan {
    Plan {
        seed: Seed(0),
        index: TrialIndex(0),
        order: OrderKind::Shuffled,
        mode: if workers.len() == 1 { Mode::No } else { Mode::Load },
        workers,
        interleaving: Interleaving::Free,
        hash_seed: 1,
        random_seed: 1,
        imports: Imports::All,
    }
}

/// What makes the victim fail; the field's ways for state to leak.
#[derive(Clone, Debug)]
enum World {
    /// Any of these tests before it, with none of the cleaners in between.
    Polluters { any: Vec<usize>, cleaners: Vec<usize> },
    /// All of these tests before it.
    Joint(Vec<usize>),
    /// All of these, in this order.
    Ordered(Vec<usize>),
    /// This one directly before it.
    Adjacent(usize),
    /// The import of the file of this test.
    Import(usize),
    /// This test on another worker.
    Concurrent(usize),
}

struct Simulation<'a> {
    suite: &'a Suite,
    world: World,
    victim: TestIndex,
    rate: f64,
    chance: ChaCha8Rng,
}

impl Simulation<'_> {
    fn fails(&mut self, plan: &Plan) -> bool {
        let worker =
            plan.workers.iter().position(|list| list.contains(&self.victim)).expect("the victim stays");
        let list = &plan.workers[worker];
        let end = list.iter().rposition(|&test| test == self.victim).expect("the victim stays");
        let before: Vec<usize> = list[..end].iter().map(|test| test.get()).collect();
        let place = |test: &usize| before.iter().position(|other| other == test);
        let polluted = match &self.world {
            World::Polluters { any, cleaners } => {
                let last = |tests: &Vec<usize>| before.iter().rposition(|test| tests.contains(test));
                last(any) > last(cleaners)
            }
            World::Joint(all) => all.iter().all(|test| place(test).is_some()),
            World::Ordered(all) => {
                let places: Vec<_> = all.iter().map(place).collect();
                places.iter().all(Option::is_some) && places.is_sorted()
            }
            World::Adjacent(polluter) => before.last() == Some(polluter),
            World::Import(test) => match &plan.imports {
                Imports::All => true,
                Imports::Only(files) => files.contains(&self.suite.tests[*test].file),
            },
            World::Concurrent(test) => plan
                .workers
                .iter()
                .enumerate()
                .any(|(w, list)| w != worker && list.contains(&TestIndex(*test as u32))),
        };
        polluted && (self.rate >= 1.0 || self.chance.random_bool(self.rate))
    }
}

impl Oracle for Simulation<'_> {
    fn verdict(&mut self, candidate: &Plan) -> Result<Verdict, Stopped> {
        Ok(if self.fails(candidate) { Verdict::Reproduces } else { Verdict::Passes })
    }
}

/// A failing serial plan of all tests in canonical order, the victim at a place.
fn serial(tests: usize, victim: usize) -> (Suite, Plan, Target) {
    let suite = suite(tests);
    let list = (0..tests as u32).map(TestIndex).collect();
    let target = Target { victim: TestIndex(victim as u32), worker: WorkerId(0) };
    (suite, plan(vec![list]), target)
}

fn shrink_in(world: World, suite: &Suite, plan: &Plan, target: Target, rate: f64, seed: u64) -> Shrunk {
    let chance = ChaCha8Rng::seed_from_u64(seed);
    let mut simulation = Simulation { suite, world, victim: target.victim, rate, chance };
    assert!(rate < 1.0 || simulation.fails(plan), "the plan must fail: {:?}", simulation.world);
    shrink(&Problem::new(plan.clone(), target, suite, Vec::new(), rate), &mut simulation)
}

fn culprits(shrunk: &Shrunk, victim: TestIndex) -> Vec<usize> {
    shrunk.plan.workers.iter().flatten().filter(|&&test| test != victim).map(|test| test.get()).collect()
}

fn log2_ceil(n: usize) -> u32 {
    n.next_power_of_two().trailing_zeros()
}

/// How many of a shrunk plan's calls only find out whether a module's import is enough: the
/// confirmation of what the search has found.
const CONFIRMATION: u32 = 1;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_lone_polluter_is_found_in_few_calls(n in 1_usize..5000, at in any::<prop::sample::Index>(), after in 0_usize..50) {
        let polluter = at.index(n);
        let (suite, plan, target) = serial(n + 1 + after, n);
        let shrunk = shrink_in(World::Joint(vec![polluter]), &suite, &plan, target, 1.0, 0);
        prop_assert_eq!(culprits(&shrunk, target.victim), vec![polluter]);
        prop_assert!(shrunk.one_minimal);
        prop_assert!(shrunk.calls <= log2_ceil(n) + 6 + CONFIRMATION, "{} calls for {}", shrunk.calls, n);
    }

    #[test]
    fn the_result_fails_is_minimal_and_a_part_of_the_plan(world in worlds(160), seed: u64, keeps_imports: bool) {
        let (suite, plan, target) = serial(160, 159);
        let mut simulation = Simulation { suite: &suite, world: world.clone(), victim: target.victim, rate: 1.0, chance: ChaCha8Rng::seed_from_u64(seed) };
        prop_assume!(simulation.fails(&plan));
        let problem = Problem::new(plan, target, &suite, Vec::new(), 1.0).keeping_imports(keeps_imports);
        let shrunk = shrink(&problem, &mut simulation);
        prop_assert!(simulation.fails(&shrunk.plan));
        prop_assert!(shrunk.complete && shrunk.one_minimal);
        let left = culprits(&shrunk, target.victim);
        prop_assert!(left.is_sorted(), "suite order");
        for gone in 0..left.len() {
            let mut fewer = shrunk.plan.clone();
            fewer.workers[0].remove(gone);
            prop_assert!(!simulation.fails(&fewer), "{:?} without {}", left, left[gone]);
        }
        match &world {
            World::Joint(all) | World::Ordered(all) => {
                prop_assert_eq!(left.iter().collect::<BTreeSet<_>>(), all.iter().collect::<BTreeSet<_>>());
            }
            World::Polluters { .. } | World::Adjacent(_) => prop_assert_eq!(left.len(), 1),
            World::Import(test) => {
                prop_assert!(left.is_empty(), "no test of the module need be run: {:?}", left);
                let files = [suite.tests[*test].file.clone(), suite.tests[159].file.clone()];
                prop_assert_eq!(&shrunk.plan.imports, &Imports::Only(files.into()));
            }
            World::Concurrent(_) => unreachable!("serial plans"),
        }
    }

    #[test]
    fn a_concurrent_pair_is_shrunk_to_two_workers_with_a_test_each(
        order in Just((0..80_u32).collect::<Vec<_>>()).prop_shuffle(), workers in 2_usize..6,
    ) {
        let suite = suite(80);
        let lists: Vec<Vec<TestIndex>> = order.chunks(80_usize.div_ceil(workers)).map(|list| list.iter().map(|&test| TestIndex(test)).collect()).collect();
        let (victim, other) = (lists[0][3], lists[lists.len() - 1][2]);
        let plan = Plan { interleaving: Interleaving::Free, ..plan(lists) };
        let target = Target { victim, worker: WorkerId(0) };
        let shrunk = shrink_in(World::Concurrent(other.get()), &suite, &plan, target, 1.0, 0);
        prop_assert_eq!(shrunk.plan.workers, vec![vec![victim], vec![other]]);
        prop_assert!(shrunk.one_minimal);
    }

    #[test]
    fn an_oracle_that_contradicts_itself_does_not_keep_the_shrinker_for_ever(answers in any::<u64>()) {
        struct Noise(ChaCha8Rng);
        impl Oracle for Noise {
            fn verdict(&mut self, _: &Plan) -> Result<Verdict, Stopped> {
                let all = [Verdict::Reproduces, Verdict::Passes, Verdict::Unresolved];
                Ok(all[self.0.random_range(0..3)])
            }
        }
        let (suite, plan, target) = serial(50, 49);
        let shrunk = shrink(&Problem::new(plan.clone(), target, &suite, Vec::new(), 1.0), &mut Noise(ChaCha8Rng::seed_from_u64(answers)));
        prop_assert!(shrunk.plan.workers[0].contains(&target.victim));
        prop_assert!(shrunk.plan.len() <= plan.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_asked_next_was_foreseen(world in worlds(30), seed: u64, rate in prop_oneof![9 => Just(1.0), 1 => Just(0.8)]) {
        let (suite, plan, target) = serial(30, 29);
        let mut simulation = Simulation { suite: &suite, world, victim: target.victim, rate: 1.0, chance: ChaCha8Rng::seed_from_u64(seed) };
        prop_assume!(simulation.fails(&plan));
        simulation.rate = rate;
        let problem = Problem::new(plan, target, &suite, Vec::new(), rate);
        let mut foreseen = Foreseen { simulation, problem: &problem, answers: Vec::new(), unforeseen: 0 };
        let shrunk = shrink(&problem, &mut foreseen);
        prop_assert_eq!(foreseen.unforeseen, 0);
        prop_assert_eq!(speculation::resume(&problem, &foreseen.answers), (shrunk, None));
    }
}

/// Counts the questions that the answers before the last one did not let expect.
struct Foreseen<'a> {
    simulation: Simulation<'a>,
    problem: &'a Problem<'a>,
    answers: Vec<Verdict>,
    unforeseen: u32,
}

impl Oracle for Foreseen<'_> {
    fn verdict(&mut self, candidate: &Plan) -> Result<Verdict, Stopped> {
        if let Some((_, before)) = self.answers.split_last() {
            let expected = speculation::questions_after(self.problem, before, 2);
            self.unforeseen += u32::from(!expected.contains(candidate));
        }
        let answer = self.simulation.verdict(candidate)?;
        self.answers.push(answer);
        Ok(answer)
    }
}

fn worlds(tests: usize) -> impl Strategy<Value = World> {
    let others = tests - 1;
    let some = |least: usize, most: usize| {
        prop::collection::btree_set(0..others, least..=most)
            .prop_map(|set| set.into_iter().collect::<Vec<_>>())
    };
    prop_oneof![
        (some(1, 3), some(0, 4)).prop_map(|(any, cleaners)| {
            let cleaners = cleaners.into_iter().filter(|test| !any.contains(test)).collect();
            World::Polluters { any, cleaners }
        }),
        some(1, 4).prop_map(World::Joint),
        some(2, 4).prop_map(World::Ordered),
        Just(World::Adjacent(others - 1)),
        (0..others - PER_FILE).prop_map(World::Import),
    ]
}

/// Medians of calls and of suite-equivalents of tests run, in processes that were started for a call or in forks, which
/// import all.
fn medians(n: usize, joint: usize, cases: u64, in_forks: bool) -> (u32, f64) {
    let (suite, plan, target) = serial(n + 1, n);
    let mut calls = Vec::new();
    let mut tests = Vec::new();
    for case in 0..cases {
        let mut chance = ChaCha8Rng::seed_from_u64(case);
        let mut all = BTreeSet::new();
        while all.len() < joint {
            all.insert(chance.random_range(0..n));
        }
        let all: Vec<usize> = all.into_iter().collect();
        let world = World::Joint(all.clone());
        let (victim, chance) = (target.victim, ChaCha8Rng::seed_from_u64(0));
        let mut simulation = Simulation { suite: &suite, world, victim, rate: 1.0, chance };
        let problem = Problem::new(plan.clone(), target, &suite, Vec::new(), 1.0).keeping_imports(in_forks);
        let shrunk = shrink(&problem, &mut simulation);
        assert_eq!(culprits(&shrunk, victim), all);
        calls.push(shrunk.calls);
        tests.push(shrunk.tests_run);
    }
    calls.sort_unstable();
    tests.sort_unstable();
    (calls[calls.len() / 2], tests[tests.len() / 2] as f64 / n as f64)
}

#[test]
fn joint_culprits_among_a_thousand_cost_less_than_rspec_and_ddmin_take() {
    let rows = [
        (1, false, 17, 2.5),
        (2, false, 29, 6.0),
        (3, false, 41, 11.0),
        (1, true, 20, 1.0),
        (2, true, 46, 4.5),
        (3, true, 60, 9.0),
    ];
    for (joint, in_forks, most_calls, most_suites) in rows {
        let (calls, suites) = medians(1000, joint, 201, in_forks);
        let how = if in_forks { " in forks" } else { "" };
        println!("{joint} culprits{how}: {calls} calls, {suites:.1} suite-equivalents (medians of 201)");
        assert!(
            calls <= most_calls && suites <= most_suites,
            "{joint} culprits: {calls} calls, {suites:.1} suites"
        );
    }
}

#[test]
fn a_victim_that_fails_in_half_of_the_runs_still_ends_at_its_polluter() {
    let mut right = 0;
    for case in 0..200 {
        let mut chance = ChaCha8Rng::seed_from_u64(case);
        let n = chance.random_range(200..1000);
        let polluter = chance.random_range(0..n);
        let (suite, plan, target) = serial(n + 1, n);
        let shrunk = shrink_in(World::Joint(vec![polluter]), &suite, &plan, target, 0.5, case);
        right += usize::from(culprits(&shrunk, target.victim) == [polluter]);
    }
    println!("right pair in {right} of 200 cases");
    assert!(right >= 190, "{right} of 200");
}

#[test]
fn what_the_trials_showed_saves_the_search() {
    let (suite, plan, target) = serial(301, 300);
    let polluter = TestIndex(123);
    let seen: Vec<(Vec<TestIndex>, bool)> = (0..20_u64)
        .map(|trial| {
            let mut chance = ChaCha8Rng::seed_from_u64(trial);
            let before: Vec<TestIndex> =
                (0..300).map(TestIndex).filter(|_| chance.random_bool(0.5)).collect();
            let failed = before.contains(&polluter);
            (before, failed)
        })
        .collect();
    let chance = ChaCha8Rng::seed_from_u64(0);
    let mut simulation = Simulation {
        suite: &suite,
        world: World::Joint(vec![123]),
        victim: target.victim,
        rate: 1.0,
        chance,
    };
    let shrunk = shrink(&Problem::new(plan, target, &suite, seen, 1.0), &mut simulation);
    assert_eq!(culprits(&shrunk, target.victim), [123]);
    assert!(shrunk.calls <= 3, "{} calls", shrunk.calls);
}

/// What searches for a lone polluter of a victim that fails at times cost, from the cheapest to the dearest.
fn costs_at_times(n: usize, rate: f64, cases: u64) -> Vec<u32> {
    let (suite, plan, target) = serial(n + 1, n);
    let mut calls: Vec<u32> = (0..cases)
        .map(|case| {
            let polluter = ChaCha8Rng::seed_from_u64(case).random_range(0..n);
            shrink_in(World::Joint(vec![polluter]), &suite, &plan, target, rate, case).calls
        })
        .collect();
    calls.sort_unstable();
    calls
}

#[test]
fn most_searches_at_times_end_within_the_runs_that_a_session_makes() {
    for (n, rate, most) in [(1000, 0.5, 80), (1000, 0.3, 140)] {
        let calls = costs_at_times(n, rate, 60);
        let of_95 = calls[57];
        println!("{n} tests, fails in {rate}: {of_95} calls (95 of 100)");
        assert!(of_95 <= most && most < SEARCH_RUNS, "{of_95} calls");
    }
}

#[test]
fn a_search_that_is_given_up_names_its_suspects_with_odds_that_hold() {
    let n = 300;
    let (suite, plan, target) = serial(n + 1, n);
    let (mut right, mut promised, mut given_up) = (0, 0.0, 0);
    for case in 0..200 {
        let polluter = ChaCha8Rng::seed_from_u64(case).random_range(0..n);
        let chance = ChaCha8Rng::seed_from_u64(case);
        let world = World::Joint(vec![polluter]);
        let mut simulation = Simulation { suite: &suite, world, victim: target.victim, rate: 0.5, chance };
        let problem = Problem::new(plan.clone(), target, &suite, Vec::new(), 0.5).within(25);
        let shrunk = shrink(&problem, &mut simulation);
        assert!(shrunk.calls <= 25);
        if !shrunk.exhausted {
            // Luck had it that these runs were enough.
            continue;
        }
        given_up += 1;
        assert!(!shrunk.complete && !shrunk.one_minimal && shrunk.calls == 25);
        assert!(shrunk.odds.is_sorted_by(|(_, a), (_, b)| a >= b));
        for (test, odds) in shrunk.odds.iter().take(5) {
            promised += odds;
            right += u32::from(test.get() == polluter);
        }
    }
    println!(
        "of {given_up} polluters {right} are among the first five suspects, {promised:.0} by their odds"
    );
    assert!(
        (f64::from(right) - promised).abs() <= 20.0 && right >= 80 && given_up >= 150,
        "{right} {promised} {given_up}"
    );
    let shrunk = shrink_in(World::Joint(vec![7]), &suite, &plan, target, 1.0, 0);
    assert!(!shrunk.exhausted && shrunk.odds.is_empty());
}
