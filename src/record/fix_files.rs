//! Proposed fixes as patch files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::judge::finding::Finding;
use crate::record::failure_file::RecordError;

/// Writes the fixes of the findings that have one: into a folder that exists a file for each, else all
/// into one file. Fixes that are the same are written once. Returns what was written.
///
/// # Errors
/// A file cannot be written.
pub fn write(findings: &[Finding], path: &Path) -> Result<Vec<PathBuf>, RecordError> {
    let fixes = findings.iter().filter_map(|finding| finding.explanation.as_ref()?.fix.as_ref());
    let mut diffs: Vec<&str> = Vec::new();
    for fix in fixes {
        if !diffs.contains(&fix.diff.as_str()) {
            diffs.push(&fix.diff);
        }
    }
    let files: Vec<(PathBuf, String)> = if path.is_dir() {
        (1..)
            .zip(&diffs)
            .map(|(number, diff)| (path.join(format!("fix-{number}.patch")), (*diff).into()))
            .collect()
    } else if diffs.is_empty() {
        Vec::new()
    } else {
        vec![(path.to_owned(), diffs.concat())]
    };
    for (file, diff) in &files {
        fs::write(file, diff).map_err(|source| RecordError::Io {
            what: "write",
            path: file.display().to_string(),
            source,
        })?;
    }
    Ok(files.into_iter().map(|(file, _)| file).collect())
}
