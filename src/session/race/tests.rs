//! Racing suites whose truth is known: scripts of calls, see [`super::scripted`].

#![cfg(test)]

use std::collections::BTreeSet;

use crate::finding::{Finding, Kind};
use crate::limits::LOSERS_TRIED;
use crate::plan::Seed;
use crate::run::RunError;
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, name, suite, test};
use crate::session::lab::Lab;
use crate::session::race::campaign::{Bounds, Racing};
use crate::session::race::pairs::Races;
use crate::session::race::scripted::Scripted;
use crate::suite::TestIndex;

/// What racing some scripts has shown.
struct Raced {
    racing: Racing,
    ended: Result<(), RunError>,
}

/// So many schedules, all suggested and none drawn.
fn bounds() -> Bounds {
    Bounds { schedules: 1000, draw: false, time: None, first_only: false, victim: None }
}

fn raced(scripts: &[&str]) -> Raced {
    raced_within(bounds(), Scripted::new(scripts), scripts.len(), usize::MAX)
}

fn raced_within(bounds: Bounds, scripted: Scripted, tests: usize, most_trials: usize) -> Raced {
    let recording = scripted.recording();
    let whole = suite(tests as u32);
    let mut engine = FakeEngine::scripted(whole.clone(), scripted).interrupted_after(most_trials);
    let mut nobody = Reporters::default();
    let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
    let races = Races::new(Seed(1), 1, &recording, bounds.victim);
    let mut racing = Racing::new(bounds, std::iter::empty());
    let ended = racing.run(&mut lab, &races);
    Raced { racing, ended }
}

/// A race: the test it was found by and the others that lose it, by their letters.
fn losers(finding: &Finding) -> String {
    assert_eq!(finding.kind, Kind::Race);
    let all: BTreeSet<char> = finding.test.iter().chain(&finding.also).map(|&test| name(test)).collect();
    all.into_iter().collect()
}

impl Raced {
    /// The races, each with all that lose in it.
    fn found(&self) -> Vec<String> {
        assert!(self.ended.is_ok(), "{:?}", self.ended);
        self.racing.found.iter().map(losers).collect()
    }

    fn remarks(&self) -> String {
        self.racing.remarks().join("\n")
    }
}

const OWN: &str = "write shelf/a, read shelf/a";
const UNLOCKED: &str = "lock door, unlock door";

#[test]
fn tests_that_share_a_file_lose_one_race() {
    let two = raced(&[OWN, OWN]);
    assert_eq!(two.found(), ["ab"]);
    let finding = &two.racing.found[0];
    let trace = finding.trace.as_ref().expect("a trace");
    let told: Vec<String> = trace.calls.iter().map(|call| call.call.operation.to_string()).collect();
    assert_eq!(told, ["write", "write", "read"]);
    assert_eq!(
        (trace.resource.0.as_str(), &trace.folder, trace.diverged),
        ("file:$TMPDIR/shelf/a", &None, 0)
    );
    assert!(finding.with.always() && finding.without.never(), "{:?} {:?}", finding.with, finding.without);
    assert_eq!(two.remarks(), "");
}

#[test]
fn which_tests_lose_is_seen_of_each() {
    let table: &[(&str, &[&str], &[&str])] = &[
        ("nothing is shared", &["write a, read a", "write b, read b"], &[]),
        ("nobody minds", &["write a", "write a, look a"], &[]),
        ("one minds", &[OWN, "write shelf/a"], &["a"]),
        ("who only looks disturbs nobody", &[OWN, "look shelf/a"], &[]),
        ("all that do the same lose the same race", &[OWN, "look shelf/a", OWN, OWN], &["acd"]),
        (
            "what two lose to each other is one race, wherever their code is",
            &[OWN, "other: write shelf/a, read shelf/a", OWN],
            &["abc"],
        ),
        (
            "two files, two races",
            &["write a, read a", "write a, read a", "write b, look b, read b", "write b, look b, read b"],
            &["ab", "cd"],
        ),
        (
            "two files of one folder, one race",
            &[
                "write shelf/a, read shelf/a",
                "write shelf/a, read shelf/a",
                "write shelf/b, read shelf/b",
                "write shelf/b, read shelf/b",
            ],
            &["abcd"],
        ),
        ("what fails alone is no race", &["read a", "write a"], &[]),
        (
            "what is locked is no race",
            &["lock door, write a, read a, unlock door", "lock door, write a, read a, unlock door"],
            &[],
        ),
    ];
    for (what, scripts, expected) in table {
        let mut found = raced(scripts).found();
        found.sort();
        assert_eq!(found, *expected, "{what}");
    }
}

