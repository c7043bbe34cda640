//! `jostle doctor` says what a suite gets here, and what to do.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support;

fn doctor(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = support::jostle(folder);
    command.arg("doctor").args(arguments).output().expect("jostle runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn suite(source: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("test_a.py"), source).expect("a file");
    folder
}

#[test]
fn a_suite_is_told_its_engine_and_what_to_do() {
    let python = support::light_python();
    let given = ["--python", python.to_str().expect("a path")];
    let well = suite("def test_a():\n    pass\n");
    let told = doctor(well.path(), &given);
    assert_eq!(told.status.code(), Some(0), "{}", out(&told));
    assert!(out(&told).contains("\nengine        forks of a process"), "{}", out(&told));
    assert!(out(&told).contains("a trial of test_a.py:1 test_a took "), "{}", out(&told));
    let thread = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n";
    let threads = suite(&format!("{thread}\ndef test_a():\n    pass\n"));
    let told = doctor(threads.path(), &given);
    let fresh = "\nengine        fresh processes: every plan runs in fresh processes";
    assert!(out(&told).contains(fresh) && out(&told).contains("test_a.py:2"), "{}", out(&told));
    assert!(out(&told).contains("\nwhat to do    start threads"), "{}", out(&told));
    let hidden = suite("import no_such_module\n");
    let told = doctor(hidden.path(), &given);
    assert_eq!(told.status.code(), Some(10), "{}", out(&told));
    assert!(out(&told).contains("what to do    jostle collect lists"), "{}", out(&told));
    let told = doctor(well.path(), &[given[0], given[1], "--engine", "spawn", "--sandbox", "off", "--json"]);
    let report: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(
        (&report["forks"], &report["sandbox"]),
        (&Value::Bool(false), &Value::Bool(false)),
        "{report:#}"
    );
}

#[test]
fn a_broken_environment_is_told_as_that() {
    let folder = suite("def test_a():\n    pass\n");
    let bin = folder.path().join(".venv/bin");
    fs::create_dir_all(&bin).expect("a folder");
    fs::write(folder.path().join(".venv/pyvenv.cfg"), "").expect("a file");
    symlink("/no/such/python3.12", bin.join("python")).expect("a link");
    let mut command = support::jostle(folder.path());
    let told = command.env_remove("VIRTUAL_ENV").arg("doctor").output().expect("jostle runs");
    assert_eq!(told.status.code(), Some(4), "{}", out(&told));
    let broken =
        "(the one of .venv) is of a broken environment: it leads to /no/such/python3.12, which is not there";
    assert!(
        out(&told).starts_with("python        cannot be used: ") && out(&told).contains(broken),
        "{}",
        out(&told)
    );
    assert!(out(&told).contains("\nsandbox       "), "{}", out(&told));
}
