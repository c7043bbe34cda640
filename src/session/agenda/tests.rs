//! The order in which whole sessions look into things, of suites whose tests leave two places changed.

#![cfg(test)]

use super::*;
use std::time::Duration;

use crate::finding::{Finding, Origin};
use crate::plan::{Axes, Seed, WorkerId};
use crate::run::Engine;
use crate::run::engine::Collect;
use crate::session::event::{Reporter, Reporters};
use crate::session::fake_engine::{FakeEngine, failed, fails_if, name, plan, suite, test};
use crate::session::fake_state::State;
use crate::session::result::{Limits, SessionResult};
use crate::session::stress::stress;
use crate::session::suspect::suspects;
use crate::trial::{Execution, Trial};

/// `b` leaves a place for which `f` fails, `c` one for which `e`, `g` and `h` do.
const TWO_CAUSES: State = State {
    writes: |letter| match letter {
        'b' => &[("shop.ONE", true)],
        'c' => &[("shop.TWO", true)],
        _ => &[],
    },
    becomes: |letter, dirty| match letter {
        'f' => fails_if(dirty.contains("shop.ONE")),
        'e' | 'g' | 'h' => fails_if(dirty.contains("shop.TWO")),
        _ => fails_if(false),
    },
};

/// What is done, in order: `found f`, `explained f`, `untried f`.
#[derive(Default)]
struct Done {
    tests: Vec<char>,
    told: Vec<String>,
}

impl Reporter for Done {
    fn notice(&mut self, _: &Suite, event: &Event<'_>) {
        let (what, of) = match event {
            Event::Found(finding) => {
                self.tests.extend(finding.test.map(name));
                ("found", self.tests.len() - 1)
            }
            Event::Explained(of, Explanation { why: Some(_), .. }) => ("unexplained", *of),
            Event::Explained(of, _) => ("explained", *of),
            Event::Fixed(of, Err(_)) => ("unfixed", *of),
            Event::Folded(of, _) => ("folded", *of),
            _ => return,
        };
        self.told.push(format!("{what} {}", self.tests[of]));
    }
}

fn session(state: State, how_far: Explain, runs: usize) -> (Vec<String>, SessionResult, usize) {
    let mut engine = FakeEngine::of_state(suite(8), state).interrupted_after(runs);
    let axes = Axes { workers: vec![1], hash_seeds: 1, ..Axes::default() };
    let limits = Limits { trials: Some(10), explain: how_far, ..Limits::default() };
    let mut done = Done::default();
    let result = stress(&mut engine, &mut done, Seed(1), &axes, &limits).unwrap();
    (done.told, result, engine.ran.len())
}

#[test]
fn all_is_judged_before_anything_is_explained_and_what_breaks_most_comes_first() {
    let (told, ..) = session(TWO_CAUSES, Explain::Fix, usize::MAX);
    // There is no copy of the project to try a fix in.
    let [found, rest] = [&told[..2], &told[2..]];
    assert!(found.iter().all(|told| told.starts_with("found ")), "{told:?}");
    let of_two = found[0].strip_prefix("found ").filter(|test| *test != "f").unwrap_or(&found[1][6..]);
    let [explained, unfixed] = ["explained", "unfixed"].map(|what| format!("{what} {of_two}"));
    assert_eq!(rest, [explained, "explained f".into(), unfixed, "unfixed f".into()]);
}

#[test]
fn what_some_of_the_places_of_another_finding_are_enough_for_is_told_with_that() {
    let either = State {
        writes: |letter| if letter == 'b' { &[("shop.ONE", true), ("shop.TWO", true)] } else { &[] },
        becomes: |letter, dirty| match letter {
            'd' => fails_if(dirty.contains("shop.ONE")),
            'f' => fails_if(dirty.contains("shop.ONE") || dirty.contains("shop.TWO")),
            _ => fails_if(false),
        },
    };
    let (told, result, _) = session(either, Explain::Fix, usize::MAX);
    assert_eq!(told, ["found d", "explained d", "found f", "explained f", "folded d", "unfixed f"]);
    let [finding] = &result.findings[..] else { panic!("{told:?}") };
    let explanation = finding.explanation.as_ref().expect("it is explained");
    assert_eq!((explanation.places.len(), explanation.jointly), (2, true));
    let related = &explanation.related_tests;
    assert_eq!(related.victims.iter().map(|victim| name(victim.test)).collect::<String>(), "d");
    assert_eq!(related.enough, [(test('d'), vec!["shop.ONE".to_owned()])].into());
}

#[test]
fn what_is_asked_for_is_all_that_is_done() {
    let (told, ..) = session(TWO_CAUSES, Explain::No, usize::MAX);
    assert_eq!(told.len(), 2, "{told:?}");
    let (told, ..) = session(TWO_CAUSES, Explain::State, usize::MAX);
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[2..].iter().all(|told| told.starts_with("explained ")), "{told:?}");
}

