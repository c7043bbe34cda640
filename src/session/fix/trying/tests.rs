//! Patches of suites whose truth is known, tried.

#![cfg(test)]

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use std::time::{Duration, Instant};

use crate::finding::{Finding, Kind, Origin};
use crate::judge::Signature;
use crate::leaks::Owner;
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, lost, plan, suite, test};
use crate::session::fake_state::State;
use crate::session::lab::deadline::Deadline;
use crate::trial::Outcome;

/// Without a patch `f` fails after `b`, `e` always, and `h` unless `b` came before.
fn without(run: Situation<'_>) -> Outcome {
    fails_if(run.is('f') && run.after('b') || run.is('e') || run.is('h') && !run.after('b'))
}

/// With one that is right `f` passes, and nothing else changes.
fn right(run: Situation<'_>) -> Outcome {
    if run.is('f') { Outcome::Passed } else { without(run) }
}

fn fails(run: Situation<'_>) -> bool {
    right(run) != Outcome::Passed
}

/// An attempt with a patched copy in which this becomes of the tests, where an unpatched copy shows `copied`.
fn tried_in(patched: FakeEngine<'_>, copied: fn(Situation<'_>) -> Outcome) -> Tried {
    tried_for(&fails_if(true), patched, copied)
}

/// The same with a patch that is for another failure of `f`.
fn tried_for(failure: &Outcome, patched: FakeEngine<'_>, copied: fn(Situation<'_>) -> Outcome) -> Tried {
    let mut engine = FakeEngine::new(suite(8), without).copied_as(copied);
    tried_with(failure, patched, &mut engine, None)
}

/// The same with the engine of the project, and the session's deadline.
fn tried_with(
    failure: &Outcome,
    patched: FakeEngine<'_>,
    engine: &mut FakeEngine<'_>,
    deadline: Option<Deadline>,
) -> Tried {
    tried_knowing(&[], failure, patched, engine, deadline)
}

/// The same in a session that has found something.
fn tried_knowing(
    found: &[Finding],
    failure: &Outcome,
    patched: FakeEngine<'_>,
    engine: &mut FakeEngine<'_>,
    deadline: Option<Deadline>,
) -> Tried {
    let (project, whole, mut nobody) = (tempfile::tempdir().unwrap(), suite(8), Reporters::default());
    let mut lab = Lab::new(&whole, engine, &mut nobody, deadline);
    found.iter().for_each(|finding| _ = lab.found(finding));
    let (mut patched, axes) = (patched, Axes::default());
    let attempt = Attempt {
        lab: &mut lab,
        patched: &mut Patched::new(&mut patched),
        control: &mut Control::new(project.path()),
        seed: Seed(1),
        axes: &axes,
        test: test('f'),
        wanted: FailureMatcher::Signature(Signature::of(test('f'), failure).unwrap()),
        failure: None,
        changed: &[test('b')].into(),
        sets_up: false,
        trials: FIX_TRIALS,
        aim: Aim::Failure,
    };
    attempt.run(&Failing { plan: plan("bf"), fails: true, runs: 1, shared: true, left: None }).unwrap()
}

