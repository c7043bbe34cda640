//! Folders of jostle's own: the cache, and what a session and its trials may write to.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::run::RunError;
use crate::run::site::trial_env::TrialEnv;

static HARNESS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/harness/jostle_harness");

/// The folder that outlives sessions: `$JOSTLE_CACHE_DIR`, else `$XDG_CACHE_HOME/jostle`, else
/// `~/.cache/jostle`. It may be removed at any time.
///
/// # Errors
/// There is no home folder, or the folder cannot be made.
pub(crate) fn cache_dir() -> Result<PathBuf, RunError> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = variable("JOSTLE_CACHE_DIR")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("jostle")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/jostle")))
        .ok_or_else(|| RunError::Pytest("no place for a cache: set JOSTLE_CACHE_DIR or HOME".into()))?;
    std::fs::create_dir_all(&folder).map_err(|error| {
        let folder = folder.display();
        RunError::Pytest(format!(
            "cannot make the cache folder {folder}: {error}. Set JOSTLE_CACHE_DIR to one that can be written"
        ))
    })?;
    Ok(folder)
}

/// Writes the harness into the cache and returns what goes on `PYTHONPATH`. The folder's name carries
/// a hash of its content, so versions of jostle do not disturb each other; it appears whole or not at
/// all.
///
/// # Errors
/// The cache cannot be written.
pub(crate) fn unpack_harness() -> Result<PathBuf, RunError> {
    let mut hash = Sha256::new();
    for file in HARNESS.files().filter(|file| is_python(file.path())) {
        hash.update(file.path().to_string_lossy().as_bytes());
        hash.update(file.contents());
    }
    let digest: String = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let cache = cache_dir()?;
    let folder = cache.join(format!("harness-{digest}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let write = || -> std::io::Result<()> {
        let unfinished = tempfile::Builder::new().prefix("harness-").tempdir_in(&cache)?;
        let package = unfinished.path().join("jostle_harness");
        std::fs::create_dir(&package)?;
        for file in HARNESS.files().filter(|file| is_python(file.path())) {
            std::fs::write(package.join(file.path()), file.contents())?;
        }
        match std::fs::rename(unfinished.path(), &folder) {
            Err(error) if !folder.is_dir() => Err(error),
            _ => Ok(()),
        }
    };
    write().map_err(|source| {
        RunError::io(format!("cannot write the harness to {}", folder.display()), source)
    })?;
    Ok(folder)
}

fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

/// A session's temporary folder, removed at its end.
#[derive(Debug)]
pub(crate) struct Workspace {
    folder: TempDir,
}

impl Workspace {
    /// Makes the folder.
    ///
    /// # Errors
    /// The system's temporary folder cannot be written.
    pub(crate) fn new() -> Result<Self, RunError> {
        let folder = tempfile::Builder::new().prefix("jostle-").tempdir();
        Ok(Self { folder: folder.map_err(|source| RunError::io("cannot make a temporary folder", source))? })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder for one trial, removed when it is dropped, and a copy of another if one is given.
    /// Its name is the same for every trial, as far as trials do not overlap, since paths may show up
    /// in a test's verdict.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(crate) fn trial(&self, like: Option<&Path>) -> Result<TrialEnv, RunError> {
        let path = self.folder.path().join("trial");
        let make = || {
            if path.exists() {
                std::fs::remove_dir_all(&path)?;
            }
            match like {
                Some(like) => copy(like, &path),
                None => {
                    std::fs::create_dir_all(path.join("tmp"))?;
                    make_home(&path.join("home"))
                }
            }
        };
        make().map_err(|source| RunError::io(format!("cannot make {}", path.display()), source))?;
        Ok(TrialEnv::on_host(path))
    }

    /// A trial's folder that sandboxes show: nothing is ever written into this one itself.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub(crate) fn shown(&self) -> std::io::Result<PathBuf> {
        let path = self.folder.path().join("trial");
        std::fs::create_dir_all(path.join("tmp"))?;
        Ok(path)
    }

    /// Keeps a trial's folder, with what was written into it, for later trials to start with.
    ///
    /// # Errors
    /// The folder cannot be moved.
    pub(crate) fn keep(&self, folder: &TrialEnv, name: &str) -> Result<PathBuf, RunError> {
        let kept = self.folder.path().join(name);
        let keep = || {
            if kept.exists() {
                std::fs::remove_dir_all(&kept)?;
            }
            std::fs::rename(&folder.path, &kept)
        };
        keep().map_err(|source| RunError::io(format!("cannot make {}", kept.display()), source))?;
        Ok(kept)
    }
}

/// Makes a home that shows what is in the user's, so that what a test adds to it is the trial's own.
fn make_home(home: &Path) -> std::io::Result<()> {
    let Some(users) = std::env::home_dir().filter(|home| home.is_dir()) else { return Ok(()) };
    std::fs::create_dir(home)?;
    for entry in std::fs::read_dir(users)?.flatten() {
        std::os::unix::fs::symlink(entry.path(), home.join(entry.file_name()))?;
    }
    Ok(())
}

/// Copies what a folder holds into another; what is neither file, folder nor link is left out.
pub(crate) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(std::fs::read_link(entry.path())?, target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
