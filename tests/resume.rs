//! Sessions that end before their time, and those that go on from their journals.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use jostle::record::Journal;
use jostle::record::journal_format::{Record, parse};
use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// A polluter of a victim, and a list of all tests that were ever started.
const SUITE: &str = r#"
import os
import pytest

STATE = []

@pytest.fixture(autouse=True)
def count(request):
    with open(os.environ["RUNS"], "a") as runs:
        runs.write(request.node.name + "\n")

def test_victim():
    assert not STATE

def test_polluter():
    STATE.append(1)

@pytest.mark.parametrize("number", range(4))
def test_bystander(number):
    pass

"#;

/// A project beside the list of what was run.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self::of(SUITE)
    }

    /// One in which nothing fails, for what is not about failures.
    fn clean() -> Self {
        Self::of(&clean())
    }

    fn of(suite: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("project")).expect("a folder");
        fs::write(folder.path().join("project/test_state.py"), suite).expect("a file");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::jostle(&self.path("project"));
        command.env("RUNS", self.path("runs"));
        command.args(["stress", "--sandbox", "off", "--json"]).args(arguments);
        command.arg("--python").arg(support::light_python());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("jostle runs")
    }

    /// Starts a session and ends it by SIGKILL once the journal has so many records.
    fn kill_after(&self, records: usize, arguments: &[&str]) {
        let mut child = self.command(arguments).spawn().expect("jostle starts");
        let written = || fs::read(self.path("journal")).map_or(0, |bytes| lines(&bytes).count());
        while written() <= records {
            assert!(child.try_wait().expect("a state").is_none(), "it ended before {records} records");
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().expect("a signal");
        assert_eq!(child.wait().expect("an end").signal(), Some(9));
        // Its reaper ends the workers; until then a test may be started.
        self.settle();
    }

    /// Waits until no process is left that could start a test: all of them have inherited where to note it.
    fn settle(&self) {
        let variable = format!("RUNS={}", self.path("runs").display()).into_bytes();
        let has_it = |process: fs::DirEntry| {
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|one| one == variable)
        };
        while fs::read_dir("/proc").expect("a system with /proc").flatten().any(has_it) {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many tests were started so far.
    fn started(&self) -> usize {
        fs::read_to_string(self.path("runs")).map_or(0, |runs| runs.lines().count())
    }

    /// How many runs of tests the journal holds.
    fn recorded(&self) -> usize {
        let bytes = fs::read(self.path("journal")).expect("the journal");
        let records = lines(&bytes).skip(1).filter_map(|line| parse::<Record>(line).ok());
        records.map(|record| record.runs.len()).sum()
    }

    fn journal(&self) -> String {
        self.path("journal").display().to_string()
    }
}

fn clean() -> String {
    SUITE.replace("STATE.append(1)", "pass")
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n')
}

fn report(output: &Output) -> Value {
    let mut report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(output)));
    for path in ["/times", "/suite/rootdir"] {
        *report.pointer_mut(path).expect("a member") = Value::Null;
    }
    report
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A session that nothing befell: what it came to, and how many tests it started.
struct Whole {
    stage: Stage,
    report: Value,
    started: usize,
}

fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let stage = Stage::new();
        let report = report(&stage.run(&with(&["--journal", &stage.journal()])));
        Whole { report, started: stage.started(), stage }
    })
}

/// On one worker: how far pairs of tests are raced depends on the time. `cut` kills sessions while they explain.
const OPTIONS: [&str; 9] = ["--seed", "7", "--trials", "6", "-n", "1", "--hash-seeds", "1", "--no-explain"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&OPTIONS, more].concat()
}

/// What a session that goes on is told besides its journal.
fn resuming(journal: &str) -> [&str; 9] {
    ["--resume", journal, "--trials", "6", "-n", "1", "--hash-seeds", "1", "--no-explain"]
}

#[test]
fn a_session_that_was_killed_goes_on_as_if_it_had_not_been() {
    let Whole { report: expected, started, .. } = whole();
    assert_eq!(expected["findings"].as_array().map(Vec::len), Some(1), "{expected}");

    let stage = Stage::new();
    let journal = stage.journal();
    stage.kill_after(4, &with(&["--journal", &journal]));
    let after_one = (stage.started(), stage.recorded());
    stage.kill_after(16, &resuming(&journal));
    let after_two = (stage.started(), stage.recorded());
    assert!(after_one.1 < after_two.1, "{after_one:?} {after_two:?}");
    let resumed = stage.run(&resuming(&journal));
    assert_eq!(resumed.status.code(), Some(1), "{}", err(&resumed));
    assert!(err(&resumed).contains("going on from"), "{}", err(&resumed));
    assert_eq!(report(&resumed), *expected);
    // What was recorded was not run again, and everything else was.
    assert_eq!(stage.started() - after_two.0, started - after_two.1);
}

