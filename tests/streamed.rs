//! What is found is on standard output, whole, while the session goes on, and once.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support;

/// A polluter and its victim, and a test that fails always.
const SUITE: &str = "
STATE = []

def test_broken():
    assert False

def test_polluter():
    STATE.append(1)

def test_victim():
    assert not STATE
";

/// Enough that the session is far from its end when the first finding is there.
const TRIALS: &str = "20000";

#[test]
fn a_finding_is_told_before_the_session_ends_and_not_again_when_it_does() {
    let (project, elsewhere) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    fs::write(project.path().join("test_state.py"), SUITE).expect("a file");
    let report = elsewhere.path().join("report.json");
    let mut command = support::jostle(project.path());
    command.args(["stress", "--seed", "1", "--trials", TRIALS]).args(support::UNFIXED);
    command.arg(format!("--json={}", report.display())).arg("--python").arg(support::light_python());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("jostle starts");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut early = String::new();
    // An empty line ends each of the two findings.
    while early.matches("\n\n").count() < 2 {
        assert!(out.read_line(&mut early).expect("a line") > 0, "the session has ended:\n{early}");
    }
    support::said(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let mut late = String::new();
    out.read_to_string(&mut late).expect("the rest");
    assert_eq!(child.wait().expect("an end").code(), Some(2), "{early}{late}");
    let heads = |text: &str| {
        let head = |line: &&str| line.contains("(victim)  ") || line.contains("(broken)  ");
        text.lines().filter(head).map(str::to_owned).collect::<Vec<_>>()
    };
    let found = [
        "fails after another test (victim)  test_state.py:10 test_victim",
        "fails alone too (broken)  test_state.py:4 test_broken",
    ];
    assert_eq!(heads(&early), found);
    assert!(early.contains("passes once it is put back"), "it is told with its state:\n{early}");
    assert_eq!(heads(&late), [] as [&str; 0]);
    assert!(late.ends_with("1 isolation failure; interrupted, so this is not all\n"), "{late}");
    let report = fs::read(report).expect("the report");
    let report: Value = serde_json::from_slice(&report).expect("a report");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(2));
}
