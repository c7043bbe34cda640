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
