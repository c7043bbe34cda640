//! Conflicts: resources that several tests touch and at least one of them changes. Only tests in
//! conflict can race.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::schedule::Resource;
use crate::race::access::{Call, Touched};
use crate::race::operation::Operation;
use crate::suite::TestIndex;

/// A resource in conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conflict {
    /// Which.
    pub(crate) resource: Resource,
    /// Who touches it, and how; in the order of the tests.
    pub(crate) uses: BTreeMap<TestIndex, BTreeSet<Call>>,
}

impl Conflict {
    /// Whether two tests conflict here.
    pub(crate) fn between(&self, first: TestIndex, second: TestIndex) -> bool {
        let calls = |test| self.uses.get(&test).into_iter().flatten();
        calls(first).any(|one| calls(second).any(|other| one.conflicts_with(other)))
    }

    /// How many pairs of tests conflict here.
    pub(crate) fn pairs(&self) -> usize {
        let all = self.uses.len();
        let only = |writing: bool| {
            self.uses.values().filter(|calls| calls.iter().all(|call| call.writes == writing)).count()
        };
        let choose = |n: usize| n * n.saturating_sub(1) / 2;
        let harmless = if self.resource.is_listing() { choose(only(true)) } else { 0 };
        choose(all) - choose(only(false)) - harmless
    }
}

/// Finds what is in conflict in some recordings. What a fixture of a wider scope touches is touched by
/// each test that uses it, since on another worker another test would set it up.
pub(crate) fn conflicts(recordings: &[Touched]) -> Vec<Conflict> {
    let mut of_fixtures: BTreeMap<&str, BTreeSet<&Call>> = BTreeMap::new();
    for access in recordings.iter().flat_map(|touched| &touched.accesses) {
        if let Some(fixture) = &access.fixture {
            of_fixtures.entry(fixture).or_default().insert(&access.call);
        }
    }
    let mut uses: BTreeMap<&Resource, BTreeMap<TestIndex, BTreeSet<Call>>> = BTreeMap::new();
    for touched in recordings {
        // What is torn down belongs to whichever test happens to be the last.
        let own =
            touched.accesses.iter().filter(|access| access.fixture.is_none()).map(|access| &access.call);
        let of_fixtures =
            touched.fixtures.iter().filter_map(|name| of_fixtures.get(name.as_str())).flatten().copied();
        for call in own.chain(of_fixtures) {
            uses.entry(&call.resource).or_default().entry(touched.test).or_default().insert(call.clone());
        }
    }
    let conflict = |(resource, uses): (&Resource, _)| Conflict { resource: resource.clone(), uses };
    uses.into_iter().map(conflict).filter(|conflict| conflict.pairs() > 0).collect()
}

/// Whether tests do what Python's own calls do not tell of: by subprocesses, by C code, or by SQLite, which waits for
/// locks by itself.
pub(crate) fn beyond_python(recordings: &[Touched]) -> bool {
    let mut calls = recordings.iter().flat_map(|touched| &touched.accesses).map(|access| &access.call);
    calls.any(|call| call.by.is_some() || call.is_to_database())
}

/// Two tests, in ascending order, and all that they conflict on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The tests.
    pub(crate) tests: (TestIndex, TestIndex),
    /// The resources.
    pub(crate) resources: BTreeSet<Resource>,
    /// The first of the pairs whose two tests reach what they share by the same lines as these.
    pub(crate) like: (TestIndex, TestIndex),
}

