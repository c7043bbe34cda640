//! The commands as a user types them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// A small suite with one victim and one polluter.
fn project() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let source = "STATE = []\n\ndef test_victim():\n    assert not STATE\n\ndef test_other():\n    pass\n\ndef test_polluter():\n    STATE.append(1)\n";
    fs::write(folder.path().join("test_state.py"), source).expect("a file");
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = support::jostle(folder);
    command.args(arguments);
    if arguments
        .first()
        .is_some_and(|first| ["stress", "replay", "collect", "conflicts", "plan"].contains(first))
        && !arguments.contains(&"--python")
    {
        command.arg("--python").arg(support::light_python());
    }
    command.output().expect("jostle runs")
}

fn narrow<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &support::NARROW].concat()
}

fn plain<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &support::PLAIN].concat()
}

/// The engines to be tried: by day this one.
fn engines(by_day: &'static str) -> Vec<&'static str> {
    if support::night() { vec!["warm", "spawn"] } else { vec![by_day] }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn without_times(output: &Output) -> Value {
    let mut report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(output)));
    report["times"] = Value::Null;
    report
}

#[test]
#[ignore = "at night: by day two explained reports are compared, and sessions with an engine that starts no process"]
fn the_same_seed_gives_the_same_report() {
    let folder = project();
    let arguments = ["stress", "--seed", "5", "--trials", "6", "--hash-seeds", "2", "--no-explain", "--json"];
    let [first, second] = [0, 1].map(|_| run(folder.path(), &arguments));
    assert_eq!(first.status.code(), Some(1));
    assert_eq!(without_times(&first), without_times(&second));
}

#[test]
fn the_file_of_a_brittle_test_replays_its_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let source =
        "STATE = []\n\ndef test_setter():\n    STATE.append(1)\n\ndef test_brittle():\n    assert STATE\n";
    fs::write(folder.path().join("test_state.py"), source).expect("a file");
    for engine in engines("warm") {
        let arguments =
            ["stress", "--seed", "1", "--trials", "2", "--failures", engine, "--engine", engine, "--json"];
        let report = without_times(&run(folder.path(), &plain(&arguments)));
        assert_eq!(report["findings"][0]["kind"], "brittle", "{report}");
        let kept = fs::read_dir(folder.path().join(engine)).expect("the folder").next();
        let file = kept.expect("a file").expect("a file").path();
        let replayed = run(folder.path(), &["replay", file.to_str().expect("a path"), "--times", "2"]);
        assert!(out(&replayed).contains("failed as recorded in 2 of 2 runs"), "{}", out(&replayed));
        assert_eq!(replayed.status.code(), Some(1));
    }
}

#[test]
fn a_folder_for_failures_that_cannot_be_made_is_told_before_anything_is_run() {
    let folder = project();
    let output = run(folder.path(), &["stress", "--failures", "/proc/none"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("/proc/none") && !err(&output).contains("seed"), "{}", err(&output));
}

#[test]
fn a_victim_that_is_named_is_looked_into_alone() {
    let folder = project();
    let source = "from test_state import STATE\n\ndef test_also():\n    assert not STATE\n";
    fs::write(folder.path().join("test_z.py"), source).expect("a file");
    for engine in engines("spawn") {
        let arguments =
            ["stress", "--seed", "5", "--victim", "test_z.py::test_also", "--engine", engine, "--json"];
        let output = run(folder.path(), &plain(&arguments));
        let told = "found victim test_z.py::test_also, polluter test_state.py::test_polluter\n";
        assert!(err(&output).contains(told), "{}", err(&output));
        let report = without_times(&output);
        let findings = report["findings"].as_array().expect("findings");
        assert_eq!(findings.len(), 1, "{report}");
        assert_eq!(findings[0]["test"]["node_id"], "test_z.py::test_also");
        assert_eq!(findings[0]["culprits"][0]["node_id"], "test_state.py::test_polluter");
        assert_eq!(report["trials"], 0, "it fails in suite order");
    }
    let unknown = run(folder.path(), &["stress", "--victim", "test_z.py::test_none"]);
    assert_eq!(unknown.status.code(), Some(4));
    assert!(err(&unknown).contains("no such test was collected"), "{}", err(&unknown));
}

#[test]
#[ignore = "at night: by day `session::investigate` has it with an engine that starts no process"]
fn a_named_victim_that_fails_at_times_only_is_judged_as_any_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("flaky-victim");
    support::copy(&support::root().join("corpus/flaky-victim"), &suite);
    let victim = "tests/test_delay.py::test_delay_is_exact_by_default";
    // It ends with the first failure, which chance may put off for long.
    let arguments = ["stress", "--seed", "1", "--trials", "200", "--victim", victim, "--json"];
    let report = without_times(&run(&suite, &plain(&arguments)));
    assert_eq!(report["findings"][0]["kind"], "victim", "{report}");
    let polluter = "tests/test_jitter.py::test_jitter_spreads_delays";
    assert_eq!(report["findings"][0]["culprits"][0]["node_id"], polluter, "{report}");
}

