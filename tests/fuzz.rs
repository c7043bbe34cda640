//! Whatever bytes stand where jostle reads: an error, or a value that reads back as it was written.
//!
//! Each parser meets bytes without sense, and valid documents of which bytes, numbers or members were changed.

use jostle::cli::config;
use jostle::formats::JOURNAL;
use jostle::plan::document::PlanDocument;
use jostle::plan::token::Token;
use jostle::plan::{Plan, Seed, WorkerId};
use jostle::record::journal_format::{self, Header, How, Key, Record};
use jostle::record::{FailureFile, SpeedupBaseline};
use jostle::run::protocol;
use jostle::suite::Phase;
use jostle::suite::{Fingerprint, TestIndex};
use jostle::trial::{Execution, Failure, Outcome, Trial};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::wire::examples;

/// One change of a document's bytes.
#[derive(Clone, Debug)]
enum Mutation {
    /// A byte is another.
    Byte(Index, u8),
    /// The rest is missing.
    Cut(Index),
    /// A part is missing.
    Without(Index, Index),
    /// A part is there twice: members and keys, too.
    Twice(Index, Index),
    /// Something is put in.
    With(Index, Vec<u8>),
}

/// What hurts readers of JSON and TOML.
const NASTY: [&[u8]; 14] = [
    b"\0",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"\\u0000",
    b"1e999",
    b"-0",
    b"99999999999999999999999999",
    b"0.1e-999999999",
    b"null",
    b"NaN",
    b"\"\"",
    b"{\"version\":1,\"version\":1}",
    b"\n",
];

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    let at = any::<Index>;
    let one = prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(place, byte)| Mutation::Byte(place, byte)),
        1 => at().prop_map(Mutation::Cut),
        2 => (at(), at()).prop_map(|(from, to)| Mutation::Without(from, to)),
        2 => (at(), at()).prop_map(|(from, to)| Mutation::Twice(from, to)),
        3 => (at(), proptest::sample::select(&NASTY[..])).prop_map(|(place, text)| Mutation::With(place, text.to_vec())),
        1 => (at(), 1_usize..20_000).prop_map(|(place, depth)| Mutation::With(place, b"[".repeat(depth))),
    ];
    proptest::collection::vec(one, 1..4)
}

fn mutated(document: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = document.to_vec();
    for mutation in mutations {
        let length = bytes.len();
        if length == 0 {
            return bytes;
        }
        let part = |from: &Index, to: &Index| {
            let (from, to) = (from.index(length), to.index(length));
            from.min(to)..from.max(to)
        };
        match mutation {
            Mutation::Byte(place, byte) => bytes[place.index(length)] = *byte,
            Mutation::Cut(place) => bytes.truncate(place.index(length)),
            Mutation::Without(from, to) => drop(bytes.drain(part(from, to))),
            Mutation::Twice(from, to) => {
                let part = part(from, to);
                let (end, again) = (part.end, bytes[part].to_vec());
                bytes.splice(end..end, again);
            }
            Mutation::With(place, text) => {
                let place = place.index(length);
                bytes.splice(place..place, text.iter().copied());
            }
        }
    }
    bytes
}

fn plan() -> Value {
    json!({
        "version": 1, "seed": 1, "index": 2, "fingerprint": "0123456789abcdef", "order": "shuffled", "mode": "load",
        "hash_seed": 7, "random_seed": 9, "imports": {"only": ["test_ä.py", "b c.py"]},
        "interleaving": {"barrier": [{"first": [0, 0], "second": [1, 0]}]},
        "workers": [[{"node_id": "test_ä.py::test_a[\u{0}\"\\]"}], [{"node_id": "b c.py::test_b", "occurrence": 1}]],
    })
}

fn failure() -> Value {
    json!({
        "version": 1, "kind": "victim", "test": {"node_id": "b c.py::test_b", "occurrence": 1},
        "crash": {"phase": "call", "exception": "AssertionError", "file": "b c.py", "function": "test_b"},
        "pytest": "8.4.2", "minimal": plan(), "original": plan(),
    })
}

fn baseline() -> Value {
    json!({
        "schema": "jostle.speedup-baseline/1", "fingerprint": "0123456789abcdef", "tests": 3, "python": "3.11.7",
        "pytest": "8.4.2", "cores": 2, "configurations": [
            {"workers": 1, "mode": "no", "seconds": [1.5, 0.1]}, {"workers": 2, "mode": "load", "seconds": [0.7]},
        ],
    })
}

const CONFIG: &str = "[project]\nname = \"a\"\n[tool.jostle]\nseed = 3\ntrials = 10\ntime = \"30m\"\nworkers = [1, \"auto\"]\n\
    dist = [\"no\", \"load\"]\nhash-seeds = 2\nignore-rank = true\nfailures = \"kept\"\npytest-args = [\"-k\", \"a b\"]\n";

