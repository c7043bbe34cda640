//! What sets a copy of a project apart from it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::journal_format::digest;

/// A name for what was changed in a copy: the same for the same changes, whatever else the project holds. Empty if
/// nothing was.
///
/// # Errors
/// The copy cannot be read.
pub(crate) fn name(rootdir: &Path, copy: &Path) -> io::Result<String> {
    let mut changed = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(copy.join(&folder))? {
            let entry = entry?;
            let (path, kind) = (folder.join(entry.file_name()), entry.file_type()?);
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && !is_same(&rootdir.join(&path), &entry.path())? {
                changed.push(format!("{} {}\n", digest(&fs::read(entry.path())?), path.display()));
            }
        }
    }
    changed.sort_unstable();
    Ok(if changed.is_empty() { String::new() } else { digest(changed.concat().as_bytes()) })
}

fn is_same(original: &Path, copied: &Path) -> io::Result<bool> {
    let size = fs::metadata(copied)?.len();
    let as_large = fs::metadata(original).is_ok_and(|original| original.len() == size);
    Ok(as_large && fs::read(original)? == fs::read(copied)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_changes_have_one_name_and_others_another() {
        let folder = tempfile::tempdir().unwrap();
        let project = |name: &str, files: [(&str, &str); 2]| {
            fs::create_dir_all(folder.path().join(name).join("tests")).unwrap();
            for (file, content) in files {
                fs::write(folder.path().join(name).join(file), content).unwrap();
            }
            folder.path().join(name)
        };
        let root = project("root", [("a.py", "a = 1"), ("tests/b.py", "b = 1")]);
        let other = project("other", [("a.py", "a = 0"), ("tests/b.py", "b = 1")]);
        let same = project("same", [("a.py", "a = 1"), ("tests/b.py", "b = 1")]);
        let fixed = project("fixed", [("a.py", "a = 1"), ("tests/b.py", "b = 2")]);
        let otherwise = project("otherwise", [("a.py", "b = 2"), ("tests/b.py", "b = 1")]);
        let of_other = project("of-other", [("a.py", "a = 0"), ("tests/b.py", "b = 2")]);
        assert_eq!(name(&root, &same).unwrap(), "");
        let fix = name(&root, &fixed).unwrap();
        assert_eq!(fix.len(), 16);
        assert_eq!(name(&other, &of_other).unwrap(), fix);
        assert_ne!(name(&root, &otherwise).unwrap(), fix);
        assert!(name(&root, &folder.path().join("none")).is_err());
    }
}
