//! The main job.

pub mod baseline;
mod sweeps;
pub(crate) mod hash_seeds;
pub(crate) mod network;
pub(crate) mod fidelity;
pub(crate) mod leftovers;
pub(crate) mod finding_book;
pub(crate) mod same_cause;
pub(crate) mod collections;
pub(crate) mod draws;
pub(crate) mod ran;
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::finding::{Finding, Kind, Origin};
use crate::limits::{RACES_SHARE, ROUND, SESSION_SCHEDULES, TRIALS_SHARE};
use crate::plan::coverage::Coverage;
use crate::plan::{Axes, Plan, Seed, TrialIndex, plan};
use crate::run::{Engine, RunError};
use crate::session::explain::details;
use crate::session::fix::search;
use crate::session::investigate::{investigate, investigate_named, plain};
use crate::session::lab::deadline::Deadline;
use crate::session::lab::{Event, Lab, Reporter};
use crate::session::race::campaign::{Bounds, Racing};
use crate::session::race::pairs::Races;
use crate::session::race::recording;
use crate::session::result::{Limits, SessionResult};
use crate::session::stress::finding_book::FindingBook;
use crate::session::stress::leftovers::Leftovers;
use crate::session::stress::ran::{Ran, part_that_ran};
use crate::session::suspect::{Suspect, suspects};
use crate::suite::{Suite, TestId, TestIndex};
use crate::trial::{Interpreter, Trial};

/// Runs a session: baseline, trials in rounds, and what follows from them.
///
/// # Errors
/// The suite could not be collected, or pytest could not be run at all. Whatever ends the session after that is told
/// in the outline, beside what is known by then.
pub(crate) fn stress(
    engine: &mut dyn Engine,
    observer: &mut dyn Reporter,
    seed: Seed,
    axes: &Axes,
    limits: &Limits,
) -> Result<SessionResult, RunError> {
    let start = Instant::now();
    let hash_seeds = axes.hash_seed_values(seed);
    let mut collected = network::collect(engine, hash_seeds[0])?;
    let (first, neutralised) = (&collected.suite, &collected.neutralised);
    observer.notice(first, &Event::Collected { suite: first, neutralised });
    let others = if limits.victim.is_some() { &[] } else { &hash_seeds[1..] };
    let (suite, unstable) = match collections::compare(engine, first, seed, hash_seeds[0], others) {
        Ok(compared) => (compared.suite, Ok(compared.findings)),
        Err(error) if error.is_interrupt() => (first.clone(), Err(error)),
        Err(error) => return Err(error),
    };
    collected.suite = suite;
    let suite = axes.heeded_of(&collected.suite);

    let victim = limits.victim.as_deref().map(|name| find(&suite, name)).transpose()?;
    let mut session = Session {
        victim,
        interpreter: &collected.interpreter,
        seed,
        axes,
        limits,
        start,
        coverage: Coverage::new(&suite),
        alone: 0,
        longest: Duration::ZERO,
        remarks: doubts(&suite),
        trials: 0,
        schedules: 0,
        book: FindingBook::new(victim, &limits.known),
        leftovers: Leftovers::default(),
        ran: Ran::default(),
        under_other_hash_seeds: BTreeSet::new(),
    };
    let mut lab = Lab::new(&suite, engine, observer, limits.time.map(|time| Deadline::new(start, time)));
    let ended = unstable.and_then(|unstable| {
        unstable
            .into_iter()
            .filter(|_| victim.is_none())
            .for_each(|finding| session.found(&mut lab, finding));
        if suite.tests.is_empty() { Ok(()) } else { session.run(&mut lab, hash_seeds[0]) }
    });
    let ended = match ended {
        Err(RunError::OutOfTime) => Ok(()),
        // Where nothing was seen, there is nothing to tell but the error.
        Err(error) if !error.is_interrupt() && session.trials == 0 && session.book.is_empty() => {
            return Err(error);
        }
        ended => ended,
    };
    if limits.time.is_some() && session.trials == 0 && victim.is_none() && ended.is_ok() {
        session.remarks.push("there was no time for a trial: give more with --time".into());
    }
    session.remarks.extend(session.ran.remark(&suite));
    let left = session.leftovers.findings();
    let unseen = session.book.unseen(&suite);
    let (mut findings, unjudged) = session.book.close();
    if !left.is_empty() && !lab.keeps_apart() {
        findings.iter_mut().for_each(leftovers::doubt);
    }
    findings.extend(left);
    findings.sort_by_key(|finding| (finding.kind, finding.test));
    let outline = SessionResult {
        seed,
        axes: axes.clone(),
        unseen,
        remarks: lab.remarks().into_iter().chain(session.remarks).collect(),
        alone: session.alone,
        trials: session.trials,
        schedules: session.schedules,
        probes: lab.count_of_probes(),
        coverage: session.coverage.shares(),
        findings,
        unjudged,
        interrupted: false,
        error: None,
        duration: start.elapsed(),
        collected,
    };
    Ok(outline.ended(ended.err().map(Arc::new)))
}

