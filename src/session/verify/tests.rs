//! Verifying against suites whose truth is known.

#![cfg(test)]

use super::*;
use crate::finding::Origin;
use crate::plan::document::PlanDocument;
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, name, plan, suite, test};
use crate::session::lab::Lab;

const TESTS: u32 = 12;

/// A record of `f`, which failed by an assertion each time: with its smallest plan and the one that first showed it.
fn file(kind: Kind, minimal: &Plan, original: &Plan) -> FailureFile {
    let suite = suite(TESTS);
    FailureFile {
        version: crate::formats::FAILURE_FILE_VERSION,
        kind,
        test: suite.test(test('f')).id.clone(),
        crash: Signature::of(test('f'), &failed("AssertionError")).unwrap().crash,
        fixture: None,
        failed: Some(Tally { runs: 8, failed: 8 }),
        places: Vec::new(),
        pytest: "8.4.2".into(),
        minimal: PlanDocument::new(minimal, &suite),
        original: PlanDocument::new(original, &suite),
        also: Vec::new(),
        passes_after: Vec::new(),
        fix: Vec::new(),
    }
}

fn victim() -> FailureFile {
    file(Kind::Victim, &plan("bf"), &plan("abcdefgh"))
}

fn brittle() -> FailureFile {
    file(Kind::Brittle, &plan("bf"), &plan("acf"))
}

const LIMITS: VerifyLimits = VerifyLimits { confidence: 0.95, most_runs: 100 };

