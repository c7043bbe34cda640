//! The shrinker on small suites whose truth is known: what is asked, and what comes of it.

#![cfg(test)]

use super::cached_oracle::CachedOracle;
use super::noise::lone_culprit;
use super::*;
use crate::plan::{Barrier, Imports, Interleaving};
use crate::session::fake_engine::{name, plan, suite, test};

/// The file of the test with a letter.
fn file(letter: char) -> String {
    format!("test_{letter}.py")
}

fn lists(plan: &Plan) -> String {
    let list = |list: &Vec<TestIndex>| list.iter().copied().map(name).collect::<String>();
    plan.workers.iter().map(list).collect::<Vec<_>>().join("|")
}

fn target(victim: char, worker: u32) -> Target {
    Target { victim: test(victim), worker: WorkerId(worker) }
}

fn only(letters: &str) -> Imports {
    Imports::Only(letters.chars().map(file).collect())
}

/// Says of each plan whether it reproduces, and keeps what was asked.
pub(super) struct World<F> {
    pub(super) reproduces: F,
    pub(super) asked: Vec<Plan>,
}

impl<F: FnMut(&Plan) -> bool> Oracle for World<F> {
    fn verdict(&mut self, candidate: &Plan) -> Result<Verdict, Stopped> {
        self.asked.push(candidate.clone());
        Ok(if (self.reproduces)(candidate) { Verdict::Reproduces } else { Verdict::Passes })
    }
}

/// Whether a test runs on a worker before the victim `v`.
fn before_v(plan: &Plan, letter: char) -> bool {
    plan.workers.iter().any(|list| {
        let at = |letter| list.iter().position(|&other| other == test(letter));
        at(letter).is_some_and(|letter| at('v').is_some_and(|victim| letter < victim))
    })
}

pub(super) fn runs(plan: &Plan, letter: char) -> bool {
    plan.workers.iter().flatten().any(|&other| other == test(letter))
}

/// What a plan with the victim `v` on some worker is shrunk to, and what was asked.
fn shrunk(
    plan: &Plan,
    worker: u32,
    keeps_imports: bool,
    reproduces: impl FnMut(&Plan) -> bool,
) -> (Shrunk, Vec<Plan>) {
    let suite = suite(26);
    let problem = Problem::new(plan.clone(), target('v', worker), &suite, Vec::new(), 1.0);
    let mut world = World { reproduces, asked: Vec::new() };
    let shrunk = shrink(&problem.keeping_imports(keeps_imports), &mut world);
    (shrunk, world.asked)
}

#[test]
fn a_polluter_is_left_with_the_files_of_its_own_and_the_victim_alone_is_not_asked_about() {
    let (shrunk, asked) = shrunk(&plan("cadbvx"), 0, false, |plan| before_v(plan, 'd'));
    assert_eq!((lists(&shrunk.plan).as_str(), shrunk.plan.imports), ("dv", only("dv")));
    assert!(shrunk.one_minimal && shrunk.complete && !shrunk.exhausted);
    assert!(asked.iter().all(|plan| lists(plan) != "v" || plan.imports != only("v")), "it is known to pass");
}

#[test]
fn where_imports_are_kept_they_are_shrunk_after_the_tests() {
    let polluted = |plan: &Plan| before_v(plan, 'd');
    let (result, asked) = shrunk(&plan("cadbvx"), 0, true, polluted);
    assert_eq!((lists(&result.plan).as_str(), result.plan.imports), ("dv", only("dv")));
    let all = |plan: &&Plan| plan.imports == Imports::All;
    let first = asked.iter().take_while(all).count();
    assert!(first > 1 && asked[first..].iter().all(|plan| plan.imports != Imports::All), "{asked:?}");
    let (alone, asked) = shrunk(&plan("av"), 0, true, |_| true);
    assert_eq!((lists(&alone.plan).as_str(), alone.plan.imports), ("v", only("v")));
    assert!(asked.iter().any(|plan| lists(plan) == "v"), "it is not known to pass");
}

