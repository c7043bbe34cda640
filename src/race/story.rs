//! What a race comes down to: two or three calls, in the order that breaks.

use serde::{Deserialize, Serialize};

use crate::plan::WorkerId;
use crate::plan::schedule::Resource;
use crate::race::access::{Call, Step, StepKind};
use crate::race::delay::Delay;
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
    /// The folder it is in, as the harness names it, if tests make or remove that as well, or were seen to lose
    /// other files in it in the same way.
    pub folder: Option<String>,
    /// The calls that matter, in the order that breaks.
    pub turns: Vec<Turn>,
    /// The time that the other worker takes, if the order alone does not break it.
    pub delay: Option<Delay>,
    /// Runs in fresh processes whose calls, or their order, were not the recorded ones.
    pub diverged: u32,
}

impl Story {
    /// The lines that conflict, and what is done there: the other's, and the failing worker's last.
    pub fn conflict(&self) -> Vec<(&str, Option<&str>)> {
        let failed = self.turns.last().map(|turn| turn.worker);
        let other = self.turns.iter().rfind(|turn| Some(turn.worker) != failed);
        other
            .into_iter()
            .chain(self.turns.last())
            .map(|turn| (turn.call.call.as_str(), turn.call.at.as_deref()))
            .collect()
    }
}

/// Tells what happened on a resource up to the failure on a worker: the failing worker's last call that
/// another's conflicts with, that call of the other's, and what the failing worker had done before. If the
/// other's call may undo that, as it was decided on what was read earlier, that read as well. Nothing if the
/// steps show no such calls.
pub fn tell(steps: &[Step], failed: WorkerId, resource: &Resource) -> Option<Story> {
    let turns = turns(steps);
    let on: Vec<&Turn> =
        turns.iter().filter(|turn| turn.call.resource == *resource && !turn.call.idle).collect();
    let conflict = |at: usize| {
        let conflicts = |other: &&Turn| other.worker != failed && other.call.conflicts_with(&on[at].call);
        let writes = |other: &&Turn| conflicts(other) && other.call.writes;
        let seen = (0..at).rev().find(|&other| writes(&on[other]) && is_seen(&on, other, at));
        seen.or_else(|| on[..at].iter().rposition(writes)).or_else(|| on[..at].iter().rposition(conflicts))
    };
    let (last, other) = (0..on.len())
        .rev()
        .filter(|&at| on[at].worker == failed)
        .find_map(|at| conflict(at).map(|other| (at, other)))?;
    let before = own_before(&on[..other], failed, on[last].call.writes);
    let stale = stale_read(&on, other, failed);
    let mut told: Vec<usize> = stale.into_iter().chain(before).chain([other, last]).collect();
    told.sort_unstable();
    let turns = told.into_iter().map(|at| on[at].clone()).collect();
    Some(Story { resource: resource.clone(), folder: None, turns, delay: None, diverged: 0 })
}

/// Whether a change can be seen by what comes later: one in a transaction that ends after that only keeps others
/// from changing anything, unless they are kept from reading as well.
fn is_seen(on: &[&Turn], change: usize, later: usize) -> bool {
    let ends = |turn: &&Turn| turn.worker == on[change].worker && turn.call.ends_transaction();
    let statement = on[change].call.statement.as_deref();
    let waits_for_commit = statement.is_some_and(|statement| statement != "BEGIN EXCLUSIVE")
        && !on[change].call.ends_transaction()
        && !on[change..later].iter().any(ends)
        && on[later..].iter().any(ends);
    !(waits_for_commit && on[later].call.is_read())
}

/// What the failing worker did before it was disturbed: the read on which it then wrote, or the write of which
/// it then read, else its last call.
fn own_before(before: &[&Turn], failed: WorkerId, then_wrote: bool) -> Option<usize> {
    let last = |wanted: fn(&Call) -> bool| {
        before.iter().rposition(|turn| turn.worker == failed && wanted(&turn.call))
    };
    let fits = if then_wrote { last(Call::is_read) } else { last(|call| call.writes) };
    fits.or_else(|| last(|_| true))
}

