//! What people and other programs read of each kind of finding, as snapshots in `tests/snapshots`.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::finding::known::{Known, Same};
use crate::finding::{Finding, Kind, Origin};
use crate::history::Status as Became;
use crate::history::{Found, NightRate, Rate, Seen, Session, Share, Slow, Summary};
use crate::judge::signature::FailureLocation;
use crate::plan::document::PlanDocument;
use crate::plan::schedule::Resource;
use crate::race::servers::{Listening, OutsideServer};
use crate::record::FailureFile;
use crate::report::samples::{everything, finding, session, tally, unjudged};
use crate::report::tokens::Tokens;
use crate::report::verify::{Looked, Verification};
use crate::run::RunError;
use crate::session::SessionResult;
use crate::session::fake_engine::{plan, suite, test};
use crate::session::verify::{Stage, Verified};
use crate::verify::{Claim, Status};

/// Compares with a snapshot beside those of the integration tests.
fn is_as_before(name: &str, text: &str) {
    insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(format!("report__{name}"), text);
    });
}

const AGAIN: Again<'_> = Again::Replay { options: "", of_file: "", failures: None };

fn next() -> Vec<String> {
    let words = ["jostle fix", "jostle verify"];
    words.map(str::to_owned).into()
}

fn people(result: &SessionResult, verbosity: Verbosity) -> String {
    let mut out = Vec::new();
    terminal::session(&mut out, result, Manner::new(verbosity, AGAIN), None, &next()).unwrap();
    plain(&out)
}

fn plain(out: &[u8]) -> String {
    anstream::adapter::strip_str(std::str::from_utf8(out).unwrap()).to_string()
}

#[test]
fn each_kind_of_finding_reads_as_before() {
    is_as_before("people", &people(&everything(), Verbosity::Normal));
}

#[test]
fn who_wants_less_has_the_same_findings_and_who_wants_more_has_traces_besides() {
    let [quiet, normal, verbose] = [Verbosity::Quiet, Verbosity::Normal, Verbosity::Verbose]
        .map(|verbosity| people(&everything(), verbosity));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let [quiet, normal, verbose] = [lines(&quiet), lines(&normal), lines(&verbose)];
    let is_told = |line: &String| !line.starts_with("  left out ");
    assert!(
        quiet.is_subset(&normal)
            && normal.iter().filter(|line| is_told(line)).all(|line| verbose.contains(line))
    );
    let only = |more: &BTreeSet<String>, less| more.difference(less).cloned().collect::<Vec<_>>().join("\n");
    is_as_before("left_out_when_quiet", &only(&normal, &quiet));
    is_as_before("added_when_verbose", &only(&verbose, &normal));
}

#[test]
fn a_finding_is_read_at_once_unless_all_of_it_is_asked_for() {
    let tokens = |result| Tokens::of(result);
    let result = everything();
    let lines = |finding: &Finding, manner: Manner<'_>| {
        let mut out = Vec::new();
        terminal::finding(&mut out, finding, tokens(&result), manner).unwrap();
        let text = plain(&out);
        assert!(text.ends_with("\n\n"), "an empty line ends it");
        text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let (normal, whole) =
        (Manner::new(Verbosity::Normal, AGAIN), Manner::new(Verbosity::Normal, AGAIN).whole());
    let of_patch = |line: &&String| {
        ["--- a/", "+++ b/", "@@ ", " import", "+import"]
            .iter()
            .any(|start| line.strip_prefix("    ").is_some_and(|rest| rest.starts_with(start)))
    };
    let mut cut = 0;
    for finding in &result.findings {
        let (brief, all) = (lines(finding, normal), lines(finding, whole));
        assert!(brief.iter().filter(|line| !of_patch(line)).count() <= 15, "{brief:#?}");
        assert_eq!(brief[0], all[0]);
        cut += usize::from(brief != all);
    }
    assert!(cut > 0);
}

