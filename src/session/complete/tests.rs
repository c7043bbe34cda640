//! What whole sessions tell of, when, and that it is what they end with.

#![cfg(test)]

use std::path::PathBuf;

use super::*;
use crate::explain::Explanation;
use crate::finding::{Kind, Origin};
use crate::plan::{Axes, Seed};
use crate::session::account::finding_book::FindingBook;
use crate::session::event::Reporter;
use crate::session::fake_engine::{FakeEngine, fails_if, name, of_each_kind, plan, suite, test};
use crate::session::fake_state::State;
use crate::session::{Explain, Limits, SessionResult, stress};
use crate::suite::Suite;
use crate::trial::{Change, Leftover, LeftoverKind, Outcome, Trial};

const TESTS: u32 = 10;

/// What is told as complete, and in one word what was done meanwhile: `trial`, `explained`, `fixed`.
#[derive(Default)]
struct Told {
    findings: Vec<Finding>,
    steps: Vec<String>,
}

impl Reporter for Told {
    fn notice(&mut self, _: &Suite, event: &Event<'_>) {
        let step = match event {
            Event::Complete(_, finding) => {
                self.findings.push((*finding).clone());
                finding.test.map_or_else(|| "the suite".into(), |test| format!("told {}", name(test)))
            }
            Event::Finished { origin: Origin::Trial(_), .. } => "trial".into(),
            Event::Explained(..) => "explained".into(),
            Event::Fixed(..) => "fixed".into(),
            _ => return,
        };
        if self.steps.last() != Some(&step) {
            self.steps.push(step);
        }
    }
}

/// `b` leaves a place for which `f` and `g` fail, `c` and `d` one for which each other and `h` do; `e` fails always.
const PLACES: State = State {
    writes: |letter| match letter {
        'b' => &[("shop.ONE", true)],
        'c' | 'd' => &[("shop.TWO", true)],
        _ => &[],
    },
    becomes: |letter, dirty| match letter {
        'f' | 'g' => fails_if(dirty.contains("shop.ONE")),
        'c' | 'd' | 'h' => fails_if(dirty.contains("shop.TWO")),
        letter => fails_if(letter == 'e'),
    },
};

fn engines(kind: usize) -> FakeEngine<'static> {
    match kind {
        0 => FakeEngine::new(suite(TESTS), of_each_kind),
        1 => FakeEngine::new(suite(TESTS), of_each_kind).in_one_place().without_forks(),
        _ => FakeEngine::of_state(suite(TESTS), PLACES),
    }
}

fn session(mut engine: FakeEngine<'_>, limits: &Limits) -> (Told, SessionResult, usize) {
    let mut told = Told::default();
    let result = stress(&mut engine, &mut told, Seed(1), &Axes::default(), limits).unwrap();
    (told, result, engine.ran.len())
}

fn limits(explain: Explain, trials: u64) -> Limits {
    Limits { trials: Some(trials), explain, ..Limits::default() }
}

#[test]
fn whatever_ends_a_session_each_finding_is_told_once_as_it_is_in_the_end() {
    for kind in 0..3 {
        for explain in [Explain::No, Explain::State, Explain::Fix] {
            let limits = limits(explain, 45);
            let (_, whole, runs) = session(engines(kind), &limits);
            assert!(whole.findings.len() > 2);
            for runs in (0..runs).step_by(23).chain([usize::MAX]) {
                let (told, result, _) = session(engines(kind).interrupted_after(runs), &limits);
                let mut findings = told.findings;
                findings.sort_by_key(Finding::rank);
                assert_eq!(findings, result.findings, "engine {kind}, {explain:?}, after {runs} runs");
            }
        }
    }
}

/// The steps of a session, but for those that come before the first finding is told.
fn steps(engine: FakeEngine<'_>, limits: &Limits) -> String {
    let steps = session(engine, limits).0.steps;
    let first = steps.iter().position(|step| step.starts_with("told")).unwrap();
    steps[first..].join(", ")
}

#[test]
fn what_no_later_failure_can_change_is_told_before_further_trials_and_isolation_failures_come_first() {
    // A test that pollutes itself may have further sights, and a race notes.
    assert_eq!(
        steps(engines(0), &limits(Explain::No, 60)),
        "told h, told c, told e, told g, trial, told j, told i"
    );
    assert_eq!(
        steps(engines(0), &limits(Explain::No, 20)),
        "told h, told c, told j, told i, told e, told g",
        "there is one round, and what is complete with it is told in one order"
    );
    // What fails for reasons of its own may do so for what another trial has left.
    assert_eq!(
        steps(engines(1), &limits(Explain::No, 60)),
        "told h, told c, trial, told j, told i, told e, told g"
    );
}

#[test]
fn what_is_explained_is_told_with_its_state_and_what_a_fix_is_tried_of_with_that() {
    let state = "told d, explained, told f, explained, told c, told e";
    assert_eq!(steps(engines(2), &limits(Explain::State, 20)), state);
    // The fixes of all are tried after the state of all was looked for.
    let fix = "told d, fixed, told f, fixed, told c, told e";
    assert_eq!(steps(engines(2), &limits(Explain::Fix, 20)), fix);
    // What pollutes itself may have further sights.
    let later = steps(engines(2), &limits(Explain::State, 60));
    assert_eq!(later, "told d, explained, told f, explained, told e, trial, told c");
}

#[test]
fn a_doubt_and_what_was_left_behind_are_told_at_the_end() {
    let of = |engine: FakeEngine<'_>| {
        let (mut engine, suite, mut told) = (engine, suite(3), Told::default());
        let mut lab = Lab::new(&suite, &mut engine, &mut told, None).searching(FindingBook::default());
        let (origin, plan) = (Origin::Alone, plan("b"));
        let path = PathBuf::from("cache.txt");
        let left = Leftover { path, change: Change::Created, kind: LeftoverKind::File, size: 1 };
        let trial = Trial { leftovers: vec![left], ..Trial::of([]) };
        lab.tell(&Event::Finished { origin, plan: &plan, trial: &trial });
        lab.found(&Finding::new(Kind::Victim, Some(test('a')), Origin::Baseline));
        lab.found(&Finding::new(Kind::Broken, Some(test('c')), Origin::Baseline));
        tell(&mut lab, |_, _| true);
        lab.tell(&Event::Explained(0, &Explanation::default()));
        tell_rest(&mut lab);
        let noted = told.findings.iter().map(|finding| finding.note.as_deref() == Some(DOUBT));
        (told.steps.join(", "), noted.collect::<Vec<_>>())
    };
    let engine = || FakeEngine::new(suite(3), |_| Outcome::Passed);
    let apart = ("told a, told c, explained, told b".to_owned(), vec![false, false, false]);
    assert_eq!(of(engine()), apart);
    let in_one_place = ("told a, explained, told c, told b".to_owned(), vec![false, true, false]);
    assert_eq!(of(engine().in_one_place()), in_one_place);
}
