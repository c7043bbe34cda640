//! Orders: how a list of tests is put into a sequence.
//!
//! Shuffles sort by a keyed hash of each test's name. pytest-randomly has the same property by CRC32,
//! which is affine: of the orders of ten parametrised tests it reaches few. pytest-random-order
//! shuffles the list itself, so that one test more changes every order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::plan::keyed::{Keyed, Purpose, Stream};
use crate::plan::{OrderKind, Seed};
use crate::suite::{Suite, Test, TestIndex};

/// Makes the order of a kind. `number` is that of the trial pair, for [`OrderKind::Adjacent`] that of
/// the row. It is one that the suite's plugins admit unless `ignore_rank`. [`OrderKind::Explicit`] has no
/// rule of its own and gives suite order, which is as pytest runs it.
pub fn order(kind: OrderKind, suite: &Suite, seed: Seed, number: u64, ignore_rank: bool) -> Vec<TestIndex> {
    let key = |purpose| Stream::new(seed, purpose, number).key();
    let order = match kind {
        OrderKind::Suite | OrderKind::Explicit => return suite.collected.clone(),
        OrderKind::Reversed => suite.collected.iter().rev().copied().collect(),
        OrderKind::Shuffled => shuffled(suite, key(Purpose::Order)),
        OrderKind::Nested => nested(suite, key(Purpose::Order)),
        OrderKind::Adjacent => tuscan_row(suite, seed, number),
    };
    if ignore_rank { order } else { admitted(suite, order) }
}

/// The same order backwards, as far as the suite's plugins admit it.
pub(crate) fn reversed(suite: &Suite, order: &[TestIndex], ignore_rank: bool) -> Vec<TestIndex> {
    let order = order.iter().rev().copied().collect();
    if ignore_rank { order } else { admitted(suite, order) }
}

/// Brings a list to an order that the suite's plugins admit: the first test of all that may come next always
/// comes next. A list that they admit stays as it is.
pub(crate) fn admitted(suite: &Suite, list: Vec<TestIndex>) -> Vec<TestIndex> {
    admitted_around(suite, list, &[])
}

/// As [`admitted`], with some tests of the list kept in their order, which must be an admitted one.
pub(crate) fn admitted_around(suite: &Suite, mut list: Vec<TestIndex>, kept: &[TestIndex]) -> Vec<TestIndex> {
    list.sort_by_key(|&test| suite.test(test).rank);
    if suite.sorting.is_by_rank() { list } else { by_pairs(suite, list, kept) }
}

/// A topological sort (Kahn 1962) that takes what stands first in the list. Tests that are not in it take no
/// place, and what follows from them holds.
fn by_pairs(suite: &Suite, list: Vec<TestIndex>, kept: &[TestIndex]) -> Vec<TestIndex> {
    let chain = kept.windows(2).filter(|two| two[0] != two[1]).map(|two| (two[0], two[1]));
    let mut followers: Vec<Vec<TestIndex>> = vec![Vec::new(); suite.tests.len()];
    let mut missing = vec![0_u32; suite.tests.len()];
    for (before, after) in suite.sorting.pairs().chain(chain) {
        followers[before.get()].push(after);
        missing[after.get()] += 1;
    }
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); suite.tests.len()];
    list.iter().enumerate().for_each(|(place, test)| places[test.get()].push(place));
    let mut ready: Vec<TestIndex> = all(suite).filter(|test| missing[test.get()] == 0).collect();
    let mut next: BinaryHeap<Reverse<usize>> = BinaryHeap::new();
    let mut order = Vec::with_capacity(list.len());
    loop {
        while let Some(test) = ready.pop() {
            next.extend(places[test.get()].iter().copied().map(Reverse));
            if places[test.get()].is_empty() {
                follow(&followers[test.get()], &mut missing, &mut ready);
            }
        }
        let Some(Reverse(place)) = next.pop() else { break };
        let test = list[place];
        order.push(test);
        if places[test.get()].last() == Some(&place) {
            follow(&followers[test.get()], &mut missing, &mut ready);
        }
    }
    // Rules that contradict each other, or what is to be kept, leave tests that never come next.
    if order.len() == list.len() { order } else { list }
}

/// One test less stands before some others.
fn follow(followers: &[TestIndex], missing: &mut [u32], ready: &mut Vec<TestIndex>) {
    for after in followers {
        missing[after.get()] -= 1;
        if missing[after.get()] == 0 {
            ready.push(*after);
        }
    }
}

fn all(suite: &Suite) -> impl Iterator<Item = TestIndex> + '_ {
    (0..suite.tests.len()).map(|i| TestIndex(i as u32))
}

fn shuffled(suite: &Suite, key: Keyed) -> Vec<TestIndex> {
    let mut order: Vec<_> = all(suite).map(|test| (key.test(&suite.test(test).id), test)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, test)| test).collect()
}

fn nested(suite: &Suite, key: Keyed) -> Vec<TestIndex> {
    let sort_key = |test: TestIndex| {
        let named = suite.test(test);
        (key.text(&named.file), key.text(scope(named)), key.test(&named.id), test)
    };
    let mut order: Vec<_> = all(suite).map(sort_key).collect();
    order.sort_unstable();
    order.into_iter().map(|(.., test)| test).collect()
}

/// The node id of what holds a test: its class, else its file. Parameters, which may hold `::`, are
/// left out before the last part is taken off.
fn scope(test: &Test) -> &str {
    let id = &test.id.node_id;
    let after_file = test.file.len().min(id.len());
    let tail = id.get(after_file..).unwrap_or("");
    let name = tail.find('[').map_or(id.as_str(), |bracket| &id[..after_file + bracket]);
    name.rsplit_once("::").map_or(name, |(scope, _)| scope)
}

