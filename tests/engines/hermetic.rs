//! What a trial in a sandbox does is gone with it, whatever it does.

use std::fs;
use std::time::Duration;

use jostle::plan::Mode;
use jostle::run::engine::Collect;
use jostle::run::{Engine, RunError};
use jostle::trial::Change;
use jostle::trial::Outcome;

use super::faults::{eventually, runs};
use super::project::{Project, words};
use crate::support;

#[test]
fn no_trial_sees_what_another_has_written() {
    let source = "import os, pathlib, subprocess, sqlite3\n\
        PLACES = ['here', '/tmp/jostle-there', '/var/tmp/jostle-there', '/dev/shm/jostle-there', os.path.expanduser('~/jostle-there')]\n\
        def test_a():\n    for place in PLACES:\n        assert not os.path.exists(place), place\n        pathlib.Path(place).write_text('x')\n\
        def test_db():\n    with sqlite3.connect('app.db') as db: assert db.execute('insert into t values (2)').rowcount == 1\n    assert db.execute('select count(*) from t').fetchone() == (2,)\n\
        def test_port():\n    import socket\n    socket.create_server(('127.0.0.1', 45999)).detach()\n\
        def test_wreck():\n    import shutil\n    shutil.rmtree(os.getcwd(), ignore_errors=True)\n    assert not os.listdir()\n";
    for mut project in Project::sandboxed(&[("test_a.py", source)], |_| {}) {
        let database = project.folder.path().join("app.db");
        support::said(std::process::Command::new(support::light_python()).args([
            "-c",
            "import sqlite3, sys\ndb = sqlite3.connect(sys.argv[1])\ndb.executescript('create table t (n); insert into t values (1)')",
            &database.to_string_lossy(),
        ]));
        let before = support::listing(project.folder.path());
        for _ in 0..3 {
            let trial = project.serial(&["test_a", "test_db", "test_port", "test_wreck"]);
            assert_eq!(words(&trial), ["passed"; 4], "{trial:?}");
        }
        assert_eq!(support::listing(project.folder.path()), before);
        assert!(!fs::exists("/tmp/jostle-there").expect("a look"));
    }
}

#[test]
fn workers_of_one_trial_share_its_sandbox() {
    let source = "import socket, pathlib, time\n\
        def test_left():\n    server = socket.create_server(('127.0.0.1', 45998))\n    pathlib.Path('/tmp/ready').touch()\n    server.accept()\n\
        def test_right():\n    while not pathlib.Path('/tmp/ready').exists(): time.sleep(0.01)\n    socket.create_connection(('127.0.0.1', 45998))\n";
    for mut project in Project::sandboxed(&[("test_a.py", source)], |_| {}) {
        let plan = project.plan(Mode::Load, &[&["test_left"], &["test_right"]]);
        for _ in 0..2 {
            assert_eq!(words(&project.run(&plan)), ["passed", "passed"]);
        }
    }
}

#[test]
fn a_daemon_is_ended_with_its_sandbox() {
    let source =
        "import subprocess\ndef test_a(): subprocess.Popen(['sleep', '987003'], start_new_session=True)\n";
    for mut project in Project::sandboxed(&[("test_a.py", source)], |_| {}) {
        assert_eq!(words(&project.serial(&["test_a"])), ["passed"]);
        assert!(eventually(|| !runs(&["sleep", "987003"])));
    }
}

