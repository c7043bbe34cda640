//! Races through servers of the trials' own: statements of PostgreSQL and commands of Redis are calls on resources, one
//! worker overtakes the other between two of them, and what is found replays.
//! `JOSTLE_TEST_REPLAYS=100` replays each race so often (by day twice, at night five times).

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{self, jostle, sandboxing, servers_python};

/// A session about the races of one of the suites beside this file.
struct Session {
    folder: tempfile::TempDir,
    output: Output,
    report: Value,
}

impl Session {
    /// None where there is no sandbox.
    fn of(suite: &str) -> Option<Self> {
        sandboxing(&[])?;
        let folder = tempfile::tempdir().expect("a folder");
        support::copy(&support::root().join("tests/server_races").join(suite), &folder.path().join("suite"));
        let session = "stress --seed 1 --jobs 1 --trials 1 --dist load --hash-seeds 1 --no-explain --json=report.json --failures failures";
        let output = run(folder.path(), session);
        let report = fs::read_to_string(folder.path().join("suite/report.json")).unwrap_or_default();
        Some(Self { folder, output, report: serde_json::from_str(&report).unwrap_or_default() })
    }

    fn printed(&self) -> String {
        [&self.output.stdout, &self.output.stderr]
            .map(|said| String::from_utf8_lossy(said).into_owned())
            .concat()
    }

    /// The findings, each of which is a race.
    fn races(&self) -> &[Value] {
        let races = self.report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(races.iter().all(|finding| finding["kind"] == "race"), "{}", self.printed());
        assert!(!races.is_empty(), "{}", self.printed());
        support::validate_report(&self.report).expect("it is as the schema says");
        races
    }

    /// That each race comes out as it was recorded, by the same calls, whenever it is replayed.
    fn replays(&self) {
        let times = support::number("JOSTLE_TEST_REPLAYS", 2, 5);
        for entry in fs::read_dir(self.folder.path().join("suite/failures")).expect("the failures") {
            let file = entry.expect("an entry").path();
            let replayed =
                run(self.folder.path(), &format!("replay {} --jobs 1 --times {times}", file.display()));
            let said = String::from_utf8_lossy(&replayed.stdout);
            let as_recorded = format!("failed as recorded in {times} of {times} runs");
            assert!(said.contains(&as_recorded) && !said.contains("made other calls"), "{said}");
        }
    }
}

fn run(folder: &Path, command: &str) -> Output {
    let mut jostle = jostle(&folder.join("suite"));
    jostle.args(command.split(' ')).arg("--python").arg(servers_python()).output().expect("it runs")
}

/// `gw1 execute (UPDATE) test_stock.py:16`: the calls that a race comes down to.
fn calls(race: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = |call: &Value| {
        let statement = call["statement"].as_str().map(|verb| format!(" ({verb})")).unwrap_or_default();
        format!("{}{statement} {}", text(&call["call"]), text(&call["at"]))
    };
    race["race"]["calls"].as_array().into_iter().flatten().map(shown).collect()
}

/// The only resource that the races of a suite are on.
fn raced_on(suite: &str, resource: &str) -> Option<Session> {
    let session = Session::of(suite)?;
    for race in session.races() {
        assert_eq!(race["race"]["resource"], resource, "{}", session.printed());
    }
    session.replays();
    Some(session)
}

#[test]
fn an_update_that_another_worker_loses_is_found_with_its_statements() {
    let Some(session) = raced_on("lost-update", "postgresql://127.0.0.1:55441/shop table guests") else {
        return;
    };
    let calls = calls(&session.races()[0]);
    assert!(calls.iter().any(|call| call == "execute (UPDATE) test_guests.py:17"), "{calls:?}");
    assert!(calls.iter().all(|call| call.contains("test_guests.py:")), "{calls:?}");
}

#[test]
#[ignore = "at night: by day an update is lost and keys are flushed"]
fn a_deadlock_that_the_server_breaks_is_told_as_one() {
    let Some(session) = raced_on("deadlock", "postgresql://127.0.0.1:55441/shop table stock") else { return };
    let told = session.races().iter().all(|race| {
        race["note"].as_str().is_some_and(|note| note.starts_with("a deadlock that PostgreSQL broke (40P01)"))
    });
    assert!(told, "{}", session.printed());
}

#[test]
#[ignore = "at night: by day an update is lost and keys are flushed"]
fn a_table_that_two_workers_make_at_once_is_found() {
    raced_on("one-table", "postgresql://127.0.0.1:55441/shop table report");
}

#[test]
#[ignore = "at night: by day an update is lost and keys are flushed"]
fn a_database_that_two_workers_make_at_once_is_found() {
    raced_on("one-database", "postgresql://127.0.0.1:55441 database tenant");
}

#[test]
fn keys_that_another_worker_flushes_are_found() {
    raced_on("flushed", "redis://127.0.0.1:56381");
}

#[test]
fn what_each_worker_has_of_its_own_on_a_server_is_in_no_conflict() {
    for suite in ["own-databases", "own-keys"] {
        let Some(session) = Session::of(suite) else { return };
        assert_eq!(session.output.status.code(), Some(0), "{}", session.printed());
        let conflicts = String::from_utf8_lossy(&run(session.folder.path(), "conflicts").stdout).into_owned();
        assert!(!conflicts.contains("://"), "{conflicts}");
    }
}
