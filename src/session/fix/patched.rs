//! A copy of the project with a patch, and what was run in it so far: where one copy holds several fixes, a trial of it
//! speaks of each of them.

use std::ops::ControlFlow;

use crate::plan::Plan;
use crate::run::engine::Collect;
use crate::run::{Engine, Job, RunError};
use crate::state::{Changed, Instructions};
use crate::suite::Suite;
use crate::trial::Trial;

/// A patched copy.
pub(crate) struct Patched<'a> {
    /// Runs it.
    pub(crate) engine: &'a mut dyn Engine,
    collected: Vec<(u32, Suite)>,
    /// What was run so far, and whether in fresh processes.
    known: Vec<(Plan, bool, Trial)>,
}

impl<'a> Patched<'a> {
    /// A copy that this engine runs, of which nothing is known yet.
    pub(crate) fn new(engine: &'a mut dyn Engine) -> Self {
        Self { engine, collected: Vec::new(), known: Vec::new() }
    }

    /// What is collected under a hash seed.
    ///
    /// # Errors
    /// It cannot be collected, or the run was interrupted.
    pub(crate) fn collect(&mut self, hash_seed: u32) -> Result<Suite, RunError> {
        if let Some((_, suite)) = self.collected.iter().find(|(known, _)| *known == hash_seed) {
            return Ok(suite.clone());
        }
        let suite = self.engine.collect(Collect::kept(hash_seed))?.suite;
        self.collected.push((hash_seed, suite.clone()));
        Ok(suite)
    }

    /// What plans show, in their order, up to the first after which no more are asked for. A plan that was run before is
    /// not run again.
    ///
    /// # Errors
    /// They cannot be run, or the run was interrupted.
    pub(crate) fn trials(
        &mut self,
        suite: &Suite,
        plans: &[Plan],
        fresh: bool,
        mut goes_on: impl FnMut(&Plan, &Trial) -> bool,
    ) -> Result<Vec<Trial>, RunError> {
        let mut trials = Vec::new();
        for plan in plans {
            let Some(trial) = self.known(plan, fresh) else { break };
            let more = goes_on(plan, trial);
            trials.push(trial.clone());
            if !more {
                return Ok(trials);
            }
        }
        let unknown = &plans[trials.len()..];
        if unknown.is_empty() {
            return Ok(trials);
        }
        let Self { engine, known, .. } = self;
        let jobs: Vec<Job<'_>> = unknown.iter().map(|plan| Job { fresh, ..Job::of(plan) }).collect();
        engine.run_all(suite, &jobs, &mut |at, trial| {
            let more = goes_on(&unknown[at], &trial);
            known.push((unknown[at].clone(), fresh, trial.clone()));
            trials.push(trial);
            if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(trials)
    }

    /// What a plan shows when it is run now.
    ///
    /// # Errors
    /// As those of [`Patched::trials`].
    pub(crate) fn again(&mut self, suite: &Suite, plan: &Plan, fresh: bool) -> Result<Trial, RunError> {
        self.engine.run(suite, Job { fresh, ..Job::of(plan) })
    }

    /// What is left changed in a fresh process of whatever a plan runs.
    ///
    /// # Errors
    /// As those of [`Patched::trials`].
    pub(crate) fn left(&mut self, suite: &Suite, plan: &Plan) -> Result<(Trial, Changed), RunError> {
        left_by(self.engine, suite, plan)
    }

    fn known(&self, plan: &Plan, fresh: bool) -> Option<&Trial> {
        self.known.iter().find(|(known, how, _)| (known, *how) == (plan, fresh)).map(|(_, _, trial)| trial)
    }
}

/// What is left changed in a fresh process of whatever a plan runs.
///
/// # Errors
/// Those of the engine.
pub(super) fn left_by(
    engine: &mut dyn Engine,
    suite: &Suite,
    plan: &Plan,
) -> Result<(Trial, Changed), RunError> {
    let instructions = Instructions { left: true, ..Instructions::default() };
    let mut trial = engine.run(suite, Job { instructions: Some(&instructions), ..Job::fresh(plan) })?;
    let changed = trial.changed.take().unwrap_or_default();
    Ok((trial, changed))
}
