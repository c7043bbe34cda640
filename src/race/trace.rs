//! The interleaving trace of a race: the two or three calls that matter, in the order that breaks.

use serde::{Deserialize, Serialize};

use crate::plan::WorkerId;
use crate::plan::schedule::Resource;
use crate::race::access::{Call, Step, StepKind};
use crate::race::delay::Delay;
use crate::race::operation::Operation;
use crate::suite::TestIndex;

/// One call of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TracedCall {
    /// Who made it.
    pub worker: WorkerId,
    /// The test that ran there.
    pub test: TestIndex,
    /// The call.
    pub call: Call,
}

/// What a race comes down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// What both tests touch.
    pub resource: Resource,
    /// The folder it is in, as the harness names it, if tests make or remove that as well, or were seen to lose
    /// other files in it in the same way.
    pub folder: Option<String>,
    /// The calls that matter, in the order that breaks.
    pub calls: Vec<TracedCall>,
    /// The time that the other worker takes, if the order alone does not break it.
    pub delay: Option<Delay>,
    /// Runs in fresh processes whose calls, or their order, were not the recorded ones.
    pub(crate) diverged: u32,
}

impl Trace {
    /// The lines that conflict, and what is done there: the other's, and the failing worker's last.
    pub fn conflict(&self) -> Vec<(Operation, Option<&str>)> {
        let failed = self.calls.last().map(|call| call.worker);
        let other = self.calls.iter().rfind(|call| Some(call.worker) != failed);
        other
            .into_iter()
            .chain(self.calls.last())
            .map(|made| (made.call.operation, made.call.at.as_deref()))
            .collect()
    }
}

/// The trace of what happened on a resource up to the failure on a worker: the failing worker's last call that
/// another's conflicts with, that call of the other's, and what the failing worker had done before. If the
/// other's call may undo that, as it was decided on what was read earlier, that read as well. Nothing if the
/// steps show no such calls.
pub(crate) fn trace(steps: &[Step], failed: WorkerId, resource: &Resource) -> Option<Trace> {
    let calls = calls(steps);
    let on: Vec<&TracedCall> =
        calls.iter().filter(|made| made.call.resource == *resource && !made.call.idle).collect();
    let conflict = |at: usize| {
        let conflicts =
            |other: &&TracedCall| other.worker != failed && other.call.conflicts_with(&on[at].call);
        let writes = |other: &&TracedCall| conflicts(other) && other.call.writes;
        // Who makes a table is in the way of who makes it, and not who fills it afterwards.
        let defines = |other: &&TracedCall| on[at].call.defines() && other.call.defines() && writes(other);
        let seen = (0..at).rev().find(|&other| writes(&on[other]) && is_seen(&on, other, at));
        let last = |fits: &dyn Fn(&&TracedCall) -> bool| on[..at].iter().rposition(fits);
        last(&defines).or(seen).or_else(|| last(&writes)).or_else(|| last(&conflicts))
    };
    let (last, other) = (0..on.len())
        .rev()
        .filter(|&at| on[at].worker == failed)
        .find_map(|at| conflict(at).map(|other| (at, other)))?;
    let before = own_before(&on[..other], failed, on[last].call.writes);
    let stale = stale_read(&on, other, failed);
    let mut matter: Vec<usize> = stale.into_iter().chain(before).chain([other, last]).collect();
    matter.sort_unstable();
    let calls = matter.into_iter().map(|at| on[at].clone()).collect();
    Some(Trace { resource: resource.clone(), folder: None, calls, delay: None, diverged: 0 })
}

/// Whether a change can be seen by what comes later: one in a transaction that ends after that only keeps others
/// from changing anything, unless they are kept from reading as well.
fn is_seen(on: &[&TracedCall], change: usize, later: usize) -> bool {
    let ends = |made: &&TracedCall| made.worker == on[change].worker && made.call.ends_transaction();
    let statement = on[change].call.statement.as_deref();
    let waits_for_commit = statement.is_some_and(|statement| statement != "BEGIN EXCLUSIVE")
        && !on[change].call.ends_transaction()
        && !on[change..later].iter().any(ends)
        && on[later..].iter().any(ends);
    !(waits_for_commit && on[later].call.is_read())
}

