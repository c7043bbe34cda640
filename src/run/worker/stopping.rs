//! Trials whose only worker stops in the midst of its list, and others that go on from there.

use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::plan::WorkerId;
use crate::run::process::pytest::{Heard, Process};
use crate::run::site::trial_env::TrialEnv;
use crate::run::worker::progress::Worker;
use crate::run::worker::time_limits::TimeLimits;
use crate::run::worker::trial_run::{Launcher, Name, TrialRun};
use crate::run::{Job, RunError};
use crate::suite::{Suite, TestIndex};
use crate::trial::Trial;

/// Which part of its plan a trial runs.
pub(super) enum Course<'a> {
    /// All of it.
    Whole,
    /// What is before this place in the list of its only worker, which stops there.
    To(u32),
    /// What is left of the list of its only worker, in a process that goes on where this one had stopped.
    From(&'a Begun),
}

impl Course<'_> {
    /// A worker as the trial finds it.
    pub(super) fn worker(&self, id: WorkerId, list: Vec<TestIndex>) -> Worker {
        match self {
            Self::Whole | Self::To(_) => Worker::new(id, list),
            Self::From(begun) => begun.worker.going_on(list),
        }
    }

    /// Where its only worker is to stop, if it is.
    pub(super) fn stop(&self) -> Option<u32> {
        if let Self::To(place) = self { Some(*place) } else { None }
    }

    /// Whether the first process of its only worker has run what comes before.
    pub(super) fn goes_on(&self) -> bool {
        matches!(self, Self::From(_))
    }

    /// How long what was run before took.
    pub(super) fn before(&self) -> Duration {
        if let Self::From(begun) = self { begun.duration } else { Duration::ZERO }
    }
}

/// How far the only worker of a plan had come when it stopped.
#[derive(Debug)]
pub(crate) struct Begun {
    worker: Worker,
    duration: Duration,
}

/// A worker that has stopped, and forks on request.
pub(crate) struct StoppedWorker {
    /// How far it is.
    pub(crate) begun: Begun,
    /// Its process.
    pub(crate) process: Process,
    /// All that is heard of that from now on.
    pub(crate) heard: Receiver<(Name, Heard)>,
}

/// What a run came to that was to stop.
pub(crate) enum Ran {
    /// It has stopped.
    Stopped(Box<StoppedWorker>),
    /// It has run to its end, as any other, since its process was lost before, or for what the harness tells.
    Whole(Box<Trial>, Option<String>),
}

/// Runs a plan with one worker, which stops before the test at a place of its list.
///
/// # Errors
/// As those of [`run_trial`](crate::run::worker::trial_run::run_trial).
pub(crate) fn run_to(
    stop: u32,
    launcher: &dyn Launcher,
    suite: &Suite,
    job: Job<'_>,
    site: &TrialEnv,
    limits: TimeLimits<'_>,
) -> Result<Ran, RunError> {
    let mut run = TrialRun::new(launcher, suite, job, site, limits, Course::To(stop));
    let result = run.carry_out();
    if result.is_err() || !run.has_stopped() {
        let unfit = run.unfit.take();
        return Ok(Ran::Whole(Box::new(run.ended(result)?), unfit));
    }
    let TrialRun { mut workers, mut processes, receiver, start, .. } = run;
    let (Some(worker), Some(process)) = (workers.pop(), processes.pop().flatten()) else {
        return Err(RunError::Pytest("a plan without a worker was to stop".into()));
    };
    let begun = Begun { worker, duration: start.elapsed() };
    Ok(Ran::Stopped(Box::new(StoppedWorker { begun, process, heard: receiver })))
}

/// Runs a plan from where its worker had stopped; the trial is that of a whole run.
///
/// # Errors
/// As those of [`run_trial`](crate::run::worker::trial_run::run_trial), and if the worker cannot be forked.
pub(crate) fn run_from(
    begun: &Begun,
    launcher: &dyn Launcher,
    suite: &Suite,
    job: Job<'_>,
    site: &TrialEnv,
    limits: TimeLimits<'_>,
) -> Result<Trial, RunError> {
    let mut run = TrialRun::new(launcher, suite, job, site, limits, Course::From(begun));
    let result = run.carry_out();
    run.ended(result)
}
