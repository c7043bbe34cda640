//! What resources are called: the harness's rules (`Outside.name` there), on the roots that it tells.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

/// Whose names these are, and what has one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Names {
    /// Folders and what stands for them, the innermost first; nothing for those that are nobody else's business.
    roots: Vec<(PathBuf, Option<String>)>,
    /// The worker; what holds its name is its own.
    worker: Option<String>,
    /// Where in the harness's memory the line of the project stands that made the last call; 0 if it keeps none.
    pub(super) line: u64,
}

impl Names {
    /// Whether a name holds that of the worker, which has what it names for itself.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.worker.as_deref().is_some_and(|worker| names_worker(name, worker))
    }

    /// The name of an absolute path; nothing if it is nobody else's business.
    pub(super) fn of(&self, path: &Path) -> Option<String> {
        let path = normal(path);
        let shown = text(path.as_os_str());
        if self.is_own(&shown) || shown.contains("__pycache__") {
            return None;
        }
        let Some((root, symbol, below)) =
            self.roots.iter().find_map(|(root, symbol)| Some((root, symbol, path.strip_prefix(root).ok()?)))
        else {
            return Some(shown);
        };
        let base = below.components().next().map(|first| text(first.as_os_str()));
        if path != *root && base.is_some_and(|name| name.starts_with("pytest-of-")) {
            return None;
        }
        let symbol = symbol.as_deref()?;
        Some(if path == *root { symbol.to_owned() } else { format!("{symbol}/{}", text(below.as_os_str())) })
    }
}

/// A path without `.` and `..`, by its words alone.
fn normal(path: &Path) -> PathBuf {
    let mut plain = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::Normal(name) => plain.push(name),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    plain
}

/// Whether a path holds the name of a worker, as a word: `data-gw1.db`, but not for `gw10`.
fn names_worker(path: &str, worker: &str) -> bool {
    path.match_indices(worker).any(|(at, _)| {
        let before = path[..at].chars().next_back();
        let after = path[at + worker.len()..].chars().next();
        !before.is_some_and(|char| char.is_ascii_alphanumeric())
            && !after.is_some_and(|char| char.is_ascii_digit())
    })
}

/// As the harness says it: bytes that are no UTF-8 are shown as the lone surrogates that Python makes of them.
fn text(words: &OsStr) -> String {
    let mut text = String::new();
    for chunk in words.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\udc{byte:02x}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_named_as_the_harness_names_them() {
        let roots = [
            ("/site/tmp", Some("$TMPDIR")),
            ("/project", Some("$ROOTDIR")),
            ("/dev/shm", Some("/dev/shm")),
            ("/site", None),
            ("/dev", None),
        ];
        let roots = roots.map(|(path, symbol)| (path.into(), symbol.map(str::to_owned))).to_vec();
        let names = Names { roots, worker: Some("gw1".into()), line: 0 };
        let named = |path: &str| names.of(Path::new(path));
        let cases = [
            ("/site/tmp/a//b/../c", Some("$TMPDIR/a/c")),
            ("/site/tmp", Some("$TMPDIR")),
            ("/site/tmpfile", None),
            ("/site/tmp/pytest-of-me/x", None),
            ("/project/pytest-of-me", None),
            ("/project/a.txt", Some("$ROOTDIR/a.txt")),
            ("/project/__pycache__/a.pyc", None),
            ("/projects/a.txt", Some("/projects/a.txt")),
            ("/project/data-gw1.db", None),
            ("/project/data-gw10.db", Some("$ROOTDIR/data-gw10.db")),
            ("/project/egw1", Some("$ROOTDIR/egw1")),
            ("/dev/null", None),
            ("/dev/shm/x", Some("/dev/shm/x")),
        ];
        for (path, name) in cases {
            assert_eq!(named(path).as_deref(), name, "{path}");
        }
        assert_eq!(names.of(Path::new(OsStr::from_bytes(b"/a\xff"))).as_deref(), Some("/a\\udcff"));
    }
}
