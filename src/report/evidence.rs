//! Sentences of reports that rest on one piece of evidence: printed with it, and not without.

#![cfg(test)]

use std::path::Path;

use super::*;
use crate::explain::{Explanation, Fix, InTurn, NoFix, NoFixReason, RelatedTests};
use crate::finding::known::{Known, Same};
use crate::finding::same_polluter::SamePolluter;
use crate::finding::{Finding, GivenUp, Kind, Minimal, NoCommand, Origin};
use crate::judge::{Signature, Tally};
use crate::report::samples::{explained, finding, place, session, tally};
use crate::session::SessionResult;
use crate::session::fake_engine::{failed, plan, test};
use crate::state::{Place, StateKind};

/// What people read of one finding.
fn printed_of(finding: Finding) -> String {
    report(SessionResult { findings: vec![finding], ..session() }, Verbosity::Normal)
}

const AGAIN: Again<'_> = Again::Replay { options: " -n 2", of_file: " -- -x", failures: None };

fn report(result: SessionResult, verbosity: Verbosity) -> String {
    let mut out = Vec::new();
    let manner = Manner::new(verbosity, AGAIN).whole();
    terminal::session(&mut out, &result, manner, None, &[]).unwrap();
    anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
}

/// A victim whose cause this is.
fn victim(explanation: Explanation) -> Finding {
    let with = tally(8, 8);
    Finding { with, explanation: Some(explanation), ..finding(Kind::Victim, 'h', Origin::Baseline) }
}

fn cart() -> Place {
    place("shop.CART", StateKind::Global, "[]", "['tea']")
}

fn fix() -> Fix {
    let diff = "--- a/test_a.py\n+++ b/test_a.py\n@@ -1 +1,2 @@\n import shop\n+import pytest\n";
    Fix {
        diff: diff.into(),
        edits: Vec::new(),
        trials: 20,
        fails_anyway: 0,
        together_with: 0,
        order_apart: false,
        parallel: 5,
        raced: 0,
        git_applied: true,
    }
}

fn fixed(fix: Fix) -> String {
    printed_of(victim(Explanation { fix: Some(fix), ..explained(vec![cart()]) }))
}

fn related(related_tests: RelatedTests) -> String {
    printed_of(victim(Explanation { related_tests, ..explained(vec![cart()]) }))
}

/// Whether a text has a line of this label with these words.
fn has(text: &str, label: &str, words: &str) -> bool {
    text.lines().any(|line| line == format!("  {label:<13} {words}"))
}

#[test]
fn whether_git_takes_a_fix_is_doubted_only_where_it_was_not_tried() {
    let held = "tried in a copy: undoes the failure, and holds in 20 of 20 trials, 5 of them on two workers";
    assert!(has(&fixed(fix()), "fix", held));
    let untried = fixed(Fix { git_applied: false, ..fix() });
    assert!(has(&untried, "fix", &format!("{held}; whether git applies it could not be tried")));
}

#[test]
fn with_how_many_others_a_fix_was_tried_is_told() {
    let held = "tried in a copy: undoes the failure, and holds in 20 of 20 trials, 5 of them on two workers";
    for (order_apart, those) in [(false, "all"), (true, "all but suite order and its reverse")] {
        let held = held.replace("undoes the failure", "undoes the failure by itself");
        let told = |others| format!("{held}; in {those} the {others} at once");
        let of = |together_with| fixed(Fix { together_with, order_apart, ..fix() });
        assert!(has(&of(1), "fix", &told("fix of another finding was applied too, to try both")));
        assert!(has(&of(4), "fix", &told("fixes of 4 other findings were applied too, to try all")));
    }
}

#[test]
fn trials_in_which_the_test_fails_anyway_are_counted_apart() {
    let of = |fails_anyway, parallel| fixed(Fix { fails_anyway, parallel, ..fix() });
    let reason = "for a reason that is there without the change as well";
    assert!(!of(0, 5).contains(reason));
    assert!(of(1, 5).contains(&format!(
        "holds in 19 of 20 trials, 5 of them on two workers; in the other one the test fails {reason}\n"
    )));
    assert!(of(8, 0).contains(&format!(
        "holds in 12 of 20 trials on one worker; in the other 8 the test fails {reason}\n"
    )));
}

