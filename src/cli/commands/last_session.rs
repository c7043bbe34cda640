//! The failures of the last session in a folder, which `jostle fix` and `jostle verify` know without being told.

use std::path::{Path, PathBuf};

use crate::record::{FailureFile, RecordError, last_session};
use crate::run::RunError;
use crate::run::site::workspace::cache_dir;
use crate::session::SessionResult;

/// Keeps the new failures of a session in place of those of the one before; tells whether there are some. That they cannot be
/// kept costs no more than that.
pub(super) fn keep(project: &Path, outline: &SessionResult) -> bool {
    kept(last_session::keep, project, outline)
}

/// Keeps those of a plan that was run again besides those of the session.
pub(super) fn also_keep(project: &Path, outline: &SessionResult) {
    kept(last_session::add, project, outline);
}

/// Where they are, if there are some.
///
/// # Errors
/// There is no place for what jostle keeps.
pub(super) fn folder(project: &Path) -> Result<PathBuf, RunError> {
    Ok(last_session::folder(&cache_dir()?, project))
}

fn kept(
    keep: fn(&Path, &Path, &[FailureFile]) -> Result<(), RecordError>,
    project: &Path,
    outline: &SessionResult,
) -> bool {
    let new = outline.findings.iter().filter(|finding| finding.is_new_failure());
    let files: Vec<FailureFile> =
        new.filter_map(|finding| FailureFile::new(finding, &outline.collected)).collect();
    let kept = cache_dir()
        .map_err(|error| error.to_string())
        .and_then(|cache| keep(&cache, project, &files).map_err(|error| error.to_string()));
    match kept {
        Ok(()) => !files.is_empty(),
        Err(error) => {
            anstream::eprintln!(
                "{error}. jostle fix and jostle verify have to be told of this session's failures"
            );
            false
        }
    }
}
