//! The history on disk: for each session that is kept a file, JSON lines with sums as those of a journal. These files
//! are the truth; the index over them ([`history_index`](super::history_index)) can be made anew at any time.
//!
//! A file is written by one session alone, a line at a time while that works, so that what is in it survives whatever
//! ends the session; one that goes on with [`--resume`](super::journal_file) goes on with its file as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::finding::Origin;
use crate::finding::left_unjudged::{LeftFailure, LeftUnjudged};
use crate::formats::HISTORY;
use crate::judge::signature::FailureLocation;
use crate::parse::reason;
use crate::plan::{Plan, Seed};
use crate::record::journal_format::{digest, line, parse};
use crate::suite::{Fingerprint, Suite, TestIndex};
use crate::trial::{Outcome, Trial};

/// The ending of the files' names.
pub(crate) const EXTENSION: &str = "jsonl";
/// How long what was written may stay in the system's memory only, which only a crash of the machine loses.
const SYNC: Duration = Duration::from_secs(1);

/// Why the history cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A file or the folder cannot be read or written.
    #[error("cannot {what} the history, {}: {source}. Give a folder that can be read and written with --history DIR", path.display())]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process writes a session's file.
    #[error("another jostle writes {}: wait for its end", .0.display())]
    InUse(PathBuf),
    /// The index cannot be used.
    #[error("cannot use the index {}: {why}. What it says is in the files beside it: make it anew with jostle history --rebuild", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A later jostle made the index.
    #[error("the index {} is of version {version}, and this jostle knows {known}: use the jostle that made it, or make it anew with jostle history --rebuild", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The latest one that is known.
        known: u32,
    },
}

/// How a session's file begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// [`HISTORY`].
    pub schema: String,
    /// The session's name, by which it is told from all others.
    pub night: String,
    /// When it started, in milliseconds since 1970 (UTC).
    pub started: u64,
    /// jostle's version.
    pub jostle: String,
    /// The seed.
    pub seed: Seed,
    /// The commit of the project, if it is in git.
    pub revision: Option<String>,
    /// The suite.
    pub fingerprint: Fingerprint,
    /// Its tests; numbers in entries are of this list.
    pub tests: Vec<String>,
}

/// One thing that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// A trial, or a run of the baseline.
    Trial(TrialEntry),
    /// The session's end. One that goes on has another.
    Ended(Ended),
}

/// What a trial showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialEntry {
    /// Which.
    pub origin: Origin,
    /// The digest of its plan, as in a journal.
    pub plan: String,
    /// How long it took.
    pub nanoseconds: u64,
    /// Its tests, worker by worker in their order.
    pub runs: Vec<TestRun>,
}

/// A test's run: worker, test, verdict, nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRun(pub u32, pub u32, pub Verdict, pub u64);

/// What a test came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It passed. Version 0.1.0 wrote this also of a test that failed as expected.
    Passed,
    /// It was skipped, or failed as is expected of it: whether what was found of it is still there, nobody knows.
    Skipped,
    /// It failed.
    Failed,
    /// It was ended for its time limit.
    Timeout,
    /// Its process ended.
    Crashed,
    /// It was not started.
    NotRun,
}

impl Verdict {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::Crashed => "crashed",
            Self::NotRun => "not-run",
        }
    }
}

impl From<&Outcome> for Verdict {
    fn from(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Skipped | Outcome::Xfailed => Self::Skipped,
            Outcome::Failed(_) => Self::Failed,
            Outcome::Timeout { .. } => Self::Timeout,
            Outcome::Crashed { .. } => Self::Crashed,
            Outcome::NotRun { .. } => Self::NotRun,
        }
    }
}

/// What a session came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// Whether it ended by itself; else it was interrupted.
    pub whole: bool,
    /// What was found.
    pub findings: Vec<FoundEntry>,
    /// What was seen to fail and not judged, the first of it. Version 0.1.0 wrote none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<UnjudgedEntry>,
}

/// A failure that was not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnjudgedEntry {
    /// The test, by its number in the head's list.
    pub test: TestIndex,
    /// How it failed.
    pub crash: FailureLocation,
    /// The plan that showed it; its tests are numbers in the head's list.
    pub plan: Plan,
}