#[test]
fn what_does_not_show_of_a_patch_is_said() {
    let of = |diff: &str| fixed(Fix { diff: diff.into(), ..fix() });
    let note = |what: &str| format!("{what}, which does not show here: --write-fix FILE writes it so");
    let returns = "the file has lines that end in CR LF";
    let bytes = "the file has characters that are not UTF-8";
    assert!(!of("@@ -1 +1,2 @@\n a\n+b\n").contains("does not show here"));
    assert!(has(&of("@@ -1 +1,2 @@\n a\r\n+b\r\n"), "note", &note(returns)));
    assert!(has(&of("@@ -1 +1,2 @@\n a\n+\u{fffd}\n"), "note", &note(bytes)));
    let both = format!("{returns}, and characters that are not UTF-8");
    assert!(has(&of("@@ -1 +1,2 @@\n a\r\n+\u{fffd}\r\n"), "note", &note(&both)));
}

#[test]
fn who_has_to_do_with_a_place_is_told_as_it_was_seen() {
    let nobody = related(RelatedTests::default());
    for words in ["also victim", "cleaner", "also polluter"] {
        assert!(!nobody.contains(words), "{nobody}");
    }
    for (exception, otherwise) in
        [("AssertionError", ""), ("KeyError", ", fails otherwise: KeyError in body (test.py)")]
    {
        let of_b = Signature::of(test('b'), &failed(exception)).unwrap();
        let in_turn = Some(InTurn { victim: of_b, after: test('h') });
        let mutual = related(RelatedTests { in_turn, ..RelatedTests::default() });
        let told = format!("test_b.py:1 b, after test_h.py:1 h{otherwise}");
        assert!(has(&mutual, "also victim", &told), "{mutual}");
        assert!(mutual.contains("one cause  shop.CART: 1 polluter, 2 victims"), "{mutual}");
    }
}

#[test]
fn a_victim_for_which_fewer_places_are_enough_is_told_with_these() {
    let of_b = Signature::of(test('b'), &failed("AssertionError")).unwrap();
    let with = |enough: &[&str]| {
        let enough = enough.iter().map(|&place| (test('b'), vec![place.to_owned()])).collect();
        related(RelatedTests { victims: [of_b.clone()].into(), enough, ..RelatedTests::default() })
    };
    assert!(has(&with(&["shop.CART"]), "also victim", "test_b.py:1 b, for shop.CART alone"));
    assert!(has(&with(&[]), "also victim", "test_b.py:1 b") && !with(&[]).contains(", for "));
}

#[test]
fn who_fails_after_the_same_polluter_is_told_without_a_word_on_the_state() {
    let of = |fresh: &str| {
        let fails = |letter| Signature::of(test(letter), &failed("AssertionError")).unwrap();
        let victims = ['c', 'd'].map(fails).into();
        let same_polluter = SamePolluter { victims, fresh: fresh.chars().map(test).collect() };
        printed_of(Finding { same_polluter, explanation: None, ..victim(Explanation::default()) })
    };
    let forks = " (1 of these 2 tests in a fresh process, the others in forks alone)";
    for (fresh, processes) in [("c", forks), ("cd", "")] {
        let told = of(fresh);
        assert!(has(&told, "same polluter", "test_c.py:1 c") && has(&told, "same polluter", "test_d.py:1 d"));
        let shown = format!(
            "each fails after the polluter in two runs{processes} and passes alone; whether for the same state is not known"
        );
        assert!(has(&told, "shown", &shown), "{told}");
    }
    let nobody = printed_of(Finding { explanation: None, ..victim(Explanation::default()) });
    assert!(!nobody.contains("same polluter") && !nobody.contains("in two runs"), "{nobody}");
}

