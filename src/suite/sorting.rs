//! What the suite's own plugins impose on orders: which tests come before which, whatever order is asked for.
//!
//! pytest-django, pytest-order or a `conftest.py` sort what was collected, so that plain pytest never runs some
//! orders. The harness asks their collection hooks; what it learns is a rank for each test
//! ([`Test::rank`](crate::suite::Test::rank)) and, where ranks do not tell all, pairs of tests of one rank.

use std::collections::BTreeSet;

use crate::suite::{Suite, TestIndex};

/// The rules besides the ranks, and whose they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sorting {
    /// For each test those of its rank that come after it in every order; what follows from other pairs is left
    /// out. Empty if ranks tell all.
    followers: Vec<Vec<TestIndex>>,
    /// Who sorts: names of packages, and of `conftest.py` files relative to rootdir.
    pub sorted_by: Vec<String>,
    /// Why the rules of a plugin are not known, or only in part; each a clause that names it.
    pub doubts: Vec<String>,
}

impl Sorting {
    /// The tests of its rank that come directly after a test in every order.
    pub(crate) fn followers(&self, test: TestIndex) -> &[TestIndex] {
        self.followers.get(test.get()).map_or(&[], Vec::as_slice)
    }

    /// Whether ranks tell all.
    pub(crate) fn is_by_rank(&self) -> bool {
        self.followers.is_empty()
    }

    /// All pairs, the first of which comes before the second.
    pub fn pairs(&self) -> impl Iterator<Item = (TestIndex, TestIndex)> + '_ {
        let from = (0..).map(TestIndex).zip(&self.followers);
        from.flat_map(|(before, after)| after.iter().map(move |&after| (before, after)))
    }
}

impl Suite {
    /// The same suite with rules besides the ranks: pairs of positions in suite order, the first of which comes
    /// before the second. Pairs that name no test are left out.
    #[must_use]
    pub(crate) fn with_sorting(
        mut self,
        pairs: &[(u32, u32)],
        sorted_by: Vec<String>,
        doubts: Vec<String>,
    ) -> Self {
        let test = |position: u32| self.collected.get(position as usize).copied();
        let named = pairs.iter().filter_map(|&(before, after)| test(before).zip(test(after)));
        let mut followers = if pairs.is_empty() { Vec::new() } else { vec![Vec::new(); self.tests.len()] };
        named.for_each(|(before, after)| followers[before.get()].push(after));
        followers.iter_mut().for_each(|list: &mut Vec<TestIndex>| list.sort_unstable());
        self.sorting = Sorting { followers, sorted_by, doubts };
        self
    }

    /// The same suite with the rules of another, which has the same tests in suite order under other names.
    #[must_use]
    pub(super) fn sorted_as(self, other: &Self) -> Self {
        let mut position = vec![0_u32; other.tests.len()];
        (0..).zip(&other.collected).for_each(|(at, test)| position[test.get()] = at);
        let Sorting { sorted_by, doubts, .. } = other.sorting.clone();
        let pairs = other.sorting.pairs().map(|(first, then)| (position[first.get()], position[then.get()]));
        let pairs: Vec<(u32, u32)> = pairs.collect();
        self.with_sorting(&pairs, sorted_by, doubts)
    }

    /// The same suite as if no plugin sorted it.
    #[must_use]
    pub fn unsorted(mut self) -> Self {
        self.tests.iter_mut().for_each(|test| test.rank = 0);
        self.sorting = Sorting::default();
        self
    }

    /// Whether any order is imposed on two tests.
    pub fn is_sorted(&self) -> bool {
        let first = self.tests.first().map_or(0, |test| test.rank);
        !self.sorting.is_by_rank() || self.tests.iter().any(|test| test.rank != first)
    }

    /// Whether a test comes before another in every order.
    pub fn imposes(&self, first: TestIndex, then: TestIndex) -> bool {
        let (rank, other) = (self.test(first).rank, self.test(then).rank);
        if rank != other || self.sorting.is_by_rank() {
            return rank < other;
        }
        self.reached_from(first).contains(&then)
    }

    /// The tests that come after a test in every order.
    pub(crate) fn imposed_after(&self, first: TestIndex) -> Vec<TestIndex> {
        let rank = self.test(first).rank;
        let later = (0..).map(TestIndex).zip(&self.tests).filter(|(_, test)| test.rank > rank);
        later.map(|(test, _)| test).chain(self.reached_from(first)).collect()
    }

    /// The tests of its rank that come after a test in every order.
    fn reached_from(&self, first: TestIndex) -> BTreeSet<TestIndex> {
        let mut seen = BTreeSet::new();
        let mut reached = vec![first];
        while let Some(test) = reached.pop() {
            reached.extend(self.sorting.followers(test).iter().filter(|&&after| seen.insert(after)));
        }
        seen
    }

    /// Whether plain pytest could run a few tests one after the other as they stand here.
    pub fn admits(&self, list: &[TestIndex]) -> bool {
        let mut rest = list;
        while let Some((&first, later)) = rest.split_first() {
            if later.iter().any(|&then| self.imposes(then, first)) {
                return false;
            }
            rest = later;
        }
        true
    }
}