/// A finding, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundEntry {
    /// The name of its kind.
    pub kind: String,
    /// The test; none for what concerns the whole suite.
    pub test: Option<String>,
    /// The finding in one line.
    #[serde(rename = "told")]
    pub summary: String,
    /// Whether it counts as an isolation failure.
    pub counts: bool,
    /// Whether it was known.
    pub known: bool,
}

impl TrialEntry {
    /// What is kept of a trial.
    pub fn new(origin: Origin, plan: &Plan, trial: &Trial) -> Self {
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let run = |run: &crate::trial::Execution| {
            TestRun(run.worker.0, run.test.0, (&run.outcome).into(), nanoseconds(run.duration))
        };
        Self {
            origin,
            plan: digest(&serde_json::to_vec(plan).unwrap_or_default()),
            nanoseconds: nanoseconds(trial.duration),
            runs: trial.executions.iter().map(run).collect(),
        }
    }
}

impl Head {
    /// The head of a session of this suite.
    pub fn new(night: &str, seed: Seed, revision: Option<String>, suite: &Suite) -> Self {
        Self {
            schema: HISTORY.into(),
            night: night.into(),
            started: milliseconds(SystemTime::now()),
            jostle: env!("CARGO_PKG_VERSION").into(),
            seed,
            revision,
            fingerprint: suite.fingerprint.clone(),
            tests: suite.tests.iter().map(|test| test.id.to_string()).collect(),
        }
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A name for a session that starts now; no two have the same.
pub(crate) fn name(now: SystemTime, seed: Seed) -> String {
    let time = humantime::format_rfc3339_seconds(now).to_string();
    let compact: String = time.chars().filter(|letter| !"-:".contains(*letter)).collect();
    format!("{compact}-{}-{:04x}", seed.0, rand::random::<u16>())
}

/// A session's file, to be written. No other process can write it meanwhile.
#[derive(Debug)]
pub struct NightFile {
    path: PathBuf,
    file: File,
    end: u64,
    /// How many trials of each origin and plan it has that the session was not told of yet.
    before: BTreeMap<String, u32>,
    synced: Instant,
}

impl NightFile {
    /// Begins the file of a session, or goes on with it.
    ///
    /// # Errors
    /// It cannot be written, or another process writes it.
    pub fn begin(folder: &Path, head: &Head) -> Result<Self, HistoryError> {
        let path = folder.join(&head.night).with_extension(EXTENSION);
        let io = |source| HistoryError::Io { what: "write", path: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(io)?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(HistoryError::InUse(path));
        }
        let mut before: BTreeMap<String, u32> = BTreeMap::new();
        let there = read(&path, 0).ok().filter(|there| there.head.is_some());
        let end = match there {
            Some(there) => {
                for entry in &there.entries {
                    if let Entry::Trial(trial) = entry {
                        *before.entry(key(trial)).or_default() += 1;
                    }
                }
                file.set_len(there.end).map_err(io)?;
                there.end
            }
            None => {
                let first = line(head).map_err(|error| io(error.into()))?;
                file.set_len(0).and_then(|()| file.write_all_at(&first, 0)).map_err(io)?;
                file.sync_data().map_err(io)?;
                first.len() as u64
            }
        };
        Ok(Self { path, file, end, before, synced: Instant::now() })
    }

    /// Adds an entry; a trial that is there from before the session was ended is not there twice.
    ///
    /// # Errors
    /// It cannot be written; the file then ends with the entry before.
    pub fn add(&mut self, entry: &Entry) -> Result<(), HistoryError> {
        if let Entry::Trial(trial) = entry
            && let Some(before) = self.before.get_mut(&key(trial)).filter(|before| **before > 0)
        {
            *before -= 1;
            return Ok(());
        }
        let written = line(entry).map_err(io::Error::from).and_then(|line| {
            self.file.write_all_at(&line, self.end)?;
            if self.synced.elapsed() >= SYNC || matches!(entry, Entry::Ended(_)) {
                self.synced = Instant::now();
                self.file.sync_data()?;
            }
            Ok(line.len() as u64)
        });
        let added = written.map_err(|source| {
            // Where this fails as well, the reader drops the line that was cut short.
            let _ = self.file.set_len(self.end);
            HistoryError::Io { what: "write", path: self.path.clone(), source }
        })?;
        self.end += added;
        Ok(())
    }
}

fn key(trial: &TrialEntry) -> String {
    format!("{} {}", serde_json::to_string(&trial.origin).unwrap_or_default(), trial.plan)
}

/// What is in a session's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// How it begins; none if it is no file of the history.
    pub head: Option<Head>,
    /// What follows.
    pub entries: Vec<Entry>,
    /// Where what is believed ends.
    pub end: u64,
    /// What is wrong with what comes after that.
    pub lost: Option<String>,
}

/// Reads a session's file: its head, and all that follows or what is there from a place where an entry starts. A line
/// that is cut short or damaged ends what is believed.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path, from: u64) -> Result<Read, HistoryError> {
    let io = |source| HistoryError::Io { what: "read", path: path.to_owned(), source };
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut found = Read { head: None, entries: Vec::new(), end: 0, lost: None };
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if reader.read_until(b'\n', &mut bytes).map_err(io)? == 0 {
            return Ok(found);
        }
        let taken = if found.end == 0 {
            parse::<Head>(&bytes).and_then(known).map(|head| found.head = Some(head))
        } else {
            parse::<Entry>(&bytes).map(|entry| found.entries.push(entry))
        };
        if let Err(why) = taken {
            found.lost = Some(why);
            return Ok(found);
        }
        found.end += bytes.len() as u64;
        if found.end < from && found.entries.is_empty() {
            found.end = reader.seek(SeekFrom::Start(from)).map_err(io)?;
        }
    }
}

