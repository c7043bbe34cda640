//! Writes the page for `--html`.

use std::ffi::OsString;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::revision::revision;
use crate::cli::values::UsageError;
use crate::record::atomic_file;
use crate::report::page::sources::{Sources, wanted};
use crate::report::page::trials::Trials;
use crate::report::page::{self, About};
use crate::report::replay::Replay;
use crate::report::{Again, words};
use crate::session::event::Reporters;
use crate::session::{Reporter, SessionResult};

/// A file of the project that is larger is not looked into.
const SOURCE_BYTES: u64 = 4 << 20;

/// What is kept of trials as they end, if there is to be a page.
pub(crate) fn trials(path: Option<&Path>) -> Option<Trials> {
    path.map(|_| Trials::default())
}

/// All who listen to a session: one, and what keeps its trials.
pub(super) fn reporters<'a>(one: &'a mut dyn Reporter, trials: Option<&'a mut Trials>) -> Reporters<'a> {
    let trials = trials.map(|trials| trials as &mut dyn Reporter);
    Reporters([one].into_iter().chain(trials).collect())
}

/// Writes the page of a session, if it is asked for.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn of_session(
    path: Option<&Path>,
    outline: &SessionResult,
    trials: Option<&Trials>,
    again: Again<'_>,
) -> anyhow::Result<()> {
    let Some(trials) = trials else { return Ok(()) };
    write(path, rootdir(outline), |about| page::page(outline, trials, &sources(outline), again, about))
}

/// Writes that of a replay.
///
/// # Errors
/// The file cannot be written.
pub(super) fn of_replay(
    path: Option<&Path>,
    replay: &Replay<'_>,
    outline: &SessionResult,
    trials: Option<&Trials>,
) -> anyhow::Result<()> {
    let Some(trials) = trials else { return Ok(()) };
    write(path, rootdir(outline), |about| page::of_replay(replay, outline, trials, &sources(outline), about))
}

/// Writes a page on what is in a folder, if it is asked for, and says so.
///
/// # Errors
/// The file cannot be written.
pub(super) fn write(
    path: Option<&Path>,
    folder: &Path,
    page: impl FnOnce(&About) -> String,
) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    atomic_file::write(path, page(&about(folder)).as_bytes()).map_err(|error| {
        let path = path.display();
        UsageError(format!("cannot write --html {path}: {error}. Give a file that can be written"))
    })?;
    anstream::eprintln!("wrote {}", path.display());
    Ok(())
}

/// What a page on a folder is of, made now by this command.
fn about(folder: &Path) -> About {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let words: Result<Vec<String>, _> = std::env::args_os().skip(1).map(OsString::into_string).collect();
    let command = |words: Vec<String>| {
        shlex::try_join(["jostle"].into_iter().chain(words.iter().map(String::as_str))).ok()
    };
    About {
        project: name.unwrap_or_default(),
        date: words::minute(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)),
        commit: revision(folder),
        command: words.ok().and_then(command),
    }
}

fn rootdir(outline: &SessionResult) -> &Path {
    Path::new(&outline.collected.interpreter.rootdir)
}

/// The lines of the project that findings name.
fn sources(outline: &SessionResult) -> Sources {
    let rootdir = rootdir(outline);
    Sources::new(&wanted(outline), |file| source(rootdir, file))
}

/// A file of the project, and of nothing outside of it.
fn source(rootdir: &Path, file: &str) -> Option<String> {
    let path = rootdir.join(file).canonicalize().ok()?;
    let is_inside = path.starts_with(rootdir.canonicalize().ok()?);
    let content = is_inside.then(|| atomic_file::read(&path, SOURCE_BYTES).ok())??;
    Some(String::from_utf8_lossy(&content).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::everything;

    #[test]
    fn only_files_of_the_project_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("project");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("a.py"), "x = 1\n").unwrap();
        std::fs::write(folder.path().join("b.py"), "y = 2\n").unwrap();
        std::os::unix::fs::symlink("../b.py", root.join("c.py")).unwrap();
        assert_eq!(source(&root, "a.py").as_deref(), Some("x = 1\n"));
        let outside = folder.path().join("b.py").display().to_string();
        for file in ["../b.py", "c.py", "d.py", "", outside.as_str()] {
            assert_eq!(source(&root, file), None, "{file}");
        }
    }

    #[test]
    fn a_page_that_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str| {
            let path = folder.path().join(name);
            let trials = trials(Some(&path));
            of_session(Some(&path), &everything(), trials.as_ref(), Again::Gone)
        };
        written("page.html").unwrap();
        assert!(std::fs::read_to_string(folder.path().join("page.html")).unwrap().ends_with("</html>"));
        let error = written("none/page.html").unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().starts_with("cannot write --html"), "{error}");
        assert!(trials(None).is_none() && of_session(None, &everything(), None, Again::Gone).is_ok());
    }
}
