//! Finding the Python that runs the suite.

use crate::limits::PYTHON_START;
use std::fs::DirEntry;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// A Python that has pytest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Python {
    /// Its executable, not resolved: an environment is known by the link in its `bin`.
    pub path: PathBuf,
    /// The folders it imports from, and those of the environment and of the Python it is made of.
    pub paths: Vec<PathBuf>,
}

/// The oldest version of CPython that the harness runs on.
const OLDEST: (u32, u32) = (3, 9);
/// How many bytes it may say.
const MOST_SAID: u64 = 1 << 20;
/// The oldest major version of pytest.
const OLDEST_PYTEST: u32 = 7;

/// Why there is no Python to use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PythonError {
    /// It does not run.
    #[error("cannot run {} ({because}): {why}. Give the Python of the suite's environment with --python PATH", python.display())]
    DoesNotRun {
        /// Which was looked at.
        python: PathBuf,
        /// Why that one.
        because: &'static str,
        /// What happened.
        why: String,
    },
    /// It is of an environment that is broken.
    #[error("{} ({because}) is of a broken environment: {why}. Make the environment {} anew and install in it what the suite needs, or give another Python with --python PATH", python.display(), environment.display())]
    Broken {
        /// Which was looked at.
        python: PathBuf,
        /// Why that one.
        because: &'static str,
        /// The environment's folder.
        environment: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is too old.
    #[error("{} ({because}) is Python {version}, and jostle needs 3.9 or later. Give another with --python PATH", python.display())]
    TooOld {
        /// Which was looked at.
        python: PathBuf,
        /// Why that one.
        because: &'static str,
        /// Its version.
        version: String,
    },
    /// It has no pytest.
    #[error("{} ({because}) has no pytest. Install it there ({} -m pip install pytest), or give the Python of the suite's environment with --python PATH", python.display(), python.display())]
    NoPytest {
        /// Which was looked at.
        python: PathBuf,
        /// Why that one.
        because: &'static str,
    },
    /// Its pytest is too old.
    #[error("{} ({because}) has pytest {version}, and jostle needs 7 or later. Install a newer one there, or give another Python with --python PATH", python.display())]
    OldPytest {
        /// Which was looked at.
        python: PathBuf,
        /// Why that one.
        because: &'static str,
        /// pytest's version.
        version: String,
    },
}

/// Finds the Python: the one given, else `$VIRTUAL_ENV`'s, else `.venv`'s in the suite's folder, else
/// `python3`.
///
/// # Errors
/// The first of these that there is cannot be used; none other is tried in its place.
pub fn find(given: Option<&Path>, folder: &Path) -> Result<Python, PythonError> {
    let (path, because) = choose(given, folder)?;
    let Probed { python, pytest, paths } = probe(&path, because)?;
    if version(&python) < OLDEST {
        return Err(PythonError::TooOld { python: path, because, version: python });
    }
    match pytest {
        None => Err(PythonError::NoPytest { python: path, because }),
        Some(found) if version(&found).0 < OLDEST_PYTEST => {
            Err(PythonError::OldPytest { python: path, because, version: found })
        }
        Some(_) => Ok(Python { path, paths }),
    }
}

fn choose(given: Option<&Path>, folder: &Path) -> Result<(PathBuf, &'static str), PythonError> {
    if let Some(path) = given {
        return Ok((absolute(path), "given with --python or in [tool.jostle]"));
    }
    let variable = std::env::var_os("VIRTUAL_ENV").filter(|value| !value.is_empty()).map(PathBuf::from);
    let (environment, because) = match variable {
        Some(environment) => (environment, "the one of $VIRTUAL_ENV"),
        None if may_be_environment(&folder.join(".venv")) => (folder.join(".venv"), "the one of .venv"),
        None => {
            let beside = std::env::current_exe().ok().and_then(|program| beside(&program));
            let on_path = (
                "python3".into(),
                "python3 on PATH, as there is no $VIRTUAL_ENV and no environment in .venv",
            );
            return Ok(beside.map_or(on_path, |python| (python, "the one beside jostle")));
        }
    };
    let python = python_of(&environment);
    match broken(&environment, &python) {
        Some(why) => Err(PythonError::Broken { python, because, environment, why }),
        None => Ok((python, because)),
    }
}

/// The Python of the environment that jostle is installed in, if that has a pytest; an environment for jostle alone has none.
fn beside(program: &Path) -> Option<PathBuf> {
    let environment = program.parent()?.parent()?;
    let is_environment = environment.join("pyvenv.cfg").is_file();
    let has_pytest = |version: DirEntry| version.path().join("site-packages/pytest").is_dir();
    let mut versions = std::fs::read_dir(environment.join("lib")).ok()?.flatten();
    (is_environment && versions.any(has_pytest)).then(|| python_of(environment))
}

/// Whether a folder is an environment, a broken one as well: that is no reason to run the suite with another Python, which may
/// lack what it needs. One that was made on Windows has no `bin`. What may not be looked at is told when it is run.
fn may_be_environment(folder: &Path) -> bool {
    let is_there = |name: &str| match folder.join(name).symlink_metadata() {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    };
    is_there("bin/python") || is_there("bin") && is_there("pyvenv.cfg")
}

