//! The form of a journal, whose file is written in `record::journal_file`: every run of a session as it ends, so that a
//! session which died can go on.
//!
//! JSON lines, each `{"sum":"…","record":…}`: the sum is the first 16 hexadecimal digits of the SHA-256 over
//! the record's bytes. The first record is a [`Header`], every other a [`Record`]. A line that is cut short
//! or damaged ends what is believed: nothing after it is read.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::formats::JOURNAL;
use crate::parse::reason;
use crate::plan::{Plan, Seed, TrialIndex, WorkerId};
use crate::race::{Step, Touched};
use crate::record::journal_changed::ChangedRecord;
use crate::run::engine::Surroundings;
use crate::run::process::plain::PlainRun;
use crate::state::{Changed, Instructions};
use crate::suite::{Fingerprint, TestIndex};
use crate::trial::{Execution, Leftover, Outcome, Trial};

const BEFORE_SUM: &[u8] = b"{\"sum\":\"";
const AFTER_SUM: &[u8] = b"\",\"record\":";
const SUM: usize = 16;

/// What the runs of a journal depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`JOURNAL`].
    pub schema: String,
    /// jostle's version: another one may take other steps.
    pub jostle: String,
    /// The name of the session in the history, which it keeps when it goes on.
    #[serde(default)]
    pub night: String,
    /// The session's seed.
    pub seed: Seed,
    /// The options that decide plans and outcomes, as a user would type their values.
    pub options: BTreeMap<String, String>,
    /// Python's version.
    pub python: String,
    /// pytest's version.
    pub pytest: String,
    /// Plugins with their versions.
    pub plugins: Vec<String>,
    /// The collected tests; numbers of tests in records are of this suite.
    pub fingerprint: Fingerprint,
    /// The content of the files that hold them and of their conftest files, as
    /// [`sources`](super::journal_file::sources) makes it.
    pub sources: String,
}

/// How a plan was run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// As the engine does it.
    Plain,
    /// In processes started for it alone.
    Fresh,
    /// As `fresh`, with the machine's network.
    HostNetwork,
    /// As `plain`, with a note of what the tests touch.
    Recorded,
    /// By plain pytest, without a plan: with these arguments.
    Command,
}

/// What tells which run of a session a record is of. A session may run the same plan in the same way
/// several times; the records of these are in the order of the runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// [`digest`] of the plan's JSON; of a command that of its arguments and what surrounds it.
    pub plan: String,
    /// How it was run.
    pub how: How,
    /// What else decides what it shows: [`digest`]s of what its workers were told to do before their last test, and
    /// of what sets the copy of the project in which it was run apart. Empty for neither.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub besides: String,
}

/// One run of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Which.
    pub key: Key,
    /// The trial its plan is of; 0 for the baseline's, too.
    pub index: TrialIndex,
    /// Nanoseconds of the whole run.
    pub nanoseconds: u64,
    /// How many processes it started.
    pub processes: u32,
    /// Its tests, as in [`Trial::executions`].
    pub runs: Vec<Run>,
    /// What it left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leftovers: Vec<Leftover>,
    /// What the workers of a controlled trial did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// How long each of them was held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Duration>,
    /// What its tests touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<Touched>,
    /// What its tests before the last one have changed, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<ChangedRecord>,
    /// Of a command: the line that a user would type, and what it showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<(String, PlainRun)>,
}

/// A test of a run: worker, process of it, test, what became of it, and nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run(pub WorkerId, pub u32, pub TestIndex, pub Outcome, pub u64);

impl Key {
    /// The key of a plan's runs.
    pub fn new(plan: &Plan, how: How) -> Self {
        Self { plan: digest_of(plan), how, besides: String::new() }
    }

    /// The key of runs of plain pytest with these arguments.
    pub fn of_command(arguments: &[String], surroundings: Surroundings) -> Self {
        let plan = match surroundings {
            Surroundings::Trial { hash_seed } => digest_of(&(arguments, hash_seed)),
            Surroundings::UsersVariables => digest_of(&(arguments, "user's variables")),
            Surroundings::Users => digest_of(&(arguments, "user's surroundings")),
        };
        Self { plan, how: How::Command, besides: String::new() }
    }