#[test]
fn what_is_left_of_a_damaged_journal_is_used_and_the_loss_told() {
    let Whole { stage, report: expected, .. } = whole();
    let bytes = fs::read(stage.journal()).expect("the journal");
    let journal = stage.path("damaged").display().to_string();
    let count = lines(&bytes).count();
    let until = |line: usize| lines(&bytes).take(line).map(<[u8]>::len).sum::<usize>();
    let mut damaged = bytes.clone();
    // Few runs are lost, so that few are to be made again.
    let (cut, wrong) = (count - 4, count - 6);
    damaged[until(wrong - 1) + 40] ^= 1;
    let following = format!("and the {} lines after it", count - wrong);
    let cases = [
        (bytes[..bytes.len() - 1].to_vec(), format!("line {count} is dropped (it is cut short)")),
        (bytes[..until(cut - 1) + 9].to_vec(), format!("line {cut} is dropped (it is cut short)")),
        (damaged, format!("line {wrong} is dropped (its content does not match its sum), {following}")),
    ];
    for (content, told) in cases {
        fs::write(&journal, content).expect("a file");
        let before = stage.started();
        let resumed = stage.run(&resuming(&journal));
        assert!(err(&resumed).contains(&told), "{told}: {}", err(&resumed));
        assert_eq!(report(&resumed), *expected);
        assert!(stage.started() > before, "{told}");
        let mended = fs::read(&journal).expect("the journal");
        assert!(lines(&mended).skip(1).all(|line| parse::<Record>(line).is_ok()), "{told}");
        assert_eq!(lines(&mended).count(), count, "{told}");
    }
}

#[test]
fn other_plans_and_other_suites_are_refused() {
    let stage = Stage::clean();
    let journal = stage.journal();
    stage.run(&["--seed", "7", "--trials", "1", "--schedules", "0", "--journal", &journal]);
    let bytes = fs::read(&journal).expect("the journal");
    let refused = |arguments: &[&str], parts: &[&str]| {
        let output = stage.run(&[&["--resume", &journal], arguments].concat());
        assert_eq!(output.status.code(), Some(4), "{parts:?}: {}", err(&output));
        for part in parts {
            assert!(err(&output).contains(part), "{part}: {}", err(&output));
        }
        assert_eq!(fs::read(&journal).expect("the journal"), bytes, "{parts:?}");
    };
    refused(&["--seed", "8"], &["its seed is 7"]);
    let options = "-n 2 --order suite --ignore-rank --hash-seeds 1 --engine spawn --test-timeout 5s";
    let others = [
        "--engine auto then, spawn now",
        "--hash-seeds 4 then, 1 now",
        "--ignore-rank none then, given now",
        "--order suite,reversed,shuffled,nested,adjacent then, suite now",
        "--test-timeout 1m then, 5s now",
        "--workers 1,2,4 then, 2 now",
    ];
    refused(&options.split(' ').collect::<Vec<_>>(), &others);
    let file = stage.path("project/test_state.py");
    fs::write(&file, clean().replace("pass", "print()")).expect("a file");
    refused(&[], &["the files of the tests have been changed"]);
    fs::write(&file, clean().replace("range(4)", "range(5)")).expect("a file");
    refused(&[], &["other tests are collected"]);
    fs::write(&file, clean()).expect("a file");
    fs::write(stage.path("project/conftest.py"), "").expect("a file");
    refused(&[], &["the files of the tests have been changed"]);
}

