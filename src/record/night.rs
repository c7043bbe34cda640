//! A night that is run in shards: its plan file, and one result file for each trial.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::formats::{SHARD_PLAN, SHARD_RESULT};
use crate::parse::reason;
use crate::plan::{Axes, Seed, TrialIndex};
use crate::record::journal_format::{Record, digest, line, parse};
use crate::record::{RecordError, atomic_file};
use crate::suite::Fingerprint;

const MOST_BYTES: u64 = 256 << 20;

/// What all shards of a night do. It is not changed once it is written: its hash is its identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShardPlan {
    /// [`SHARD_PLAN`].
    pub(crate) schema: String,
    /// jostle's version.
    pub(crate) jostle: String,
    /// The seed.
    pub(crate) seed: Seed,
    /// How many trials there are.
    pub(crate) trials: u64,
    /// Into how many shards they are meant to be split, if that was said.
    pub(crate) shards: Option<u32>,
    /// What is varied.
    pub(crate) axes: Axes,
    /// What pytest is given.
    pub(crate) pytest_args: Vec<String>,
    /// What the plans are made of: the suite's `plan_fingerprint`.
    pub(crate) fingerprint: Fingerprint,
    /// How many tests it has.
    pub(crate) tests: usize,
    /// Python's version.
    pub(crate) python: String,
    /// pytest's version.
    pub(crate) pytest: String,
    /// The commit of the project, if it is in git.
    pub(crate) revision: Option<String>,
}

/// One trial's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrialResult {
    /// [`SHARD_RESULT`].
    pub(crate) schema: String,
    /// The identity of the night's plan.
    pub(crate) plan: String,
    /// Which trial.
    pub(crate) index: TrialIndex,
    /// Of how many shards the one was that ran it.
    pub(crate) of: u32,
    /// What it showed.
    pub(crate) record: Record,
}

impl ShardPlan {
    /// The identity: a hash of all that the plan says.
    pub(crate) fn identity(&self) -> String {
        digest(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), RecordError> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        atomic_file::write(path, &text).map_err(|source| io("write", path, source))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no plan of a night.
    pub(crate) fn read(path: &Path) -> Result<Self, RecordError> {
        let bytes = atomic_file::read(path, MOST_BYTES).map_err(|source| io("read", path, source))?;
        let night: Result<Self, _> = serde_json::from_slice(&bytes);
        let why = match night {
            Ok(night) if night.schema == SHARD_PLAN && night.trials > 0 => return Ok(night),
            Ok(night) if night.schema != SHARD_PLAN => format!("it says that it is {:?}", night.schema),
            Ok(_) => "it has no trials".into(),
            Err(error) => error.to_string(),
        };
        Err(RecordError::ShardPlan { path: path.display().to_string(), why: reason(&why) })
    }
}

impl TrialResult {
    /// The file of a trial in a folder of results.
    pub(crate) fn path(folder: &Path, index: u64) -> PathBuf {
        folder.join(format!("trial-{index:06}.json"))
    }

    /// Writes the file: under a temporary name that is then changed, so that it is whole or not there.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), RecordError> {
        let path = Self::path(folder, self.index.0);
        let text = line(self).unwrap_or_default();
        atomic_file::write(&path, &text).map_err(|source| io("write", &path, source))
    }

    /// Reads a file; none if it is damaged.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, RecordError> {
        let bytes = atomic_file::read(path, MOST_BYTES).map_err(|source| io("read", path, source))?;
        Ok(parse::<Self>(&bytes).ok().filter(|result| result.schema == SHARD_RESULT))
    }
}

fn io(what: &'static str, path: &Path, source: std::io::Error) -> RecordError {
    RecordError::Io { what, path: path.display().to_string(), source }
}

/// The union of results: for each trial all that differ in what its tests came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merged {
    trials: BTreeMap<u64, Vec<TrialResult>>,
}

impl Merged {
    /// Takes a result in; one that says what another did adds nothing.
    pub(crate) fn add(&mut self, result: TrialResult) {
        let known = self.trials.entry(result.index.0).or_default();
        let same = |other: &TrialResult| {
            let outcomes = |result: &TrialResult| {
                let runs = result.record.runs.iter();
                runs.map(|run| (run.0, run.2, crate::judge::Signature::of(run.2, &run.3))).collect::<Vec<_>>()
            };
            outcomes(other) == outcomes(&result)
        };
        if !known.iter().any(same) {
            known.push(result);
            // Whichever came first must make no difference.
            known.sort_by_key(|result| serde_json::to_string(&result.record.runs).unwrap_or_default());
        }
    }

    /// The trials that have no result.
    pub(crate) fn missing(&self, trials: u64) -> Vec<u64> {
        (0..trials).filter(|index| !self.trials.contains_key(index)).collect()
    }

    /// The first result of each trial.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.trials.values().filter_map(|results| results.first()).map(|result| &result.record)
    }

    /// The trials that came to different outcomes, which shows that something in them is
    /// non-deterministic.
    pub(crate) fn contradictory(&self) -> impl Iterator<Item = (u64, &[TrialResult])> {
        let several = self.trials.iter().filter(|(_, results)| results.len() > 1);
        several.map(|(&index, results)| (index, results.as_slice()))
    }

    /// Into how many shards the trials were split, if all results agree.
    pub(crate) fn shards(&self) -> Option<u32> {
        let mut all = self.trials.values().flatten().map(|result| result.of);
        let first = all.next()?;
        all.all(|of| of == first).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            std::fs::write(&path, &bytes).unwrap();
            prop_assert!(ShardPlan::read(&path).is_err());
            prop_assert!(TrialResult::read(&path).unwrap().is_none());
        }
    }
}
