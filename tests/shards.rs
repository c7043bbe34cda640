//! A night in shards: one is killed and continued, and the merged result is that of a single run.
//!
//! `JOSTLE_TEST_SHARDED` is the number of trials (by day 8, at night 100).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// A suite with a victim, one that fails only on several workers' own order, and a test that takes a while.
const SUITE: &str = "import time\n\nSTATE = []\n\ndef test_slow():\n    time.sleep(0.05)\n\ndef test_victim():\n    assert not STATE\n\n\
                     def test_polluter():\n    STATE.append(1)\n\ndef test_other():\n    pass\n";

struct ShardPlan {
    folder: TempDir,
    suite: PathBuf,
}

impl ShardPlan {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let suite = folder.path().join("suite");
        fs::create_dir(&suite).expect("a folder");
        fs::write(suite.join("test_state.py"), SUITE).expect("a file");
        if !support::night() {
            fs::write(suite.join("jostle.toml"), "no-explain = true\nsandbox = \"off\"\n").expect("a file");
        }
        Self { folder, suite }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = support::jostle(&self.suite);
        for variable in ["CI_NODE_INDEX", "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"] {
            command.env_remove(variable);
        }
        command.args(arguments).arg("--python").arg(support::light_python());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("jostle runs")
    }

    fn plan(&self, name: &str, seed: &str, trials: &str) -> PathBuf {
        let path = self.path(name);
        let out = path.to_str().expect("text");
        let arguments = ["plan", "--seed", seed, "--trials", trials, "--shards", "4", "--out", out];
        let output = self.run(&[&arguments[..], axes()].concat());
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        path
    }

    fn shard(&self, plan: &Path, shard: &str, results: &Path) -> Output {
        let (plan, results) = (plan.to_str().expect("text"), results.to_str().expect("text"));
        self.run(&["stress", "--plan", plan, "--shard", shard, "--results", results])
    }

    fn merge(&self, plan: &Path, results: &[&Path], more: &[&str]) -> Output {
        let mut arguments = vec!["merge", "--plan", plan.to_str().expect("text")];
        arguments.extend(results.iter().map(|path| path.to_str().expect("text")));
        arguments.extend(more);
        self.run(&arguments)
    }
}

/// What the night varies: by day orders alone.
fn axes() -> &'static [&'static str] {
    if support::night() { &[] } else { &support::NARROW }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn report(output: &Output) -> Value {
    let mut report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(output)));
    support::validate_report(&report).unwrap_or_else(|error| panic!("{error}"));
    report["times"] = Value::Null;
    report
}

fn results_in(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, |entries| {
        entries
            .filter(|entry| {
                entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|it| it == "json"))
            })
            .count()
    })
}

