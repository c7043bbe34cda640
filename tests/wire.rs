//! jostle and the harness mean the same by each message. The harness's types make examples of all of them
//! (`harness/tests/message_examples.py`), and these are read by jostle's types: a kind or a field that one side
//! alone knows fails a test here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::fs;
use std::process::Command;

use jostle::formats::PROTOCOL_VERSION;
use jostle::run::protocol::{
    Message, Purpose, Request, Server, ServerSort, Setup, WatchSetup, Whereabouts, WorkerIdentity,
};
use jostle::state::{Instructions, NamedPlace};
use jostle::suite::{Fixture, Phase};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::support;

/// Has the examples written anew.
const WRITE: &str = "JOSTLE_TEST_WRITE";

/// Fields of what jostle reads that are its own to fill: from later answers, and from what the system tells.
const ADDED: [(&str, &str); 18] = [
    ("changed", "followed: []"),
    ("changed", "left: []"),
    ("changed", "no_line: None"),
    ("changed", "read: None"),
    ("changed", "read: None"),
    ("changed", "readings: []"),
    ("changed", "written: None"),
    ("finish", "user: None"),
    ("left", "no_line: None"),
    ("left", "read: None"),
    ("left", "written: None"),
    ("read", "call: None"),
    ("touched", "by: None"),
    ("touched", "idle: false"),
    ("touched", "statement: None"),
    ("yield", "by: None"),
    ("yield", "idle: false"),
    ("yield", "statement: None"),
];

/// The examples of a union of the harness's types, as they are in a file of `tests/messages`.
pub fn examples(file: &str) -> Vec<Value> {
    let path = support::root().join("tests/messages").join(file);
    let text = fs::read_to_string(path).expect("the examples");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn kind(message: &Value) -> &str {
    message["type"].as_str().unwrap_or_default()
}

/// Of each kind the example in which nothing is missing, which comes first.
fn whole(file: &str) -> BTreeMap<String, Value> {
    let mut first = BTreeMap::new();
    for example in examples(file) {
        first.entry(kind(&example).to_owned()).or_insert(example);
    }
    first
}

#[test]
fn the_examples_are_made_of_the_harness_s_types() {
    for (union, file) in [
        ("ToJostle", "to_jostle.jsonl"),
        ("ToHarness", "to_harness.jsonl"),
        ("Whereabouts", "whereabouts.jsonl"),
    ] {
        let script = support::root().join("harness/tests/message_examples.py");
        let mut command = Command::new(support::light_python());
        command.env("PYTHONPATH", support::root().join("harness")).arg(script).arg(union);
        let path = support::root().join("tests/messages").join(file);
        let made = support::said(&mut command);
        if std::env::var_os(WRITE).is_some() {
            fs::write(&path, &made).expect("the examples");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            made == kept,
            "{} is not what messages.py says now; {WRITE}=1 writes it anew",
            path.display()
        );
    }
}

#[test]
fn both_sides_know_the_same_kinds() {
    let error = serde_json::from_value::<Message>(json!({"type": "?"})).expect_err("no message").to_string();
    let (_, listed) = error.split_once("expected one of ").expect("serde lists the kinds");
    let known: BTreeSet<&str> = listed.split(", ").map(|name| name.trim_matches('`')).collect();
    let whole = whole("to_jostle.jsonl");
    assert_eq!(known, whole.keys().map(String::as_str).collect());
    assert_eq!(whole["hello"]["protocol"], PROTOCOL_VERSION);
}

#[test]
fn what_the_harness_may_say_is_read() {
    for example in examples("to_jostle.jsonl") {
        let read = serde_json::from_value::<Message>(example.clone());
        assert!(read.is_ok(), "{read:?}: {example}");
    }
}

/// The paths (JSON pointers) of all values inside a value.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    let mut inside = |name: &str, value: &Value| {
        let path = format!("{path}/{name}");
        found.push(path.clone());
        places(value, &path, found);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| inside(name, value)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| inside(&at.to_string(), item)),
        _ => {}
    }
}

/// With a value of another sort in its place a field that is read spoils the message.
fn reads_each_field<T: DeserializeOwned>(example: &Value) {
    let mut paths = Vec::new();
    places(example, "", &mut paths);
    for path in paths.into_iter().filter(|path| path != "/type") {
        let mut spoiled = example.clone();
        let place = spoiled.pointer_mut(&path).expect("a place of it");
        *place = if place.is_object() || place.is_array() {
            json!("no such thing")
        } else {
            json!({"no": "such thing"})
        };
        assert!(serde_json::from_value::<T>(spoiled).is_err(), "jostle does not read {path} of {example}");
    }
}

