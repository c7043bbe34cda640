//! What C code and subprocesses do, as the system tells it: noted, raced, replayed.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod support;

use std::fs;
use std::path::Path;

use serde_json::Value;

fn suite(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn report(folder: &Path, arguments: &[&str]) -> Value {
    let mut command = support::jostle(folder);
    let output =
        command.args(arguments).arg("--python").arg(support::light_python()).output().expect("jostle runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// What a call does, where, and by whom.
type Told = (String, String, String);

/// Each conflict's resource, and for each of its tests what it does, where, and by whom.
fn told(report: &Value) -> Vec<(String, Vec<Told>)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let calls = |test: &Value| {
        list(&test["calls"])
            .iter()
            .map(|call| (text(&call["call"]), text(&call["at"]), text(&call["by"])))
            .collect::<Vec<_>>()
    };
    list(&report["conflicts"])
        .iter()
        .map(|conflict| {
            (text(&conflict["resource"]), list(&conflict["tests"]).iter().flat_map(calls).collect())
        })
        .collect()
}

#[test]
fn conflicts_of_subprocesses_and_of_c_code_are_noted() {
    let head =
        "import pathlib, sqlite3, subprocess, tempfile\nSHARED = pathlib.Path(tempfile.gettempdir())\n";
    let folder = suite(&[(
        "test_a.py",
        &format!(
            "{head}\ndef test_shell():\n    subprocess.run(['sh', '-c', f'echo > {{SHARED}}/note'], check=True)\n\n\
             def test_python():\n    (SHARED / 'note').exists()\n\n\
             def attach():\n    own = sqlite3.connect(':memory:')\n    own.execute('attach ? as archive', [f'{{SHARED}}/archive.db'])\n    \
             own.execute('create table if not exists archive.t (x)')\n\n\
             def test_attaches():\n    attach()\n\ndef test_attaches_too():\n    attach()\n\n\
             def test_own(tmp_path, worker_id):\n    subprocess.run(['touch', tmp_path / 'x', SHARED / worker_id], check=True)\n\n\
             def test_own_too(tmp_path, worker_id):\n    test_own(tmp_path, worker_id)\n"
        ),
    )]);
    let report = report(folder.path(), &["conflicts", "--json"]);
    let told = told(&report);
    let names: Vec<&str> = told.iter().map(|(resource, _)| &**resource).collect();
    assert_eq!(names, ["file:$TMPDIR/archive.db", "file:$TMPDIR/note"], "{report:#}");
    let by_c_code = |(_, at, by): &Told| at.is_empty() && by == "C code";
    assert!(told[0].1.iter().all(by_c_code), "{report:#}");
    assert!(told[0].1.iter().any(|(call, ..)| call == "lock to write"), "{report:#}");
    let [python, shell] = &*told[1].1 else { panic!("{report:#}") };
    // Whatever the shell is called.
    assert_eq!((&*shell.0, &*shell.1), ("open to write", "test_a.py:5"));
    assert!(shell.2.starts_with("the subprocess "), "{report:#}");
    assert_eq!((&*python.0, &*python.1, &*python.2), ("look at", "test_a.py:8", ""));
}
