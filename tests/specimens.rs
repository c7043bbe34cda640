//! Every specimen of the corpus, found and shrunk to exactly its stated truth.
//!
//! `JOSTLE_TEST_SEEDS` names the seeds (default: 1), `JOSTLE_TEST_SPECIMENS` some specimens (default: `all`),
//! `JOSTLE_TEST_TRIALS` how many trials each has (default: 20, and 6 for races),
//! `JOSTLE_TEST_REPLAYS` how often each race is replayed (default: 5), `JOSTLE_TEST_ENGINE` the engine
//! (default: auto).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use serde::Deserialize;
use serde_json::Value;

use crate::support;

/// The stated truth; see corpus/README.md.
#[derive(Clone, Deserialize)]
#[expect(dead_code, reason = "what is not compared is for readers")]
struct Truth {
    name: String,
    about: String,
    kind: String,
    requires: Vec<String>,
    exit: i32,
    modes: Vec<String>,
    #[serde(default)]
    sandbox: bool,
    #[serde(default)]
    failure: Vec<Failure>,
    #[serde(default)]
    collection: Vec<Collection>,
}

#[derive(Clone, Deserialize)]
#[expect(dead_code, reason = "what is not compared is for readers")]
struct Failure {
    kind: String,
    test: String,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    exception: String,
    polluters: Vec<Vec<String>>,
    #[serde(default)]
    imports: Vec<String>,
    #[serde(default)]
    concurrent: Vec<Vec<String>>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    losers: Vec<String>,
    #[serde(default)]
    last: Option<String>,
    state: String,
    #[serde(default)]
    places: Vec<String>,
    #[serde(default)]
    written: Option<String>,
    #[serde(default)]
    fix: bool,
    #[serde(default)]
    no_fix: Option<String>,
    #[serde(default)]
    group_polluters: Vec<String>,
    #[serde(default)]
    group_victims: Vec<String>,
    #[serde(default)]
    cleaners: Vec<String>,
    taxonomy: String,
}

#[derive(Clone, Deserialize)]
struct Collection {
    file: String,
    cause: String,
}

const ISOLATION: [&str; 5] = ["victim", "brittle", "nio", "race", "unstable-collection"];

fn strings(value: &Value) -> Vec<String> {
    let id = |value: &Value| value["node_id"].as_str().or(value.as_str()).expect("a name").to_owned();
    value.as_array().expect("a list").iter().map(id).collect()
}

fn any(stated: &str, found: &Value) -> bool {
    stated == "*" || found["test"]["node_id"] == stated
}

fn named_test(test: &Value) -> String {
    test["node_id"].as_str().expect("a name").to_owned()
}

/// Whether a finding is what a failure states.
fn is(failure: &Failure, finding: &Value) -> bool {
    let crash = &finding["crash"];
    let same = |stated: &str, found: &Value| stated.is_empty() || found == stated;
    let culprits = strings(&finding["culprits"]);
    let culprits_fit = match failure.kind.as_str() {
        "victim" | "brittle" | "nio" if failure.imports.is_empty() => failure.polluters.contains(&culprits),
        "victim" => culprits.is_empty() && strings(&finding["imports"]) == failure.imports,
        "race" => culprits.len() == 1,
        _ => true,
    };
    let test_fits = match failure.kind.as_str() {
        "race" if !failure.concurrent.is_empty() => failure.concurrent.iter().any(|pair| {
            let mut found = culprits.clone();
            found.push(finding["test"]["node_id"].as_str().unwrap_or_default().to_owned());
            pair.iter().all(|test| found.contains(test))
        }),
        _ => any(&failure.test, finding),
    };
    let resource_fits =
        failure.resource.as_ref().is_none_or(|resource| finding["race"]["resource"] == **resource);
    finding["kind"] == *failure.kind
        && test_fits
        && resource_fits
        && culprits_fit
        && same(&failure.phase, &crash["phase"])
        && same(&failure.exception, &crash["exception"])
}

/// What differs between the story of a race and the stated one.
fn raced(failure: &Failure, finding: &Value) -> Option<String> {
    let mut losers = strings(&finding["also"]);
    losers.push(named_test(&finding["test"]));
    losers.sort();
    if !failure.losers.is_empty() && losers != failure.losers {
        return Some(format!("other losers: {losers:?}"));
    }
    let last = finding["race"]["calls"].as_array().and_then(|calls| calls.last()).unwrap_or(&Value::Null);
    let word = |name: &str| last[name].as_str().unwrap_or_default();
    let statement = last["statement"].as_str().map_or_else(String::new, |verb| format!(" ({verb})"));
    let told = format!("{}{statement} {}", word("call"), word("at"));
    (failure.last.as_ref().is_some_and(|stated| *stated != told)).then(|| format!("it ends with {told}"))
}

