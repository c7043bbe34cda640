//! Every specimen of the corpus, found and shrunk to exactly its stated truth.
//!
//! By day a session has one worker, one hash seed and few trials where the truth needs no more, of races that are like
//! others the recorded schedule is replayed, and some specimens have to wait for the night. `JOSTLE_TEST_SPECIMENS=nio,demo`
//! has these alone looked for with the whole effort (`cargo test --test main specimens:: -- --include-ignored`), `all` each
//! of them, as at night. That effort is told by `JOSTLE_TEST_SEEDS` (default: 1),
//! `JOSTLE_TEST_TRIALS` (default: 20, and 6 for races), `JOSTLE_TEST_ENGINE` (default: auto) and `JOSTLE_TEST_REPLAYS`,
//! how often each race is replayed (default: 5). `JOSTLE_TEST_RECORD=1` writes the recorded schedules anew.

mod truth;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{self, Asked, pages};
use truth::{Truth, compare};

/// What the day run does with a specimen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Day {
    /// A session on one worker, with one hash seed: all that shows in some order.
    Serial,
    /// A session on one worker, with several hash seeds.
    Hashed,
    /// The whole effort, as a page shows what is printed then.
    Shown,
    /// A replay of the recorded schedule.
    Replay,
}

macro_rules! specimens {
    (night { $($why:literal: $($night:ident)*;)* } $($day:ident: $($name:ident)*;)*) => {
        /// All of them, by the names of their tests.
        const ALL: &[&str] = &[$($(stringify!($night),)*)* $($(stringify!($name),)*)*];
        $($(
            #[test]
            #[ignore = $why]
            fn $night() {
                Specimen::named(stringify!($night)).check(Day::Serial);
            }
        )*)*
        $($(
            #[test]
            fn $name() {
                Specimen::named(stringify!($name)).check(Day::$day);
            }
        )*)*
    };
}

specimens! {
    night {
        "at night: it shows by another library, place of state or chance what others show by day":
            adjacent_victim clean_fastapi continued_import default_argument demo doctest_time_zone event_loop_closed
            fastapi_conftests fastapi_overrides first_asked_unit flaky_victim hypothesis_shared keys_with_addresses
            leftover_file logging_disabled mock_left_active module_cache module_table_alias mutable_parameter
            nio_and_victim_same_line odd_ids random_ids_pollute random_seeded removes_project singleton
            sqlalchemy_module_engine stdout_closed sys_modules_numpy working_folder;
        "at night: by day `session::investigate` finds its like with an engine that starts no process":
            crash_after_pollution hang_after_pollution import_polluter nio_and_victim polluter_cleaner_victim skipped_alone
            teardown_charged two_polluters;
        "at night: by day `services` finds its like, or others tell of servers":
            django_postgres postgres_advisory_lock postgres_rolled_back postgres_rows_left postgres_sequence
            postgres_session_settings postgres_too_many_clients postgres_worker_database redis_key_left;
        "at night: by day `server_races` finds its like":
            race_postgres_database race_postgres_deadlock race_postgres_schema race_postgres_table
            race_postgres_update race_redis_flush;
        "at night: by day `session::stress` finds its like with an engine that starts no process":
            hash_seed_test nod_random;
        "at night: by day the harness's own tests tell of its place, or tests of races try its like":
            clean_shared_files race_sqlite_locked sys_modules_numpy_hidden teardown_after_polluter
            unittest_class_state;
        "at night: by day `session::explain::related` names all tests of one cause with an engine that starts no process":
            one_cause;
        "at night: by day `fixes` has a scope narrowed, and what another test needs left alone":
            session_fixture waiting_room;
        "at night: by day `explain` names the file that a test left, with its lines":
            fixed_tmp_path;
        "at night: by day `jostle collect` tells the same suite's causes, and the demo goes on past one":
            collection_errors;
    }
    Serial:
        brittle broken clean_kinds clean_parametrised clean_skipped_steps nio nod redis_worker_prefix;
    Hashed:
        random_params set_ordered_params;
    Shown:
        environ;
    Replay:
        race_attached_database race_check_then_create race_config_rewrite race_database_rows race_one_folder
        race_pid_file race_pool race_port
        race_same_file race_save_load race_session_fixture race_sqlalchemy race_subprocess session_fixture_global;
}

/// Where the schedule of a race is recorded, beside its truth.
const RECORDED: &str = "failure.json";

/// A copy of a specimen, with its truth.
struct Specimen {
    truth: Truth,
    folder: TempDir,
}

impl Specimen {
    /// The one of a test.
    fn named(test: &str) -> Self {
        let name = test.replace('_', "-");
        let folder = tempfile::tempdir().expect("a folder");
        support::copy(&corpus().join(&name), &folder.path().join(&name));
        let text = fs::read_to_string(corpus().join(&name).join("specimen.toml")).expect("specimen.toml");
        let truth: Truth = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(truth.name, name);
        Self { truth, folder }
    }

    fn check(&self, day: Day) {
        let name = &self.truth.name;
        if self.truth.sandbox && support::sandboxing(&[]).is_none() {
            support::skipped(&format!("{name} needs a sandbox"));
            return;
        }
        match support::asked_for(name) {
            Asked::Nothing => println!("{name} is not among JOSTLE_TEST_SPECIMENS"),
            Asked::Day => self.by_day(day),
            Asked::Whole => {
                let seeds = std::env::var("JOSTLE_TEST_SEEDS").unwrap_or_else(|_| "1".into());
                seeds.split(',').for_each(|seed| self.whole(seed.parse().expect("a seed")));
            }
        }
    }