#[test]
fn tests_that_talk_to_a_server_outside_of_the_trials_leave_the_end_open() {
    let at = Listening { resource: Resource("port:tcp 5432".into()), program: None, reached: true };
    let last = |letters: &str| {
        let tests = letters.chars().map(test).collect();
        let outside = vec![OutsideServer { at: at.clone(), tests }];
        let result = SessionResult { outside, ..session() };
        people(&result, Verbosity::Quiet).lines().last().map(str::to_owned).unwrap()
    };
    let open = "no isolation failure in what could be judged; ";
    assert_eq!(last("a"), format!("{open}1 test talks to a server outside of the trials"));
    assert_eq!(last("ab"), format!("{open}2 tests talk to a server outside of the trials"));
}

#[test]
fn the_last_line_says_what_was_found_and_whether_that_is_all() {
    let last =
        |result: SessionResult| people(&result, Verbosity::Quiet).lines().last().map(str::to_owned).unwrap();
    let failed = || finding(Kind::Victim, 'h', Origin::Trial(3));
    let known = || {
        let known = Known { file: "failures/a.json".into(), same: Same::Failure };
        Finding { known: Some(known), ..failed() }
    };
    let with = |findings: Vec<Finding>| last(SessionResult { findings, ..session() });
    assert_eq!(with(Vec::new()), "no isolation failure");
    assert_eq!(with(vec![finding(Kind::Broken, 'h', Origin::Baseline)]), "no isolation failure");
    let not = |also| Finding { unjudged: true, also, ..finding(Kind::Unreproduced, 'h', Origin::Baseline) };
    let could_not = "no isolation failure in what could be judged; ";
    assert_eq!(with(vec![not(Vec::new())]), format!("{could_not}1 failing test could not"));
    assert_eq!(with(vec![not(vec![test('a')])]), format!("{could_not}2 failing tests could not"));
    assert_eq!(with(vec![failed()]), "1 isolation failure");
    assert_eq!(with(vec![failed(), failed()]), "2 isolation failures");
    assert_eq!(with(vec![known()]), "1 isolation failure, which is known");
    assert_eq!(with(vec![known(), known()]), "2 isolation failures, all known");
    assert_eq!(with(vec![known(), failed()]), "2 isolation failures, 1 of them known");
    let unjudged = SessionResult { unjudged: vec![unjudged()], ..session() };
    assert_eq!(last(unjudged.clone()), "no isolation failure in what was looked into; 1 failure was not");
    let cut = last(SessionResult { interrupted: true, ..unjudged });
    assert_eq!(
        cut,
        "no isolation failure in what was looked into; 1 failure was not; interrupted, so this is not all"
    );
    let error = Some(Arc::new(RunError::Pytest("it is gone".into())));
    let ended = last(SessionResult { error, findings: vec![failed()], ..session() });
    assert_eq!(ended, "1 isolation failure; ended by an error, so this is not all");
    let mut empty = session();
    empty.collected.suite = suite(0);
    assert_eq!(last(empty), "no test was collected");
    let mut hidden = session();
    hidden.collected.suite.errors = everything().collected.suite.errors;
    assert_eq!(
        last(hidden),
        "no isolation failure in what could be collected; the rest is hidden by 1 collection error"
    );
}

#[test]
fn how_often_it_failed_is_told_where_there_were_runs() {
    let broken = Finding { without: tally(3, 3), ..finding(Kind::Broken, 'h', Origin::Baseline) };
    let text = people(&SessionResult { findings: vec![broken], ..session() }, Verbosity::Quiet);
    assert!(text.contains("\n  failed        3 of 3 runs alone\n"), "{text}");
}

#[test]
fn other_programs_read_as_before() {
    let result = everything();
    let mut entries = entry::entries(&result, false, AGAIN);
    // What people read is in a snapshot of its own.
    let first = |text: &str| text.lines().next().map(str::to_owned).unwrap_or_default();
    entries.iter_mut().for_each(|entry| entry.text = first(&entry.text));
    let (rootdir, repository) = (Path::new("/home/ann/shop"), Some(Path::new("/home/ann")));
    is_as_before("junit", &junit::report(&result, &entries).unwrap());
    is_as_before("github_annotations", &github::annotations(&entries, rootdir, repository));
    let issues = code_quality::issues(&entries, rootdir, repository);
    is_as_before("gitlab_code_quality", &serde_json::to_string_pretty(&issues).unwrap());
    assert_eq!(github::verdict(&entries), "13 isolation failures, 1 known, 1 collection error");
    let strict = entry::entries(&result, true, AGAIN);
    assert_eq!(github::verdict(&strict), "14 isolation failures, 1 collection error");
}

