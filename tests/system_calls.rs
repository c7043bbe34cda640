//! What C code and subprocesses do, as the system tells it: noted, raced, replayed.

#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support;

fn suite(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn report(folder: &Path, arguments: &[&str]) -> Value {
    let mut command = support::jostle(folder);
    json(&command.args(arguments).arg("--python").arg(support::light_python()).output().expect("jostle runs"))
}

fn json(output: &Output) -> Value {
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

/// Runs a program where seccomp(2) is not permitted, as in some containers.
const FORBIDDING: &str = "import ctypes, os, platform, struct, sys
number = {'x86_64': 317, 'aarch64': 277}[platform.machine()]
step = lambda code, yes, no, k: struct.pack('=HBBI', code, yes, no, k)
program = step(0x20, 0, 0, 0) + step(0x15, 0, 1, number) + step(6, 0, 0, 0x50001) + step(6, 0, 0, 0x7fff0000)
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('instructions', ctypes.c_char_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(4, program))) == 0
os.execv(sys.argv[1], sys.argv[1:])
";

const TWO_THAT_COUNT: &str = "import pathlib, subprocess, tempfile\nNOTE = pathlib.Path(tempfile.gettempdir()) / 'note'\n\n\
    def test_one():\n    subprocess.run(['sh', '-c', f'echo > {NOTE}'], check=True)\n\n\
    def test_two():\n    subprocess.run(['sh', '-c', f'echo > {NOTE}'], check=True)\n";

#[test]
fn where_system_calls_cannot_be_seen_that_is_told_once_and_tests_run_all_the_same() {
    let folder = suite(&[("test_a.py", TWO_THAT_COUNT)]);
    let jostle = support::jostle(folder.path());
    let mut command = Command::new(support::light_python());
    command.envs(jostle.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["-c", FORBIDDING]).arg(jostle.get_program()).current_dir(folder.path());
    command.args([
        "stress",
        "--seed",
        "1",
        "--trials",
        "1",
        "--hash-seeds",
        "1",
        "--sandbox",
        "off",
        "--json",
    ]);
    command.arg("--python");
    let report = json(&command.arg(support::light_python()).output().expect("jostle runs"));
    let remarks = report["remarks"].as_array().expect("remarks");
    let told = remarks.iter().filter_map(Value::as_str).filter(|remark| remark.contains("cannot be seen"));
    let told: Vec<&str> = told.collect();
    assert!(told.len() == 1 && told[0].contains("Operation not permitted"), "{report:#}");
    assert_eq!((&report["schedules"], &report["findings"]), (&0.into(), &Value::Array(Vec::new())));
}

#[test]
fn subprocesses_that_outlive_their_tests_keep_nobody_waiting() {
    let start = "import pathlib, subprocess, sys, tempfile\nNOTE = pathlib.Path(tempfile.gettempdir()) / 'note'\n\n\
         def start(seconds):\n    code = f'echo a >> {NOTE}; echo; exec >&-; sleep {seconds}; cat {NOTE}'\n    \
         child = subprocess.Popen(['sh', '-c', code], stdout=subprocess.PIPE)\n    child.stdout.readline()\n";
    let folder = suite(&[
        ("background.py", start),
        ("test_one.py", "import background\n\ndef test_one():\n    background.start(600)\n"),
        (
            "test_two.py",
            "import background\n\ndef test_two():\n    background.start(0.01)\n    background.NOTE.touch()\n",
        ),
    ]);
    let arguments =
        ["stress", "--seed", "1", "--trials", "1", "--hash-seeds", "1", "--schedules", "6", "--json"];
    for sandbox in ["auto", "off"] {
        let report = report(folder.path(), &[&arguments[..], &["--sandbox", sandbox]].concat());
        assert_eq!(report["findings"], Value::Array(Vec::new()), "{report:#}");
        assert!(report["schedules"].as_u64().expect("a number") >= 2, "{report:#}");
    }
}
