//! Whatever a test does to its process is an outcome; the rest goes on, and nothing is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jostle::run::host::HostOptions;
use jostle::trial::{Outcome, Trial};

use super::project::{Project, words};
use crate::support;

#[test]
#[ignore = "at night: a hang in a fork takes ten seconds; by day `run::worker::pace` has rows for when less time is given"]
fn a_test_that_passes_quickly_is_given_less_time_once_it_was_seen_to_hang() {
    let source = "import time\nslow = hangs = False\n\
        def test_hangs(): time.sleep(600 if hangs else 0)\n\
        def test_slow(): time.sleep(11 if slow else 0)\n\
        def test_pollute():\n    global slow, hangs\n    slow = hangs = True\n";
    let change = |options: &mut HostOptions| options.test_timeout = Duration::from_secs(20);
    for mut project in Project::sandboxed(&[("test_a.py", source)], change) {
        let forks = project.way.forks;
        assert_eq!(words(&project.serial(&["test_hangs", "test_slow"])), ["passed", "passed"]);
        let limit = |trial: &Trial| match trial.executions[1].outcome {
            Outcome::Timeout { limit } => limit.as_secs(),
            ref outcome => panic!("{outcome:?}"),
        };
        // That it hangs is told by a run with the whole limit.
        assert_eq!(limit(&project.serial(&["test_pollute", "test_hangs"])), 20);
        let again = limit(&project.serial(&["test_pollute", "test_hangs"]));
        assert_eq!(again, if forks { 10 } else { 20 });
        assert_eq!(words(&project.serial(&["test_pollute", "test_slow"])), ["passed", "passed"]);
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
    for mut project in Project::each_way(&[("test_a.py", source)]) {
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

/// Whether a process with these arguments runs.
pub fn runs(arguments: &[&str]) -> bool {
    let wanted: Vec<u8> = arguments.iter().flat_map(|word| [word.as_bytes(), &[0]].concat()).collect();
    let processes = fs::read_dir("/proc").expect("a system with /proc");
    processes
        .flatten()
        .any(|process| fs::read(process.path().join("cmdline")).is_ok_and(|line| line == wanted))
}

/// Waits for something that takes a moment; false if it does not come.
pub fn eventually(condition: impl Fn() -> bool) -> bool {
    (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        condition()
    })
}

#[test]
fn what_a_test_leaves_running_is_ended_with_its_worker() {
    let source = "import subprocess\ndef test_a(): subprocess.Popen(['sleep', '987001'])\n";
    for mut project in Project::each_way(&[("test_a.py", source)]) {
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
    // Other tests run side by side with this one; what is looked for is to be told from theirs.
    let own = tempfile::tempdir().expect("a folder");
    let executable = own.path().join("jostle");
    support::copy_program(Path::new(env!("CARGO_BIN_EXE_jostle")), &executable);
    let mut jostle = support::jostle_at(&executable, folder.path());
    let executable = executable.to_str().expect("text");
    jostle
        .env("TMPDIR", temporary.path())
        .args(["stress", "--seed", "1", "--python"])
        .arg(support::light_python());
    let mounts = || fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounted = mounts();
    let mut child = jostle.spawn().expect("jostle starts");
    assert!(eventually(|| runs(&["sleep", "987002"])));
    child.kill().expect("SIGKILL");
    child.wait().expect("an end");
    assert!(eventually(|| !runs(&["sleep", "987002"])));
    let left = || fs::read_dir(temporary.path()).expect("a folder").next().is_some();
    assert!(eventually(|| !left()), "a folder is left");
    assert!(eventually(|| !runs(&[executable, "__sandbox"]) && !runs(&[executable, "__reaper"])));
    assert_eq!(mounts(), mounted);
}

#[test]
fn a_zygote_that_dies_is_started_again_and_the_trial_repeated() {
    let source = "import os, signal, pathlib\n\
        MARK = pathlib.Path(__file__).parent / 'mark'\n\
        def test_kill():\n    if not MARK.exists():\n        MARK.touch()\n        os.kill(os.getppid(), signal.SIGKILL)\n\
        def test_ok(): pass\n";
    let mut project = Project::forking(&[("test_a.py", source)]);
    assert_eq!(words(&project.serial(&["test_ok", "test_kill", "test_ok"])), ["passed"; 3]);
    assert!(project.folder.path().join("mark").exists());
    assert_eq!(words(&project.serial(&["test_ok"])), ["passed"]);
}

/// `JOSTLE_TEST_FORKS` tells how many trials there are.
#[test]
fn a_zygote_does_not_grow_with_its_trials() {
    let source = "import os, pathlib\n\
        def test_measure():\n    zygote = pathlib.Path('/proc', str(os.getppid()))\n    \
        status = (zygote / 'status').read_text()\n    \
        resident = int(status.partition('VmRSS:')[2].split()[0])\n    \
        files = len(os.listdir(zygote / 'fd'))\n    \
        (pathlib.Path(__file__).parent / 'measured').write_text(f'{resident} {files}')\n";
    let mut project = Project::forking(&[("test_a.py", source)]);
    let mut measured_after = |trials: u32| -> (u64, u64) {
        for _ in 0..trials {
            assert_eq!(words(&project.serial(&["test_measure"])), ["passed"]);
        }
        let measured = fs::read_to_string(project.folder.path().join("measured")).expect("a file");
        let (resident, files) = measured.split_once(' ').expect("two numbers");
        (resident.parse().expect("KiB"), files.parse().expect("a number"))
    };
    let trials = support::number("JOSTLE_TEST_FORKS", 100, 3000);
    let (resident_first, files_first) = measured_after(20);
    let (resident, files) = measured_after(trials);
    assert_eq!(files, files_first);
    assert!(resident < resident_first + 512, "{resident_first} KiB, then {resident} KiB");
    println!("a zygote of {resident_first} KiB had {resident} KiB after {trials} more trials");
}