#[test]
fn a_failure_is_replayed_by_its_token_and_by_its_file() {
    let folder = project();
    let stress = ["stress", "--seed", "5", "--trials", "4", "--failures", "kept", "--json"];
    let stressed = run(folder.path(), &plain(&stress));
    let report = without_times(&stressed);
    let finding = &report["findings"][0];
    assert_eq!(finding["culprits"][0]["node_id"], "test_state.py::test_polluter", "{report}");
    let command = finding["command"].as_str().expect("a command");
    let output = Command::new("sh").args(["-c", command]).current_dir(folder.path()).output().expect("sh");
    assert_eq!(output.status.code(), Some(1), "{command}");
    assert!(out(&output).contains("test_victim"), "{}", out(&output));

    let token = finding["token"].as_str().expect("a token");
    let replayed = run(folder.path(), &narrow(&["replay", token, "--times", "2"]));
    assert_eq!(replayed.status.code(), Some(1), "{}", err(&replayed));
    assert!(
        out(&replayed).contains("2 of 2 runs") && out(&replayed).contains("test_victim"),
        "{}",
        out(&replayed)
    );

    let shrunk = run(folder.path(), &narrow(&["replay", token, "--shrink", "--explain", "no"]));
    assert!(out(&shrunk).contains("polluter      test_state.py:9 test_polluter"), "{}", out(&shrunk));

    let kept = fs::read_dir(folder.path().join("kept"))
        .expect("the folder")
        .next()
        .expect("a file")
        .expect("a file")
        .path();
    let kept = kept.to_str().expect("text");
    let by_file = run(folder.path(), &["replay", kept]);
    assert_eq!(
        (by_file.status.code(), out(&by_file).contains("1 of 1 run")),
        (Some(1), true),
        "{}",
        out(&by_file)
    );

    let source = folder.path().join("test_state.py");
    let mended = fs::read_to_string(&source).expect("a file").replace("    STATE.append(1)", "    pass");
    fs::write(&source, &mended).expect("a file");
    assert_eq!(run(folder.path(), &["replay", kept]).status.code(), Some(11));

    fs::write(&source, mended.replace("test_polluter", "test_renamed")).expect("a file");
    let gone = run(folder.path(), &["replay", kept]);
    assert_eq!(gone.status.code(), Some(11));
    assert!(err(&gone).contains("test_state.py::test_polluter"), "{}", err(&gone));
}

#[test]
#[ignore = "at night: by day `versions` asks the oldest and the newest Python for a plan"]
fn plans_are_the_same_on_every_python_of_the_machine() {
    let folder = project();
    let pythons = std::env::var("HOME").map(|home| Path::new(&home).join(".pyenv/versions")).ok();
    let versions = pythons.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten();
    let found = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin/python")));
    let new_enough = "import sys, ensurepip; sys.exit(sys.version_info < (3, 9))";
    let suitable = |python: &std::path::PathBuf| {
        Command::new(python).args(["-c", new_enough]).status().is_ok_and(|status| status.success())
    };
    let mut plans = vec![out(&run(folder.path(), &["plan", "--seed", "9", "--index", "3", "--json"]))];
    for python in found.filter(suitable) {
        let environment = support::python_with_base("plan", "pytest==8.4.2\n", &python);
        let environment = environment.to_str().expect("text");
        plans.push(out(&run(
            folder.path(),
            &["plan", "--seed", "9", "--index", "3", "--json", "--python", environment],
        )));
    }
    println!("{} Pythons", plans.len());
    assert!(plans[0].contains("test_state.py::test_victim"));
    assert!(plans.iter().all(|plan| *plan == plans[0]));
}

