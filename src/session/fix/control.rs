//! The project without a patch, in a copy as well: what it shows is compared with what a patched copy does, so that
//! nothing is laid to a patch that the copying did.

use std::ops::ControlFlow;
use std::path::Path;

use crate::explain::fix::Edit;
use crate::plan::Plan;
use crate::run::engine::Collect;
use crate::run::project::copy::Copy;
use crate::run::{Engine, Job, RunError};
use crate::session::fix::patched::left_by;
use crate::session::fix::search::for_project_copy;
use crate::session::lab::Lab;
use crate::state::Changed;
use crate::suite::Suite;
use crate::trial::Trial;

/// No change.
const NONE: [Edit; 0] = [];

/// A copy that is made once it is asked for.
pub(crate) struct Control<'a> {
    rootdir: &'a Path,
    /// The engine goes before the folder it runs in.
    place: Option<(Box<dyn Engine>, Copy)>,
    /// What was run so far, and whether in fresh processes.
    known: Vec<(Plan, bool, Trial)>,
    /// What was left changed so far.
    left: Vec<(Plan, Trial, Changed)>,
}

impl<'a> Control<'a> {
    /// A control of the project in this folder.
    pub(crate) fn new(rootdir: &'a Path) -> Self {
        Self { rootdir, place: None, known: Vec::new(), left: Vec::new() }
    }

    /// What a plan shows. A plan that was run before is not run again.
    ///
    /// # Errors
    /// It cannot be run, or the run was interrupted.
    pub(crate) fn trial(&mut self, lab: &Lab<'_>, plan: &Plan, fresh: bool) -> Result<Trial, RunError> {
        let known = self.known.iter().find(|(known, how, _)| (known, *how) == (plan, fresh));
        if let Some((_, _, trial)) = known {
            return Ok(trial.clone());
        }
        let trial = self.again(lab, plan, fresh)?;
        self.known.push((plan.clone(), fresh, trial.clone()));
        Ok(trial)
    }

    /// Runs plans in fresh processes that will be asked about, side by side.
    ///
    /// # Errors
    /// As those of [`Control::trial`].
    pub(crate) fn run_ahead(&mut self, lab: &Lab<'_>, plans: &[Plan]) -> Result<(), RunError> {
        let jobs: Vec<Job<'_>> = plans.iter().map(Job::fresh).collect();
        let mut ran = Vec::new();
        self.engine(lab)?.run_all(lab.suite, &jobs, &mut |at, trial| {
            ran.push((plans[at].clone(), true, trial));
            ControlFlow::Continue(())
        })?;
        self.known.append(&mut ran);
        Ok(())
    }

    /// What a plan shows when it is run now.
    ///
    /// # Errors
    /// As those of [`Control::trial`].
    pub(crate) fn again(&mut self, lab: &Lab<'_>, plan: &Plan, fresh: bool) -> Result<Trial, RunError> {
        self.engine(lab)?.run(lab.suite, Job { fresh, ..Job::of(plan) })
    }

    /// What is left changed in a fresh process of whatever a plan runs.
    ///
    /// # Errors
    /// As those of [`Control::trial`].
    pub(crate) fn left(&mut self, lab: &Lab<'_>, plan: &Plan) -> Result<(Trial, Changed), RunError> {
        if let Some((_, trial, changed)) = self.left.iter().find(|(known, ..)| known == plan) {
            return Ok((trial.clone(), changed.clone()));
        }
        let found = left_by(self.engine(lab)?, lab.suite, plan)?;
        self.left.push((plan.clone(), found.0.clone(), found.1.clone()));
        Ok(found)
    }

    /// What is collected.
    ///
    /// # Errors
    /// As those of [`Control::trial`].
    pub(crate) fn collect(&mut self, lab: &Lab<'_>, hash_seed: u32) -> Result<Suite, RunError> {
        Ok(self.engine(lab)?.collect(Collect::kept(hash_seed))?.suite)
    }

    fn engine(&mut self, lab: &Lab<'_>) -> Result<&mut dyn Engine, RunError> {
        let place = match self.place.take() {
            Some(place) => place,
            None => {
                let (copy, engine) = for_project_copy(lab, self.rootdir, &NONE)?
                    .map_err(|why| RunError::Pytest(why.into()))?;
                (engine, copy)
            }
        };
        Ok(&mut *self.place.insert(place).0)
    }
}