    /// The key of runs that something else decides as well; nothing is changed if nothing does.
    #[must_use]
    pub fn besides(self, copy: Option<&str>, instructions: Option<&Instructions>) -> Self {
        let none = copy.is_none() && instructions.is_none();
        Self { besides: if none { String::new() } else { digest_of(&(copy, instructions)) }, ..self }
    }
}

impl Record {
    /// The record of a trial.
    pub fn new(plan: &Plan, how: How, trial: &Trial) -> Self {
        Self::of(Key::new(plan, how), plan, trial)
    }

    /// The record of a trial whose key says more than its plan.
    pub fn of(key: Key, plan: &Plan, trial: &Trial) -> Self {
        let run = |run: &Execution| {
            Run(run.worker, run.process, run.test, run.outcome.clone(), nanoseconds(run.duration))
        };
        Self {
            key,
            index: plan.index,
            nanoseconds: nanoseconds(trial.duration),
            processes: trial.processes,
            runs: trial.executions.iter().map(run).collect(),
            leftovers: trial.leftovers.clone(),
            steps: trial.steps.clone(),
            held: trial.held.clone(),
            touched: trial.touched.clone(),
            changed: trial.changed.as_ref().map(ChangedRecord::from),
            command: None,
        }
    }

    /// The record of a run of plain pytest.
    pub fn of_command(key: Key, line: &str, run: &PlainRun) -> Self {
        Self {
            key,
            index: TrialIndex(0),
            nanoseconds: 0,
            processes: 1,
            runs: Vec::new(),
            leftovers: Vec::new(),
            steps: Vec::new(),
            held: Vec::new(),
            touched: Vec::new(),
            changed: None,
            command: Some((line.to_owned(), run.clone())),
        }
    }

    /// The trial, if it is one of this plan: each test of each worker once for each time it is in the
    /// plan, in the plan's order.
    pub fn trial(self, plan: &Plan) -> Option<Trial> {
        let planned = (0..)
            .zip(&plan.workers)
            .flat_map(|(worker, list)| list.iter().map(move |&test| (WorkerId(worker), test)));
        let execution = |Run(worker, process, test, outcome, took)| Execution {
            worker,
            process,
            test,
            outcome,
            duration: Duration::from_nanos(took),
        };
        planned.eq(self.runs.iter().map(|run| (run.0, run.2))).then(|| Trial {
            executions: self.runs.into_iter().map(execution).collect(),
            duration: Duration::from_nanos(self.nanoseconds),
            processes: self.processes,
            leftovers: self.leftovers,
            steps: self.steps,
            held: self.held,
            touched: self.touched,
            changed: self.changed.map(Changed::from),
        })
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn digest_of(value: &impl Serialize) -> String {
    digest(&serde_json::to_vec(value).unwrap_or_default())
}

/// The first 16 hexadecimal digits of the SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(SUM / 2).map(|byte| format!("{byte:02x}")).collect()
}

/// A line, its newline included.
///
/// # Errors
/// The record has no JSON form.
pub fn line(record: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let record = serde_json::to_vec(record)?;
    Ok([BEFORE_SUM, digest(&record).as_bytes(), AFTER_SUM, &record, b"}\n"].concat())
}

/// Reads a line.
///
/// # Errors
/// It is cut short or damaged, or holds something else; the text says which.
pub fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    let parts = line.strip_suffix(b"}\n").and_then(|line| line.strip_prefix(BEFORE_SUM));
    let parts = parts.and_then(|rest| rest.split_at_checked(SUM));
    let Some((sum, Some(record))) = parts.map(|(sum, rest)| (sum, rest.strip_prefix(AFTER_SUM))) else {
        return Err(
            if line.ends_with(b"\n") { "it is no line of a journal" } else { "it is cut short" }.into()
        );
    };
    if sum != digest(record).as_bytes() {
        return Err("its content does not match its sum".into());
    }
    serde_json::from_slice(record).map_err(|error| reason(&error.to_string()))
}

/// What was found in a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// What the runs depend on.
    pub header: Header,
    /// The key of each record, and where its line starts and ends.
    pub records: Vec<(Key, std::ops::Range<u64>)>,
    /// Where what is believed ends.
    pub end: u64,
    /// What comes after that.
    pub lost: Option<Lost>,
}

