//! A nightly job as its owner sets it up: known failures, a seed for each night, and what others read of it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support;

const SUITE: &str =
    "STATE = []\n\ndef test_victim():\n    assert not STATE\n\ndef test_polluter():\n    STATE.append(1)\n";

/// A suite with a victim in a folder of its repository.
fn project() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("backend")).expect("a folder");
    write(&folder, SUITE);
    folder
}

fn write(folder: &TempDir, source: &str) {
    fs::write(folder.path().join("backend/test_state.py"), source).expect("a file");
}

fn command(folder: &TempDir, arguments: &str) -> Command {
    let mut command = support::jostle(&folder.path().join("backend"));
    command.args(arguments.split(' ')).arg("--python").arg(support::light_python());
    command
}

/// A session in which the state behind a failure is not what that is known by.
fn stress(folder: &TempDir, arguments: &str) -> Output {
    explained(folder, &format!("{arguments} --no-explain --sandbox off"))
}

fn explained(folder: &TempDir, arguments: &str) -> Output {
    let trials = if arguments.contains("--trials") { "" } else { " --trials 2" };
    let seeds = if arguments.contains("--hash-seeds") { "" } else { " --hash-seeds 1" };
    command(folder, &format!("stress -n 1 {arguments}{trials}{seeds}")).output().expect("jostle runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn report(output: &Output) -> Value {
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(output)));
    support::validate_report(&report).unwrap_or_else(|error| panic!("{error}"));
    report
}

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_suite_that_is_collected_in_no_fixed_order_can_be_known() {
    let folder = project();
    let source =
        "import pytest\n\n@pytest.mark.parametrize('name', set('abcdefgh'))\ndef test_name(name): pass\n";
    write(&folder, source);
    let first = stress(&folder, "--seed 1 --trials 1 --hash-seeds 2 --failures known");
    assert_eq!(first.status.code(), Some(1), "{}{}", out(&first), err(&first));
    let other_night = stress(&folder, "--seed 2 --trials 1 --hash-seeds 2 --known known");
    assert_eq!(other_night.status.code(), Some(0), "{}{}", out(&other_night), err(&other_night));
}

#[test]
fn a_known_failure_is_told_and_does_not_fail_the_job() {
    let folder = project();
    let first = stress(&folder, "--seed 1 --failures known --known known");
    assert_eq!(first.status.code(), Some(1), "{}", err(&first));
    assert!(err(&first).contains("no failure is known"), "{}", err(&first));
    let kept = folder.path().join("backend/known");
    assert_eq!(files(&kept), 1);

    let next = stress(&folder, "--seed 2 --known known --failures new --fail-fast --trials 4");
    assert_eq!(next.status.code(), Some(0), "{}{}", out(&next), err(&next));
    assert!(
        out(&next).contains("known: fails after another test (victim)  test_state.py:3 test_victim"),
        "{}",
        out(&next)
    );
    assert!(out(&next).contains("1 isolation failure, which is known"), "{}", out(&next));
    assert!(out(&next).contains("4 trials"), "it is no reason to stop: {}", out(&next));
    assert!(!out(&next).contains("section_") && !out(&next).contains('\u{1b}'), "{}", out(&next));
    assert_eq!(files(&folder.path().join("backend/new")), 0, "only new ones are written");
    let strict = stress(&folder, "--seed 2 --known known --strict");
    assert_eq!(strict.status.code(), Some(1), "{}", out(&strict));

    write(
        &folder,
        &format!("{SUITE}\nOTHER = []\n\ndef test_new():\n    assert not OTHER\n    OTHER.append(1)\n"),
    );
    let new = report(&stress(&folder, "--seed 3 --known known --json"));
    assert_eq!(new["exit_code"], 1, "{new:#}");
    let known = |kind: &str| {
        let findings = new["findings"].as_array().expect("findings");
        findings
            .iter()
            .find(|finding| finding["kind"] == kind)
            .map(|finding| finding["known"]["same"].clone())
    };
    assert_eq!(known("victim"), Some("failure".into()), "{new:#}");
    assert_eq!(known("nio"), Some(Value::Null), "{new:#}");

    write(&folder, &SUITE.replace("STATE.append(1)", "pass"));
    let mended = stress(&folder, "--seed 4 --known known");
    assert_eq!(mended.status.code(), Some(0), "{}", out(&mended));
    assert!(out(&mended).contains("1 known failure did not show (known/victim-"), "{}", out(&mended));
}

