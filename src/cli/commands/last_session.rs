//! The failures of the last session in a folder, which `jostle fix` and `jostle verify` know without being told.

use std::path::{Path, PathBuf};

use crate::record::{FailureFile, RecordError, atomic_file, last_session};
use crate::run::RunError;
use crate::run::site::workspace::cache_dir;
use crate::session::SessionResult;

/// Keeps the new failures of a session in place of those of the one before; tells whether there are some. That they cannot be
/// kept costs no more than that. `options` are those that say how the suite is run, each with a space before it.
pub(super) fn keep(project: &Path, outline: &SessionResult, options: &str) -> bool {
    let kept = kept(manner(outline), project, outline);
    if let (true, Ok(folder)) = (kept, folder(project)) {
        // Without it jostle fix advises a command that may lack some of them.
        let _ = atomic_file::write(&folder.join(OPTIONS), options.as_bytes());
    }
    kept
}

/// How the suite was run in the last session, each option with a space before it, as far as that is known.
pub(super) fn options(project: &Path) -> String {
    let read = folder(project).ok().and_then(|folder| atomic_file::read(&folder.join(OPTIONS), 1 << 20).ok());
    read.and_then(|text| String::from_utf8(text).ok()).unwrap_or_default()
}

/// The file of the options, which is no failure file.
const OPTIONS: &str = "options";

/// What keeps a session's failures in jostle's own folder, of a project.
type Keeps = fn(&Path, &Path, &[FailureFile]) -> Result<(), RecordError>;

/// A session that did not come to its end says nothing of what it did not find: what was known before it stays known.
fn manner(outline: &SessionResult) -> Keeps {
    match outline.interrupted || outline.error.is_some() {
        true => last_session::add,
        false => last_session::keep,
    }
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

fn kept(keep: Keeps, project: &Path, outline: &SessionResult) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::everything;

    #[test]
    fn a_session_that_was_interrupted_leaves_what_the_one_before_found() {
        let cache = tempfile::tempdir().unwrap();
        let (project, whole) = (Path::new("/home/ann/shop"), everything());
        let file = |at: usize| FailureFile::new(&whole.findings[at], &whole.collected).unwrap();
        let number = || {
            let read = FailureFile::read_folder(&last_session::folder(cache.path(), project));
            read.map_or(0, |files| files.len())
        };
        let whole = SessionResult { interrupted: false, error: None, ..everything() };
        let interrupted = SessionResult { interrupted: true, ..everything() };
        manner(&whole)(cache.path(), project, &[file(0)]).unwrap();
        manner(&interrupted)(cache.path(), project, &[]).unwrap();
        assert_eq!(number(), 1);
        manner(&interrupted)(cache.path(), project, &[file(1)]).unwrap();
        assert_eq!(number(), 2);
        manner(&whole)(cache.path(), project, &[file(2)]).unwrap();
        assert_eq!(number(), 1);
    }
}
