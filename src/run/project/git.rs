//! `git apply`, to see whether a patch can be applied by whoever is shown it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::explain::fix::Edit;

/// What git makes of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// In a clean copy of the files it makes of them what it should.
    Yes,
    /// It does not.
    No,
    /// There is no git here, or no clean copy can be made.
    Unknown,
}

/// Applies a patch to a clean copy of the files that edits change.
pub fn apply(edits: &[Edit], patch: &[u8]) -> Applied {
    let Some(folder) = tempfile::Builder::new().prefix("jostle-patch-").tempdir().ok() else {
        return Applied::Unknown;
    };
    let tree = folder.path().join("tree");
    for edit in edits {
        let path = tree.join(&edit.file);
        let made = path.parent().map(fs::create_dir_all);
        if !matches!(made, Some(Ok(()))) || fs::write(&path, &edit.before).is_err() {
            return Applied::Unknown;
        }
    }
    let file = folder.path().join("fix.patch");
    if fs::write(&file, patch).is_err() {
        return Applied::Unknown;
    }
    let Ok(status) = git(&tree, folder.path()).arg("apply").arg(&file).status() else {
        return Applied::Unknown;
    };
    let as_wanted =
        |edit: &Edit| fs::read(tree.join(&edit.file)).is_ok_and(|content| content == edit.after());
    if status.success() && edits.iter().all(as_wanted) { Applied::Yes } else { Applied::No }
}

/// Which of some files git could not bring back as they are: they have changes that are not committed, or are not tracked.
///
/// # Errors
/// There is no git here, or the folder is in no repository; the text says which.
pub(crate) fn uncommitted(folder: &Path, files: &[String]) -> Result<Vec<String>, &'static str> {
    let mut command = Command::new("git");
    // With the user's own settings: it is his repository.
    command.current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null());
    let output = command
        .args(["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignored", "--"])
        .args(files)
        .output()
        .map_err(|_| "there is no git here")?;
    if !output.status.success() {
        return Err("the project is in no git repository");
    }
    let said = String::from_utf8_lossy(&output.stdout);
    // Each is told by two letters and a path from the repository's top.
    let changed: Vec<&str> = said.split('\0').filter_map(|entry| entry.get(3..)).collect();
    let is_told = |file: &&String| changed.iter().any(|path| path.ends_with(file.as_str()));
    let named: Vec<String> = files.iter().filter(is_told).cloned().collect();
    // A folder that is ignored is told in place of what is in it.
    Ok(if named.is_empty() && !changed.is_empty() { files.to_vec() } else { named })
}

/// Which of some files are links or below one: what they lead to may be in no repository, and git tells nothing of it.
pub(crate) fn led_elsewhere(folder: &Path, files: &[String]) -> Vec<String> {
    let top = folder.canonicalize().ok();
    let is_there = |file: &&String| {
        let place = folder.join(file).canonicalize().ok();
        place.is_some() && place == top.as_ref().map(|top| top.join(file))
    };
    files.iter().filter(|file| !is_there(file)).cloned().collect()
}

/// git in a folder that is part of no repository, with no options of the user's.
fn git(folder: &Path, ceiling: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.env("GIT_CEILING_DIRECTORIES", ceiling).env("GIT_CONFIG_NOSYSTEM", "1");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    command.env_remove("GIT_INDEX_FILE").env_remove("GIT_CONFIG_PARAMETERS").env_remove("GIT_CONFIG_COUNT");
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::fix::diff::between;
    use crate::explain::fix::edit::{Rank, Splice};

    fn edit(file: &str, before: &[u8], at: usize) -> Edit {
        let splice = Splice { at, end: at, rank: Rank::Line, text: b"added\n".to_vec() };
        Edit { file: file.into(), before: before.to_vec(), splices: vec![splice] }
    }

    #[test]
    fn git_takes_what_is_written_for_it_and_nothing_else() {
        if Command::new("git").arg("--version").output().is_err() {
            return;
        }
        let contents: [&[u8]; 5] = [b"a\nb\nc\n", b"a\r\nb\r\n", b"", b"\xe9\n\xff", b"no end"];
        for file in ["a.py", "my tests/test a.py", "te\"st\\.py", "testé.py"] {
            for content in contents {
                let line =
                    content.iter().position(|&byte| byte == b'\n').map_or(content.len(), |end| end + 1);
                let edit = edit(file, content, line);
                let patch = between(file, content, &edit.after());
                assert_eq!(apply(&[edit], &patch), Applied::Yes, "{file} {content:?}");
            }
        }
        let other = between("a.py", b"x\n", b"y\n");
        assert_eq!(apply(&[edit("a.py", b"a\n", 2)], &other), Applied::No);
        let half = between("a.py", b"a\n", b"a\nother\n");
        assert_eq!(apply(&[edit("a.py", b"a\n", 2)], &half), Applied::No);
    }
}
