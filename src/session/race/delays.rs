//! Failures that show only while a worker takes longer than the suite itself waits: how long that is, measured by
//! runs in which the worker stands still in the middle of its calls.
//!
//! What is told was seen: in each run of several, in fresh processes too, the test had failed while the other worker
//! was between the two calls, which took as long as is told or longer; and with the shorter time that is told it passed
//! each time. It passes alone, with the workers one after the other, and with nobody in between though the other one is
//! as slow.

use crate::finding::{Finding, Kind, Minimal};
use crate::judge::Tally;
use crate::judge::observation::{Observation, observe};
use crate::limits::{COMMON_DELAY, DELAY_RUNS, RACE_CONFIRMATIONS};
use crate::plan::schedule::{Schedule, Switch};
use crate::plan::{Plan, WorkerId};
use crate::race::Call;
use crate::race::delay::{Delay, Found, LONGEST, Next, Search, Shown, between, shortest, took};
use crate::race::trace::{self, Trace};
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::session::race::probe_effect::{fails_paused_for, fails_without_overlap};
use crate::session::race::reruns::{Reruns, schedule_of, with_schedule};
use crate::session::suspect::Suspect;
use crate::trial::Trial;

/// What was found of a failure that showed under a delay.
pub enum Measured {
    /// It shows if the other worker takes as long as a busy machine may make it.
    Race(Box<Finding>),
    /// It shows if it takes longer than that.
    Long(Box<Finding>),
    /// It shows without any delay, or the test fails without an overlap as well, or not each time.
    Nothing,
}

/// The plans in which each worker in turn is overtaken where a schedule says, and is delayed there.
pub(crate) fn delayed(plan: &Plan) -> Vec<Plan> {
    let Some(schedule) = schedule_of(plan).filter(|schedule| !schedule.is_sequential()) else {
        return Vec::new();
    };
    let only = |switch: &Switch| Schedule {
        first: switch.worker,
        switches: vec![*switch],
        ..Schedule { calls: Vec::new(), ..schedule.clone() }
    };
    schedule.switches.iter().map(|switch| delayed_by(&with_schedule(plan, only(switch)), LONGEST)).collect()
}

fn delayed_by(plan: &Plan, delay: u32) -> Plan {
    match schedule_of(plan) {
        Some(schedule) => with_schedule(plan, Schedule { delay, ..schedule.clone() }),
        None => plan.clone(),
    }
}

/// Finds out how long it takes for a failure to show that was seen under the longest delay.
///
/// # Errors
/// Those of the engine.
pub(crate) fn measure(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Measured, RunError> {
    let mut without = Tally::default();
    let mut runs = Reruns::new(suspect);
    let Some(held) = held(suspect) else {
        return Ok(Measured::Nothing);
    };
    if fails_without_overlap(lab, suspect, false, &mut without)? {
        return Ok(Measured::Nothing);
    }
    let in_forks = lab.probes(&vec![Job::of(&suspect.plan); DELAY_RUNS as usize])?;
    let mut seen = all_shown(&in_forks, &runs, held);
    let traced = in_forks.first().and_then(|trial| traced(trial, &runs, held));
    let Some((trace, (after, before))) = traced.filter(|_| shortest(&seen).is_some()) else {
        return Ok(Measured::Nothing);
    };
    let fresh = lab.probes(&vec![Job::fresh(&suspect.plan); RACE_CONFIRMATIONS])?;
    let mut with = Tally::default();
    fresh.iter().for_each(|trial| with.add(observe(trial, &runs.wanted) == Observation::Same));
    seen.extend(all_shown(&fresh, &runs, held));
    let Some(fails) = shortest(&seen) else {
        return Ok(Measured::Nothing);
    };
    let Some(found) = search(lab, suspect, &mut runs, held, fails)? else {
        return Ok(Measured::Nothing);
    };
    if fails_paused_for(lab, suspect, held, found.fails)?
        || fails_without_overlap(lab, suspect, true, &mut without)?
    {
        return Ok(Measured::Nothing);
    }
    let delay = Delay { milliseconds: found.fails, passes: found.passes, after, before };
    let trace = Trace { delay: Some(delay), ..trace };
    let finding = Box::new(finding(suspect, runs.count, trace, (with, without)));
    Ok(if found.fails <= COMMON_DELAY { Measured::Race(finding) } else { Measured::Long(finding) })
}

/// A delay that suffices for a failure, as runs in forks show it; nothing if it did not show in each of them while
/// the other worker was delayed.
///
/// # Errors
/// Those of the engine.
pub(crate) fn suffices(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<u32>, RunError> {
    let Some(held) = held(suspect) else {
        return Ok(None);
    };
    let trials = lab.probes(&vec![Job::of(&suspect.plan); DELAY_RUNS as usize])?;
    Ok(shortest(&all_shown(&trials, &Reruns::new(suspect), held)))
}

/// The worker that is delayed, if the failure is not its own.
fn held(suspect: &Suspect) -> Option<WorkerId> {
    let overtaken = schedule_of(&suspect.plan)?.switches.first()?.worker;
    (overtaken != suspect.worker).then_some(overtaken)
}

fn search(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    runs: &mut Reruns,
    held: WorkerId,
    fails: u32,
) -> Result<Option<Found>, RunError> {
    let mut search = Search::new(fails);
    loop {
        match search.next() {
            Next::Done(found) => return Ok(found),
            Next::Try(delay) => {
                runs.count += 1;
                let trial = lab.probe(&delayed_by(&suspect.plan, delay))?;
                search.add(shown(&trial, runs, held, delay));
            }
        }
    }
}

fn shown(trial: &Trial, runs: &Reruns, held: WorkerId, delay: u32) -> Shown {
    match observe(trial, &runs.wanted) {
        Observation::Same => {
            took(&trial.steps, held, delay, runs.in_teardown).map_or(Shown::Unclear, Shown::Fails)
        }
        Observation::Passed => Shown::Passes,
        Observation::Other | Observation::Unknown => Shown::Unclear,
    }
}

fn all_shown(trials: &[Trial], runs: &Reruns, held: WorkerId) -> Vec<Shown> {
    trials.iter().map(|trial| shown(trial, runs, held, LONGEST)).collect()
}

/// What happens in a failing run, and between which calls the other worker stands still.
fn traced(trial: &Trial, runs: &Reruns, held: WorkerId) -> Option<(Trace, (Call, Call))> {
    let steps = runs.up_to_failure(&trial.steps);
    let resource = trace::resources(steps, runs.worker).into_iter().next()?;
    trace::trace(steps, runs.worker, &resource).zip(between(&trial.steps, held))
}

fn finding(suspect: &Suspect, calls: u32, trace: Trace, (with, without): (Tally, Tally)) -> Finding {
    let test = suspect.signature.test;
    let plan = suspect.plan.clone();
    let culprits = plan.workers.iter().flatten().copied().filter(|&other| other != test).collect();
    Finding {
        signature: Some(suspect.signature.clone()),
        failure: suspect.failure.clone(),
        plan: Some(suspect.plan.clone()),
        shrunk: Some(Minimal { plan, culprits, imports: Vec::new(), one_minimal: true, calls }),
        with,
        without,
        trace: Some(trace),
        ..Finding::new(Kind::Race, Some(test), suspect.origin)
    }
}