/// What cannot be read of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The 1-based number of the first bad line.
    pub line: u64,
    /// What is wrong with it.
    pub why: String,
    /// How many lines follow it.
    pub following: u64,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} is dropped ({})", self.line, self.why)?;
        match self.following {
            0 => Ok(()),
            1 => f.write_str(", and the line after it"),
            lines => write!(f, ", and the {lines} lines after it"),
        }
    }
}

/// Reads a journal up to the first bad line. No more than one line is held at a time.
///
/// # Errors
/// Its first line is no header of this version, or it cannot be read.
pub fn scan(mut reader: impl BufRead) -> Result<Scan, ScanError> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    let header = header(&line).map_err(ScanError::Header)?;
    let mut scan = Scan { header, records: Vec::new(), end: line.len() as u64, lost: None };
    let mut number = 1;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(scan);
        }
        number += 1;
        match (&mut scan.lost, parse::<Record>(&line)) {
            (Some(lost), _) => lost.following += 1,
            (lost @ None, Err(why)) => *lost = Some(Lost { line: number, why, following: 0 }),
            (None, Ok(record)) => {
                let start = scan.end;
                scan.end += line.len() as u64;
                scan.records.push((record.key, start..scan.end));
            }
        }
    }
}

/// Why a file is no journal.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// Its first line is no header.
    #[error("{0}")]
    Header(String),
}

pub(super) fn header(line: &[u8]) -> Result<Header, String> {
    #[derive(Deserialize)]
    struct Named {
        schema: String,
    }
    if line.is_empty() {
        return Err("it is empty".into());
    }
    let why = |why: String| format!("its first line is no header: {why}");
    let Named { schema } = parse(line).map_err(why)?;
    if schema != JOURNAL {
        return Err(reason(&format!("it says that it is {schema}, and this jostle reads {JOURNAL}")));
    }
    parse(line).map_err(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Imports, Interleaving, Mode, OrderKind};

    fn plan() -> Plan {
        Plan {
            seed: Seed(1),
            index: TrialIndex(2),
            order: OrderKind::Explicit,
            mode: Mode::No,
            workers: vec![vec![TestIndex(0)]],
            interleaving: Interleaving::Free,
            hash_seed: 3,
            random_seed: 4,
            imports: Imports::All,
        }
    }

    #[test]
    fn a_record_from_before_more_was_recorded_is_read_and_a_trial_is_written_as_before() {
        let key = Key::new(&plan(), How::Fresh);
        let then = format!(
            r#"{{"key":{{"plan":"{}","how":"fresh"}},"index":2,"nanoseconds":5,"processes":1,"runs":[[0,0,0,"passed",7]]}}"#,
            key.plan
        );
        let record: Record = serde_json::from_str(&then).unwrap();
        assert_eq!(record.key, key);
        let trial = record.clone().trial(&plan()).unwrap();
        assert_eq!(trial.changed, None);
        assert_eq!(Record::new(&plan(), How::Fresh, &trial), record);
        assert_eq!(serde_json::to_string(&record).unwrap(), then);
    }

    #[test]
    fn what_workers_are_told_and_the_copy_they_run_in_tell_runs_of_one_plan_apart() {
        let key = || Key::new(&plan(), How::Plain);
        let watch = Instructions::default();
        let restore = Instructions { restore: vec!["shop.STATE".into()], ..Instructions::default() };
        let keys = [
            key(),
            key().besides(None, Some(&watch)),
            key().besides(None, Some(&restore)),
            key().besides(Some(""), None),
            key().besides(Some("a"), None),
            key().besides(Some("a"), Some(&watch)),
            Key::of_command(&["a".into()], Surroundings::Trial { hash_seed: None }),
            Key::of_command(&["a".into()], Surroundings::Trial { hash_seed: Some(0) }),
            Key::of_command(&["a".into()], Surroundings::UsersVariables),
            Key::of_command(&["a".into()], Surroundings::Users),
            Key::of_command(&["a".into(), "b".into()], Surroundings::Trial { hash_seed: None }),
        ];
        let distinct: std::collections::BTreeSet<&Key> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(key().besides(None, None), key());
    }
}
