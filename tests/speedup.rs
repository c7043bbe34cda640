//! `jostle speedup` with real pytest and pytest-xdist. What it measures is never asserted on.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support;

fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// One long test among short ones, in two files.
fn lopsided() -> TempDir {
    let long = "import time\n\ndef test_long():\n    time.sleep(1)\n\ndef test_short():\n    pass\n";
    let classes =
        "class TestOne:\n    def test_a(self):\n        pass\n\n    def test_b(self):\n        pass\n";
    project(&[("test_long.py", long), ("test_classes.py", classes)])
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = support::jostle(folder);
    command.arg("speedup").args(arguments).arg("--python").arg(support::light_python());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("jostle runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The document on standard output, checked against its schema.
fn document(output: &Output) -> Value {
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(output)));
    let schema =
        fs::read_to_string(support::root().join("src/report/speedup.schema.json")).expect("the schema");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    if let Err(error) = validator.validate(&document) {
        panic!("{error} at {}: {document:#}", error.instance_path());
    }
    document
}

#[test]
fn every_combination_is_measured_and_told_with_its_bound() {
    let folder = lopsided();
    let before = support::listing(folder.path());
    let (modes, rounds) = match support::night() {
        true => (&["load", "loadscope", "loadfile"][..], "2"),
        false => (&["load", "loadfile"][..], "1"),
    };
    let named = modes.join(",");
    // How long it takes is the machine's matter: every thirty seconds a line would tell how far it is.
    let quiet = ["--progress", "none"];
    let arguments = [&quiet[..], &["-n", "2,3", "--dist", &named, "--rounds", rounds, "--json"]].concat();
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(err(&output), "");
    assert_eq!(support::listing(folder.path()), before, "the user's project stays as it is");
    let document = document(&output);
    assert_eq!((&document["failing"], &document["interrupted"]), (&json!(0), &json!(false)));
    let rows = document["configurations"].as_array().expect("rows");
    let named: Vec<(u64, &str)> = rows
        .iter()
        .map(|row| (row["workers"].as_u64().expect("workers"), row["mode"].as_str().expect("a mode")))
        .collect();
    let expected = [2, 3].into_iter().flat_map(|workers| modes.iter().map(move |&mode| (workers, mode)));
    assert_eq!(named, [(1, "no")].into_iter().chain(expected).collect::<Vec<_>>());
    for row in rows {
        assert_eq!(row["seconds"].as_array().expect("seconds").len().to_string(), rounds, "{row}");
        assert_eq!(row["differing"]["runs"], 0, "{row}");
        let (unit, tests) = match row["mode"].as_str() {
            Some("loadscope" | "loadfile") => ("test_long.py", 2),
            _ => ("test_long.py::test_long", 1),
        };
        assert_eq!(
            (&row["longest_unit"]["name"], &row["longest_unit"]["tests"]),
            (&json!(unit), &json!(tests))
        );
        let parts = row["parts"].as_object().expect("parts").values();
        let sum: f64 = parts.map(|part| part.as_f64().expect("seconds")).sum();
        assert!((sum - row["median"].as_f64().expect("a median")).abs() < 1e-6, "{row}");
        assert!(row["bound"].as_f64() > row["longest_unit"]["seconds"].as_f64(), "{row}");
        assert_eq!(row["limit"].is_null(), row["workers"] == 1, "{row}");
    }
}

