//! A copy of a project in which something is tried.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::explain::fix::Edit;

/// Files and bytes of a project that is copied at most.
const MOST_FILES: u32 = 20_000;
const MOST_BYTES: u64 = 256 << 20;

/// Folders that a suite does not need, or makes anew.
const SKIPPED: [&str; 12] = [
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".nox",
    ".venv",
    "node_modules",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
];

/// A copy, which goes when this does.
#[derive(Debug)]
pub struct Copy {
    folder: TempDir,
    files: u32,
    bytes: u64,
}

impl Copy {
    /// A copy of a project with some files changed; none if it is too large (20,000 files, 256 MiB), or cannot be
    /// copied.
    pub fn of(rootdir: &Path, edits: &[Edit]) -> Option<Self> {
        let mut copy = Self { folder: TempDir::with_prefix("jostle-fix-").ok()?, files: 0, bytes: 0 };
        let to = copy.folder.path().to_owned();
        copy.add(rootdir, &to)?;
        for edit in edits {
            let path = to.join(&edit.file);
            // A new file, since the one that was copied may not be written to.
            let permissions = fs::metadata(&path).ok()?.permissions();
            fs::remove_file(&path).ok()?;
            fs::write(&path, edit.after()).ok()?;
            fs::set_permissions(&path, permissions).ok()?;
        }
        Some(copy)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn add(&mut self, from: &Path, to: &Path) -> Option<()> {
        fs::create_dir_all(to).ok()?;
        for entry in fs::read_dir(from).ok()? {
            let entry = entry.ok()?;
            let (path, kind) = (entry.path(), entry.file_type().ok()?);
            let target = to.join(entry.file_name());
            if kind.is_dir() {
                let skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
                if !skipped && !path.join("pyvenv.cfg").exists() {
                    self.add(&path, &target)?;
                }
            } else if kind.is_symlink() {
                std::os::unix::fs::symlink(fs::read_link(&path).ok()?, target).ok()?;
            } else if kind.is_file() {
                self.files += 1;
                self.bytes += entry.metadata().ok()?.len();
                if self.files > MOST_FILES || self.bytes > MOST_BYTES {
                    return None;
                }
                fs::copy(&path, target).ok()?;
            }
        }
        Some(())
    }
}