#[test]
fn memory_and_disk_have_limits_and_the_rest_of_the_trial_is_judged() {
    let source = "import os, threading\n\
        def test_hog(): bytearray(1 << 31)\n\
        def test_fill():\n    with open('/var/tmp/full', 'wb') as file:\n        while True: file.write(bytes(1 << 20))\n\
        def test_make_room(): os.remove('/var/tmp/full')\n\
        def test_deadlock():\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()\n\
        def test_user():\n    if os.geteuid() == 0: os.setuid(65534)\n\
        def test_last(): pass\n";
    let names = ["test_hog", "test_fill", "test_make_room", "test_deadlock", "test_user", "test_last"];
    let limits = |options: &mut jostle::run::host::HostOptions| {
        options.memory = Some(1 << 30);
        options.sandboxing.iter_mut().for_each(|sandboxing| sandboxing.disk = 64 << 20);
    };
    for mut project in Project::sandboxed(&[("test_a.py", source)], limits) {
        let trial = project.serial(&names);
        assert_eq!(words(&trial), ["call", "call", "passed", "timeout", "passed", "passed"], "{trial:?}");
        let told = |at: usize| match &trial.executions[at].outcome {
            Outcome::Failed(failure) => failure.exception.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!((told(0), told(1)), ("MemoryError".into(), "OSError".into()));
    }
}

#[test]
fn a_gigabyte_of_output_is_read_and_forgotten() {
    let source = "import os\ndef test_flood():\n    for _ in range(1024): os.write(1, bytes(1 << 20))\ndef test_last(): pass\n";
    let uncaptured = |options: &mut jostle::run::host::HostOptions| {
        options.pytest_args = vec!["-s".into()];
        options.test_timeout = Duration::from_secs(60);
    };
    for mut project in Project::sandboxed(&[("test_a.py", source)], uncaptured) {
        assert_eq!(words(&project.serial(&["test_flood", "test_last"])), ["passed", "passed"]);
    }
}

#[test]
fn a_clock_that_a_test_turns_back_ends_no_test() {
    let source = "import time\ndef test_back():\n    time.perf_counter = time.monotonic = time.time = lambda: -1e9\ndef test_last(): pass\n";
    for mut project in Project::each_way(&[("test_a.py", source)]) {
        let trial = project.serial(&["test_back", "test_last"]);
        assert_eq!(words(&trial), ["passed", "passed"]);
        assert!(trial.executions.iter().all(|run| run.duration < Duration::from_secs(60)));
    }
}

#[test]
fn collecting_that_hangs_or_exits_is_an_error_with_its_cause() {
    for (conftest, words) in [
        ("import time\ntime.sleep(600)\n", "did not collect the suite within 1 s"),
        ("import os\nos._exit(7)\n", "exited with code 7"),
        ("import pytest\npytest.exit('not today')\n", "not today"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("conftest.py"), conftest).expect("a file");
        let mut options = support::options(support::light_python(), folder.path(), Duration::from_secs(2));
        options.sandboxing = support::sandboxing(&options.python.paths);
        options.trial_timeout = Some(Duration::from_secs(if words.contains("1 s") { 1 } else { 30 }));
        let mut engine = jostle::run::engine::fresh::SpawnEngine::new(options).expect("an engine");
        let error = engine.collect(Collect::kept(1));
        assert!(matches!(&error, Err(RunError::Pytest(text)) if text.contains(words)), "{error:?}");
    }
}

#[test]
fn what_a_trial_leaves_in_the_project_is_told_in_either_way() {
    let source = "import os, pathlib, tempfile\n\
        def test_a():\n    pathlib.Path('out').mkdir(exist_ok=True)\n    pathlib.Path('out/new').write_text('x')\n    pathlib.Path('data').write_text('changed')\n    pathlib.Path(tempfile.gettempdir(), 'unseen').write_text('x')\n    pathlib.Path('~/jostle-unseen').expanduser().write_text('x')\n\
        def test_b(): pass\n";
    for mut project in Project::each_way_asking(&[("test_a.py", source), ("data", "x")]) {
        let told: Vec<(String, Change)> = (project.serial(&["test_a", "test_b"]).leftovers)
            .into_iter()
            .map(|left| (left.path.display().to_string(), left.change))
            .collect();
        let expected = [("data", Change::Changed), ("out", Change::Created), ("out/new", Change::Created)];
        assert_eq!(told, expected.map(|(path, change)| (path.to_owned(), change)));
        assert_eq!(project.serial(&["test_b"]).leftovers, []);
        assert!(std::env::home_dir().is_none_or(|home| !home.join("jostle-unseen").exists()));
    }
}

#[test]
fn a_worker_that_another_keeps_from_starting_ends_no_trial() {
    let source = "import os, shutil, time\n\
        def test_wreck():\n    shutil.rmtree(os.path.dirname(__file__), ignore_errors=True)\n    time.sleep(0.5)\n\
        def test_kill(): os.kill(os.getpid(), 9)\n\
        def test_last(): pass\n";
    for mut project in Project::sandboxed(&[("suite/test_a.py", source), ("conftest.py", "")], |options| {
        options.invocation_dir.push("suite");
    }) {
        // The second worker starts, or goes on, in a folder that is not there any more.
        let plan = project.plan(Mode::Load, &[&["test_wreck"], &["test_kill", "test_last"]]);
        let seen = words(&project.run(&plan));
        assert_eq!(seen[0], "passed");
        assert!(["crashed", "not run"].contains(&seen[1]), "{seen:?}");
        assert!(["passed", "not run"].contains(&seen[2]), "{seen:?}");
    }
}