#[test]
fn collect_tells_causes_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    support::copy(&support::root().join("corpus/collection-errors"), folder.path());
    let python = support::corpus_python();
    let output = run(folder.path(), &["collect", "--python", python.to_str().expect("text")]);
    assert_eq!(output.status.code(), Some(10));
    insta::with_settings!({filters => vec![(r"pytest \S+ on Python \S+", "pytest [V] on Python [V]"), ("SyntaxError: .*", "SyntaxError: [M]")]}, {
        insta::assert_snapshot!(out(&output));
    });
}

#[test]
fn pytests_own_complaints_reach_the_user() {
    let folder = project();
    let output = run(
        folder.path(),
        &["collect", "--python", support::light_python().to_str().expect("text"), "--", "--no-such-option"],
    );
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("unrecognized arguments: --no-such-option"), "{}", err(&output));
}

#[test]
fn tests_and_the_file_of_the_results_are_named_as_people_type_them() {
    let folder = project();
    fs::create_dir(folder.path().join("unit")).expect("a folder");
    fs::write(folder.path().join("unit/test_b.py"), "def test_b():\n    pass\n").expect("a file");
    let python = support::light_python();
    let collect =
        ["collect", "--engine", "spawn", "--sandbox", "off", "--python", python.to_str().expect("text")];
    let tests = |arguments: &[&str]| {
        let output = run(folder.path(), &[&collect, arguments].concat());
        let path = folder.path().join("out.json");
        let json = if path.exists() { fs::read(&path).expect("a file") } else { output.stdout.clone() };
        let _ = fs::remove_file(path);
        let report: Value =
            serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{error}: {}", err(&output)));
        report["suite"]["tests"].as_u64().expect("a number")
    };
    assert_eq!(tests(&["--json", "out.json", "-vv"]), 4);
    fs::write(folder.path().join("out.json"), "{\"schema\": \"jostle.collect/1\"}").expect("a file");
    assert_eq!(tests(&["--json", "out.json"]), 4, "results are written over");
    assert_eq!(tests(&["--json", "unit", "-v", "-v"]), 1);
    assert_eq!(tests(&["test_state.py::test_victim", "unit/test_b.py", "--json", "-"]), 2);
    assert_eq!(tests(&["--json=out.json", "-k", "victim or test_b", "-m", "not slow", "--", "unit"]), 1);
    fs::write(folder.path().join("jostle.toml"), "pytest-args = [\"unit\"]\n").expect("a file");
    assert_eq!(tests(&["--json", "-k", "test_b or victim"]), 1, "added to what is configured");
    assert_eq!(tests(&["test_state.py", "--json"]), 3, "in place of what is configured");
}

#[test]
fn a_kind_is_explained_as_the_book_does() {
    let folder = tempfile::tempdir().expect("a folder");
    let schema = support::root().join("src/report/report.schema.json");
    let schema: Value = serde_json::from_slice(&fs::read(schema).expect("the schema")).expect("JSON");
    let kinds = &schema["$defs"]["finding"]["properties"]["kind"]["enum"];
    for kind in
        kinds.as_array().expect("the kinds").iter().filter_map(Value::as_str).chain(["collection-errors"])
    {
        let output = run(folder.path(), &["explain", kind]);
        let said = out(&output);
        assert_eq!(output.status.code(), Some(0), "{kind}: {}", err(&output));
        let heading = said.lines().next().expect("a heading").to_lowercase().replace(' ', "-");
        assert_eq!(heading, kind);
        assert!(said.lines().count() >= 4, "{said}");
        let (section, book) = said.trim_end().rsplit_once("\n\n").expect("where the book is");
        assert!(!section.contains("```") && !section.contains("<!--") && !section.contains(".md"), "{said}");
        assert!(book.contains("docs/src/kinds.md in jostle's repository"), "{said}");
    }
    let nod = out(&run(folder.path(), &["explain", "nod"]));
    assert!(nod.contains("passes and fails under one and the same plan.\n"), "{nod}");
}