/// What the failing worker did before it was disturbed: the read on which it then wrote, or the write of which
/// it then read, else its last call.
fn own_before(before: &[&TracedCall], failed: WorkerId, then_wrote: bool) -> Option<usize> {
    let last = |wanted: fn(&Call) -> bool| {
        before.iter().rposition(|made| made.worker == failed && wanted(&made.call))
    };
    let fits = if then_wrote { last(Call::is_read) } else { last(|call| call.writes) };
    fits.or_else(|| last(|_| true))
}

/// Where the worker that made a change had read the resource, if the failing one changed it since: the change
/// was decided on what is out of date, and that of the failing one is lost.
fn stale_read(on: &[&TracedCall], change: usize, failed: WorkerId) -> Option<usize> {
    let winner = on[change].worker;
    let read = on[..change].iter().rposition(|made| made.worker == winner && made.call.is_read())?;
    let lost = on[read..change].iter().any(|made| made.worker == failed && made.call.writes);
    (on[change].call.writes && lost).then_some(read)
}

/// Whether a test that ran out of time waited for something while the other did so, too: a deadlock.
pub(crate) fn is_deadlock(steps: &[Step], failed: WorkerId) -> bool {
    let end = steps.iter().position(|step| step.worker == failed && step.kind == StepKind::Ends);
    let before = &steps[..end.unwrap_or(steps.len())];
    let waits = |own: bool| {
        let last = before.iter().rfind(|step| (step.worker == failed) == own);
        last.is_some_and(|step| step.kind == StepKind::Waits)
    };
    waits(true) && waits(false)
}

/// The resources of which there is a trace, that of the failing worker's last calls first.
pub(crate) fn resources(steps: &[Step], failed: WorkerId) -> Vec<Resource> {
    let mut found: Vec<Resource> = Vec::new();
    for made in calls(steps).iter().rev().filter(|made| made.worker == failed) {
        let resource = &made.call.resource;
        if !found.contains(resource) && trace(steps, failed, resource).is_some() {
            found.push(resource.clone());
        }
    }
    found
}

/// What was done up to the failure on a worker. What follows it, in the test's clean-up or in its teardown, may
/// conflict as well, but is not what failed. All of it, if only that has a trace.
pub(crate) fn up_to_failure(steps: &[Step], failed: WorkerId, in_teardown: bool) -> &[Step] {
    let is_own = |step: &&Step| step.worker == failed;
    let teardown = steps.iter().position(|step| is_own(&step) && step.kind == StepKind::TearsDown);
    let phase = if in_teardown { steps } else { &steps[..teardown.unwrap_or(steps.len())] };
    let mut before = phase;
    while let Some(last) = last_clean_up(before, failed) {
        before = &before[..last];
    }
    let has_trace = |steps: &&[Step]| !resources(steps, failed).is_empty();
    [before, phase].into_iter().find(has_trace).unwrap_or(steps)
}

/// Where a worker's last call is, if it was made to clean up while an exception was being handled, or may have been.
fn last_clean_up(steps: &[Step], worker: WorkerId) -> Option<usize> {
    let mut own = steps.iter().enumerate().rev().filter(|(_, step)| step.worker == worker);
    let (at, call) = own.find_map(|(at, step)| match &step.kind {
        StepKind::Calls(call) => Some((at, call)),
        _ => None,
    })?;
    // Drivers roll back what failed, and the harness does not see them do so.
    if call.operation == Operation::Rollback && call.resource.is_of_server() {
        return Some(at);
    }
    // It may have been overtaken in between, or waited.
    let handled =
        own.map(|(_, step)| step).find(|step| matches!(step.kind, StepKind::Handles | StepKind::Calls(_)))?;
    (call.is_clean_up() && handled.kind == StepKind::Handles).then_some(at)
}

