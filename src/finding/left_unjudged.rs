//! What an earlier session saw fail and had no time to judge: the next one looks into it first.

use std::collections::BTreeMap;

use crate::judge::Signature;
use crate::judge::signature::FailureLocation;
use crate::plan::{Interleaving, Plan};
use crate::suite::{Suite, TestIndex};

/// All that one session left unjudged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftUnjudged {
    /// The names of that session's tests, to which the numbers in the failures point.
    pub tests: Vec<String>,
    /// The failures, in the order in which they waited.
    pub failures: Vec<LeftFailure>,
}

/// A failure that was left unjudged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftFailure {
    /// The test that failed.
    pub test: TestIndex,
    /// How.
    pub crash: FailureLocation,
    /// The plan that showed it.
    pub plan: Plan,
}

impl LeftUnjudged {
    /// The failures as a suite names their tests. A test that has gone is left out of the plans; a failure of one that
    /// has gone, or whose plan says which of its calls comes when, is left out itself.
    pub(crate) fn in_suite(&self, suite: &Suite) -> Vec<(Signature, Plan)> {
        let known: BTreeMap<String, TestIndex> = (0..)
            .map(TestIndex)
            .zip(&suite.tests)
            .map(|(index, test)| (test.id.to_string(), index))
            .collect();
        let now = |test: TestIndex| self.tests.get(test.get()).and_then(|name| known.get(name)).copied();
        let failures = self.failures.iter().filter_map(|failure| {
            let signature = Signature { test: now(failure.test)?, crash: failure.crash.clone() };
            let plan = &failure.plan;
            let list = |list: &Vec<TestIndex>| list.iter().filter_map(|&test| now(test)).collect();
            let workers: Vec<Vec<TestIndex>> = plan.workers.iter().map(list).collect();
            let whole = workers.iter().map(Vec::len).sum::<usize>() == plan.len();
            let interleaving = match &plan.interleaving {
                Interleaving::Controlled(_) if !whole => return None,
                kept if whole => kept.clone(),
                _ => Interleaving::Free,
            };
            Some((signature, Plan { workers, interleaving, ..plan.clone() }))
        });
        failures.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Barrier, WorkerId};
    use crate::session::fake_engine::{failed, name, plan, suite, test};

    fn left(lists: &str, letter: char) -> LeftFailure {
        let crash = Signature::of(test(letter), &failed("KeyError")).unwrap().crash;
        let places = [0, 1].map(|worker| (WorkerId(worker), 0));
        let barrier = Barrier { first: places[0], second: places[1] };
        let plan = Plan { interleaving: Interleaving::Barriers(vec![barrier]), ..plan(lists) };
        LeftFailure { test: test(letter), crash, plan }
    }

    #[test]
    fn tests_are_found_by_their_names_and_what_has_gone_is_left_out() {
        // There it had a test before all others, which has gone.
        let tests = ["gone", "test_a.py::a", "test_b.py::b"].map(str::to_owned).to_vec();
        let failures = vec![left("bc|b", 'c'), left("bc|a", 'c'), left("ab|c", 'a')];
        let there = LeftUnjudged { tests, failures }.in_suite(&suite(3));
        let told: Vec<(char, Vec<String>, bool)> = there
            .iter()
            .map(|(signature, plan)| {
                let list = |list: &Vec<TestIndex>| list.iter().map(|&test| name(test)).collect();
                let free = plan.interleaving == Interleaving::Free;
                (name(signature.test), plan.workers.iter().map(list).collect(), free)
            })
            .collect();
        let lists = |lists: [&str; 2]| lists.map(str::to_owned).to_vec();
        assert_eq!(told, [('b', lists(["ab", "a"]), false), ('b', lists(["ab", ""]), true)]);
    }
}