/// Options by the heading that they stand under, whatever the command.
const HEADINGS: &[(&str, &[&str])] = &[
    ("Arguments", &["[PYTEST_ARGS]...", "[TEST]..."]),
    (
        "Options",
        &["--help", "--progress", "--quiet", "--shrink", "--times", "--watch", "--verbose", "--version"],
    ),
    (
        "How far it goes",
        &[
            "--changed",
            "--fail-fast",
            "--keep-going",
            "--last-failed",
            "--leaks",
            "--schedules",
            "--time",
            "--victim",
        ],
    ),
    ("Sessions in parts", &["--journal", "--results", "--resume", "--shard"]),
    (
        "Results",
        &[
            "--code-quality",
            "--explain",
            "--html",
            "--json",
            "--junit",
            "--known",
            "--no-explain",
            "--strict",
            "--write-fix",
        ],
    ),
    ("What is varied", &["--dist", "--hash-seeds", "--ignore-rank", "--workers", "--order"]),
    (
        "Keeping trials apart",
        &["--disk", "--jobs", "--memory", "--network", "--report-leftovers", "--sandbox", "--share"],
    ),
    (
        "The suite",
        &["-k", "-m", "--engine", "--profile", "--rootdir", "--test-timeout", "--tests", "--trial-timeout"],
    ),
];

/// The options of a help text, with their headings.
fn headings(help: &str) -> Vec<(String, String)> {
    let mut heading = String::new();
    let mut found = Vec::new();
    for line in help.lines() {
        let option = line.trim_start();
        if let Some(title) = line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            heading = title.to_owned();
        } else if line.len() - option.len() <= 6 && option.starts_with(['-', '[', '<']) {
            let words = option.split([' ', '[', '=']).filter(|word| !word.is_empty());
            let long = words.clone().find(|word| word.starts_with("--")).or(words.clone().next());
            let name = if option.starts_with('[') { option.split("  ").next() } else { long };
            found.push((name.expect("a name").to_owned(), heading.clone()));
        }
    }
    found
}

#[test]
fn options_stand_under_their_headings_and_the_short_help_fits_on_a_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let help = |arguments: &[&str]| out(&run(folder.path(), arguments));
    let commands = [
        "stress",
        "replay",
        "explain",
        "verify",
        "collect",
        "conflicts",
        "merge",
        "plan",
        "history",
        "speedup",
    ];
    let mut all = Vec::new();
    for command in commands {
        let told = headings(&help(&[command, "--help"]));
        assert!(told.len() > 8, "{command}: {told:?}");
        for (option, under) in &told {
            let belongs = HEADINGS.iter().find(|(_, options)| options.contains(&&**option));
            assert!(
                belongs.is_none_or(|(heading, _)| heading == under),
                "{command} {option} stands under {under}"
            );
        }
        all.extend(told);
    }
    let (short, long) = (help(&["stress", "-h"]), help(&["stress", "--help"]));
    assert!(short.lines().count() <= 45, "{} lines: {short}", short.lines().count());
    assert!(short.ends_with("`jostle stress --help` has all options.\n"), "{short}");
    for option in ["--html", "--junit", "--known", "--sarif", "--profile", "--failures"] {
        assert!(short.contains(&format!("{option} <")), "{option}: {short}");
    }
    let [short, long] = [short, long].map(|help| headings(&help));
    assert!(short.iter().all(|option| long.contains(option)), "{short:?} {long:?}");
    for option in HEADINGS.iter().flat_map(|(_, options)| *options) {
        assert!(all.iter().any(|(name, _)| name == option), "no command has {option}: {all:?}");
    }
}

#[test]
fn a_test_that_ends_its_process_is_judged_before_the_trials_and_left_out_of_them() {
    let folder = project();
    fs::write(folder.path().join("test_exits.py"), "import os\n\ndef test_exits():\n    os._exit(3)\n")
        .expect("a file");
    let arguments = ["stress", "--seed", "1", "--trials", "2", "--json"];
    let output = run(folder.path(), &plain(&arguments));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    support::validate_report(&report).expect("the schema");
    let name = "test_exits.py::test_exits";
    assert_eq!(report["left_out"], serde_json::json!([{ "node_id": name }]));
    let remark = format!(
        "left out of the trials, as it took its process along in every run before: {name} (ended its process)"
    );
    assert!(
        report["remarks"].as_array().is_some_and(|all| all.iter().any(|told| *told == remark)),
        "{report}"
    );
    let findings = report["findings"].as_array().expect("findings");
    let told: Vec<_> =
        findings.iter().map(|it| (it["kind"].as_str(), it["test"]["node_id"].as_str())).collect();
    assert_eq!(told, [(Some("victim"), Some("test_state.py::test_victim")), (Some("broken"), Some(name))]);
    let fingerprint = report["suite"]["fingerprint"].as_str().expect("a fingerprint");
    let replayed = |token: &str| out(&run(folder.path(), &narrow(&["replay", token])));
    assert!(replayed(&format!("1:0:{fingerprint}")).contains(name));
    let without = replayed(&format!("1:0:{fingerprint}:x0"));
    assert!(without.contains("tests failed in") && !without.contains(name), "{without}");
}