#[test]
fn the_commands_of_other_victims_are_told_with_how_far_they_were_tried() {
    let fails = |letter| Signature::of(test(letter), &failed("AssertionError")).unwrap();
    let of = |tried: &[(char, Option<&str>)], command: Option<&str>, verbosity| {
        let related_tests = RelatedTests { victims: ['c', 'd'].map(fails).into(), ..RelatedTests::default() };
        let other_commands =
            tried.iter().map(|&(letter, command)| (test(letter), command.map(str::to_owned))).collect();
        let culprits = vec![test('b')];
        let minimal =
            Minimal { plan: plan("bh"), culprits, imports: Vec::new(), one_minimal: true, calls: 1 };
        let finding = Finding {
            shrunk: Some(minimal),
            command: command.map(str::to_owned),
            other_commands,
            ..victim(Explanation { related_tests, ..explained(vec![cart()]) })
        };
        report(SessionResult { findings: vec![finding], ..session() }, verbosity)
    };
    let (own, c) = ("pytest test_b.py::b test_h.py::h", "pytest -n0 test_b.py::b test_c.py::c");
    let rows = [
        (vec![], "tried for none"),
        (vec![('c', Some(c))], "tried for 1 of 2, each of which showed its failure"),
        (vec![('c', Some(c)), ('d', None)], "tried for 2 of 2, of which 1 showed the failure"),
        (vec![('c', None)], "tried for 1 of 2, of which 0 showed the failure"),
    ];
    for (tried, how_far) in rows {
        let told = of(&tried, Some(own), Verbosity::Normal);
        let words = format!("as this with another last test, for each of the others; {how_far} (-v has all)");
        assert!(has(&told, "commands", &words) && !told.contains("test_b.py::b test_c.py::c"), "{told}");
    }
    let all = of(&[('c', Some(c))], Some(own), Verbosity::Verbose);
    assert!(has(&all, "", c) && has(&all, "", "pytest test_b.py::b test_d.py::d  (not tried)"), "{all}");
    let none = of(&[], None, Verbosity::Verbose);
    assert!(!none.contains("commands") && !none.contains("pytest test_b.py::b"), "{none}");
}

#[test]
fn what_a_command_leaves_on_the_machine_is_said_of_files_alone() {
    let command = || Some("pytest test_b.py::b test_h.py::h".to_owned());
    let of = |kind: StateKind, command: Option<String>| {
        let explanation = explained(vec![place("file cache.txt", kind, "(absent)", "'tea'")]);
        printed_of(Finding { command, ..victim(explanation) })
    };
    let left = "no sandbox puts file cache.txt back after this command: do so before you run it again";
    assert!(has(&of(StateKind::FileSystem, command()), "note", left));
    assert!(has(&of(StateKind::Database, command()), "note", left));
    assert!(!of(StateKind::Global, command()).contains(left));
    assert!(!of(StateKind::FileSystem, None).contains(left));
    let brittle = Finding {
        kind: Kind::Brittle,
        command: command(),
        ..victim(explained(vec![place("file cache.txt", StateKind::FileSystem, "(absent)", "'tea'")]))
    };
    assert!(!printed_of(brittle).contains(left), "it is run alone");
}

#[test]
fn why_no_state_is_named_is_said_where_it_is_known() {
    let of = |why: Option<&str>| {
        let why = why.map(str::to_owned);
        printed_of(victim(Explanation { confirmed: false, why, ..explained(vec![cart()]) }))
    };
    assert!(has(&of(None), "shared state", "unknown: not confirmed"));
    assert!(has(&of(Some("it is gone")), "shared state", "unknown: it is gone"));
}

#[test]
fn an_offer_to_shrink_is_made_of_what_can_fail_again() {
    let leftover = Finding {
        note: Some("created a.txt".into()),
        ..Finding::new(Kind::Leftover, None, Origin::Trial(2))
    };
    let left = printed_of(leftover);
    assert!(left.contains("  token         7:2:") && !left.contains("--shrink"), "{left}");
    let fails = printed_of(finding(Kind::Victim, 'h', Origin::Trial(2)));
    assert!(fails.contains("--shrink -n 2"), "{fails}");
}

#[test]
fn that_other_tests_were_collected_is_no_failure_of_a_test() {
    let unstable = printed_of(finding(Kind::UnstableCollection, 'h', Origin::Baseline));
    assert!(!unstable.contains("fails with"), "{unstable}");
    assert!(printed_of(finding(Kind::Victim, 'h', Origin::Baseline)).contains("fails with"));
}

