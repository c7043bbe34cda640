//! Sweeps over a suite: each test alone, directly after each other, and every two by themselves.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::finding::Origin;
use crate::limits::{
    ADJACENT_STARTS, ADJACENT_TESTS, ALONE_TESTS, PAIRED_STARTS, PAIRED_TESTS, SWEEP_SHARE, TWICE_SHARE,
    TWICE_VICTIMS,
};
use crate::plan::{OrderKind, Plan};
use crate::run::{Job, RunError};
use crate::session::event::About;
use crate::session::lab::{Lab, serial};
use crate::session::stress::sample::fitting;
use crate::session::stress::{Session, baseline};
use crate::suite::{Suite, TestIndex};
use crate::trial::Trial;

impl Session<'_> {
    /// Runs tests alone where that is cheap, those that were not so far, until this time is over; tells how many.
    pub(crate) fn each_alone(
        &self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        most: Option<Duration>,
    ) -> Result<usize, RunError> {
        if !lab.forks(suite_order) {
            return Ok(0);
        }
        let alone = lab.account().alone();
        let rest = self.meant(lab.suite).iter().take(ALONE_TESTS).skip(alone);
        let plans = rest.map(|&test| (Origin::Alone, serial(suite_order, vec![test]))).collect();
        sweep(lab, plans, most)
    }

    /// The tests that sweeps of single tests are about: those that are suspected, or all.
    fn meant<'s>(&'s self, suite: &'s Suite) -> &'s [TestIndex] {
        if self.suspected.is_empty() { &suite.collected } else { &self.suspected }
    }

    /// The tests that are to be run twice, in suite order.
    fn meant_twice(&self, lab: &Lab<'_>) -> Vec<TestIndex> {
        let left_out = lab.account().left_out();
        self.meant(lab.suite).iter().filter(|test| !left_out.contains(test)).copied().collect()
    }

    /// Runs tests twice in a row, those that were not so far, or as many of them as take this time; tells how many.
    pub(crate) fn each_twice(
        &mut self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        most: Option<Duration>,
    ) -> Result<usize, RunError> {
        let mut rest = self.meant_twice(lab);
        rest.retain(|test| !self.twice.contains(test));
        let tests = match most {
            Some(most) => fitting(&rest, |list| lab.forecast_of(list) * 2, most),
            None => rest,
        };
        let plan = baseline::twice(suite_order, &tests);
        if tests.is_empty() || lab.fitting(&[Job::of(&plan)]) == 0 {
            return Ok(0);
        }
        let shown = lab.trial(Origin::Twice, &plan)?;
        let ran = tests.len();
        self.twice.extend(tests);
        self.twice_by_themselves(lab, suite_order, &shown)?;
        Ok(ran)
    }

    /// Runs tests twice once more that others had made fail before they came to be run a second time.
    fn twice_by_themselves(
        &self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        shown: &Trial,
    ) -> Result<(), RunError> {
        let mut seen = BTreeSet::new();
        let firsts = shown.executions.iter().filter(|run| seen.insert(run.test));
        let failed: Vec<TestIndex> =
            firsts.filter(|run| run.outcome.is_failure()).map(|run| run.test).collect();
        let passes_alone =
            |test: &TestIndex| lab.history.failed_alone(*test, suite_order.hash_seed) == Some(false);
        let victims = failed.into_iter().filter(passes_alone).take(TWICE_VICTIMS);
        let plans = victims.map(|test| (Origin::Twice, baseline::twice(suite_order, &[test]))).collect();
        sweep(lab, plans, self.share(TWICE_SHARE)).map(drop)
    }

    /// Goes on with the sweeps of single tests for what is left of a time limit, where no trial fits into it any more: each
    /// time for half of that, so that what shows can be judged.
    pub(crate) fn rest_of_sweeps(&mut self, lab: &mut Lab<'_>, suite_order: &Plan) -> Result<(), RunError> {
        while let Some(left) = lab.left_to_find().filter(|_| !self.agenda.stops_early(lab)) {
            let most = Some(left / 2);
            if self.each_twice(lab, suite_order, most)? == 0 && self.each_alone(lab, suite_order, most)? == 0
            {
                return Ok(());
            }
            self.judge_waiting(lab)?;
            self.agenda.fix(lab)?;
        }
        Ok(())
    }

    /// Says how many tests were run alone, and twice, if not all were.
    pub(crate) fn tell_sweeps(&self, lab: &mut Lab<'_>) {
        let alone = not_all_alone(lab.account().alone(), self.meant(lab.suite).len());
        let meant = self.meant_twice(lab);
        let ran = meant.iter().filter(|test| self.twice.contains(test)).count();
        let twice = not_all_twice(ran, meant.len());
        let is_meant = self.limits.time.is_some() && self.victim.is_none() && !self.agenda.stops_early(lab);
        let remarks = alone.into_iter().chain(twice.filter(|_| is_meant));
        remarks.for_each(|remark| lab.remark(About::Session, &remark));
    }

    /// Runs every test directly after every other, in a suite small enough for that to be cheap.
    pub(crate) fn each_after_each(&self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        let wanted = self.axes.serial() && self.axes.orders.contains(&OrderKind::Adjacent);
        if !wanted || lab.suite.tests.len() > ADJACENT_TESTS {
            return Ok(());
        }
        let rows = baseline::each_after_each(lab.suite, self.seed, hash_seed, self.axes.ignore_rank);
        let left_out = lab.account().left_out();
        let trials: Vec<_> =
            (0..).zip(rows).map(|(row, plan)| (Origin::Adjacent(row), plan.without(left_out))).collect();
        let forks = trials.first().is_some_and(|(_, plan)| lab.forks(plan));
        if !forks && trials.len() > ADJACENT_STARTS {
            return Ok(());
        }
        let of = trials.len();
        let swept = sweep(lab, trials, self.share(SWEEP_SHARE))?;
        not_all_orders(swept, of).iter().for_each(|remark| lab.remark(About::Session, remark));
        Ok(())
    }

    /// Runs every two tests by themselves, in a suite small enough for that to be cheap.
    pub(crate) fn two_by_themselves(&self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        if !self.axes.serial() || lab.suite.tests.len() > PAIRED_TESTS {
            return Ok(());
        }
        let left_out = lab.account().left_out();
        let mut plans = baseline::pairs(lab.suite, self.seed, hash_seed);
        plans.retain(|plan| !plan.workers.iter().flatten().any(|test| left_out.contains(test)));
        let forks = plans.first().is_some_and(|plan| lab.forks(plan));
        if !forks && plans.len() > PAIRED_STARTS {
            return Ok(());
        }
        let trials: Vec<_> = (0..).zip(plans).map(|(at, plan)| (Origin::Pair(at), plan)).collect();
        let of = trials.len();
        let ran = sweep(lab, trials, self.share(SWEEP_SHARE))?;
        not_all_pairs(ran, of).iter().for_each(|remark| lab.remark(About::Session, remark));
        Ok(())
    }
}

