//! The failures of the last session in a folder, which `jostle fix` and `jostle verify` know without being told.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::record::{FailureFile, RecordError, atomic_file, last_session};
use crate::report::words;
use crate::run::RunError;
use crate::run::site::workspace::cache_dir;
use crate::session::SessionResult;
use crate::suite::Suite;

/// What is known of the last session besides its failures.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LastSession {
    /// When it ended, in milliseconds since 1970 (UTC); 0 if nothing is known of it.
    ended: u64,
    /// Its command, if somebody typed it.
    command: Option<String>,
    /// How the suite was run, each option with a space before it.
    pub(super) options: String,
    /// Whether it came to its end.
    whole: bool,
    /// How many failures it saw and did not look into, for want of time.
    unjudged: usize,
    /// The names of its failure files, in the order of its report.
    files: Vec<String>,
}

/// Keeps the new failures of a session in place of those of before of which it tells; says whether there are some. That they
/// cannot be kept costs no more than that. `options` are those that say how the suite is run, each with a space before it,
/// `command` is what was typed, `narrowed` whether some of the suite's tests were chosen.
pub(super) fn keep(
    project: &Path,
    outline: &SessionResult,
    options: String,
    command: Option<String>,
    narrowed: bool,
) -> bool {
    let beside = |known: &FailureFile| narrowed && is_beside(known, &outline.collected.suite);
    let keep = |cache: &Path, files: &[FailureFile]| match looked_at_all(outline) {
        true => last_session::keep(cache, project, files, beside),
        false => last_session::add(cache, project, files),
    };
    let Some(files) = kept(project, outline, keep) else {
        return false;
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let session = LastSession {
        ended: u64::try_from(now.as_millis()).unwrap_or_default(),
        command,
        options,
        whole: is_whole(outline),
        unjudged: outline.unjudged.len(),
        files: files.iter().map(FailureFile::file_name).collect(),
    };
    if let (Ok(folder), Ok(text)) = (folder(project), serde_json::to_vec(&session)) {
        // Without it jostle fix advises a command that may lack some options, and no order is known.
        let _ =
            std::fs::create_dir_all(&folder).and_then(|()| atomic_file::write(&folder.join(SESSION), &text));
    }
    !files.is_empty()
}

/// What is known of the last session besides its failures.
pub(super) fn read(project: &Path) -> LastSession {
    let read = folder(project).ok().and_then(|folder| atomic_file::read(&folder.join(SESSION), 1 << 20).ok());
    read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// The failures that are kept, with their files, in the order of the last session's report.
///
/// # Errors
/// A file cannot be used. Where there is no place for what jostle keeps, there is none.
pub(super) fn files(project: &Path) -> Result<Vec<(PathBuf, FailureFile)>, RecordError> {
    let Some(folder) = folder(project).ok().filter(|folder| folder.is_dir()) else {
        return Ok(Vec::new());
    };
    let order = read(project).files;
    let mut files = FailureFile::read_folder(&folder)?;
    // Those of a plan that was run again come last.
    files.sort_by_key(|(path, _)| order.iter().position(|name| path.ends_with(name)).unwrap_or(order.len()));
    Ok(files)
}

/// Why there is no failure of the last session to verify, and what to do.
pub(super) fn no_failure(project: &Path) -> String {
    let last = read(project);
    let found = last.found();
    let named = "give failure files, or a folder of them as `jostle stress --failures DIR` writes it, or set `failures` in \
                 [tool.jostle]";
    match last.told() {
        Some(told) => {
            format!(
                "no failure is named, and the last session in this folder, {told}, {found}, and none of before is kept: {named}"
            )
        }
        None => {
            format!(
                "no failure is named: {named}; what the last session in this folder found is known without a name"
            )
        }
    }
}

/// Why there is no fix of the last session to apply, of so many failures that are kept, and what to do.
pub(super) fn no_fix(project: &Path, failures: usize) -> String {
    let folder = project.display();
    let given = "give failure files as `jostle stress --failures DIR` writes them";
    let last = read(project);
    match (last.told(), failures) {
        (Some(told), 0) => format!(
            "the last session in {folder}, {told}, {}, and no failure of a session before it is kept: run jostle stress \
             there, or {given}",
            last.found()
        ),
        (Some(told), _) => format!(
            "the last session in {folder}, {told}, has left no fix of {}: its report says why. jostle stress looks for \
             fixes unless it is given --explain no or state; or {given}",
            words::count(failures, "failure")
        ),
        (None, _) => format!("no session in {folder} has left a fix: run jostle stress there, or {given}"),
    }
}

impl LastSession {
    /// Which it was: `2026-11-24 02:00 UTC, jostle stress tests`; nothing if that is not known.
    fn told(&self) -> Option<String> {
        let command = self.command.as_ref().map_or_else(String::new, |command| format!(", `{command}`"));
        let whole = if self.whole { "" } else { ", which did not come to its end" };
        (self.ended > 0).then(|| format!("{} UTC{command}{whole}", words::minute(self.ended)))
    }

    /// What it came to, where it left no failure.
    fn found(&self) -> String {
        match self.unjudged {
            0 => "found no new failure".to_owned(),
            seen => format!("had no time to look into {}", words::count(seen, "failure")),
        }
    }
}

/// The file of what is known of a session, which is no failure file.
const SESSION: &str = "session";

/// Whether a session can say what is gone: one that did not come to its end, or had no time for all that it saw, says nothing
/// of what it did not find.
fn looked_at_all(outline: &SessionResult) -> bool {
    is_whole(outline) && outline.trials > 0 && outline.unjudged.is_empty()
}

/// Whether a failure takes a test that is not of these.
fn is_beside(known: &FailureFile, suite: &Suite) -> bool {
    let mut named = known.minimal.workers.iter().flatten().chain([&known.test]);
    named.any(|test| suite.find(test).is_none())
}

fn is_whole(outline: &SessionResult) -> bool {
    !outline.interrupted && outline.error.is_none()
}

/// Keeps those of a plan that was run again besides those of the session.
pub(super) fn also_keep(project: &Path, outline: &SessionResult) {
    kept(project, outline, |cache, files| last_session::add(cache, project, files));
}

/// Where they are, if there are some.
///
/// # Errors
/// There is no place for what jostle keeps.
pub(super) fn folder(project: &Path) -> Result<PathBuf, RunError> {
    Ok(last_session::folder(&cache_dir()?, project))
}

/// The failures of a session, which are kept now; nothing if they cannot be.
fn kept(
    project: &Path,
    outline: &SessionResult,
    keep: impl FnOnce(&Path, &[FailureFile]) -> Result<(), RecordError>,
) -> Option<Vec<FailureFile>> {
    let kept = cache_dir().map_err(|error| error.to_string()).and_then(|cache| {
        let files = failures(&last_session::folder(&cache, project), outline);
        keep(&cache, &files).map(|()| files).map_err(|error| error.to_string())
    });
    kept.inspect_err(|error| {
        anstream::eprintln!(
            "{error}. jostle fix and jostle verify have to be told of this session's failures"
        );
    })
    .ok()
}

/// The files of a session's new failures. One for which no fix was looked for keeps that which was found of it earlier, as it
/// is good for the files that it was tried with and no others.
fn failures(folder: &Path, outline: &SessionResult) -> Vec<FailureFile> {
    let new = outline.findings.iter().filter(|finding| finding.is_new_failure());
    let file = |finding: &Finding| {
        let mut file = FailureFile::new(finding, &outline.collected)?;
        if file.fix.is_empty() && no_fix_was_sought(finding) {
            file.fix =
                FailureFile::read(&folder.join(file.file_name())).map(|known| known.fix).unwrap_or_default();
        }
        Some(file)
    };
    new.filter_map(file).collect()
}

/// Whether no fix was tried to the end.
fn no_fix_was_sought(finding: &Finding) -> bool {
    let explanation = finding.explanation.as_ref();
    explanation.is_none_or(|explanation| explanation.no_fix.is_none() || explanation.lacks_time_for_a_fix())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::everything;

    #[test]
    fn a_session_leaves_what_the_one_before_found_unless_it_would_have_found_it() {
        let whole = || SessionResult {
            interrupted: false,
            error: None,
            trials: 1,
            unjudged: Vec::new(),
            ..everything()
        };
        assert!(looked_at_all(&whole()));
        assert!(!looked_at_all(&SessionResult { interrupted: true, ..whole() }));
        assert!(!looked_at_all(&SessionResult { trials: 0, ..whole() }));
        assert!(!looked_at_all(&SessionResult { unjudged: everything().unjudged, ..whole() }));
        let known = FailureFile::new(&whole().findings[0], &whole().collected).unwrap();
        let mut suite = whole().collected.suite;
        assert!(!is_beside(&known, &suite));
        let polluter = known.minimal.workers[0][0].clone();
        suite.tests.retain(|test| test.id != polluter);
        assert!(is_beside(&known, &suite));
    }
}
