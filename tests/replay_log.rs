//! `jostle replay LOG`: real logs of other tools' runs, turned into the pair that fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// Runs until the flaky failure shows, as it would in continuous integration.
const TRIES: usize = 25;
const POLLUTER: &str = "tests/test_overrides.py::test_debug_from_the_environment";
const VICTIM: &str = "tests/test_defaults.py::test_debug_is_off";

/// A copy of the specimen `environ`.
fn specimen() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("environ");
    support::copy(&support::root().join("corpus/environ"), &suite);
    (folder, suite)
}

/// What pytest prints once the victim fails; `arguments` may depend on the try.
fn failing_log(python: &Path, suite: &Path, arguments: impl Fn(usize) -> Vec<String>) -> String {
    let run = |attempt| {
        let mut command = Command::new(python);
        command.args(["-m", "pytest", "-p", "no:cacheprovider"]).args(arguments(attempt)).current_dir(suite);
        let output = command.env_remove("SHOP_DEBUG").output().expect("pytest runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let failed = format!("FAILED {VICTIM}");
    (0..TRIES).map(run).find(|log| log.contains(&failed)).expect("the victim fails in some run")
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn replay(python: &Path, suite: &Path, log: &Path, arguments: &[&str]) -> Output {
    let mut command = support::jostle(suite);
    command.arg("replay").arg(log).args(arguments).args(["--explain", "no"]).arg("--python").arg(python);
    command.output().expect("jostle runs")
}

/// The pair is named.
fn is_the_pair(output: &Output) -> Value {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
    support::validate_report(&report).unwrap_or_else(|error| panic!("{error}"));
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 1, "{report:#}");
    assert_eq!(findings[0]["kind"], "victim");
    assert_eq!(findings[0]["test"]["node_id"], VICTIM);
    assert_eq!(findings[0]["culprits"][0]["node_id"], POLLUTER);
    report
}

#[test]
fn a_log_of_pytest_xdist_becomes_the_pair() {
    let (folder, suite) = specimen();
    let python = support::light_python();
    let text = failing_log(&python, &suite, |_| {
        words("-v -n 2 --dist load tests/test_overrides.py tests/test_defaults.py")
    });
    assert!(text.contains("[gw0]") && text.contains("[gw1]"), "{text}");
    let log = folder.path().join("ci.log");
    // As continuous integration keeps it: each line with a time before it.
    let stamped: Vec<String> = text.lines().map(|line| format!("2026-01-02T03:04:05.678Z {line}")).collect();
    fs::write(&log, stamped.join("\r\n")).expect("a file");
    let json = folder.path().join("report.json");
    let shown = replay(&python, &suite, &log, &[&format!("--json={}", json.display())]);
    let report = fs::read_to_string(json).expect("a report");
    let report = is_the_pair(&Output { stdout: report.into_bytes(), ..shown.clone() });
    let remarks = report["remarks"].to_string();
    assert!(remarks.contains("PYTHONHASHSEED") && remarks.contains("overlapped"), "{remarks}");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("the order of 8 tests on 2 workers, 1 of which failed"), "{shown}");
    assert!(
        shown.contains("polluter      tests/test_overrides.py:13 test_debug_from_the_environment"),
        "{shown}"
    );
}

#[test]
fn a_junit_file_becomes_the_pair() {
    let (folder, suite) = specimen();
    let python = support::light_python();
    let file = folder.path().join("junit.xml");
    failing_log(&python, &suite, |_| {
        words(&format!("--junitxml={} tests/test_overrides.py tests/test_defaults.py", file.display()))
    });
    let report = is_the_pair(&replay(&python, &suite, &file, &["--json"]));
    assert!(report["remarks"].to_string().contains("which worker ran what"), "{report:#}");
}

#[test]
fn a_seed_of_pytest_randomly_becomes_the_pair() {
    let (folder, suite) = specimen();
    let python = support::python_with_plugins();
    // Without -v the log has the seed and the summary only.
    let log = folder.path().join("ci.log");
    let text = failing_log(&python, &suite, |attempt| {
        words(&format!("-p randomly --randomly-seed={}", attempt + 1))
    });
    assert!(!text.contains("PASSED"), "{text}");
    fs::write(&log, text).expect("a file");
    is_the_pair(&replay(&python, &suite, &log, &["--json"]));

    let without = replay(&support::light_python(), &suite, &log, &[]);
    let said = String::from_utf8_lossy(&without.stderr).into_owned();
    assert_eq!(without.status.code(), Some(4), "{said}");
    assert!(said.contains("has no pytest-randomly to ask"), "{said}");
}

#[test]
fn a_log_whose_failure_does_not_show_or_that_tells_nothing_is_told_so() {
    let (folder, suite) = specimen();
    let python = support::light_python();
    let log = folder.path().join("ci.log");
    fs::write(&log, format!("{VICTIM} FAILED [ 50%]\n{POLLUTER} PASSED [100%]\n")).expect("a file");
    let output = replay(&python, &suite, &log, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(11), "{said}");
    assert!(said.contains(&format!("jostle stress --victim '{VICTIM}'")), "{said}");

    fs::write(&log, "tests/test_gone.py::test_x FAILED [100%]\n").expect("a file");
    assert_eq!(replay(&python, &suite, &log, &[]).status.code(), Some(11));
    fs::write(&log, format!("{VICTIM} PASSED [ 50%]\n{POLLUTER} PASSED [100%]\n")).expect("a file");
    let passed = replay(&python, &suite, &log, &[]);
    assert_eq!(passed.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&passed.stderr).contains("no test failed in this log"), "{passed:?}");
    fs::write(&log, "all is well\n").expect("a file");
    let output = replay(&python, &suite, &log, &[]);
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("not a failure file") && said.contains("As a log, it tells no order of tests"),
        "{said}"
    );
}
