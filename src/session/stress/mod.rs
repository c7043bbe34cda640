//! The main job.

pub mod baseline;
mod sweeps;
mod apart;
mod left_over;
pub(crate) mod sample;
pub(crate) mod suspected;
mod in_parts;
mod leaking;
pub(crate) mod hash_seeds;
pub(crate) mod network;
pub(crate) mod servers;
pub(crate) mod resets;
pub(crate) mod fidelity;
pub(crate) mod recognised;
pub(crate) mod same_cause;
pub(crate) mod collections;
pub(crate) mod draws;
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::finding::{Finding, Kind, Origin};
use crate::leaks::after::LeftPlace;
use crate::limits::{
    FAIL_FAST_ROUND, FIRST_ROUNDS, RACES_SHARE, RECORDING_SHARE, ROUND, SESSION_SCHEDULES, SWEEP_SHARE,
    TRIALS_SHARE, TWICE_SHARE, VICTIM_ROUND,
};
use crate::plan::{Axes, Plan, Seed, TrialIndex, plan_without};
use crate::run::{Engine, RunError};
use crate::session::account::Account;
use crate::session::account::finding_book::FindingBook;
use crate::session::agenda::Agenda;
use crate::session::complete;
use crate::session::event::{About, Event, Reporter};
use crate::session::fix::search;
use crate::session::investigate::{outside, plain, room};
use crate::session::lab::deadline::Deadline;
use crate::session::lab::{Lab, serial};
use crate::session::race::campaign::{Bounds, Racing};
use crate::session::race::pairs::Races;
use crate::session::race::recording::{self, Recording};
use crate::session::result::{Limits, SessionResult};
use crate::session::suspect::Suspect;
use crate::suite::suspicion::Suspicion;
use crate::suite::{Suite, Test, TestId, TestIndex};
use crate::trial::{Collected, Interpreter};

/// Runs a session: baseline, trials in rounds, and what follows from them.
///
/// # Errors
/// The suite could not be collected, or pytest could not be run at all. Whatever ends the session after that is told
/// in the outline, beside what is known by then.
pub(crate) fn stress(
    engine: &mut dyn Engine,
    reporter: &mut dyn Reporter,
    seed: Seed,
    axes: &Axes,
    limits: &Limits,
) -> Result<SessionResult, RunError> {
    let start = Instant::now();
    let hash_seed = axes.hash_seed_values(seed)[0];
    let other_way = collections::drawing_otherwise(hash_seed);
    let (mut collected, drawn) = network::collect_beside(engine, hash_seed, Some(other_way))?;
    reporter.notice(&collected.suite, &Event::Collected);
    let drawn = drawn.map(|drawn| drawn.suite);
    let unstable = compare(engine, &mut collected, drawn, seed, axes, limits)?;
    reporter.notice(&collected.suite, &Event::Compared);
    let suite = axes.heeded_of(&collected.suite);

    let victim = limits.victim.as_deref().map(|name| find(&suite, name)).transpose()?;
    let interpreter = &collected.interpreter;
    let trials = search::Trials::new(&interpreter.rootdir, seed, axes);
    let mut agenda = Agenda::new(interpreter, limits.explain, trials);
    (agenda.named, agenda.fail_fast) = (victim.is_some(), limits.fail_fast);
    let mut session = Session {
        victim,
        agenda,
        seed,
        axes,
        limits,
        start,
        first_run: None,
        under_other_hash_seeds: BTreeSet::new(),
        twice: BTreeSet::new(),
        rootdir: &interpreter.rootdir,
        recording: None,
        suspected: suspected(limits.suspicion.as_ref(), &suite, interpreter),
        left_places: limits.leaks.as_ref().map(|known| known.in_suite(&suite)),
    };
    let deadline = limits.time.map(|time| Deadline::new(start, time));
    let book = FindingBook::new(victim, &limits.known);
    let mut lab = Lab::new(&suite, engine, reporter, deadline).searching(book);
    if let Some(suspicion) = &limits.suspicion {
        lab.remark(About::Session, &suspected::remark(suspicion, session.suspected.len(), suite.tests.len()));
    }
    doubts(&suite).iter().for_each(|doubt| lab.remark(About::Session, doubt));
    let ended = unstable.and_then(|unstable| {
        unstable.iter().for_each(|finding| session.found(&mut lab, finding));
        if suite.tests.is_empty() { Ok(()) } else { session.run(&mut lab, hash_seed) }
    });
    let ended = match ended {
        Err(RunError::OutOfTime) => Ok(()),
        // Where nothing was seen, there is nothing to tell but the error.
        Err(error) if !error.is_interrupt() && lab.account().trials() == 0 && lab.book().is_empty() => {
            return Err(error);
        }
        ended => ended,
    };
    if limits.time.is_some() && lab.account().trials() == 0 && victim.is_none() && ended.is_ok() {
        lab.remark(About::Session, &no_trial(session.first_run));
    }
    complete::tell_rest(&mut lab);
    let result = lab.close().result(collected.clone(), seed, axes.clone());
    let result = SessionResult { duration: start.elapsed(), ..result }.ended(ended.err().map(Arc::new));
    reporter.notice(&collected.suite, &Event::Ended(&result));
    Ok(result)
}

