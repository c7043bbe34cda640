//! `--html FILE`: a file is written over only if it is a page.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::args::PageArgs;
use crate::cli::values::{UsageError, place_for};
use crate::report::page::MARK;

impl PageArgs {
    /// Where the page is to be written.
    ///
    /// # Errors
    /// It has no place.
    pub(crate) fn place(&self) -> Result<Option<PathBuf>, UsageError> {
        self.html.as_deref().map(place).transpose()
    }
}

/// A file for a page, to be written later.
///
/// # Errors
/// It has no place, or something is there that may be worth keeping: a failure file, say.
pub(crate) fn place(path: &Path) -> Result<PathBuf, UsageError> {
    let path = place_for("--html", path)?;
    if is_worth_keeping(&path) {
        return Err(UsageError(format!(
            "{0} is there and is no page that jostle wrote, so that it is not written over: give another name with --html, \
             or remove it",
            path.display()
        )));
    }
    Ok(path)
}

/// Whether a file holds anything but a page. What is no regular file holds nothing.
fn is_worth_keeping(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MARK.len() as u64).read_to_end(&mut start));
    read.is_err() || !start.is_empty() && start != MARK.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let page = format!("{MARK}<head></head></html>");
        for path in [file("page.html", &page), file("empty", ""), folder.path().join("new.html")] {
            assert_eq!(place(&path), Ok(path));
        }
        let failure = file("failure.json", "{\"version\": 1, \"kind\": \"victim\"}");
        for path in [failure, file("other.html", "<!DOCTYPE html><html lang=\"en\"></html>")] {
            let error = place(&path).unwrap_err().0;
            assert!(error.contains("is no page that jostle wrote"), "{error}");
        }
        assert!(place(folder.path()).unwrap_err().0.contains("it is a folder"));
    }
}
