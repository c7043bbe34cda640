//! Suites whose own plugins sort: no trial has an order that plain pytest would not run. Real plugins are asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jostle::plan::{Axes, Mode, Plan, Seed, TrialIndex, plan};
use jostle::run::Engine;
use jostle::run::engine::Collect;
use jostle::suite::{Suite, TestIndex};
use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// Plugins that sort.
const PLUGINS: &str = "pytest==8.4.2\npytest-xdist==3.8.0\npytest-order==1.3.0\npytest-dependency==0.6.0\n\
                       pytest-django==4.11.1\ndjango==4.2.27\n";
/// Trials whose orders are looked at, and those of them that real pytest is asked about.
const TRIALS: u64 = 40;
const ASKED: usize = 3;

fn python() -> PathBuf {
    support::python_with("sorting", PLUGINS)
}

fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    folder
}

fn collected(python: &Path, folder: &Path) -> Suite {
    let mut engine = support::engine(python.to_owned(), folder, Duration::from_secs(60));
    engine.collect(Collect::kept(1)).expect("a collected suite").suite
}

fn names(suite: &Suite, list: &[TestIndex]) -> Vec<String> {
    list.iter().map(|&test| suite.test(test).id.node_id.clone()).collect()
}

/// The order in which plain pytest would run tests that are named to it in some order.
fn of_plain_pytest(python: &Path, folder: &Path, list: &[String]) -> Vec<String> {
    let mut command = Command::new(python);
    command.current_dir(folder).args(["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]);
    let said = support::said(command.args(list));
    // A warning of pytest-order's stands before the first name, and ends in no new line.
    let name = |line: &str| line.rsplit("ignoring the marker.").next().unwrap_or_default().to_owned();
    said.lines().filter(|line| line.contains("::")).map(name).collect()
}

fn plans(suite: &Suite, axes: &Axes) -> Vec<Plan> {
    (0..TRIALS).map(|index| plan(Seed(7), TrialIndex(index), suite, axes)).collect()
}

/// Checks that suite order is pytest's, that no worker of any trial has an order with a rule broken, and that real
/// pytest leaves some of them as they are. Tells how many serial orders there are.
fn only_admitted_orders(python: &Path, folder: &Path, suite: &Suite) -> usize {
    let said = of_plain_pytest(python, folder, &[]);
    assert_eq!(names(suite, &suite.collected), said, "suite order is pytest's own");
    let plans = plans(suite, &Axes::default());
    assert!(plans.iter().flat_map(|plan| &plan.workers).all(|list| suite.admits(list)));
    let lists: BTreeSet<&Vec<TestIndex>> = plans.iter().flat_map(|plan| &plan.workers).collect();
    let few = lists.iter().filter(|list| list.len() > 2).step_by(lists.len() / ASKED);
    for list in few.map(|list| names(suite, list)) {
        assert_eq!(of_plain_pytest(python, folder, &list), list, "pytest runs it as it is planned");
    }
    let serial: BTreeSet<_> =
        plans.iter().filter(|plan| plan.mode == Mode::No).map(|plan| &plan.workers).collect();
    serial.len()
}

const SETTINGS: &str = "SECRET_KEY = 'x'\nUSE_TZ = True\n\
                        DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\n";

const DJANGO: &str = "\
import pytest
from django.test import SimpleTestCase, TestCase, TransactionTestCase

def test_plain(): pass
@pytest.mark.django_db(transaction=True)
def test_marked_transaction(): pass
def test_transactional_fixture(transactional_db): pass
@pytest.mark.django_db
def test_marked(): pass
def test_live(live_server): pass
def test_fixture(db): pass
@pytest.mark.django_db(reset_sequences=True)
def test_sequences(): pass
def test_plain_too(): pass

class Flushed(TransactionTestCase):
    def test_flushed(self): pass
class Rolled(TestCase):
    def test_rolled(self): pass
class Simple(SimpleTestCase):
    def test_simple(self): pass
";

#[test]
#[ignore = "at night: by day the order of pytest-order, and that of a conftest.py, are asked for and kept in the same way"]
fn pytest_django_sorts_by_classes_marks_and_fixtures() {
    let python = python();
    let ini = "[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\n";
    let folder = project(&[("pytest.ini", ini), ("settings.py", SETTINGS), ("test_site.py", DJANGO)]);
    let suite = collected(&python, folder.path());
    assert_eq!(suite.sorting.sorted_by, ["pytest-django"]);
    assert_eq!(suite.sorting.doubts, [""; 0]);
    let of_rank = |rank| {
        let tests = suite.tests.iter().filter(move |test| test.rank == rank);
        tests.filter_map(|test| test.id.node_id.rsplit("::").next()).collect::<BTreeSet<_>>()
    };
    assert_eq!(of_rank(0), ["test_fixture", "test_marked", "test_rolled"].into());
    // Where live_server belongs changed with the versions of pytest-django.
    let but_live = |rank| of_rank(rank).into_iter().filter(|&name| name != "test_live").collect::<Vec<_>>();
    let transactions =
        ["test_flushed", "test_marked_transaction", "test_sequences", "test_transactional_fixture"];
    assert_eq!(but_live(1), transactions);
    assert_eq!(but_live(2), ["test_plain", "test_plain_too", "test_simple"]);
    assert!(only_admitted_orders(&python, folder.path(), &suite) > 10, "all else is shuffled");

    let mixed = plans(&suite, &Axes { ignore_rank: true, ..Axes::default() });
    assert!(mixed.iter().any(|plan| !suite.admits(&plan.workers[0])), "--ignore-rank mixes them");
    assert_eq!(mixed, plans(&suite.clone().unsorted(), &Axes::default()), "as if nothing sorted them");
}

const ORDERED: &str = "\
import pytest

@pytest.mark.order('last')
def test_last(): pass
def test_b(): pass
@pytest.mark.order(2)
def test_second(): pass
@pytest.mark.order(after='test_z')
def test_after_z(): pass
def test_m(): pass
@pytest.mark.order(1)
def test_first(): pass
@pytest.mark.order(before='test_b')
def test_before_b(): pass
@pytest.mark.dependency()
def test_z(): pass
@pytest.mark.dependency()
def test_n(): pass
@pytest.mark.dependency(depends=['test_z'])
def test_depends_on_z(): pass
@pytest.mark.dependency(depends=['test_n'])
@pytest.mark.order(after='test_after_z')
def test_depends_on_n(): pass
";

#[test]
fn pytest_order_sorts_by_numbers_and_relations() {
    let python = python();
    let ini = "[pytest]\naddopts = --order-dependencies\n";
    let folder = project(&[("pytest.ini", ini), ("test_steps.py", ORDERED)]);
    let suite = collected(&python, folder.path());
    assert_eq!(suite.sorting.sorted_by, ["pytest-order"]);
    assert_eq!(suite.sorting.doubts, [""; 0]);
    let test = |name: &str| {
        let found = suite.tests.iter().position(|test| test.id.node_id.ends_with(&format!("::{name}")));
        TestIndex(found.expect("a test") as u32)
    };
    let imposed = |first, then| suite.imposes(test(first), test(then));
    for (first, then) in [
        ("test_first", "test_second"),
        ("test_second", "test_m"),
        ("test_m", "test_last"),
        ("test_before_b", "test_b"),
        ("test_z", "test_after_z"),
        ("test_z", "test_depends_on_z"),
        ("test_z", "test_depends_on_n"),
    ] {
        assert!(imposed(first, then), "{first} before {then}");
    }
    assert!(!imposed("test_m", "test_n") && !imposed("test_n", "test_m") && !imposed("test_b", "test_z"));
    assert!(only_admitted_orders(&python, folder.path(), &suite) > 10, "all else is shuffled");
}

const LETTERS: &str = "\
def test_b(): pass
def test_c(): pass
def test_a(): pass
def test_h(): pass
def test_d(): pass
def test_g(): pass
def test_e(): pass
def test_f(): pass
";

fn of_conftest(conftest: &str) -> (TempDir, Suite) {
    let folder = project(&[("conftest.py", conftest), ("test_letters.py", LETTERS)]);
    let suite = collected(&support::light_python(), folder.path());
    (folder, suite)
}

#[test]
fn a_conftest_that_sorts_by_name_leaves_one_order() {
    let sorts = "def pytest_collection_modifyitems(items):\n    items.sort(key=lambda item: item.name)\n";
    let (folder, suite) = of_conftest(sorts);
    assert_eq!(
        (suite.sorting.sorted_by.as_slice(), &suite.sorting.doubts),
        (&["conftest.py".to_owned()][..], &vec![])
    );
    assert_eq!(only_admitted_orders(&support::light_python(), folder.path(), &suite), 1);
}

#[test]
fn a_conftest_that_only_marks_changes_no_plan() {
    let marks = "import pytest\ndef pytest_collection_modifyitems(items):\n    for item in items:\n        \
                 item.add_marker(pytest.mark.slow)\n    open('asked', 'a').write('x')\n";
    let (folder, suite) = of_conftest(marks);
    let plain = project(&[("test_letters.py", LETTERS)]);
    let other = collected(&support::light_python(), plain.path());
    assert_eq!(plans(&suite, &Axes::default()), plans(&other, &Axes::default()));
    assert_eq!(suite.plan_fingerprint(), other.fingerprint);
    assert!(fs::read(folder.path().join("asked")).expect("it was asked").len() > 1);
}

#[test]
fn a_hook_that_cannot_be_asked_again_is_told_and_does_no_harm() {
    let hooks = [
        (
            "items.append(items[0])",
            "conftest.py could not be asked how it sorts tests (it returned other tests than it was given)",
        ),
        (
            "config.asked = getattr(config, 'asked', 0) + 1\n    assert config.asked < 2",
            "(it raised AssertionError)",
        ),
        (
            "import random\n    random.SystemRandom().shuffle(items)",
            "conftest.py sorts the same tests in another way",
        ),
        (
            "import os\n    hasattr(config, 'asked') and os._exit(3)\n    config.asked = True",
            "conftest.py did not answer",
        ),
        (
            "half = items[::2]\n    items[:] = half + items[1::2]",
            "what conftest.py sorts by is known in part only",
        ),
    ];
    for (body, doubt) in hooks {
        let (_folder, suite) =
            of_conftest(&format!("def pytest_collection_modifyitems(config, items):\n    {body}\n"));
        let [said] = suite.sorting.doubts.as_slice() else { panic!("{body}: {:?}", suite.sorting) };
        assert!(said.contains(doubt), "{said}");
        assert!(!suite.is_sorted(), "{body}");
        let names: BTreeSet<&str> = suite.tests.iter().map(|test| test.id.node_id.as_str()).collect();
        assert_eq!(names.len(), 8, "{body}");
    }
}

/// A polluter that every admitted order has after its victim, and one that not.
const LATE: [(&str, &str); 2] = [
    (
        "conftest.py",
        "def pytest_collection_modifyitems(items):\n    items.sort(key=lambda item: 'late' in item.name)\n",
    ),
    (
        "test_state.py",
        "SEEN = []\n\n\ndef test_late():\n    SEEN.append('late')\n\n\ndef test_polluter():\n    SEEN.append('early')\n\n\n\
         def test_victim():\n    assert not SEEN\n\n\ndef test_not_after():\n    assert 'late' not in SEEN\n",
    ),
];

fn stress(folder: &Path, more: &[&str]) -> Value {
    let mut command = support::jostle(folder);
    command.args(["stress", "--seed", "1", "--trials", "2", "--json"]).args(support::PLAIN).args(more);
    let output = command.arg("--python").arg(support::light_python()).output().expect("jostle runs");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    support::validate_report(&report).expect("a report as the schema says");
    report
}

fn found(report: &Value) -> BTreeSet<(String, String)> {
    let findings = report["findings"].as_array().expect("findings");
    let name = |test: &Value| {
        test["node_id"].as_str().unwrap_or_default().rsplit("::").next().unwrap_or_default().to_owned()
    };
    findings.iter().map(|finding| (name(&finding["test"]), name(&finding["culprits"][0]))).collect()
}

#[test]
fn what_no_order_of_pytest_shows_is_not_told() {
    let folder = project(&LATE);
    let report = stress(folder.path(), &[]);
    assert_eq!(found(&report), [("test_victim".into(), "test_polluter".into())].into(), "{report:#}");
    assert_eq!(report["suite"]["sorted_by"][0], "conftest.py");
    assert_eq!(
        (&report["coverage"]["ordered"], &report["remarks"]),
        (&1.0.into(), &Value::Array(Vec::new()))
    );
    let mixed = found(&stress(folder.path(), &["--ignore-rank"]));
    assert!(mixed.contains(&("test_not_after".into(), "test_late".into())), "{mixed:?}");
}

#[test]
fn a_token_from_before_plugins_were_asked_says_so() {
    let folder = project(&LATE);
    let replay = |token: &str| {
        let mut command = support::jostle(folder.path());
        command.args(["replay", token, "--python"]).arg(support::light_python());
        String::from_utf8_lossy(&command.output().expect("jostle runs").stderr).into_owned()
    };
    let suite = collected(&support::light_python(), folder.path());
    let old = replay(&format!("1:0:{}", suite.fingerprint));
    let token = format!("1:0:v2:{}", suite.plan_fingerprint());
    assert!(old.contains("made without regard to how conftest.py sorts") && old.contains(&token), "{old}");
    let now = replay(&token);
    assert!(!now.contains("the token"), "{now}");
}
