//! The scheduler of turns, with simulated workers.

#![cfg(test)]

use proptest::prelude::*;

use super::*;
use crate::limits::{SHORT_WAIT_MILLIS, WAIT_MILLIS};
use crate::plan::schedule::{Resource, Switch};
use crate::race::access::recorded;
use crate::race::fairness::is_unfair;
use crate::race::operation::Operation;

/// What a simulated worker does one after the other.
#[derive(Clone, Debug)]
enum Act {
    Call(u8),
    Sleep(u8),
}

fn call(resource: u8) -> Call {
    Call {
        resource: Resource(format!("file:{resource}")),
        operation: Operation::Write,
        writes: true,
        at: None,
        by: None,
        idle: false,
        statement: None,
    }
}

/// Runs simulated workers; `eager` says in which order those that can be heard are. Panics if two run.
fn run(schedule: &Schedule, scripts: &[Vec<Act>], mut eager: impl FnMut(usize) -> usize) -> Vec<Step> {
    let mut turns = TurnScheduler::new(schedule.clone(), scripts.len());
    // For each worker: its next act, and whether it has something to say.
    let mut next = vec![0; scripts.len()];
    let mut free: Vec<usize> = (0..scripts.len()).collect();
    let mut asleep = vec![false; scripts.len()];
    let mut began = vec![false; scripts.len()];
    while !free.is_empty() {
        let index = free.remove(eager(free.len()));
        let worker = WorkerId(index as u32);
        let heard = if !std::mem::replace(&mut began[index], true) {
            Heard::Comes
        } else if std::mem::replace(&mut asleep[index], false) {
            Heard::Awake
        } else {
            next[index] += 1;
            match scripts[index].get(next[index] - 1) {
                None => Heard::Ended,
                Some(Act::Call(resource)) => Heard::Asks(call(*resource)),
                Some(Act::Sleep(seconds)) => {
                    asleep[index] = true;
                    free.push(index);
                    Heard::Sleeps { seconds: f64::from(*seconds), at: None }
                }
            }
        };
        if let Some(granted) = turns.hear(worker, heard) {
            free.push(granted.0 as usize);
            assert_eq!(turns.holder(), Some(granted));
        }
    }
    assert!(next.iter().zip(scripts).all(|(&next, script)| next == script.len() + 1), "all have ended");
    turns.steps().to_vec()
}

fn scripts() -> impl Strategy<Value = Vec<Vec<Act>>> {
    let act = prop_oneof![(0_u8..3).prop_map(Act::Call), (0_u8..4).prop_map(Act::Sleep)];
    proptest::collection::vec(proptest::collection::vec(act, 0..8), 2)
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let switch = (0_u32..2, 0_u32..8).prop_map(|(worker, point)| Switch {
        worker: WorkerId(worker),
        point,
        to: WorkerId(1 - worker),
    });
    (0_u32..2, proptest::collection::vec(switch, 0..5), any::<bool>()).prop_map(
        |(first, switches, sequential)| Schedule {
            first: WorkerId(first),
            at: if sequential { BTreeSet::new() } else { BTreeSet::from([Resource("file:0".into())]) },
            switches,
            patience: WAIT_MILLIS,
            pause: 0,
            delay: 0,
            system_calls: false,
            calls: Vec::new(),
        },
    )
}

proptest! {
    #[test]
    fn every_worker_comes_to_its_end_and_the_order_does_not_depend_on_who_is_heard_first(
        scripts in scripts(), schedule in schedule(), picks in proptest::collection::vec(0_usize..2, 60),
    ) {
        let plain = run(&schedule, &scripts, |_| 0);
        let mut picks = picks.into_iter().cycle();
        let other = run(&schedule, &scripts, |free| picks.next().unwrap() % free);
        prop_assert_eq!(recorded(&plain), recorded(&other));
    }

    #[test]
    fn every_worker_comes_to_its_end_without_patience(scripts in scripts(), schedule in schedule()) {
        run(&Schedule { patience: 0, ..schedule }, &scripts, |_| 0);
    }

    #[test]
    fn sequential_workers_do_not_mix(scripts in scripts(), first in 0_u32..2) {
        let steps = run(&Schedule::sequential(WorkerId(first)), &scripts, |_| 0);
        let end = steps.iter().position(|step| step.kind == StepKind::Ends).unwrap();
        prop_assert!(steps[..=end].iter().all(|step| step.worker.0 == first));
        prop_assert!(steps[end + 1..].iter().all(|step| step.worker.0 != first));
    }
}

#[test]
fn a_switch_lets_the_other_overtake_at_the_call_it_names() {
    let switches = vec![Switch { worker: WorkerId(0), point: 1, to: WorkerId(1) }];
    let at = BTreeSet::from([Resource("file:0".into())]);
    let schedule = Schedule { switches, ..Schedule::undisturbed(WorkerId(0), at) };
    let steps = run(&schedule, &[vec![Act::Call(0), Act::Call(1)], vec![Act::Call(2)]], |_| 0);
    let expected = ["gw0 write file 0", "gw1 write file 2", "gw0 write file 1"];
    assert_eq!(recorded(&steps), expected);
}