/// Finds out whether the same is collected each time, and names the tests accordingly. Returns what differs, or that
/// the user has ended the session meanwhile.
fn compare(
    engine: &mut dyn Engine,
    collected: &mut Collected,
    drawn: Option<Suite>,
    seed: Seed,
    axes: &Axes,
    limits: &Limits,
) -> Result<Result<Vec<Finding>, RunError>, RunError> {
    let hash_seeds = axes.hash_seed_values(seed);
    let others = if limits.victim.is_some() { &[] } else { &hash_seeds[1..] };
    match collections::compare(engine, &collected.suite, drawn, seed, hash_seeds[0], others) {
        Ok(compared) => {
            collected.suite = compared.suite;
            Ok(Ok(if limits.victim.is_some() { Vec::new() } else { compared.findings }))
        }
        Err(error) if error.is_interrupt() => Ok(Err(error)),
        Err(error) => Err(error),
    }
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

/// The tests of a suite that the user suspects.
fn suspected(suspicion: Option<&Suspicion>, suite: &Suite, interpreter: &Interpreter) -> Vec<TestIndex> {
    let rootdir = Path::new(&interpreter.rootdir);
    suspicion.map(|suspicion| suspicion.in_suite(suite, rootdir)).unwrap_or_default()
}

/// Why there was no trial.
fn no_trial(first_run: Option<Duration>) -> String {
    match first_run {
        Some(took) => format!(
            "there was no time for a trial, as the suite had been run once after {:.1} s only: give many times that \
             with --time",
            took.as_secs_f64()
        ),
        None => "there was no time for a trial: give more with --time".into(),
    }
}

/// What is not known of how the suite's plugins sort, as the user should know it.
fn doubts(suite: &Suite) -> Vec<String> {
    let doubt = |why: &String| {
        format!(
            "{why}: some trials may have orders that plain pytest never runs. Where a finding has a pytest command, it was seen to fail by it"
        )
    };
    let only = |test: &Test| {
        format!(
            "{id} is the only test here, and no other can break it: jostle stress --victim {id}, with all tests and not a choice \
             of them, tries it with the others",
            id = test.id
        )
    };
    let lone = suite.tests.first().filter(|_| suite.tests.len() == 1).map(only);
    suite.sorting.doubts.iter().map(doubt).chain(lone).collect()
}

struct Session<'a> {
    victim: Option<TestIndex>,
    agenda: Agenda<'a>,
    seed: Seed,
    axes: &'a Axes,
    limits: &'a Limits,
    start: Instant,
    /// pytest's rootdir.
    rootdir: &'a str,
    /// What tests touch, if that was recorded before the races.
    recording: Option<Recording>,
    /// When the suite had been run once, if the time limit was over by then.
    first_run: Option<Duration>,
    /// Tests that the user suspects, in suite order.
    suspected: Vec<TestIndex>,
    /// Places that tests are known to leave changed, if an earlier `jostle leaks` has told of any.
    left_places: Option<Vec<LeftPlace>>,
    /// Tests that were never seen to pass, and have been run under other hash seeds.
    under_other_hash_seeds: BTreeSet<TestIndex>,
    /// Tests that were run twice in a row.
    twice: BTreeSet<TestIndex>,
}

