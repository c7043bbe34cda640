//! What is run in a fork of a worker that has stopped shows what a whole run shows; where it cannot, there is none.

use jostle::plan::{Mode, Plan};
use jostle::run::engine::warm::WarmEngine;
use jostle::run::{Engine, Job};
use jostle::state::Instructions;
use jostle::trial::{Outcome, Trial};

use super::fidelity::SIGHT;
use super::project::{NATIVE, Project, words};
use crate::support;

/// A run in a fork of a worker that has run so many tests.
fn after(project: &mut Project<WarmEngine>, plan: &Plan, shared: u32) -> Trial {
    let mut job = Job::of(plan);
    job.shared = Some(shared);
    project.engine.run(&project.suite, job).expect("the plan is run")
}

/// What became of the tests, with what those that failed told.
fn told(trial: &Trial) -> Vec<String> {
    let tells = |outcome: &Outcome| match outcome {
        Outcome::Failed(failure) => format!("{:?} {}", failure.phase, failure.message),
        other => format!("{other:?}"),
    };
    trial.executions.iter().map(|run| tells(&run.outcome)).collect()
}

/// A plan is run whole and after each of its tests, and comes to the same. Returns how often it was stopped.
fn comes_to_the_same(files: &[(&str, &str)], mode: Mode, names: &[&str]) -> Option<(Vec<String>, u32)> {
    let mut project = Project::stopping(files)?;
    let plan = project.plan(mode, &[names]);
    let whole = told(&project.run(&plan));
    for shared in 1..names.len() as u32 {
        for _ in 0..2 {
            assert_eq!(told(&after(&mut project, &plan, shared)), whole, "after {shared}");
        }
    }
    let counts = project.engine.checkpoints();
    assert_eq!(counts.unfit, Vec::<String>::new());
    assert_eq!(counts.forks, 2 * counts.made);
    Some((whole, counts.made))
}

#[test]
fn a_test_sees_what_it_would_see_in_a_whole_run() {
    let source = format!(
        "{SIGHT}\nNUMBERS = []\n\
         def test_first(): NUMBERS.append(os.getpid()); random.random(); os.environ['LEFT'] = '1'\n\
         def test_sight(request):\n    own = set(NUMBERS) == {{os.getpid()}}\n    \
         threads = threading.main_thread().native_id == threading.get_native_id()\n    \
         NUMBERS.append(0)\n    \
         pytest.fail(repr([own, threads, os.environ['LEFT'], gc.isenabled(), sorted(sight(request).items())]), pytrace=False)\n"
    );
    for mode in [Mode::No, Mode::Load] {
        let names = ["test_first", "test_sight"];
        let Some((seen, made)) = comes_to_the_same(&[("test_a.py", &source)], mode, &names) else { return };
        assert!(seen[1].contains("[True, True, '1', True"), "{seen:?}");
        assert_eq!(made, 1);
    }
}

#[test]
fn each_fork_sees_what_was_written_before_and_none_what_another_writes() {
    let source = "import os, pathlib, tempfile, pytest\n\
        FILE, OWN = pathlib.Path('left'), pathlib.Path(tempfile.gettempdir(), 'own')\n\
        def test_first(tmp_path_factory):\n    FILE.write_text('first')\n    os.remove('there')\n    pathlib.Path(tmp_path_factory.mktemp('a'), 'x').write_text('1')\n\
        def test_last(tmp_path, tmp_path_factory):\n    \
        seen = FILE.read_text(), os.path.exists('there'), OWN.exists(), sorted(os.listdir(tmp_path_factory.getbasetemp()))\n    \
        FILE.write_text('last')\n    OWN.touch()\n    pathlib.Path('there').touch()\n    pytest.fail(repr(seen), pytrace=False)\n";
    let files = [("test_a.py", source), ("there", "")];
    let Some((seen, _)) = comes_to_the_same(&files, Mode::No, &["test_first", "test_last"]) else { return };
    assert!(seen[1].contains("('first', False, False, ['.lock', 'a0', 'acurrent', 'test_last0'"), "{seen:?}");
}