#[test]
fn each_finding_is_a_section_of_its_own_and_open_only_if_it_is_a_new_failure() {
    let mut out = Vec::new();
    let result = everything();
    let sections = Some(gitlab::Sections { time: 1_700_000_000 });
    terminal::session(&mut out, &result, Manner::new(Verbosity::Normal, AGAIN), sections, &[]).unwrap();
    let text = String::from_utf8(out).unwrap();
    for (number, finding) in (1..).zip(&result.findings) {
        let open = finding.kind.is_isolation_failure() && finding.known.is_none();
        let folded = if open { "" } else { "[collapsed=true]" };
        assert!(text.contains(&format!("section_start:1700000000:jostle_{number}{folded}\r")), "{number}");
        assert_eq!(text.matches(&format!("section_end:1700000000:jostle_{number}\r")).count(), 1);
    }
}

#[test]
fn recorded_failures_are_told_as_before() {
    let record = |kind, letter| {
        let plan = || PlanDocument::new(&plan("bh"), &suite(8));
        let of = finding(kind, letter, Origin::Baseline);
        FailureFile {
            version: crate::formats::FAILURE_FILE_VERSION,
            kind,
            test: suite(8).test(test(letter)).id.clone(),
            crash: of.signature.unwrap().crash,
            fixture: None,
            failed: Some(tally(8, 8)),
            places: Vec::new(),
            pytest: "8.4.2".into(),
            minimal: plan(),
            original: plan(),
            also: Vec::new(),
            passes_after: Vec::new(),
            fix: Vec::new(),
        }
    };
    let looked = |file: FailureFile, verified: Verified| Looked {
        path: format!("failures/{}", file.file_name()),
        file,
        verified,
    };
    let verified = |recorded| Verified {
        status: Status::Holds,
        claim: Claim::new(recorded, 0.95),
        minimal: tally(0, 4),
        original: tally(0, 1),
        neighbourhood: tally(0, 12),
        failed: None,
        why: None,
        notes: Vec::new(),
    };
    let crash =
        |exception: &str| FailureLocation { exception: exception.into(), ..record(Kind::Victim, 'h').crash };
    let fails = |stage, exception: &str| Verified {
        status: Status::StillFails,
        minimal: tally(1, 1),
        original: tally(0, 0),
        neighbourhood: tally(0, 0),
        failed: Some((stage, crash(exception))),
        ..verified(Some(tally(8, 8)))
    };
    let why = Some("test_f.py::f fails alone (KeyError in body): make it pass alone first".into());
    let nothing = tally(0, 0);
    let cannot = Verified {
        status: Status::CannotTell,
        why,
        minimal: nothing,
        original: nothing,
        neighbourhood: nothing,
        ..verified(Some(tally(8, 8)))
    };
    let notes = vec!["2 tests of the original plan are gone and were left out of it".into()];
    let assumed = FailureFile { failed: None, ..record(Kind::Brittle, 'c') };
    let mut report = Verification {
        collected: session().collected,
        looked: vec![
            looked(record(Kind::Victim, 'h'), verified(Some(tally(8, 8)))),
            looked(assumed, Verified { notes, ..verified(None) }),
            looked(record(Kind::Victim, 'g'), fails(Stage::Minimal, "AssertionError")),
            looked(record(Kind::Race, 'e'), fails(Stage::Original, "KeyError")),
            looked(record(Kind::Nio, 'd'), fails(Stage::Neighbourhood, "AssertionError")),
            looked(record(Kind::Victim, 'f'), cannot),
        ],
        require_fail: false,
        confidence: 0.95,
        remarks: vec!["trials use the machine's network".into()],
        interrupted: false,
        seconds: 3.2,
    };
    let text = |report: &Verification, verbosity| {
        let mut out = Vec::new();
        verify::verification(&mut out, report, verbosity).unwrap();
        plain(&out)
    };
    is_as_before("verify", &text(&report, Verbosity::Normal));
    assert!(!text(&report, Verbosity::Quiet).contains("note: "));
    (report.require_fail, report.interrupted) = (true, true);
    let gone = text(&report, Verbosity::Normal);
    assert!(gone.starts_with("gone: 0 of 17 runs failed (before: 8 of 8)"), "nobody has fixed it: {gone}");
    let bounds = text(&report, Verbosity::Verbose);
    assert!(bounds.contains("\n  minimal plan  failed in 0 of 4 runs: at most 52.7 %\n"), "{bounds}");
    assert!(!gone.contains("minimal plan  "), "bounds are for who wants more: {gone}");
    let last: Vec<String> =
        text(&report, Verbosity::Quiet).lines().rev().take(2).map(str::to_owned).collect();
    assert_eq!(last[0], "4 did not fail as recorded, which --require-fail asks for");
    assert!(last[1].ends_with("; interrupted, so this is not all"), "{}", last[1]);
}

