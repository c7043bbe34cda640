//! `jostle stress --leaks`: what `jostle leaks` has told decides which tests are run directly after which.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support;

const STATE: &str = "colour = None\nsize = None\n";
const TESTS: &str = "\
import state

def test_red():
    state.colour = 'red'

def test_large():
    state.size = 'large'

def test_plain():
    assert not (state.colour and state.size)

def test_tidy():
    state.colour = state.size = None
";

#[test]
fn a_test_is_run_directly_after_those_that_leave_what_it_names() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("state.py"), STATE).expect("a file");
    fs::write(folder.path().join("test_shop.py"), TESTS).expect("a file");
    let jostle = |arguments: &[&str]| {
        let mut command: Command = support::jostle(folder.path());
        command.args(arguments).arg("--python").arg(support::light_python()).output().expect("jostle runs")
    };
    let leaks = jostle(&["leaks", "-q", "--explain", "state", "--json=leaks.json"]);
    assert_eq!(leaks.status.code(), Some(1), "{}", String::from_utf8_lossy(&leaks.stderr));
    let session = ["stress", "-q", "--seed=1", "--trials=1", "--schedules=0", "--no-explain", "--json"];
    let stress = jostle(&[&session[..], &["--leaks", "leaks.json", "--failures", "failures"]].concat());
    let report: Value = serde_json::from_slice(&stress.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&stress.stderr)));
    let told = "as --leaks tells: ";
    let remarks = report["remarks"].as_array().expect("remarks").iter().filter_map(Value::as_str);
    assert!(remarks.clone().any(|remark| remark.contains(told)), "{:?}", remarks.collect::<Vec<_>>());
    assert_eq!(report["findings"][0]["test"]["node_id"], "test_shop.py::test_plain");
    let files: Vec<_> = fs::read_dir(folder.path().join("failures")).expect("a folder").flatten().collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let replayed = jostle(&["replay", "-q", &file.path().display().to_string()]);
    assert_eq!(replayed.status.code(), Some(1), "{}", String::from_utf8_lossy(&replayed.stderr));
}