#[test]
fn the_report_for_people_names_what_limits() {
    let folder = lopsided();
    let output = run(folder.path(), &["-n", "1,2", "--dist", "load,loadfile", "--rounds", "1", "-v"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let said = out(&output);
    for part in [
        "4 tests (pytest 8.4.2 on Python",
        "pytest-xdist 3.8.0), ",
        "workers  mode",
        "limited by",
        "test_long.py::test_long: no run takes less than",
        "test_long.py, 2 tests: no run takes less than",
        "█",
        "--maxfail=0",
    ] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert!(!said.contains("did not do what"), "{said}");
}

#[test]
fn a_suite_that_fails_in_parallel_has_no_speedup() {
    let source = "import os\n\ndef test_alone():\n    assert 'PYTEST_XDIST_WORKER' not in os.environ\n\n\
        def test_other():\n    pass\n";
    let folder = project(&[("test_parallel.py", source)]);
    let arguments = ["-n", "2", "--dist", "load", "--rounds", "1"];
    let document = document(&run(folder.path(), &[&arguments[..], &["--json"]].concat()));
    let row = &document["configurations"][1];
    assert_eq!(
        (&row["speedup"], &row["efficiency"], &row["limit"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert!(row["median"].is_number(), "{row}");
    let difference = json!({
        "test": {"node_id": "test_parallel.py::test_alone"}, "outcome": "failed", "expected": "passed"
    });
    assert_eq!(row["differing"], json!({"runs": 1, "tests": [difference], "trouble": null}));
    assert_eq!(document["stops_paying"], json!({"workers": 1, "mode": "no"}));
    let said = out(&run(folder.path(), &arguments));
    assert!(said.contains("1 of 1 run did not do what 1 worker does"), "{said}");
    assert!(said.contains("test_parallel.py::test_alone  failed, and passed on 1 worker"), "{said}");
}

#[test]
fn workers_that_collect_other_tests_or_die_are_told() {
    let other = "import os, pytest\n\n@pytest.mark.parametrize('n', [os.environ.get('PYTEST_XDIST_WORKER', 'gw0')])\n\
        def test_own(n):\n    pass\n";
    let folder = project(&[("test_own.py", other)]);
    let arguments = ["-n", "2", "--dist", "load", "--rounds", "1", "--json"];
    let row = document(&run(folder.path(), &arguments))["configurations"][1].take();
    let trouble = row["differing"]["trouble"].as_str().expect("trouble");
    assert!(trouble.contains("Different tests were collected"), "{trouble}");
    assert_eq!(row["differing"]["tests"][0]["outcome"], Value::Null);

    let dies = "import os\n\ndef test_dies():\n    if 'PYTEST_XDIST_WORKER' in os.environ:\n        os._exit(3)\n\n\
        def test_lives():\n    pass\n";
    let folder = project(&[("test_dies.py", dies)]);
    let row = document(&run(folder.path(), &arguments))["configurations"][1].take();
    let tests = row["differing"]["tests"].as_array().expect("tests");
    assert_eq!((tests.len(), &tests[0]["outcome"]), (1, &json!("failed")), "{row}");
}

#[test]
fn the_suites_own_options_do_not_disturb_the_measure() {
    let source = "import os\n\ndef test_fails():\n    assert False\n\ndef test_notes():\n    count = \
        os.environ.get('PYTEST_XDIST_WORKER_COUNT', 'none')\n    open(os.environ['NOTES'], 'a').write(count + '\\n')\n";
    let options = "[pytest]\naddopts = -n 3 --maxprocesses=1 --dist each -x --sw --pdb\n";
    let folder = project(&[("test_notes.py", source), ("pytest.ini", options)]);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let notes = elsewhere.path().join("notes");
    let mut command = command(folder.path(), &["-n", "2", "--dist", "loadfile", "--rounds", "1", "--json"]);
    let output = command.env("NOTES", &notes).output().expect("jostle runs");
    let document = document(&output);
    assert_eq!(document["failing"], 1);
    assert!(
        document["configurations"].as_array().expect("rows").iter().all(|row| row["differing"]["runs"] == 0)
    );
    assert_eq!(fs::read_to_string(&notes).expect("notes"), "none\nnone\n2\n");
}

#[test]
fn groups_stay_the_tests_they_are() {
    let source = "import pytest\n\n@pytest.mark.xdist_group('db')\n@pytest.mark.parametrize('n', range(2))\n\
        def test_grouped(n):\n    pass\n\ndef test_free():\n    pass\n";
    let folder = project(&[("test_groups.py", source)]);
    let output = run(folder.path(), &["-n", "2", "--dist", "loadgroup", "--rounds", "1", "--json"]);
    let row = document(&output)["configurations"][1].take();
    assert_eq!(row["differing"]["runs"], 0, "{row}");
}

#[test]
fn a_python_without_xdist_is_named_with_what_to_install() {
    let folder = lopsided();
    let python = support::python_with("plan", "pytest==8.4.2\n");
    let with = |workers| {
        let mut command = support::jostle(folder.path());
        command.args(["speedup", "--rounds", "1", "-n", workers, "--python"]).arg(&python);
        command.output().expect("jostle runs")
    };
    let output = with("2");
    assert_eq!(output.status.code(), Some(4));
    let python = python.display().to_string();
    assert!(err(&output).contains(&format!("{python} -m pip install pytest-xdist")), "{}", err(&output));
    assert_eq!(with("1").status.code(), Some(0), "1 worker needs none");
}

#[test]
fn a_saved_measurement_is_compared_with() {
    let folder = project(&[("test_a.py", "def test_a():\n    pass\n")]);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let file = elsewhere.path().join("base.json");
    let file = file.to_str().expect("text");
    let saved = run(folder.path(), &["-n", "2", "--dist", "load", "--rounds", "2", "--save", file]);
    assert_eq!(saved.status.code(), Some(0), "{}", err(&saved));
    assert!(err(&saved).contains("wrote "), "{}", err(&saved));

    fs::write(folder.path().join("test_b.py"), "def test_b():\n    pass\n").expect("a file");
    let json = format!("--json={}", elsewhere.path().join("report.json").display());
    let arguments = ["-n", "2", "--dist", "load,loadfile", "--rounds", "2", "--baseline", file, "-q", &json];
    let output = run(folder.path(), &arguments);
    let said = out(&output);
    let stdout = fs::read(elsewhere.path().join("report.json")).expect("a report");
    let document = document(&Output { stdout, ..output });
    let baseline = &document["baseline"];
    assert_eq!(baseline["circumstances"], json!(["other tests: 1 then, 2 now"]));
    let compared = baseline["compared"].as_array().expect("comparisons");
    let named: Vec<_> = compared.iter().map(|one| (&one["workers"], &one["mode"])).collect();
    assert_eq!(named, [(&json!(1), &json!("no")), (&json!(2), &json!("load"))]);
    assert!(compared.iter().all(|one| one["ratio"].is_number() && one["change"] != "unknown"), "{baseline}");
    assert!(said.contains("2 workers (load)") && said.contains("ratio "), "{said}");
}

#[test]
fn what_the_user_can_put_right_is_said_before_anything_is_measured() {
    let folder = lopsided();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let damaged = |name: &str, text: &str| -> PathBuf {
        let path = elsewhere.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let schema = r#""schema": "jostle.speedup-baseline/1""#;
    let files = [
        (damaged("empty", ""), "not JSON"),
        (damaged("cut", "{\"schema\": \"jostle.speedup-ba"), "not JSON"),
        (damaged("other", r#"{"schema": "jostle.report/1"}"#), "jostle.report/1"),
        (damaged("list", "[]"), "no JSON object"),
        (damaged("bare", &format!("{{{schema}}}")), "missing field"),
        (elsewhere.path().join("absent"), "cannot read"),
        (elsewhere.path().to_owned(), "cannot read"),
    ];
    let wrong = files.iter().map(|(path, part)| (["--baseline", path.to_str().expect("text")], *part));
    let options = [
        (["--dist", "each"], "nothing to gain"),
        (["--dist", "load,no"], "always measured"),
        (["--dist", "sideways"], "sideways"),
        (["-n", "0"], "from 1 to 256"),
        (["--rounds", "0"], "from 1 to 1000"),
        (["--save", "no/such/folder"], "no such folder"),
        (["--save", "."], "it is a folder"),
    ];
    for (arguments, part) in wrong.chain(options) {
        let output = run(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {}", err(&output));
        assert!(err(&output).contains(part), "{arguments:?}: {}", err(&output));
        assert!(!err(&output).contains("panicked"), "{arguments:?}: {}", err(&output));
        assert_eq!(out(&output), "");
    }
}

#[test]
fn nothing_collected_and_collection_errors_have_their_exit_codes() {
    let arguments = ["-n", "2", "--dist", "load", "--rounds", "1", "--json"];
    let output = run(project(&[]).path(), &arguments);
    assert_eq!(output.status.code(), Some(5), "{}", err(&output));
    assert_eq!(document(&output)["configurations"], json!([]));

    let broken = ("test_broken.py", "import no_such_module\n");
    let folder = project(&[broken, ("test_a.py", "def test_a():\n    pass\n")]);
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(10), "{}", err(&output));
    let document = document(&output);
    assert_eq!(document["collection_errors"][0]["cause"]["detail"], "no_such_module");
    assert_eq!(document["configurations"][1]["differing"]["runs"], 0, "{document}");
}

#[test]
fn an_interrupt_ends_the_runs_and_keeps_what_is_known() {
    let source = "import os, time\n\ndef test_a():\n    open(os.environ['NOTES'], 'a').write(f'{os.getpid()}\\n')\n    \
        time.sleep(1)\n";
    let folder = project(&[("test_a.py", source)]);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let notes = elsewhere.path().join("notes");
    let mut command = command(folder.path(), &["-n", "2", "--dist", "load", "--rounds", "50", "--json"]);
    command.env("NOTES", &notes).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("jostle starts");
    let pids = || fs::read_to_string(&notes).unwrap_or_default();
    while pids().lines().count() < 3 {
        std::thread::sleep(Duration::from_millis(20));
    }
    support::said(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    let document = document(&output);
    assert_eq!((&document["interrupted"], &document["exit_code"]), (&json!(true), &json!(2)));
    assert!(!document["configurations"][0]["seconds"].as_array().expect("seconds").is_empty(), "{document}");
    let pids: BTreeSet<String> = pids().lines().map(str::to_owned).collect();
    // A killed process without a parent is there until init has reaped it.
    let alive = |pid: &String| {
        Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().expect("kill runs").success()
    };
    let start = Instant::now();
    while pids.iter().any(alive) {
        assert!(start.elapsed() < Duration::from_secs(10), "one of {pids:?} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}