/// What is said of a record where `f` becomes so, and all other tests pass.
fn verified(file: &FailureFile, becomes: impl Fn(Situation<'_>) -> Outcome) -> Verified {
    let f = |run: Situation<'_>| if run.is('f') { becomes(run) } else { Outcome::Passed };
    looked_at(file, f, false)
}

fn looked_at(file: &FailureFile, becomes: impl Fn(Situation<'_>) -> Outcome, expected: bool) -> Verified {
    let (suite, mut nobody, mut engine) =
        (suite(TESTS), Reporters::default(), FakeEngine::new(suite(TESTS), becomes));
    let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
    verify(&mut lab, file, LIMITS, expected).unwrap()
}

fn status(verified: &Verified) -> (Status, Option<Stage>) {
    (verified.status, verified.failed.as_ref().map(|(stage, _)| *stage))
}

#[test]
fn a_fix_holds_once_the_recorded_plans_and_those_near_them_pass() {
    let fixed = verified(&victim(), |_| Outcome::Passed);
    assert_eq!(status(&fixed), (Status::Holds, None));
    assert!(fixed.claim.is_shown_by(fixed.minimal) && fixed.claim.is_shown_by(fixed.neighbourhood));
    assert_eq!(fixed.original, Tally { runs: 1, failed: 0 });
    assert_eq!(status(&verified(&brittle(), |_| Outcome::Passed)), (Status::Holds, None));
}

#[test]
fn what_still_fails_is_told_with_the_plan_in_which_it_does() {
    let of = |fails: fn(Situation<'_>) -> bool| status(&verified(&victim(), |run| fails_if(fails(run))));
    assert_eq!(of(|run| run.after('b')), (Status::StillFails, Some(Stage::Minimal)));
    let whole = of(|run| run.after('b') && run.after('e'));
    assert_eq!(
        whole,
        (Status::StillFails, Some(Stage::Original)),
        "the fix holds for the smallest plan alone"
    );
    let near = of(|run| run.after('b') && run.after('k'));
    assert_eq!(near, (Status::StillFails, Some(Stage::Neighbourhood)));
    let alone = verified(&brittle(), |run| fails_if(!run.after('b')));
    assert_eq!(status(&alone), (Status::StillFails, Some(Stage::Minimal)));
}

#[test]
fn any_failure_of_the_test_is_one() {
    let verified =
        verified(&victim(), |run| if run.after('b') { failed("KeyError") } else { Outcome::Passed });
    assert_eq!(status(&verified), (Status::StillFails, Some(Stage::Minimal)));
    assert_eq!(verified.failed.map(|(_, crash)| crash.exception).as_deref(), Some("KeyError"));
}

#[test]
fn runs_that_say_nothing_of_isolation_are_no_proof() {
    let why = |verified: Verified| {
        assert_eq!(verified.status, Status::CannotTell);
        verified.why.unwrap()
    };
    assert!(why(verified(&victim(), |_| fails_if(true))).contains("make it pass alone first"));
    assert!(why(verified(&victim(), |_| Outcome::Skipped)).ends_with("is skipped now"));
    let beside = |run: Situation<'_>| if run.before.is_empty() { Outcome::Passed } else { Outcome::Skipped };
    assert!(why(verified(&victim(), beside)).ends_with("is skipped now in the recorded plan"));
    let without_b = |run: Situation<'_>| if run.is('b') { Outcome::Skipped } else { Outcome::Passed };
    let skipped = why(looked_at(&victim(), without_b, false));
    assert_eq!(skipped, "test_b.py::b is skipped now, which was part of what made test_f.py::f fail");
    let set = why(verified(&brittle(), |_| fails_if(true)));
    assert!(set.contains("fails with its state-setter too (AssertionError in body)"), "{set}");
    let gone = FailureFile { test: suite(26).test(test('z')).id.clone(), ..victim() };
    assert!(why(verified(&gone, |_| Outcome::Passed)).contains("is not collected now"));
    let few = VerifyLimits { most_runs: 1, ..LIMITS };
    let (whole, mut nobody) = (suite(TESTS), Reporters::default());
    let mut engine = FakeEngine::new(suite(TESTS), |_| Outcome::Passed);
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    assert!(why(verify(&mut lab, &victim(), few, false).unwrap()).ends_with("--runs allows 1"));
}

#[test]
fn plans_near_the_recorded_one_in_which_the_test_is_skipped_are_not_counted() {
    let beside_k = |run: Situation<'_>| if run.after('k') { Outcome::Skipped } else { Outcome::Passed };
    let some = verified(&victim(), beside_k);
    assert!((1..NEIGHBOURS).contains(&some.neighbourhood.runs), "{:?}", some.neighbourhood);
    let told = format!(
        "{} of {NEIGHBOURS} plans near the recorded one tell nothing",
        NEIGHBOURS - some.neighbourhood.runs
    );
    assert!(some.notes.iter().any(|note| note.starts_with(&told)), "{:?}", some.notes);
    let all = verified(&victim(), |_| Outcome::Passed);
    assert_eq!((all.neighbourhood.runs, all.notes), (NEIGHBOURS, Vec::new()));
    let crowded = |run: Situation<'_>| if run.before.len() > 1 { Outcome::Skipped } else { Outcome::Passed };
    let none = verified(&victim(), crowded);
    assert_eq!((none.status, none.original.runs), (Status::CannotTell, 0));
    assert!(none.why.is_some_and(|why| why.starts_with("too few plans near")));
}

#[test]
fn what_forks_alone_show_is_no_failure() {
    let verified = verified(&victim(), |run| fails_if(!run.fresh && run.after('b')));
    assert_eq!(status(&verified), (Status::Holds, None));
    assert!(verified.notes.iter().any(|note| note.contains("only those count")), "{:?}", verified.notes);
    assert_eq!((verified.minimal.failed, verified.neighbourhood.failed), (0, 0));
}

#[test]
fn a_failure_without_the_recorded_cause_has_another_and_is_said_to() {
    let verified = verified(&victim(), |run| fails_if(run.after('k')));
    assert_eq!(status(&verified), (Status::Holds, None));
    assert!(verified.notes.iter().any(|note| note.contains("so it has another")), "{:?}", verified.notes);
}

#[test]
fn what_is_expected_to_fail_is_run_in_the_recorded_plans_alone() {
    let far = |run: Situation<'_>| fails_if(run.is('f') && run.after('k'));
    let verified = looked_at(&victim(), far, true);
    assert_eq!(status(&verified), (Status::Holds, None));
    assert_eq!(verified.neighbourhood.runs, 0);
}

#[test]
fn a_victim_that_is_skipped_alone_is_verified_where_it_passed() {
    // It runs after `a`, and failed after `b`.
    let skipped_alone = FailureFile {
        passes_after: vec![suite(TESTS).test(test('a')).id.clone()],
        ..file(Kind::Victim, &plan("abf"), &plan("abcdef"))
    };
    let of = |fails: fn(&Situation<'_>) -> bool| {
        verified(
            &skipped_alone,
            move |run| if run.after('a') { fails_if(fails(&run)) } else { Outcome::Skipped },
        )
    };
    assert_eq!(of(|_| false).status, Status::Holds);
    assert_eq!(status(&of(|run| run.after('b'))), (Status::StillFails, Some(Stage::Minimal)));
    let always = of(|_| true);
    assert_eq!(always.status, Status::CannotTell);
    assert!(always.why.is_some_and(|why| why.contains("fails after what it had passed after")));
    let gone =
        FailureFile { passes_after: vec![suite(26).test(test('z')).id.clone()], ..skipped_alone.clone() };
    let why = verified(&gone, |_| Outcome::Passed).why.unwrap();
    assert_eq!(why, "test_z.py::z is not collected now, after which test_f.py::f passed");
}

#[test]
fn a_failure_that_is_expected_now_is_not_said_to_be_gone() {
    let polluted = |run: &Situation<'_>| run.after('b');
    let marked = |run: Situation<'_>| if polluted(&run) { Outcome::Xfailed } else { Outcome::Passed };
    let of_victim = verified(&victim(), marked);
    assert_eq!(of_victim.status, Status::CannotTell);
    assert!(of_victim.why.is_some_and(|why| why.contains("expected to fail now (xfail)")));
    let never_passes = verified(&victim(), |_| Outcome::Xfailed);
    assert_eq!(never_passes.status, Status::CannotTell);
    let alone = |run: Situation<'_>| if polluted(&run) { Outcome::Passed } else { Outcome::Xfailed };
    assert_eq!(verified(&brittle(), alone).status, Status::CannotTell);
    // That the polluter is expected to fail keeps it from nothing: it has run.
    let of_polluter = |run: Situation<'_>| match () {
        () if run.is('b') => Outcome::Xfailed,
        () => fails_if(run.is('f') && polluted(&run)),
    };
    assert_eq!(status(&looked_at(&victim(), of_polluter, false)), (Status::StillFails, Some(Stage::Minimal)));
}

#[test]
fn a_race_that_is_mended_holds_and_one_that_is_not_still_fails() {
    let race = file(Kind::Race, &plan("b|f"), &plan("ab|cf"));
    assert_eq!(status(&verified(&race, |_| Outcome::Passed)).0, Status::Holds);
    let raced = |run: Situation<'_>| {
        let others = run.plan.workers.iter().filter(|list| !list.contains(&run.test));
        fails_if(others.flatten().any(|&other| name(other) == 'b'))
    };
    assert_eq!(status(&verified(&race, raced)), (Status::StillFails, Some(Stage::Minimal)));
}

#[test]
fn what_is_found_and_written_down_is_seen_to_still_fail() {
    let polluted = |run: Situation<'_>| fails_if(run.is('f') && run.after('b'));
    let (whole, mut nobody, mut engine) =
        (suite(TESTS), Reporters::default(), FakeEngine::new(suite(TESTS), polluted));
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let order = plan("abcdefghijkl");
    let trial = lab.trial(Origin::Baseline, &order).unwrap();
    let suspect = crate::session::suspect::suspects(Origin::Baseline, &order, &trial).remove(0);
    let finding = crate::session::investigate::investigate(&mut lab, &suspect).unwrap();
    let collected = lab_collected(&whole);
    let file = FailureFile::new(&finding, &collected).unwrap();
    let verified = verify(&mut lab, &file, LIMITS, false).unwrap();
    assert_eq!(status(&verified), (Status::StillFails, Some(Stage::Minimal)));
}

fn lab_collected(suite: &crate::suite::Suite) -> crate::trial::Collected {
    use crate::run::engine::{Collect, Engine};
    FakeEngine::new(suite.clone(), |_| Outcome::Passed).collect(Collect::kept(1)).unwrap()
}