#[test]
fn fixtures_are_torn_down_for_the_test_that_follows() {
    let a = "import log, pytest\n\
        @pytest.fixture(scope='module')\ndef module(): log.add('up'); yield; log.add('down')\n\
        def test_first(module): log.add('first')\n\
        def test_second(module): log.add('second')\n";
    let b = "import log, pytest\ndef test_other(): pytest.fail(repr(log.SEEN), pytrace=False)\n";
    let files = [("test_a.py", a), ("test_b.py", b), ("log.py", "SEEN = []\nadd = SEEN.append\n")];
    let names = ["test_first", "test_other", "test_second", "test_other"];
    let Some((seen, made)) = comes_to_the_same(&files, Mode::No, &names) else { return };
    assert_eq!(made, 3);
    assert!(seen[1].contains("['up', 'first', 'down']"), "{seen:?}");
    assert!(seen[3].contains("'second', 'down']"), "{seen:?}");
}

#[test]
fn what_is_printed_is_captured_and_streams_that_were_kept_go_on() {
    let source = "import logging, os, sys, pytest\n\
        KEPT = []\n\
        def test_first(capfd):\n    print('before')\n    logging.getLogger('x').addHandler(logging.StreamHandler(sys.stderr))\n    KEPT.append(sys.stdout)\n\
        def test_second():\n    KEPT.append(sys.stdout)\n    logging.getLogger('y').addHandler(logging.StreamHandler(sys.stderr))\n\
        def test_last(capfd):\n    os.write(1, b'one')\n    print('two', file=sys.stderr)\n    logging.getLogger('y').warning('three')\n    \
        pytest.fail(repr((capfd.readouterr(), [stream.closed for stream in KEPT])), pytrace=False)\n";
    let names = ["test_first", "test_second", "test_last"];
    let Some((seen, _)) = comes_to_the_same(&[("test_a.py", source)], Mode::No, &names) else { return };
    assert!(seen[2].contains("out='one', err='two"), "{seen:?}");
}

#[test]
fn whatever_the_tests_after_the_stop_do_is_an_outcome() {
    let source = "import ctypes, os, time\n\
        SEEN = []\n\
        def test_first(): SEEN.append(1)\n\
        def test_kill(): os.kill(os.getpid(), 9)\n\
        def test_hang(): time.sleep(600)\n\
        def test_exit(): os._exit(3)\n\
        def test_close(): os.closerange(3, 4096)\n\
        def test_seen(): assert SEEN == [1]\n";
    let names = ["test_first", "test_seen", "test_kill", "test_seen", "test_hang", "test_exit", "test_close"];
    let Some(mut project) = Project::stopping(&[("test_a.py", source)]) else { return };
    let plan = project.plan(Mode::No, &[&names]);
    let whole = project.run(&plan);
    assert_eq!(words(&whole), ["passed", "passed", "crashed", "call", "timeout", "crashed", "crashed"]);
    for shared in [1, 2, 2] {
        let trial = after(&mut project, &plan, shared);
        assert_eq!(words(&trial), words(&whole));
        let processes = |trial: &Trial| trial.executions.iter().map(|run| run.process).collect::<Vec<_>>();
        assert_eq!((processes(&trial), trial.processes), (processes(&whole), whole.processes));
    }
    assert_eq!(project.engine.checkpoints().forks, 3);
    assert_eq!(words(&after(&mut project, &plan, 3)), words(&whole), "it is lost before");
    assert_eq!(project.engine.checkpoints().unfit, ["a process was lost before"]);
}