fn header() -> Header {
    Header {
        schema: JOURNAL.into(),
        jostle: "0.1.0".into(),
        night: String::new(),
        seed: Seed(5),
        options: [("--dist".to_owned(), "no,load".to_owned())].into(),
        python: "3.11.7".into(),
        pytest: "8.4.2".into(),
        plugins: vec!["pytest-xdist-3.8.0".into()],
        fingerprint: Fingerprint("0123456789abcdef".into()),
        sources: "0123456789abcdef".into(),
    }
}

/// A plan of some tests, and a trial of it.
fn trial(index: u64) -> (Plan, Trial) {
    let outcomes = [
        Outcome::Passed,
        Outcome::Skipped,
        Outcome::Crashed { how: "killed by signal 11 (SIGSEGV)".into() },
        Outcome::NotRun { why: "not collected".into() },
        Outcome::Timeout { limit: std::time::Duration::from_millis(1500) },
        Outcome::Failed(Failure {
            phase: Phase::Setup,
            exception: "ValueError".into(),
            file: "a.py".into(),
            function: "f".into(),
            line: 3,
            test_line: 5,
            message: "a\nb\u{0}".into(),
            trace: "{\"sum\":\"".into(),
            fixture: None,
            user: Some(TestIndex(2)),
        }),
    ];
    let plan: Plan = serde_json::from_value(json!({
        "seed": 5, "index": index, "order": "shuffled", "mode": "no", "workers": [(0..6).collect::<Vec<u32>>()],
        "interleaving": "free", "hash_seed": 1, "random_seed": 2, "imports": "all",
    }))
    .expect("a plan");
    let execution = |(test, outcome)| Execution {
        worker: WorkerId(0),
        process: 0,
        test: TestIndex(test),
        outcome,
        duration: std::time::Duration::from_nanos(1_234_567_891),
    };
    let executions = (0..).zip(outcomes).map(execution).collect();
    let duration = std::time::Duration::from_secs(9);
    let call = json!({ "resource": "file:$TMPDIR/a", "call": "write", "writes": true, "at": "a.py:3" });
    let steps = json!([
        { "worker": 0, "kind": { "starts": 1 } }, { "worker": 0, "kind": { "calls": call } }, { "worker": 0, "kind": "waits" },
    ]);
    let access =
        json!({ "resource": "port:tcp 8", "call": "bind", "writes": true, "at": null, "fixture": "::data" });
    let touched = json!([{ "test": 1, "accesses": [access], "fixtures": ["::data"] }]);
    let trial = Trial {
        executions,
        duration,
        processes: 2,
        leftovers: Vec::new(),
        steps: serde_json::from_value(steps).expect("steps"),
        held: vec![std::time::Duration::from_millis(3)],
        touched: serde_json::from_value(touched).expect("accesses"),
        changed: None,
    };
    (plan, trial)
}

