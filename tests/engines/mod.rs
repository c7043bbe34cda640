//! Both engines against real pytest: plans are followed exactly, whatever a test does to its process is
//! an outcome, and what a test sees in a fork is what it sees in a fresh process.

mod project;
mod fidelity;
mod checkpoints;
mod faults;
mod hermetic;

use std::fs;
use std::time::Duration;

use jostle::plan::{Barrier, Imports, Interleaving, Mode, Plan, WorkerId};
use jostle::run::engine::Collect;
use jostle::run::{Engine, Job, RunError};
use jostle::trial::Outcome;
use project::{Project, words};

use crate::support;

#[test]
fn a_plan_is_followed_exactly_even_where_a_test_comes_twice() {
    for mut project in Project::each_way(&[
        ("test_a.py", "import log\n\ndef test_1(): log.add(1)\n\ndef test_2(): log.add(2)\n"),
        (
            "test_b.py",
            "import log, unittest\n\nclass T(unittest.TestCase):\n    def test_3(self): log.add(3)\n\ndef test_end(): assert log.SEEN == [2, 3, 3, 1, 1, 2]\n",
        ),
        ("log.py", "SEEN = []\nadd = SEEN.append\n"),
        ("conftest.py", "def pytest_collection_modifyitems(items): items.reverse()\n"),
    ]) {
        let trial = project.serial(&["test_2", "test_3", "test_3", "test_1", "test_1", "test_2", "test_end"]);
        assert_eq!(words(&trial), ["passed"; 7], "{trial:?}");
    }
}

#[test]
fn function_fixtures_are_renewed_and_module_fixtures_kept_when_a_test_is_run_twice() {
    let source = "import pytest\nMADE = []\n\n@pytest.fixture(scope='module')\ndef wide(): MADE.append('wide')\n\n\
        @pytest.fixture\ndef narrow(): MADE.append('narrow')\n\ndef test_a(wide, narrow): pass\n\n\
        def test_end(): assert MADE == ['wide', 'narrow', 'narrow']\n";
    for mut project in Project::each_way(&[("test_a.py", source)]) {
        assert_eq!(words(&project.serial(&["test_a", "test_a", "test_end"])), ["passed"; 3]);
    }
}

#[test]
fn workers_run_at_once_and_look_like_those_of_xdist() {
    let source = "import os, sys, time, tempfile, pathlib\n\
        FOLDER = pathlib.Path(tempfile.gettempdir())\n\
        def meet(own, other):\n    (FOLDER / own).touch()\n    end = time.time() + 20\n    while not (FOLDER / other).exists():\n        assert time.time() < end\n        time.sleep(0.01)\n\
        def test_left(worker_id, testrun_uid, tmp_path):\n    assert worker_id == 'gw0' == os.environ['PYTEST_XDIST_WORKER']\n    assert os.environ['PYTEST_XDIST_WORKER_COUNT'] == '2' and 'popen-gw0' in str(tmp_path)\n    assert sys.argv == ['-c']\n    (FOLDER / 'uid').write_text(testrun_uid)\n    meet('left', 'right')\n\
        def test_right(request, testrun_uid):\n    assert request.config.workerinput['workerid'] == 'gw1'\n    meet('right', 'left')\n    assert (FOLDER / 'uid').read_text() == testrun_uid\n\
        def test_plain(request):\n    assert 'PYTEST_XDIST_WORKER' not in os.environ and not hasattr(request.config, 'workerinput')\n    assert sys.argv[0].endswith('__main__.py') and 'jostle' not in ' '.join(sys.argv[1:])\n";
    for mut project in Project::each_way(&[("test_a.py", source)]) {
        let plan = project.plan(Mode::Load, &[&["test_left"], &["test_right"]]);
        let plan = Plan { imports: Imports::Only(["test_a.py".to_owned()].into()), ..plan };
        let mut patient =
            support::engine(support::light_python(), project.folder.path(), Duration::from_secs(30));
        let trial = patient.run(&project.suite, Job::of(&plan)).expect("the plan is run");
        assert_eq!(words(&trial), ["passed", "passed"], "{trial:?}");
        assert_eq!(words(&project.serial(&["test_plain"])), ["passed"]);
    }
}

#[test]
fn tests_that_meet_start_together_and_never_wait_for_one_that_will_not_come() {
    let source = "import time, os\ndef test_slow(): time.sleep(0.5)\ndef test_crash(): os._exit(1)\ndef test_a(): pass\ndef test_b(): pass\n";
    for mut project in Project::each_way(&[("test_a.py", source)]) {
        let plan = project.plan(Mode::Load, &[&["test_slow", "test_a"], &["test_b", "test_crash"]]);
        let barrier = |first, second| Barrier { first: (WorkerId(0), first), second: (WorkerId(1), second) };
        let plan = Plan { interleaving: Interleaving::Barriers(vec![barrier(0, 0), barrier(1, 1)]), ..plan };
        assert_eq!(words(&project.run(&plan)), ["passed", "passed", "passed", "crashed"]);
    }
}

#[test]
fn only_the_files_of_the_plan_are_imported() {
    for mut project in Project::each_way(&[
        ("tests/test_a.py", "import sys\ndef test_a(): assert 'test_b' not in sys.modules\n"),
        ("tests/test_b.py", "def test_b(): pass\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = 'tests/test_a.py tests/test_b.py'\n"),
    ]) {
        let all = project.plan(Mode::No, &[&["test_a"]]);
        let only = Plan { imports: Imports::Only(["tests/test_a.py".to_owned()].into()), ..all.clone() };
        assert_eq!(words(&project.run(&all)), ["call"]);
        assert_eq!(words(&project.run(&only)), ["passed"]);
    }
}

