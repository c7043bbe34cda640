//! What to do after a session: commands that are true for it, as its user would type them.

use std::path::{Path, PathBuf};

use crate::cli::commands::stress::{of_the_suite, pytest_args};
use crate::cli::options::StressOptions;
use crate::finding::Finding;
use crate::record::fix_files;
use crate::run::project::git;
use crate::session::SessionResult;

/// The commands that apply the fixes and see whether the failures are gone, which `jostle fix` and `jostle verify` know if
/// they are `kept`. None where nothing new was found, where the session is to be gone on with first, and where the suite is
/// gone.
pub(super) fn commands(options: &StressOptions, outline: &SessionResult, kept: bool) -> Vec<String> {
    let whole = !outline.interrupted && outline.error.is_none();
    // What was read from standard input is not read again.
    let can_be_read = options.suite.tests_file.as_deref() != Some(Path::new("-"));
    let found = outline.findings.iter().any(Finding::is_new_failure);
    if !options.suite_stays || !whole || !can_be_read || !found {
        return Vec::new();
    }
    let patches = options.write_fix.as_deref().map(|path| fix_files::places(&outline.findings, path));
    let rootdir = Path::new(&outline.collected.interpreter.rootdir);
    let applies = match patches {
        Some(patches) => apply(&patches, rootdir),
        None if kept && fix_files::number(&outline.findings) > 0 => Some(fix(options, outline)),
        None => None,
    };
    let failures = match options.kept.failures.as_deref() {
        Some(folder) => quoted(folder).map(|folder| format!(" {folder}")),
        None => kept.then(String::new),
    };
    let verifies = failures.map(|folder| {
        format!("jostle verify{folder}{}{}", of_the_suite(options), pytest_args(&options.suite))
    });
    applies.into_iter().chain(verifies).collect()
}

/// The command that applies the fixes. Where there is no git, nothing could be brought back, and that is no news to the user.
fn fix(options: &StressOptions, outline: &SessionResult) -> String {
    let rootdir = options.suite.rootdir.as_deref().and_then(quoted);
    let rootdir = rootdir.map_or_else(String::new, |rootdir| format!(" --rootdir {rootdir}"));
    let files = fix_files::changed(&outline.findings);
    let in_git = git::uncommitted(Path::new(&outline.collected.interpreter.rootdir), &files).is_ok();
    format!("jostle fix{rootdir}{}", if in_git { "" } else { " --allow-dirty" })
}

/// The command that applies patches in their order, which are relative to the suite's rootdir.
fn apply(patches: &[PathBuf], rootdir: &Path) -> Option<String> {
    if patches.is_empty() {
        return None;
    }
    let here = std::env::current_dir().ok()?;
    let elsewhere = rootdir.canonicalize().ok()? != here.canonicalize().ok()?;
    let mut words = vec!["git".to_owned()];
    if elsewhere {
        words.extend(["-C".to_owned(), rootdir.to_str()?.to_owned()]);
    }
    words.push("apply".into());
    for patch in patches {
        let path = if elsewhere { here.join(patch) } else { patch.clone() };
        words.push(path.to_str()?.to_owned());
    }
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

fn quoted(path: &Path) -> Option<String> {
    shlex::try_quote(path.to_str()?).ok().map(Into::into)
}
