//! `jostle history`: sessions that are kept, and what they say together.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use jostle::finding::Origin;
use jostle::formats::HISTORY;
use jostle::history::{Summary, summarise};
use jostle::plan::Seed;
use jostle::record::HistoryIndex;
use jostle::record::history_file::{
    Ended, Entry, FoundEntry, Head, NightFile, TestRun, TrialEntry, Verdict, files, read,
};
use jostle::record::history_index::NAME;
use jostle::suite::Fingerprint;
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::support;

const POLLUTED: &str = "
STATE = []
def test_victim():
    assert not STATE
def test_polluter():
    STATE.append(1)
";
const ANOTHER: &str = "
OTHER = {}
def test_other_victim():
    assert not OTHER
def test_other_polluter():
    OTHER['key'] = 1
";

/// A project in git beside its history.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = Self { folder };
        fs::create_dir(stage.project()).expect("a folder");
        stage.git(&["init", "--quiet"]);
        stage
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn history(&self) -> PathBuf {
        self.folder.path().join("history")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(self.project()).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        support::said(git.args(arguments))
    }

    /// Writes the tests and commits them; returns the commit.
    fn commit(&self, source: &str) -> String {
        fs::write(self.project().join("test_state.py"), source).expect("a file");
        self.git(&["add", "test_state.py"]);
        self.git(&["commit", "--quiet", "--message", "a change"]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    fn stress(&self, arguments: &[&str]) -> Command {
        let mut command = support::jostle(&self.project());
        command.args(["stress", "-q", "--trials", "3"]).args(support::PLAIN);
        command.arg("--history").arg(self.history());
        command.args(arguments).arg("--python").arg(support::light_python());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn night(&self, seed: &str) {
        let output = self.stress(&["--seed", seed]).output().expect("jostle runs");
        assert!(output.status.code().is_some_and(|code| code < 2), "{}", text(&output.stderr));
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        let mut command = support::jostle(&self.project());
        command.args(["history", "--history"]).arg(self.history()).args(arguments);
        command.output().expect("jostle runs")
    }

    fn told(&self) -> Value {
        self.told_of(&[])
    }

    fn told_of(&self, arguments: &[&str]) -> Value {
        let output = self.ask(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let report = serde_json::from_slice(&output.stdout).expect("JSON");
        let schema =
            fs::read_to_string(support::root().join("src/report/history.schema.json")).expect("the schema");
        let schema = serde_json::from_str(&schema).expect("the schema is JSON");
        let validator = jsonschema::validator_for(&schema).expect("the schema is one");
        validator.validate(&report).unwrap_or_else(|error| panic!("{error} at {}", error.instance_path()));
        report
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Each finding: test, status, commit of the first session that had it.
fn statuses(report: &Value) -> Vec<(String, String, String)> {
    let of = |seen: &Value| {
        ["test", "status", "first_revision"].map(|name| seen[name].as_str().unwrap_or_default().to_owned())
    };
    let found = report["findings"].as_array().expect("findings");
    found.iter().map(of).map(|[test, status, first]| (test, status, first)).collect()
}

#[test]
fn what_a_session_left_unjudged_comes_first_in_the_next() {
    let stage = Stage::new();
    stage.commit(&format!("{POLLUTED}{ANOTHER}"));
    let night = |seed| {
        let output = stage.stress(&["--seed", seed, "--fail-fast"]).output().expect("jostle runs");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let report = stage.told();
        report["nights"].as_array().and_then(|nights| nights.last()).expect("a night").clone()
    };
    let first = night("1");
    let left = first["unjudged"].as_array().expect("what is unjudged");
    let [left] = left.as_slice() else { panic!("{first:#}") };
    let people = text(&stage.ask(&[]).stdout);
    let note = format!("looks into that first: {}", left.as_str().expect("a test"));
    assert!(people.contains("note: 1 failure of the session of") && people.contains(&note), "{people}");
    let second = night("2");
    let found: Vec<&Value> =
        second["findings"].as_array().expect("findings").iter().map(|found| &found["test"]).collect();
    assert_eq!(found, [left]);
    assert_ne!(first["findings"][0]["test"], *left);
}

/// The remark about suspected tests of a session with these arguments, and the run that first showed each finding.
fn suspected(stage: &Stage, arguments: &[&str]) -> (String, Vec<(String, String)>) {
    let arguments = [&["--seed", "1", "--json"], arguments].concat();
    let output = stage.stress(&arguments).output().expect("jostle runs");
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    let remarks = report["remarks"].as_array().expect("remarks").iter().filter_map(Value::as_str);
    let remark = remarks.filter(|remark| remark.contains("suspected")).collect::<Vec<_>>().join("; ");
    let of = |finding: &Value| {
        (finding["test"]["node_id"].as_str().unwrap_or_default().to_owned(), finding["origin"].to_string())
    };
    (remark, report["findings"].as_array().expect("findings").iter().map(of).collect())
}

#[test]
fn tests_of_changed_files_are_run_before_and_after_all_others() {
    let stage = Stage::new();
    let first = stage.commit("VALUES = []\ndef test_victim():\n    assert not VALUES\n");
    fs::write(stage.project().join("test_z.py"), "def test_steady():\n    pass\n").expect("a file");
    stage.git(&["add", "test_z.py"]);
    stage.git(&["commit", "--quiet", "--message", "another"]);
    let (none, found) = suspected(&stage, &["--changed", "HEAD"]);
    assert_eq!(none, "none of 2 tests is in a file that has changed since HEAD, so that none is suspected");
    assert_eq!(found, []);
    let (committed, _) = suspected(&stage, &["--changed", &first]);
    assert!(committed.starts_with("1 of 2 tests are suspected, as each is in a file that"), "{committed}");
    let polluter = "from test_state import VALUES\ndef test_polluter():\n    VALUES.append(1)\n";
    fs::write(stage.project().join("test_new.py"), polluter).expect("a file");
    let (untracked, found) = suspected(&stage, &["--changed", "HEAD"]);
    assert!(untracked.starts_with("1 of 3 tests are suspected"), "{untracked}");
    let [(test, origin)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(test, "test_state.py::test_victim");
    assert!(origin.contains("suspected") || origin.contains("baseline"), "{origin}");
    let unknown = stage.stress(&["--changed", "nowhere"]).output().expect("jostle runs");
    assert_eq!(unknown.status.code(), Some(4));
    let said = text(&unknown.stderr);
    assert!(said.contains("--changed nowhere: git knows no such commit here"), "{said}");
}

#[test]
fn tests_that_failed_in_the_session_before_are_suspected() {
    let stage = Stage::new();
    stage.commit(POLLUTED);
    let (none, _) = suspected(&stage, &["--last-failed"]);
    assert_eq!(none, "none of 2 tests is seen to fail in the session before, so that none is suspected");
    let (one, found) = suspected(&stage, &["--last-failed"]);
    assert!(one.starts_with("1 of 2 tests are suspected, as each is seen to fail"), "{one}");
    let [(test, origin)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (test.as_str(), origin.contains("suspected")),
        ("test_state.py::test_victim", true),
        "{origin}"
    );
}

#[test]
fn what_is_new_and_what_is_gone_is_told_with_the_commit_it_came_with() {
    let stage = Stage::new();
    let first = stage.commit(POLLUTED);
    stage.night("1");
    let second = stage.commit(&format!("{POLLUTED}{ANOTHER}"));
    stage.night("2");
    let named = |test: &str, status: &str, commit: &str| {
        (format!("test_state.py::{test}"), status.to_owned(), commit.to_owned())
    };
    assert_eq!(
        statuses(&stage.told()),
        [named("test_other_victim", "new", &second), named("test_victim", "still", &first)]
    );
    let people = text(&stage.ask(&[]).stdout);
    assert!(people.contains("new    victim test_state.py::test_other_victim, polluter"), "{people}");
    assert!(people.contains(&format!("commit {}", &second[..10])), "{people}");
    assert!(people.contains("1 new, 0 back, 1 still there, 0 gone"), "{people}");

    // By day unit tests of `history` tell what is gone.
    if support::night() {
        stage.commit(&format!("{}{ANOTHER}", POLLUTED.replace("STATE.append(1)", "pass")));
        stage.night("3");
        let gone = [named("test_other_victim", "still", &second), named("test_victim", "gone", &first)];
        assert_eq!(statuses(&stage.told()), gone);
    }
    let report = stage.told();
    let nights = if support::night() { 3 } else { 2 };
    assert_eq!(report["nights"].as_array().map(Vec::len), Some(nights));
    assert!(report["nights"].as_array().expect("nights").iter().all(|night| night["trials"] == 3));
    let rate = &report["rates"].as_array().expect("rates")[0];
    assert!(rate["failed"].as_u64() > Some(0) && rate["runs"].as_u64() <= Some(9), "{rate:#}");

    fs::write(stage.project().join("jostle.toml"), "pytest-args = [\"-k\", \"polluter\"]\n").expect("a file");
    stage.night("4");
    let of_nothing =
        [named("test_other_victim", "not-run", &second), named("test_victim", "not-run", &first)];
    assert_eq!(statuses(&stage.told()), of_nothing);
    let people = text(&stage.ask(&[]).stdout);
    assert!(people.contains("0 gone since the session before; 2 it did not run"), "{people}");

    let of_test = stage.ask(&["test_state.py::test_victim"]);
    let said = text(&of_test.stdout);
    assert_eq!(said.matches("failed in").count(), nights + 1, "each session and all of them: {said}");
    let report = stage.told_of(&["test_state.py::test_victim"]);
    assert_eq!(statuses(&report), [named("test_victim", "not-run", &first)]);
    assert!(!report["nights"].to_string().contains("test_other_victim"), "{report:#}");
    let nothing = stage.ask(&["test_state.py::test_nobody"]);
    assert_eq!(nothing.status.code(), Some(4));
    assert!(text(&nothing.stderr).contains("no session in"), "{}", text(&nothing.stderr));
}

#[test]
fn a_session_that_was_killed_and_gone_on_with_is_kept_as_one() {
    let stage = Stage::new();
    stage.commit(POLLUTED);
    let whole = Stage::new();
    whole.commit(POLLUTED);
    whole.night("7");

    let journal = stage.folder.path().join("journal");
    let journal = journal.to_str().expect("text");
    let mut child = stage.stress(&["--seed", "7", "--journal", journal]).spawn().expect("jostle starts");
    let kept = |stage: &Stage| match files(&stage.history()).unwrap_or_default().as_slice() {
        [file] => read(file, 0).expect("a file").entries,
        _ => Vec::new(),
    };
    while kept(&stage).len() < 4 {
        assert!(child.try_wait().expect("a state").is_none(), "it ended before four trials");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("a signal");
    child.wait().expect("an end");
    let before = kept(&stage);
    assert_eq!(stage.told()["last"], Value::Null, "it has not come to its end");

    let resumed = stage.stress(&["--resume", journal]).output().expect("jostle runs");
    assert_eq!(resumed.status.code(), Some(1), "{}", text(&resumed.stderr));
    let after = kept(&stage);
    assert_eq!(after[..before.len()], before, "what was kept stays");
    let origins = |entries: &[Entry]| -> Vec<Origin> {
        let of = |entry: &Entry| match entry {
            Entry::Trial(trial) => Some(trial.origin),
            Entry::Ended(_) => None,
        };
        entries.iter().filter_map(of).collect()
    };
    assert_eq!(origins(&after), origins(&kept(&whole)));
    assert_eq!(statuses(&stage.told()).len(), 1);
}

#[test]
fn sessions_side_by_side_and_an_index_that_is_lost_lose_nothing() {
    let stage = Stage::new();
    stage.commit(POLLUTED);
    let sessions: Vec<_> =
        ["1", "2"].map(|seed| stage.stress(&["--seed", seed]).spawn().expect("jostle starts")).into();
    for mut session in sessions {
        // Whoever asks meanwhile takes in what is there by then.
        let asked: Vec<i32> = (0..3).filter_map(|_| stage.ask(&["--json"]).status.code()).collect();
        assert!(asked.iter().all(|code| [0, 4].contains(code)), "{asked:?}");
        assert_eq!(session.wait().expect("an end").code(), Some(1));
    }
    let report = stage.told();
    assert_eq!(report["nights"].as_array().map(Vec::len), Some(2));
    let rebuilt = stage.ask(&["--json", "--rebuild"]);
    assert_eq!(serde_json::from_slice::<Value>(&rebuilt.stdout).expect("JSON"), report);

    let index = stage.history().join(NAME);
    rusqlite::Connection::open(&index)
        .and_then(|connection| connection.pragma_update(None, "user_version", 99))
        .expect("a version");
    let newer = stage.ask(&[]);
    assert_eq!(newer.status.code(), Some(4));
    assert!(text(&newer.stderr).contains("is of version 99"), "{}", text(&newer.stderr));
    fs::write(&index, "no database at all, for that it is too short by far").expect("a file");
    let damaged = stage.ask(&[]);
    assert_eq!(damaged.status.code(), Some(4));
    assert!(text(&damaged.stderr).contains("jostle history --rebuild"), "{}", text(&damaged.stderr));
    assert_eq!(stage.ask(&["--rebuild"]).status.code(), Some(0));
    assert_eq!(stage.told(), report);

    let file = files(&stage.history()).expect("files").remove(0);
    let bytes = fs::read(&file).expect("a file");
    fs::write(&file, &bytes[..bytes.len() - 9]).expect("a file");
    let cut = stage.ask(&[]);
    assert_eq!(cut.status.code(), Some(0));
    assert!(text(&cut.stderr).contains("is believed up to byte"), "{}", text(&cut.stderr));
}

#[test]
fn what_cannot_be_read_or_written_is_told_before_anything_is_run() {
    let stage = Stage::new();
    stage.commit(POLLUTED);
    let refused = |output: Output, part: &str| {
        assert_eq!(output.status.code(), Some(4), "{part}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(part), "{part}: {}", text(&output.stderr));
    };
    refused(stage.ask(&[]), "there is no folder");
    fs::create_dir(stage.history()).expect("a folder");
    refused(stage.ask(&[]), "no session is kept in");
    let unnamed = support::jostle(&stage.project()).arg("history").output().expect("jostle runs");
    refused(unnamed, "which history is not known");
    fs::remove_dir(stage.history()).expect("a folder");
    fs::write(stage.history(), "").expect("a file");
    refused(stage.stress(&["--seed", "1"]).output().expect("jostle runs"), "--history DIR");
}

fn head(night: u8, tests: u8) -> Head {
    Head {
        schema: HISTORY.into(),
        night: format!("night-{night}"),
        started: u64::from(night),
        jostle: "0.1.0".into(),
        seed: Seed(u64::MAX - u64::from(night)),
        revision: None,
        fingerprint: Fingerprint("0".into()),
        tests: (0..tests).map(|test| format!("test_a.py::test_{test}")).collect(),
    }
}

const TESTS: u8 = 4;

fn entry() -> impl Strategy<Value = Entry> {
    let verdict = prop_oneof![Just(Verdict::Passed), Just(Verdict::Failed), Just(Verdict::NotRun)];
    let run = (0..u32::from(TESTS), verdict, 0_u64..1000)
        .prop_map(|(test, verdict, took)| TestRun(0, test, verdict, took));
    let trial = (proptest::option::of(0_u64..5), proptest::collection::vec(run, 0..5), "[a-f]{2}").prop_map(
        |(index, runs, plan)| {
            let origin = index.map_or(Origin::Baseline, Origin::Trial);
            Entry::Trial(TrialEntry { origin, plan, nanoseconds: 5, runs })
        },
    );
    let found = (0..TESTS, any::<bool>()).prop_map(|(test, known)| FoundEntry {
        kind: "victim".into(),
        test: Some(format!("test_a.py::test_{test}")),
        summary: format!("victim {test}"),
        counts: true,
        known,
    });
    let ended = (any::<bool>(), proptest::collection::vec(found, 0..3))
        .prop_map(|(whole, findings)| Entry::Ended(Ended { whole, findings, unjudged: Vec::new() }));
    prop_oneof![4 => trial, 1 => ended]
}

fn summary(index: &HistoryIndex) -> Summary {
    let failing = index.failing(None).expect("rows");
    let mut slowest = index.slowest(None, 100).expect("rows");
    // A mean is summed up in the order of the rows.
    slowest.iter_mut().for_each(|slow| slow.mean = (slow.mean * 1e12).round());
    slowest.sort_by(|one, other| one.test.cmp(&other.test));
    summarise(index.nights().expect("rows"), failing, slowest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Sessions write in any order, and the index is asked at any time.
    #[test]
    fn an_index_that_grew_says_what_one_made_anew_says(
        steps in proptest::collection::vec((0_u8..3, entry(), any::<bool>()), 0..20), gone: bool,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let mut written: BTreeMap<u8, NightFile> = BTreeMap::new();
        for (night, entry, ask) in &steps {
            let file = written.entry(*night).or_insert_with(|| {
                NightFile::begin(folder.path(), &head(*night, TESTS)).expect("a file")
            });
            file.add(entry).expect("an entry");
            if *ask {
                let remarks = HistoryIndex::open(folder.path()).and_then(|mut index| index.sync()).expect("an index");
                prop_assert_eq!(remarks, Vec::<String>::new());
            }
        }
        let kept = |steps: &[(u8, Entry, bool)]| -> Vec<Entry> {
            let night = steps.first().map(|(night, ..)| *night).filter(|_| gone);
            steps.iter().filter(|step| Some(step.0) != night).map(|(_, entry, _)| entry.clone()).collect()
        };
        if let (true, Some((night, ..))) = (gone, steps.first()) {
            HistoryIndex::open(folder.path()).and_then(|mut index| index.sync()).expect("an index");
            fs::remove_file(folder.path().join(format!("night-{night}.jsonl"))).expect("a file");
        }
        let kept = kept(&steps);
        let mut grown = HistoryIndex::open(folder.path()).expect("an index");
        grown.sync().expect("rows");
        let told = summary(&grown);
        drop(grown);
        let (made, _) = HistoryIndex::rebuild(folder.path()).expect("an index");
        prop_assert_eq!(&told, &summary(&made));
        let wrote = |path: &Path| read(path, 0).expect("a file").entries;
        let all: usize = files(folder.path()).expect("files").iter().map(|path| wrote(path).len()).sum();
        prop_assert_eq!(all, kept.len());
        let trials = kept.iter().filter(|entry| {
            matches!(entry, Entry::Trial(TrialEntry { origin: Origin::Trial(_), .. }))
        });
        prop_assert_eq!(told.nights.iter().map(|night| night.trials).sum::<u64>(), trials.count() as u64);
    }
}