/// Where the worker that made a change had read the resource, if the failing one changed it since: the change
/// was decided on what is out of date, and that of the failing one is lost.
fn stale_read(on: &[&Turn], change: usize, failed: WorkerId) -> Option<usize> {
    let winner = on[change].worker;
    let read = on[..change].iter().rposition(|turn| turn.worker == winner && turn.call.is_read())?;
    let lost = on[read..change].iter().any(|turn| turn.worker == failed && turn.call.writes);
    (on[change].call.writes && lost).then_some(read)
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
            kind: StepKind::Calls(Call {
                resource,
                call: call.into(),
                writes,
                idle: false,
                statement: None,
                at: None,
                by: None,
            }),
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
    fn what_does_nothing_to_the_resource_is_no_part_of_the_story() {
        let mut idle = calls(LOSER, "rollback", false);
        if let StepKind::Calls(call) = &mut idle.kind {
            call.idle = true;
        }
        let steps = [lost(), vec![calls(WINNER, "open to write", true), idle]].concat();
        assert_eq!(told(&steps, false), ["gw0 open to write", "gw1 remove", "gw0 open to read"]);
    }

    #[test]
    fn what_is_read_was_changed_by_a_commit_and_not_by_what_is_still_to_be_committed() {
        let execute = |worker, statement: &str, writes| {
            let mut step = calls(worker, "execute", writes);
            if let StepKind::Calls(call) = &mut step.kind {
                call.statement = Some(statement.into());
            }
            step
        };
        let changed = |statement: &str| {
            vec![
                is(LOSER, StepKind::Starts(TestIndex(0))),
                is(WINNER, StepKind::Starts(TestIndex(1))),
                execute(WINNER, "INSERT", true),
                calls(WINNER, "commit", true),
                execute(WINNER, statement, true),
                execute(LOSER, "SELECT", false),
            ]
        };
        let committed_later = |statement| [changed(statement), vec![calls(WINNER, "commit", true)]].concat();
        assert_eq!(told(&committed_later("DELETE"), false)[0], "gw1 commit");
        assert_eq!(told(&committed_later("BEGIN EXCLUSIVE"), false)[0], "gw1 execute");
        assert_eq!(
            told(&changed("DELETE"), false)[0],
            "gw1 execute",
            "each statement was committed by itself"
        );
    }

    #[test]
    fn a_lost_update_is_told_from_the_stale_read_on() {
        let starts = |worker, test| is(worker, StepKind::Starts(TestIndex(test)));
        let overwritten = [
            starts(LOSER, 0),
            starts(WINNER, 1),
            calls(WINNER, "look at", false),
            calls(WINNER, "read", false),
            calls(LOSER, "read", false),
            calls(LOSER, "write", true),
            calls(WINNER, "write", true),
            calls(LOSER, "read", false),
        ];
        assert_eq!(told(&overwritten, false), ["gw1 read", "gw0 write", "gw1 write", "gw0 read"]);
        let created_meanwhile = [
            starts(LOSER, 0),
            starts(WINNER, 1),
            calls(LOSER, "look at", false),
            calls(LOSER, "lock", true),
            calls(WINNER, "create", true),
            calls(LOSER, "create", true),
        ];
        assert_eq!(told(&created_meanwhile, false), ["gw0 look at", "gw1 create", "gw0 create"]);
        // What was read after the failing worker's change is up to date.
        let on_purpose = [
            starts(LOSER, 0),
            starts(WINNER, 1),
            calls(LOSER, "write", true),
            calls(WINNER, "read", false),
            calls(WINNER, "write", true),
            calls(LOSER, "read", false),
        ];
        assert_eq!(told(&on_purpose, false), ["gw0 write", "gw1 write", "gw0 read"]);
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