#[test]
#[ignore = "at night: by day unit tests of `finding::known` tell what is known by its state"]
fn another_polluter_of_the_recorded_state_is_known() {
    let folder = project();
    assert_eq!(explained(&folder, "--seed 1 --failures known").status.code(), Some(1));
    write(&folder, &SUITE.replace("test_polluter", "test_another"));
    let next = explained(&folder, "--seed 1 --known known");
    assert_eq!(next.status.code(), Some(0), "{}", out(&next));
    assert!(out(&next).contains("the same state left by another test"), "{}", out(&next));

    let other = "STATE, MORE = [], []\n\ndef test_victim():\n    assert not STATE and not MORE\n\n\
                 def test_another():\n    MORE.append(1)\n";
    write(&folder, other);
    let new = explained(&folder, "--seed 1 --known known");
    assert_eq!(new.status.code(), Some(1), "another state is another failure: {}", out(&new));
}

#[test]
fn a_profile_sets_what_the_command_line_leaves_open() {
    let folder = project();
    let settings = "hash-seeds = 2\nfailures = \"kept\"\nno-explain = true\nsandbox = \"off\"\n\n[profile.nightly]\ntrials = 2\nworkers = [1]\n";
    fs::write(folder.path().join("backend/jostle.toml"), settings).expect("a file");
    let nights = || command(&folder, "stress --profile nightly --json").output().expect("jostle runs");
    let night = report(&nights());
    let today = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let day: String = today.chars().take(10).filter(char::is_ascii_digit).collect();
    let day: u64 = day.parse().expect("a number");
    // A night may end on the day after it began.
    assert!(night["seed"].as_u64().is_some_and(|seed| seed <= day && seed > 20_260_101), "{today}");
    assert_eq!((&night["trials"], &night["axes"]["hash_seeds"]), (&2.into(), &2.into()));
    assert_eq!(night["axes"]["workers"], serde_json::json!([1]));
    assert_eq!(files(&folder.path().join("backend/kept")), 1);

    // What is found is not the point of the second.
    write(&folder, &SUITE.replace("STATE.append(1)", "pass"));
    let mut by_run = command(&folder, "stress --profile nightly --seed run-id --trials 1 --json");
    let by_run = by_run.env("GITHUB_RUN_ID", "163").output().expect("jostle runs");
    assert!(err(&by_run).contains("seed 163 (GITHUB_RUN_ID=163)"), "{}", err(&by_run));
    let by_run = report(&by_run);
    assert_eq!((&by_run["seed"], &by_run["trials"]), (&163.into(), &1.into()));
}

#[test]
fn nothing_is_begun_that_would_end_after_the_time() {
    let folder = project();
    let slow = "import time\n\nSTATE = []\n\ndef test_polluter():\n    STATE.append(1)\n    time.sleep(2)\n\n\
                def test_victim():\n    assert not STATE\n";
    write(&folder, slow);
    let ended = stress(&folder, "--seed 1 --time 2s --trials 9 --json");
    assert_eq!(ended.status.code(), Some(10), "{}", err(&ended));
    let report = report(&ended);
    assert_eq!(report["trials"], 0, "{report:#}");
    assert_eq!(report["unjudged"][0]["test"]["node_id"], "test_state.py::test_victim", "{report:#}");
    let said = report["remarks"].to_string();
    assert!(
        said.contains("no time for a trial, as the suite had been run once after ")
            && said.contains("give many times that"),
        "{said}"
    );
}

