//! Proposed fixes as patch files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::explain::fix::diff::between;
use crate::explain::fix::edit::joined;
use crate::explain::fix::{Edit, diff};
use crate::finding::Finding;
use crate::record::failure_file::RecordError;
use crate::suite::TestIndex;

/// What was written of fixes, each of which is of something: of a finding's test, or of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written<Of> {
    /// The patch files, in the order in which they are to be applied.
    pub files: Vec<PathBuf>,
    /// How many different fixes are in them.
    pub fixes: usize,
    /// Whose fix is in none, as it does not go together with one that is.
    pub(crate) left_out: Vec<Of>,
}

/// Writes the fixes of the findings that have one, as [`write_all`] does.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write(findings: &[Finding], path: &Path) -> Result<Written<TestIndex>, RecordError> {
    write_all(of_findings(findings), path)
}

/// The fixes of the findings that have one, with the tests that they are of.
fn of_findings(findings: &[Finding]) -> impl Iterator<Item = (TestIndex, &[Edit])> {
    findings.iter().filter_map(|finding| {
        let fix = finding.explanation.as_ref()?.fix.as_ref()?;
        Some((finding.test?, &*fix.edits))
    })
}

/// Writes fixes, each with what it is of: into a folder that exists a file for each, each to be applied
/// after those before it; else all into one file, in which each changed file stands once. What is the same in
/// several is written once.
///
/// # Errors
/// A file cannot be written.
pub(crate) fn write_all<'a, Of>(
    fixes: impl Iterator<Item = (Of, &'a [Edit])>,
    path: &Path,
) -> Result<Written<Of>, RecordError> {
    let Together { patches, edits, left_out } = together(fixes);
    let fixes = patches.len();
    let files: Vec<(PathBuf, Vec<u8>)> = if path.is_dir() {
        (1..).zip(patches).map(|(number, patch)| (in_folder(path, number), patch)).collect()
    } else if fixes == 0 {
        Vec::new()
    } else {
        vec![(path.to_owned(), diff(&edits))]
    };
    for (file, patch) in &files {
        fs::write(file, patch).map_err(|source| RecordError::Io {
            what: "write",
            path: file.display().to_string(),
            source,
        })?;
    }
    Ok(Written { files: files.into_iter().map(|(file, _)| file).collect(), fixes, left_out })
}

/// How many different fixes the findings have that go together.
pub(crate) fn number(findings: &[Finding]) -> usize {
    together(of_findings(findings)).patches.len()
}

/// The project's files that they change.
pub(crate) fn changed(findings: &[Finding]) -> Vec<String> {
    together(of_findings(findings)).edits.into_iter().map(|edit| edit.file).collect()
}

/// The files that [`write`] writes, in the order in which they are to be applied.
pub(crate) fn places(findings: &[Finding], path: &Path) -> Vec<PathBuf> {
    match number(findings) {
        0 => Vec::new(),
        fixes if path.is_dir() => (1..=fixes).map(|number| in_folder(path, number)).collect(),
        _ => vec![path.to_owned()],
    }
}

fn in_folder(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("fix-{number}.patch"))
}

/// Fixes put together.
struct Together<Of> {
    /// What each adds to those before it.
    patches: Vec<Vec<u8>>,
    /// All changes, a file each.
    edits: Vec<Edit>,
    /// Whose do not go together with others.
    left_out: Vec<Of>,
}

fn together<'a, Of>(fixes: impl Iterator<Item = (Of, &'a [Edit])>) -> Together<Of> {
    let mut all = Together { patches: Vec::new(), edits: Vec::new(), left_out: Vec::new() };
    for (of, edits) in fixes {
        let Some(joined) = joined(&all.edits, edits) else {
            all.left_out.push(of);
            continue;
        };
        let known = |file: &str| all.edits.iter().find(|edit| edit.file == file);
        let is_its = |edit: &&Edit| edits.iter().any(|own| own.file == edit.file);
        let added = joined.iter().filter(is_its).flat_map(|edit| {
            let before = known(&edit.file).map_or_else(|| edit.before.clone(), Edit::after);
            between(&edit.file, &before, &edit.after())
        });
        let patch: Vec<u8> = added.collect();
        if !patch.is_empty() {
            all.patches.push(patch);
        }
        all.edits = joined;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::fix::edit::{Rank, Splice};
    use crate::explain::{Explanation, Fix};
    use crate::finding::{Kind, Origin};

    fn finding(test: u32, splices: &[(usize, Rank, &str)]) -> Finding {
        let splice =
            |&(at, rank, text): &(usize, Rank, &str)| Splice { at, end: at, rank, text: text.into() };
        let edit = Edit {
            file: "test_a.py".into(),
            before: b"import a\ndef test_a():\n    pass\n".to_vec(),
            splices: splices.iter().map(splice).collect(),
        };
        let fix = Fix {
            diff: String::new(),
            edits: vec![edit],
            trials: 20,
            fails_anyway: 0,
            together_with: 0,
            order_apart: false,
            parallel: 5,
            raced: 0,
            git_applied: true,
        };
        let explanation = Explanation {
            confirmed: true,
            alone: true,
            others: 1,
            changed: 1,
            fix: Some(fix),
            experiments: 1,
            ..Explanation::default()
        };
        Finding {
            explanation: Some(explanation),
            ..Finding::new(Kind::Victim, Some(TestIndex(test)), Origin::Baseline)
        }
    }

    #[test]
    fn fixes_of_one_file_can_be_applied_one_after_the_other_and_at_once() {
        let import = (9, Rank::Import, "import pytest\n");
        let one = finding(0, &[import, (9, Rank::Block, "def f():\n"), (9, Rank::Line, "@f\n")]);
        let two = finding(1, &[import, (9, Rank::Block, "def g():\n"), (9, Rank::Line, "@g\n")]);
        let clash = finding(2, &[(9, Rank::Block, "def g(a):\n")]);
        let folder = tempfile::tempdir().unwrap();
        let findings = [one.clone(), two.clone(), one, clash];
        let apart = write(&findings, folder.path()).unwrap();
        assert_eq!((apart.fixes, apart.left_out), (2, vec![TestIndex(2)]));
        let second = fs::read_to_string(folder.path().join("fix-2.patch")).unwrap();
        assert!(second.contains("\n import pytest\n def f():\n+def g():\n @f\n+@g\n"), "{second}");
        let file = folder.path().join("all.patch");
        assert_eq!(write(&findings, &file).unwrap().files, std::slice::from_ref(&file));
        let all = fs::read_to_string(file).unwrap();
        assert_eq!(all.matches("--- a/test_a.py").count(), 1, "{all}");
        assert!(all.contains("\n+import pytest\n+def f():\n+def g():\n+@f\n+@g\n"), "{all}");
        let none = write(&[Finding::new(Kind::Nod, None, Origin::Baseline)], &folder.path().join("no.patch"));
        assert_eq!(none.unwrap(), Written { files: Vec::new(), fixes: 0, left_out: Vec::new() });
        assert!(!folder.path().join("no.patch").exists());
    }
}
