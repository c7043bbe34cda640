//! A proposed fix is tried: in a copy of the project, with the failing plan, with seeded trials on one and on
//! two workers, and, where it is about what workers share, raced under control.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::explain::fix::{Edit, diff};
use crate::explain::{Explanation, Fix};
use crate::judge::Signature;
use crate::judge::finding::{Finding, Kind, Origin};
use crate::plan::{Axes, Mode, Plan, Seed, TrialIndex, plan};
use crate::run::{Engine, Job, RunError, Trial};
use crate::session::circle::circle;
use crate::session::copy::Copy;
use crate::session::explain::explain;
use crate::session::lab::{Lab, Notice, Observer, alone};
use crate::session::proposals::{Targets, proposals};
use crate::session::races::{Races, fresh_suspects, seems_no_race};
use crate::session::recording;
use crate::suite::{Suite, TestIndex};

/// Trials in which a fix has to hold.
const TRIALS: u64 = 20;
/// Those of them that have two workers.
const PARALLEL: u64 = 5;
/// How long they may take; where that is too short for all of them, no fix is shown.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long tests that were changed are raced with those in conflict; where that is too short, no fix is
/// shown.
const RACES: Duration = Duration::from_secs(60);
/// Schedules of a pair, the most promising ones first.
const SCHEDULES: usize = 12;
/// Fixes that are tried for one finding.
const ATTEMPTS: usize = 6;

/// What a fix is tried with besides the failing plan.
#[derive(Clone, Copy, Debug)]
pub struct Trials<'a> {
    /// pytest's rootdir.
    pub rootdir: &'a str,
    /// The session's seed.
    pub seed: Seed,
    /// What the session varies.
    pub axes: &'a Axes,
}

/// Adds to a finding the state behind it, who else has to do with that, and a fix that was tried; each at once, as
/// the session may end before the next is known.
///
/// # Errors
/// The run was interrupted.
pub fn explained(lab: &mut Lab<'_>, trials: Trials<'_>, finding: &mut Finding) -> Result<(), RunError> {
    let Some(mut explanation) = explain(lab, finding)? else {
        return Ok(());
    };
    finding.explanation = Some(explanation.clone());
    if let (true, Some(place)) = (explanation.confirmed, explanation.places.first()) {
        explanation.circle = match circle(lab, finding, place) {
            Err(RunError::Interrupted) => return Err(RunError::Interrupted),
            // That the others are not known is no reason to lose what is.
            found => found.unwrap_or_default(),
        };
        finding.explanation = Some(explanation.clone());
    }
    explanation.fix = fix(lab, trials, finding, &explanation)?;
    finding.explanation = Some(explanation);
    Ok(())
}

/// Looks for a fix that holds; none if no fix is known for the place or none that was tried did.
///
/// # Errors
/// The run was interrupted. That a copy cannot be made or run is no error: there is no fix then.
fn fix(
    lab: &mut Lab<'_>,
    trials: Trials<'_>,
    finding: &Finding,
    explanation: &Explanation,
) -> Result<Option<Fix>, RunError> {
    let (Some(minimal), Some(test), true) = (&finding.shrunk, finding.test, explanation.confirmed) else {
        return Ok(None);
    };
    let rootdir = Path::new(trials.rootdir);
    let brittle = finding.kind == Kind::Brittle;
    let changed: BTreeSet<TestIndex> = match brittle {
        true => [test].into(),
        false => minimal.culprits.iter().chain(&explanation.circle.polluters).copied().collect(),
    };
    let jointly = minimal.culprits.len() > 1;
    let targets = Targets { suite: lab.suite, tests: &changed, imports: &minimal.imports, jointly, brittle };
    let failing = match brittle {
        true => alone(&minimal.plan, lab.suite, test, minimal.plan.random_seed),
        false => minimal.plan.clone(),
    };
    for edits in proposals(rootdir, explanation, &targets).into_iter().take(ATTEMPTS) {
        if lab.out_of_time() {
            return Ok(None);
        }
        let Some(copy) = Copy::of(rootdir, &edits) else {
            return Ok(None);
        };
        let Some(mut engine) = lab.elsewhere(rootdir, copy.path())? else {
            return Ok(None);
        };
        let mut attempt = Attempt { lab, engine: &mut *engine, trials, test };
        let Some(parallel) = attempt.holds(&failing)? else {
            continue;
        };
        let shared =
            explanation.places.iter().any(|place| matches!(&*place.kind, "file system" | "database"));
        let raced = if shared && parallel > 0 { attempt.raced(&changed, &failing)? } else { Some(0) };
        // What is left to try cleans up as well, where others may still be at work.
        return Ok(raced.map(|raced| {
            let old = |edit: &Edit| fs::read_to_string(rootdir.join(&edit.file)).unwrap_or_default();
            let pairs: Vec<(String, Edit)> = edits.iter().map(|edit| (old(edit), edit.clone())).collect();
            Fix { diff: diff(&pairs), trials: TRIALS as u32, parallel, raced }
        }));
    }
    Ok(None)
}

