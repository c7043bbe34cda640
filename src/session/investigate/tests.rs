//! What is found of failures of suites that are functions.

#![cfg(test)]

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::finding::Origin;
use crate::judge::Tally;
use crate::plan::Mode;
use crate::plan::{Imports, Plan};
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, lost, name, plan, suite, test};
use crate::session::suspect::suspects;
use crate::suite::TestIndex;
use crate::trial::Outcome;

/// What is found of a test that fails in the last of some trials.
fn found(engine: &mut FakeEngine<'_>, tests: u32, trials: &[Plan], letter: char) -> Finding {
    let (suite, mut nobody) = (suite(tests), Reporters::default());
    let mut lab = Lab::new(&suite, engine, &mut nobody, None);
    let mut seen = Vec::new();
    for plan in trials {
        let trial = lab.trial(Origin::Trial(0), plan).unwrap();
        seen = suspects(Origin::Trial(0), plan, &trial);
    }
    let suspect = seen.into_iter().find(|suspect| suspect.signature.test == test(letter));
    investigate(&mut lab, &suspect.expect("it fails in the last trial")).unwrap()
}

/// `victim: b d` for the kind and its culprits; an imported file is in brackets.
fn verdict(finding: &Finding) -> String {
    let (culprits, imports) = finding.causes();
    let culprits = culprits.iter().map(|&test| format!(" {}", name(test)));
    let imports = imports.iter().map(|file| format!(" [{file}]"));
    format!("{}:{}", finding.kind.name(), culprits.chain(imports).collect::<String>())
}

/// The finding of `f` in eight tests where it `becomes` so, with forks and without: it is one and the same.
fn of_f(trials: &[Plan], becomes: impl Fn(Situation<'_>) -> Outcome) -> String {
    let one = |run: Situation<'_>| if run.is('f') { becomes(run) } else { Outcome::Passed };
    let forking = found(&mut FakeEngine::new(suite(8), one), 8, trials, 'f');
    let fresh = found(&mut FakeEngine::new(suite(8), one).without_forks(), 8, trials, 'f');
    assert_eq!(verdict(&forking), verdict(&fresh), "forks change nothing");
    verdict(&forking)
}

fn in_order() -> Vec<Plan> {
    vec![plan("abcdefgh")]
}

/// Suite order, in which `f` passes or fails, and then another order.
fn then(list: &str) -> Vec<Plan> {
    vec![plan("abcdefgh"), plan(list)]
}

#[test]
fn a_victim_is_told_with_the_tests_that_it_takes_and_no_others() {
    assert_eq!(of_f(&in_order(), |run| fails_if(run.after('b'))), "victim: b");
    assert_eq!(of_f(&in_order(), |run| fails_if(run.after('b') && run.after('d'))), "victim: b d");
    assert_eq!(of_f(&in_order(), |run| fails_if(run.after('b') || run.after('d'))), "victim: d");
    let cleaned = |run: Situation<'_>| fails_if(run.last_of("bc") == Some('b'));
    assert_eq!(of_f(&then("cbadefgh"), cleaned), "victim: b");
    let next = |run: Situation<'_>| fails_if(run.before.last() == Some(&test('g')));
    assert_eq!(of_f(&then("abcdegfh"), next), "victim: g");
    let both_in_order = |run: Situation<'_>| {
        let at = |letter| run.before.iter().position(|&other| other == test(letter));
        fails_if(at('d').is_some() && at('d') < at('b'))
    };
    assert_eq!(of_f(&then("dacbefgh"), both_in_order), "victim: d b");
}

#[test]
fn an_import_that_is_enough_is_told_as_one() {
    let becomes = |run: Situation<'_>| if run.is('f') { fails_if(run.imports('b')) } else { Outcome::Passed };
    let mut engine = FakeEngine::new(suite(8), becomes);
    let finding = found(&mut engine, 8, &in_order(), 'f');
    assert_eq!(verdict(&finding), "victim: [test_b.py]");
    let whole = |(ran, _): &&(Plan, bool)| ran.workers == plan("f").workers && ran.imports == Imports::All;
    let judged_and_shrunk = 2;
    let runs = engine.ran.iter().filter(whole).count();
    assert_eq!(runs, judged_and_shrunk, "a run with all imported confirms nothing of one import");
    assert_eq!(finding.without.failed, 0, "with its own file imported alone it passes");
}