#[test]
fn the_suites_own_options_do_not_disturb_a_plan() {
    let source = "import pytest\nSEEN = []\n\
        def test_1(): SEEN.append(1)\n\
        def test_2(): SEEN.append(2); assert False\n\
        def test_3(): SEEN.append(3)\n\
        def test_end(): assert SEEN == [3, 2, 1]\n";
    let options = "[tool.pytest.ini_options]\naddopts = '-n auto --dist loadfile -x --reruns 2 --cov --random-order --lf -p no:doctest --sw'\n";
    let python = support::python_with_plugins();
    for mut project in Project::each_way_with(&python, &[("test_a.py", source), ("pyproject.toml", options)])
    {
        let trial = project.serial(&["test_3", "test_2", "test_1", "test_end"]);
        assert_eq!(words(&trial), ["passed", "call", "passed", "passed"], "{trial:?}");
        let names = ["test_3", "test_2", "test_1", "test_end"];
        let plan = project.plan(Mode::Load, &[&names]);
        assert_eq!(words(&project.run(&plan)), ["passed", "call", "passed", "passed"]);
        let collected = project.engine.collect(Collect::kept(1)).expect("collected");
        for flag in
            ["-n0", "--dist=no", "--no-cov", "--reruns=0", "--randomly-dont-reorganize", "--maxfail=0"]
        {
            assert!(
                collected.neutralised.iter().any(|found| found == flag),
                "{flag} in {:?}",
                collected.neutralised
            );
        }
    }
}

#[test]
fn outcomes_are_those_of_pytest() {
    let source = "import pytest\n\
        @pytest.fixture\ndef bad(): raise ValueError('no')\n\
        @pytest.fixture\ndef late():\n    yield\n    raise KeyError('late')\n\
        class Odd(Exception):\n    def __str__(self): raise RuntimeError\n    __repr__ = __str__\n\
        def test_setup(bad): pass\n\
        def test_teardown(late): pass\n\
        def test_odd(): raise Odd\n\
        @pytest.mark.skip\ndef test_skip(): pass\n\
        @pytest.mark.xfail\ndef test_xfail(): assert False\n\
        @pytest.mark.xfail(run=False)\ndef test_xfail_not_run(): assert False\n\
        def test_xfail_inside(): pytest.xfail('known')\n\
        @pytest.mark.xfail\ndef test_xpass(): pass\n\
        @pytest.mark.xfail(strict=True)\ndef test_strict(): pass\n\
        def test_subtests(subtests):\n    with subtests.test('a'): assert False\n";
    for mut project in Project::each_way_with(&support::python_with_plugins(), &[("test_a.py", source)]) {
        let trial = project.serial(&[
            "test_setup",
            "test_teardown",
            "test_odd",
            "test_skip",
            "test_xfail",
            "test_xfail_not_run",
            "test_xfail_inside",
            "test_xpass",
            "test_strict",
            "test_subtests",
        ]);
        assert_eq!(
            words(&trial),
            [
                "setup", "teardown", "call", "skipped", "xfailed", "skipped", "xfailed", "passed", "call",
                "call"
            ],
            "{trial:?}"
        );
        let Outcome::Failed(failure) = &trial.executions[0].outcome else { panic!("{trial:?}") };
        assert_eq!(
            (
                failure.exception.as_str(),
                failure.file.as_str(),
                failure.function.as_str(),
                failure.message.as_str()
            ),
            ("ValueError", "test_a.py", "bad", "no")
        );
    }
}

#[test]
fn collection_goes_on_past_what_cannot_be_collected() {
    for mut project in Project::each_way(&[
        ("test_a.py", "def test_a(): pass\n"),
        ("test_exit.py", "import sys\nsys.exit(3)\n"),
        (
            "test_odd.py",
            "import pytest\n@pytest.mark.parametrize('x', ['a b', 'c::d', '[e/f::g]', 'h\\ni', '\u{e9}', 'j\\0k'])\ndef test_p(x): pass\n",
        ),
        ("test_syntax.py", "def broken(:\n"),
    ]) {
        assert_eq!(project.suite.tests.len(), 7);
        let errors: Vec<(&str, &str, Option<u32>)> = project
            .suite
            .errors
            .iter()
            .map(|error| (error.node_id.as_str(), error.exception.as_str(), error.line))
            .collect();
        assert_eq!(
            errors,
            [("test_exit.py", "SystemExit", Some(2)), ("test_syntax.py", "SyntaxError", Some(1))]
        );
        let everything =
            Plan { workers: vec![project.suite.collected.clone()], ..project.plan(Mode::No, &[&["test_a"]]) };
        assert_eq!(words(&project.run(&everything)), ["passed"; 7]);
    }
}

#[test]
fn what_keeps_pytest_from_running_is_told_with_its_own_words() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("conftest.py"), "import no_such_module\n").expect("a file");
    let error = support::engine(support::light_python(), folder.path(), Duration::from_secs(5))
        .collect(Collect::kept(1));
    assert!(matches!(&error, Err(RunError::Pytest(text)) if text.contains("no_such_module")), "{error:?}");
}
