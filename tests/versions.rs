//! A specimen on the oldest and the newest Python of the machine, with the oldest and the newest pytest: a sample of
//! what `tests/matrix.sh` does.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support;

/// The Pythons from 3.9 on that are found on PATH or among those of pyenv, by minor version.
fn pythons() -> Vec<(u32, PathBuf)> {
    let home = std::env::var("HOME").unwrap_or_default();
    let installed = std::fs::read_dir(Path::new(&home).join(".pyenv/versions")).into_iter().flatten();
    let of_pyenv = installed.flatten().map(|entry| entry.path().join("bin/python"));
    let on_path = (9..30).map(|minor| PathBuf::from(format!("python3.{minor}"))).chain(["python3".into()]);
    let minor = |python: &PathBuf| {
        let ask = "import sys, ensurepip; print(sys.version_info[1] if sys.version_info[0] == 3 else 0)";
        let output = Command::new(python).args(["-c", ask]).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse::<u32>().ok().filter(|minor| *minor >= 9)
    };
    let mut found: Vec<(u32, PathBuf)> =
        of_pyenv.chain(on_path).filter_map(|python| Some((minor(&python)?, python))).collect();
    found.sort();
    found
}

/// A Python finds the pair of a specimen; the plan that it makes of a seed is returned.
fn finds_the_pair(python: PathBuf, what: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("environ");
    support::copy(&support::root().join("corpus/environ"), &suite);
    let command = |arguments: &[&str], varied: &[&str]| {
        let mut command = support::jostle(&suite);
        command.args(arguments).args(varied).arg("--python").arg(&python).output().expect("jostle runs")
    };
    let plan = command(&["plan", "--seed", "9", "--index", "3", "--json"], &support::NARROW);
    let output = command(&["stress", "--seed", "1", "--trials", "2", "--json"], &support::UNFIXED);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{what}: {said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    println!("{what}: pytest {}, Python {}", report["suite"]["pytest"], report["suite"]["python"]);
    let finding = &report["findings"][0];
    assert_eq!(finding["test"]["node_id"], "tests/test_defaults.py::test_debug_is_off", "{what}");
    let polluter = &finding["culprits"][0]["node_id"];
    assert_eq!(polluter, "tests/test_overrides.py::test_debug_from_the_environment", "{what}");
    assert_eq!(finding["explanation"]["places"][0]["name"], "os.environ[\"SHOP_DEBUG\"]", "{what}");
    String::from_utf8(plan.stdout).expect("text")
}

#[test]
fn the_oldest_and_the_newest_python_and_pytest_come_to_the_same() {
    let pythons = pythons();
    let ends = [(pythons.first(), "7.4"), (pythons.last(), "9")];
    let mut plans = Vec::new();
    for (python, pytest) in ends {
        let (minor, python) = python.expect("a Python");
        // pytest 9 needs Python 3.10.
        let pytest = if *minor < 10 && pytest == "9" { "8" } else { pytest };
        let requirements = support::with_pytest(support::LIGHT, pytest);
        let environment = support::python_with_base(&format!("light-{pytest}"), &requirements, python);
        plans.push(finds_the_pair(environment, &format!("Python 3.{minor}, pytest {pytest}")));
    }
    assert!(plans[0].contains("test_debug_is_off") && plans[0] == plans[1], "{plans:?}");
}