#[test]
fn a_brittle_test_is_told_with_what_it_needs() {
    assert_eq!(of_f(&then("fabcdegh"), |run| fails_if(!run.after('b'))), "brittle: b");
    let both = |run: Situation<'_>| fails_if(!(run.after('b') && run.after('e')));
    assert_eq!(of_f(&then("bfacdegh"), both), "brittle: b e");
}

#[test]
fn a_test_that_fails_in_another_way_after_some_test_is_not_said_to_pass_after_it() {
    let becomes = |run: Situation<'_>| match (run.is('f'), run.after('b'), run.after('c')) {
        (true, true, _) => failed("ServerDown"),
        (true, _, false) => failed("LeftBad"),
        _ => Outcome::Passed,
    };
    assert_eq!(of_f(&[plan("cf"), plan("bf")], becomes), "brittle: c");
}

#[test]
fn what_fails_for_reasons_of_its_own_is_blamed_on_no_test() {
    assert_eq!(of_f(&in_order(), |_| failed("KeyError")), "broken:");
    assert_eq!(of_f(&in_order(), |_| lost()), "broken:");
    let by_hash = |run: Situation<'_>| fails_if(run.plan.hash_seed == 1);
    let under_both = [Plan { hash_seed: 2, ..plan("abcdefgh") }, plan("abcdefgh")];
    assert_eq!(of_f(&under_both, by_hash), "hash-seed:");
    assert_eq!(of_f(&in_order(), |run| fails_if(run.plan.random_seed % 2 == 1)), "random-draws:");
    let by_lot = |seed| {
        let mut coin = ChaCha8Rng::seed_from_u64(seed);
        let becomes = move |run: Situation<'_>| fails_if(run.is('f') && coin.random_bool(0.5));
        let mut engine = FakeEngine::new(suite(8), becomes);
        let (suite, mut nobody) = (suite(8), Reporters::default());
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        let suspect = loop {
            let trial = lab.trial(Origin::Trial(0), &plan("abcdefgh")).unwrap();
            let seen = suspects(Origin::Trial(0), &plan("abcdefgh"), &trial);
            if let Some(suspect) = seen.into_iter().next() {
                break suspect;
            }
        };
        investigate(&mut lab, &suspect).unwrap().kind
    };
    let kinds: Vec<Kind> = (0..40).map(by_lot).collect();
    assert!(!kinds.iter().any(|kind| kind.is_isolation_failure()), "{kinds:?}");
    assert!(kinds.iter().filter(|&&kind| kind == Kind::Nod).count() > 30, "{kinds:?}");
}

#[test]
fn a_seed_that_was_not_drawn_while_it_was_judged_may_still_decide() {
    // Runs alone that judge have the seeds 7, 8 and 9.
    let victim = |run: Situation<'_>| fails_if(run.after('b') || run.plan.random_seed == 5);
    assert_eq!(of_f(&in_order(), victim), "victim: b", "whatever the seed, and alone by one of them");
    let at_times = |run: Situation<'_>| {
        fails_if(run.after('b') && !run.plan.random_seed.is_multiple_of(4) || run.plan.random_seed == 5)
    };
    assert_eq!(of_f(&in_order(), at_times), "random-draws:");
    let brittle = |run: Situation<'_>| fails_if(!run.after('b') && run.plan.random_seed != 5);
    assert_eq!(of_f(&then("fabcdegh"), brittle), "random-draws:");
}

#[test]
fn where_a_test_is_skipped_alone_no_claim_is_made() {
    let skipped = |run: Situation<'_>| match run.before {
        [] => Outcome::Skipped,
        _ => fails_if(run.after('b')),
    };
    let alone = |run: Situation<'_>| if run.is('f') { skipped(run) } else { Outcome::Passed };
    let finding = found(&mut FakeEngine::new(suite(8), alone), 8, &in_order(), 'f');
    assert_eq!(verdict(&finding), "unreproduced:");
    assert!(finding.note.is_some_and(|note| note.contains("skipped, or not run, alone")));
}

