//! Plans as a proptest strategy, shrunk by the same passes as a user's failures.

use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rand::RngExt;

use crate::plan::{Axes, Plan, Seed, TrialIndex, WorkerId, plan};
use crate::shrink::{Problem, Target, Verdict, speculation};
use crate::suite::{Suite, TestIndex};

/// Plans of a suite in which a test is run, whatever the seed and the trial.
#[derive(Clone, Debug)]
pub struct Plans {
    /// The suite.
    pub suite: Suite,
    /// What is varied.
    pub axes: Axes,
    /// The test that stays in every simpler plan.
    pub victim: TestIndex,
}

impl Strategy for Plans {
    type Tree = PlanTree;
    type Value = Plan;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let (seed, index) = (Seed(runner.rng().random()), TrialIndex(runner.rng().random_range(0..1000)));
        let plan = plan(seed, index, &self.suite, &self.axes);
        Ok(PlanTree { plans: self.clone(), current: plan.clone(), plan, answers: Vec::new() })
    }
}

/// A plan and what has been learnt of its candidates.
///
/// proptest calls `simplify` after a failure and `complicate` after a pass, so that each call tells
/// the answer to the candidate before. The passes are run from the start with the answers so far;
/// where these end stands the next candidate. Nothing but the answers is kept, so the tree cannot
/// differ from [`shrink`](crate::shrink::shrink).
#[derive(Clone, Debug)]
pub struct PlanTree {
    plans: Plans,
    plan: Plan,
    current: Plan,
    answers: Vec<Verdict>,
}

impl PlanTree {
    fn next(&mut self) -> bool {
        let worker = self.plan.workers.iter().position(|list| list.contains(&self.plans.victim)).unwrap_or(0);
        let target = Target { victim: self.plans.victim, worker: WorkerId(worker as u32) };
        let problem = Problem::new(self.plan.clone(), target, &self.plans.suite, Vec::new(), 1.0);
        let (shrunk, question) = speculation::resume(&problem, &self.answers);
        let goes_on = question.is_some();
        self.current = question.unwrap_or(shrunk.plan);
        goes_on
    }
}

impl ValueTree for PlanTree {
    type Value = Plan;

    fn current(&self) -> Plan {
        self.current.clone()
    }

    fn simplify(&mut self) -> bool {
        if self.current != self.plan || !self.answers.is_empty() {
            self.answers.push(Verdict::Reproduces);
        }
        self.next()
    }

    fn complicate(&mut self) -> bool {
        self.answers.push(Verdict::Passes);
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{RngAlgorithm, TestRng};

    use super::*;
    use crate::session::fake_engine::{suite, test};
    use crate::shrink::shrink;
    use crate::shrink::tests::{World, runs};

    proptest! {
        #[test]
        fn plans_shrink_as_a_proptest_strategy_as_the_product_shrinks_them(polluter in 0_u8..25, seed: u64) {
            let (suite, victim) = (suite(26), test('z'));
            let axes = Axes { workers: vec![1], ..Axes::default() };
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed as u8; 32]);
            let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
            let mut runner = TestRunner::new_with_rng(config, rng);
            let mut tree = Plans { suite: suite.clone(), axes, victim }.new_tree(&mut runner).expect("a plan");
            let polluter = (b'a' + polluter) as char;
            let fails = |plan: &Plan| {
                let list = &plan.workers[0];
                let before = list.iter().position(|&one| one == victim).map(|end| &list[..end]);
                runs(plan, polluter) && before.is_some_and(|before| before.contains(&test(polluter)))
            };
            let first = tree.current();
            prop_assume!(fails(&first));
            let mut last_failing = first.clone();
            let mut more = tree.simplify();
            while more {
                let failed = fails(&tree.current());
                if failed {
                    last_failing = tree.current();
                }
                more = if failed { tree.simplify() } else { tree.complicate() };
            }
            let problem = Problem::new(first, Target { victim, worker: WorkerId(0) }, &suite, Vec::new(), 1.0);
            let shrunk = shrink(&problem, &mut World { reproduces: fails, asked: Vec::new() });
            prop_assert_eq!(&last_failing.workers, &shrunk.plan.workers);
            prop_assert_eq!(tree.current(), shrunk.plan);
        }
    }
}