/// The first test with a node id.
fn find(suite: &Suite, name: &str) -> Result<TestIndex, RunError> {
    let id = TestId { node_id: name.to_owned(), occurrence: 0 };
    suite.find(&id).ok_or_else(|| {
        RunError::Pytest(format!(
            "--victim {name}: no such test was collected. Give its node id as `pytest --collect-only -q` prints it, \
             relative to pytest's rootdir"
        ))
    })
}

/// What is not known of how the suite's plugins sort, as the user should know it.
fn doubts(suite: &Suite) -> Vec<String> {
    let doubt = |why: &String| {
        format!(
            "{why}: some trials may have orders that plain pytest never runs. Where a finding has a pytest command, it was seen to fail by it"
        )
    };
    suite.sorting.doubts.iter().map(doubt).collect()
}

struct Session<'a> {
    victim: Option<TestIndex>,
    interpreter: &'a Interpreter,
    seed: Seed,
    axes: &'a Axes,
    limits: &'a Limits,
    start: Instant,
    coverage: Coverage,
    alone: usize,
    /// What a run of the suite takes.
    longest: Duration,
    /// What the user should know of how tests were raced.
    remarks: Vec<String>,
    trials: u64,
    schedules: u64,
    book: FindingBook,
    leftovers: Leftovers,
    /// Which tests were run at all.
    ran: Ran,
    /// Tests that were never seen to pass, and have been run under other hash seeds.
    under_other_hash_seeds: BTreeSet<TestIndex>,
}

