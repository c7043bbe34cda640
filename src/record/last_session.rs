//! The failures of a project's last session, in jostle's own folder: a failure file for each, with its fix if it has one.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::failure_file::{FailureFile, RecordError};
use crate::record::journal_file::project_digest;

/// Where they are.
pub(crate) fn folder(cache: &Path, project: &Path) -> PathBuf {
    cache.join("last").join(project_digest(project))
}

/// Keeps these in place of those of before, of which `stays` tells which stay besides. What is no failure file goes.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn keep(
    cache: &Path,
    project: &Path,
    files: &[FailureFile],
    stays: impl Fn(&FailureFile) -> bool,
) -> Result<(), RecordError> {
    // Those of before go last, so that a full disk costs none of them.
    add(cache, project, files)?;
    let folder = folder(cache, project);
    let names: Vec<OsString> = files.iter().map(|file| file.file_name().into()).collect();
    let remove = || -> io::Result<()> {
        let mut left = false;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if names.contains(&entry.file_name())
                || FailureFile::read(&entry.path()).is_ok_and(|file| stays(&file))
            {
                left = true;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        if left { Ok(()) } else { fs::remove_dir(&folder) }
    };
    match remove() {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RecordError::Io { what: "write", path: folder.display().to_string(), source })
        }
        _ => Ok(()),
    }
}

/// Keeps these besides those that are kept.
///
/// # Errors
/// As those of [`keep`].
pub(crate) fn add(cache: &Path, project: &Path, files: &[FailureFile]) -> Result<(), RecordError> {
    let folder = folder(cache, project);
    files.iter().try_for_each(|file| file.write(&folder).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::everything;

    #[test]
    fn those_of_a_session_take_the_place_of_those_before() {
        let cache = tempfile::tempdir().unwrap();
        let result = everything();
        let file = |at: usize| FailureFile::new(&result.findings[at], &result.collected).unwrap();
        let kept = |project: &str| {
            let read = FailureFile::read_folder(&folder(cache.path(), Path::new(project)));
            read.map_or(0, |files| files.len())
        };
        let project = Path::new("/home/ann/shop");
        let none = |_: &FailureFile| false;
        keep(cache.path(), project, &[file(0), file(1)], none).unwrap();
        assert_eq!((kept("/home/ann/shop"), kept("/home/ann/other")), (2, 0));
        keep(cache.path(), project, &[file(2)], none).unwrap();
        assert_eq!(kept("/home/ann/shop"), 1);
        let other = folder(cache.path(), project).join("session");
        fs::write(&other, "").unwrap();
        add(cache.path(), project, &[file(0)]).unwrap();
        assert_eq!((kept("/home/ann/shop"), other.is_file()), (2, true), "nothing goes");
        keep(cache.path(), project, &[], |stays| stays.test == file(0).test).unwrap();
        assert_eq!(kept("/home/ann/shop"), 1);
        keep(cache.path(), project, &[], none).unwrap();
        assert_eq!(kept("/home/ann/shop"), 0);
    }
}
