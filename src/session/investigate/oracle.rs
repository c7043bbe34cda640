//! The oracle of a shrinker: plans are run with pytest, those it may ask for next beside them.

use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::{FORESEEN_ANSWERS, SEARCH_RUNS};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::shrink::Verdict as Answer;
use crate::shrink::speculation::questions_after;
use crate::shrink::{Oracle, Problem, Shrunk, Stopped, Target, shrink};
use crate::trial::Trial;

/// Asks real pytest whether a candidate still shows what is looked for.
pub(crate) struct PytestOracle<'a, 'b> {
    lab: &'a mut Lab<'b>,
    wanted: &'a FailureMatcher,
    reproduces: Observation,
    problem: &'a Problem<'a>,
    /// What was answered so far, from which follows what may be asked next.
    answers: Vec<Answer>,
    /// Trials of plans that were not asked about yet. Whether one ever is depends on the answers alone,
    /// and nothing is learnt from one that is not, so that the outcome is the same on any machine.
    ahead: Vec<(Plan, Trial)>,
    error: Option<RunError>,
    /// In how many runs, each under another random seed, what is looked for has to show before it is believed.
    shows: u32,
}

impl Oracle for PytestOracle<'_, '_> {
    fn verdict(&mut self, candidate: &Plan) -> Result<Answer, Stopped> {
        if self.lab.out_of_time() {
            return Err(Stopped);
        }
        let trial = self.trial(candidate).map_err(|error| {
            self.error = Some(error);
            Stopped
        })?;
        let mut answer = self.answer(&trial);
        for run in 1..self.shows {
            if answer != Answer::Reproduces {
                break;
            }
            let trial = self.lab.probe(&candidate.reseeded(run)).map_err(|error| {
                self.error = Some(error);
                Stopped
            })?;
            answer = self.answer(&trial);
        }
        self.answers.push(answer);
        Ok(answer)
    }
}

impl PytestOracle<'_, '_> {
    fn answer(&self, trial: &Trial) -> Answer {
        match observe(trial, self.wanted) {
            sight if sight == self.reproduces => Answer::Reproduces,
            Observation::Passed | Observation::Same => Answer::Passes,
            Observation::Other | Observation::Unknown => Answer::Unresolved,
        }
    }

    /// A trial of a candidate; those of plans that may be asked about next run beside it.
    fn trial(&mut self, candidate: &Plan) -> Result<Trial, RunError> {
        let at = match self.ahead.iter().position(|(plan, _)| plan == candidate) {
            Some(at) => at,
            None => {
                let foreseeable = self.answers.len() < FORESEEN_ANSWERS;
                let room = if foreseeable { self.lab.at_once(candidate) as usize - 1 } else { 0 };
                let next = questions_after(self.problem, &self.answers, room);
                // Beside a fork a process of its own takes longer than asking later does, and may be for nothing.
                let next = next.into_iter().filter(|plan| self.lab.forks(plan) == self.lab.forks(candidate));
                let plans: Vec<Plan> = std::iter::once(candidate.clone()).chain(next).collect();
                let trials = self.lab.run_ahead(&plans)?;
                self.ahead = plans.into_iter().zip(trials).collect();
                0
            }
        };
        let (plan, trial) = self.ahead.swap_remove(at);
        self.lab.probed(&plan, &trial);
        Ok(trial)
    }
}

pub(crate) fn run_shrinker(
    lab: &mut Lab<'_>,
    plan: Plan,
    target: Target,
    rate: f64,
    wanted: &FailureMatcher,
    reproduces: Observation,
) -> Result<Shrunk, RunError> {
    run_shrinker_against_chance(lab, plan, target, (rate, 1), wanted, reproduces)
}

/// The same for a failure that shows each time, where the caller sees confirmed that the files of the tests that are left
/// need only be imported: that is not asked beforehand, as it takes the start of a process.
///
/// # Errors
/// Those of the engine.
pub(crate) fn run_shrinker_but_for_imports(
    lab: &mut Lab<'_>,
    plan: Plan,
    target: Target,
    wanted: &FailureMatcher,
    reproduces: Observation,
) -> Result<Shrunk, RunError> {
    let problem = problem(lab, plan, target, 1.0, wanted, reproduces).assuming_own_imports();
    solve(lab, &problem, 1, wanted, reproduces)
}

/// The same for a failure that shows by chance as well: what is looked for has to show in so many runs of a candidate as
/// the second number says. The first is the rate at which it shows.
///
/// # Errors
/// Those of the engine.
pub(crate) fn run_shrinker_against_chance(
    lab: &mut Lab<'_>,
    plan: Plan,
    target: Target,
    (rate, shows): (f64, u32),
    wanted: &FailureMatcher,
    reproduces: Observation,
) -> Result<Shrunk, RunError> {
    let problem = problem(lab, plan, target, rate, wanted, reproduces);
    solve(lab, &problem, shows, wanted, reproduces)
}

fn problem<'a>(
    lab: &Lab<'a>,
    plan: Plan,
    target: Target,
    rate: f64,
    wanted: &FailureMatcher,
    reproduces: Observation,
) -> Problem<'a> {
    let suite = lab.suite;
    // Where any test may be charged, what came before one of them says nothing.
    let of_test =
        matches!(wanted, FailureMatcher::Signature(_) | FailureMatcher::At(..) | FailureMatcher::Failure(_));
    let suspects = if of_test { lab.history.prefixes(target.victim) } else { Vec::new() };
    let seen = suspects
        .into_iter()
        .map(|(before, failed)| (before, failed == (reproduces == Observation::Same)))
        .collect();
    let keeps_imports = lab.forks(&plan);
    Problem::new(plan, target, suite, seen, rate).keeping_imports(keeps_imports).within(SEARCH_RUNS)
}

fn solve(
    lab: &mut Lab<'_>,
    problem: &Problem<'_>,
    shows: u32,
    wanted: &FailureMatcher,
    reproduces: Observation,
) -> Result<Shrunk, RunError> {
    let mut oracle = PytestOracle {
        lab,
        wanted,
        reproduces,
        problem,
        answers: Vec::new(),
        ahead: Vec::new(),
        error: None,
        shows,
    };
    let shrunk = shrink(problem, &mut oracle);
    match oracle.error {
        Some(error @ RunError::Interrupted) => Err(error),
        _ => Ok(shrunk),
    }
}
