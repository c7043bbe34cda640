//! What a test sees in a fork is what it sees in a fresh process; where it cannot be, none is used.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jostle::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex};
use jostle::run::engine::Collect;
use jostle::run::engine::warm::WarmEngine;
use jostle::run::remarks::Topic;
use jostle::run::{Engine, Job, RunError};
use jostle::suite::Suite;
use jostle::trial::Outcome;

use super::project::{NATIVE, Project, words};
use crate::support;

/// What a test can see of its process, as one line of text that must not depend on the engine.
pub const SIGHT: &str = r#"
import atexit, faulthandler, gc, logging, os, random, resource, signal, sys, tempfile, threading, warnings
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
        "capabilities": [line for line in open("/proc/self/status") if line.startswith("Cap")] if os.path.isdir("/proc") else 0,
        "ctypes": "ctypes" in sys.modules,
        "umask": (os.umask(0o22), os.umask(0o22)),
        "limits": [resource.getrlimit(getattr(resource, name)) for name in ("RLIMIT_NOFILE", "RLIMIT_DATA", "RLIMIT_CORE")],
        "descriptors": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc") else 0,
    }
"#;

#[test]
fn what_a_test_sees_is_the_same_in_a_fork_and_in_a_fresh_process() {
    let source = format!(
        "{SIGHT}\n\ndef test_sight(request):\n    pytest.fail(repr(sorted(sight(request).items())), pytrace=False)\n\ndef test_other():\n    pass\n"
    );
    for mode in [Mode::No, Mode::Load] {
        let sees = |mut project: Project| {
            let plan = project.plan(mode, &[&["test_other", "test_sight"], &["test_other"]]);
            let plan =
                if mode == Mode::No { Plan { workers: vec![plan.workers[0].clone()], ..plan } } else { plan };
            let trial = project.run(&plan);
            let Outcome::Failed(failure) = &trial.executions[1].outcome else { panic!("{trial:?}") };
            failure.message.clone()
        };
        let mut seen: BTreeMap<bool, Vec<String>> = BTreeMap::new();
        for project in Project::both_engines(&[("test_a.py", &source)]) {
            // A sandbox does not pass on what jostle itself was started with, such as open descriptors.
            seen.entry(project.way.sandboxed).or_default().push(sees(project));
        }
        for engines in seen.values() {
            assert_eq!(engines[0], engines[1], "{mode:?}");
        }
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
    for mut project in Project::each_way(&[("test_a.py", source)]) {
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
    let mut project = Project::forking(&files);
    for _ in 0..3 {
        assert_eq!(words(&project.serial(&["test_a"])), ["passed"]);
    }
    let Project { folder, engine, .. } = project;
    drop(engine);
    let log = fs::read_to_string(folder.path().join("log")).expect("the log");
    assert_eq!(log, "start finish unconfigure atexit ");
}

#[test]
fn where_forks_are_not_safe_fresh_processes_are_used_and_it_is_said() {
    let threaded = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True, name='poller').start()\ndef test_a(): pass\n";
    let spawn = |folder: &Path| support::engine(support::light_python(), folder, Duration::from_secs(2));
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("test_a.py"), threaded).expect("a file");
    let mut auto = WarmEngine::new(spawn(folder.path()), false);
    let suite = auto.collect(Collect::kept(1)).expect("the suite is collected").suite;
    let said = auto.remarks().take();
    assert!(said.len() == 1 && said[0].text.contains("poller (test_a.py:2)"), "{said:?}");
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
    assert!(!auto.capabilities(&plan).forks);
    assert_eq!(words(&auto.run(&suite, Job::of(&plan)).expect("the plan is run")), ["passed"]);
    let error = WarmEngine::new(spawn(folder.path()), true).collect(Collect::kept(1));
    assert!(
        matches!(&error, Err(RunError::Pytest(text)) if text.contains("--engine warm") && text.contains("poller")),
        "{error:?}"
    );
}