#[test]
fn a_suite_is_narrowed_to_the_tests_of_a_file() {
    let folder = project();
    let kept = ["# of last night", "test_state.py::test_polluter", "", "test_state.py::test_victim"];
    fs::write(folder.path().join("tests.txt"), kept.join("\n")).expect("a file");
    for engine in engines("warm") {
        let arguments =
            ["stress", "--seed", "1", "--trials", "2", "--engine", engine, "--tests", "tests.txt", "--json"];
        let output = run(folder.path(), &plain(&arguments));
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let collected = [&report["suite"]["tests"], &report["suite"]["deselected"]];
        assert_eq!(collected, [2, 1], "{}", report["suite"]);
        let finding = &report["findings"][0];
        let names = [&finding["test"]["node_id"], &finding["culprits"][0]["node_id"]];
        assert_eq!(names, ["test_state.py::test_victim", "test_state.py::test_polluter"], "{finding:#}");
    }
}

#[test]
fn tests_of_a_file_that_are_not_collected_are_told_and_if_none_is_refused() {
    let folder = project();
    fs::write(folder.path().join("some.txt"), "test_state.py::test_other\ntest_state.py::test_gone\n")
        .expect("a file");
    let some = run(folder.path(), &plain(&["stress", "--trials", "1", "--tests", "some.txt"]));
    assert_eq!(some.status.code(), Some(0), "{}", err(&some));
    let told = "1 of 2 tests that --tests names are not collected, test_state.py::test_gone the first";
    assert!(out(&some).contains(told), "{}", out(&some));
    fs::write(folder.path().join("none.txt"), "test_state.py::test_gone\n").expect("a file");
    let none = run(folder.path(), &plain(&["stress", "--trials", "1", "--tests", "none.txt"]));
    assert_eq!(none.status.code(), Some(4), "{}", out(&none));
    assert!(err(&none).contains("1 of 1 tests that --tests names are not collected"), "{}", err(&none));
    fs::write(folder.path().join("empty.txt"), "# nothing\n").expect("a file");
    let empty = run(folder.path(), &plain(&["stress", "--tests", "empty.txt"]));
    assert_eq!(empty.status.code(), Some(4), "{}", out(&empty));
    assert!(err(&empty).contains("--tests empty.txt: it has no node id"), "{}", err(&empty));
}

#[test]
fn nothing_collected_is_exit_code_5() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(run(folder.path(), &["stress"]).status.code(), Some(5));
    assert_eq!(run(folder.path(), &["collect"]).status.code(), Some(5));
    let conflicts = run(folder.path(), &["conflicts"]);
    assert_eq!((conflicts.status.code(), out(&conflicts)), (Some(5), "no test was collected\n".to_owned()));
    let replay = run(folder.path(), &["replay", "7:1"]);
    assert_eq!(replay.status.code(), Some(5));
    assert!(err(&replay).contains("cannot replay: no test was collected"), "{}", err(&replay));
}

#[test]
fn an_interrupt_ends_the_session_and_keeps_what_is_known() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("test_a.py"),
        "import os, time\ndef test_a():\n    open(os.environ['RUNS'], 'w').close()\n    time.sleep(1)\n",
    )
    .expect("a file");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let runs = elsewhere.path().join("runs");
    let mut command = support::jostle(folder.path());
    command.env("RUNS", &runs);
    command.args(["stress", "--seed", "1", "--json", "--share"]).arg(elsewhere.path());
    command.arg("--python").arg(support::light_python());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("jostle starts");
    support::wait_for(&runs);
    support::said(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    let report = without_times(&output);
    assert_eq!((&report["interrupted"], &report["suite"]["tests"]), (&Value::Bool(true), &1.into()));
}