/// Runs trials until this time is over; tells how many.
pub(crate) fn sweep(
    lab: &mut Lab<'_>,
    trials: Vec<(Origin, Plan)>,
    most: Option<Duration>,
) -> Result<usize, RunError> {
    let end = most.map(|most| Instant::now() + most);
    let mut ran = 0;
    lab.trials(&trials, &mut |_, _, _| {
        ran += 1;
        let over = end.is_some_and(|end| Instant::now() > end);
        if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(ran)
}

/// What is said where some tests were run alone and others not.
fn not_all_alone(alone: usize, tests: usize) -> Option<String> {
    let why = if alone == ALONE_TESTS { "no more are" } else { "there was no time for more" };
    (alone > 0 && alone < tests)
        .then(|| format!("the first {alone} of {tests} tests in suite order were run alone: {why}"))
}

/// What is said where some tests were run twice in a row and others not.
fn not_all_twice(ran: usize, of: usize) -> Option<String> {
    (ran < of).then(|| format!("there was no time to run every test twice: {ran} of {of} were run so"))
}

/// What is said where a sweep of every test directly after every other did not come to its end.
fn not_all_orders(swept: usize, of: usize) -> Option<String> {
    (swept < of).then(|| {
        format!(
            "there was no time to run every test directly after every other: {swept} of {of} orders were run"
        )
    })
}

/// What is said where a sweep of every two tests did not come to its end.
fn not_all_pairs(ran: usize, of: usize) -> Option<String> {
    (ran < of).then(|| {
        format!("there was no time to run every two tests by themselves: {ran} of {of} runs were made")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_that_came_to_its_end_is_not_spoken_of() {
        assert_eq!(not_all_alone(0, 12_000), None, "none was wanted");
        assert_eq!(not_all_alone(9, 9), None);
        assert_eq!(not_all_twice(9, 9), None);
        assert_eq!(not_all_alone(ALONE_TESTS, ALONE_TESTS), None);
        assert_eq!(not_all_orders(9, 9), None);
        assert_eq!(not_all_pairs(72, 72), None);
    }

    #[test]
    fn a_sweep_that_did_not_is_told_with_how_far_it_came_and_why() {
        let alone = |tests: usize, of: usize| not_all_alone(tests, of).unwrap();
        let first = "the first 10000 of 10001 tests in suite order were run alone";
        assert_eq!(alone(ALONE_TESTS, ALONE_TESTS + 1), format!("{first}: no more are"));
        assert!(alone(8, 9).ends_with(": there was no time for more"));
        let twice = "there was no time to run every test twice: 8 of 9 were run so";
        assert_eq!(not_all_twice(8, 9).as_deref(), Some(twice));
        let orders = "there was no time to run every test directly after every other: 8 of 9 orders were run";
        assert_eq!(not_all_orders(8, 9).as_deref(), Some(orders));
        let pairs = "there was no time to run every two tests by themselves: 0 of 72 runs were made";
        assert_eq!(not_all_pairs(0, 72).as_deref(), Some(pairs));
    }
}
