//! Which tests were run at all: one that no process collects again is in every plan and never run.

use std::collections::BTreeSet;

use crate::judge::observation::Fate;
use crate::plan::Plan;
use crate::suite::{Suite, TestIndex};
use crate::trial::{NOT_COLLECTED, Outcome, Trial};

/// The account of a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ran {
    ran: BTreeSet<TestIndex>,
    uncollected: BTreeSet<TestIndex>,
}

impl Ran {
    /// Takes in a trial.
    pub(crate) fn add(&mut self, trial: &Trial) {
        for run in &trial.executions {
            match &run.outcome {
                Outcome::NotRun { why } if why == NOT_COLLECTED => self.uncollected.insert(run.test),
                Outcome::NotRun { .. } => false,
                _ => self.ran.insert(run.test),
            };
        }
    }

    /// What the user should know of tests that were never run.
    pub(crate) fn remark(&self, suite: &Suite) -> Option<String> {
        let never: Vec<TestIndex> = self.uncollected.difference(&self.ran).copied().collect();
        let first = suite.test(*never.first()?);
        Some(format!(
            "{} of {} tests could not be run: the processes that were to run them collected none of that name, {} the first",
            never.len(),
            suite.tests.len(),
            first.id
        ))
    }
}

/// A plan without what its trial did not run.
pub(crate) fn part_that_ran(plan: &Plan, trial: &Trial) -> Plan {
    let mut workers = vec![Vec::new(); plan.workers.len()];
    for run in trial.executions.iter().filter(|run| Fate::of(&run.outcome) != Fate::NotRun) {
        if let Some(list) = workers.get_mut(run.worker.0 as usize) {
            list.push(run.test);
        }
    }
    Plan { workers, ..plan.clone() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::coverage::Coverage;
    use crate::plan::{Seed, WorkerId};
    use crate::session::stress::baseline::suite_order;
    use crate::suite::{Test, TestId};
    use crate::trial::Execution;

    fn trial(outcomes: [Outcome; 3]) -> Trial {
        let execution = |(test, outcome)| Execution {
            worker: WorkerId(0),
            process: 0,
            test: TestIndex(test),
            outcome,
            duration: Duration::ZERO,
        };
        Trial::of((0..).zip(outcomes).map(execution))
    }

    #[test]
    fn what_could_not_be_run_is_told_and_is_no_pair_that_was_tried() {
        let test = |name: &str| Test {
            id: TestId { node_id: format!("test_a.py::{name}"), occurrence: 0 },
            file: "test_a.py".into(),
            line: None,
            group: None,
            rank: 0,
        };
        let suite = Suite::new(["a", "b", "c"].map(test).to_vec(), Vec::new(), 0);
        let plan = suite_order(&suite, Seed(1), 1);
        let not_run = || Outcome::NotRun { why: NOT_COLLECTED.into() };
        let mut ran = Ran::default();
        let half = trial([Outcome::Passed, not_run(), Outcome::Passed]);
        ran.add(&half);
        assert!(ran.remark(&suite).is_some_and(|remark| remark.starts_with("1 of 3 tests could not be run")));
        let mut coverage = Coverage::new(&suite);
        coverage.add(&part_that_ran(&plan, &half));
        assert!((coverage.shares().ordered - 1.0 / 6.0).abs() < 1e-9);
        let whole = trial([Outcome::Passed, Outcome::Skipped, Outcome::Passed]);
        ran.add(&whole);
        assert_eq!(ran.remark(&suite), None, "it was run at last");
        assert_eq!(part_that_ran(&plan, &whole), plan);
    }
}
