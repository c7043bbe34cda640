//! Which tests the user suspects: `--changed REV` and `--last-failed`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::args::StressArgs;
use crate::cli::values::UsageError;
use crate::record::history_file;
use crate::suite::suspicion::Suspicion;

/// What the arguments say; nothing where nobody is suspected.
///
/// # Errors
/// git does not know the revision, or there is no history to know what failed.
pub(crate) fn of(
    args: &StressArgs,
    folder: &Path,
    history: Option<&Path>,
) -> Result<Option<Suspicion>, UsageError> {
    if args.changed.is_none() && !args.last_failed {
        return Ok(None);
    }
    let files = args.changed.as_deref().map(|revision| changed(folder, revision)).transpose()?;
    let last_failed = if args.last_failed { Some(failed(history)?) } else { None };
    Ok(Some(Suspicion { since: args.changed.clone(), files: files.unwrap_or_default(), last_failed }))
}

/// The files below a folder that have changed since a revision, or that git does not know, absolute.
fn changed(folder: &Path, revision: &str) -> Result<BTreeSet<PathBuf>, UsageError> {
    let wrong = |why: &str| {
        UsageError(format!(
            "--changed {revision}: {why}. Give a revision that git knows, in a project that is in git"
        ))
    };
    let git = |arguments: &[&str]| {
        let ran = Command::new("git").args(arguments).current_dir(folder).output();
        let ran = ran.map_err(|error| wrong(&format!("git cannot be run: {error}")))?;
        if ran.status.success() {
            return Ok(String::from_utf8_lossy(&ran.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        Err(wrong(said.lines().next().unwrap_or("git failed").trim_end_matches('.')))
    };
    // What begins with a hyphen would be an option of git's.
    if revision.starts_with('-') {
        return Err(wrong("no revision begins with a hyphen"));
    }
    let commit = git(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")])
        .map_err(|_| wrong("git knows no such commit here"))?;
    let tracked = git(&["diff", "--name-only", "-z", "--relative", commit.trim(), "--", "."])?;
    let untracked = git(&["ls-files", "-z", "--others", "--exclude-standard"])?;
    let names = tracked.split('\0').chain(untracked.split('\0')).filter(|name| !name.is_empty());
    Ok(names.map(|name| folder.join(name)).collect())
}

/// The tests that failed in the session before.
fn failed(history: Option<&Path>) -> Result<BTreeSet<String>, UsageError> {
    let Some(history) = history else {
        let why = "--last-failed needs a history to know what failed: give its folder with --history DIR";
        return Err(UsageError(why.into()));
    };
    history_file::last_failed(history).map_err(|error| UsageError(error.to_string()))
}