    /// One run at a time: other tests take the other cores.
    fn by_day(&self, day: Day) {
        let orders = |hash_seeds: u32| {
            let effort = format!("--jobs 1 --hash-seeds {hash_seeds} -n 1 --trials 6");
            self.comes_to_its_truth(1, &effort);
        };
        match day {
            Day::Serial => orders(1),
            Day::Hashed => orders(2),
            Day::Shown => self.whole(1),
            Day::Replay => self.replays(&corpus().join(&self.truth.name).join(RECORDED), 2),
        }
    }

    fn whole(&self, seed: u64) {
        // Trials find races by luck only, which is dear; the race phase comes before them.
        let fewer = if self.has_a_controlled_race() { "6" } else { "20" };
        let of = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
        let (trials, engine) = (of("JOSTLE_TEST_TRIALS", fewer), of("JOSTLE_TEST_ENGINE", "auto"));
        let printed = self.comes_to_its_truth(seed, &format!("--trials {trials} --engine {engine}"));
        if seed == 1 && engine == "auto" && std::env::var_os("JOSTLE_TEST_TRIALS").is_none() {
            let wrong = pages::not_printed(&self.truth.name, &printed, &self.python(), true);
            assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        }
    }

    /// Whether one of its races is about something that jostle controls: others are seen by luck.
    fn has_a_controlled_race(&self) -> bool {
        self.truth.failure.iter().any(|failure| failure.resource.is_some())
    }

    fn suite(&self) -> PathBuf {
        self.folder.path().join(&self.truth.name)
    }

    fn python(&self) -> PathBuf {
        support::python_for(&self.truth.requires)
    }

    fn jostle(&self, arguments: &str, file: &Path) -> Output {
        let mut command = support::jostle(&self.suite());
        command.args(arguments.split(' ')).arg(file).arg("--python").arg(self.python());
        command.output().expect("jostle runs")
    }

    /// A session finds and explains what is stated, and nothing else; what it printed is returned.
    fn comes_to_its_truth(&self, seed: u64, effort: &str) -> String {
        let name = &self.truth.name;
        let file = |what: &str| self.folder.path().join(format!("{what}-{seed}"));
        let (failures, json) = (file("failures"), file("report"));
        let before = support::listing(&self.suite());
        let arguments = format!("stress --seed {seed} {effort} --json={} --failures", json.display());
        let output = self.jostle(&arguments, &failures);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let written = fs::read(json).unwrap_or_else(|error| panic!("{name}: {error}: {stderr}"));
        let report: Value =
            serde_json::from_slice(&written).unwrap_or_else(|error| panic!("{name}: {error}: {stderr}"));
        support::validate_report(&report).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut wrong = compare(&self.truth, &report, output.status.code());
        if support::listing(&self.suite()) != before {
            wrong.push("the project's files have changed".into());
        }
        if report["trials"].as_u64().expect("trials") > 20 {
            wrong.push("more than 20 trials".into());
        }
        assert!(wrong.is_empty(), "{name}, seed {seed}: {}", wrong.join("; "));
        if self.truth.failure.iter().any(|failure| failure.kind == "race") {
            self.races_replay(&failures);
        }
        let calls: Vec<u64> = report["findings"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["shrink_calls"].as_u64())
            .collect();
        println!("{name}, seed {seed}: {} s, shrink calls {calls:?}", report["times"]["seconds"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Replays each race that was found under control: others show at times.
    fn races_replay(&self, failures: &Path) {
        let default = if support::night() { 5 } else { 2 };
        let times =
            std::env::var("JOSTLE_TEST_REPLAYS").map_or(default, |times| times.parse().expect("a number"));
        for entry in fs::read_dir(failures).expect("the failures") {
            let path = entry.expect("an entry").path();
            let file: Value = serde_json::from_slice(&fs::read(&path).expect("the failure")).expect("JSON");
            if file["minimal"]["interleaving"] == "free" {
                continue;
            }
            self.replays(&path, times);
            if std::env::var_os("JOSTLE_TEST_RECORD").is_some() {
                fs::copy(&path, corpus().join(&self.truth.name).join(RECORDED))
                    .expect("the recorded schedule");
            }
        }
    }

    /// A recorded failure comes out as it was, by the same calls, each time.
    fn replays(&self, recorded: &Path, times: u32) {
        let output = self.jostle(&format!("replay --jobs 1 --times {times}"), recorded);
        let said = String::from_utf8_lossy(&output.stdout);
        let as_recorded = said.contains(&format!("failed as recorded in {times} of {times} runs"));
        let recorded = recorded.display();
        assert!(
            as_recorded && !said.contains("made other calls"),
            "{recorded} does not replay: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn corpus() -> PathBuf {
    support::root().join("corpus")
}

/// Each by a test of its own.
#[test]
fn every_specimen_is_shrunk_to_its_stated_truth() {
    let stated: BTreeSet<String> = support::specimens().into_iter().collect();
    let tested: BTreeSet<String> = ALL.iter().map(|name| name.replace('_', "-")).collect();
    assert_eq!(tested, stated);
}