/// Number of rows after which every test has come directly after every other: n, or n + 1 if n is odd.
pub fn tuscan_rows(tests: usize) -> u64 {
    (tests + tests % 2) as u64
}

/// Row `number` of the sequence of Tuscan squares of this seed; square s holds the rows from
/// `s * tuscan_rows` on, under a labelling of its own.
///
/// The square is Williams' (1949): row r is the zigzag 0, 1, n-1, 2, n-2, … shifted by r modulo an
/// even n, in which every ordered pair is adjacent exactly once. A row read backwards is the row n/2
/// further on, so rows r and r + n/2 form an antithetic pair. An odd n takes a blank along, which is
/// left out of the rows. Li et al., "Systematically producing test orders to detect order-dependent
/// flaky tests" (ISSTA 2023), use such squares to find order-dependent tests.
fn tuscan_row(suite: &Suite, seed: Seed, number: u64) -> Vec<TestIndex> {
    let rows = tuscan_rows(suite.tests.len());
    if rows == 0 {
        return Vec::new();
    }
    let labels = shuffled(suite, Stream::new(seed, Purpose::Square, number / rows).key());
    let shift = number % rows;
    let zigzag = (0..rows).map(|i| if i % 2 == 0 { (rows - i / 2) % rows } else { i.div_ceil(2) });
    zigzag.filter_map(|step| labels.get(((step + shift) % rows) as usize).copied()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Axes, TrialIndex, plan};
    use crate::suite::TestId;

    const TESTS: u32 = 12;

    /// A suite with so many ranks, and with rules between tests of one rank; a rule goes from a lower number to a
    /// higher one, so that none contradicts another.
    fn suite(ranks: u32, rules: &BTreeSet<(u32, u32)>) -> Suite {
        let test = |n| Test {
            id: TestId { node_id: format!("test_{}.py::test_{n:02}", n % 3), occurrence: 0 },
            file: format!("test_{}.py", n % 3),
            line: None,
            group: None,
            rank: n % ranks,
        };
        let mut tests: Vec<Test> = (0..TESTS).map(test).collect();
        tests.sort_by_key(|test| test.rank);
        let rank = |place: u32| tests[place as usize].rank;
        let pairs: Vec<(u32, u32)> =
            rules.iter().copied().filter(|&(a, b)| a < b && rank(a) == rank(b)).collect();
        Suite::new(tests, Vec::new(), 0).with_sorting(&pairs, vec!["conftest.py".into()], Vec::new())
    }

    fn rules() -> impl Strategy<Value = BTreeSet<(u32, u32)>> {
        proptest::collection::btree_set((0..TESTS, 0..TESTS), 0..20)
    }

    proptest! {
        #[test]
        fn no_plan_has_a_test_before_one_that_comes_first(ranks in 1_u32..4, rules in rules(), seed: u64, index in 0_u64..40) {
            let suite = suite(ranks, &rules);
            let plan = plan(Seed(seed), TrialIndex(index), &suite, &Axes::default());
            prop_assert!(plan.workers.iter().all(|list| suite.admits(list)), "{:?}", plan.workers);
            prop_assert_eq!(plan.len(), TESTS as usize);
        }

        #[test]
        fn a_list_of_some_tests_is_brought_to_an_admitted_order(
            ranks in 1_u32..4, rules in rules(), list in proptest::collection::vec(0..TESTS, 0..20),
        ) {
            let suite = suite(ranks, &rules);
            let list: Vec<TestIndex> = list.into_iter().map(TestIndex).collect();
            let order = admitted(&suite, list.clone());
            let sorted = |list: &[TestIndex]| { let mut list = list.to_vec(); list.sort_unstable(); list };
            prop_assert_eq!(sorted(&order), sorted(&list));
            let once: BTreeSet<TestIndex> = list.iter().copied().collect();
            if once.len() == list.len() {
                prop_assert!(suite.admits(&order));
                prop_assert_eq!(&admitted(&suite, order.clone()), &order, "an admitted order stays");
                let kept: Vec<TestIndex> = order.iter().copied().step_by(3).collect();
                let around = admitted_around(&suite, list, &kept);
                prop_assert!(suite.admits(&around));
                let left: Vec<TestIndex> = around.into_iter().filter(|test| kept.contains(test)).collect();
                prop_assert_eq!(left, kept);
            }
        }

        #[test]
        fn a_test_may_be_anywhere_that_no_rule_forbids(rules in rules(), first in 0..TESTS, then in 0..TESTS) {
            let suite = suite(1, &rules);
            let (first, then) = (TestIndex(first), TestIndex(then));
            let list = vec![first, then];
            let stays = admitted(&suite, list.clone()) == list;
            prop_assert_eq!(stays, first == then || !suite.imposes(then, first));
        }
    }

    #[test]
    fn a_suite_that_nothing_sorts_is_planned_as_ever() {
        let suite = suite(1, &BTreeSet::new());
        let plain = suite.clone().unsorted();
        for index in 0..40 {
            let plan = |suite| plan(Seed(3), TrialIndex(index), suite, &Axes::default());
            assert_eq!(plan(&suite), plan(&plain));
        }
        assert_eq!(suite.plan_fingerprint(), suite.fingerprint);
    }

    #[test]
    fn a_rule_makes_another_fingerprint_of_plans() {
        let prints: BTreeSet<String> =
            [suite(1, &BTreeSet::new()), suite(2, &BTreeSet::new()), suite(1, &[(0, 1)].into())]
                .iter()
                .map(|suite| suite.plan_fingerprint().0)
                .collect();
        assert_eq!(prints.len(), 3);
    }
}
