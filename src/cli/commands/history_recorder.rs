//! `--history`: a session whose trials are kept in the history as they end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::finding::left_unjudged::LeftUnjudged;
use crate::finding::{Finding, Origin};
use crate::judge::Signature;
use crate::limits::LEFT_FAILURES;
use crate::plan::{Plan, Seed};
use crate::record::history_file::{
    Ended, Entry, FoundEntry, Head, HistoryError, NightFile, TrialEntry, UnjudgedEntry,
};
use crate::report::words;
use crate::session::{Event, Reporter, SessionResult};
use crate::suite::Suite;

/// Where a session is kept, and under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Keep {
    /// The folder of the history.
    pub(crate) folder: PathBuf,
    /// The session's name.
    pub(crate) night: String,
    /// The seed.
    pub(crate) seed: Seed,
    /// The commit of the project, if it is in git.
    pub(crate) revision: Option<String>,
}

/// Keeps trials and what they came to. A history that cannot be written costs no more than itself.
pub(crate) struct HistoryRecorder {
    keep: Option<Keep>,
    file: Option<NightFile>,
    /// What the session before left unjudged.
    left: LeftUnjudged,
    /// The plans of it that were run.
    ran_left: Vec<Plan>,
    tell: fn(&str),
}

impl HistoryRecorder {
    /// Keeps a session, if that is wanted. `left` is what the one before left unjudged.
    pub(crate) fn new(keep: Option<Keep>, left: LeftUnjudged, tell: fn(&str)) -> Self {
        Self { keep, file: None, left, ran_left: Vec::new(), tell }
    }

    /// Keeps what the session came to.
    fn ended(&mut self, outline: &SessionResult) {
        let suite = &outline.collected.suite;
        let found = |finding: &Finding| FoundEntry {
            kind: finding.kind.name().into(),
            test: finding.test.map(|test| suite.test(test).id.to_string()),
            summary: words::in_short(finding, suite),
            counts: finding.kind.is_isolation_failure(),
            known: finding.known.is_some(),
        };
        let findings = outline.findings.iter().map(found).collect();
        let unjudged = self.unjudged(outline);
        let whole = !outline.interrupted && outline.error.is_none();
        self.add(|| Entry::Ended(Ended { whole, findings, unjudged }));
    }

    /// What the next session is to look into first: what was not judged in this one, and what the one before had left and
    /// was not run.
    fn unjudged(&self, outline: &SessionResult) -> Vec<UnjudgedEntry> {
        let suspects = outline.unjudged.iter();
        let here = suspects.map(|suspect| (suspect.signature.clone(), suspect.plan.clone()));
        let left = self.left.in_suite(&outline.collected.suite).into_iter();
        let not_run = left.filter(|(signature, plan)| {
            let is_judged = outline.left_out.contains(&signature.test);
            !is_judged && !self.ran_left.contains(&plan.without(&outline.left_out))
        });
        let mut seen = BTreeSet::new();
        let first = here.chain(not_run).filter(|(signature, _)| seen.insert(signature.clone()));
        let entry = |(Signature { test, crash }, plan)| UnjudgedEntry { test, crash, plan };
        first.map(entry).take(LEFT_FAILURES).collect()
    }

    fn begin(&mut self, suite: &Suite) {
        if let Some(Keep { folder, night, seed, revision }) = self.keep.take() {
            let file = NightFile::begin(&folder, &Head::new(&night, seed, revision, suite));
            self.file = self.or_tell(file);
        }
    }

    fn add(&mut self, entry: impl FnOnce() -> Entry) {
        if let Some(file) = &mut self.file {
            let added = file.add(&entry());
            if self.or_tell(added).is_none() {
                self.file = None;
            }
        }
    }

    fn or_tell<T>(&self, done: Result<T, HistoryError>) -> Option<T> {
        done.map_err(|error| {
            (self.tell)(&format!("{error}. The session goes on, and is not kept any further"))
        })
        .ok()
    }
}

impl Reporter for HistoryRecorder {
    fn notice(&mut self, suite: &Suite, event: &Event<'_>) {
        match event {
            Event::Finished { origin, plan, trial } => {
                if let Origin::LeftOver(_) = origin {
                    self.ran_left.push((*plan).clone());
                }
                self.begin(suite);
                self.add(|| Entry::Trial(TrialEntry::new(*origin, plan, trial)));
            }
            Event::Ended(result) => {
                self.begin(suite);
                self.ended(result);
            }
            _ => {}
        }
    }
}

/// The folder of the history, made now, so that it is not found out after an hour of trials that it cannot be.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make_folder(folder: &Path) -> Result<(), HistoryError> {
    std::fs::create_dir_all(folder).map_err(|source| HistoryError::Io {
        what: "write",
        path: folder.to_owned(),
        source,
    })
}