#[test]
fn where_a_plan_that_is_run_again_gives_no_answer_that_is_said() {
    // Run again, it is so without what comes after the test and the next one.
    let once = |list: &str, then: Outcome| {
        let (shown, mut runs) = (plan(list).workers, 0);
        let as_far = shown[0].len().min(shown[0].iter().position(|&of| of == test('f')).unwrap() + 2);
        move |run: Situation<'_>| {
            let again = run.is('f') && run.plan.workers[0].starts_with(&shown[0][..as_far]);
            runs += u32::from(again);
            (again && runs > 1).then(|| then.clone())
        }
    };
    let note = |trials: &[Plan], becomes: &mut dyn FnMut(Situation<'_>) -> Outcome| {
        let finding = found(&mut FakeEngine::new(suite(8), becomes), 8, trials, 'f');
        assert_eq!(verdict(&finding), "unreproduced:");
        finding.note.unwrap()
    };
    let mut skips = once("abcdefgh", Outcome::Skipped);
    let mut victim =
        |run: Situation<'_>| skips(run).unwrap_or_else(|| fails_if(run.is('f') && run.after('b')));
    let said = note(&in_order(), &mut victim);
    assert_eq!(said, "when its plan was run again, it was skipped, or not run");
    let mut goes = once("abcdefgh", Outcome::NotRun { why: "it is gone".into() });
    let mut brittle =
        |run: Situation<'_>| goes(run).unwrap_or_else(|| fails_if(run.is('f') && !run.after('b')));
    let said = note(&then("fabcdegh"), &mut brittle);
    assert_eq!(said, "when the plan in which it had passed was run again, it was skipped, or not run");
}

#[test]
fn a_test_that_fails_the_second_time_pollutes_itself() {
    let twice = plan("aabbccddeeffgghh");
    assert_eq!(of_f(std::slice::from_ref(&twice), |run| fails_if(run.after('f'))), "nio: f");
    // It fails the first time as well where its file alone is imported, so that it is none.
    let alone_too = |run: Situation<'_>| fails_if(run.is('f') && (!run.imports('a') || run.after('f')));
    let mut fresh = FakeEngine::new(suite(8), alone_too).without_forks();
    assert_eq!(verdict(&found(&mut fresh, 8, std::slice::from_ref(&twice), 'f')), "broken:");
    // It takes another test besides.
    assert_eq!(of_f(&[twice], |run| fails_if(run.after('f') && run.after('b'))), "victim: b f");
}

#[test]
fn what_shows_beside_another_worker_alone_is_a_race_and_else_a_victim() {
    let raced = |run: Situation<'_>| {
        let others = run.plan.workers.iter().filter(|list| !list.contains(&run.test));
        fails_if(others.flatten().any(|&other| other == test('b')))
    };
    assert_eq!(of_f(&[plan("abcd|efgh")], raced), "race: b");
    assert_eq!(of_f(&[plan("acd|befgh")], |run| fails_if(run.after('b'))), "victim: b");
}

#[test]
fn what_passes_only_beside_another_worker_is_not_brittle() {
    let needs_company = |run: Situation<'_>| {
        let others = run.plan.workers.iter().filter(|list| !list.contains(&run.test));
        fails_if(others.flatten().all(|&other| other != test('b')))
    };
    let (suite, mut nobody) = (suite(8), Reporters::default());
    let one = |run: Situation<'_>| if run.is('f') { needs_company(run) } else { Outcome::Passed };
    let mut engine = FakeEngine::new(suite.clone(), one);
    let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
    lab.trial(Origin::Trial(0), &plan("abcd|efgh")).unwrap();
    let trial = lab.trial(Origin::Baseline, &plan("abcdefgh")).unwrap();
    let suspect = suspects(Origin::Baseline, &plan("abcdefgh"), &trial).remove(0);
    let finding = investigate(&mut lab, &suspect).unwrap();
    assert_eq!((verdict(&finding).as_str(), finding.unjudged), ("unreproduced:", true));
    assert!(finding.note.is_some_and(|note| note.contains("other workers run at the same time")));
    assert_eq!(finding.with, Tally::default(), "its plan was not what was run again");
}

#[test]
fn what_fails_in_any_worker_of_xdist_is_no_race() {
    let beside = |run: Situation<'_>| fails_if(run.is('f') && run.plan.mode != Mode::No);
    let verdict = of_f(&[plan("abc|def")], beside);
    assert!(verdict.starts_with("unreproduced"), "{verdict}");
}

#[test]
fn a_failure_that_forks_alone_show_is_not_claimed() {
    let forked = |run: Situation<'_>| fails_if(run.is('f') && !run.fresh && run.after('b'));
    let finding = found(&mut FakeEngine::new(suite(8), forked), 8, &in_order(), 'f');
    assert_eq!(finding.kind, Kind::Unreproduced);
    assert!(finding.note.is_some_and(|note| note.starts_with("shows in forks")));
}