/// A history of two sessions, of which the second came to its end or did not.
fn kept(ended: bool) -> Summary {
    let found = |kind: &str, test: &str, after| Found {
        kind: kind.into(),
        test: Some(test.into()),
        summary: format!("{kind} {test}, polluter test_b.py::b"),
        counts: true,
        after,
    };
    let night = |name: &str, started, ended, findings| Session {
        name: name.into(),
        started,
        seed: 7,
        revision: Some("1a2b3c4d5e6f7a8b".into()),
        tests: 8,
        trials: 400,
        ended,
        ran: BTreeSet::new(),
        raced: true,
        findings,
        unjudged: if name == "two" { vec!["test_a.py::a".into(), "test_b.py::b".into()] } else { Vec::new() },
    };
    let h = || found("victim", "test_h.py::h", Some(12));
    let seen = |status, test: &str| Seen {
        found: found("victim", test, (status == Became::New).then_some(1)),
        nights: 1,
        first: "one".into(),
        first_revision: None,
        last: "two".into(),
        status,
    };
    let statuses = [
        (Became::New, "test_h.py::h"),
        (Became::Back, "test_g.py::g"),
        (Became::Still, "test_f.py::f"),
        (Became::Gone, "test_e.py::e"),
        (Became::NotRun, "test_d.py::d"),
        (Became::Past, "test_c.py::c"),
    ];
    let share = |failed, runs| Share::from(tally(failed, runs));
    let of_night = |night: &str, failed| NightRate { night: night.into(), share: share(failed, 400) };
    Summary {
        nights: vec![
            night("one", 1_764_000_000_000, true, Vec::new()),
            night("two", 1_764_086_400_000, ended, vec![h()]),
        ],
        findings: statuses.into_iter().map(|(status, test)| seen(status, test)).collect(),
        rates: vec![Rate {
            test: "test_h.py::h".into(),
            all: share(12, 800),
            nights: vec![of_night("one", 0), of_night("two", 12)],
        }],
        slowest: vec![Slow { test: "test_a.py::a".into(), runs: 800, mean: 1.25, longest: 3.0 }],
    }
}

#[test]
fn the_history_is_told_as_before() {
    let whole = |summary: &Summary| {
        let mut out = Vec::new();
        history::history(&mut out, summary).unwrap();
        plain(&out)
    };
    is_as_before("history", &whole(&kept(true)));
    let cut = whole(&kept(false));
    assert!(cut.contains("note: the session of 2025-11-25 16:00 did not come to its end"), "{cut}");
    let nothing =
        Summary { nights: Vec::new(), findings: Vec::new(), rates: Vec::new(), slowest: Vec::new() };
    assert_eq!(whole(&nothing), "no session is kept here\n");
    let mut out = Vec::new();
    history::of_test(&mut out, &kept(true).of_test("test_h.py::h"), "test_h.py::h").unwrap();
    is_as_before("history_of_a_test", &plain(&out));
}
