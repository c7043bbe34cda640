//! Both engines against real pytest: plans are followed exactly, whatever a test does to its process is
//! an outcome, and what a test sees in a fork is what it sees in a fresh process.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jostle::plan::{Imports, Interleaving, Meeting, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
use jostle::run::warm::WarmEngine;
use jostle::run::{Engine, Outcome, Phase, RunError, Trial};
use jostle::suite::{Suite, TestIndex};
use tempfile::TempDir;

/// pytest with the plugins whose options have to be neutralised.
const PLUGINS: &str = "pytest==8.4.2\npytest-xdist==3.8.0\npytest-cov==7.0.0\npytest-randomly==3.16.0\n\
    pytest-rerunfailures==16.0.1\npytest-random-order==1.2.0\npytest-timeout==2.4.0\npytest-subtests==0.14.2\n";

struct Project {
    folder: TempDir,
    engine: Box<dyn Engine>,
    suite: Suite,
}

/// The ways a plan can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Spawn,
    Warm,
}

impl Project {
    /// The project with each engine in turn.
    fn both(files: &[(&str, &str)]) -> [Self; 2] {
        Self::both_with(&support::light_python(), files)
    }

    fn both_with(python: &Path, files: &[(&str, &str)]) -> [Self; 2] {
        [Way::Spawn, Way::Warm].map(|way| Self::with(way, python.to_owned(), files))
    }

