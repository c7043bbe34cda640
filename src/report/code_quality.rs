//! GitLab's code quality report: what a merge request shows beside its changes.
//!
//! <https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format>

use std::path::Path;

use serde::Serialize;

use crate::report::entry::{Entry, Weight, in_repository};

/// One finding, as GitLab reads it.
#[derive(Debug, Serialize)]
pub(crate) struct Issue {
    description: String,
    check_name: &'static str,
    /// GitLab takes two findings with one fingerprint for the same.
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Debug, Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Debug, Serialize)]
struct Lines {
    begin: u32,
}

/// The report of a session's entries. What has no file cannot be shown there, and is left out.
pub(crate) fn issues(entries: &[Entry], rootdir: &Path, repository: Option<&Path>) -> Vec<Issue> {
    let issue = |entry: &Entry| {
        let path = in_repository(entry.file.as_ref()?, rootdir, repository);
        Some(Issue {
            description: format!("{}: {}: {}", entry.kind, entry.test, entry.headline),
            check_name: entry.kind,
            fingerprint: entry.fingerprint(),
            severity: match entry.weight {
                Weight::Fails => "critical",
                Weight::Error => "major",
                Weight::Known => "minor",
                Weight::Remark => "info",
            },
            location: Location { path, lines: Lines { begin: entry.line.unwrap_or(1) } },
        })
    };
    entries.iter().filter_map(issue).collect()
}
