//! Patches of suites whose truth is known, tried.

#![cfg(test)]

use super::*;
use crate::session::fake_engine::{FakeEngine, Situation, Unheard, fails_if, plan, suite, test};
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
    let (project, whole, mut unheard) = (tempfile::tempdir().unwrap(), suite(8), Unheard);
    let mut engine = FakeEngine::new(suite(8), without).copied_as(copied);
    let mut lab = Lab::new(&whole, &mut engine, &mut unheard, None);
    let (mut patched, axes) = (patched, Axes::default());
    let attempt = Attempt {
        lab: &mut lab,
        engine: &mut patched,
        control: &mut Control::new(project.path()),
        seed: Seed(1),
        axes: &axes,
        test: test('f'),
        fixture: None,
        changed: &[test('b')].into(),
        sets_up: false,
    };
    attempt.run(&plan("bf"), 1, true).unwrap()
}

fn tried(patched: impl FnMut(Situation<'_>) -> Outcome) -> Tried {
    tried_in(FakeEngine::new(suite(8), patched), without)
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
    assert_eq!(tried(right), Tried::Holds { parallel: FIX_PARALLEL_TRIALS, raced: 0 });
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
    assert_eq!(tried(mends_too), Tried::Holds { parallel: FIX_PARALLEL_TRIALS, raced: 0 });
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
fn what_a_copy_shows_without_the_patch_is_not_the_patchs_doing() {
    let healthy = |_: Situation<'_>| Outcome::Passed;
    let (says, _) = against(tried_in(FakeEngine::new(suite(8), healthy), healthy));
    assert_eq!(says, "could not be seen to undo the failure, which does not show in a copy of the project");
    let broken_by_copying = |run: Situation<'_>| fails_if(run.is('g') || without(run) != Outcome::Passed);
    let patched = |run: Situation<'_>| fails_if(run.is('g') || fails(run));
    let holds = tried_in(FakeEngine::new(suite(8), patched), broken_by_copying);
    assert_eq!(holds, Tried::Holds { parallel: FIX_PARALLEL_TRIALS, raced: 0 });
}

#[test]
fn a_patch_that_changes_what_is_collected_does_harm() {
    let says = against(tried_in(FakeEngine::new(suite(7), right), without));
    assert_eq!(says, ("changed what is collected: test_h.py::h".into(), true));
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
    let holds = tried_in(FakeEngine::new(suite(8), patched), at_times);
    assert_eq!(holds, Tried::Holds { parallel: FIX_PARALLEL_TRIALS, raced: 0 });
}
