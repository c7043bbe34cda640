//! What people and other programs read of each kind of finding, as snapshots in `tests/snapshots`.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::finding::known::{Known, Same};
use crate::finding::{Finding, Kind, Origin};
use crate::history::Summary;
use crate::plan::schedule::Resource;
use crate::race::servers::{Listening, OutsideServer};
use crate::report::samples::{everything, finding, kept, session, tally, unjudged, verification};
use crate::report::tokens::Tokens;
use crate::report::verify::Verification;
use crate::run::RunError;
use crate::session::SessionResult;
use crate::session::fake_engine::{suite, test};

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
    let here = &session().collected.interpreter.rootdir;
    assert_eq!(
        last(empty),
        format!("no test was collected in {here}: name its tests, or give their folder with --rootdir")
    );
    let mut deselected = session();
    deselected.collected.suite = suite(0);
    deselected.collected.suite.deselected = 2;
    assert_eq!(last(deselected), "no test was collected: 2 tests deselected");
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
    let log = sarif::log(&entries[..3], rootdir, repository);
    is_as_before("sarif", &serde_json::to_string_pretty(&log).unwrap());
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
    let mut report = verification();
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

/// The schema of the standard, as a package of the registry carries it, of which nothing is compiled.
fn sarif_schema() -> serde_json::Value {
    let project = tempfile::tempdir().unwrap();
    let manifest = project.path().join("Cargo.toml");
    let package = "[package]\nname = \"schema\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n[dependencies]\nserde-sarif = \"=0.8.0\"\n";
    std::fs::write(&manifest, package).unwrap();
    std::fs::write(project.path().join("lib.rs"), "").unwrap();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--manifest-path"])
        .arg(&manifest)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "serde-sarif").unwrap();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let schema = std::fs::read(manifest.with_file_name("src").join("schema.json")).unwrap();
    // A closing bracket by itself is no pattern for every reader.
    let schema = String::from_utf8(schema).unwrap().replace("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}\\\\]?$");
    serde_json::from_str(&schema).unwrap()
}

#[test]
fn what_is_written_as_sarif_is_valid() {
    let result = everything();
    let schema = jsonschema::validator_for(&sarif_schema()).unwrap();
    let rootdir = Path::new(&result.collected.interpreter.rootdir);
    for (entries, repository) in
        [(entry::entries(&result, false, AGAIN), Some(Path::new("/home/ann"))), (Vec::new(), None)]
    {
        let log = sarif::log(&entries, rootdir, repository);
        let errors: Vec<String> = schema.iter_errors(&log).map(|error| error.to_string()).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
    let mut wrong = sarif::log(&[], rootdir, None);
    wrong["runs"][0]["columnKind"] = "bytes".into();
    assert!(!schema.is_valid(&wrong));
}
