//! What is said of a failure under a schedule that is no race.

#![cfg(test)]

use super::*;
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, Situation, fails_if, plan, suite, test};

/// The note of a failure of `f` under a schedule in which it comes between two calls of `b`, where this becomes of it.
fn noted(fails: fn(Situation<'_>, &Schedule) -> bool) -> String {
    let becomes = move |run: Situation<'_>| {
        let sequential = Schedule::sequential(WorkerId(0));
        let schedule = schedule_of(run.plan).unwrap_or(&sequential).clone();
        fails_if(run.is('f') && fails(run, &schedule))
    };
    let (whole, mut nobody, mut engine) =
        (suite(8), Reporters::default(), FakeEngine::new(suite(8), becomes));
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let at = BTreeSet::from([Resource("file:a".into())]);
    let [b, f] = [WorkerId(0), WorkerId(1)];
    let switches = vec![Switch { worker: b, point: 1, to: f }];
    let raced = with_schedule(&plan("b|f"), Schedule { switches, ..Schedule::undisturbed(b, at) });
    let trial = lab.trial(Origin::Race(0), &raced).unwrap();
    let suspect = fresh_suspects(&raced, &trial, |_| false).remove(0);
    assert_eq!(suspect.signature.test, test('f'));
    let unclaimed = Finding::new(Kind::Unreproduced, Some(test('f')), Origin::Race(0));
    let found = finding(&mut lab, &suspect, unclaimed).unwrap();
    assert_eq!(found.kind, Kind::Unreproduced);
    found.note.unwrap()
}

#[test]
fn a_failure_that_shows_alone_or_without_overlap_is_said_to() {
    let serial = "it does not pass alone, or not with the workers one after the other";
    assert_eq!(noted(|_, _| true), serial);
    let in_a_row = |run: Situation<'_>, schedule: &Schedule| {
        run.plan.workers.len() > 1 && (!schedule.is_sequential() || schedule.pause == 0)
    };
    assert_eq!(noted(in_a_row), serial, "with the workers one after the other");
    assert_ne!(noted(|_, schedule| !schedule.is_sequential()), serial);
}

#[test]
fn a_failure_of_a_test_that_is_late_is_said_to_be_one_of_its_own_limit() {
    let late = "it fails for being late, with nobody in between, as well: no race";
    assert_eq!(noted(|_, schedule| !schedule.is_sequential() || schedule.pause > 0), late);
    assert_ne!(noted(|_, schedule| !schedule.is_sequential()), late);
}