#[test]
fn who_is_stuck_gives_way_and_takes_its_turn_when_it_comes_back() {
    let at = BTreeSet::from([Resource("file:0".into())]);
    let mut turns = TurnScheduler::new(Schedule::undisturbed(WorkerId(0), at), 2);
    let (one, other) = (WorkerId(0), WorkerId(1));
    assert_eq!(turns.hear(one, Heard::Comes), None);
    assert_eq!(turns.hear(other, Heard::Comes), Some(one));
    assert_eq!(turns.hear(one, Heard::Stuck), Some(other));
    assert_eq!(turns.hear(one, Heard::Asks(call(0))), None);
    assert_eq!(turns.hear(other, Heard::Asks(call(0))), Some(other));
    assert_eq!(turns.hear(other, Heard::Ended), Some(one));
    assert_eq!(turns.hear(one, Heard::Stuck), None);
    assert_eq!(turns.hear(one, Heard::Ended), None);
}

/// Two workers of which the first is held before its second call, while the other has the turn.
fn held_in_the_middle(patience: u32) -> TurnScheduler {
    let at = BTreeSet::from([Resource("file:0".into())]);
    let switches = vec![Switch { worker: WorkerId(0), point: 1, to: WorkerId(1) }];
    let mut turns =
        TurnScheduler::new(Schedule { switches, patience, ..Schedule::undisturbed(WorkerId(0), at) }, 2);
    let (one, other) = (WorkerId(0), WorkerId(1));
    assert_eq!(turns.hear(one, Heard::Comes), None);
    assert_eq!(turns.hear(other, Heard::Comes), Some(one));
    assert!(!turns.holds_another(one), "who has not made a call yet is only late");
    assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(one));
    assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(other));
    assert!(turns.holds_another(other));
    turns
}

#[test]
fn a_rest_while_another_is_held_is_noted_and_makes_only_the_impatient_give_way() {
    let rest = || Heard::Idle(Duration::from_millis(8));
    let mut patient = held_in_the_middle(WAIT_MILLIS);
    patient.hear(WorkerId(1), rest());
    assert!(is_unfair(patient.steps()));
    assert_eq!(patient.hear(WorkerId(1), Heard::Asks(call(0))), Some(WorkerId(1)));

    let mut impatient = held_in_the_middle(SHORT_WAIT_MILLIS);
    impatient.hear(WorkerId(1), rest());
    assert_eq!(impatient.hear(WorkerId(1), Heard::Asks(call(0))), Some(WorkerId(0)));
    assert!(!is_unfair(impatient.steps()), "it was let go in time");

    let mut late = held_in_the_middle(SHORT_WAIT_MILLIS);
    late.hear(WorkerId(1), Heard::Idle(Duration::from_millis(30)));
    assert!(is_unfair(late.steps()));
}

/// Two workers of which the first is delayed for 50 ms before its second call, while the other has the turn.
fn delayed() -> TurnScheduler {
    let at = BTreeSet::from([Resource("file:0".into())]);
    let switches = vec![Switch { worker: WorkerId(0), point: 1, to: WorkerId(1) }];
    let schedule = Schedule { switches, delay: 50, ..Schedule::undisturbed(WorkerId(0), at) };
    let mut turns = TurnScheduler::new(schedule, 2);
    let (one, other) = (WorkerId(0), WorkerId(1));
    turns.hear(one, Heard::Comes);
    turns.hear(other, Heard::Comes);
    assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(one));
    assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(other));
    assert_eq!((turns.delayed(), turns.waits(one)), (Some(one), true));
    turns
}

#[test]
fn who_is_delayed_goes_on_at_its_time_whatever_the_other_does_and_nobody_has_turns_any_more() {
    let (one, other) = (WorkerId(0), WorkerId(1));
    let mut turns = delayed();
    // The other one waits, sleeps and tries again, and has the turn each time.
    assert_eq!(turns.hear(other, Heard::Stuck), None);
    assert_eq!(turns.hear(other, Heard::Asks(call(0))), Some(other));
    assert_eq!(turns.hear(one, Heard::Takes(20)), None);
    assert_eq!(turns.hear(other, Heard::Sleeps { seconds: 9.0, at: None }), None);
    assert_eq!(turns.hear(other, Heard::Awake), Some(other));
    assert_eq!(turns.hear(one, Heard::Takes(50)), Some(one));
    assert_eq!((turns.delayed(), turns.holder()), (None, None));
    for _ in 0..3 {
        assert_eq!(turns.hear(other, Heard::Asks(call(0))), Some(other));
        assert_eq!(turns.hear(one, Heard::Asks(call(0))), Some(one));
    }
    assert_eq!(turns.hear(one, Heard::Takes(100)), None);
    assert_eq!(turns.hear(one, Heard::Ended), None);
    assert_eq!(turns.hear(other, Heard::Asks(call(0))), Some(other));
}

#[test]
fn who_is_delayed_goes_on_when_nobody_else_is_left() {
    let mut turns = delayed();
    assert_eq!(turns.hear(WorkerId(1), Heard::Ended), Some(WorkerId(0)));
    assert_eq!(turns.hear(WorkerId(0), Heard::Takes(50)), None);
    let steps = turns.steps().iter().map(|step| &step.kind);
    assert_eq!(steps.filter(|kind| matches!(kind, StepKind::Calls(_))).count(), 2);
}

#[test]
fn a_rest_that_keeps_nobody_from_going_on_is_none() {
    let at = BTreeSet::from([Resource("file:0".into())]);
    let mut turns = TurnScheduler::new(Schedule::undisturbed(WorkerId(0), at), 2);
    turns.hear(WorkerId(0), Heard::Comes);
    turns.hear(WorkerId(1), Heard::Comes);
    turns.hear(WorkerId(0), Heard::Asks(call(0)));
    turns.hear(WorkerId(0), Heard::Idle(Duration::from_secs(1)));
    assert!(!is_unfair(turns.steps()));
}