#[test]
fn whose_orders_are_kept_to_is_told_where_somebody_sorts() {
    let of = |sorted: bool, ignore_rank: bool, verbosity| {
        let mut result = session();
        if sorted {
            result.collected.suite.sorting.sorted_by = vec!["pytest-django".into(), "conftest.py".into()];
            // Two ranks are an order.
            result.collected.suite.tests[0].rank = 1;
        }
        result.axes.ignore_rank = ignore_rank;
        report(result, verbosity)
    };
    let kept = "orders: kept as sorted by pytest-django and conftest.py (--ignore-rank mixes them)\n";
    let mixed = "orders: mixed, though pytest runs them as sorted by pytest-django and conftest.py\n";
    let admitted = ", as far as pytest-django and conftest.py admits them";
    let verbose = of(true, false, Verbosity::Verbose);
    assert!(verbose.contains(kept) && !verbose.contains(mixed) && verbose.contains(admitted), "{verbose}");
    let ignoring = of(true, true, Verbosity::Verbose);
    assert!(
        ignoring.contains(mixed) && !ignoring.contains(kept) && !ignoring.contains(admitted),
        "{ignoring}"
    );
    let normal = of(true, false, Verbosity::Normal);
    assert!(!normal.contains(kept) && normal.contains(admitted), "{normal}");
    let unsorted = of(false, false, Verbosity::Verbose);
    assert!(!unsorted.contains("orders:") && !unsorted.contains("admits"), "{unsorted}");
}

#[test]
fn a_failure_of_which_no_claim_is_made_says_what_is_known() {
    let of = |with: Tally, note: Option<&str>| {
        let unreproduced = finding(Kind::Unreproduced, 'h', Origin::Trial(3));
        printed_of(Finding { with, without: tally(0, 3), note: note.map(str::to_owned), ..unreproduced })
    };
    let noted = "failed in a trial; the note says why no claim is made";
    assert!(of(tally(0, 3), Some("it was skipped")).contains(noted));
    assert!(!of(tally(0, 3), None).contains(noted));
    let at_times = "failed again at times, and not clearly for what ran beside it: no claim is made";
    assert!(of(tally(1, 20), None).contains(at_times) && !of(tally(0, 20), None).contains(at_times));
}

#[test]
fn a_command_that_shows_nothing_is_not_printed_and_its_runs_are_counted() {
    let of = |no_command| printed_of(Finding { no_command, ..finding(Kind::Victim, 'h', Origin::Baseline) });
    let none = |runs: &str| format!("none shows it: it did not fail in {runs} of plain pytest");
    assert!(has(&of(Some(NoCommand::Passed(1))), "pytest", &none("1 run")));
    assert!(has(&of(Some(NoCommand::Passed(4))), "pytest", &none("4 runs")));
    assert!(!of(None).contains("none shows it"));
    let at_times = "none shows it each time: it failed in 1 of 3 runs of plain pytest";
    assert!(has(&of(Some(NoCommand::AtTimes(tally(1, 3)))), "pytest", at_times));
}

#[test]
fn why_there_is_no_fix_stands_where_a_fix_would() {
    let says = "none: tried, and it did not undo the failure";
    let none = NoFix { why: NoFixReason::Refuted, says: says.into() };
    let told_of = |no_fix| printed_of(victim(Explanation { no_fix, ..explained(vec![cart()]) }));
    assert!(has(&told_of(Some(none)), "fix", says));
    assert!(!told_of(None).contains("\n  fix "));
}

#[test]
fn what_a_victim_does_alone_is_said_as_it_was_seen() {
    let of = |without: Tally, culprits: &str| {
        let culprits = culprits.chars().map(test).collect();
        let shrunk =
            Minimal { plan: plan("bhh"), culprits, imports: Vec::new(), one_minimal: true, calls: 1 };
        let found = finding(Kind::Victim, 'h', Origin::Baseline);
        printed_of(Finding { with: tally(8, 8), without, shrunk: Some(shrunk), ..found })
    };
    let by_chance = "fails alone at times, and each time after what is named below";
    assert!(of(tally(3, 16), "b").contains(by_chance) && !of(tally(0, 8), "b").contains(by_chance));
    let second = "passes alone, fails when run a second time in the same process after what is named below";
    assert!(of(tally(0, 8), "bh").contains(second) && !of(tally(0, 8), "b").contains(second));
    assert!(of(tally(0, 8), "b").contains("passes alone, fails after what is named below"));
}