/// The Python of an environment: `python`, unless only another of its names leads to one, as `python3`.
fn python_of(environment: &Path) -> PathBuf {
    let bin = environment.join("bin");
    let is_name = |name: &str| {
        name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    let entries = bin.read_dir().into_iter().flatten().flatten();
    let names = entries
        .map(|entry| entry.path())
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_name) && path.exists());
    names.min().unwrap_or_else(|| bin.join("python"))
}

/// What is wrong with an environment whose Python is not there, though its folder is.
fn broken(environment: &Path, python: &Path) -> Option<String> {
    let is_environment = environment.join("bin").is_dir() && environment.join("pyvenv.cfg").is_file();
    // What cannot be looked at is not known to be missing.
    if !is_environment || !matches!(python.try_exists(), Ok(false)) {
        return None;
    }
    Some(leads_nowhere(python).unwrap_or_else(|| "there is no such file in it".into()))
}

/// Where a link leads, if that is not there.
fn leads_nowhere(link: &Path) -> Option<String> {
    let mut end = link.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        let Ok(next) = end.read_link() else { break };
        end = end.parent()?.join(next);
    }
    let is_gone = end != link && matches!(end.try_exists(), Ok(false));
    is_gone.then(|| format!("it leads to {}, which is not there", end.display()))
}

/// A path relative to where we are; a bare name is left to `PATH`.
fn absolute(path: &Path) -> PathBuf {
    if path.components().count() > 1 {
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    } else {
        path.to_owned()
    }
}

/// What a Python says of itself.
#[derive(serde::Deserialize)]
struct Probed {
    python: String,
    pytest: Option<String>,
    paths: Vec<PathBuf>,
}

/// Asks a Python for its version, pytest's if it is there, and where it imports from.
fn probe(path: &Path, because: &'static str) -> Result<Probed, PythonError> {
    // All of pytest takes ten times as long to import as the package that knows its version.
    const ASK: &str = "import sys, json
try:
    from _pytest import __version__ as version
except ImportError:
    version = None
paths = [path for path in [sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path] if path]
print(json.dumps({'python': '%d.%d.%d' % sys.version_info[:3], 'pytest': version, 'paths': paths}))";
    let fails = |why: String| PythonError::DoesNotRun { python: path.to_owned(), because, why };
    // What the system says of such a link is that it is not there, though `ls` shows it.
    let why = |error: std::io::Error| leads_nowhere(path).unwrap_or_else(|| error.to_string());
    if path.is_dir() {
        return Err(fails("it is a folder, and has no bin/python".into()));
    }
    let (success, out, err) = ask(path, ASK).map_err(|error| fails(why(error)))?;
    let last =
        |said: &str| said.trim().lines().last().unwrap_or_default().chars().take(200).collect::<String>();
    if !success {
        // What is no Python quotes the question, which is no news to the user.
        let why = last(&err);
        let why = if why.contains("import sys, json") {
            "it seems to be no Python".into()
        } else {
            format!("it fails with {why:?}")
        };
        return Err(fails(why));
    }
    let line = out.lines().last().unwrap_or_default();
    serde_json::from_str(line)
        .map_err(|_| fails(format!("it does not say its version, but {:?}", last(line))))
}

/// Runs a line of Python; returns whether it succeeded, its output and its errors. What is no Python
/// may say anything without an end, or nothing.
fn ask(path: &Path, line: &str) -> std::io::Result<(bool, String, String)> {
    fn hear(from: Option<impl Read + Send + 'static>) -> Receiver<String> {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let mut said = Vec::new();
            if let Some(from) = from {
                // What cannot be read was not said.
                let _ = from.take(MOST_SAID).read_to_end(&mut said);
            }
            sender.send(String::from_utf8_lossy(&said).into_owned())
        });
        receiver
    }
    let mut command = Command::new(path);
    command.args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (out, err) = (hear(child.stdout.take()), hear(child.stderr.take()));
    let heard = out.recv_timeout(PYTHON_START).and_then(|out| Ok((out, err.recv_timeout(PYTHON_START)?)));
    if heard.is_err() {
        child.kill()?;
    }
    let status = child.wait()?;
    let (out, err) = heard.map_err(|_| std::io::Error::other("it does not come to an end"))?;
    Ok((status.success(), out, err))
}

/// The version of a Python, as `3.11.7`.
///
/// # Errors
/// It does not run.
pub(crate) fn version_of(path: &Path) -> Result<String, PythonError> {
    probe(path, "looked at for its version").map(|probed| probed.python)
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_that_jostle_is_in_is_the_suite_s_if_pytest_is_there_too() {
        let folder = tempfile::tempdir().unwrap();
        let (program, bin) = (folder.path().join("bin/jostle"), folder.path().join("bin"));
        let packages = folder.path().join("lib/python3.13/site-packages");
        for made in [&bin, &packages] {
            std::fs::create_dir_all(made).unwrap();
        }
        std::fs::write(bin.join("python"), "").unwrap();
        std::fs::write(folder.path().join("pyvenv.cfg"), "").unwrap();
        assert_eq!(beside(&program), None, "an environment for jostle alone");
        std::fs::create_dir(packages.join("pytest")).unwrap();
        assert_eq!(beside(&program), Some(bin.join("python")));
        std::fs::remove_file(folder.path().join("pyvenv.cfg")).unwrap();
        assert_eq!(beside(&program), None, "no environment");
    }
}
