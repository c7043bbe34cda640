//! The spawn engine against real pytest: plans are followed exactly, and whatever a test does to its
//! process is an outcome.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jostle::plan::{Imports, Interleaving, Meeting, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
use jostle::run::interrupt::Interrupt;
use jostle::run::python;
use jostle::run::spawn::{SpawnEngine, SpawnOptions};
use jostle::run::{Engine, Outcome, Phase, RunError, Trial};
use jostle::suite::{Suite, TestIndex};
use tempfile::TempDir;

/// pytest with the plugins whose options have to be neutralised.
const PLUGINS: &str = "pytest==8.4.2\npytest-xdist==3.8.0\npytest-cov==7.0.0\npytest-randomly==3.16.0\n\
    pytest-rerunfailures==16.0.1\npytest-random-order==1.2.0\npytest-timeout==2.4.0\npytest-subtests==0.14.2\n";

struct Project {
    folder: TempDir,
    engine: SpawnEngine,
    suite: Suite,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        Self::with(support::light_python(), files)
    }

    fn with(python: PathBuf, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let mut engine = engine(python, folder.path(), Duration::from_secs(2));
        let suite = engine.collect(1).expect("the suite is collected").suite;
        Self { folder, engine, suite }
    }

    fn index(&self, name: &str) -> TestIndex {
        let found = self.suite.tests.iter().position(|test| test.id.node_id.ends_with(name));
        TestIndex(found.unwrap_or_else(|| panic!("{name} in {:?}", self.suite.tests)) as u32)
    }

    fn plan(&self, mode: Mode, workers: &[&[&str]]) -> Plan {
        let list = |names: &&[&str]| names.iter().map(|name| self.index(name)).collect();
        Plan {
            seed: Seed(1),
            index: TrialIndex(0),
            order: OrderKind::Explicit,
            mode,
            workers: workers.iter().map(list).collect(),
            interleaving: Interleaving::Free,
            hash_seed: 1,
            random_seed: 7,
            imports: Imports::All,
        }
    }

    fn run(&mut self, plan: &Plan) -> Trial {
        self.engine.run(&self.suite, plan, &mut |_| {}).expect("the plan is run")
    }

    fn serial(&mut self, names: &[&str]) -> Trial {
        let plan = self.plan(Mode::No, &[names]);
        self.run(&plan)
    }
}

fn engine(python: PathBuf, folder: &Path, test_timeout: Duration) -> SpawnEngine {
    let options = SpawnOptions {
        python: python::find(Some(&python), folder).expect("a Python with pytest"),
        invocation_dir: folder.to_owned(),
        pytest_args: Vec::new(),
        test_timeout,
        trial_timeout: None,
        interrupt: Interrupt::default(),
        reaper: Some(env!("CARGO_BIN_EXE_jostle").into()),
    };
    SpawnEngine::new(options).expect("an engine")
}

fn words(trial: &Trial) -> Vec<&'static str> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Passed => "passed",
        Outcome::Skipped => "skipped",
        Outcome::Failed(failure) => match failure.phase {
            Phase::Setup => "setup",
            Phase::Call => "call",
            Phase::Teardown => "teardown",
        },
        Outcome::Timeout { .. } => "timeout",
        Outcome::Crashed { .. } => "crashed",
        Outcome::NotRun { .. } => "not run",
    };
    trial.executions.iter().map(|run| word(&run.outcome)).collect()
}

#[test]
fn a_plan_is_followed_exactly_even_where_a_test_comes_twice() {
    let mut project = Project::new(&[
        ("test_a.py", "import log\n\ndef test_1(): log.add(1)\n\ndef test_2(): log.add(2)\n"),
        (
            "test_b.py",
            "import log, unittest\n\nclass T(unittest.TestCase):\n    def test_3(self): log.add(3)\n\ndef test_end(): assert log.SEEN == [2, 3, 3, 1, 1, 2]\n",
        ),
        ("log.py", "SEEN = []\nadd = SEEN.append\n"),
        ("conftest.py", "def pytest_collection_modifyitems(items): items.reverse()\n"),
    ]);
    let trial = project.serial(&["test_2", "test_3", "test_3", "test_1", "test_1", "test_2", "test_end"]);
    assert_eq!(words(&trial), ["passed"; 7], "{trial:?}");
}

