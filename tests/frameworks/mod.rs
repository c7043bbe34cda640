//! Suites of frameworks that collect or run tests in ways of their own: each has one polluter and one victim, which the main
//! job finds.

use std::path::PathBuf;

use serde_json::Value;

use crate::support;

const PYTEST_8: &str = "pytest==8.4.2\npytest-xdist==3.8.0\npytest-asyncio==1.5.0\nanyio==4.16.0\npytest-bdd==9.0.1\n\
    pytest-django==4.14.0\ndjango==5.2.19\n";
/// Its fixture `subtests` is pytest's own.
const PYTEST_9: &str = "pytest==9.2.0\n";

fn python_8() -> PathBuf {
    support::python_with("frameworks", PYTEST_8)
}

/// A session finds this pair and nothing else.
fn finds(suite: &str, python: PathBuf, victim: &str, polluter: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join(suite);
    support::copy(&support::root().join("tests/frameworks").join(suite), &project);
    let mut command = support::jostle(&project);
    command.args(["stress", "--seed", "1", "--trials", "8", "--json", "--explain", "no"]);
    let output = command.arg("--python").arg(python).output().expect("jostle runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let of = |finding: &Value| {
        let name = |of: &Value| of["node_id"].as_str().unwrap_or_default().to_owned();
        [
            finding["kind"].as_str().unwrap_or_default().to_owned(),
            name(&finding["test"]),
            name(&finding["culprits"][0]),
        ]
    };
    let found: Vec<_> = report["findings"].as_array().expect("findings").iter().map(of).collect();
    assert_eq!(found, [["victim", victim, polluter]], "{said}");
    assert!(report["findings"][0]["command"].is_string(), "plain pytest shows it: {report:#}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
#[ignore = "at night: it installs frameworks"]
fn a_fixture_of_a_loop_that_all_tests_share() {
    finds("asyncio_loops", python_8(), "test_bus.py::test_empty", "test_bus.py::test_publish");
}

#[test]
#[ignore = "at night: it installs frameworks"]
fn tests_that_anyio_runs() {
    finds("anyio_backend", python_8(), "test_any.py::test_first", "test_any.py::test_fills");
}

#[test]
#[ignore = "at night: it installs frameworks"]
fn scenarios_that_are_no_functions_of_the_suite() {
    let [victim, polluter] = ["a_new_basket_is_empty", "adding_an_item"]
        .map(|scenario| format!("test_basket.py::test_{scenario}"));
    finds("bdd_scenarios", python_8(), &victim, &polluter);
}

#[test]
#[ignore = "at night: it installs frameworks"]
fn what_django_caches_beside_its_database() {
    finds("django_cache", python_8(), "tests/test_shop.py::test_none", "tests/test_shop.py::test_counts_one");
}

#[test]
#[ignore = "at night: it installs frameworks"]
fn what_set_up_module_has_made() {
    let [victim, polluter] =
        ["Reads::test_debug_is_off", "Writes::test_debug_on"].map(|test| format!("test_mod.py::{test}"));
    finds("unittest_module", python_8(), &victim, &polluter);
}

#[test]
#[ignore = "at night: it installs frameworks"]
fn tests_of_one_group_of_xdist() {
    finds("xdist_groups", python_8(), "test_group.py::test_reads", "test_group.py::test_writes");
}

#[test]
#[ignore = "at night: it installs pytest 9"]
fn subtests_of_pytest_9() {
    let newest = support::python_with("pytest-9", PYTEST_9);
    finds("subtests", newest, "test_sub.py::test_levels", "test_sub.py::test_sets");
}