#[test]
fn what_fails_alone_is_told_as_it_fails_alone() {
    let another = |run: Situation<'_>| {
        let exception = if run.after('b') { "ValueError" } else { "KeyError" };
        if run.is('f') { failed(exception) } else { Outcome::Passed }
    };
    let finding = found(&mut FakeEngine::new(suite(8), another), 8, &in_order(), 'f');
    assert_eq!(verdict(&finding), "broken:");
    assert_eq!(finding.signature.map(|signature| signature.crash.exception).as_deref(), Some("KeyError"));
    assert!(finding.note.is_some_and(|note| note.contains("ValueError in body (test.py)")));
}

#[test]
fn a_victim_that_fails_half_of_the_time_is_found_with_its_polluter_and_no_other() {
    let of = |seed| {
        let mut coin = ChaCha8Rng::seed_from_u64(seed);
        let mut first = true;
        let becomes = move |run: Situation<'_>| {
            let fails = run.is('f') && run.after('b');
            fails_if(fails && (std::mem::take(&mut first) || coin.random_bool(0.5)))
        };
        found(&mut FakeEngine::new(suite(8), becomes), 8, &in_order(), 'f')
    };
    let findings: Vec<Finding> = (0..40).map(of).collect();
    let victims: Vec<&Finding> = findings.iter().filter(|finding| finding.kind == Kind::Victim).collect();
    assert!(victims.len() > 30, "{:?}", findings.iter().map(verdict).collect::<Vec<_>>());
    for victim in victims {
        assert_eq!(verdict(victim), "victim: b");
        assert!(!victim.with.always() && victim.without.never(), "{victim:?}");
    }
}

/// The finding of the failure of `f` in suite order, which the user named, and what was run.
fn named(becomes: impl Fn(Situation<'_>) -> Outcome) -> (Finding, Vec<(Plan, bool)>) {
    let (whole, mut nobody, mut engine) =
        (suite(8), Reporters::default(), FakeEngine::new(suite(8), becomes));
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let trial = lab.trial(Origin::Replay, &plan("abcdefgh")).unwrap();
    let suspect = suspects(Origin::Replay, &plan("abcdefgh"), &trial).remove(0);
    let finding = investigate_named(&mut lab, &suspect).unwrap();
    drop(lab);
    (finding, engine.ran)
}

#[test]
fn a_named_failure_that_fails_each_time_is_shrunk_without_running_its_plan_again() {
    let (finding, ran) = named(|run| fails_if(run.is('f') && run.after('b')));
    assert_eq!(verdict(&finding), "victim: b");
    let again = ran.iter().filter(|(ran, _)| ran.workers == plan("abcdefgh").workers).count();
    assert_eq!(again, 1, "the trial itself");
    let own = Imports::Only(["test_b.py".into(), "test_f.py".into()].into());
    let with_own = ran.iter().filter(|(ran, _)| ran.imports == own).count();
    assert_eq!(with_own, 1, "what confirms it in a fresh process says that no other file is needed");
}

#[test]
fn a_named_failure_that_takes_another_import_as_well_is_told_with_that() {
    let (finding, _) = named(|run| fails_if(run.is('f') && run.after('b') && run.imports('c')));
    assert_eq!(verdict(&finding), "victim: b [test_c.py]");
}

#[test]
fn a_named_failure_that_shows_at_times_is_judged_as_any_other() {
    let of = |seed| {
        let (mut coin, mut first) = (ChaCha8Rng::seed_from_u64(seed), true);
        let becomes = move |run: Situation<'_>| {
            let fails = run.is('f') && run.after('b');
            fails_if(fails && (std::mem::take(&mut first) || coin.random_bool(0.5)))
        };
        let (whole, mut nobody, mut engine) =
            (suite(8), Reporters::default(), FakeEngine::new(suite(8), becomes));
        let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
        let trial = lab.trial(Origin::Replay, &plan("abcdefgh")).unwrap();
        let suspect = suspects(Origin::Replay, &plan("abcdefgh"), &trial).remove(0);
        investigate_named(&mut lab, &suspect).unwrap()
    };
    let findings: Vec<Finding> = (0..40).map(of).collect();
    let found: Vec<String> = findings.iter().map(verdict).collect();
    assert!(found.iter().filter(|found| *found == "victim: b").count() > 30, "{found:?}");
    assert!(found.iter().all(|found| found == "victim: b" || found == "unreproduced:"), "{found:?}");
}

