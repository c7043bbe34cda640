//! Who has to do with a place, in whole sessions of suites of which that is known.

#![cfg(test)]

use super::*;
use crate::plan::{Axes, Seed};
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, fails_if, name, suite};
use crate::session::fake_state::State;
use crate::session::result::{Limits, SessionResult};
use crate::session::stress::stress;
use crate::trial::Outcome;

const CART: &str = "shop.CART";

fn session(tests: u32, state: State) -> SessionResult {
    let mut engine = FakeEngine::of_state(suite(tests), state);
    let axes = Axes { workers: vec![1], hash_seeds: 1, ..Axes::default() };
    let limits = Limits { trials: Some(10), ..Limits::default() };
    stress(&mut engine, &mut Reporters::default(), Seed(1), &axes, &limits).unwrap()
}

fn letters(tests: impl IntoIterator<Item = TestIndex>) -> String {
    tests.into_iter().map(name).collect()
}

/// Each finding as `victim f: b, polluters c, victims g, b after f, cleaners d`.
fn told(result: &SessionResult) -> Vec<String> {
    let of = |finding: &Finding| {
        let related = finding.explanation.as_ref().map(|explanation| explanation.related_tests.clone());
        let RelatedTests { polluters, victims, in_turn, cleaners, .. } = related.unwrap_or_default();
        let victims = letters(victims.iter().map(|signature| signature.test));
        let in_turn = in_turn.map_or_else(String::new, |turn| {
            format!(", {} after {}", name(turn.victim.test), name(turn.after))
        });
        format!(
            "{} {}: {}, polluters {}, victims {victims}{in_turn}, cleaners {}",
            finding.kind.name(),
            letters(finding.test),
            letters(finding.causes().0.iter().copied()),
            letters(polluters),
            letters(cleaners)
        )
    };
    result.findings.iter().map(of).collect()
}

fn only_cart(
    letter: char,
    of: &str,
    what: &'static [(&'static str, bool)],
) -> &'static [(&'static str, bool)] {
    if of.contains(letter) { what } else { &[] }
}

#[test]
fn tests_that_pollute_each_other_are_one_finding() {
    let state = State {
        writes: |letter| only_cart(letter, "bd", &[(CART, true)]),
        becomes: |letter, dirty| fails_if("bdf".contains(letter) && dirty.contains(CART)),
    };
    let told = told(&session(6, state));
    assert_eq!(told.iter().filter(|told| told.starts_with("victim")).count(), 1, "{told:?}");
}

#[test]
fn a_test_that_fails_for_another_place_is_told_by_itself() {
    let state = State {
        writes: |letter| match letter {
            'b' => &[(CART, true), ("shop.OTHER", true)],
            _ => &[],
        },
        becomes: |letter, dirty| match letter {
            'f' => fails_if(dirty.contains(CART)),
            'g' => fails_if(dirty.contains("shop.OTHER")),
            _ => Outcome::Passed,
        },
    };
    let told = told(&session(8, state));
    assert_eq!(
        told,
        ["victim f: b, polluters , victims , cleaners ", "victim g: b, polluters , victims , cleaners "]
    );
}