#[test]
fn a_reader_is_told_to_do_what_can_be_done_and_is_not_done() {
    let of = |origin, again| {
        let shrunk = Minimal {
            plan: plan("bh"),
            culprits: vec![test('b')],
            imports: Vec::new(),
            one_minimal: true,
            calls: 1,
        };
        let finding = Finding { shrunk: Some(shrunk), ..finding(Kind::Victim, 'h', origin) };
        let mut out = Vec::new();
        let result = SessionResult { findings: vec![finding], ..session() };
        let manner = Manner::new(Verbosity::Normal, again);
        terminal::session(&mut out, &result, manner, None, &[]).unwrap();
        anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string()
    };
    let keeps = |again| of(Origin::Baseline, again).contains("--failures DIR keeps a file");
    let kept = Again::Replay { options: "", of_file: " -- -x", failures: Some(Path::new("new failures")) };
    assert_eq!([AGAIN, kept, Again::Replayed, Again::Gone].map(keeps), [true, false, false, false]);
    let command = |again| of(Origin::Trial(3), again).contains(" --shrink -n 2\n");
    assert_eq!([AGAIN, kept, Again::Replayed, Again::Gone].map(command), [true, false, false, false]);
    assert!(of(Origin::Trial(3), Again::Gone).contains("\n  token         "), "the token itself is told");
    let of_file = |again| of(Origin::Baseline, again).contains("  jostle replay 'new failures/victim-h-");
    assert_eq!([AGAIN, kept, Again::Replayed, Again::Gone].map(of_file), [false, true, false, false]);
}

#[test]
fn a_finding_begins_with_common_words_and_then_has_the_fields() {
    let head = |finding: Finding| printed_of(finding).lines().next().map(str::to_owned).unwrap();
    let with = |kind, culprits: &str, imports: &[&str]| {
        let imports = imports.iter().map(|&file| file.to_owned()).collect();
        let culprits = culprits.chars().map(test).collect();
        let shrunk = Minimal { plan: plan("bh"), culprits, imports, one_minimal: true, calls: 1 };
        Finding { shrunk: Some(shrunk), ..finding(kind, 'h', Origin::Baseline) }
    };
    let given_up = |kind| {
        let search = GivenUp { runs: 9, suspects: Vec::new() };
        Finding { given_up: Some(search), ..with(kind, "bc", &[]) }
    };
    let rows = [
        (with(Kind::Victim, "b", &[]), "fails after another test (victim)"),
        (with(Kind::Victim, "bh", &[]), "fails after another test (victim)"),
        (with(Kind::Victim, "bc", &[]), "fails after other tests (victim)"),
        (with(Kind::Victim, "b", &["test_c.py"]), "fails after other tests (victim)"),
        (with(Kind::Victim, "", &["test_c.py"]), "fails after an import (victim)"),
        (given_up(Kind::Victim), "fails with other tests (victim)"),
        (with(Kind::Brittle, "b", &[]), "needs another test (brittle)"),
        (with(Kind::Brittle, "bc", &[]), "needs other tests (brittle)"),
        (with(Kind::Brittle, "", &["test_c.py"]), "needs an import (brittle)"),
        (given_up(Kind::Brittle), "needs other tests (brittle)"),
        (with(Kind::Nio, "h", &[]), "fails when run twice (nio)"),
        (with(Kind::Race, "b", &[]), "fails beside another worker (race)"),
        (with(Kind::Nod, "", &[]), "flaky (nod)"),
        (with(Kind::Broken, "", &[]), "fails alone too (broken)"),
        (with(Kind::HashSeed, "", &[]), "depends on PYTHONHASHSEED (hash-seed)"),
        (with(Kind::RandomDraws, "", &[]), "depends on random draws (random-draws)"),
        (with(Kind::Unreproduced, "", &[]), "unclear (unreproduced)"),
        (with(Kind::Leftover, "", &[]), "leaves files in the project (leftover)"),
        (
            with(Kind::UnstableCollection, "", &[]),
            "is not collected the same each time (unstable-collection)",
        ),
    ];
    for (finding, words) in rows {
        assert_eq!(head(finding), format!("{words}  test_h.py:1 h"));
    }
}