/// Shared state of three cells, and what each of eight tests does with it after it has looked at it.
#[derive(Clone, Debug)]
struct World {
    tests: Vec<Action>,
}

/// A test: fails if all cells of `dirty` are set, or one of `needed` is not; then it sets cells, and clears others.
#[derive(Clone, Debug, Default)]
struct Action {
    dirty: BTreeSet<u8>,
    needed: BTreeSet<u8>,
    sets: BTreeSet<u8>,
    clears: BTreeSet<u8>,
}

impl World {
    fn fails(&self, before: &[TestIndex], test: TestIndex) -> bool {
        let mut cells = BTreeSet::new();
        for other in before {
            let Action { sets, clears, .. } = &self.tests[other.get()];
            cells.retain(|cell| !clears.contains(cell));
            cells.extend(sets.iter().copied());
        }
        let Action { dirty, needed, .. } = &self.tests[test.get()];
        !dirty.is_empty() && dirty.is_subset(&cells) || !needed.is_subset(&cells)
    }
}

fn worlds() -> impl Strategy<Value = World> {
    let cells = |most| prop::collection::btree_set(0_u8..3, 0..=most);
    let victim = cells(2).prop_map(|dirty| Action { dirty, ..Action::default() });
    let brittle = cells(2).prop_map(|needed| Action { needed, ..Action::default() });
    let writer = (cells(2), cells(1)).prop_map(|(sets, clears)| Action { sets, clears, ..Action::default() });
    let both = (cells(2), cells(2), cells(1)).prop_map(|(dirty, sets, clears)| Action {
        dirty,
        sets,
        clears,
        ..Action::default()
    });
    prop::collection::vec(prop_oneof![victim, brittle, writer, both], 8).prop_map(|tests| World { tests })
}

/// All lists that leave out some of these tests.
fn proper_subsets(tests: &[TestIndex]) -> impl Iterator<Item = Vec<TestIndex>> {
    (0..(1_u32 << tests.len()) - 1).map(|chosen| {
        let kept = |&(at, _): &(usize, &TestIndex)| chosen >> at & 1 == 1;
        tests.iter().enumerate().filter(kept).map(|(_, &test)| test).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_world_what_is_claimed_is_so_and_what_is_so_is_claimed(
        world in worlds(), order in Just("abcdefgh".chars().collect::<Vec<_>>()).prop_shuffle(), forks: bool,
    ) {
        let becomes = |run: Situation<'_>| fails_if(world.fails(run.before, run.test));
        let engine = FakeEngine::new(suite(8), becomes);
        let mut engine = if forks { engine } else { engine.without_forks() };
        let (suite, mut nobody) = (suite(8), Reporters::default());
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        lab.trial(Origin::Baseline, &plan("abcdefgh")).unwrap();
        let shuffled = plan(&order.iter().collect::<String>());
        let trial = lab.trial(Origin::Trial(0), &shuffled).unwrap();
        for suspect in suspects(Origin::Trial(0), &shuffled, &trial) {
            let victim = suspect.signature.test;
            let fails = |before: &[TestIndex]| world.fails(before, victim);
            let passed_with_others = lab.history.passed_in(victim, shuffled.hash_seed).is_some();
            let finding = investigate(&mut lab, &suspect).unwrap();
            let culprits = finding.causes().0.to_vec();
            prop_assert!(finding.given_up.is_none());
            match (fails(&[]), passed_with_others) {
                (false, _) => {
                    prop_assert_eq!(finding.kind, Kind::Victim);
                    prop_assert!(fails(&culprits), "{:?}", culprits);
                    for fewer in proper_subsets(&culprits) {
                        prop_assert!(!fails(&fewer), "{:?} suffices of {:?}", fewer, culprits);
                    }
                    prop_assert!(finding.with.always() && finding.without.never());
                }
                (true, true) => {
                    prop_assert_eq!(finding.kind, Kind::Brittle);
                    prop_assert!(!fails(&culprits), "{:?}", culprits);
                    for fewer in proper_subsets(&culprits) {
                        prop_assert!(fails(&fewer), "{:?} suffices of {:?}", fewer, culprits);
                    }
                    prop_assert!(finding.with.never() && finding.without.always());
                }
                (true, false) => {
                    prop_assert_eq!(finding.kind, Kind::Broken);
                    prop_assert_eq!(finding.without, Tally { runs: 3, failed: 3 });
                }
            }
        }
    }
}