impl Session<'_> {
    fn run(&mut self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        let suite = lab.suite;
        let suite_order = baseline::suite_order(suite, self.seed, hash_seed);
        if self.victim.is_some() {
            return self.look_for_victim(lab, &suite_order, hash_seed);
        }
        if lab.forks(&suite_order) {
            fidelity::check(lab, &suite_order)?;
        }
        let baseline = Instant::now();
        self.trial(lab, Origin::Baseline, &suite_order)?;
        self.longest = baseline.elapsed();
        lab.end_on_time();
        self.each_alone(lab, &suite_order)?;
        if network::check(lab, &suite_order, &self.failing(lab, hash_seed))? {
            // What failed for want of it is no failure.
            self.book.forget_seen();
            self.alone = 0;
            self.trial(lab, Origin::Baseline, &suite_order)?;
            self.each_alone(lab, &suite_order)?;
        }
        self.tell_alone(suite);
        if self.would_be_late(2 * self.longest) {
            // Cut short it would say nothing.
            self.remarks.push("there was no time to run every test twice".into());
            return self.judge_waiting(lab);
        }
        self.trial(lab, Origin::Twice, &baseline::twice(suite, self.seed, hash_seed))?;
        self.race(lab, hash_seed)?;
        let mut swept = false;
        loop {
            let more = self.round(lab)?;
            if !std::mem::replace(&mut swept, true) {
                self.each_after_each(lab, hash_seed)?;
                self.two_by_themselves(lab, hash_seed)?;
            }
            self.judge_waiting(lab)?;
            if !more || lab.out_of_time() || self.stops_early() || self.time_to_judge() {
                return Ok(());
            }
        }
    }

    /// The tests that fail alone, or, where none was run so, in suite order.
    fn failing(&self, lab: &Lab<'_>, hash_seed: u32) -> Vec<TestIndex> {
        let tests: BTreeSet<TestIndex> =
            self.book.waiting.iter().map(|suspect| suspect.signature.test).collect();
        let fails = |&test: &TestIndex| lab.history.failed_alone(test, hash_seed) != Some(false);
        tests.into_iter().filter(fails).collect()
    }

    /// Explains the first way in which the victim fails: in suite order, in the first trials, in a race with a
    /// test that it is in conflict with, or in the first trial in which it does. Forks need no check
    /// beforehand: whatever they show is confirmed.
    fn look_for_victim(
        &mut self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        hash_seed: u32,
    ) -> Result<(), RunError> {
        self.trial(lab, Origin::Baseline, suite_order)?;
        lab.end_on_time();
        let mut more = self.book.waiting.is_empty() && self.round(lab)?;
        if self.book.waiting.is_empty() && !lab.out_of_time() {
            self.race(lab, hash_seed)?;
            if self.book.findings().iter().any(|finding| finding.kind == Kind::Race) {
                return Ok(());
            }
        }
        while more && self.book.waiting.is_empty() && !lab.out_of_time() && !self.time_to_judge() {
            more = self.round(lab)?;
        }
        self.judge_waiting(lab)
    }

    fn trial(&mut self, lab: &mut Lab<'_>, origin: Origin, plan: &Plan) -> Result<(), RunError> {
        let trial = lab.trial(origin, plan)?;
        self.take_in(origin, plan, &trial);
        Ok(())
    }

    /// Races the pairs of tests in conflict, before trials that find races by luck only.
    fn race(&mut self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        if self.limits.schedules == Some(0)
            || self.axes.parallel_workers().is_empty()
            || self.axes.parallel_modes(lab.suite).is_empty()
        {
            return Ok(());
        }
        let recording = recording::record(lab, self.seed, hash_seed)?;
        let races = Races::new(self.seed, hash_seed, &recording, self.victim);
        let limits = self.limits;
        let schedules = if limits.time.is_some() { u64::MAX } else { SESSION_SCHEDULES };
        let bounds = Bounds {
            schedules: limits.schedules.unwrap_or(schedules),
            draw: limits.schedules.is_some(),
            time: limits.time.map(|time| time.mul_f64(RACES_SHARE)),
            first_only: self.victim.is_some() || limits.fail_fast && limits.known.is_empty(),
            victim: self.victim,
        };
        let known = self.book.waiting.iter().map(|suspect| suspect.signature.clone());
        let mut racing = Racing::new(bounds, known);
        let ended = racing.run(lab, &races);
        self.schedules = racing.tried();
        self.book.are_seen(racing.explained());
        self.remarks.extend(racing.remarks());
        self.book.waiting.append(&mut racing.cut_short);
        racing.found.into_iter().for_each(|finding| self.found(lab, finding));
        ended
    }

    /// Runs the trials of a round; tells whether there are more.
    fn round(&mut self, lab: &mut Lab<'_>) -> Result<bool, RunError> {
        let round = if self.limits.fail_fast || self.victim.is_some() { 2 } else { ROUND };
        let end = self.limits.trials.map_or(self.trials + round, |most| most.min(self.trials + round));
        if !self.time_to_judge() {
            let indices = self.trials..end;
            let plans = indices.map(|index| {
                let plan = plan(self.seed, TrialIndex(index), lab.suite, self.axes);
                (Origin::Trial(index), plan)
            });
            let trials: Vec<_> = plans.collect();
            lab.trials(&trials, &mut |at, trial| {
                let (origin, plan) = &trials[at];
                self.take_in(*origin, plan, &trial);
                self.trials += 1;
                self.coverage.add(&part_that_ran(plan, &trial));
                if self.time_to_judge() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(self.limits.trials.is_none_or(|most| self.trials < most))
    }

    fn time_to_judge(&self) -> bool {
        self.limits.time.is_some_and(|time| {
            let share = if self.book.waiting.is_empty() { 1.0 } else { TRIALS_SHARE };
            self.start.elapsed() >= time.mul_f64(share)
        }) || self.would_be_late(self.longest)
    }

    /// Whether a run that takes so long would end after the time limit.
    fn would_be_late(&self, takes: Duration) -> bool {
        self.limits.time.is_some_and(|time| self.start.elapsed() + takes > time)
    }

    /// Takes in what a trial showed.
    fn take_in(&mut self, origin: Origin, plan: &Plan, trial: &Trial) {
        self.ran.add(trial);
        self.leftovers.add(origin, plan, trial);
        self.book.take_in(suspects(origin, plan, trial));
    }

    /// Runs what was never seen to pass under hash seeds that the session does not use.
    fn try_other_hash_seeds(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        let failed = |suspect: &Suspect| {
            let (test, hash_seed) = (suspect.signature.test, suspect.plan.hash_seed);
            // A worker that was lost is no run to repeat five times.
            let fails = suspect.failure.is_some() && lab.history.passed_in(test, hash_seed).is_none();
            fails.then_some(test)
        };
        let tests: BTreeSet<TestIndex> = self.book.waiting.iter().filter_map(failed).collect();
        let untried: BTreeSet<TestIndex> = tests.difference(&self.under_other_hash_seeds).copied().collect();
        let Some(suspect) = self.book.waiting.first() else {
            return Ok(());
        };
        let like = suspect.plan.clone();
        self.under_other_hash_seeds.extend(&untried);
        hash_seeds::try_others(lab, self.axes, self.seed, &like, &untried)
    }

    /// Runs what was never seen to pass in plain pytest, at once.
    fn ask_plain_pytest(&self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        let tests: BTreeSet<TestIndex> = self
            .book
            .waiting
            .iter()
            .filter_map(|suspect| {
                let (test, hash_seed) = (suspect.signature.test, suspect.plan.hash_seed);
                let passes = lab.history.passed_in(test, hash_seed).is_some()
                    || lab.history.failed_alone(test, hash_seed) == Some(false);
                // What hangs or is lost ends the run of all.
                (suspect.failure.is_some() && !passes).then_some(test)
            })
            .collect();
        plain::together(lab, &tests)
    }

    /// Looks into every failure that waits.
    fn judge_waiting(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        match self.try_other_hash_seeds(lab) {
            Err(RunError::OutOfTime) => return Ok(()),
            tried => tried?,
        }
        match self.ask_plain_pytest(lab) {
            Err(RunError::OutOfTime) => return Ok(()),
            asked => asked?,
        }
        self.book.sort();
        while !lab.out_of_time() && !self.stops_early() {
            let Some(suspect) = self.book.first() else {
                return Ok(());
            };
            let alike = self.book.alike(&suspect);
            match same_cause::of_one_cause(lab, self.book.findings(), &alike, &suspect) {
                Err(RunError::OutOfTime) => return Ok(()),
                Ok(Some(finding)) => {
                    self.book.tell_with(finding, &suspect);
                    continue;
                }
                shown => shown?,
            };
            let waiting = self.book.waiting.len() - 1;
            lab.tell(&Event::Investigating { test: suspect.signature.test, waiting });
            let look_into = if self.victim.is_some() { investigate_named } else { investigate };
            let finding = match look_into(lab, &suspect) {
                // What could not be confirmed is not judged.
                Err(RunError::OutOfTime) => return Ok(()),
                finding => finding?,
            };
            if finding.kind == Kind::Unreproduced && lab.out_of_time() {
                // It was cut short, so that nothing can be said of it.
                return Ok(());
            }
            self.book.waiting.remove(0);
            if self.book.is_duplicate(&finding) {
                self.book.add_note(&finding);
                continue;
            }
            let at = self.book.keep(finding, lab.suite);
            lab.tell(&Event::Found(&self.book.findings()[at]));
            let rootdir = &self.interpreter.rootdir;
            let waiting = self.book.waiting.iter().map(|suspect| suspect.signature.test).collect();
            let trials = search::Trials { rootdir, seed: self.seed, axes: self.axes, waiting: &waiting };
            let added = details::add(lab, self.interpreter, trials, self.book.finding_mut(at));
            self.book.looked_into(at, lab.suite);
            added?;
        }
        Ok(())
    }

    /// Keeps a finding and tells of it, unless that was done.
    fn found(&mut self, lab: &mut Lab<'_>, finding: Finding) {
        if !self.book.is_duplicate(&finding) {
            let at = self.book.keep(finding, lab.suite);
            lab.tell(&Event::Found(&self.book.findings()[at]));
        }
    }

    fn stops_early(&self) -> bool {
        self.limits.fail_fast && self.book.has_new()
    }
}
