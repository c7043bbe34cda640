//! Fixes of a project of which each is known to hold or not, tried in one copy.

#![cfg(test)]

use std::cell::Cell;
use std::fs;
use std::path::Path;

use super::*;
use crate::explain::Explanation;
use crate::explain::fix::edit::{Rank, Splice};
use crate::finding::{Kind, Minimal, Origin};
use crate::judge::{Signature, Tally};
use crate::limits::{FIX_PARALLEL_PART, FIX_PLAIN_TRIALS, FIX_TRIALS};
use crate::plan::{Axes, Seed};
use crate::session::event::Reporters;
use crate::session::fake_engine::{CopiedBy, FakeEngine, Situation, fails_if, plan, suite, test};
use crate::state::Place;
use crate::trial::Outcome;

/// `f` fails after `b`, and `g` after `c`.
fn unfixed(run: Situation<'_>) -> Outcome {
    fails_if(run.is('f') && run.after('b') || run.is('g') && run.after('c'))
}

thread_local! {
    /// How often `h` was run where both are fixed.
    static RUNS: Cell<u32> = const { Cell::new(0) };
}

fn both_fixed(run: Situation<'_>) -> Outcome {
    RUNS.set(RUNS.get() + u32::from(run.is('h')));
    Outcome::Passed
}

/// With both `h` fails, and with each one alone it does not.
fn not_both(run: Situation<'_>) -> Outcome {
    fails_if(run.is('h'))
}

fn victim(letter: char, polluter: char) -> Finding {
    let list = plan(&format!("{polluter}{letter}"));
    let shrunk = Minimal {
        plan: list,
        culprits: vec![test(polluter)],
        imports: Vec::new(),
        one_minimal: true,
        calls: 1,
    };
    Finding {
        signature: Signature::of(test(letter), &fails_if(true)),
        shrunk: Some(shrunk),
        with: Tally { runs: 8, failed: 8 },
        explanation: Some(Explanation {
            confirmed: true,
            places: vec![Place::example("shop.CART")],
            ..Explanation::default()
        }),
        ..Finding::new(Kind::Victim, Some(test(letter)), Origin::Baseline)
    }
}

/// A fix that held by itself: it adds a line to this file.
fn held(file: &str, line: &str) -> Held {
    let splice = Splice { at: 0, end: 0, rank: Rank::Block, text: line.into() };
    let edit = Edit { file: file.into(), before: b"a = 1\n".to_vec(), splices: vec![splice] };
    Held { edits: vec![edit], git_applied: true, passed: FIX_PLAIN_TRIALS, parallel: 0, raced: 0 }
}

/// What becomes of these fixes of `f` and `g` in a project of two files, by what a copy of it holds.
fn tried(fixes: [Held; 2], how_far: HowFar, copies: CopiedBy) -> Vec<Together> {
    let project = tempfile::tempdir().unwrap();
    for file in ["one.py", "two.py"] {
        fs::write(project.path().join(file), "a = 1\n").unwrap();
    }
    let (whole, mut nobody, axes) = (suite(8), Reporters::default(), Axes::default());
    let mut engine = FakeEngine::new(suite(8), unfixed).copied_by(copies);
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let mut trials = Trials::new(project.path().to_str().unwrap(), Seed(1), &axes);
    let findings = [victim('f', 'b'), victim('g', 'c')];
    let searches = findings.each_ref().map(|finding| Search::of(&trials, &whole, finding).unwrap());
    let candidates: Vec<Candidate<'_>> = searches
        .iter()
        .zip(fixes)
        .enumerate()
        .map(|(of, (search, held))| Candidate { of, search, held })
        .collect();
    together(&mut lab, &mut trials, &candidates, how_far).unwrap()
}

/// Whether both files of a copy are changed.
fn are_changed(copy: &Path) -> bool {
    ["one.py", "two.py"].iter().all(|file| fs::read_to_string(copy.join(file)).unwrap() != "a = 1\n")
}

#[test]
fn fixes_that_hold_together_are_tried_in_the_same_trials() {
    // What each was tried in by itself is not run again.
    for (how_far, in_order) in [(HowFar::ItsFailure, 0), (HowFar::InOrder, FIX_PLAIN_TRIALS)] {
        let held = |file, line| Held { passed: in_order, ..held(file, line) };
        let fixes = || [held("one.py", "def f():\n"), held("two.py", "def g():\n")];
        RUNS.set(0);
        let tried = tried(fixes(), how_far, |copy| if are_changed(copy) { both_fixed } else { unfixed });
        let holds = |held: Held| {
            let held = Held { passed: FIX_TRIALS, parallel: FIX_TRIALS / FIX_PARALLEL_PART, ..held };
            Together::Holds(held, 1)
        };
        assert_eq!(tried, fixes().map(holds));
        assert_eq!(RUNS.get(), FIX_TRIALS - in_order, "each trial is run once for both");
    }
}

#[test]
fn where_one_of_several_does_harm_nothing_is_known_of_any() {
    let fixes = [held("one.py", "def f():\n"), held("two.py", "def g():\n")];
    let tried = tried(fixes, HowFar::InOrder, |copy| if are_changed(copy) { not_both } else { unfixed });
    assert_eq!(tried, [Together::Unknown, Together::Unknown]);
}

#[test]
fn fixes_that_do_not_go_together_are_not_tried_together() {
    let fixes = [held("one.py", "def f():\n"), held("one.py", "def f(a):\n")];
    let tried = tried(fixes, HowFar::InOrder, |_| both_fixed);
    assert_eq!(tried, [Together::Unknown, Together::Unknown]);
}