/// A journal, and where each of its lines ends.
fn written_journal() -> (Vec<u8>, Vec<usize>) {
    let mut bytes = journal_format::line(&header()).expect("a line");
    let mut ends = vec![bytes.len()];
    for index in 0..3 {
        let (plan, trial) = trial(index);
        bytes.extend(journal_format::line(&Record::new(&plan, How::Plain, &trial)).expect("a line"));
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// What each parser must hold for any bytes.
fn all_hold(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(token) = text.parse::<Token>() {
        assert_eq!(token.to_string().parse(), Ok(token));
    }
    let errors = [
        text.parse::<Token>().err().map(|error| error.to_string()),
        config::parse(&text).err(),
        FailureFile::parse(bytes).err(),
        SpeedupBaseline::parse(bytes).err(),
        protocol::parse(bytes).err(),
        journal_format::scan(bytes).err().map(|error| error.to_string()),
    ];
    for why in errors.into_iter().flatten() {
        assert!(!why.is_empty() && why.len() < 3000 && !why.contains('\n'), "{why:?}");
    }
    if let Ok(file) = FailureFile::parse(bytes) {
        let again = FailureFile::parse(&serde_json::to_vec(&file).expect("JSON"));
        assert_eq!(again, Ok(file));
    }
    if let Ok(plan) = serde_json::from_slice::<PlanDocument>(bytes) {
        assert_eq!(serde_json::from_str::<PlanDocument>(&plan.to_json()).expect("a plan"), plan);
        // Whether it can be followed or not, it is said.
        let _ = plan.check();
    }
    if let Ok(baseline) = SpeedupBaseline::parse(bytes) {
        let again = SpeedupBaseline::parse(&serde_json::to_vec(&baseline).expect("JSON"));
        assert_eq!(again, Ok(baseline));
    }
    if let Ok(scan) = journal_format::scan(bytes) {
        assert!(scan.end as usize <= bytes.len());
        assert_eq!(scan.lost.is_none(), scan.end as usize == bytes.len());
        let believed = journal_format::scan(&bytes[..scan.end as usize]).expect("a journal");
        assert_eq!((believed.header, believed.records, believed.lost), (scan.header, scan.records, None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn bytes_without_sense(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        all_hold(&bytes);
    }

    #[test]
    fn text_that_looks_like_json(text in "[\\[\\]{}:,\"0-9eE.+\\-nulltrue\\\\ ]{0,200}") {
        all_hold(text.as_bytes());
    }

    #[test]
    fn text_that_looks_like_a_token(text in "[0-9a-f]{0,21}(:[0-9a-f+ ]{0,21}){0,4}") {
        all_hold(text.as_bytes());
    }

    #[test]
    fn changed_plans(changes in mutations()) {
        all_hold(&mutated(plan().to_string().as_bytes(), &changes));
    }

    #[test]
    fn changed_failure_files(changes in mutations()) {
        all_hold(&mutated(failure().to_string().as_bytes(), &changes));
    }

    #[test]
    fn changed_baselines(changes in mutations()) {
        all_hold(&mutated(baseline().to_string().as_bytes(), &changes));
    }

    #[test]
    fn changed_configurations(changes in mutations()) {
        all_hold(&mutated(CONFIG.as_bytes(), &changes));
    }

    #[test]
    fn changed_messages(which in any::<Index>(), changes in mutations()) {
        let messages = examples("to_jostle.jsonl");
        all_hold(&mutated(messages[which.index(messages.len())].to_string().as_bytes(), &changes));
    }

    #[test]
    fn changed_journals(changes in mutations()) {
        all_hold(&mutated(&written_journal().0, &changes));
    }

    /// A record whose sum is right may still be of nothing that was run.
    #[test]
    fn records_of_other_things(changes in mutations()) {
        let (plan, trial) = trial(0);
        let record = serde_json::to_vec(&Record::new(&plan, How::Fresh, &trial)).expect("JSON");
        if let Ok(record) = serde_json::from_slice::<Record>(&mutated(&record, &changes))
            && let Some(read) = record.trial(&plan)
        {
            let planned: Vec<_> = read.executions.iter().map(|run| run.test).collect();
            prop_assert_eq!(&planned, &plan.workers[0]);
        }
    }
}

#[test]
fn what_is_valid_is_read() {
    let bytes = |value: &Value| serde_json::to_vec(value).expect("JSON");
    assert!(FailureFile::parse(&bytes(&failure())).is_ok());
    assert!(SpeedupBaseline::parse(&bytes(&baseline())).is_ok());
    assert_eq!(serde_json::from_value::<PlanDocument>(plan()).expect("a plan").check(), Ok(()));
    let config = config::parse(CONFIG).expect("a configuration").expect("a table");
    assert_eq!(config.seed, Some(3.into()));
    for message in examples("to_jostle.jsonl") {
        assert!(protocol::parse(&bytes(&message)).is_ok(), "{message}");
    }
    let (plan, trial) = trial(2);
    let record = Record::new(&plan, How::Plain, &trial);
    let read: Record =
        journal_format::parse(&journal_format::line(&record).expect("a line")).expect("a record");
    assert_eq!(read.trial(&plan), Some(trial.clone()));
    let shorter = Plan { workers: vec![vec![TestIndex(0)]], ..plan };
    assert_eq!(record.trial(&shorter), None);
}

#[test]
fn a_journal_cut_at_any_byte_loses_no_more_than_the_line_that_was_cut() {
    let (bytes, ends) = written_journal();
    for cut in 0..=bytes.len() {
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        match journal_format::scan(&bytes[..cut]) {
            Err(_) => assert_eq!(whole, 0, "{cut}"),
            Ok(scan) => {
                assert_eq!(scan.header, header());
                assert_eq!(scan.records.len(), whole - 1, "{cut}");
                assert_eq!(scan.end as usize, ends[whole - 1], "{cut}");
                let lost = scan.lost.map(|lost| (lost.line, lost.following));
                assert_eq!(lost, (!ends.contains(&cut)).then_some((whole as u64 + 1, 0)), "{cut}");
            }
        }
    }
}

#[test]
fn a_journal_damaged_at_any_byte_is_believed_up_to_there() {
    let (bytes, ends) = written_journal();
    for at in 0..bytes.len() {
        for change in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= change;
            let before = ends.iter().filter(|&&end| end <= at).count();
            match journal_format::scan(&*damaged) {
                Err(_) => assert_eq!(before, 0, "{at}"),
                Ok(scan) => {
                    assert_eq!(
                        (scan.records.len(), scan.end as usize),
                        (before - 1, ends[before - 1]),
                        "{at}"
                    );
                    assert_eq!(scan.lost.expect("a loss").line, before as u64 + 1, "{at}");
                    let keys: Vec<Key> =
                        (0..before as u64 - 1).map(|index| Key::new(&trial(index).0, How::Plain)).collect();
                    assert_eq!(scan.records.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), keys);
                }
            }
        }
    }
}