fn tried(patched: impl FnMut(Situation<'_>) -> Outcome) -> Tried {
    tried_in(FakeEngine::new(suite(8), patched), without)
}

/// It passes in all trials.
fn holds() -> Tried {
    Tried::Holds { passed: FIX_TRIALS, parallel: FIX_TRIALS / FIX_PARALLEL_PART, raced: 0 }
}

/// What speaks against a patch, and whether that is of another test than the one it is for.
fn against(tried: Tried) -> (String, bool) {
    match tried {
        Tried::Doubt(Doubt { says, of_another }) => (says, of_another),
        other => panic!("{other:?}"),
    }
}

fn doubted(patched: impl FnMut(Situation<'_>) -> Outcome) -> (String, bool) {
    against(tried(patched))
}

#[test]
fn a_patch_that_undoes_the_failure_and_changes_nothing_else_holds() {
    assert_eq!(tried(right), holds());
}

#[test]
fn a_patch_after_which_the_test_fails_anywhere_does_not_hold() {
    let test_fails = |more: fn(Situation<'_>) -> bool| {
        let (says, of_another) = doubted(|run| if run.is('f') { fails_if(more(run)) } else { right(run) });
        assert!(!of_another, "{says}");
        says
    };
    let undid = |place: &str| format!("undid the failure, but test_f.py::f failed {place}");
    assert_eq!(test_fails(|run| run.after('b')), "did not undo the failure");
    assert_eq!(test_fails(|run| run.after('a') && run.after('e')), undid("in suite order"));
    assert_eq!(
        test_fails(|run| run.before == [test('h'), test('g')]),
        undid("in the reverse of suite order")
    );
    let elsewhere = |run: Situation<'_>| run.after('h') && run.after('a') && run.plan.workers.len() == 1;
    assert_eq!(test_fails(elsewhere), undid("in another order"));
    assert_eq!(test_fails(|run| run.plan.workers.len() > 1), undid("on two workers"));
}

/// What becomes of an attempt with a patch with which tests leave these places, where they leave `shop.RATE` without it, which
/// nobody fails for.
fn kept(patched: State) -> Tried {
    let (project, whole, mut nobody, axes) =
        (tempfile::tempdir().unwrap(), suite(4), Reporters::default(), Axes::default());
    let mut engine = FakeEngine::of_state(suite(4), LEAVES).copied_with_state(LEAVES);
    let mut patched = FakeEngine::of_state(suite(4), patched);
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let attempt = Attempt {
        lab: &mut lab,
        patched: &mut Patched::new(&mut patched),
        control: &mut Control::new(project.path()),
        seed: Seed(1),
        axes: &axes,
        test: test('a'),
        wanted: FailureMatcher::Failure(test('a')),
        failure: None,
        changed: &[test('a'), test('b')].into(),
        sets_up: false,
        trials: 4,
        aim: Aim::Place,
    };
    let owners = vec![Owner::Test(test('a')), Owner::Test(test('b'))];
    let left = KeptPlace { name: "shop.RATE".into(), owners, plan: plan("ab") };
    attempt
        .run(&Failing { plan: plan("ac"), fails: false, runs: 1, shared: false, left: Some(left) })
        .unwrap()
}

/// `a` and `b` leave a place changed, and all pass.
const LEAVES: State = State {
    writes: |test| if "ab".contains(test) { &[("shop.RATE", true)] } else { &[] },
    becomes: |_, _| Outcome::Passed,
};
/// Nobody leaves anything.
const CLEAN: State = State { writes: |_| &[], ..LEAVES };

#[test]
fn a_patch_keeps_a_place_if_nobody_leaves_it_any_more_and_no_test_is_worse_off() {
    assert_eq!(kept(CLEAN), Tried::Holds { passed: 4, parallel: 1, raced: 0 });
    let of_b = State { writes: |test| if test == 'b' { &[("shop.RATE", true)] } else { &[] }, ..LEAVES };
    let all_the_same = ("did not keep the place, which is left changed all the same".to_owned(), false);
    assert_eq!(against(kept(LEAVES)), all_the_same);
    assert_eq!(against(kept(of_b)), all_the_same, "one of both is not enough");
    let another = State { writes: |_| &[("shop.OTHER", true)], ..LEAVES };
    assert_eq!(kept(another), Tried::Holds { passed: 4, parallel: 1, raced: 0 });
    let breaks = |test: char| {
        let becomes: fn(char, &BTreeSet<&'static str>) -> Outcome = match test {
            'a' => |test, _| fails_if(test == 'a'),
            'c' => |test, _| fails_if(test == 'c'),
            _ => |test, _| fails_if(test == 'd'),
        };
        against(kept(State { becomes, ..CLEAN }))
    };
    // Who fails before he writes leaves nothing, and is not mended by that.
    assert_eq!(breaks('a'), ("made test_a.py::a fail".into(), true));
    assert_eq!(breaks('c'), ("made test_c.py::c fail".into(), true));
    assert_eq!(breaks('d'), ("made test_d.py::d fail".into(), true));
}

#[test]
fn a_patch_that_makes_another_test_worse_does_harm() {
    let of_g = |becomes: Outcome| doubted(|run| if run.is('g') { becomes.clone() } else { right(run) });
    assert_eq!(of_g(fails_if(true)), ("made test_g.py::g fail".into(), true));
    assert_eq!(of_g(Outcome::Skipped), ("made test_g.py::g be skipped".into(), true));
    let not_run = Outcome::NotRun { why: "not collected".into() };
    assert_eq!(of_g(not_run), ("could not be seen to hold, as test_g.py::g did not run".into(), false));
    let needed = doubted(|run| fails_if(fails(run) || run.is('h')));
    assert_eq!(needed, ("made test_h.py::h fail, which needs what the polluter leaves".into(), true));
    let mends_too = |run: Situation<'_>| if run.is('e') { Outcome::Passed } else { right(run) };
    assert_eq!(tried(mends_too), holds());
}

#[test]
fn a_failure_that_showed_once_and_never_without_the_patch_speaks_against_it() {
    let runs = std::cell::Cell::new(0_u32);
    let once = |run: Situation<'_>| {
        let of_g = run.is('g') && run.plan.len() == 8;
        runs.set(runs.get() + u32::from(of_g));
        fails_if(fails(run) || of_g && runs.get() == 1)
    };
    let (says, _) = doubted(once);
    assert_eq!(says, "made test_g.py::g fail in 1 of 7 runs of one order, and in 0 of 7 without it");
}

#[test]
fn a_race_that_a_test_loses_without_the_patch_is_not_laid_to_it() {
    let tried = |found: &[Finding]| {
        let runs = std::cell::Cell::new(0_u32);
        let once_on_two = |run: Situation<'_>| {
            let of_g = run.is('g') && run.plan.workers.len() == 2;
            runs.set(runs.get() + u32::from(of_g));
            fails_if(fails(run) || of_g && runs.get() == 1)
        };
        let mut engine = FakeEngine::new(suite(8), without).copied_as(without);
        tried_knowing(found, &fails_if(true), FakeEngine::new(suite(8), once_on_two), &mut engine, None)
    };
    let race = |of: char| Finding::new(Kind::Race, Some(test(of)), Origin::Race(1));
    assert_eq!(tried(&[race('g')]), holds());
    assert!(matches!(tried(&[race('a')]), Tried::Doubt(_)), "another test's race tells nothing of it");
}

