//! What trials leave behind in the project: asked of their sandbox, or, without one, found by comparing
//! the project's files before and after.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::run::RunError;
use crate::run::site::trial_env::TrialEnv;
use crate::trial::{Change, Leftover, LeftoverKind};

/// Folders that Python, pytest and version control keep for themselves.
const NOT_THE_PROJECTS: [&str; 7] =
    [".git", ".hg", ".hypothesis", ".mypy_cache", ".pytest_cache", ".venv", "__pycache__"];
/// A project with more files is not looked through for each trial.
const MOST_FILES: usize = 20_000;

/// Watches a project's files from trial to trial.
#[derive(Debug)]
pub(crate) struct Watch {
    folder: PathBuf,
    /// Whether sandboxes are asked; without one the files are always compared.
    asks_sandboxes: bool,
    /// What jostle writes to.
    own: Vec<PathBuf>,
    /// The files after the last trial without a sandbox; none where they are too many, and nothing at all
    /// before the first.
    files: Mutex<Option<Option<Snapshot>>>,
}

impl Watch {
    /// A watch over a project, but for the files and folders that jostle itself writes to.
    pub(crate) fn new(folder: &Path, asks_sandboxes: bool, own: Vec<PathBuf>) -> Self {
        Self { folder: folder.to_owned(), asks_sandboxes, own, files: Mutex::new(None) }
    }

    /// Looks at the files before the first trial, if trials may change them.
    pub(crate) fn before(&self, site: &TrialEnv) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if site.sandbox().is_none() && files.is_none() {
            *files = Some(Snapshot::of(&self.folder).ok().flatten());
        }
    }

    /// What a trial has left behind, if that is to be told; paths are relative to the folder.
    ///
    /// # Errors
    /// The sandbox cannot be asked.
    pub(crate) fn after(&self, site: &TrialEnv) -> Result<Vec<Leftover>, RunError> {
        let mut left = match site.sandbox() {
            Some(sandbox) if self.asks_sandboxes => {
                sandbox.stop();
                sandbox.leftovers(&self.folder).map_err(|error| RunError::Sandbox(error.to_string()))?
            }
            Some(_) => Vec::new(),
            None => self.new_files(),
        };
        left.retain(|left| concerns_the_project(&self.folder, &left.path));
        left.retain(|left| !self.own.iter().any(|own| is_for(&left.path, own)));
        for left in &mut left {
            if let Ok(below) = left.path.strip_prefix(&self.folder) {
                left.path = below.to_owned();
            }
        }
        Ok(left)
    }

    /// What has changed since the trial before.
    fn new_files(&self) -> Vec<Leftover> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Some(before)) = &*files else { return Vec::new() };
        let now = Snapshot::of(&self.folder).ok().flatten();
        let left = now.as_ref().map(|now| before.until(now)).unwrap_or_default();
        *files = Some(now);
        left
    }
}

/// The files of a project at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Snapshot(BTreeMap<PathBuf, Stamp>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    kind: LeftoverKind,
    size: u64,
    changed: Option<SystemTime>,
}

impl Snapshot {
    /// Looks through a folder; none if it holds too many files.
    ///
    /// # Errors
    /// The folder itself cannot be read; what cannot be read in it is left out.
    fn of(folder: &Path) -> io::Result<Option<Self>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![std::fs::read_dir(folder)?];
        while let Some(entries) = folders.pop() {
            for entry in entries.flatten() {
                let path = entry.path();
                let Ok(found) = std::fs::symlink_metadata(&path) else { continue };
                if !concerns_the_project(folder, &path) {
                    continue;
                }
                let stamp = Stamp {
                    kind: kind_of(found.file_type()),
                    size: if found.is_dir() { 0 } else { found.len() },
                    // A folder's changes with what is in it, which is told anyway.
                    changed: if found.is_dir() { None } else { found.modified().ok() },
                };
                if found.is_dir() {
                    folders.extend(std::fs::read_dir(&path));
                }
                files.insert(path, stamp);
                if files.len() > MOST_FILES {
                    return Ok(None);
                }
            }
        }
        Ok(Some(Self(files)))
    }

    /// What differs in a later one, in the order of the paths.
    fn until(&self, later: &Self) -> Vec<Leftover> {
        let left = |path: &PathBuf, change, stamp: &Stamp| Leftover {
            path: path.clone(),
            change,
            kind: stamp.kind,
            size: stamp.size,
        };
        let there = later.0.iter().filter_map(|(path, now)| match self.0.get(path) {
            None => Some(left(path, Change::Created, now)),
            Some(before) if before != now => Some(left(path, Change::Changed, now)),
            Some(_) => None,
        });
        let gone = self.0.iter().filter(|(path, _)| !later.0.contains_key(*path));
        let mut all: Vec<Leftover> =
            there.chain(gone.map(|(path, before)| left(path, Change::Removed, before))).collect();
        all.sort();
        all
    }
}

/// Whether a path below a project's folder is of the project, and not of a tool that runs it.
fn concerns_the_project(folder: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(folder).unwrap_or(path);
    !below.iter().any(|part| NOT_THE_PROJECTS.iter().any(|name| part == *name))
}

/// Whether a path is, or is in, what jostle writes to, or is a folder above it, which may have been made for it.
fn is_for(path: &Path, own: &Path) -> bool {
    path.starts_with(own) || own.starts_with(path)
}

fn kind_of(file: std::fs::FileType) -> LeftoverKind {
    use std::os::unix::fs::FileTypeExt;
    match file {
        file if file.is_dir() => LeftoverKind::Folder,
        file if file.is_symlink() => LeftoverKind::Link,
        file if file.is_socket() => LeftoverKind::Socket,
        file if file.is_fifo() => LeftoverKind::Pipe,
        file if file.is_block_device() || file.is_char_device() => LeftoverKind::Device,
        _ => LeftoverKind::File,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_made_changed_and_removed_is_told_but_not_what_tools_keep() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("pkg/__pycache__")).unwrap();
        fs::write(at("pkg/kept"), "1").unwrap();
        fs::write(at("gone"), "1").unwrap();
        let before = Snapshot::of(folder.path()).unwrap().unwrap();
        assert_eq!(before.until(&before), []);
        fs::write(at("pkg/kept"), "22").unwrap();
        fs::write(at("pkg/__pycache__/x.pyc"), "1").unwrap();
        fs::write(at("new"), "1").unwrap();
        fs::remove_file(at("gone")).unwrap();
        let after = Snapshot::of(folder.path()).unwrap().unwrap();
        let found: Vec<_> = before.until(&after).into_iter().map(|left| (left.path, left.change)).collect();
        assert_eq!(
            found,
            [(at("gone"), Change::Removed), (at("new"), Change::Created), (at("pkg/kept"), Change::Changed)]
        );
    }

    #[test]
    fn what_jostle_writes_was_left_by_no_test() {
        let own = Path::new("/project/.jostle/history");
        let of_ours = ["/project/.jostle", "/project/.jostle/history", "/project/.jostle/history/1.jsonl"];
        assert!(of_ours.iter().all(|path| is_for(Path::new(path), own)));
        let others = ["/project/.jostle/other", "/project/history", "/project/.jostle/history2"];
        assert!(!others.iter().any(|path| is_for(Path::new(path), own)));
    }
}