#[test]
fn function_fixtures_are_renewed_and_module_fixtures_kept_when_a_test_is_run_twice() {
    let source = "import pytest\nMADE = []\n\n@pytest.fixture(scope='module')\ndef wide(): MADE.append('wide')\n\n\
        @pytest.fixture\ndef narrow(): MADE.append('narrow')\n\ndef test_a(wide, narrow): pass\n\n\
        def test_end(): assert MADE == ['wide', 'narrow', 'narrow']\n";
    let mut project = Project::new(&[("test_a.py", source)]);
    assert_eq!(words(&project.serial(&["test_a", "test_a", "test_end"])), ["passed"; 3]);
}

#[test]
fn what_a_test_does_to_its_process_is_an_outcome_and_the_rest_goes_on() {
    let source = "import os, sys, time, ctypes, pytest\n\
        def test_ok(): pass\n\
        def test_hang(): time.sleep(600)\n\
        def test_exit(): os._exit(3)\n\
        def test_segfault(): ctypes.string_at(0)\n\
        def test_kill(): os.kill(os.getpid(), 9)\n\
        def test_close(): os.closerange(3, 4096)\n\
        def test_flood(): os.write(1, b'x' * 100); [sys.__stdout__.write('y' * 65536) for _ in range(400)]\n\
        def test_sysexit(): sys.exit(4)\n\
        def test_pytest_exit(): pytest.exit('enough')\n\
        def test_last(): pass\n";
    let mut project = Project::new(&[("test_a.py", source)]);
    let names =
        ["ok", "hang", "ok", "exit", "segfault", "kill", "close", "flood", "sysexit", "pytest_exit", "last"];
    let names: Vec<String> = names.iter().map(|name| format!("test_{name}")).collect();
    let trial = project.serial(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let seen: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(words(&trial)).collect();
    let how: BTreeMap<&str, String> = names
        .iter()
        .map(String::as_str)
        .zip(trial.executions.iter().map(|run| format!("{:?}", run.outcome)))
        .collect();
    assert_eq!(
        seen,
        [
            ("test_ok", "passed"),
            ("test_hang", "timeout"),
            ("test_ok", "passed"),
            ("test_exit", "crashed"),
            ("test_segfault", "crashed"),
            ("test_kill", "crashed"),
            ("test_close", "crashed"),
            ("test_flood", "passed"),
            ("test_sysexit", "call"),
            ("test_pytest_exit", "call"),
            ("test_last", "passed"),
        ]
    );
    assert!(how["test_exit"].contains("exited with code 3"), "{how:?}");
    assert!(how["test_segfault"].contains("signal 11 (SIGSEGV)"), "{how:?}");
    assert!(how["test_kill"].contains("signal 9 (SIGKILL)"), "{how:?}");
}

#[test]
fn workers_run_at_once_and_look_like_those_of_xdist() {
    let source = "import os, time, tempfile, pathlib\n\
        FOLDER = pathlib.Path(tempfile.gettempdir())\n\
        def meet(own, other):\n    (FOLDER / own).touch()\n    end = time.time() + 20\n    while not (FOLDER / other).exists():\n        assert time.time() < end\n        time.sleep(0.01)\n\
        def test_left(worker_id, testrun_uid, tmp_path):\n    assert worker_id == 'gw0' == os.environ['PYTEST_XDIST_WORKER']\n    assert os.environ['PYTEST_XDIST_WORKER_COUNT'] == '2' and 'popen-gw0' in str(tmp_path)\n    (FOLDER / 'uid').write_text(testrun_uid)\n    meet('left', 'right')\n\
        def test_right(request, testrun_uid):\n    assert request.config.workerinput['workerid'] == 'gw1'\n    meet('right', 'left')\n    assert (FOLDER / 'uid').read_text() == testrun_uid\n\
        def test_plain(request):\n    assert 'PYTEST_XDIST_WORKER' not in os.environ and not hasattr(request.config, 'workerinput')\n";
    let mut project = Project::new(&[("test_a.py", source)]);
    let plan = project.plan(Mode::Load, &[&["test_left"], &["test_right"]]);
    let plan = Plan { imports: Imports::Only(["test_a.py".to_owned()].into()), ..plan };
    let mut patient = engine(support::light_python(), project.folder.path(), Duration::from_secs(30));
    let trial = patient.run(&project.suite, &plan, &mut |_| {}).expect("the plan is run");
    assert_eq!(words(&trial), ["passed", "passed"], "{trial:?}");
    assert_eq!(words(&project.serial(&["test_plain"])), ["passed"]);
}

#[test]
fn tests_that_meet_start_together_and_never_wait_for_one_that_will_not_come() {
    let source = "import time, os\ndef test_slow(): time.sleep(0.5)\ndef test_crash(): os._exit(1)\ndef test_a(): pass\ndef test_b(): pass\n";
    let mut project = Project::new(&[("test_a.py", source)]);
    let plan = project.plan(Mode::Load, &[&["test_slow", "test_a"], &["test_b", "test_crash"]]);
    let meeting = |first, second| Meeting { first: (WorkerId(0), first), second: (WorkerId(1), second) };
    let plan = Plan { interleaving: Interleaving::Barrier(vec![meeting(0, 0), meeting(1, 1)]), ..plan };
    assert_eq!(words(&project.run(&plan)), ["passed", "passed", "passed", "crashed"]);
}

#[test]
fn only_the_files_of_the_plan_are_imported() {
    let mut project = Project::new(&[
        ("tests/test_a.py", "import sys\ndef test_a(): assert 'test_b' not in sys.modules\n"),
        ("tests/test_b.py", "def test_b(): pass\n"),
        ("pyproject.toml", "[tool.pytest.ini_options]\naddopts = 'tests/test_a.py tests/test_b.py'\n"),
    ]);
    let all = project.plan(Mode::No, &[&["test_a"]]);
    let only = Plan { imports: Imports::Only(["tests/test_a.py".to_owned()].into()), ..all.clone() };
    assert_eq!(words(&project.run(&all)), ["call"]);
    assert_eq!(words(&project.run(&only)), ["passed"]);
}

#[test]
fn the_suites_own_options_do_not_disturb_a_plan() {
    let source = "import pytest\nSEEN = []\n\
        def test_1(): SEEN.append(1)\n\
        def test_2(): SEEN.append(2); assert False\n\
        def test_3(): SEEN.append(3)\n\
        def test_end(): assert SEEN == [3, 2, 1]\n";
    let options = "[tool.pytest.ini_options]\naddopts = '-n auto --dist loadfile -x --reruns 2 --cov --random-order --lf -p no:doctest --sw'\n";
    let python = support::python_with("plugins", PLUGINS);
    let mut project = Project::with(python, &[("test_a.py", source), ("pyproject.toml", options)]);
    let trial = project.serial(&["test_3", "test_2", "test_1", "test_end"]);
    assert_eq!(words(&trial), ["passed", "call", "passed", "passed"], "{trial:?}");
    let names = ["test_3", "test_2", "test_1", "test_end"];
    let plan = project.plan(Mode::Load, &[&names]);
    assert_eq!(words(&project.run(&plan)), ["passed", "call", "passed", "passed"]);
    let collected = project.engine.collect(1).expect("collected");
    for flag in ["-n0", "--dist=no", "--no-cov", "--reruns=0", "--randomly-dont-reorganize", "--maxfail=0"] {
        assert!(
            collected.neutralised.iter().any(|found| found == flag),
            "{flag} in {:?}",
            collected.neutralised
        );
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
        @pytest.mark.xfail\ndef test_xpass(): pass\n\
        @pytest.mark.xfail(strict=True)\ndef test_strict(): pass\n\
        def test_subtests(subtests):\n    with subtests.test('a'): assert False\n";
    let mut project = Project::with(support::python_with("plugins", PLUGINS), &[("test_a.py", source)]);
    let trial = project.serial(&[
        "test_setup",
        "test_teardown",
        "test_odd",
        "test_skip",
        "test_xfail",
        "test_xpass",
        "test_strict",
        "test_subtests",
    ]);
    assert_eq!(
        words(&trial),
        ["setup", "teardown", "call", "skipped", "skipped", "passed", "call", "call"],
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

#[test]
fn collection_goes_on_past_what_cannot_be_collected() {
    let mut project = Project::new(&[
        ("test_a.py", "def test_a(): pass\n"),
        ("test_exit.py", "import sys\nsys.exit(3)\n"),
        (
            "test_odd.py",
            "import pytest\n@pytest.mark.parametrize('x', ['a b', 'c::d', '[e/f::g]', 'h\\ni', '\u{e9}', 'j\\0k'])\ndef test_p(x): pass\n",
        ),
        ("test_syntax.py", "def broken(:\n"),
    ]);
    assert_eq!(project.suite.tests.len(), 7);
    let errors: Vec<(&str, &str, Option<u32>)> = project
        .suite
        .errors
        .iter()
        .map(|error| (error.node_id.as_str(), error.exception.as_str(), error.line))
        .collect();
    assert_eq!(errors, [("test_exit.py", "SystemExit", Some(2)), ("test_syntax.py", "SyntaxError", Some(1))]);
    let everything =
        Plan { workers: vec![project.suite.collected.clone()], ..project.plan(Mode::No, &[&["test_a"]]) };
    assert_eq!(words(&project.run(&everything)), ["passed"; 7]);
}

#[test]
fn what_keeps_pytest_from_running_is_told_with_its_own_words() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("conftest.py"), "import no_such_module\n").expect("a file");
    let error = engine(support::light_python(), folder.path(), Duration::from_secs(5)).collect(1);
    assert!(matches!(&error, Err(RunError::Pytest(text)) if text.contains("no_such_module")), "{error:?}");
}

/// Whether a process with these arguments runs.
fn runs(arguments: &[&str]) -> bool {
    let wanted: Vec<u8> = arguments.iter().flat_map(|word| [word.as_bytes(), &[0]].concat()).collect();
    let processes = fs::read_dir("/proc").expect("a system with /proc");
    processes
        .flatten()
        .any(|process| fs::read(process.path().join("cmdline")).is_ok_and(|line| line == wanted))
}

/// Waits for something that takes a moment; false if it does not come.
fn eventually(condition: impl Fn() -> bool) -> bool {
    (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        condition()
    })
}

#[test]
fn what_a_test_leaves_running_is_ended_with_its_worker() {
    let source = "import subprocess\ndef test_a(): subprocess.Popen(['sleep', '987001'])\n";
    let mut project = Project::new(&[("test_a.py", source)]);
    assert_eq!(words(&project.serial(&["test_a"])), ["passed"]);
    assert!(eventually(|| !runs(&["sleep", "987001"])));
}

#[test]
fn nothing_is_left_when_jostle_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = "import subprocess\ndef test_a(): subprocess.run(['sleep', '987002'])\n";
    fs::write(folder.path().join("test_a.py"), source).expect("a file");
    let temporary = tempfile::tempdir().expect("a folder");
    let mut jostle = support::jostle(folder.path());
    jostle
        .env("TMPDIR", temporary.path())
        .args(["stress", "--seed", "1", "--python"])
        .arg(support::light_python());
    let mut child = jostle.spawn().expect("jostle starts");
    assert!(eventually(|| runs(&["sleep", "987002"])));
    child.kill().expect("SIGKILL");
    child.wait().expect("an end");
    assert!(eventually(|| !runs(&["sleep", "987002"])));
    let left = || fs::read_dir(temporary.path()).expect("a folder").next().is_some();
    assert!(eventually(|| !left()), "a folder is left");
}