struct Attempt<'a, 'b> {
    lab: &'a mut Lab<'b>,
    engine: &'a mut dyn Engine,
    trials: Trials<'a>,
    test: TestIndex,
}

impl Attempt<'_, '_> {
    /// In how many trials on several workers it held, if it held in all trials and under the plan that
    /// failed before.
    fn holds(&mut self, failing: &Plan) -> Result<Option<u32>, RunError> {
        let end = Instant::now() + PATIENCE;
        let (serial, parallel) = self.plans();
        let plans: Vec<&Plan> = std::iter::once(failing).chain(&serial).chain(&parallel).collect();
        let jobs: Vec<Job<'_>> =
            plans.iter().enumerate().map(|(at, plan)| Job { fresh: at == 0, ..Job::of(plan) }).collect();
        let Self { lab, engine, test, .. } = self;
        let mut held = 0;
        let ran = engine.run_all(lab.suite, &jobs, &mut |_, trial| {
            if Instant::now() > end || lab.out_of_time() || !passes(lab, *test, &trial) {
                return ControlFlow::Break(());
            }
            held += 1;
            ControlFlow::Continue(())
        });
        match ran {
            Err(RunError::Interrupted) => Err(RunError::Interrupted),
            _ => Ok((held == jobs.len()).then_some(parallel.len() as u32)),
        }
    }

    /// The trials: on one worker, and on two unless the session is about one alone.
    fn plans(&self) -> (Vec<Plan>, Vec<Plan>) {
        let Trials { axes, seed, .. } = self.trials;
        let modes = axes.parallel_modes(self.lab.suite);
        let parallel = if modes.is_empty() || axes.parallel_workers().is_empty() { 0 } else { PARALLEL };
        let make = |workers: u32, modes: Vec<Mode>, count: u64| -> Vec<Plan> {
            let axes = Axes { workers: vec![workers], modes, ..axes.clone() };
            (0..count).map(|index| plan(seed, TrialIndex(index), self.lab.suite, &axes)).collect()
        };
        (make(1, vec![Mode::No], TRIALS - parallel), make(2, modes, parallel))
    }

    /// With how many tests those that were changed were raced; none if a race shows that was not known.
    fn raced(&mut self, changed: &BTreeSet<TestIndex>, failing: &Plan) -> Result<Option<u32>, RunError> {
        let history = &self.lab.history;
        let mut silent = Silent;
        let mut lab = Lab::new(self.lab.suite, &mut *self.engine, &mut silent, self.lab.deadline());
        let (seed, hash_seed) = (self.trials.seed, failing.hash_seed);
        let recording = match recording::record(&mut lab, seed, hash_seed) {
            Err(RunError::Interrupted) => return Err(RunError::Interrupted),
            Err(_) => return Ok(None),
            Ok(recording) => recording,
        };
        let mut races = Races::new(seed, hash_seed, &recording, None);
        races.pairs.retain(|pair| changed.contains(&pair.tests.0) || changed.contains(&pair.tests.1));
        let victim = self.test;
        let known = |signature: &Signature| signature.test != victim && history.has_failed(signature.test);
        let end = Instant::now() + RACES;
        let pairs = races.pairs.len();
        let raced = (0..pairs).find_map(|pair| match race(&mut lab, &races, pair, end, known) {
            Ok(false) => None,
            lost => Some(lost),
        });
        match raced {
            None => Ok(Some(pairs as u32)),
            Some(Err(RunError::Interrupted)) => Err(RunError::Interrupted),
            Some(_) => Ok(None),
        }
    }
}

/// Whether a failure that was not known shows itself in a pair's first schedules, as a race does. What there
/// was no time to see counts as one, so that no fix is shown that was raced in part.
fn race(
    lab: &mut Lab<'_>,
    races: &Races,
    pair: usize,
    end: Instant,
    known: impl Fn(&Signature) -> bool,
) -> Result<bool, RunError> {
    let undisturbed = races.undisturbed(lab, pair)?;
    let plans = races.plans(pair, 0, &undisturbed);
    for (number, plan) in plans.iter().enumerate().take(SCHEDULES) {
        if Instant::now() > end || lab.out_of_time() {
            return Ok(true);
        }
        let trial = match undisturbed.get(number) {
            Some((_, trial)) => trial.clone(),
            None => lab.trial(Origin::Race(plan.index.0), plan)?,
        };
        for suspect in fresh_suspects(plan, &trial, &known) {
            if seems_no_race(lab, &suspect)?.is_none() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether the victim passes, and no test fails that has not been seen to fail without the fix.
fn passes(lab: &Lab<'_>, victim: TestIndex, trial: &Trial) -> bool {
    let known = |test: TestIndex| test != victim && lab.history.has_failed(test);
    trial.executions.iter().any(|run| run.test == victim)
        && trial.executions.iter().all(|run| !run.outcome.is_failure() || known(run.test))
}

/// Nobody waits for the trials of a copy.
struct Silent;

impl Observer for Silent {
    fn notice(&mut self, _: &Suite, _: &Notice<'_>) {}
}