#[test]
fn what_a_fork_would_lose_or_share_keeps_the_worker_from_stopping() {
    for (does, why) in [
        ("threading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "there are other threads"),
        ("native()", "a fork would lose threads: "),
        ("KEPT.append(subprocess.Popen(['sleep', '987005']))", "there are other processes"),
        ("KEPT.append(open('left', 'w'))", "is open: "),
        ("KEPT.append(socket.create_server(('127.0.0.1', 0)))", "is open: socket:"),
        ("KEPT.append(os.pipe())", "is open: pipe:"),
        ("KEPT.append(sqlite3.connect('app.db').execute('create table t (n)'))", "is open: "),
        ("signal.setitimer(signal.ITIMER_REAL, 60)", "a timer runs"),
        ("signal.signal(signal.SIGCHLD, signal.SIG_IGN)", "the ends of other processes are handled"),
        ("open('/dev/shm/left', 'w').close()", "share"),
        ("KEPT.append(mmap.mmap(os.open('there', os.O_RDWR), 1))", "mapped"),
        ("sys.settrace(lambda *_: None)", "traced"),
        ("os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')", "FileNotFoundError"),
    ] {
        let source = format!(
            "import mmap, os, signal, socket, sqlite3, subprocess, sys, threading, time\nKEPT = []\n{NATIVE}\
             def test_first(): KEPT.append(0); {does}\n\
             def test_last(): assert KEPT[0] == 0\n"
        );
        let Some(mut project) = Project::stopping(&[("test_a.py", &source), ("there", "x")]) else { return };
        let plan = project.plan(Mode::No, &[&["test_first", "test_last"]]);
        for _ in 0..2 {
            assert_eq!(words(&after(&mut project, &plan, 1)), ["passed", "passed"], "{does}");
        }
        let counts = project.engine.checkpoints();
        assert_eq!((counts.made, counts.unfit.len()), (0, 1), "{does}: {counts:?}");
        assert!(counts.unfit[0].contains(why), "{does}: {counts:?}");
    }
}

#[test]
#[ignore = "at night, with numpy: by day the harness's own tests hold what a fork would lose"]
fn what_ends_its_threads_before_a_fork_keeps_no_worker_from_stopping() {
    let source = "import os, numpy\nA = numpy.ones((600, 600))\nTASKS = lambda: len(os.listdir('/proc/self/task'))\n\
        PRODUCT, STARTED = A @ A, TASKS()\n\
        def test_first(): assert (A @ A == PRODUCT).all() and TASKS() == STARTED\n\
        def test_last(): assert (A @ A == PRODUCT).all() and TASKS() == STARTED\n";
    let Some(mut project) = Project::stopping_with(&support::corpus_python(), &[("test_a.py", source)])
    else {
        return;
    };
    let plan = project.plan(Mode::No, &[&["test_first", "test_last"]]);
    for _ in 0..3 {
        assert_eq!(words(&after(&mut project, &plan, 1)), ["passed", "passed"]);
    }
    let counts = project.engine.checkpoints();
    assert_eq!((counts.made, counts.forks, counts.unfit.len()), (1, 3, 0), "{counts:?}");
}

#[test]
fn each_experiment_puts_back_its_own_places() {
    let source = "import os, pathlib\nSEEN = []\n\
        def test_first(): SEEN.append(1); os.environ['LEFT'] = '1'; pathlib.Path('left').touch()\n\
        def test_last(): assert (SEEN, 'LEFT' in os.environ, os.path.exists('left')) == ([], False, False)\n";
    let Some(mut project) = Project::stopping(&[("test_a.py", source)]) else { return };
    let plan = project.plan(Mode::No, &[&["test_first", "test_last"]]);
    let names = ["test_a.SEEN", "os.environ[\"LEFT\"]", "file left"];
    let mut seen = |restore: &[&str], shared: Option<u32>| {
        let restore = restore.iter().map(|name| (*name).to_owned()).collect();
        let instructions = Instructions { restore, ..Instructions::default() };
        let mut job = Job::of(&plan);
        (job.instructions, job.shared) = (Some(&instructions), shared);
        let trial = project.engine.run(&project.suite, job).expect("the plan is run");
        let changed = trial.changed.clone().expect("what has changed");
        (told(&trial), changed)
    };
    for restore in [&names[..0], &names[..1], &names[1..], &names, &["missing"]] {
        assert_eq!(seen(restore, Some(1)), seen(restore, None), "{restore:?}");
    }
    assert!(seen(&names, Some(1)).0[1].contains("Passed"));
    let counts = project.engine.checkpoints();
    assert_eq!((counts.made, counts.forks, counts.unfit.len()), (1, 6, 0), "{counts:?}");
}

#[test]
fn other_tests_follow_where_they_keep_the_same_fixtures() {
    let a = "import log, pytest\n\
        @pytest.fixture(scope='module')\ndef module(): log.add('up'); yield; log.add('down')\n\
        def test_first(module): log.add('first')\n\
        def test_same(): pytest.fail(repr(log.SEEN), pytrace=False)\n\
        def test_as_well(request):\n    log.add('well')\n    pytest.fail(repr((log.SEEN, len(request.session.items))), pytrace=False)\n";
    let b = "import log, pytest\n\
        def test_other(): pytest.fail(repr(log.SEEN), pytrace=False)\n\
        class TestB:\n    @pytest.mark.parametrize('x', [1, 2])\n    def test_more(self, x): pytest.fail(repr((log.SEEN, x)), pytrace=False)\n";
    let files = [("test_a.py", a), ("test_b.py", b), ("log.py", "SEEN = []\nadd = SEEN.append\n")];
    let Some(mut project) = Project::stopping(&files) else { return };
    let rests: [&[&str]; 6] = [
        &["test_same"],
        &["test_other"],
        &["test_as_well"],
        &["test_more[1]"],
        &["test_first"],
        &["test_more[2]", "test_as_well"],
    ];
    for rest in rests {
        let plan = project.plan(Mode::No, &[&[&["test_first"], rest].concat()]);
        let whole = told(&project.run(&plan));
        assert_eq!(told(&after(&mut project, &plan, 1)), whole, "{rest:?}");
    }
    let counts = project.engine.checkpoints();
    // One before a test of the same file, one before another file's, and one before the test itself.
    assert_eq!((counts.made, counts.forks, counts.unfit.len()), (3, 6, 0), "{counts:?}");
}

#[test]
fn places_are_put_back_before_other_tests_as_well_unless_these_have_parameters() {
    let source = "import os, pytest\nSEEN = []\nSHARED = [0]\n\
        def test_first(): SEEN.append(1); SHARED.append(1); os.environ['LEFT'] = '1'\n\
        def test_one(): assert not SEEN\n\
        def test_two(): assert 'LEFT' not in os.environ\n\
        @pytest.mark.parametrize('x', [SHARED])\ndef test_more(x): assert x == [0] and not SEEN\n";
    let Some(mut project) = Project::stopping(&[("test_a.py", source)]) else { return };
    let instructions = Instructions { restore: vec!["test_a.SEEN".into()], ..Instructions::default() };
    let names = project.suite.tests.iter().map(|test| test.id.node_id.clone());
    let names: Vec<String> = names.filter(|name| !name.ends_with("test_first")).collect();
    for last in &names {
        let plan = project.plan(Mode::No, &[&["test_first", last]]);
        let seen = [None, Some(1), Some(1)].map(|shared| {
            let mut job = Job::of(&plan);
            (job.instructions, job.shared) = (Some(&instructions), shared);
            let trial = project.engine.run(&project.suite, job).expect("the plan is run");
            (told(&trial), trial.changed.clone().expect("what has changed"))
        });
        assert_eq!(seen[1], seen[0], "{last}");
        assert_eq!(seen[2], seen[0], "{last}");
    }
    let counts = project.engine.checkpoints();
    assert_eq!((names.len(), counts.made, counts.forks, counts.unfit.len()), (3, 2, 6, 0), "{counts:?}");
}
