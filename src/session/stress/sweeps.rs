//! Sweeps over a suite: each test alone, directly after each other, and every two by themselves.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::finding::Origin;
use crate::limits::{ADJACENT_STARTS, ADJACENT_TESTS, ALONE_TESTS, PAIRED_STARTS, PAIRED_TESTS, SWEEP_SHARE};
use crate::plan::{OrderKind, Plan};
use crate::run::RunError;
use crate::session::lab::{Lab, serial};
use crate::session::stress::ran::part_that_ran;
use crate::session::stress::{Session, baseline};
use crate::suite::Suite;

impl Session<'_> {
    /// Runs each test alone where that is cheap, as far as a sweep goes.
    pub(crate) fn each_alone(&mut self, lab: &mut Lab<'_>, suite_order: &Plan) -> Result<(), RunError> {
        if !lab.forks(suite_order) {
            return Ok(());
        }
        let plans = lab.suite.collected.iter().map(|&test| (Origin::Alone, serial(suite_order, vec![test])));
        self.alone += self.sweep(lab, plans.take(ALONE_TESTS).collect())?.len();
        Ok(())
    }

    /// Says how many tests were run alone, if some were and others not.
    pub(crate) fn tell_alone(&mut self, suite: &Suite) {
        let (alone, tests) = (self.alone, suite.tests.len());
        if alone > 0 && alone < tests {
            let why = if alone == ALONE_TESTS { "no more are" } else { "there was no time for more" };
            self.remarks.push(format!(
                "the first {alone} of {tests} tests in suite order were run alone before the trials: {why}"
            ));
        }
    }

    /// Runs every test directly after every other, in a suite small enough for that to be cheap.
    pub(crate) fn each_after_each(&mut self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        let wanted = self.axes.serial() && self.axes.orders.contains(&OrderKind::Adjacent);
        if !wanted || lab.suite.tests.len() > ADJACENT_TESTS {
            return Ok(());
        }
        let rows = baseline::each_after_each(lab.suite, self.seed, hash_seed, self.axes.ignore_rank);
        let trials: Vec<_> = (0..).zip(rows).map(|(row, plan)| (Origin::Adjacent(row), plan)).collect();
        let forks = trials.first().is_some_and(|(_, plan)| lab.forks(plan));
        if !forks && trials.len() > ADJACENT_STARTS {
            return Ok(());
        }
        let of = trials.len();
        let ran = self.sweep(lab, trials)?;
        let swept = ran.len();
        if swept < of {
            self.remarks.push(format!(
                "there was no time to run every test directly after every other: {swept} of {of} orders were run"
            ));
        }
        ran.iter().for_each(|plan| self.coverage.add(plan));
        Ok(())
    }

    /// Runs every two tests by themselves, in a suite small enough for that to be cheap.
    pub(crate) fn two_by_themselves(&mut self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        if !self.axes.serial() || lab.suite.tests.len() > PAIRED_TESTS {
            return Ok(());
        }
        let plans = baseline::pairs(lab.suite, self.seed, hash_seed);
        let forks = plans.first().is_some_and(|plan| lab.forks(plan));
        if !forks && plans.len() > PAIRED_STARTS {
            return Ok(());
        }
        let trials: Vec<_> = (0..).zip(plans).map(|(at, plan)| (Origin::Pair(at), plan)).collect();
        let of = trials.len();
        let ran = self.sweep(lab, trials)?;
        if ran.len() < of {
            self.remarks.push(format!(
                "there was no time to run every two tests by themselves: {} of {of} runs were made",
                ran.len()
            ));
        }
        ran.iter().for_each(|plan| self.coverage.add(plan));
        Ok(())
    }

    /// Runs trials, as far as the share of a time limit goes; tells what ran of each.
    pub(crate) fn sweep(
        &mut self,
        lab: &mut Lab<'_>,
        trials: Vec<(Origin, Plan)>,
    ) -> Result<Vec<Plan>, RunError> {
        let end = self.limits.time.map(|time| Instant::now() + time.mul_f64(SWEEP_SHARE));
        let mut swept = Vec::new();
        lab.trials(&trials, &mut |at, trial| {
            let (origin, plan) = &trials[at];
            self.take_in(*origin, plan, &trial);
            swept.push(part_that_ran(plan, &trial));
            let over = end.is_some_and(|end| Instant::now() > end);
            if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(swept)
    }
}