#[test]
fn jostle_reads_each_field() {
    whole("to_jostle.jsonl").values().for_each(reads_each_field::<Message>);
    reads_each_field::<Whereabouts>(&whole("whereabouts.jsonl")[""]);
}

/// The fields of a value that were left at what a field is without a message.
fn left(value: &impl Debug) -> Vec<String> {
    let shown = format!("{value:#?}");
    let lines = shown.lines().map(|line| line.trim().trim_end_matches(','));
    let empty = [": None", ": []", ": {}", ": \"\"", ": 0", ": 0.0", ": false"];
    let mut left: Vec<String> =
        lines.filter(|line| empty.iter().any(|end| line.ends_with(end))).map(str::to_owned).collect();
    left.sort();
    left
}

#[test]
fn the_harness_says_each_field() {
    for (kind, example) in whole("to_jostle.jsonl") {
        let message: Message = serde_json::from_value(example).expect("a message");
        let added: Vec<String> =
            ADDED.iter().filter(|(of, _)| *of == kind).map(|(_, line)| (*line).to_owned()).collect();
        assert_eq!(left(&message), added, "{kind}: the harness does not say this");
    }
    let place: Whereabouts = serde_json::from_value(whole("whereabouts.jsonl")[""].clone()).expect("one");
    assert_eq!(left(&place), [""; 0]);
}

/// A value with the sorts of values in the place of these.
fn sorts(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), sorts(value))).collect(),
        Value::Array(items) => items.iter().map(sorts).collect(),
        Value::Null => json!("nothing"),
        Value::Bool(_) => json!("a truth"),
        Value::Number(_) => json!("a number"),
        Value::String(_) => json!("a text"),
    }
}

/// The name of a kind; a new one has to be told here, and so in [`requests`].
fn name(request: &Request<'_>) -> &'static str {
    match request {
        Request::Setup(_) => "setup",
        Request::Go => "go",
        Request::Turn { .. } => "turn",
        Request::Fork { .. } => "fork",
        Request::Kill { .. } => "kill",
    }
}

#[test]
fn the_harness_knows_all_that_jostle_says() {
    let place = || "a".to_owned();
    let fixture = Fixture { name: place(), scope: place(), file: place(), phase: Phase::Setup };
    let instructions = Instructions {
        restore: vec![place()],
        import: Some(place()),
        watch: vec![place()],
        follow: Some(place()),
        from: 1,
        teardown: Some(fixture),
        left: true,
        readers: vec![place()],
    };
    let named = [NamedPlace { name: place(), get: place(), is_getter: true, set: Some(place()) }];
    let servers = [Server {
        sort: ServerSort::Postgres,
        port: 1,
        user: place(),
        databases: vec![place()],
        socket: None,
        connections: None,
    }];
    let hosts = [place()];
    let requests = [
        Request::Setup(Box::new(Setup {
            protocol: PROTOCOL_VERSION,
            purpose: Purpose::Run,
            imports: Some(vec!["a"]),
            worker: Some(WorkerIdentity { id: place(), count: 1, uid: place() }),
            random_seed: 1,
            tests: vec![("a", 1)],
            barriers: vec![1],
            folder: "a",
            watch: Some(WatchSetup {
                at: Some(vec!["a"]),
                system_calls: true,
                statements: true,
                hosts: &hosts,
                filter: Some(place()),
            }),
            stop: Some(1),
            explain: Some(&instructions),
            named_places: &named,
            servers: &servers,
        })),
        Request::Go,
        Request::Turn { turn: 1 },
        Request::Fork { descriptors: 1, namespaces: vec![1] },
        Request::Kill { pid: 1, signal: 1 },
    ];
    let whole = whole("to_harness.jsonl");
    let names: BTreeSet<&str> = requests.iter().map(name).collect();
    assert_eq!(names, whole.keys().map(String::as_str).collect());
    for request in &requests {
        let said = serde_json::to_value(request).expect("JSON");
        assert_eq!(kind(&said), name(request));
        assert_eq!(sorts(&said), sorts(&whole[name(request)]));
    }
}

#[test]
fn the_harness_knows_each_purpose() {
    let told = [Purpose::Collect, Purpose::Run, Purpose::Serve].map(|purpose| json!(purpose).to_string());
    let examples = examples("to_harness.jsonl");
    let known: BTreeSet<String> =
        examples.iter().filter_map(|example| example.get("purpose")).map(Value::to_string).collect();
    assert_eq!(known, told.into());
}
