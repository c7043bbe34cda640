//! Who has to do with a place, from one polluter and one victim on.

#![cfg(test)]

use super::*;
use crate::finding::{Kind, Minimal, Origin};
use crate::judge::Tally;
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, fails_if, name, plan, suite, test};
use crate::session::fake_state::{FORKED, State};
use crate::session::suspect::suspects;

const TESTS: u32 = 26;
const CACHE: &str = "shop.CACHE";

/// `a`, `b` and `c` set the place, `y` and `z` clear it, `d` to `o` fail where it is set; `p` fails alone.
const STATE: State = State {
    writes: |letter| match letter {
        'a'..='c' => &[(CACHE, true)],
        'y' | 'z' => &[(CACHE, false)],
        _ => &[],
    },
    becomes: |letter, dirty| {
        fails_if(letter == 'p' || ('d'..='o').contains(&letter) && dirty.contains(CACHE))
    },
};

fn engine(state: State) -> FakeEngine<'static> {
    FakeEngine::of_state(suite(TESTS), state)
}

/// Looks, from `d` after `a`, for the others; and what was run.
fn found(engine: FakeEngine<'_>) -> (RelatedTests, Vec<(Plan, bool)>) {
    let (found, apart, ran) = found_beside(engine, &SamePolluter::default());
    assert!(apart.is_empty());
    (found, ran)
}

/// The same, where these are told with the finding; and which of them have another reason.
fn found_beside(
    mut engine: FakeEngine<'_>,
    same_polluter: &SamePolluter,
) -> (RelatedTests, BTreeSet<Signature>, Vec<(Plan, bool)>) {
    let (suite, mut nobody, pair) = (suite(TESTS), Reporters::default(), plan("ad"));
    let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
    let trial = lab.trial(Origin::Trial(0), &pair).unwrap();
    let signature = suspects(Origin::Trial(0), &pair, &trial).remove(0).signature;
    let culprits = vec![test('a')];
    let minimal = Minimal { plan: pair, culprits, imports: Vec::new(), one_minimal: true, calls: 0 };
    let finding = Finding {
        signature: Some(signature),
        shrunk: Some(minimal),
        with: Tally { runs: 8, failed: 8 },
        same_polluter: same_polluter.clone(),
        ..Finding::new(Kind::Victim, Some(test('d')), Origin::Trial(0))
    };
    let (found, apart) = related_tests(&mut lab, &finding, &[Place::example(CACHE)]).unwrap();
    (found, apart, engine.ran)
}

fn letters(tests: impl IntoIterator<Item = TestIndex>) -> String {
    tests.into_iter().map(name).collect()
}

fn victims(related_tests: &RelatedTests) -> String {
    letters(related_tests.victims.iter().map(|told| told.test))
}

#[test]
fn all_who_have_to_do_with_a_place_are_named_and_no_others() {
    let (related_tests, _) = found(engine(STATE));
    assert_eq!(letters(related_tests.polluters.clone()), "bc");
    assert_eq!(victims(&related_tests), "efghijklmno");
    assert_eq!(letters(related_tests.cleaners.clone()), "yz");
    assert!(related_tests.whole);
    assert_eq!(letters(related_tests.fresh), "bcefyz", "two of each sort");
}

#[test]
fn a_polluter_that_hangs_when_it_is_run_again_is_not_run_before_each_test() {
    let takes_a_lock = State {
        becomes: |letter, dirty| match letter {
            'a' if dirty.contains(CACHE) => Outcome::Timeout { limit: std::time::Duration::ZERO },
            _ => (STATE.becomes)(letter, dirty),
        },
        ..STATE
    };
    let (related_tests, ran) = found(engine(takes_a_lock));
    assert_eq!(letters(related_tests.polluters.clone()), "bc");
    assert!(!related_tests.whole, "nobody else was run after it");
    let again = |plan: &Plan| plan.workers[0].iter().filter(|&&ran| ran == test('a')).count() - 1;
    let most = ran
        .iter()
        .filter(|(plan, _)| plan.workers[0].contains(&test('a')))
        .map(|(plan, _)| again(plan))
        .max();
    assert_eq!(most, Some(1));
}