#[test]
fn files_that_are_needed_are_found_one_by_one() {
    let imports = |plan: &Plan, letter| match &plan.imports {
        Imports::All => true,
        Imports::Only(files) => files.contains(&file(letter)),
    };
    let of = |needed: &'static str| {
        let (shrunk, _) =
            shrunk(&plan("abv"), 0, true, |plan| needed.chars().all(|letter| imports(plan, letter)));
        (lists(&shrunk.plan), shrunk.plan.imports)
    };
    assert_eq!(of("k"), ("v".into(), only("kv")));
    assert_eq!(of("kq"), ("v".into(), only("kqv")));
    assert_eq!(of(""), ("v".into(), only("v")));
    let follows = |needed: &'static str| {
        let needed = move |plan: &Plan| {
            needed.chars().all(|letter| imports(plan, letter) && plan.imports != only("v"))
        };
        let (shrunk, _) = shrunk(&plan("abv"), 0, false, needed);
        (lists(&shrunk.plan), shrunk.plan.imports)
    };
    assert_eq!(follows("b"), ("v".into(), only("bv")), "the import of a test that was run before");
    assert_eq!(follows("kb"), ("v".into(), only("bkv")));
}

#[test]
fn of_several_workers_the_victims_and_one_other_are_left() {
    let beside_e = |plan: &Plan| runs(plan, 'e') && !before_v(plan, 'e');
    let (shrunk, asked) = shrunk(&plan("ab|cv|de|fg"), 1, false, beside_e);
    assert_eq!(lists(&shrunk.plan), "v|e");
    let pairs: Vec<String> = asked.iter().take(2).map(lists).collect();
    assert_eq!(pairs, ["ab|cv", "cv|de"], "the victim's worker with each other in turn");
    let (first, asked) = self::shrunk(&plan("cv|ab|de"), 0, false, |plan| runs(plan, 'e'));
    assert_eq!((lists(&first.plan).as_str(), lists(&asked[1]).as_str()), ("v|e", "cv|de"));
    let (three, _) = self::shrunk(&plan("a|cv|d"), 1, false, |plan| runs(plan, 'a') && runs(plan, 'd'));
    assert_eq!(lists(&three.plan), "a|v|d", "no two of them do");
}

#[test]
fn the_import_of_a_test_on_the_first_worker_is_enough_wherever_the_victim_runs() {
    let imported = |plan: &Plan| {
        plan.workers.len() > 1
            && match &plan.imports {
                Imports::All => true,
                Imports::Only(files) => files.contains(&file('b')),
            }
            && runs(plan, 'd')
    };
    let (shrunk, _) = shrunk(&plan("d|bv"), 1, false, imported);
    assert_eq!((lists(&shrunk.plan).as_str(), shrunk.plan.imports), ("d|v", only("bdv")));
}

#[test]
fn culprits_are_put_into_suite_order_and_workers_run_freely_where_that_does_as_well() {
    let both = |plan: &Plan| before_v(plan, 'b') && before_v(plan, 'd');
    let (sorted, _) = shrunk(&plan("dbv"), 0, false, both);
    assert_eq!(lists(&sorted.plan), "bdv");
    let in_order = |plan: &Plan| lists(plan) == "dbv" || lists(plan) == "dbvx";
    let (kept, _) = shrunk(&plan("dbvx"), 0, false, in_order);
    assert_eq!(lists(&kept.plan), "dbv");
    let barrier = Barrier { first: (WorkerId(0), 0), second: (WorkerId(1), 0) };
    let met = Plan { interleaving: Interleaving::Barriers(vec![barrier]), ..plan("a|v") };
    let (free, asked) = shrunk(&met, 1, false, |plan| runs(plan, 'a'));
    assert_eq!(free.plan.interleaving, Interleaving::Free);
    let last = asked.last().expect("it was asked");
    assert_eq!((lists(last).as_str(), &last.interleaving), ("a|v", &Interleaving::Free));
    let (met_only, _) = shrunk(&met, 1, false, |plan| plan.interleaving != Interleaving::Free);
    assert_eq!(met_only.plan.interleaving, met.interleaving);
}