/// The pairs of tests in conflict, at most so many: first one of each two sets of places in the code
/// (tests that reach a resource by the same lines tend to race in the same way), then the others. Only
/// those with a test if one is named.
pub(crate) fn pairs(conflicts: &[Conflict], most: usize, with: Option<TestIndex>) -> Vec<Pair> {
    type Reach<'a> = BTreeSet<(&'a Resource, Operation, Option<&'a str>)>;
    let mut reach: BTreeMap<TestIndex, Reach<'_>> = BTreeMap::new();
    for (test, call) in conflicts
        .iter()
        .flat_map(|conflict| &conflict.uses)
        .flat_map(|(test, calls)| calls.iter().map(move |call| (*test, call)))
    {
        reach.entry(test).or_default().insert((&call.resource, call.operation, call.at.as_deref()));
    }
    let mut known = BTreeMap::new();
    let (mut fresh, mut others) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    'all: for conflict in conflicts {
        let tests: Vec<TestIndex> = conflict.uses.keys().copied().collect();
        let firsts = tests.iter().enumerate();
        for (at, &first) in firsts.filter(|&(_, &first)| with.is_none_or(|test| first <= test)) {
            let seconds = tests[at + 1..].iter();
            for &second in seconds.filter(|&&second| with.is_none_or(|test| first == test || second == test))
            {
                if !seen.contains(&(first, second)) && conflict.between(first, second) {
                    seen.insert((first, second));
                    let (one, other) = (reach.get(&first), reach.get(&second));
                    let kind = (one.min(other), one.max(other));
                    match known.get(&kind) {
                        Some(&like) => others.push(((first, second), like)),
                        None => {
                            known.insert(kind, (first, second));
                            fresh.push(((first, second), (first, second)));
                        }
                    }
                    // Sets of places beyond these are left out for good: pairs grow with the square.
                    if fresh.len() >= most || seen.len() >= most * most {
                        break 'all;
                    }
                }
            }
        }
    }
    let resources = |first, second| {
        conflicts
            .iter()
            .filter(|conflict| conflict.between(first, second))
            .map(|conflict| conflict.resource.clone())
            .collect()
    };
    let chosen = fresh.into_iter().chain(others).take(most);
    chosen.map(|(tests, like)| Pair { tests, resources: resources(tests.0, tests.1), like }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::race::access::Access;

    fn touched() -> impl Strategy<Value = Vec<Touched>> {
        let resource = prop_oneof![Just("file:a"), Just("file:b"), Just("listing:c"), Just("port:tcp 1")];
        let access = (resource, any::<bool>(), 0_u32..3, proptest::option::of("[fg]")).prop_map(
            |(resource, writes, line, fixture)| Access {
                call: Call {
                    resource: Resource(resource.into()),
                    operation: if writes { Operation::Write } else { Operation::Read },
                    writes,
                    at: Some(format!("a.py:{line}")),
                    by: None,
                    idle: false,
                    statement: None,
                },
                fixture,
            },
        );
        let test = (proptest::collection::vec(access, 0..6), proptest::collection::vec("[fg]", 0..2));
        proptest::collection::vec(test, 0..7).prop_map(|tests| {
            let touched =
                |(test, (accesses, fixtures))| Touched { test: TestIndex(test), accesses, fixtures };
            (0..).zip(tests).map(touched).collect()
        })
    }

    proptest! {
        #[test]
        fn the_number_of_pairs_is_that_of_the_pairs_in_conflict(recordings in touched()) {
            for conflict in conflicts(&recordings) {
                let tests: Vec<_> = conflict.uses.keys().copied().collect();
                let between = |(at, &first): (usize, &TestIndex)| {
                    tests[at + 1..].iter().filter(|&&second| conflict.between(first, second)).count()
                };
                // Pure readers, and pure changers of a listing, are all that does not conflict.
                let count: usize = tests.iter().enumerate().map(between).sum();
                prop_assert_eq!(count, conflict.pairs());
                prop_assert!(conflict.uses.values().flatten().any(|call| call.writes));
            }
        }

        #[test]
        fn every_pair_is_one_of_two_tests_that_share_what_one_writes(recordings in touched(), most in 1_usize..20) {
            let conflicts = conflicts(&recordings);
            let what = |pair: Pair| (pair.tests, pair.resources);
            for test in (0..7).map(TestIndex) {
                let of = |pair: &&Pair| pair.tests.0 == test || pair.tests.1 == test;
                let all = pairs(&conflicts, 1000, None);
                let with: BTreeMap<_, _> = pairs(&conflicts, 1000, Some(test)).into_iter().map(what).collect();
                let expected: BTreeMap<_, _> = all.iter().filter(of).cloned().map(what).collect();
                prop_assert_eq!(with, expected);
            }
            let pairs = pairs(&conflicts, most, None);
            prop_assert!(pairs.len() <= most);
            prop_assert_eq!(pairs.is_empty(), conflicts.is_empty());
            for pair in pairs {
                prop_assert!(pair.tests.0 < pair.tests.1);
                prop_assert!(!pair.resources.is_empty());
                for resource in &pair.resources {
                    let conflict = conflicts.iter().find(|conflict| conflict.resource == *resource).unwrap();
                    prop_assert!(conflict.between(pair.tests.0, pair.tests.1));
                }
            }
        }
    }
}