/// The lines of the summary, and of what is to be done next.
fn end_of(result: SessionResult, next: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    terminal::session(&mut out, &result, Manner::new(Verbosity::Normal, AGAIN), None, next).unwrap();
    let text = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
    text.lines().skip_while(|line| *line != "short summary").map(str::to_owned).collect()
}

#[test]
fn the_summary_has_a_line_for_each_finding() {
    let caused = |finding: Finding, culprits: &str| {
        let culprits = culprits.chars().map(test).collect();
        let shrunk = Minimal { plan: plan("bh"), culprits, imports: Vec::new(), one_minimal: true, calls: 1 };
        Finding { shrunk: Some(shrunk), ..finding }
    };
    let two = vec![cart(), place("shop.B", StateKind::Global, "1", "2")];
    let known = Known { file: "failures/a.json".into(), same: Same::Failure };
    let import = vec!["test_c.py".to_owned()];
    let by_import =
        Minimal { plan: plan("h"), culprits: Vec::new(), imports: import, one_minimal: true, calls: 1 };
    let told = |finding: Finding| {
        let lines = end_of(SessionResult { findings: vec![finding], ..session() }, &[]);
        assert_eq!((lines[0].as_str(), lines.len()), ("short summary", 3), "{lines:?}");
        lines[1].clone()
    };
    let fixed = victim(Explanation { fix: Some(fix()), ..explained(vec![cart()]) });
    let whole = "victim  test_h.py:1 h  ← test_b.py:1 b  shop.CART  patch ready";
    assert_eq!(told(caused(fixed.clone(), "b")), whole);
    assert_eq!(told(Finding { known: Some(known), ..caused(fixed, "b") }), format!("{whole}  known"));
    assert_eq!(
        told(caused(Finding { also: vec![test('c'), test('d')], ..victim(explained(two)) }, "bcd")),
        "victim  test_h.py:1 h and 2 more  ← test_b.py:1 b and 2 more  shop.CART and 1 more"
    );
    let unconfirmed = Explanation { confirmed: false, ..explained(vec![cart()]) };
    assert_eq!(
        told(Finding { shrunk: Some(by_import), ..victim(unconfirmed) }),
        "victim  test_h.py:1 h  ← import of test_c.py"
    );
    let nio = caused(finding(Kind::Nio, 'h', Origin::Twice), "h");
    assert_eq!(told(nio), "nio  test_h.py:1 h");
    let race = caused(finding(Kind::Race, 'h', Origin::Race(1)), "b");
    assert_eq!(told(race), "race  test_h.py:1 h  ↔ test_b.py:1 b");
    assert_eq!(told(Finding::new(Kind::Leftover, None, Origin::Trial(2))), "leftover  the suite");
    assert!(end_of(session(), &[]).is_empty(), "there is nothing to sum up");
}

#[test]
fn what_to_do_next_stands_below_the_summary() {
    let result = || SessionResult { findings: vec![victim(Explanation::default())], ..session() };
    let next = ["git apply fixes.patch".to_owned()];
    assert_eq!(end_of(result(), &next)[2..], ["next", "  git apply fixes.patch", "1 isolation failure"]);
    assert_eq!(end_of(result(), &[])[2..], ["1 isolation failure"]);
}

#[test]
fn which_pairs_were_tried_is_told_where_there_are_some_to_try() {
    let of = |tests: u32, workers: &[u32], again| {
        let mut result = session();
        result.collected.suite = crate::session::fake_engine::suite(tests);
        result.axes.workers = workers.to_vec();
        let mut out = Vec::new();
        terminal::session(&mut out, &result, Manner::new(Verbosity::Normal, again), None, &[]).unwrap();
        let text = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
        text.lines().find(|line| line.starts_with("pairs of tests tried: ")).map(str::to_owned)
    };
    let orders = "pairs of tests tried: 100 % in both orders, 87 % directly after each other";
    let several = "; of several workers, 99 % on the same one, 50 % on two";
    assert_eq!(of(8, &[1, 2], AGAIN), Some(format!("{orders}{several}")));
    assert_eq!(of(8, &[1], AGAIN).as_deref(), Some(orders));
    assert_eq!(of(8, &[1], Again::Gone).as_deref(), Some(orders));
    assert_eq!(of(8, &[1, 2], Again::Replayed), None);
    assert_eq!(of(1, &[1, 2], AGAIN), None);
}
