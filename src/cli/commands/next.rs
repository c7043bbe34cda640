//! What to do after a session: commands that are true for it, as its user would type them.

use std::path::{Path, PathBuf};

use crate::cli::commands::last_session;
use crate::cli::commands::stress::{of_the_suite, pytest_args};
use crate::cli::options::StressOptions;
use crate::explain::Explanation;
use crate::finding::Finding;
use crate::record::{FailureFile, fix_files};
use crate::run::project::git;
use crate::session::SessionResult;

/// How many findings at most are named for which there was no time.
const LATER: usize = 3;

/// The commands that apply the fixes and see whether the failures are gone, and those that look for the fixes for which there
/// was no time, which `jostle fix` and `jostle verify` know if
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
    let kept_in = match options.kept.failures.clone() {
        None if kept => last_session::folder(&options.suite.folder).ok(),
        folder => folder,
    };
    let rest = of_the_suite(options) + &pytest_args(&options.suite);
    let later = kept_in.map(|folder| later(outline, &folder, &rest)).unwrap_or_default();
    applies.into_iter().chain(verifies).chain(later).collect()
}

/// The commands that look for fixes which there was no time to try, in the files of their failures.
fn later(outline: &SessionResult, folder: &Path, rest: &str) -> Vec<String> {
    let lacks_time = |finding: &&Finding| {
        let explanation = finding.explanation.as_ref();
        finding.is_new_failure() && explanation.is_some_and(Explanation::lacks_time_for_a_fix)
    };
    let command = |finding: &Finding| {
        let file = folder.join(FailureFile::name_for(finding, &outline.collected.suite)?);
        Some(format!("jostle explain {}{rest}", quoted(&file)?))
    };
    outline.findings.iter().filter(lacks_time).filter_map(command).take(LATER).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{NoFix, NoFixReason};
    use crate::report::samples::everything;

    #[test]
    fn what_there_was_no_time_to_fix_is_explained_later() {
        let told = |why: NoFixReason| {
            let mut outline = everything();
            let explanation = outline.findings[0].explanation.as_mut().unwrap();
            explanation.fix = None;
            explanation.no_fix = Some(NoFix { why, says: String::new() });
            later(&outline, Path::new("new failures"), " -- -x")
        };
        let commands = told(NoFixReason::NoTime);
        assert_eq!(commands.len(), 1, "{commands:?}");
        assert!(commands[0].starts_with("jostle explain 'new failures/victim-"), "{commands:?}");
        assert!(commands[0].ends_with(".json' -- -x"), "{commands:?}");
        assert_eq!(told(NoFixReason::Refuted), Vec::<String>::new());
    }
}