#[test]
fn what_a_copy_shows_without_the_patch_is_not_the_patchs_doing() {
    let healthy = |_: Situation<'_>| Outcome::Passed;
    let (says, _) = against(tried_in(FakeEngine::new(suite(8), healthy), healthy));
    assert_eq!(says, "could not be seen to undo the failure, which does not show in a copy of the project");
    let broken_by_copying = |run: Situation<'_>| fails_if(run.is('g') || without(run) != Outcome::Passed);
    let patched = |run: Situation<'_>| fails_if(run.is('g') || fails(run));
    let tried = tried_in(FakeEngine::new(suite(8), patched), broken_by_copying);
    assert_eq!(tried, holds());
}

#[test]
fn a_patch_that_changes_what_is_collected_does_harm() {
    let says = against(tried_in(FakeEngine::new(suite(7), right), without));
    assert_eq!(says, ("changed what is collected: test_h.py::h".into(), true));
    let none = against(tried_in(FakeEngine::new(suite(8), right).uncollectable(), without));
    assert_eq!(none, ("changed what is collected: the suite".into(), true));
}

thread_local! {
    /// Runs of `g` among all tests in the copy without the patch.
    static RUNS: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

#[test]
fn what_fails_at_times_with_the_patch_and_without_is_not_laid_to_it() {
    let at_times = |run: Situation<'_>| {
        let of_g = run.is('g') && run.plan.len() == 8;
        RUNS.set(RUNS.get() + u32::from(of_g));
        fails_if(without(run) != Outcome::Passed || of_g && RUNS.get().is_multiple_of(2))
    };
    let runs = std::cell::Cell::new(0_u32);
    let patched = |run: Situation<'_>| {
        let of_g = run.is('g') && run.plan.len() == 8;
        runs.set(runs.get() + u32::from(of_g));
        fails_if(fails(run) || of_g && !runs.get().is_multiple_of(2))
    };
    let tried = tried_in(FakeEngine::new(suite(8), patched), at_times);
    assert_eq!(tried, holds());
}

