//! What is said of the state behind a failure, of suites whose state is known.

#![cfg(test)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::*;
use crate::finding::{Minimal, Origin};
use crate::judge::{Signature, Tally};
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, failed, fails_if, plan, suite, test};
use crate::session::fake_state::{State, WATCHED};
use crate::session::lab::deadline::Deadline;

const CART: &str = "shop.CART";
const PLACES: &[(&str, bool)] = &[
    ("p01", true),
    ("p02", true),
    ("p03", true),
    ("p04", true),
    ("p05", true),
    ("p06", true),
    ("p07", true),
    ("p08", true),
    ("p09", true),
    ("p10", true),
    ("p11", true),
    ("p12", true),
    ("p13", true),
    ("p14", true),
    ("p15", true),
    ("p16", true),
    ("p17", true),
    ("p18", true),
    ("p19", true),
    ("p20", true),
];
const ALWAYS: Tally = Tally { runs: 8, failed: 8 };
const AT_TIMES: Tally = Tally { runs: 20, failed: 5 };

/// `f` fails where all of these places are changed.
fn of_f(letter: char, dirty: &BTreeSet<&'static str>, places: &[(&'static str, bool)]) -> Outcome {
    fails_if(letter == 'f' && places.iter().all(|(place, _)| dirty.contains(place)))
}

/// A finding of `f`, which fails after `b` so often.
fn victim(with: Tally) -> Finding {
    let culprits = vec![test('b')];
    let minimal = Minimal { plan: plan("bf"), culprits, imports: Vec::new(), one_minimal: true, calls: 1 };
    Finding {
        signature: Signature::of(test('f'), &failed("AssertionError")),
        shrunk: Some(minimal),
        with,
        ..Finding::new(Kind::Victim, Some(test('f')), Origin::Baseline)
    }
}

fn explained(state: State, with: Tally, deadline: Option<Deadline>) -> Explanation {
    let (whole, mut nobody, mut engine) =
        (suite(8), Reporters::default(), FakeEngine::of_state(suite(8), state));
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, deadline);
    explain(&mut lab, &victim(with)).unwrap().unwrap()
}

/// Why nothing is claimed of a state.
fn why(state: State, with: Tally) -> String {
    let explanation = explained(state, with, None);
    assert!(!explanation.confirmed, "{explanation:?}");
    explanation.why.unwrap()
}

fn leaves_cart() -> State {
    State {
        writes: |letter| if letter == 'b' { &[(CART, true)] } else { &[] },
        becomes: |letter, dirty| of_f(letter, dirty, &[(CART, true)]),
    }
}

#[test]
fn what_undoes_the_failure_is_the_cause_and_nothing_is_said_against_it() {
    let explanation = explained(leaves_cart(), ALWAYS, None);
    assert!(explanation.confirmed);
    assert_eq!((explanation.why, explanation.places[0].name.as_str()), (None, CART));
}

#[test]
fn where_nothing_changed_that_is_watched_that_is_said() {
    let hidden = State {
        writes: |letter| if letter == 'b' { &[("hidden table", true)] } else { &[] },
        becomes: |letter, dirty| of_f(letter, dirty, &[("hidden table", true)]),
    };
    assert_eq!(why(hidden, ALWAYS), "nothing that is watched had changed");
    let fixed = State {
        writes: |letter| if letter == 'b' { &[("fixed table", true)] } else { &[] },
        becomes: |letter, dirty| of_f(letter, dirty, &[("fixed table", true)]),
    };
    assert_eq!(why(fixed, ALWAYS), "nothing that had changed could be put back to try whether it matters");
    let another = State {
        writes: |letter| if letter == 'b' { &[("hidden table", true), (CART, true)] } else { &[] },
        becomes: |letter, dirty| of_f(letter, dirty, &[("hidden table", true)]),
    };
    assert_eq!(why(another, ALWAYS), "restoring what had changed did not undo the failure");
}

#[test]
fn a_failure_that_watching_undoes_is_said_not_to_have_shown() {
    let shy = State {
        becomes: |letter, dirty| fails_if(letter == 'f' && dirty.contains(CART) && !dirty.contains(WATCHED)),
        ..leaves_cart()
    };
    assert_eq!(why(shy, ALWAYS), "the failure did not show while its state was watched");
}

#[test]
fn the_runs_for_one_state_are_counted_and_the_step_in_which_they_were_used_up_is_named() {
    let all = State {
        writes: |letter| if letter == 'b' { PLACES } else { &[] },
        becomes: |letter, dirty| of_f(letter, dirty, PLACES),
    };
    assert_eq!(why(all, AT_TIMES), "no more than 400 runs are made to try every place");
    let half = State {
        writes: |letter| if letter == 'b' { &PLACES[..10] } else { &[] },
        becomes: |letter, dirty| of_f(letter, dirty, &PLACES[..10]),
    };
    let step = " to confirm what undid the failure in a fresh process";
    assert_eq!(why(half, AT_TIMES), format!("no more than 400 runs are made{step}"));
    let few = State {
        writes: |letter| if letter == 'b' { &PLACES[..5] } else { &[] },
        becomes: |letter, dirty| of_f(letter, dirty, &PLACES[..5]),
    };
    assert!(explained(few, AT_TIMES, None).confirmed);
    let hangs = State {
        writes: |letter| if letter == 'b' { PLACES } else { &[] },
        becomes: |letter, dirty| match of_f(letter, dirty, &PLACES[19..]) {
            Outcome::Failed(_) => Outcome::Timeout { limit: Duration::ZERO },
            passed => passed,
        },
    };
    let (whole, mut nobody, mut engine) =
        (suite(8), Reporters::default(), FakeEngine::of_state(suite(8), hangs));
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let hung = Outcome::Timeout { limit: Duration::ZERO };
    let finding = Finding { signature: Signature::of(test('f'), &hung), ..victim(ALWAYS) };
    let explanation = explain(&mut lab, &finding).unwrap().unwrap();
    let hung = "the test hung in 12 runs, and no more are made to try every place";
    assert_eq!(explanation.why.as_deref(), Some(hung));
}

#[test]
fn where_the_time_is_used_up_that_is_said() {
    let now = Instant::now();
    let late = Deadline { finish: now, end: now + Duration::from_secs(3600) };
    let explanation = explained(leaves_cart(), ALWAYS, Some(late));
    assert_eq!(explanation.why.as_deref(), Some("there was no time to look into it"));
}