#[test]
fn threads_of_libraries_are_a_reason_only_where_a_test_needs_them() {
    let source = format!(
        "{NATIVE}\nimport os, time\nnative()\nTASKS = lambda: len(os.listdir('/proc/self/task'))\n\
         def test_a(): pass\n\
         def test_hangs(): TASKS() > 1 or time.sleep(600)\n\
         def test_crashes(): TASKS() > 1 or os._exit(3)\n\
         def test_always(): os._exit(3)\n"
    );
    let spawn = |folder: &Path| support::engine(support::light_python(), folder, Duration::from_secs(2));
    for (last, why) in
        [("test_hangs", "timed out"), ("test_crashes", "ended its process (exited with code 3)")]
    {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("test_a.py"), &source).expect("a file");
        let mut engine = Box::new(WarmEngine::new(spawn(folder.path()), false));
        let suite = engine.collect(Collect::kept(1)).expect("the suite is collected").suite;
        let way = super::project::Way { forks: true, sandboxed: false };
        let mut project = Project { folder, engine, suite, way };
        let plan = project.plan(Mode::No, &[&["test_a", "test_always", last]]);
        assert_eq!(words(&project.serial(&["test_a"])), ["passed"]);
        assert_eq!(
            words(&project.serial(&["test_always"])),
            ["crashed"],
            "it does so in fresh processes as well"
        );
        assert!(project.engine.capabilities(&plan).forks);
        assert_eq!(project.engine.remarks().take(), Vec::new());
        // What a fork lacks is no finding.
        assert_eq!(words(&project.serial(&["test_a", last])), ["passed", "passed"]);
        assert!(!project.engine.capabilities(&plan).forks);
        let said = project.engine.remarks().take();
        let expected = format!("test_a.py::{last} {why} in a fork, which lacks threads of libraries");
        assert!(
            said.len() == 1 && said[0].topic == Topic::Forks && said[0].text.contains(&expected),
            "{said:?}"
        );
        assert_eq!(words(&project.run(&plan)), ["passed", "crashed", "passed"]);
    }
}

#[test]
fn a_library_that_was_loaded_by_another_name_is_found_by_its_path() {
    let source = "import _ctypes, ctypes, os, shutil\nOWN = os.path.realpath('own.so')\n\
        if not os.path.exists(OWN): shutil.copy(_ctypes.__file__, OWN)\n\
        LOADED = ctypes.CDLL('./../' + os.path.basename(os.getcwd()) + '/own.so')\n\
        def test_a(): ctypes.CDLL(OWN, mode=os.RTLD_NOLOAD)\n";
    for mut project in Project::both_engines(&[("test_a.py", source)]) {
        let trial = project.serial(&["test_a"]);
        assert_eq!(words(&trial), ["passed"], "{:?} {trial:?}", project.way);
    }
}

#[test]
fn what_forks_would_share_is_found_and_a_log_is_not() {
    for (source, refused) in [
        (
            "import sqlite3\nDB = sqlite3.connect('app.db')\nDB.execute('create table if not exists t (n)')\ndef test_a(): pass\n",
            true,
        ),
        ("import socket\nA = socket.create_server(('127.0.0.1', 0))\ndef test_a(): pass\n", true),
        (
            "import logging, asyncio\nlogging.basicConfig(filename='app.log')\nLOOP = asyncio.new_event_loop()\ndef test_a(): pass\n",
            false,
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("test_a.py"), source).expect("a file");
        let mut auto = WarmEngine::new(
            support::engine(support::light_python(), folder.path(), Duration::from_secs(2)),
            false,
        );
        auto.collect(Collect::kept(1)).expect("the suite is collected");
        let said = auto.remarks().take();
        assert_eq!(said.iter().any(|remark| remark.text.contains("forks would share")), refused, "{said:?}");
    }
}

