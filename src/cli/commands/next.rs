//! What to do after a session: commands that are true for it, as its user would type them.

use std::path::{Path, PathBuf};

use crate::cli::commands::stress::{of_the_suite, pytest_args};
use crate::cli::options::StressOptions;
use crate::cli::typed_again::with_more;
use crate::finding::Finding;
use crate::record::fix_files;
use crate::run::project::git;
use crate::session::SessionResult;
use crate::session::lab::journaled::Begin;

/// Where fixes and failure files are advised to be written.
const FIXES: &str = "fixes.patch";
const FAILURES: &str = "failures";

/// At most three commands: to write what was found down, where that was not done; to apply the fixes, which `jostle fix`
/// knows if they are `kept`; to see whether the failures are gone. None where nothing new was found, where the session is to
/// be gone on with first, and where the suite is gone.
pub(super) fn commands(options: &StressOptions, outline: &SessionResult, kept: bool) -> Vec<String> {
    let whole = !outline.interrupted && outline.error.is_none();
    // What was read from standard input is not read again.
    let can_be_read = options.suite.tests_file.as_deref() != Some(Path::new("-"));
    let found = outline.findings.iter().any(Finding::is_new_failure);
    if !options.suite_stays || !whole || !can_be_read || !found {
        return Vec::new();
    }
    let fixed = fix_files::number(&outline.findings) > 0;
    let mut lacks: Vec<&str> = Vec::new();
    if fixed && options.write_fix.is_none() && !kept {
        lacks.extend(["--write-fix", FIXES]);
    }
    if options.kept.failures.is_none() {
        lacks.extend(["--failures", FAILURES]);
    }
    let again = options.typed.as_deref().and_then(|typed| again(typed, options, &lacks));
    // What is not written, and cannot be had, is no reason to apply or verify it.
    let written = lacks.is_empty() || again.is_some();
    let mut commands: Vec<String> = again.filter(|_| !lacks.is_empty()).into_iter().collect();
    if kept && options.write_fix.is_none() {
        commands.push(fix(options, outline));
    } else if fixed && (written || options.write_fix.is_some()) {
        let patches = match &options.write_fix {
            Some(path) => fix_files::places(&outline.findings, path),
            None => vec![FIXES.into()],
        };
        commands.extend(apply(&patches, Path::new(&outline.collected.interpreter.rootdir)));
    }
    let failures = options.kept.failures.as_deref().or(written.then(|| Path::new(FAILURES)));
    commands.extend(failures.and_then(quoted).map(|folder| {
        format!("jostle verify {folder}{}{}", of_the_suite(options), pytest_args(&options.suite))
    }));
    commands
}

/// The command that applies the fixes. Where there is no git, nothing could be brought back, and that is no news to the user.
fn fix(options: &StressOptions, outline: &SessionResult) -> String {
    let rootdir = options.suite.rootdir.as_deref().and_then(quoted);
    let rootdir = rootdir.map_or_else(String::new, |rootdir| format!(" --rootdir {rootdir}"));
    let files = fix_files::changed(&outline.findings);
    let in_git = git::uncommitted(Path::new(&outline.collected.interpreter.rootdir), &files).is_ok();
    format!("jostle fix{rootdir}{}", if in_git { "" } else { " --allow-dirty" })
}

/// The session again with more options, from its journal, so that it takes its steps without running what it has run.
fn again(typed: &[String], options: &StressOptions, more: &[&str]) -> Option<String> {
    let journal = match options.journal.begin {
        Begin::Automatic => None,
        Begin::New | Begin::Resume => Some(options.journal.path.as_path()),
    };
    let words = with_more(typed, options.seed, journal, more)?;
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

/// The command that applies patches in their order, which are relative to the suite's rootdir.
fn apply(patches: &[PathBuf], rootdir: &Path) -> Option<String> {
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
