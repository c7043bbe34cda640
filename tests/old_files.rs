//! Files that 0.1.0 wrote before names were made plain: what is in `files-of-0.1.0` was made by that program, and is
//! read as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use jostle::record::Journal;
use jostle::record::journal_format::{Header, Record, line, parse};
use jostle::run::Engine;
use jostle::run::engine::Collect;
use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// A copy of one of the projects, beside what was written of it.
fn copy(name: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    support::copy(&support::root().join("tests/files-of-0.1.0").join(name), folder.path());
    folder
}

fn jostle(folder: &TempDir, arguments: &str) -> Output {
    let mut command: Command = support::jostle(&folder.path().join("suite"));
    command.args(arguments.split(' ')).arg("--python").arg(support::light_python());
    command.output().expect("jostle runs")
}

fn ended(output: &Output, code: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    format!("{out}{err}")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn each_kind_of_failure_is_replayed() {
    let folder = copy("state");
    let kept = files(&folder.path().join("failures"));
    let kinds = ["brittle", "nio", "race", "victim"];
    assert_eq!(kept.len(), kinds.len());
    for (file, kind) in kept.iter().zip(kinds) {
        assert!(file.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind)), "{file:?}");
        let output = jostle(&folder, &format!("replay {} --jobs 1", file.display()));
        assert!(ended(&output, 1).contains("failed as recorded in 1 of 1 run"), "{kind}: {output:?}");
    }
}

#[test]
fn a_failure_is_verified() {
    let folder = copy("pair");
    let output = jostle(&folder, "verify ../failures --require-fail --json");
    ended(&output, 0);
    let failure = &json(&output)["failures"][0];
    assert_eq!((&failure["status"], &failure["as_recorded"]), (&"still-fails".into(), &true.into()));
}

#[test]
fn a_session_goes_on_from_its_journal_and_knows_the_recorded_failure() {
    let folder = copy("pair");
    let journal = folder.path().join("journal.jsonl");
    let lines = as_on_this_machine(&journal, &folder.path().join("suite"));
    let options = "--trials 2 -n 1 --hash-seeds 1 --no-explain --known ../failures --json";
    let output = jostle(&folder, &format!("stress --resume ../journal.jsonl {options}"));
    let said = ended(&output, 0);
    assert!(said.contains(&format!("which has {lines} runs")) && !said.contains("damaged"), "{said}");
    let report = json(&output);
    assert_eq!(report["findings"][0]["kind"], "victim", "{report:#}");
    assert_eq!(report["findings"][0]["known"]["same"], "failure", "{report:#}");
    let after = Journal::open(&journal).expect("a journal").len();
    assert!(after < 2 * lines, "runs were taken from it: {lines} then, {after} now");
}

/// Has a journal say that it was written with the Python of the tests, which is another on each machine. Returns how
/// many runs it holds.
fn as_on_this_machine(journal: &Path, suite: &Path) -> usize {
    let bytes = fs::read(journal).expect("the journal");
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let mut header: Header = parse(lines.next().expect("a header")).expect("a header");
    let mut engine = support::engine(support::light_python(), suite, Duration::from_secs(20));
    let interpreter = engine.collect(Collect::once(1, 1)).expect("it is collected").interpreter;
    (header.python, header.pytest, header.plugins) =
        (interpreter.python, interpreter.pytest, interpreter.plugins);
    let records: Vec<&[u8]> = lines.collect();
    for record in &records {
        parse::<Record>(record).expect("a record");
    }
    let changed = [line(&header).expect("JSON"), records.concat()].concat();
    fs::write(journal, changed).expect("a file");
    records.len()
}

#[test]
fn a_history_is_told() {
    let folder = copy("pair");
    let mut command = support::jostle(&folder.path().join("suite"));
    let output =
        command.args(["history", "--history", "../history", "--json"]).output().expect("jostle runs");
    ended(&output, 0);
    let report = json(&output);
    assert_eq!(report["nights"].as_array().map(Vec::len), Some(2), "{report:#}");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report:#}");
    let finding = &report["findings"][0];
    assert_eq!((&finding["test"], &finding["status"]), (&"test_pair.py::test_victim".into(), &"gone".into()));
    assert_eq!(report["rates"][0]["test"], "test_pair.py::test_victim", "{report:#}");
}

#[test]
fn the_results_of_a_night_in_shards_are_merged() {
    let folder = copy("pair");
    fs::write(folder.path().join("suite/jostle.toml"), "no-explain = true\n").expect("a file");
    let output = jostle(&folder, "merge --plan ../night.plan ../results --json");
    ended(&output, 1);
    let report = json(&output);
    assert_eq!((&report["seed"], &report["trials"]), (&1.into(), &2.into()));
    assert_eq!(report["findings"][0]["culprits"][0]["node_id"], "test_pair.py::test_polluter", "{report:#}");
}