#[test]
fn a_race_in_a_folder_that_was_seen_on_two_of_its_files_names_the_folder() {
    let raced = raced(&[OWN, OWN, "write shelf/b, read shelf/b", "write shelf/b, read shelf/b"]);
    assert_eq!(raced.found(), ["abcd"]);
    let trace = raced.racing.found[0].trace.as_ref().expect("a trace");
    assert_eq!(trace.folder.as_deref(), Some("$TMPDIR/shelf"));
}

#[test]
fn no_more_is_tried_than_is_allowed_and_what_was_left_is_told() {
    let scripts = ["write a, look a", "write a, look a, look a", "other: write a, look a"];
    let all = raced(&scripts);
    assert_eq!((all.found().len(), all.remarks().as_str()), (0, ""));
    let tried = all.racing.tried();
    assert!(tried > 10, "{tried}");
    for schedules in [0, 1, 2, 7] {
        let bounds = Bounds { schedules, ..bounds() };
        let some = raced_within(bounds, Scripted::new(&scripts), scripts.len(), usize::MAX);
        assert_eq!((some.found().len(), some.racing.tried()), (0, schedules));
        let told = "3 pairs of tests in conflict were not raced to the end: --schedules N allows more";
        assert_eq!(some.remarks(), told);
    }
    let drawn = Bounds { schedules: tried + 50, draw: true, ..bounds() };
    let drawn = raced_within(drawn, Scripted::new(&scripts), scripts.len(), usize::MAX);
    assert_eq!(drawn.racing.tried(), tried + 50, "others are drawn");
}

#[test]
fn where_one_race_is_enough_none_is_looked_for_after_it() {
    let scripts =
        ["write a, read a", "write a, read a", "write b, look b, read b", "write b, look b, read b"];
    let first = Bounds { first_only: true, ..bounds() };
    let raced = raced_within(first, Scripted::new(&scripts), 4, usize::MAX);
    assert_eq!(raced.found().len(), 1);
    assert!(raced.found()[0].len() == 1, "nor are others gathered: {:?}", raced.found());
}

#[test]
fn of_a_named_victim_its_own_races_are_told() {
    for (victim, expected) in [('a', vec!["a"]), ('c', vec!["c"]), ('d', vec![])] {
        let scripts = [OWN, "write shelf/a", "other: write shelf/a, read shelf/a", "look shelf/a"];
        let named = Bounds { victim: Some(test(victim)), ..bounds() };
        let raced = raced_within(named, Scripted::new(&scripts), 4, usize::MAX);
        assert_eq!(raced.found(), expected, "{victim}");
    }
}

#[test]
fn what_a_schedule_shows_at_times_only_is_claimed_of_nobody() {
    let scripted = Scripted::new(&[OWN, OWN]).showing(|run| run % 2 == 0);
    let raced = raced_within(bounds(), scripted, 2, usize::MAX);
    assert_eq!(raced.found(), Vec::<String>::new());
    assert!(raced.remarks().contains("at times only under"), "{}", raced.remarks());
}

#[test]
fn more_tests_than_are_tried_in_the_place_of_one_are_told_by_their_number() {
    let scripts = vec![OWN; LOSERS_TRIED + 4];
    let raced = raced(&scripts);
    let lose: usize = raced.racing.found.iter().map(|finding| 1 + finding.also.len()).sum();
    assert!(lose > LOSERS_TRIED, "{lose}");
    assert!(raced.remarks().contains("reach what is raced on by the same lines"), "{}", raced.remarks());
}