impl Session<'_> {
    /// Finds what there is, and tries to fix it; whatever ends that, what was not reached is told.
    fn run(&mut self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        self.agenda.tell_complete(lab);
        let found = match self.find(lab, hash_seed) {
            Ok(()) | Err(RunError::OutOfTime) => {
                self.tell_sweeps(lab);
                lab.book_mut().close();
                self.agenda.fix(lab)
            }
            ended => ended,
        };
        self.agenda.give_up(lab);
        found
    }

    fn find(&mut self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        let suite = lab.suite;
        let suite_order = baseline::suite_order(suite, self.seed, hash_seed);
        if self.victim.is_some() {
            return self.look_for_victim(lab, &suite_order, hash_seed);
        }
        let first = self.run_before_all(lab, &suite_order)?;
        if lab.forks(&suite_order) {
            fidelity::check(lab, &suite_order)?;
        }
        let mut shown = lab.trial(Origin::Baseline, &suite_order)?;
        self.look_at_resets(lab, first)?;
        lab.end_on_time();
        self.first_run =
            Some(self.start.elapsed()).filter(|took| self.limits.time.is_some_and(|time| time < *took));
        self.each_alone(lab, &suite_order, self.share(SWEEP_SHARE))?;
        self.look_for_servers(lab, &suite_order, &shown)?;
        if network::check(lab, &suite_order, &self.failing(lab, hash_seed))? {
            lab.tell(&Event::Forgotten);
            shown = lab.trial(Origin::Baseline, &suite_order)?;
            self.each_alone(lab, &suite_order, self.share(SWEEP_SHARE))?;
            self.look_for_servers(lab, &suite_order, &shown)?;
        }
        self.set_apart(lab, &suite_order, &shown)?;
        self.judge_left_over(lab)?;
        self.suspected_first(lab, &suite_order)?;
        if !lab.out_of_time() && !self.agenda.stops_early(lab) {
            self.leaking_first(lab, &suite_order, self.share(SWEEP_SHARE))?;
        }
        if lab.out_of_time() || self.agenda.stops_early(lab) {
            return Ok(());
        }
        self.agenda.tell_complete(lab);
        if self.limits.time.is_some() {
            // What takes the time of several runs of the suite comes after some other orders, and what these show.
            for trials in FIRST_ROUNDS {
                self.round(lab, trials)?;
                self.judge_waiting(lab)?;
                if lab.out_of_time() || self.agenda.stops_early(lab) {
                    return Ok(());
                }
            }
        }
        self.each_twice(lab, &suite_order, self.share(TWICE_SHARE))?;
        self.race(lab, hash_seed)?;
        let mut swept = false;
        loop {
            let more = self.round(lab, ROUND)?;
            if !std::mem::replace(&mut swept, true) {
                self.each_after_each(lab, hash_seed)?;
                self.two_by_themselves(lab, hash_seed)?;
            }
            self.judge_waiting(lab)?;
            if lab.out_of_time() || self.agenda.stops_early(lab) {
                return Ok(());
            }
            if !more || self.ends_trials(lab) {
                // What is left of the time goes to trials again.
                self.agenda.fix(lab)?;
                if !more || self.ends_trials(lab) {
                    return self.rest_of_sweeps(lab, &suite_order);
                }
            }
            self.agenda.tell_complete(lab);
        }
    }

    /// The tests that fail alone, or, where none was run so, in suite order.
    fn failing(&self, lab: &Lab<'_>, hash_seed: u32) -> Vec<TestIndex> {
        let waiting = &lab.book().waiting;
        let tests: BTreeSet<TestIndex> = waiting.iter().map(|suspect| suspect.signature.test).collect();
        let fails = |&test: &TestIndex| {
            lab.history.failed_alone(test, hash_seed) != Some(false)
                && lab.account().outside_of(test).is_none()
        };
        tests.into_iter().filter(fails).collect()
    }

    /// Explains the first way in which the victim fails: after a part of what comes before it, in suite order, in the first
    /// trials, in a race with a test that it is in conflict with, or in the first trial in which it does. Forks need no check
    /// beforehand: whatever they show is confirmed.
    fn look_for_victim(
        &mut self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        hash_seed: u32,
    ) -> Result<(), RunError> {
        let first = self.run_before_all(lab, suite_order)?;
        self.victim_in_parts(lab, suite_order, self.share(SWEEP_SHARE))?;
        let shown = match lab.book().waiting.is_empty() {
            true => Some(lab.trial(Origin::Baseline, suite_order)?),
            false => None,
        };
        self.look_at_resets(lab, first)?;
        lab.end_on_time();
        if let Some(shown) = shown {
            self.look_for_servers(lab, suite_order, &shown)?;
        }
        if lab.book().waiting.is_empty() {
            self.leaking_first(lab, suite_order, self.share(SWEEP_SHARE))?;
        }
        let mut more = lab.book().waiting.is_empty() && self.round(lab, VICTIM_ROUND)?;
        if lab.book().waiting.is_empty() && !lab.out_of_time() {
            self.race(lab, hash_seed)?;
            if lab.book().findings().iter().any(|finding| finding.kind == Kind::Race) {
                return Ok(());
            }
        }
        while more && lab.book().waiting.is_empty() && !lab.out_of_time() && !self.ends_trials(lab) {
            more = self.round(lab, VICTIM_ROUND)?;
        }
        if let Some(test) = self.victim
            && !lab.book().waiting.is_empty()
            && lab.forks(suite_order)
            && lab.history.failed_alone(test, hash_seed).is_none()
        {
            // One that passes alone is neither broken nor a question of the hash seed, and one fork tells.
            lab.probe(&serial(suite_order, vec![test]))?;
        }
        self.judge_waiting(lab)
    }

    /// Races the pairs of tests in conflict, before trials that find races by luck only.
    fn race(&mut self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<(), RunError> {
        if self.limits.schedules == Some(0)
            || self.axes.parallel_workers().is_empty()
            || self.axes.parallel_modes(lab.suite).is_empty()
        {
            return Ok(());
        }
        let limits = self.limits;
        let share = self.share(RECORDING_SHARE);
        let recording = match self.recording.take() {
            Some(recorded) => recorded,
            None => match recording::record(lab, self.seed, hash_seed, share) {
                Err(RunError::OutOfTime) => return Ok(()),
                recorded => recorded?,
            },
        };
        let races = Races::new(self.seed, hash_seed, &recording, self.victim);
        let schedules = if limits.time.is_some() { u64::MAX } else { SESSION_SCHEDULES };
        let bounds = Bounds {
            schedules: limits.schedules.unwrap_or(schedules),
            draw: limits.schedules.is_some(),
            time: self.share(RACES_SHARE),
            first_only: self.victim.is_some() || limits.fail_fast && limits.known.is_empty(),
            victim: self.victim,
        };
        let known = lab.book().waiting.iter().map(|suspect| suspect.signature.clone());
        let mut racing = Racing::new(bounds, known);
        let ended = racing.run(lab, &races);
        // Tests join a race until all are raced, so that none is told before.
        lab.tell(&Event::Raced(racing.tried()));
        racing.remarks().iter().for_each(|remark| lab.remark(About::Session, remark));
        lab.book_mut().are_seen(racing.explained());
        lab.book_mut().waiting.append(&mut racing.cut_short);
        racing.found.iter().for_each(|finding| self.found(lab, finding));
        match ended {
            // What takes less time may still fit.
            Err(RunError::OutOfTime) => Ok(()),
            ended => ended,
        }
    }

    /// Runs the trials of a round, so many at most; tells whether there are more.
    fn round(&mut self, lab: &mut Lab<'_>, most: u64) -> Result<bool, RunError> {
        let round = if self.limits.fail_fast { most.min(FAIL_FAST_ROUND) } else { most };
        let first = lab.account().trials();
        let end = self.limits.trials.map_or(first + round, |most| most.min(first + round));
        if !self.ends_trials(lab) {
            let plans = (first..end).map(|index| {
                let left_out = lab.account().left_out();
                let plan = plan_without(left_out, self.seed, TrialIndex(index), lab.suite, self.axes);
                (Origin::Trial(index), plan)
            });
            let trials: Vec<_> = plans.collect();
            lab.trials(&trials, &mut |account, _, _| {
                if self.time_to_judge(account) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(self.limits.trials.is_none_or(|most| lab.account().trials() < most))
    }

    /// A share of the time limit, if there is one.
    fn share(&self, share: f64) -> Option<Duration> {
        self.limits.time.map(|time| time.mul_f64(share))
    }

    fn time_to_judge(&self, account: &Account) -> bool {
        self.limits.time.is_some_and(|time| {
            let is_done = account.book.waiting.is_empty() && self.agenda.is_done();
            let share = if is_done { 1.0 } else { TRIALS_SHARE };
            self.start.elapsed() >= time.mul_f64(share)
        })
    }

    /// Whether no further trial is begun for now: it is time to judge, or there is none for another run of the suite.
    fn ends_trials(&self, lab: &Lab<'_>) -> bool {
        self.time_to_judge(lab.account()) || self.would_be_late(lab, 1)
    }

    /// Whether so many runs of the suite, one after the other, would end after the time limit.
    fn would_be_late(&self, lab: &Lab<'_>, runs: u32) -> bool {
        let takes = lab.forecast_of(&lab.suite.collected) * runs;
        self.limits.time.is_some_and(|time| self.start.elapsed() + takes > time)
    }

    /// Runs what was never seen to pass under hash seeds that the session does not use.
    fn try_other_hash_seeds(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        let tests = never_passed(lab);
        let untried: BTreeSet<TestIndex> = tests.difference(&self.under_other_hash_seeds).copied().collect();
        let Some(suspect) = lab.book().waiting.first() else {
            return Ok(());
        };
        let like = suspect.plan.clone();
        self.under_other_hash_seeds.extend(&untried);
        hash_seeds::try_others(lab, self.axes, self.seed, &like, &untried)
    }

    /// Runs what was never seen to pass in plain pytest, at once.
    fn ask_plain_pytest(&self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        let tests = never_passed(lab);
        plain::together(lab, &tests)
    }

    /// Looks into every failure that waits, as far as to the state behind it.
    fn judge_waiting(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        match self.try_other_hash_seeds(lab) {
            Err(RunError::OutOfTime) => return Ok(()),
            tried => tried?,
        }
        match self.ask_plain_pytest(lab) {
            Err(RunError::OutOfTime) => return Ok(()),
            asked => asked?,
        }
        self.agenda.judge_and_explain(lab)
    }

    /// Tells of a finding, unless that was done.
    fn found(&self, lab: &mut Lab<'_>, finding: &Finding) {
        let finding = outside::doubted(lab, finding.clone());
        if lab.book().same_as(&finding).is_none() {
            lab.found(&finding);
        }
    }
}

/// The tests that wait to be judged and were never seen to pass, alone or with others.
fn never_passed(lab: &Lab<'_>) -> BTreeSet<TestIndex> {
    let failed = |suspect: &Suspect| {
        let (test, hash_seed) = (suspect.signature.test, suspect.plan.hash_seed);
        let passes = lab.history.passed_in(test, hash_seed).is_some()
            || lab.history.failed_alone(test, hash_seed) == Some(false);
        // What hangs or is lost ends the run of all, and is no run to repeat.
        let is_open = suspect.failure.is_some()
            && !passes
            && !room::was_lacking(lab, suspect)
            && lab.account().outside_of(test).is_none();
        is_open.then_some(test)
    };
    lab.book().waiting.iter().filter_map(failed).collect()
}