/// What becomes of `f`, which `b` pollutes, as `patch` has undone or has not, and which a server that `c` stops fails
/// without: where both come before it, the one of `b` shows.
fn two_reasons(run: Situation<'_>, patch: bool) -> Outcome {
    match run.test {
        of_f if of_f == test('f') && run.after('b') && !patch => fails_if(true),
        of_f if of_f == test('f') && run.after('c') => failed("ServerDown"),
        _ => Outcome::Passed,
    }
}

#[test]
fn a_test_that_fails_for_another_reason_which_is_there_without_the_patch_speaks_not_against_it() {
    let patched = |run: Situation<'_>| two_reasons(run, true);
    let held = tried_in(FakeEngine::new(suite(8), patched), |run| two_reasons(run, false));
    let Tried::Holds { passed, parallel, .. } = held else { panic!("{held:?}") };
    assert!(0 < passed && passed < FIX_TRIALS, "{passed}");
    assert!(parallel <= FIX_TRIALS / FIX_PARALLEL_PART, "{parallel}");
    // The same, where the test that stops the server needs what the patch undoes.
    let needs = |run: Situation<'_>| match run.test {
        of_f if of_f == test('f') && run.after('b') && !run.after('c') => fails_if(true),
        of_f if of_f == test('f') && run.after('b') && run.after('c') => failed("Left"),
        _ => Outcome::Passed,
    };
    let (says, _) = against(tried_in(
        FakeEngine::new(suite(8), |run: Situation<'_>| {
            if run.is('f') && run.after('c') { failed("New") } else { Outcome::Passed }
        }),
        needs,
    ));
    assert_eq!(
        says, "undid the failure, but test_f.py::f failed in suite order",
        "only with the patch it fails so"
    );
}

#[test]
fn a_test_that_passed_without_the_patch_and_fails_with_it_speaks_against_it_whatever_others_leave() {
    // What `b` leaves keeps `c` from stopping the server.
    let patched = |run: Situation<'_>| match run.is('f') && run.after('c') {
        true => failed("ServerDown"),
        false => Outcome::Passed,
    };
    let tried = tried_in(FakeEngine::new(suite(8), patched), |run| match run.last_of("bc") {
        Some('b') if run.is('f') => fails_if(true),
        Some('c') if run.is('f') && !run.after('b') => failed("ServerDown"),
        _ => Outcome::Passed,
    });
    let (says, _) = against(tried);
    assert_eq!(says, "undid the failure, but test_f.py::f failed in suite order");
}

#[test]
fn a_patch_under_which_the_test_passes_in_no_trial_is_not_shown() {
    let copied = |run: Situation<'_>| match run.plan.len() {
        2 => fails_if(run.is('f')),
        _ if run.is('f') => failed("ServerDown"),
        _ => Outcome::Passed,
    };
    let patched = |run: Situation<'_>| match run.is('f') && run.plan.len() > 2 {
        true => failed("ServerDown"),
        false => Outcome::Passed,
    };
    let (says, _) = against(tried_in(FakeEngine::new(suite(8), patched), copied));
    assert_eq!(says, "undid the failure, but test_f.py::f failed in every trial, for another reason");
}