#[test]
fn without_a_name_the_newest_journal_of_the_folder_is_gone_on_with() {
    let stage = Stage::clean();
    let cache = stage.path("cache");
    let run = |arguments: &[&str]| {
        let output = stage.command(arguments).env("JOSTLE_CACHE_DIR", &cache).output().expect("jostle runs");
        (output.status.code(), err(&output), report_or_null(&output))
    };
    let (code, said, _) = run(&["--resume"]);
    assert_eq!(code, Some(4));
    assert!(said.contains("no session of") && said.contains("--resume FILE"), "{said}");
    let short = |named: &[&'static str]| [named, &["--trials", "2"], &support::NARROW[..]].concat();
    let (_, _, first) = run(&short(&["--seed", "7"]));
    run(&short(&["--seed", "8"]));
    let before = stage.started();
    let (_, said, newest) = run(&short(&["--resume"]));
    assert!(said.contains("-8.jsonl"), "{said}");
    assert_eq!(newest["seed"], 8, "{said}");
    let (_, _, named) = run(&short(&["--resume", "--seed", "7"]));
    assert_eq!(named, first);
    assert_eq!(stage.started(), before, "nothing is run again");
}

fn report_or_null(output: &Output) -> Value {
    if output.stdout.is_empty() { Value::Null } else { report(output) }
}

#[test]
fn two_sessions_do_not_share_a_journal() {
    let stage = Stage::clean();
    let journal = stage.journal();
    stage.run(&[&["--seed", "7", "--trials", "1", "--journal", &journal], &support::NARROW[..]].concat());
    let held = Journal::open(Path::new(&journal)).expect("a journal");
    let output = stage.run(&["--resume", &journal]);
    assert_eq!(output.status.code(), Some(4));
    assert!(err(&output).contains("another jostle writes the journal"), "{}", err(&output));
    drop(held);
    let again = stage.run(&["--seed", "7", "--journal", &journal]);
    assert_eq!(again.status.code(), Some(4));
    assert!(err(&again).contains(&format!("--resume {journal}")), "{}", err(&again));
}

/// A command in whose folder a few kilobytes can be written; none where such a folder cannot be had, which is said.
fn in_small_folder(folder: &Path, kilobytes: u32, command: &Command) -> Option<Command> {
    let mount = format!("mount -t tmpfs -o size={kilobytes}k tmpfs '{}'", folder.display());
    let mut probe = Command::new("unshare");
    if !probe.args(["-Urm", "sh", "-c", &mount]).output().is_ok_and(|output| output.status.success()) {
        support::skipped("no folder of a few kilobytes can be mounted");
        return None;
    }
    let mut inside = Command::new("unshare");
    let keep = format!("; code=$?; cp -r '{0}'/. '{0}-kept'; exit $code", folder.display());
    inside.args(["-Urm", "sh", "-c", &format!("{mount} && \"$@\" {keep}"), "sh"]);
    inside.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => inside.env(name, value),
            None => inside.env_remove(name),
        };
    }
    inside.current_dir(command.get_current_dir().expect("a folder"));
    Some(inside)
}

#[test]
fn a_full_disk_costs_the_journal_and_nothing_else() {
    let stage = Stage::new();
    let Whole { report: expected, .. } = whole();
    let (small, kept) = (stage.path("small"), stage.path("small-kept"));
    fs::create_dir(&small).expect("a folder");
    fs::create_dir(&kept).expect("a folder");
    let journal = small.join("journal").display().to_string();
    let command = stage.command(&with(&["--journal", &journal]));
    let Some(mut command) = in_small_folder(&small, 8, &command) else { return };
    let output = command.output().expect("unshare runs");
    assert_eq!(output.status.code(), Some(1), "{}", err(&output));
    assert!(err(&output).contains("No space left on device"), "{}", err(&output));
    assert!(err(&output).contains("The session goes on; the journal ends here"), "{}", err(&output));
    assert_eq!(report(&output), *expected);
    // What was written is whole, and enough to go on with.
    let left = kept.join("journal");
    let opened = Journal::open(&left).expect("a journal");
    assert!(opened.len() > 2 && opened.lost().is_none(), "{opened:?}");
    drop(opened);
    let resumed = stage.run(&resuming(&left.display().to_string()));
    assert_eq!(report(&resumed), *expected);
}

#[test]
fn results_that_cannot_be_written_are_told_and_shown_where_they_can() {
    let stage = Stage::new();
    let mut command = support::jostle(&stage.path("project"));
    command.env("RUNS", stage.path("runs")).args(["stress", "--sandbox", "off", "--json=/dev/full"]);
    command.args(["--seed", "7", "--trials", "2"]).args(support::UNEXPLAINED);
    let output = command.arg("--python").arg(support::light_python()).output().expect("jostle runs");
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
    assert!(err(&output).contains("cannot write --json=/dev/full: No space left"), "{}", err(&output));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("1 isolation failure"), "{shown}");

    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    assert!(full.write_all_at(b"x", 0).is_err());
    let failures = stage.path("failures");
    let failures = failures.to_str().expect("text");
    let mut command = stage.command(&with(&["--failures", failures]));
    let output = command.stdout(full).output().expect("jostle runs");
    assert_eq!(output.status.code(), Some(3), "{}", err(&output));
    assert!(err(&output).contains("cannot write the results to standard output"), "{}", err(&output));
    assert!(err(&output).contains("what was run is kept"), "{}", err(&output));
    assert_eq!(fs::read_dir(failures).expect("the folder").count(), 1);
}
