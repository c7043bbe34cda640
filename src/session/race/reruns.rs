//! Runs of schedules in search of one failure.

use std::time::Duration;

use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::judge::signature::Loss;
use crate::limits::{SCHEDULE_RUNS, SHORT_WAIT_MILLIS};
use crate::plan::schedule::Schedule;
use crate::plan::{Interleaving, Plan, WorkerId};
use crate::race::fairness::is_unfair;
use crate::race::{Step, trace};
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::session::suspect::Suspect;
use crate::suite::Phase;

/// A schedule of a plan that has one.
pub(crate) fn schedule_of(plan: &Plan) -> Option<&Schedule> {
    match &plan.interleaving {
        Interleaving::Controlled(schedule) => Some(schedule),
        _ => None,
    }
}

/// The plan under another schedule.
pub(crate) fn with_schedule(plan: &Plan, schedule: Schedule) -> Plan {
    Plan { interleaving: Interleaving::Controlled(schedule), ..plan.clone() }
}

/// Whether a failure is that the test did not end in time.
pub(crate) fn hangs(suspect: &Suspect) -> bool {
    suspect.signature.crash.loss() == Some(Loss::Timeout)
}

/// Runs of candidates in search of one failure.
pub(crate) struct Reruns {
    /// The failure.
    pub(crate) wanted: FailureMatcher,
    /// The worker on which it shows.
    pub(crate) worker: WorkerId,
    /// Whether it is one of a teardown, or may be: where a test is ended, its phase is not known.
    pub(crate) in_teardown: bool,
    /// How many runs there were.
    pub(crate) count: u32,
    /// How long each worker was held in the failing run in which the failing one was held least.
    pub(crate) held: Option<Vec<Duration>>,
    /// Whether a worker was held in a failing run while the other waited.
    pub(crate) unfair: bool,
    /// Whether a run in which that happens shows nothing of a candidate.
    pub(crate) fair_only: bool,
    /// How often a candidate must fail.
    again: u32,
}

impl Reruns {
    /// For a failure under a schedule.
    pub(crate) fn new(suspect: &Suspect) -> Self {
        Self {
            wanted: suspect.wanted(),
            worker: suspect.worker,
            in_teardown: suspect.signature.crash.phase == Phase::Teardown
                || suspect.signature.crash.file.is_empty(),
            count: 0,
            held: None,
            unfair: false,
            fair_only: false,
            // Each run of a test that hangs takes all of its time.
            again: if hangs(suspect) { 1 } else { SCHEDULE_RUNS },
        }
    }

    /// What was done in a run of the plan, if the failure showed.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn once(&mut self, lab: &mut Lab<'_>, plan: &Plan) -> Result<Option<Vec<Step>>, RunError> {
        self.count += 1;
        let trial = lab.probe(plan)?;
        if observe(&trial, &self.wanted) != Observation::Same {
            return Ok(None);
        }
        self.unfair |= is_unfair(&trial.steps);
        let own = |held: &[Duration]| held.get(self.worker.0 as usize).copied();
        if self.held.as_deref().is_none_or(|least| own(&trial.held) < own(least)) {
            self.held = Some(trial.held);
        }
        Ok(Some(trial.steps))
    }

    /// What was done up to the failure.
    pub(crate) fn up_to_failure<'a>(&self, steps: &'a [Step]) -> &'a [Step] {
        trace::up_to_failure(steps, self.worker, self.in_teardown)
    }

    /// Whether the failure shows each time of several.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn always(&mut self, lab: &mut Lab<'_>, plan: &Plan) -> Result<bool, RunError> {
        for _ in 0..self.again {
            let steps = self.once(lab, plan)?;
            if steps.is_none_or(|steps| self.fair_only && is_unfair(&steps)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the failure shows each time if nobody is held while another waits. A run in which somebody was,
    /// as it was noticed too late, shows nothing.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn impatiently(&mut self, lab: &mut Lab<'_>, plan: &Plan) -> Result<bool, RunError> {
        let Some(schedule) = schedule_of(plan) else {
            return Ok(true);
        };
        let hasty = with_schedule(plan, Schedule { patience: SHORT_WAIT_MILLIS, ..schedule.clone() });
        let fair_only = std::mem::replace(&mut self.fair_only, true);
        let shows = self.always(lab, &hasty);
        self.fair_only = fair_only;
        shows
    }
}