    fn with(way: Way, python: PathBuf, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let spawn = support::engine(python, folder.path(), Duration::from_secs(2));
        let mut engine: Box<dyn Engine> = match way {
            Way::Spawn => Box::new(spawn),
            Way::Warm => Box::new(WarmEngine::new(spawn, true)),
        };
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
    for mut project in Project::both(&[
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
    for mut project in Project::both(&[("test_a.py", source)]) {
        assert_eq!(words(&project.serial(&["test_a", "test_a", "test_end"])), ["passed"; 3]);
    }
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
    for mut project in Project::both(&[("test_a.py", source)]) {
        let names = [
            "ok",
            "hang",
            "ok",
            "exit",
            "segfault",
            "kill",
            "close",
            "flood",
            "sysexit",
            "pytest_exit",
            "last",
        ];
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
}

#[test]
fn workers_run_at_once_and_look_like_those_of_xdist() {
    let source = "import os, time, tempfile, pathlib\n\
        FOLDER = pathlib.Path(tempfile.gettempdir())\n\
        def meet(own, other):\n    (FOLDER / own).touch()\n    end = time.time() + 20\n    while not (FOLDER / other).exists():\n        assert time.time() < end\n        time.sleep(0.01)\n\
        def test_left(worker_id, testrun_uid, tmp_path):\n    assert worker_id == 'gw0' == os.environ['PYTEST_XDIST_WORKER']\n    assert os.environ['PYTEST_XDIST_WORKER_COUNT'] == '2' and 'popen-gw0' in str(tmp_path)\n    (FOLDER / 'uid').write_text(testrun_uid)\n    meet('left', 'right')\n\
        def test_right(request, testrun_uid):\n    assert request.config.workerinput['workerid'] == 'gw1'\n    meet('right', 'left')\n    assert (FOLDER / 'uid').read_text() == testrun_uid\n\
        def test_plain(request):\n    assert 'PYTEST_XDIST_WORKER' not in os.environ and not hasattr(request.config, 'workerinput')\n";
    for mut project in Project::both(&[("test_a.py", source)]) {
        let plan = project.plan(Mode::Load, &[&["test_left"], &["test_right"]]);
        let plan = Plan { imports: Imports::Only(["test_a.py".to_owned()].into()), ..plan };
        let mut patient =
            support::engine(support::light_python(), project.folder.path(), Duration::from_secs(30));
        let trial = patient.run(&project.suite, &plan, &mut |_| {}).expect("the plan is run");
        assert_eq!(words(&trial), ["passed", "passed"], "{trial:?}");
        assert_eq!(words(&project.serial(&["test_plain"])), ["passed"]);
    }
}

#[test]
fn tests_that_meet_start_together_and_never_wait_for_one_that_will_not_come() {
    let source = "import time, os\ndef test_slow(): time.sleep(0.5)\ndef test_crash(): os._exit(1)\ndef test_a(): pass\ndef test_b(): pass\n";
    for mut project in Project::both(&[("test_a.py", source)]) {
        let plan = project.plan(Mode::Load, &[&["test_slow", "test_a"], &["test_b", "test_crash"]]);
        let meeting = |first, second| Meeting { first: (WorkerId(0), first), second: (WorkerId(1), second) };
        let plan = Plan { interleaving: Interleaving::Barrier(vec![meeting(0, 0), meeting(1, 1)]), ..plan };
        assert_eq!(words(&project.run(&plan)), ["passed", "passed", "passed", "crashed"]);
    }
}

#[test]
fn only_the_files_of_the_plan_are_imported() {
    for mut project in Project::both(&[
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
    let python = support::python_with("plugins", PLUGINS);
    for mut project in Project::both_with(&python, &[("test_a.py", source), ("pyproject.toml", options)]) {
        let trial = project.serial(&["test_3", "test_2", "test_1", "test_end"]);
        assert_eq!(words(&trial), ["passed", "call", "passed", "passed"], "{trial:?}");
        let names = ["test_3", "test_2", "test_1", "test_end"];
        let plan = project.plan(Mode::Load, &[&names]);
        assert_eq!(words(&project.run(&plan)), ["passed", "call", "passed", "passed"]);
        let collected = project.engine.collect(1).expect("collected");
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
        @pytest.mark.xfail\ndef test_xpass(): pass\n\
        @pytest.mark.xfail(strict=True)\ndef test_strict(): pass\n\
        def test_subtests(subtests):\n    with subtests.test('a'): assert False\n";
    for mut project in Project::both_with(&support::python_with("plugins", PLUGINS), &[("test_a.py", source)])
    {
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
}

#[test]
fn collection_goes_on_past_what_cannot_be_collected() {
    for mut project in Project::both(&[
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
    let error = support::engine(support::light_python(), folder.path(), Duration::from_secs(5)).collect(1);
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
    for mut project in Project::both(&[("test_a.py", source)]) {
        assert_eq!(words(&project.serial(&["test_a"])), ["passed"]);
        assert!(eventually(|| !runs(&["sleep", "987001"])));
    }
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

/// What a test can see of its process, as one line of text that must not depend on the engine.
const SIGHT: &str = r#"
import atexit, faulthandler, gc, logging, os, random, signal, sys, tempfile, threading, warnings
import pytest

SEEN_AT_IMPORT = tempfile.gettempdir()
LEFT_AT_IMPORT = tempfile.mkdtemp()
open(os.path.join(LEFT_AT_IMPORT, "left"), "w").write("by the import")

def sight(request):
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    return {
        "depth": depth,
        "argv": sys.argv[1:3],
        "stdin": type(sys.stdin).__name__,
        "limit": sys.getrecursionlimit(),
        "random": [random.random() for _ in range(3)],
        "signals": {n: str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)},
        "threads": [thread.name for thread in threading.enumerate()],
        "filters": len(warnings.filters),
        "handlers": [type(handler).__name__ for handler in logging.getLogger().handlers],
        "level": logging.getLogger().level,
        "current": os.environ["PYTEST_CURRENT_TEST"],
        "variables": sorted(n for n in os.environ if n.startswith(("PYTEST", "JOSTLE")) and n != "PYTEST_VERSION"),
        "faulthandler": faulthandler.is_enabled(),
        "frozen": gc.get_freeze_count(),
        "temporary": (tempfile.gettempdir() == SEEN_AT_IMPORT, os.listdir(LEFT_AT_IMPORT)),
        "items": [item.name for item in request.session.items],
        "wakeup": signal.set_wakeup_fd(-1),
        "parent": os.path.isdir("/proc") and os.getpgrp() == os.getpid(),
        "descriptors": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc") else 0,
    }
"#;

#[test]
fn what_a_test_sees_is_the_same_in_a_fork_and_in_a_fresh_process() {
    let source = format!(
        "{SIGHT}\n\ndef test_sight(request):\n    pytest.fail(repr(sorted(sight(request).items())), pytrace=False)\n\ndef test_other():\n    pass\n"
    );
    for mode in [Mode::No, Mode::Load] {
        let seen = Project::both(&[("test_a.py", &source)]).map(|mut project| {
            let plan = project.plan(mode, &[&["test_other", "test_sight"], &["test_other"]]);
            let plan =
                if mode == Mode::No { Plan { workers: vec![plan.workers[0].clone()], ..plan } } else { plan };
            let trial = project.run(&plan);
            let Outcome::Failed(failure) = &trial.executions[1].outcome else { panic!("{trial:?}") };
            failure.message.clone()
        });
        assert_eq!(seen[0], seen[1], "{mode:?}");
    }
}

#[test]
fn captured_output_temporary_folders_and_fixtures_are_a_forks_own() {
    let source = "import os, sys, logging, pytest\n\
        print('at import')\n\
        MADE = []\n\
        @pytest.fixture(scope='session', autouse=True)\ndef session():\n    MADE.append('session')\n    yield\n    print('torn down')\n\
        @pytest.fixture(scope='module')\ndef module(): MADE.append('module'); yield; MADE.append('end of module')\n\
        def test_fd(capfd, module):\n    os.write(1, b'one')\n    print('two', file=sys.stderr)\n    assert capfd.readouterr() == ('one', 'two\\n') and MADE == ['session', 'module']\n\
        def test_sys(capsys, caplog):\n    print('three')\n    logging.getLogger('x').warning('four')\n    assert capsys.readouterr().out == 'three\\n' and caplog.messages == ['four']\n\
        def test_path(tmp_path, tmp_path_factory, tmpdir, cache):\n    (tmp_path / 'file').touch()\n    assert os.listdir(tmp_path_factory.getbasetemp()).count('test_path0') == 1\n    assert cache.get('a/b', None) is None\n    cache.set('a/b', 1)\n\
        def test_stdin():\n    with pytest.raises(OSError): sys.stdin.read()\n";
    for mut project in Project::both(&[("test_a.py", source)]) {
        for mode in [Mode::No, Mode::Loadfile, Mode::No] {
            let names: &[&str] = &["test_fd", "test_sys", "test_path", "test_stdin"];
            let plan = project.plan(mode, &[names]);
            let trial = project.run(&plan);
            assert_eq!(words(&trial), ["passed"; 4], "{trial:?}");
        }
    }
}

#[test]
fn what_a_process_does_once_is_done_once_by_the_zygote() {
    let conftest = "import atexit, os, pathlib\n\
        LOG = pathlib.Path(__file__).parent / 'log'\n\
        def note(word): LOG.open('a').write(word + ' ')\n\
        atexit.register(note, 'atexit')\n\
        def pytest_sessionstart(): note('start')\n\
        def pytest_sessionfinish(): note('finish')\n\
        def pytest_unconfigure(): note('unconfigure')\n";
    let files = [("conftest.py", conftest), ("test_a.py", "def test_a(): pass\n")];
    let mut project = Project::with(Way::Warm, support::light_python(), &files);
    for _ in 0..3 {
        assert_eq!(words(&project.serial(&["test_a"])), ["passed"]);
    }
    let Project { folder, engine, .. } = project;
    drop(engine);
    let log = fs::read_to_string(folder.path().join("log")).expect("the log");
    assert_eq!(log, "start finish unconfigure atexit ");
}

#[test]
fn a_zygote_that_dies_is_started_again_and_the_trial_repeated() {
    let source = "import os, signal, pathlib\n\
        MARK = pathlib.Path(__file__).parent / 'mark'\n\
        def test_kill():\n    if not MARK.exists():\n        MARK.touch()\n        os.kill(os.getppid(), signal.SIGKILL)\n\
        def test_ok(): pass\n";
    let mut project = Project::with(Way::Warm, support::light_python(), &[("test_a.py", source)]);
    assert_eq!(words(&project.serial(&["test_ok", "test_kill", "test_ok"])), ["passed"; 3]);
    assert!(project.folder.path().join("mark").exists());
    assert_eq!(words(&project.serial(&["test_ok"])), ["passed"]);
}

#[test]
fn where_forks_are_not_safe_fresh_processes_are_used_and_it_is_said() {
    let threaded = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True, name='poller').start()\ndef test_a(): pass\n";
    let spawn = |folder: &Path| support::engine(support::light_python(), folder, Duration::from_secs(2));
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("test_a.py"), threaded).expect("a file");
    let mut auto = WarmEngine::new(spawn(folder.path()), false);
    let suite = auto.collect(1).expect("the suite is collected").suite;
    let said = auto.remarks();
    assert!(said.len() == 1 && said[0].contains("poller"), "{said:?}");
    let plan = Plan {
        seed: Seed(1),
        index: TrialIndex(0),
        order: OrderKind::Suite,
        mode: Mode::No,
        workers: vec![suite.collected.clone()],
        interleaving: Interleaving::Free,
        hash_seed: 1,
        random_seed: 7,
        imports: Imports::All,
    };
    assert!(!auto.forks(&plan));
    assert_eq!(words(&auto.run(&suite, &plan, &mut |_| {}).expect("the plan is run")), ["passed"]);
    let error = WarmEngine::new(spawn(folder.path()), true).collect(1);
    assert!(
        matches!(&error, Err(RunError::Pytest(text)) if text.contains("--engine warm") && text.contains("poller")),
        "{error:?}"
    );
}

#[test]
fn a_suite_that_asks_who_it_is_while_it_is_imported_gets_the_right_answer() {
    let sources = [
        "import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER', 'master')\n\ndef test_a(): assert NAME == 'gw0'\ndef test_b(): assert NAME == 'gw1'\n",
        "import pytest\nNAMES = []\n\n@pytest.fixture\ndef name(worker_id): return worker_id\n\ndef test_a(name): assert name == 'gw0'\ndef test_b(name): assert name == 'gw1'\n",
    ];
    for (source, forks) in sources.iter().zip([false, true]) {
        let mut project = Project::with(Way::Warm, support::light_python(), &[("test_a.py", source)]);
        let plan = project.plan(Mode::Load, &[&["test_a"], &["test_b"]]);
        assert_eq!(project.engine.forks(&plan), forks);
        assert_eq!(words(&project.run(&plan)), ["passed", "passed"]);
        let said = project.engine.remarks();
        assert_eq!(said.iter().any(|remark| remark.contains("test_a.py:2")), !forks, "{said:?}");
    }
}