/// What differs between the state that a finding names and the stated one.
fn explained(failure: &Failure, finding: &Value) -> Option<String> {
    let explanation = &finding["explanation"];
    let places = explanation["places"].as_array().into_iter().flatten();
    let named: Vec<&str> = places.clone().filter_map(|place| place["name"].as_str()).collect();
    if failure.places.is_empty() {
        return None;
    }
    if explanation["confirmed"] != true {
        return Some(format!("not explained: {} ({})", failure.test, explanation["why"]));
    }
    if failure.fix && explanation["fix"].is_null() {
        return Some(format!("no fix for {}", failure.test));
    }
    if explanation["fix"].is_null() == explanation["no_fix"].is_null() {
        return Some(format!("neither a fix nor a reason, or both: {explanation:#}"));
    }
    let why = explanation["no_fix"]["says"].as_str().unwrap_or_default();
    if failure.no_fix.as_ref().is_some_and(|stated| !why.contains(stated)) {
        return Some(format!("no such reason for the want of a fix: {why}"));
    }
    let members = |name: &str, own: Vec<String>| -> BTreeSet<String> {
        strings(&finding["related_tests"][name]).into_iter().chain(own).collect()
    };
    let victims = finding["related_tests"]["victims"].as_array().into_iter().flatten();
    let mut victims: BTreeSet<String> = victims.map(|victim| named_test(&victim["test"])).collect();
    victims.insert(named_test(&finding["test"]));
    let found =
        [members("polluters", strings(&finding["culprits"])), victims, members("cleaners", Vec::new())];
    let stated = [&failure.group_polluters, &failure.group_victims, &failure.cleaners];
    let stated = stated.map(|tests| tests.iter().cloned().collect::<BTreeSet<String>>());
    let alone = failure.group_polluters.is_empty()
        && found[0].len() + found[1].len() <= 2.max(1 + failure.polluters.first().map_or(0, Vec::len));
    if found[2] != stated[2] || !alone && found[..2] != stated[..2] {
        return Some(format!("another group: {found:?}"));
    }
    let written = places.clone().next().map(|place| &place["written"]);
    let line = |at: &Value| format!("{}:{}", at["file"].as_str().unwrap_or("nowhere"), at["line"]);
    if failure.written.is_some() && failure.written != written.map(line) {
        return Some(format!("written elsewhere: {written:?}"));
    }
    let kinds = places.map(|place| &place["kind"]);
    (named != failure.places || kinds.into_iter().any(|kind| *kind != *failure.taxonomy))
        .then(|| format!("another state: {}", explanation["places"]))
}