fn known(head: Head) -> Result<Head, String> {
    if head.schema == HISTORY {
        return Ok(head);
    }
    Err(reason(&format!("it says that it is {}, and this jostle reads {HISTORY}", head.schema)))
}

/// The files of the sessions in a folder, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>, HistoryError> {
    let io = |source| HistoryError::Io { what: "read", path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The tests that failed in a run of the last session of a folder, by node id; none where there was no session.
///
/// # Errors
/// The folder, or that session's file, cannot be read.
pub(crate) fn last_failed(folder: &Path) -> Result<BTreeSet<String>, HistoryError> {
    let last = if folder.is_dir() { files(folder)?.pop() } else { None };
    let Some(last) = last else { return Ok(BTreeSet::new()) };
    let Read { head, entries, .. } = read(&last, 0)?;
    let tests = head.map(|head| head.tests).unwrap_or_default();
    let runs = entries.into_iter().flat_map(|entry| match entry {
        Entry::Trial(trial) => trial.runs,
        Entry::Ended(_) => Vec::new(),
    });
    let failed = runs.filter(|run| matches!(run.2, Verdict::Failed | Verdict::Timeout | Verdict::Crashed));
    Ok(failed.filter_map(|run| tests.get(run.1 as usize).cloned()).collect())
}

/// What the last session of a folder left unjudged, another than the one that is named.
///
/// # Errors
/// The folder, or that session's file, cannot be read.
pub(crate) fn left_unjudged(folder: &Path, other_than: &str) -> Result<LeftUnjudged, HistoryError> {
    let own = |file: &PathBuf| file.file_stem().is_some_and(|name| name == other_than);
    let Some(last) = files(folder)?.into_iter().rfind(|file| !own(file)) else {
        return Ok(LeftUnjudged::default());
    };
    let Read { head, entries, .. } = read(&last, 0)?;
    let ended = entries.into_iter().rev().find_map(|entry| match entry {
        Entry::Ended(ended) => Some(ended),
        Entry::Trial(_) => None,
    });
    let failure = |UnjudgedEntry { test, crash, plan }| LeftFailure { test, crash, plan };
    let failures = ended.into_iter().flat_map(|ended| ended.unjudged).map(failure).collect();
    Ok(LeftUnjudged { tests: head.map(|head| head.tests).unwrap_or_default(), failures })
}