/// `f` takes its process with it after `b`; `g` fails after `c`, and never in a process of its own.
fn takes_its_process_along(run: Situation<'_>) -> Outcome {
    match run.test {
        of_f if of_f == test('f') && run.after('b') => lost(),
        of_g if of_g == test('g') => fails_if(run.after('c')),
        _ => Outcome::Passed,
    }
}

#[test]
fn what_others_leave_to_tests_that_a_lost_process_kept_from_it_is_not_the_patchs_doing() {
    let patched =
        |run: Situation<'_>| if run.is('f') { Outcome::Passed } else { takes_its_process_along(run) };
    let wanted = lost();
    let tried = tried_for(&wanted, FakeEngine::new(suite(8), patched), takes_its_process_along);
    assert_eq!(tried, holds());
    // Where the patch does it, it shows in one process without the test that is lost as well.
    let harms = |run: Situation<'_>| {
        let worse = run.is('g') && run.after('b');
        if worse {
            fails_if(true)
        } else if run.is('f') {
            Outcome::Passed
        } else {
            takes_its_process_along(run)
        }
    };
    let tried = tried_for(&wanted, FakeEngine::new(suite(8), harms), takes_its_process_along);
    assert_eq!(against(tried), ("made test_g.py::g fail".into(), true));
}

#[test]
fn what_cannot_be_compared_is_no_word_for_or_against_a_patch() {
    // The unpatched copy collects what the patched one does, and that is not what the project collects.
    let mut other = FakeEngine::new(suite(8), without).copied_as(without);
    other.copies_collect(suite(7));
    let tried = tried_with(&fails_if(true), FakeEngine::new(suite(6), right), &mut other, None);
    let says = "could not be seen to hold, as a copy of the project collects other tests";
    assert_eq!(against(tried), (says.into(), false));
    let mut alike = FakeEngine::new(suite(8), without).copied_as(without);
    alike.copies_collect(suite(7));
    let tried = tried_with(&fails_if(true), FakeEngine::new(suite(7), right), &mut alike, None);
    assert_ne!(tried, Tried::Doubt(Doubt { says: says.into(), of_another: false }), "both collect alike");
    let mut none = FakeEngine::new(suite(8), without);
    let tried = tried_with(&fails_if(true), FakeEngine::new(suite(8), right), &mut none, None);
    let (says, of_another) = against(tried);
    assert!(says.starts_with("could not be seen to hold: ") && !of_another, "{says}");
    assert!(says.contains("pytest is run in a folder outside of its rootdir"), "{says}");
}

#[test]
fn a_patch_that_was_not_tried_to_the_end_is_neither_good_nor_bad() {
    let now = Instant::now();
    let of = |finish: Instant| {
        let mut engine = FakeEngine::new(suite(8), without).copied_as(without);
        let deadline = Deadline { finish, end: now + Duration::from_secs(7200) };
        tried_with(&fails_if(true), FakeEngine::new(suite(8), right), &mut engine, Some(deadline))
    };
    assert_eq!(of(now), Tried::NoTime);
    assert_eq!(of(now + Duration::from_secs(3600)), holds());
}

/// How often a copy of the project was run.
static COPY_RAN: AtomicU32 = AtomicU32::new(0);

#[test]
fn what_a_plan_shows_without_a_change_is_asked_once_for_all_fixes() {
    let fails_and_counts = |situation: Situation<'_>| {
        COPY_RAN.fetch_add(u32::from(situation.test == test('f')), Ordering::Relaxed);
        without(situation)
    };
    let (project, whole, mut nobody) = (tempfile::tempdir().unwrap(), suite(8), Reporters::default());
    let mut engine = FakeEngine::new(suite(8), without).copied_as(fails_and_counts);
    let lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let mut control = Control::new(project.path());
    for _fix in 0..3 {
        control.trial(&lab, &plan("bf"), false).unwrap();
    }
    assert_eq!(COPY_RAN.load(Ordering::Relaxed), 1);
    control.trial(&lab, &plan("bf"), true).unwrap();
    assert_eq!(COPY_RAN.load(Ordering::Relaxed), 2, "a fresh process may show something else");
}