#[test]
fn a_victim_that_resets_the_place_is_a_cleaner_as_well() {
    let resets = |letter| if letter == 'o' { &[(CACHE, false)][..] } else { (STATE.writes)(letter) };
    let (related_tests, _) = found(engine(State { writes: resets, ..STATE }));
    assert_eq!(victims(&related_tests), "efghijklmno");
    assert_eq!(letters(related_tests.cleaners.clone()), "oyz");
    assert!(!related_tests.fresh.contains(&test('o')), "that it is a victim was seen in forks alone");
}

#[test]
fn of_a_place_a_sample_is_shown_in_fresh_processes_and_all_where_these_differ() {
    let in_forks_alone = State {
        becomes: |letter, dirty| {
            let passes = "eko".contains(letter) && !dirty.contains(FORKED);
            if passes { fails_if(false) } else { (STATE.becomes)(letter, dirty) }
        },
        ..STATE
    };
    let (related_tests, ran) = found(engine(in_forks_alone));
    assert_eq!(victims(&related_tests), "fghijlmn");
    let list = |letter| plan(&format!("a{letter}")).workers;
    let fresh = |letter| ran.iter().filter(|(ran, fresh)| *fresh && ran.workers == list(letter)).count();
    assert_eq!("efghijklmno".chars().map(fresh).collect::<Vec<_>>(), [1; 11]);
}

#[test]
fn where_each_run_is_a_start_of_pytest_not_all_are_tried_and_that_is_told() {
    let all = State {
        writes: |letter| if letter == 'a' { &[(CACHE, true)] } else { &[] },
        becomes: |_, dirty| fails_if(dirty.contains(CACHE)),
    };
    let (cut, _) = found(engine(all).without_forks());
    assert_eq!((cut.victims.len(), cut.whole), (RELATED_STARTS, false));
    let (related_tests, ran) = found(engine(STATE).without_forks());
    assert!(related_tests.whole);
    assert_eq!(related_tests.fresh, related_tests.tests());
    assert!(ran.iter().all(|(_, fresh)| *fresh));
}

#[test]
fn what_was_seen_to_fail_after_the_polluter_is_only_asked_whether_it_does_so_for_the_place() {
    // `f` fails after `a` for something else, which stays when the place is put back.
    let state = State {
        writes: |letter| match letter {
            'a' => &[(CACHE, true), ("hidden", true)],
            other => (STATE.writes)(other),
        },
        becomes: |letter, dirty| match letter {
            'f' => fails_if(dirty.contains("hidden")),
            other => (STATE.becomes)(other, dirty),
        },
    };
    let (alone, ran_alone) = found(engine(state));
    assert_eq!(victims(&alone), "eghijklmno");
    let told = |letter| Signature::of(test(letter), &fails_if(true)).unwrap();
    let same_polluter =
        SamePolluter { victims: "efg".chars().map(told).collect(), fresh: [test('f'), test('g')].into() };
    let (beside, apart, ran) = found_beside(engine(state), &same_polluter);
    assert_eq!((victims(&beside), &beside.polluters), (victims(&alone), &alone.polluters));
    assert_eq!(letters(apart.iter().map(|apart| apart.test)), "f");
    assert!(beside.fresh.contains(&test('g')) && !beside.fresh.contains(&test('e')), "as it was seen");
    let after = |ran: &[(Plan, bool)], letter| {
        let pair = vec![vec![test('a'), test(letter)]];
        ran.iter().filter(|(plan, _)| plan.workers == pair).count()
    };
    // With the place put back; the others before and after that as well.
    assert_eq!("eg".chars().map(|letter| after(&ran, letter)).collect::<Vec<_>>(), [1, 1]);
    assert_eq!("eg".chars().map(|letter| after(&ran_alone, letter)).collect::<Vec<_>>(), [3, 3]);
}
