//! Running one plan again.

use std::sync::Arc;

use crate::finding::Origin;
use crate::judge::Tally;
use crate::judge::observation::{FailureMatcher, is_expected_to_fail, observe};
use crate::plan::{Interleaving, Plan};
use crate::race::access::recorded;
use crate::run::RunError;
use crate::session::agenda::Agenda;
use crate::session::lab::Lab;
use crate::session::stress::baseline;
use crate::session::suspect::{Suspect, suspects};

/// What the runs of a plan showed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replayed {
    /// How many runs told, and in how many the wanted failure (or any, if none is wanted) showed.
    pub(crate) tally: Tally,
    /// Runs in which the wanted test was skipped, expected to fail, or not run, so that they do not tell.
    pub(crate) silent: u32,
    /// The failures, each as it was first seen, with the number of runs it showed in.
    pub(crate) failures: Vec<(Suspect, u32)>,
    /// Runs of a controlled plan whose calls on shared resources, or their order, were not the recorded
    /// ones; those of the first run, if none are recorded.
    pub(crate) diverged: u32,
    /// Those of the failures that were to be judged and were not.
    pub(crate) unjudged: Vec<Suspect>,
    /// What ended the runs, or the judging, before all was done.
    pub(crate) ended: Option<Arc<RunError>>,
}

/// Runs a plan some times.
///
/// # Errors
/// Those of the engine.
pub(crate) fn replay(
    lab: &mut Lab<'_>,
    plan: &Plan,
    wanted: Option<&FailureMatcher>,
    times: u32,
) -> Result<Replayed, RunError> {
    let mut replayed = Replayed::default();
    let mut calls = match &plan.interleaving {
        Interleaving::Controlled(schedule) if !schedule.calls.is_empty() => Some(schedule.calls.clone()),
        _ => None,
    };
    for _ in 0..times {
        let trial = match lab.trial(Origin::Replay, plan) {
            // What was seen before is told.
            Err(error) if replayed.tally.runs > 0 => {
                replayed.ended = Some(Arc::new(error));
                break;
            }
            trial => trial?,
        };
        let made = recorded(&trial.steps);
        replayed.diverged += u32::from(*calls.get_or_insert_with(|| made.clone()) != made);
        let failed = suspects(Origin::Replay, plan, &trial);
        let shown = match wanted {
            Some(wanted) if is_expected_to_fail(&trial, wanted) => None,
            Some(wanted) => observe(&trial, wanted).shown(),
            None => Some(!failed.is_empty()),
        };
        match shown {
            Some(failed) => replayed.tally.add(failed),
            None => replayed.silent += 1,
        }
        for suspect in failed {
            match replayed.failures.iter_mut().find(|(known, _)| known.signature == suspect.signature) {
                Some((_, runs)) => *runs += 1,
                None => replayed.failures.push((suspect, 1)),
            }
        }
    }
    Ok(replayed)
}

/// Judges, shrinks and explains what a replay showed. The suite is run in suite order before, since a brittle
/// test is told from a broken one by a run in which it passes. What ends this before all is judged is noted beside
/// what was found by then.
pub(crate) fn explain(lab: &mut Lab<'_>, mut agenda: Agenda<'_>, plan: &Plan, replayed: &mut Replayed) {
    lab.book_mut().take_in(replayed.failures.iter().map(|(suspect, _)| suspect.clone()));
    if replayed.ended.is_none() {
        let suite_order = baseline::suite_order(lab.suite, plan.seed, plan.hash_seed);
        let judged = lab
            .trial(Origin::Baseline, &suite_order)
            .and_then(|_| agenda.judge_and_explain(lab))
            .and_then(|()| agenda.fix(lab));
        agenda.give_up(lab);
        replayed.ended = judged.err().map(Arc::new);
    }
    replayed.unjudged = lab.book().unjudged();
}