#[test]
fn a_night_in_four_shards_of_which_one_is_killed_is_the_single_run() {
    let night = ShardPlan::new();
    let trials = support::number("JOSTLE_TEST_SHARDED", 8, 100).to_string();
    let plan = night.plan("night.plan", "7", &trials);
    let results: Vec<PathBuf> = (1..=4).map(|shard| night.path(&format!("results-{shard}"))).collect();

    // The second is killed once it has a result, and finds that when it is run again.
    let (plan_name, folder) = (plan.to_str().expect("text"), results[1].to_str().expect("text"));
    let mut command = night.command(&["stress", "--plan", plan_name, "--shard", "2/4", "--results", folder]);
    let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("jostle starts");
    while results_in(&results[1]) == 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    killed.kill().expect("it is killed");
    killed.wait().expect("an end");
    let left = results_in(&results[1]);
    for shard in [1, 3] {
        let output = night.shard(&plan, &format!("{shard}/4"), &results[shard - 1]);
        assert_eq!(output.status.code(), Some(0), "a shard that finds failures: {}", err(&output));
        assert!(out(&output).contains("with failures; 0 there before"), "{}", out(&output));
    }

    let some: Vec<&Path> = results[..3].iter().map(PathBuf::as_path).collect();
    let mut merge = night.command(&["merge", "--plan", plan_name, some[0].to_str().expect("text")]);
    let early = merge.args(&some[1..]).env("SLURM_JOB_ID", "1").output().expect("jostle runs");
    assert_eq!(early.status.code(), Some(12), "{}", err(&early));
    assert!(err(&early).contains("4") && err(&early).contains("sbatch --array="), "{}", err(&early));

    let again = night.shard(&plan, "2/4", &results[1]);
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    assert!(out(&again).contains(&format!("{left} there before")), "{}", out(&again));
    let mut from_environment =
        night.command(&["stress", "--plan", plan_name, "--results", results[3].to_str().expect("text")]);
    let last = from_environment.env("SLURM_ARRAY_TASK_ID", "3").output().expect("jostle runs");
    assert_eq!(last.status.code(), Some(0), "{}", err(&last));

    let all: Vec<&Path> = results.iter().map(PathBuf::as_path).collect();
    // Results that come twice change nothing.
    let twice: Vec<&Path> = all.iter().chain(&all).copied().collect();
    let merged = night.merge(&plan, &twice, &["--json"]);
    assert_eq!(merged.status.code(), Some(1), "{}", err(&merged));
    let single = ["stress", "--seed", "7", "--trials", &trials, "--json"];
    let single = night.run(&[&single[..], axes()].concat());
    assert_eq!(report(&merged), report(&single));
    if support::night() {
        assert_eq!(report(&night.merge(&plan, &all, &["--json"])), report(&single));
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let night = ShardPlan::new();
    let (plan, other) = (night.plan("night.plan", "7", "2"), night.plan("other.plan", "8", "2"));
    let results = night.path("results");
    assert_eq!(night.shard(&plan, "1/1", &results).status.code(), Some(0));
    for output in [night.merge(&other, &[&results], &[]), night.shard(&other, "1/1", &results)] {
        assert_eq!(output.status.code(), Some(4), "{}", err(&output));
        assert!(err(&output).contains("is of night"), "{}", err(&output));
    }
    let again = night.run(&["plan", "--seed", "1", "--trials", "2", "--out", plan.to_str().expect("text")]);
    assert!(again.status.code() == Some(4) && err(&again).contains("is not changed"), "{}", err(&again));
    let none = night.run(&["stress", "--plan", plan.to_str().expect("text")]);
    assert!(none.status.code() == Some(4) && err(&none).contains("--shard K/N"), "{}", err(&none));
    let beyond = night.shard(&plan, "5/4", &results);
    assert!(beyond.status.code() == Some(4) && err(&beyond).contains("no shard 5/4"), "{}", err(&beyond));

    let source = SUITE.replace("def test_other", "def test_another");
    fs::write(night.suite.join("test_state.py"), source).expect("a file");
    let changed = night.shard(&plan, "1/1", &night.path("anew"));
    assert!(changed.status.code() == Some(4) && err(&changed).contains("another suite"), "{}", err(&changed));
}

#[test]
fn two_outcomes_of_one_trial_are_told() {
    let night = ShardPlan::new();
    let marker = night.path("marker");
    let source = format!(
        "import os\n\ndef test_by_the_day():\n    assert not os.path.exists({:?})\n\ndef test_other():\n    pass\n",
        marker.to_str().expect("text")
    );
    fs::write(night.suite.join("test_state.py"), source).expect("a file");
    let plan = night.plan("night.plan", "7", "2");
    let (first, second) = (night.path("first"), night.path("second"));
    assert_eq!(night.shard(&plan, "1/1", &first).status.code(), Some(0));
    fs::write(&marker, "").expect("a file");
    assert_eq!(night.shard(&plan, "1/1", &second).status.code(), Some(0));
    fs::remove_file(&marker).expect("a file");
    let merged = night.merge(&plan, &[&first, &second], &["--json"]);
    let remarks = report(&merged)["remarks"].to_string();
    assert!(remarks.contains("2 different outcomes") && remarks.contains("test_by_the_day"), "{remarks}");
}
