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
    let said = |arguments: &[&str], files: &[String]| {
        // With the user's own settings: it is his repository.
        let mut command = Command::new("git");
        command.current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.arg("--literal-pathspecs").args(arguments).args(files).output();
        let output = output.map_err(|_| "there is no git here")?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err("the project is in no git repository"),
        }
    };
    let prefix = said(&["rev-parse", "--show-prefix"], &[])?;
    let status = ["status", "--porcelain=v1", "-z", "--untracked-files=all", "--ignored", "--"];
    let status = said(&status, files)?;
    let told = told(&status);
    let is_told = |file: &&String| {
        let path = format!("{}{file}", prefix.trim_end_matches('\n'));
        // A folder that is ignored is told in place of what is in it.
        told.iter().any(|told| *told == path || told.ends_with('/') && path.starts_with(told))
    };
    Ok(files.iter().filter(is_told).cloned().collect())
}

/// The paths, from the repository's top, of what `git status` tells: two letters and a path each, after which one that was
/// renamed or copied has its old path as well.
fn told(status: &str) -> Vec<&str> {
    let mut entries = status.split('\0');
    let mut paths = Vec::new();
    while let Some(entry) = entries.next() {
        let Some((letters, path)) = entry.split_at_checked(3) else { continue };
        paths.push(path);
        if letters.contains(['R', 'C']) {
            paths.extend(entries.next());
        }
    }
    paths
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
    fn a_file_is_dirty_only_if_git_tells_that_very_file() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        let run = |arguments: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
            let status =
                Command::new("git").args(identity).args(arguments).current_dir(folder.path()).status();
            status.is_ok_and(|status| status.success())
        };
        if !run(&["init", "--quiet"]) {
            return;
        }
        fs::create_dir_all(project.join("tests/[a]")).unwrap();
        fs::create_dir_all(project.join("made")).unwrap();
        let names = ["a.py", "test_a.py", "tests/a.py", "tests/[a]/a.py", "old.py"];
        for name in names {
            fs::write(project.join(name), "a\n").unwrap();
        }
        fs::write(folder.path().join(".gitignore"), "made/\n").unwrap();
        assert!(run(&["add", "."]) && run(&["commit", "--quiet", "--message", "a"]));
        let dirty = || {
            let files = names.map(str::to_owned);
            uncommitted(&project, &files).unwrap()
        };
        assert_eq!(dirty(), Vec::<String>::new());
        fs::write(project.join("tests/a.py"), "b\n").unwrap();
        assert_eq!(dirty(), ["tests/a.py"], "a.py ends so too, and is as it was");
        assert!(run(&["mv", "project/old.py", "project/new.py"]));
        assert_eq!(dirty(), ["tests/a.py", "old.py"]);
        fs::write(project.join("tests/[a]/a.py"), "b\n").unwrap();
        assert_eq!(dirty(), ["tests/a.py", "tests/[a]/a.py", "old.py"]);
        fs::write(project.join("made/a.py"), "a\n").unwrap();
        assert_eq!(uncommitted(&project, &["made/a.py".into(), "a.py".into()]).unwrap(), ["made/a.py"]);
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
