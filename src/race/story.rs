//! What a race comes down to: two or three calls, in the order that breaks.

use serde::{Deserialize, Serialize};

use crate::plan::WorkerId;
use crate::plan::schedule::Resource;
use crate::race::access::{Call, Step, StepKind};
use crate::suite::TestIndex;

/// One call of a story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who made it.
    pub worker: WorkerId,
    /// The test that ran there.
    pub test: TestIndex,
    /// The call.
    pub call: Call,
}

/// A race, told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// What both tests touch.
    pub resource: Resource,
    /// The calls that matter, in the order that breaks.
    pub turns: Vec<Turn>,
    /// Runs in fresh processes whose calls, or their order, were not the recorded ones.
    pub diverged: u32,
}

/// Tells what happened on a resource up to the failure on a worker: the failing worker's last call that
/// another's conflicts with, that call of the other's, and what the failing worker had done before.
/// Nothing if the steps show no such calls.
pub fn tell(steps: &[Step], failed: WorkerId, resource: &Resource) -> Option<Story> {
    let turns = turns(steps);
    let on: Vec<&Turn> = turns.iter().filter(|turn| turn.call.resource == *resource).collect();
    let conflict = |at: usize| {
        let conflicts = |other: &&Turn| other.worker != failed && other.call.conflicts_with(&on[at].call);
        let writes = |other: &&Turn| conflicts(other) && other.call.writes;
        on[..at].iter().rposition(writes).or_else(|| on[..at].iter().rposition(conflicts))
    };
    let (last, other) = (0..on.len())
        .rev()
        .filter(|&at| on[at].worker == failed)
        .find_map(|at| conflict(at).map(|other| (at, other)))?;
    let before = on[..other].iter().rposition(|turn| turn.worker == failed);
    let told = before.into_iter().chain([other, last]).map(|at| on[at].clone()).collect();
    Some(Story { resource: resource.clone(), turns: told, diverged: 0 })
}

/// Whether a test that ran out of time waited for something while the other did so, too: a deadlock.
pub fn is_deadlock(steps: &[Step], failed: WorkerId) -> bool {
    let end = steps.iter().position(|step| step.worker == failed && step.kind == StepKind::Ends);
    let before = &steps[..end.unwrap_or(steps.len())];
    let waits = |own: bool| {
        let last = before.iter().rfind(|step| (step.worker == failed) == own);
        last.is_some_and(|step| step.kind == StepKind::Waits)
    };
    waits(true) && waits(false)
}

/// The resources that a story can be told of, that of the failing worker's last calls first.
pub fn resources(steps: &[Step], failed: WorkerId) -> Vec<Resource> {
    let mut found: Vec<Resource> = Vec::new();
    for turn in turns(steps).iter().rev().filter(|turn| turn.worker == failed) {
        let resource = &turn.call.resource;
        if !found.contains(resource) && tell(steps, failed, resource).is_some() {
            found.push(resource.clone());
        }
    }
    found
}

/// What was done up to the failure on a worker. What follows it, in the test's clean-up or in its teardown, may
/// conflict as well, but is not what failed. All of it, if a story can be told of that only.
pub fn up_to_failure(steps: &[Step], failed: WorkerId, in_teardown: bool) -> &[Step] {
    let is_own = |step: &&Step| step.worker == failed;
    let teardown = steps.iter().position(|step| is_own(&step) && step.kind == StepKind::TearsDown);
    let phase = if in_teardown { steps } else { &steps[..teardown.unwrap_or(steps.len())] };
    let mut told = phase;
    while let Some(last) = last_clean_up(told, failed) {
        told = &told[..last];
    }
    let can_be_told = |steps: &&[Step]| !resources(steps, failed).is_empty();
    [told, phase].into_iter().find(can_be_told).unwrap_or(steps)
}

/// Where a worker's last call is, if it was made to clean up while an exception was being handled.
fn last_clean_up(steps: &[Step], worker: WorkerId) -> Option<usize> {
    let mut own = steps.iter().enumerate().rev().filter(|(_, step)| step.worker == worker);
    let (at, call) = own.find_map(|(at, step)| match &step.kind {
        StepKind::Calls(call) => Some((at, call)),
        _ => None,
    })?;
    // It may have been overtaken in between, or waited.
    let handled =
        own.map(|(_, step)| step).find(|step| matches!(step.kind, StepKind::Handles | StepKind::Calls(_)))?;
    (call.is_clean_up() && handled.kind == StepKind::Handles).then_some(at)
}

fn turns(steps: &[Step]) -> Vec<Turn> {
    let mut running: Vec<(WorkerId, TestIndex)> = Vec::new();
    let mut turns = Vec::new();
    for step in steps {
        match &step.kind {
            StepKind::Starts(test) => {
                running.retain(|(worker, _)| *worker != step.worker);
                running.push((step.worker, *test));
            }
            StepKind::Calls(call) => {
                let test = running.iter().find(|(worker, _)| *worker == step.worker);
                turns.extend(test.map(|&(worker, test)| Turn { worker, test, call: call.clone() }));
            }
            _ => {}
        }
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSER: WorkerId = WorkerId(0);
    const WINNER: WorkerId = WorkerId(1);

    fn calls(worker: WorkerId, call: &str, writes: bool) -> Step {
        let resource = Resource("file:a".into());
        Step {
            worker,
            kind: StepKind::Calls(Call { resource, call: call.into(), writes, at: None, by: None }),
        }
    }

    fn is(worker: WorkerId, kind: StepKind) -> Step {
        Step { worker, kind }
    }

    fn told(steps: &[Step], in_teardown: bool) -> Vec<String> {
        let steps = up_to_failure(steps, LOSER, in_teardown);
        let story = tell(steps, LOSER, &Resource("file:a".into())).expect("a story");
        story.turns.iter().map(|turn| format!("{} {}", turn.worker, turn.call.call)).collect()
    }

    fn lost() -> Vec<Step> {
        vec![
            is(LOSER, StepKind::Starts(TestIndex(0))),
            calls(LOSER, "open to write", true),
            is(WINNER, StepKind::Starts(TestIndex(1))),
            calls(WINNER, "remove", true),
            calls(LOSER, "open to read", false),
        ]
    }

    #[test]
    fn a_story_ends_with_the_call_that_failed_and_not_with_what_the_teardown_did() {
        let after = [is(LOSER, StepKind::TearsDown), calls(LOSER, "look at", false)];
        let steps = [lost(), after.to_vec()].concat();
        assert_eq!(told(&steps, false), ["gw0 open to write", "gw1 remove", "gw0 open to read"]);
        assert_eq!(told(&steps, true).last().map(String::as_str), Some("gw0 look at"));
    }

    #[test]
    fn a_story_does_not_end_with_a_clean_up_after_the_failure() {
        let handled = |call: &str| [is(LOSER, StepKind::Handles), calls(LOSER, call, true)];
        let steps = [lost(), handled("rollback").to_vec(), handled("close").to_vec()].concat();
        assert_eq!(told(&steps, false).last().map(String::as_str), Some("gw0 open to read"));
        let tried_again = [lost(), handled("open to write").to_vec()].concat();
        assert_eq!(told(&tried_again, false).last().map(String::as_str), Some("gw0 open to write"));
    }

    #[test]
    fn what_only_the_teardown_conflicts_on_is_told_of_it() {
        let all = lost();
        let steps = [&all[..1], &[is(LOSER, StepKind::TearsDown)], &all[1..]].concat();
        assert_eq!(told(&steps, false).last().map(String::as_str), Some("gw0 open to read"));
    }
}