#[test]
fn a_suite_that_asks_who_it_is_while_it_is_imported_gets_the_right_answer() {
    let sources = [
        "import os\nNAME = os.environ.get('PYTEST_XDIST_WORKER', 'master')\n\ndef test_a(): assert NAME == 'gw0'\ndef test_b(): assert NAME == 'gw1'\n",
        "import pytest\nNAMES = []\n\n@pytest.fixture\ndef name(worker_id): return worker_id\n\ndef test_a(name): assert name == 'gw0'\ndef test_b(name): assert name == 'gw1'\n",
    ];
    for (source, forks) in sources.iter().zip([false, true]) {
        let mut project = Project::forking(&[("test_a.py", source)]);
        let plan = project.plan(Mode::Load, &[&["test_a"], &["test_b"]]);
        assert_eq!(project.engine.capabilities(&plan).forks, forks);
        assert_eq!(words(&project.run(&plan)), ["passed", "passed"]);
        let said = project.engine.remarks().take();
        assert_eq!(said.iter().any(|remark| remark.text.contains("test_a.py:2")), !forks, "{said:?}");
    }
}

#[test]
fn what_the_suite_seeds_itself_stays_and_the_plan_decides_the_rest() {
    let own = "import random\ndef test_a():\n    own = random.Random(SEED)\n    assert FIRST == own.random() and random.random() == own.random()\n";
    let at_import =
        |seed| format!("import random\nrandom.seed({seed})\nFIRST, SEED = random.random(), {seed}\n{own}");
    let by_hook = "import random\ndef pytest_sessionstart(): random.seed(0)\n";
    let after_hook = format!("import random\nFIRST, SEED = random.random(), 0\n{own}");
    let drawn = "import random\nFIRST = random.random()\ndef test_a():\n    assert random.random() == random.Random(7).random()\n";
    // The plan's seed is 7, a zygote collects with 0.
    for files in [
        vec![("test_a.py", at_import(7))],
        vec![("test_a.py", at_import(0))],
        vec![("conftest.py", by_hook.to_owned()), ("test_a.py", after_hook)],
        vec![("test_a.py", drawn.to_owned())],
    ] {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        for mut project in Project::each_way(&files) {
            let trial = project.serial(&["test_a"]);
            assert_eq!(words(&trial), ["passed"], "{:?} {files:?} {trial:?}", project.way);
        }
    }
}

#[test]
fn tests_whose_ids_are_others_in_each_process_are_run_by_their_positions() {
    let source = "import uuid, pytest\nSEEN = []\n\
        @pytest.mark.parametrize('key', [uuid.uuid4().hex for _ in range(3)])\ndef test_a(key):\n    SEEN.append(key)\n    assert len(SEEN) < 3\n\
        def test_b(): assert len(SEEN) == 2\n";
    for mut project in Project::each_way(&[("test_a.py", source)]) {
        project.suite = project.suite.named_by_position(&["test_a.py::test_a".to_owned()].into());
        assert_eq!(words(&project.serial(&["[#3]", "[#1]", "test_b"])), ["passed"; 3], "{:?}", project.way);
        assert_eq!(words(&project.serial(&["[#1]", "[#2]", "[#3]"])), ["passed", "passed", "call"]);
    }
    let names = ["test_a.py::test_a[#1]", "test_a.py::test_a[#4]", "test_a.py::test_b[#1]"];
    let named = |name: &&str| jostle::suite::Test {
        id: jostle::suite::TestId { node_id: (*name).to_owned(), occurrence: 0 },
        file: "test_a.py".into(),
        line: None,
        group: None,
        rank: 0,
    };
    for mut project in Project::each_way(&[("test_a.py", source)]) {
        project.suite = Suite::new(names.iter().map(named).collect(), Vec::new(), 0);
        assert_eq!(words(&project.serial(&["a[#1]", "a[#4]", "b[#1]"])), ["passed", "not run", "not run"]);
    }
}
