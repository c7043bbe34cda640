//! Whether forks can be trusted: a sample of the suite is run in a fork and in a fresh process.

use crate::judge::Signature;
use crate::judge::observation::Fate;
use crate::limits::{FORK_ROUNDS, FORKED_SAMPLE};
use crate::plan::{OrderKind, Plan};
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::suite::TestIndex;
use crate::trial::Trial;

/// Compares a sample of a plan in suite order; gives up forks if a test differs each time.
///
/// # Errors
/// Those of the engine, or the user insists on forks.
pub(crate) fn check(lab: &mut Lab<'_>, suite_order: &Plan) -> Result<(), RunError> {
    let plan = sample(suite_order);
    let mut differing = plan.workers[0].clone();
    for _ in 0..FORK_ROUNDS {
        let trials = lab.probes(&[Job::fresh(&plan), Job::of(&plan)])?;
        let [fresh, forked] = trials.as_slice() else { break };
        differing.retain(|&test| match (seen(forked, test), seen(fresh, test)) {
            (Some(forked), Some(fresh)) => forked != fresh,
            _ => false,
        });
        if differing.is_empty() {
            break;
        }
    }
    let Some(&test) = differing.first() else {
        return Ok(());
    };
    let id = &lab.suite.test(test).id;
    lab.refuse_forks(&format!(
        "of {} tests that were run in a fork and in a fresh process, {} differ each time, {id} the first",
        plan.len(),
        differing.len()
    ))
}

/// Tests from all over a serial plan, in its order.
fn sample(plan: &Plan) -> Plan {
    let step = plan.len().div_ceil(FORKED_SAMPLE).max(1);
    let list: Vec<TestIndex> = plan.workers[0].iter().copied().step_by(step).collect();
    Plan { order: OrderKind::Explicit, workers: vec![list], ..plan.clone() }
}

/// How a test failed, if it did; nothing if it was not run, which tells nothing of forks.
fn seen(trial: &Trial, test: TestIndex) -> Option<Option<Signature>> {
    let run = trial.executions.iter().find(|run| run.test == test)?;
    (Fate::of(&run.outcome) != Fate::NotRun).then(|| Signature::of(test, &run.outcome))
}
