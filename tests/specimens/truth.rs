//! What a specimen states, and what differs between that and a report.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

/// The stated truth; see corpus/README.md.
#[derive(Clone, Deserialize)]
#[expect(dead_code, reason = "what is not compared is for readers")]
pub struct Truth {
    pub name: String,
    about: String,
    kind: String,
    pub requires: Vec<String>,
    exit: i32,
    modes: Vec<String>,
    #[serde(default)]
    pub sandbox: bool,
    #[serde(default)]
    pub failure: Vec<Failure>,
    #[serde(default)]
    collection: Vec<Collection>,
}

#[derive(Clone, Deserialize)]
#[expect(dead_code, reason = "what is not compared is for readers")]
pub struct Failure {
    pub kind: String,
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
    pub(super) resource: Option<String>,
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
pub struct Collection {
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

/// What differs between the trace of a race and the stated one.
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
pub fn compare(truth: &Truth, report: &Value, exit: Option<i32>) -> Vec<String> {
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