/// What differs between a report and the truth; nothing if all is as stated.
fn compare(truth: &Truth, report: &Value, exit: Option<i32>) -> Vec<String> {
    let mut wrong = Vec::new();
    let findings = report["findings"].as_array().expect("findings");
    let isolation = |finding: &&Value| ISOLATION.iter().any(|kind| finding["kind"] == *kind);
    for finding in findings.iter().filter(isolation) {
        if !truth.failure.iter().any(|failure| is(failure, finding)) {
            wrong.push(format!(
                "not stated: {} {} {} {}",
                finding["kind"], finding["test"], finding["culprits"], finding["imports"]
            ));
        }
    }
    // What fails at times may pass in all trials of a session.
    let at_times = |failure: &Failure| matches!(&*failure.kind, "nod" | "random-draws" | "hash-seed");
    let expected = truth.failure.iter().filter(|failure| !at_times(failure));
    for failure in expected.clone() {
        let found = findings.iter().find(|finding| is(failure, finding));
        match found {
            None => wrong.push(format!("not found: {} {}", failure.kind, failure.test)),
            Some(finding)
                if matches!(&*failure.kind, "victim" | "brittle")
                    && finding["command"].is_null()
                    && failure.exception != "timeout"
                    && truth.name != "flaky-victim"
                    // pytest itself does not get to its summary without the folder it was started in.
                    && truth.name != "removes-project" =>
            {
                wrong.push(format!("no pytest command for {}", failure.test));
            }
            Some(finding) => {
                wrong.extend(explained(failure, finding));
                wrong.extend(raced(failure, finding));
            }
        }
    }
    for finding in findings.iter().filter(|finding| finding["explanation"]["confirmed"] == true) {
        let stated = truth.failure.iter().any(|failure| !failure.places.is_empty() && is(failure, finding));
        if !stated {
            wrong.push(format!("confirmed without a cause: {}", finding["explanation"]["places"]));
        }
    }
    let stated: BTreeSet<(String, String)> =
        truth.collection.iter().map(|one| (one.file.clone(), one.cause.clone())).collect();
    let groups = report["collection_errors"].as_array().expect("errors");
    let errors = groups.iter().flat_map(|group| {
        let cause = group["cause"]["kind"].as_str().expect("a cause").to_owned();
        group["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(move |error| (error["node_id"].as_str().expect("a file").to_owned(), cause.clone()))
    });
    let found: BTreeSet<(String, String)> = errors.collect();
    if stated != found {
        wrong.push(format!("collection errors {found:?}"));
    }
    if exit != Some(truth.exit) {
        wrong.push(format!("exit code {exit:?}, not {}", truth.exit));
    }
    wrong
}

fn python_for(truth: &Truth) -> PathBuf {
    let light = truth.requires.iter().all(|name| name == "pytest-xdist");
    if light { support::light_python() } else { support::corpus_python() }
}

fn check(name: &str, seed: u64) -> Result<String, String> {
    let source = support::root().join("corpus").join(name);
    let text = fs::read_to_string(source.join("specimen.toml")).expect("specimen.toml");
    let truth: Truth = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(truth.name, name);
    if truth.sandbox && support::sandboxing(&[]).is_none() {
        return Ok(format!("{name}: not run, as there is no sandbox"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join(name);
    support::copy(&source, &suite);
    let before = support::listing(&suite);
    // Trials find races by luck only, which is dear; the race phase comes before them.
    let fewer = truth.failure.iter().any(|failure| failure.kind == "race");
    let trials =
        std::env::var("JOSTLE_TEST_TRIALS").unwrap_or_else(|_| if fewer { "6" } else { "20" }.into());
    let failures = folder.path().join("failures");
    let engine = std::env::var("JOSTLE_TEST_ENGINE").unwrap_or_else(|_| "auto".into());
    let json = folder.path().join("report.json");
    let output = support::jostle(&suite)
        .args(["stress", "--engine", &engine, "--trials", &trials, "--seed", &seed.to_string()])
        .arg(format!("--json={}", json.display()))
        .arg("--failures")
        .arg(&failures)
        .arg("--python")
        .arg(python_for(&truth))
        .output()
        .expect("jostle runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let written = fs::read(&json).map_err(|error| format!("{name}: {error}: {stderr}"))?;
    let report: Value =
        serde_json::from_slice(&written).map_err(|error| format!("{name}: {error}: {stderr}"))?;
    let mut wrong = compare(&truth, &report, output.status.code());
    let shown = seed == 1 && engine == "auto";
    if shown && std::env::var_os("JOSTLE_TEST_TRIALS").is_none() {
        let printed = String::from_utf8_lossy(&output.stdout);
        wrong.extend(support::pages::not_printed(name, &printed, &python_for(&truth)));
    }
    support::validate_report(&report).map_err(|error| format!("{name}: {error}"))?;
    if fewer && failures.is_dir() {
        wrong.extend(replay_races(&truth, &suite, &failures));
    }
    if support::listing(&suite) != before {
        wrong.push("the project's files have changed".into());
    }
    if report["trials"].as_u64().expect("trials") > 20 {
        wrong.push("more than 20 trials".into());
    }
    let calls: Vec<u64> = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter_map(|finding| finding["shrink_calls"].as_u64())
        .collect();
    let line = format!(
        "{name} seed {seed}: {:.0} s, shrink calls {calls:?}",
        report["times"]["seconds"].as_f64().unwrap_or(0.0)
    );
    if wrong.is_empty() { Ok(line) } else { Err(format!("{line}: {}", wrong.join("; "))) }
}

/// Replays each race that was found; tells what did not come out as recorded.
fn replay_races(truth: &Truth, suite: &Path, failures: &Path) -> Vec<String> {
    let times = std::env::var("JOSTLE_TEST_REPLAYS").unwrap_or_else(|_| "5".into());
    let mut wrong = Vec::new();
    for entry in fs::read_dir(failures).expect("the failures") {
        let path = entry.expect("an entry").path();
        let output = support::jostle(suite)
            .args(["replay", "--times", &times, "--python"])
            .arg(python_for(truth))
            .arg(&path)
            .output()
            .expect("jostle runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let reproduced = said.contains(&format!("failed as recorded in {times} of {times} runs"));
        if !reproduced || said.contains("made other calls") {
            wrong.push(format!("{} does not replay: {said}", path.display()));
        }
    }
    wrong
}

fn specimens() -> Vec<String> {
    if let Ok(names) = std::env::var("JOSTLE_TEST_SPECIMENS")
        && names != "all"
    {
        return names.split(',').map(str::to_owned).collect();
    }
    let folders = fs::read_dir(support::root().join("corpus")).expect("the corpus");
    let names = folders
        .map(|entry| entry.expect("an entry").path())
        .filter(|path: &PathBuf| path.join("specimen.toml").is_file());
    let mut names: Vec<String> = names.map(|path: PathBuf| file_name(&path)).collect();
    names.sort();
    names
}

fn file_name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

#[test]
fn every_specimen_is_shrunk_to_its_stated_truth() {
    let seeds = std::env::var("JOSTLE_TEST_SEEDS").unwrap_or_else(|_| "1".into());
    let seeds: Vec<u64> = seeds.split(',').map(|seed| seed.parse().expect("a seed")).collect();
    let jobs: Vec<(String, u64)> =
        seeds.iter().flat_map(|&seed| specimens().into_iter().map(move |name| (name, seed))).collect();
    let next = Mutex::new(jobs.iter());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let Some((name, seed)) = next.lock().expect("no panic").next() else { return };
                    match check(name, *seed) {
                        Ok(line) => println!("{line}"),
                        Err(line) => {
                            println!("WRONG {line}");
                            failures.lock().expect("no panic").push(line);
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no panic");
    assert!(failures.is_empty(), "{} of {} wrong:\n{}", failures.len(), jobs.len(), failures.join("\n"));
}