fn calls(steps: &[Step]) -> Vec<TracedCall> {
    let mut running: Vec<(WorkerId, TestIndex)> = Vec::new();
    let mut calls = Vec::new();
    for step in steps {
        match &step.kind {
            StepKind::Starts(test) => {
                running.retain(|(worker, _)| *worker != step.worker);
                running.push((step.worker, *test));
            }
            StepKind::Calls(call) => {
                let test = running.iter().find(|(worker, _)| *worker == step.worker);
                calls.extend(test.map(|&(worker, test)| TracedCall { worker, test, call: call.clone() }));
            }
            _ => {}
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSER: WorkerId = WorkerId(0);
    const WINNER: WorkerId = WorkerId(1);

    fn call(worker: WorkerId, operation: Operation, writes: bool) -> Step {
        let resource = Resource("file:a".into());
        Step {
            worker,
            kind: StepKind::Calls(Call {
                resource,
                operation,
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

    fn traced(steps: &[Step], in_teardown: bool) -> Vec<String> {
        let steps = up_to_failure(steps, LOSER, in_teardown);
        let trace = trace(steps, LOSER, &Resource("file:a".into())).expect("a trace");
        trace.calls.iter().map(|made| format!("{} {}", made.worker, made.call.operation)).collect()
    }

    fn lost() -> Vec<Step> {
        vec![
            is(LOSER, StepKind::Starts(TestIndex(0))),
            call(LOSER, Operation::OpenToWrite, true),
            is(WINNER, StepKind::Starts(TestIndex(1))),
            call(WINNER, Operation::Remove, true),
            call(LOSER, Operation::OpenToRead, false),
        ]
    }

    #[test]
    fn a_trace_ends_with_the_call_that_failed_and_not_with_what_the_teardown_did() {
        let after = [is(LOSER, StepKind::TearsDown), call(LOSER, Operation::LookAt, false)];
        let steps = [lost(), after.to_vec()].concat();
        assert_eq!(traced(&steps, false), ["gw0 open to write", "gw1 remove", "gw0 open to read"]);
        assert_eq!(traced(&steps, true).last().map(String::as_str), Some("gw0 look at"));
    }

    #[test]
    fn what_does_nothing_to_the_resource_is_no_part_of_the_trace() {
        let mut idle = call(LOSER, Operation::Rollback, false);
        if let StepKind::Calls(call) = &mut idle.kind {
            call.idle = true;
        }
        let steps = [lost(), vec![call(WINNER, Operation::OpenToWrite, true), idle]].concat();
        assert_eq!(traced(&steps, false), ["gw0 open to write", "gw1 remove", "gw0 open to read"]);
    }

    #[test]
    fn what_is_read_was_changed_by_a_commit_and_not_by_what_is_still_to_be_committed() {
        let execute = |worker, statement: &str, writes| {
            let mut step = call(worker, Operation::Execute, writes);
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
                call(WINNER, Operation::Commit, true),
                execute(WINNER, statement, true),
                execute(LOSER, "SELECT", false),
            ]
        };
        let committed_later =
            |statement| [changed(statement), vec![call(WINNER, Operation::Commit, true)]].concat();
        assert_eq!(traced(&committed_later("DELETE"), false)[0], "gw1 commit");
        assert_eq!(traced(&committed_later("BEGIN EXCLUSIVE"), false)[0], "gw1 execute");
        assert_eq!(
            traced(&changed("DELETE"), false)[0],
            "gw1 execute",
            "each statement was committed by itself"
        );
    }

    #[test]
    fn a_table_that_is_there_already_was_made_by_who_made_it_and_not_by_who_filled_it() {
        let table = Resource("postgresql://127.0.0.1:5432/shop table a".into());
        let on_table = |worker, operation, statement: Option<&str>, writes| {
            let mut step = call(worker, operation, writes);
            if let StepKind::Calls(call) = &mut step.kind {
                (call.resource, call.statement) = (table.clone(), statement.map(str::to_owned));
            }
            step
        };
        let runs = |worker, statement| on_table(worker, Operation::Execute, Some(statement), true);
        let statements = |steps: &[Step]| -> Vec<String> {
            let trace = trace(steps, LOSER, &table).expect("a trace");
            trace.calls.iter().map(|made| format!("{} {}", made.worker, made.call.words())).collect()
        };
        let of_winner = [
            is(LOSER, StepKind::Starts(TestIndex(0))),
            is(WINNER, StepKind::Starts(TestIndex(1))),
            runs(WINNER, "CREATE"),
            on_table(WINNER, Operation::Commit, None, true),
            runs(WINNER, "INSERT"),
            on_table(WINNER, Operation::Commit, None, true),
        ];
        let then = |statement| [&of_winner[..], &[runs(LOSER, statement)]].concat();
        assert_eq!(statements(&then("CREATE")), ["gw1 execute (CREATE)", "gw0 execute (CREATE)"]);
        assert_eq!(statements(&then("INSERT")), ["gw1 commit", "gw0 execute (INSERT)"]);
        // An index on what was filled meanwhile.
        let filled = [&of_winner[..2], &of_winner[4..], &[runs(LOSER, "CREATE")]].concat();
        assert_eq!(statements(&filled), ["gw1 commit", "gw0 execute (CREATE)"]);
    }

    #[test]
    fn a_lost_update_is_traced_from_the_stale_read_on() {
        let starts = |worker, test| is(worker, StepKind::Starts(TestIndex(test)));
        let overwritten = [
            starts(LOSER, 0),
            starts(WINNER, 1),
            call(WINNER, Operation::LookAt, false),
            call(WINNER, Operation::Read, false),
            call(LOSER, Operation::Read, false),
            call(LOSER, Operation::Write, true),
            call(WINNER, Operation::Write, true),
            call(LOSER, Operation::Read, false),
        ];
        assert_eq!(traced(&overwritten, false), ["gw1 read", "gw0 write", "gw1 write", "gw0 read"]);
        let created_meanwhile = [
            starts(LOSER, 0),
            starts(WINNER, 1),
            call(LOSER, Operation::LookAt, false),
            call(LOSER, Operation::Lock, true),
            call(WINNER, Operation::Create, true),
            call(LOSER, Operation::Create, true),
        ];
        assert_eq!(traced(&created_meanwhile, false), ["gw0 look at", "gw1 create", "gw0 create"]);
        // What was read after the failing worker's change is up to date.
        let on_purpose = [
            starts(LOSER, 0),
            starts(WINNER, 1),
            call(LOSER, Operation::Write, true),
            call(WINNER, Operation::Read, false),
            call(WINNER, Operation::Write, true),
            call(LOSER, Operation::Read, false),
        ];
        assert_eq!(traced(&on_purpose, false), ["gw0 write", "gw1 write", "gw0 read"]);
    }

    #[test]
    fn a_trace_does_not_end_with_a_clean_up_after_the_failure() {
        let handled = |operation| [is(LOSER, StepKind::Handles), call(LOSER, operation, true)];
        let steps =
            [lost(), handled(Operation::Rollback).to_vec(), handled(Operation::Close).to_vec()].concat();
        assert_eq!(traced(&steps, false).last().map(String::as_str), Some("gw0 open to read"));
        let tried_again = [lost(), handled(Operation::OpenToWrite).to_vec()].concat();
        assert_eq!(traced(&tried_again, false).last().map(String::as_str), Some("gw0 open to write"));
    }

    #[test]
    fn a_trace_does_not_end_with_what_a_driver_rolls_back() {
        let on_server = |mut step: Step| {
            if let StepKind::Calls(call) = &mut step.kind {
                call.resource = Resource("postgresql://127.0.0.1:5432/shop table a".into());
            }
            step
        };
        let rollback = call(LOSER, Operation::Rollback, true);
        let steps: Vec<Step> = lost().into_iter().chain([rollback]).map(on_server).collect();
        assert_eq!(up_to_failure(&steps, LOSER, false).len(), steps.len() - 1);
    }

    #[test]
    fn what_only_the_teardown_conflicts_on_is_told_of_it() {
        let all = lost();
        let steps = [&all[..1], &[is(LOSER, StepKind::TearsDown)], &all[1..]].concat();
        assert_eq!(traced(&steps, false).last().map(String::as_str), Some("gw0 open to read"));
    }
}