#[test]
fn a_log_of_gitlab_folds_what_is_no_new_failure() {
    let folder = project();
    write(&folder, &format!("{SUITE}\ndef test_broken():\n    assert False\n"));
    let arguments = "stress --trials 2 -n 1 --hash-seeds 1 --seed 1 --no-explain --sandbox off";
    let output = command(&folder, arguments).env("GITLAB_CI", "true").output().expect("jostle runs");
    let said = out(&output);
    let starts: Vec<&str> = said.lines().filter(|line| line.contains("section_start:")).collect();
    let [victim, broken] = starts.as_slice() else { panic!("{said}") };
    assert!(victim.contains(":jostle_1\r\u{1b}[0K") && victim.contains("victim"), "{victim:?}");
    assert!(
        broken.contains(":jostle_2[collapsed=true]\r\u{1b}[0K") && broken.contains("broken"),
        "{broken:?}"
    );
    assert_eq!(said.matches("section_end:").count(), 2, "{said}");
}

#[test]
fn others_read_the_results() {
    let folder = project();
    write(&folder, &format!("{SUITE}\ndef test_broken():\n    assert '<&\\x1b[1m' == 2\n"));
    fs::write(folder.path().join("backend/test_missing.py"), "import nowhere\n").expect("a file");
    let summary = folder.path().join("summary.md");
    let arguments = "stress --trials 2 -n 1 --hash-seeds 1 --seed 1 --no-explain --sandbox off --junit junit.xml --code-quality quality.json --json";
    let mut command = command(&folder, arguments);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", &summary);
    let repository = folder.path().canonicalize().expect("a path");
    let output = command.env("GITHUB_WORKSPACE", &repository).output().expect("jostle runs");
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    let report = report(&output);

    let xml = fs::read_to_string(folder.path().join("backend/junit.xml")).expect("the file");
    let junit = quick_junit::Report::deserialize_from_str(&xml).expect("JUnit XML");
    assert_eq!((junit.tests, junit.failures, junit.errors), (4, 1, 1), "{xml}");
    let cases = &junit.test_suites[0].test_cases;
    let case = |name: &str| cases.iter().find(|case| case.name.as_str() == name).expect("a test case");
    let token = &case("test_victim").properties[0];
    assert_eq!(
        (token.name.as_str(), report["findings"][0]["token"].as_str()),
        ("token", Some(token.value.as_str()))
    );
    assert!(matches!(case("test_broken").status, quick_junit::TestCaseStatus::Skipped { .. }), "{xml}");
    assert!(matches!(case("test_polluter").status, quick_junit::TestCaseStatus::Success { .. }), "{xml}");

    let again = self::command(&folder, "replay junit.xml -n 1 --hash-seeds 1").output().expect("jostle runs");
    assert_eq!(again.status.code(), Some(1), "{}", err(&again));
    assert!(out(&again).contains("test_state.py::test_victim  AssertionError"), "{}", out(&again));

    let quality = fs::read(folder.path().join("backend/quality.json")).expect("the file");
    let issues: Value = serde_json::from_slice(&quality).expect("JSON");
    let first = &issues[0];
    assert_eq!(first["check_name"], "victim", "{issues:#}");
    assert_eq!(
        (&first["severity"], &first["location"]["path"]),
        (&"critical".into(), &"backend/test_state.py".into())
    );
    assert_eq!(first["location"]["lines"]["begin"], 3);

    let told = err(&output);
    let annotation = told.lines().find(|line| line.starts_with("::error ")).expect("an annotation");
    assert!(
        annotation.starts_with("::error file=backend/test_state.py,line=3,title=victim%3A "),
        "{annotation}"
    );
    assert!(told.contains("::error file=backend/test_missing.py,line=1,"), "{told}");
    assert!(told.contains("::notice ") && !told.contains("\u{1b}[1m"), "{told}");
    let summary = fs::read_to_string(summary).expect("the summary");
    assert!(summary.starts_with("### jostle: 1 isolation failure, 1 collection error"), "{summary}");
    assert!(summary.contains("<code>test_state.py::test_victim</code>"), "{summary}");
}
