//! Whether a failure under a schedule is none of a race: it shows without any overlap of the workers, or it is
//! of jostle's making, since a worker was held.
//!
//! A schedule is an order of calls, and any order may come about by itself. What no machine brings about is the
//! time that jostle takes for it. So a failure is an artefact if it follows from the time alone: if the test
//! fails, too, when it is held for as long and nobody comes between its calls; or if a worker waited for
//! one that was held, and the failure is gone once the held one may go on meanwhile.

use std::time::Duration;

use crate::judge::Tally;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::FAIR_DELAY;
use crate::plan::WorkerId;
use crate::plan::schedule::{Schedule, Switch};
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::session::race::pairs::Judged;
use crate::session::race::reruns::{Reruns, schedule_of, with_schedule};
use crate::session::suspect::Suspect;

/// What shows that a failure is no race, if something does.
///
/// # Errors
/// Those of the engine.
pub(crate) fn not_a_race(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    runs: &mut Reruns,
    without: &mut Tally,
) -> Result<Option<Judged>, RunError> {
    if fails_without_overlap(lab, suspect, false, without)? {
        return Ok(Some(Judged::Serial));
    }
    if !runs.always(lab, &suspect.plan)? {
        return Ok(Some(Judged::Unsteady));
    }
    runs.fair_only = !runs.unfair;
    if fails_when_paused(lab, suspect, runs)? {
        return Ok(Some(Judged::Late));
    }
    Ok((runs.unfair && !runs.impatiently(lab, &suspect.plan)?).then_some(Judged::Held))
}

/// Whether the test does not pass alone, or not with the workers one after the other. `without` counts in
/// how often it failed; a run in which it was skipped tells of no failure.
///
/// # Errors
/// Those of the engine.
pub(crate) fn fails_without_overlap(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    fresh: bool,
    without: &mut Tally,
) -> Result<bool, RunError> {
    let test = suspect.signature.test;
    let alone = lab.alone(&suspect.plan, test, suspect.plan.random_seed);
    let one_after_the_other = |first| with_schedule(&suspect.plan, Schedule::sequential(WorkerId(first)));
    let plans = [alone, one_after_the_other(0), one_after_the_other(1)];
    let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job { fresh, ..Job::of(plan) }).collect();
    let mut fails = false;
    for trial in lab.probes(&jobs)? {
        let failed = observe(&trial, &FailureMatcher::Failure(test)).shown();
        failed.into_iter().for_each(|failed| without.add(failed));
        fails |= failed != Some(false);
    }
    Ok(fails)
}

/// Whether the test fails for the mere delay, its own or the other's: with the delayed worker first, and
/// paused where it was overtaken, and after its sleeps, for as long as it was held in all.
fn fails_when_paused(lab: &mut Lab<'_>, suspect: &Suspect, runs: &Reruns) -> Result<bool, RunError> {
    let Some(schedule) = schedule_of(&suspect.plan) else {
        return Ok(false);
    };
    for (delayed, held) in delays(suspect.worker, runs.held.as_deref().unwrap_or_default()) {
        let trial = lab.probe(&with_schedule(&suspect.plan, paused(schedule, delayed, held)))?;
        if observe(&trial, &FailureMatcher::Failure(suspect.signature.test)) != Observation::Passed {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the test fails for the time alone that a worker takes where it was overtaken, with nobody in between.
///
/// # Errors
/// Those of the engine.
pub(crate) fn fails_paused_for(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    worker: WorkerId,
    milliseconds: u32,
) -> Result<bool, RunError> {
    let Some(schedule) = schedule_of(&suspect.plan) else {
        return Ok(false);
    };
    let schedule = paused(schedule, worker, Duration::from_millis(milliseconds.into()));
    let trial = lab.probe(&with_schedule(&suspect.plan, schedule))?;
    Ok(observe(&trial, &FailureMatcher::Failure(suspect.signature.test)) != Observation::Passed)
}

/// For how long each worker is to be delayed, that of the failing test first. Others only if they were held
/// for longer than may be anywhere.
fn delays(failing: WorkerId, held: &[Duration]) -> Vec<(WorkerId, Duration)> {
    let of = |worker: u32| (WorkerId(worker), held.get(worker as usize).copied().unwrap_or_default());
    let others =
        (0..held.len() as u32).map(of).filter(|&(worker, held)| worker != failing && held > FAIR_DELAY);
    let (_, own) = of(failing.0);
    std::iter::once((failing, own.max(FAIR_DELAY))).chain(others).collect()
}

/// The schedule of a run in which a worker is delayed where it was overtaken, and nobody comes in between.
fn paused(schedule: &Schedule, delayed: WorkerId, held: Duration) -> Schedule {
    let own = |switch: &&Switch| switch.worker == delayed;
    Schedule {
        first: delayed,
        pause: u32::try_from(held.as_millis()).unwrap_or(u32::MAX),
        delay: 0,
        switches: schedule.switches.iter().filter(own).copied().collect(),
        ..schedule.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::plan::schedule::Resource;

    #[test]
    fn each_worker_is_delayed_where_it_was_overtaken_and_for_as_long_as_it_was_held() {
        let (one, other) = (WorkerId(0), WorkerId(1));
        let long = Duration::from_millis(90);
        assert_eq!(delays(one, &[Duration::ZERO, Duration::from_millis(2)]), [(one, FAIR_DELAY)]);
        assert_eq!(delays(other, &[long, long]), [(other, long), (one, long)]);
        let switches =
            [(one, 3, other), (other, 1, one)].map(|(worker, point, to)| Switch { worker, point, to });
        let at = BTreeSet::from([Resource("file:a".into())]);
        let schedule = Schedule { switches: switches.into(), ..Schedule::undisturbed(one, at) };
        let paused = paused(&schedule, other, long);
        assert!(paused.is_sequential());
        assert_eq!((paused.first, paused.pause, &*paused.switches), (other, 90, &switches[1..]));
    }
}
