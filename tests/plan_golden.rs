//! Plans are a promise: the same bytes for the same seed, for ever.

use std::collections::{BTreeMap, BTreeSet};

use jostle::plan::axes::Axes;
use jostle::plan::coverage::Coverage;
use jostle::plan::document::PlanDocument;
use jostle::plan::order::order;
use jostle::plan::{Mode, OrderKind, Plan, Seed, TrialIndex, plan};
use jostle::suite::{Suite, Test, TestId, TestIndex};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

fn named(node_ids: impl IntoIterator<Item = String>) -> Suite {
    let test = |node_id: String| {
        let file = node_id.split("::").next().unwrap_or_default().to_owned();
        let group = node_id.contains("group").then(|| "g".to_owned());
        Test { id: TestId { node_id, occurrence: 0 }, file, line: None, group, rank: 0 }
    };
    Suite::new(node_ids.into_iter().map(test).collect(), Vec::new(), 0)
}

fn suite(tests: usize) -> Suite {
    named((0..tests).map(|n| format!("tests/test_{}.py::Test{}::test_{n}[a::b é]", n / 10, n % 3)))
}

fn digest(plans: impl Iterator<Item = String>) -> String {
    let mut hash = Sha256::new();
    plans.for_each(|text| hash.update(text));
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_small_plan_is_the_same_for_ever() {
    let suite = named(["t.py::a", "t.py::b", "u.py::group_c", "u.py::D::d"].map(String::from));
    let text = PlanDocument::new(&plan(Seed(42), TrialIndex(3), &suite, &Axes::default()), &suite).to_json();
    insta::assert_snapshot!(text);
}

#[test]
fn a_thousand_plans_are_the_same_for_ever() {
    let suite = suite(137);
    let json = |axes: &Axes, range: std::ops::Range<u64>| {
        digest(range.map(|index| {
            PlanDocument::new(&plan(Seed(index / 50), TrialIndex(index % 50), &suite, axes), &suite).to_json()
        }))
    };
    let each = Axes { workers: vec![3], modes: vec![Mode::Each, Mode::Load], ..Axes::default() };
    insta::assert_snapshot!(format!("{} {}", json(&Axes::default(), 0..1000), json(&each, 0..100)));
}

#[test]
fn a_plan_reads_back_as_it_was_written() {
    let suite = suite(60);
    for index in 0..60 {
        let plan = plan(Seed(7), TrialIndex(index), &suite, &Axes::default());
        let document: PlanDocument =
            serde_json::from_str(&PlanDocument::new(&plan, &suite).to_json()).unwrap();
        assert_eq!(document.plan(&suite), Ok(plan));
    }
}

fn positions(order: &[TestIndex]) -> BTreeMap<TestIndex, usize> {
    order.iter().enumerate().map(|(at, &test)| (test, at)).collect()
}

proptest! {
    #[test]
    fn tests_that_come_and_go_leave_the_order_of_the_others(
        seed: u64, number in 0_u64..100, gone in prop::collection::btree_set(0_usize..80, 1..40), nested: bool,
    ) {
        let kind = if nested { OrderKind::Nested } else { OrderKind::Shuffled };
        let whole = suite(80);
        let left: Vec<String> = (0..80).filter(|n| !gone.contains(n)).map(|n| whole.tests[n].id.node_id.clone()).collect();
        let smaller = named(left);
        let names = |suite: &Suite| order(kind, suite, Seed(seed), number, false).into_iter().map(|test| suite.test(test).id.clone()).collect::<Vec<_>>();
        let kept: BTreeSet<TestId> = smaller.tests.iter().map(|test| test.id.clone()).collect();
        let expected: Vec<TestId> = names(&whole).into_iter().filter(|id| kept.contains(id)).collect();
        prop_assert_eq!(names(&smaller), expected);
    }

    #[test]
    fn a_pair_of_trials_runs_every_two_tests_both_ways_round(seed: u64, pair in 0_u64..30) {
        let suite = suite(30);
        let axes = Axes { workers: vec![1], ..Axes::default() };
        let [there, back] = [0, 1].map(|which| plan(Seed(seed), TrialIndex(2 * pair + which), &suite, &axes));
        let mut reversed = back.workers[0].clone();
        reversed.reverse();
        prop_assert_eq!(&there.workers[0], &reversed);
        prop_assert_eq!((there.hash_seed, there.random_seed), (back.hash_seed, back.random_seed));
    }

    #[test]
    fn every_plan_runs_every_test_once_in_every_mode(seed: u64, index in 0_u64..200, tests in 1_usize..60) {
        let suite = suite(tests);
        let plan = plan(Seed(seed), TrialIndex(index), &suite, &Axes::default());
        let mut all = plan.workers.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..tests as u32).map(TestIndex).collect::<Vec<_>>());
    }

    #[test]
    fn ranks_stay_apart_unless_they_may_mix(seed: u64, index in 0_u64..40) {
        let mut suite = suite(30);
        suite.tests.iter_mut().enumerate().for_each(|(at, test)| test.rank = (at % 3) as u32);
        let axes = Axes { workers: vec![1], ..Axes::default() };
        let plan = plan(Seed(seed), TrialIndex(index), &suite, &axes);
        prop_assert!(plan.workers[0].iter().map(|&test| suite.test(test).rank).is_sorted());
    }
}