#[test]
fn a_failure_that_was_seen_when_the_session_ended_is_not_lost() {
    let whole = raced(&[OWN, OWN]);
    let mut cut = 0;
    for most in 0..60 {
        let raced = raced_within(bounds(), Scripted::new(&[OWN, OWN]), 2, most);
        if raced.ended.is_ok() {
            assert_eq!(raced.found(), whole.found());
            break;
        }
        let known = raced.racing.found.iter().map(losers).collect::<String>();
        let waiting: Vec<char> =
            raced.racing.cut_short.iter().map(|suspect| name(suspect.signature.test)).collect();
        assert!(known.len() + waiting.len() <= 2, "after {most}: {known} {waiting:?}");
        cut += waiting.len();
    }
    assert!(cut > 10, "{cut}");
}

#[test]
fn a_fixture_loses_one_race_in_whichever_way_it_fails() {
    let scripts = ["write a, read a, load a"; 3];
    let raced = raced_within(bounds(), Scripted::new(&scripts).in_a_fixture(), 3, usize::MAX);
    assert_eq!(raced.found(), ["ab"], "what is true of a fixture is so of all tests that use it");
    let ways: BTreeSet<(Option<TestIndex>, String)> =
        raced.racing.explained().map(|(test, crash)| (test, crash.exception)).collect();
    // Trials may show it in each of them, under any test.
    assert_eq!(ways, ["AssertionError", "KeyError"].map(|exception| (None, exception.to_owned())).into());
}

/// What becomes of a test that waits for a lock that another test holds, by the milliseconds that it waits.
#[test]
fn a_wait_is_a_race_a_remark_or_nothing_by_how_long_it_is() {
    let table = [
        (30, Some((40, 30))),
        (300, Some((400, 300))),
        (310, Some((400, 300))),
        (900, Some((1000, 800))),
        (1100, None),
        (1600, None),
    ];
    for (limit, expected) in table {
        let waits = format!("lock door for {limit}, unlock door");
        let raced = raced(&[UNLOCKED, &waits]);
        let found = raced.found();
        let delay = raced.racing.found.first().and_then(|found| found.trace.as_ref()?.delay.as_ref());
        assert_eq!(delay.map(|delay| (delay.milliseconds, delay.passes)), expected, "{limit}");
        match expected {
            Some(_) => assert_eq!(found, ["b"], "{limit}"),
            None => assert!(raced.remarks().contains("more than 1000 ms"), "{limit}: {}", raced.remarks()),
        }
    }
    let for_ever = raced(&[UNLOCKED, "lock door, unlock door"]);
    assert_eq!((for_ever.found().len(), for_ever.remarks().as_str()), (0, ""));
}

#[test]
fn tests_that_wait_as_long_lose_the_same_race() {
    let waits = "lock door for 300, unlock door";
    assert_eq!(raced(&[UNLOCKED, waits, waits]).found(), ["bc"]);
    let longer = "lock door for 1400, unlock door";
    let two = raced(&[UNLOCKED, waits, longer]);
    assert_eq!(two.found(), ["b"], "{}", two.remarks());
}

#[test]
fn what_fails_for_being_late_itself_is_no_race() {
    let late = "write a, within 10, look a";
    let raced = raced(&[late, "write a, look a"]);
    assert_eq!(raced.found(), Vec::<String>::new());
}

#[test]
fn tests_of_one_pair_that_lose_in_different_ways_lose_two_races() {
    let mut found = raced(&["write a, read a", "write a, load a"]).found();
    found.sort();
    assert_eq!(found, ["a", "b"]);
}

#[test]
fn where_both_wait_for_each_other_a_deadlock_is_told() {
    let there = "lock one, lock two, unlock two, unlock one";
    let back = "lock two, lock one, unlock one, unlock two";
    let raced = raced(&[there, back]);
    let found = raced.found();
    assert_eq!(found.concat().len(), 2, "each is the first in some order: {found:?}");
    for finding in &raced.racing.found {
        let exception = finding.signature.as_ref().map(|signature| signature.crash.exception.as_str());
        assert_eq!(exception, Some("timeout"));
        assert_eq!(finding.note.as_deref(), Some("a deadlock: each test waits for what the other has"));
    }
}