#[test]
fn of_what_was_not_reached_that_is_told() {
    let (_, _, all) = session(TWO_CAUSES, Explain::Fix, usize::MAX);
    let (mut not_reached, mut unfixed) = (0, 0);
    for runs in (0..all).step_by(3) {
        let (told, result, _) = session(TWO_CAUSES, Explain::Fix, runs);
        for finding in &result.findings {
            let explanation = finding.explanation.as_ref();
            let why = explanation.and_then(|explanation| explanation.why.as_deref());
            not_reached += u32::from(why == Some(NOT_REACHED));
            let confirmed = explanation.is_some_and(|explanation| explanation.confirmed);
            let ended = Some(&session_ended());
            let none = explanation.is_some_and(|explanation| explanation.no_fix.as_ref() == ended);
            unfixed += u32::from(confirmed && none);
            let whole = explanation.is_some_and(|explanation| explanation.no_fix.is_some());
            // Whatever is being looked into when the session ends has a note instead.
            assert!(
                finding.note.is_some() || why.is_some() || confirmed && whole,
                "after {runs} runs: {told:?}"
            );
        }
    }
    assert!(not_reached > 1 && unfixed > 1, "{not_reached} and {unfixed} of {all}");
}

/// `b` and `d` leave a place changed for which both fail.
const EACH_OTHER: State = State {
    writes: |letter| if "bd".contains(letter) { &[("shop.ONE", true)] } else { &[] },
    becomes: |letter, dirty| fails_if("bdf".contains(letter) && dirty.contains("shop.ONE")),
};

#[test]
fn a_finding_that_the_explanation_of_another_tells_of_is_told_with_that() {
    let (told, result, _) = session(EACH_OTHER, Explain::State, usize::MAX);
    let victims = |told: &&Finding| told.kind == Kind::Victim;
    let folded: Vec<&String> = told.iter().filter(|told| told.starts_with("folded")).collect();
    assert_eq!(folded.len(), 1, "{told:?}");
    assert_eq!(result.findings.iter().filter(victims).count(), 1);
}

#[test]
fn what_is_not_seen_again_of_a_test_that_loses_a_race_is_noted_of_that() {
    let of_race = |also: &[char]| {
        let (suite, mut nobody) = (suite(4), Reporters::default());
        let mut engine = FakeEngine::new(suite.clone(), |_| fails_if(false));
        let interpreter = engine.collect(Collect::kept(1)).unwrap().interpreter;
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        let also = also.iter().map(|&letter| test(letter)).collect();
        lab.found(&Finding { also, ..Finding::new(Kind::Race, Some(test('a')), Origin::Race(1)) });
        let failing = plan("ab|cd");
        let run = Execution {
            worker: WorkerId(0),
            process: 0,
            test: test('b'),
            outcome: failed("OSError"),
            duration: Duration::ZERO,
        };
        let seen = suspects(Origin::Trial(3), &failing, &Trial::of([run]));
        lab.book_mut().take_in(seen);
        let axes = Axes::default();
        let trials = Trials::new("/nowhere", Seed(1), &axes);
        Agenda::new(&interpreter, Explain::No, trials).judge_and_explain(&mut lab).unwrap();
        assert!(lab.book().waiting.is_empty());
        lab.book().findings().iter().map(|it| (it.kind, it.note.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(of_race(&['b']), [(Kind::Race, true)]);
    assert_eq!(of_race(&['c']), [(Kind::Race, false), (Kind::Unreproduced, false)], "of another test");
}

#[test]
fn what_would_be_a_note_of_a_finding_that_is_told_already_is_a_remark_of_its_own() {
    let of = |is_told: bool| {
        let (suite, mut nobody) = (suite(4), Reporters::default());
        let mut engine = FakeEngine::new(suite.clone(), |_| fails_if(false));
        let interpreter = engine.collect(Collect::kept(1)).unwrap().interpreter;
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        let found = Finding::new(Kind::Nod, Some(test('b')), Origin::Baseline);
        lab.found(&found);
        complete::tell(&mut lab, |_, _| is_told);
        let axes = Axes::default();
        let mut agenda = Agenda::new(&interpreter, Explain::No, Trials::new("/nowhere", Seed(1), &axes));
        let again = Finding { note: Some("it is odd".into()), ..found };
        for _ in 0..2 {
            agenda.tell(&mut lab, &again, test('b')).unwrap();
        }
        (lab.book().findings()[0].note.clone(), lab.account().remarks())
    };
    assert_eq!(of(false), (Some("it is odd".into()), Vec::new()));
    let remark = "another failure of test_b.py::b was judged as the one that is told: it is odd";
    assert_eq!(of(true), (None, vec![remark.to_owned()]));
}