/// The 99.9 % quantile of chi-square, by Wilson and Hilferty's approximation (1931).
fn chi_square_limit(degrees: f64) -> f64 {
    let term = 2.0 / (9.0 * degrees);
    degrees * (1.0 - term + 3.09 * term.sqrt()).powi(3)
}

fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum()
}

#[test]
fn all_permutations_and_all_adjacent_pairs_come_equally_often() {
    let names = (0..5).map(|n| format!("t.py::test[{n}]"));
    let suite = named(names);
    let mut permutations: BTreeMap<Vec<TestIndex>, u64> = BTreeMap::new();
    let mut adjacent: BTreeMap<(TestIndex, TestIndex), u64> = BTreeMap::new();
    for seed in 0..24_000 {
        let order = order(OrderKind::Shuffled, &suite, Seed(seed), 0, false);
        order.windows(2).for_each(|pair| *adjacent.entry((pair[0], pair[1])).or_default() += 1);
        *permutations.entry(order).or_default() += 1;
    }
    let permutations: Vec<u64> = permutations.into_values().collect();
    let adjacent: Vec<u64> = adjacent.into_values().collect();
    assert_eq!((permutations.len(), adjacent.len()), (120, 20));
    assert!(chi_square(&permutations) < chi_square_limit(119.0), "{}", chi_square(&permutations));
    assert!(chi_square(&adjacent) < chi_square_limit(19.0), "{}", chi_square(&adjacent));
}

#[test]
fn the_rows_of_a_square_put_every_test_directly_after_every_other_once() {
    for tests in [2, 5, 8, 13] {
        let suite = suite(tests);
        let rows = jostle::plan::order::tuscan_rows(tests);
        let mut pairs: BTreeMap<(TestIndex, TestIndex), u32> = BTreeMap::new();
        for row in 0..rows {
            let order = order(OrderKind::Adjacent, &suite, Seed(3), row, false);
            assert_eq!(positions(&order).len(), tests);
            order.windows(2).for_each(|pair| *pairs.entry((pair[0], pair[1])).or_default() += 1);
        }
        assert_eq!(pairs.len(), tests * (tests - 1), "{tests} tests");
        if tests % 2 == 0 {
            assert!(pairs.values().all(|&count| count == 1), "{tests} tests");
        }
    }
}

#[test]
fn coverage_counts_what_the_plans_did() {
    let suite = suite(40);
    let mut coverage = Coverage::new(&suite);
    let serial = Axes { workers: vec![1], ..Axes::default() };
    assert_eq!(coverage.shares().ordered, 0.0);
    let trial = |index| plan(Seed(1), TrialIndex(index), &suite, &serial);
    coverage.add(&trial(0));
    let half = coverage.shares();
    assert!((half.ordered - 0.5).abs() < 1e-9 && (half.adjacent - 39.0 / (40.0 * 39.0)).abs() < 1e-9);
    coverage.add(&trial(1));
    let both = coverage.shares();
    assert_eq!((both.ordered, both.same_worker, both.cross_worker), (1.0, 0.0, 0.0));
    let parallel = |list: Vec<Vec<u32>>| Plan {
        mode: Mode::Load,
        workers: list.into_iter().map(|list| list.into_iter().map(TestIndex).collect()).collect(),
        ..trial(0)
    };
    coverage.add(&parallel(vec![vec![0, 1], vec![2]]));
    let shares = coverage.shares();
    assert!((shares.same_worker - 2.0 / 1560.0).abs() < 1e-9, "{shares:?}");
    assert!((shares.cross_worker - 4.0 / 1560.0).abs() < 1e-9, "{shares:?}");
}