#[test]
fn a_victim_that_runs_twice_is_shrunk_around_its_last_run() {
    let again = |plan: &Plan| plan.workers[0].iter().filter(|&&other| other == test('v')).count() == 2;
    let (shrunk, _) = shrunk(&plan("avbvc"), 0, false, again);
    assert_eq!(lists(&shrunk.plan), "vv");
}

#[test]
fn what_was_run_is_counted_and_the_smallest_that_reproduced_is_kept() {
    let suite = suite(26);
    let problem = Problem::new(plan("abcv"), target('v', 0), &suite, Vec::new(), 1.0);
    let mut world = World { reproduces: |plan: &Plan| runs(plan, 'a'), asked: Vec::new() };
    let mut oracle = CachedOracle::new(&problem, &mut world);
    let ask = |oracle: &mut CachedOracle<'_>, lists: &str| oracle.reproduces(&plan(lists)).unwrap();
    let answers = ["abv", "bv", "acv", "a|v", "acxv"].map(|lists| ask(&mut oracle, lists));
    assert_eq!(answers, [true, false, true, true, true]);
    assert!(ask(&mut oracle, "abv"), "from memory");
    oracle.passes(plan("av"));
    assert!(!ask(&mut oracle, "av"), "as it is known to pass");
    assert_eq!(lists(oracle.best()), "acv", "fewer workers before fewer tests, and the later of two alike");
    let result = oracle.into_result(Ok(false));
    assert_eq!((result.calls, result.tests_run), (5, 3 + 2 + 3 + 2 + 4));
    assert!(result.complete && !result.one_minimal && !result.exhausted);
}

#[test]
fn odds_are_told_only_of_a_search_that_did_not_come_to_its_end() {
    let suite = suite(26);
    let problem = Problem::new(plan("abcv"), target('v', 0), &suite, Vec::new(), 1.0).within(1);
    let ended = |asks: usize, found: bool| {
        let mut world = World { reproduces: |_: &Plan| false, asked: Vec::new() };
        let mut oracle = CachedOracle::new(&problem, &mut world);
        oracle.suspect(vec![(test('a'), 0.2), (test('b'), 0.7), (test('c'), 0.001)]);
        if found {
            oracle.tests_are_found();
        }
        let answers: Result<Vec<bool>, Stopped> =
            ["abv", "av"].iter().take(asks).map(|lists| oracle.reproduces(&plan(lists))).collect();
        let result = oracle.into_result(answers.map(|_| false));
        (result.exhausted, result.odds.into_iter().map(|(test, _)| name(test)).collect::<String>())
    };
    assert_eq!(ended(2, false), (true, "ba".into()), "the likeliest first, and who is worth it");
    assert_eq!(ended(2, true), (false, String::new()));
    assert_eq!(ended(1, false), (false, "ba".into()), "all that was to be asked was");
}

/// Who is believed to be the culprit among so many, where each question is answered by this; the odds, and how many
/// questions there were.
fn believed(
    size: usize,
    rate: f64,
    mut fails: impl FnMut(&[usize]) -> bool,
) -> (Option<usize>, Vec<f64>, u32) {
    let (mut weights, mut questions) = (vec![1.0; size], 0);
    let lone = lone_culprit(&mut weights, rate, &mut |asked| {
        questions += 1;
        Ok(fails(asked))
    });
    (lone.unwrap(), weights, questions)
}

#[test]
fn where_nobody_stands_out_the_questions_end_and_a_rarer_failure_has_more_of_them() {
    let questions = |size, rate| {
        let (lone, odds, questions) = believed(size, rate, |_| false);
        assert_eq!(lone, None);
        assert!((odds.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        questions
    };
    assert!(questions(16, 0.3) > questions(16, 0.9));
    assert!(questions(64, 0.5) > questions(16, 0.5));
    let mut answers = [true, false].into_iter().cycle();
    let (_, odds, _) = believed(3, 0.5, |_| answers.next().unwrap_or(false));
    assert!(
        odds.iter().all(|odds| odds.is_finite()),
        "answers that contradict each other leave no odds: {odds:?}"
    );
}
