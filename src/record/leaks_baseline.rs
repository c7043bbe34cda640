//! The leaks that are known, as a file that people review: only new ones fail.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::formats::LEAKS_BASELINE;
use crate::leaks::Pairs;
use crate::parse::{object, reason};
use crate::record::{RecordError, atomic_file};

/// A baseline is small; what is larger is something else.
const MOST_BYTES: u64 = 16 << 20;

/// The leaks that are known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaksBaseline {
    /// [`LEAKS_BASELINE`].
    schema: String,
    /// By place those who leave it, both sorted.
    leaks: BTreeMap<String, Vec<String>>,
}

impl LeaksBaseline {
    /// The baseline of these.
    pub(crate) fn new(pairs: &Pairs) -> Self {
        let mut leaks: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (place, owner) in pairs {
            leaks.entry(place.clone()).or_default().push(owner.clone());
        }
        Self { schema: LEAKS_BASELINE.into(), leaks }
    }

    /// Who leaves what.
    pub(crate) fn pairs(&self) -> Pairs {
        let pairs = |(place, owners): (&String, &Vec<String>)| {
            owners.iter().map(|owner| (place.clone(), owner.clone())).collect::<Vec<_>>()
        };
        self.leaks.iter().flat_map(pairs).collect()
    }

    /// Writes the file. It appears whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<(), RecordError> {
        let write = || -> std::io::Result<()> {
            let mut text = serde_json::to_vec_pretty(self)?;
            text.push(b'\n');
            atomic_file::write(path, &text)
        };
        write().map_err(|source| RecordError::Io { what: "write", path: path.display().to_string(), source })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no baseline of this version.
    pub(crate) fn read(path: &Path) -> Result<Self, RecordError> {
        let name = path.display().to_string();
        let io = |source| RecordError::Io { what: "read", path: name.clone(), source };
        let bytes = atomic_file::read(path, MOST_BYTES).map_err(io)?;
        Self::parse(&bytes).map_err(|why| RecordError::LeaksBaseline { path: name, why })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let baseline: Self = object(bytes)?;
        if baseline.schema == LEAKS_BASELINE {
            return Ok(baseline);
        }
        Err(reason(&format!("it says that it is {}, and not {LEAKS_BASELINE}", baseline.schema)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_baseline_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("leaks.json");
        let pair = |place: &str, owner: &str| (place.to_owned(), owner.to_owned());
        let pairs: Pairs = [pair("b", "t::2"), pair("a", "t::1"), pair("b", "t::1")].into();
        LeaksBaseline::new(&pairs).write(&path).unwrap();
        assert_eq!(LeaksBaseline::read(&path).unwrap().pairs(), pairs);
        assert!(
            LeaksBaseline::parse(br#"{"schema": "jostle.leaks/1", "leaks": {}}"#)
                .unwrap_err()
                .contains("jostle.leaks/1")
        );
    }
}
