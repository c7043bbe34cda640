//! `--history`: a session whose trials are kept in the history as they end.

use std::path::{Path, PathBuf};

use crate::finding::Finding;
use crate::plan::Seed;
use crate::record::history_file::{Ended, Entry, FoundEntry, Head, HistoryError, NightFile, TrialEntry};
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
    tell: fn(&str),
}

impl HistoryRecorder {
    /// Keeps a session, if that is wanted.
    pub(crate) fn new(keep: Option<Keep>, tell: fn(&str)) -> Self {
        Self { keep, file: None, tell }
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
        self.add(|| Entry::Ended(Ended { whole: !outline.interrupted && outline.error.is_none(), findings }));
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
