//! Changes of a file, as splices of what it holds, so that several fixes of one file can be put together.

use serde::{Deserialize, Serialize};

use crate::explain::fix::layout::Source;

/// A change of one place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Splice {
    /// Where, as a byte offset into the file as it is.
    pub(crate) at: usize,
    /// Where what is left out ends; `at` if nothing is.
    pub(crate) end: usize,
    /// What comes first of several that are added at one place.
    pub(crate) rank: Rank,
    /// What is added.
    pub(crate) text: Vec<u8>,
}

/// The order of what is added at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rank {
    /// The end of the line before.
    LineEnd,
    /// An import.
    Import,
    /// A fixture.
    Block,
    /// Blank lines before what follows.
    Blank,
    /// A line of its own, or what takes the place of something.
    Line,
}

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file, relative to rootdir, with `/` between its parts.
    pub file: String,
    /// What it holds.
    pub before: Vec<u8>,
    /// What is changed.
    pub(crate) splices: Vec<Splice>,
}

impl Edit {
    /// No change yet.
    pub fn of(source: &Source) -> Self {
        Self { file: source.file.clone(), before: source.content.clone(), splices: Vec::new() }
    }

    /// Adds a text at an offset.
    pub fn add(&mut self, at: usize, rank: Rank, text: &str) {
        self.splices.push(Splice { at, end: at, rank, text: text.into() });
    }

    /// Leaves a part out.
    pub fn remove(&mut self, at: usize, end: usize) {
        self.splices.push(Splice { at, end, rank: Rank::Line, text: Vec::new() });
    }

    /// Whether all that is added is ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        self.splices.iter().all(|splice| splice.text.is_ascii())
    }

    /// What the file holds afterwards.
    pub fn after(&self) -> Vec<u8> {
        let mut splices: Vec<&Splice> = self.splices.iter().collect();
        splices.sort_by_key(|splice| (splice.at, splice.rank));
        let (mut new, mut from) = (Vec::new(), 0);
        for splice in splices {
            new.extend_from_slice(self.before.get(from..splice.at).unwrap_or_default());
            new.extend_from_slice(&splice.text);
            from = splice.end.max(from);
        }
        new.extend_from_slice(self.before.get(from..).unwrap_or_default());
        new
    }

    /// Both changes of one file; what both do is done once. None if they do not go together: they were made of
    /// different contents, one changes what the other leaves out, or both define one fixture in different ways.
    pub fn with(&self, other: &Self) -> Option<Self> {
        if (&self.file, &self.before) != (&other.file, &other.before) {
            return None;
        }
        let mut both = self.clone();
        for splice in &other.splices {
            if self.splices.contains(splice) {
                continue;
            }
            if self.splices.iter().any(|own| own.excludes(splice)) {
                return None;
            }
            both.splices.push(splice.clone());
        }
        Some(both)
    }
}

/// All of some changes of files and of some more, a file each; those of the files that are changed by both or by the
/// latter come last. None if two of one file do not go together.
pub(crate) fn joined(edits: &[Edit], more: &[Edit]) -> Option<Vec<Edit>> {
    let known = |file: &str| edits.iter().find(|edit| edit.file == file);
    let is_changed = |edit: &&Edit| !more.iter().any(|other| other.file == edit.file);
    let mut all: Vec<Edit> = edits.iter().filter(is_changed).cloned().collect();
    for edit in more {
        all.push(known(&edit.file).map_or_else(|| Some(edit.clone()), |own| own.with(edit))?);
    }
    Some(all)
}

impl Splice {
    fn excludes(&self, other: &Self) -> bool {
        let same_block = self.rank == Rank::Block
            && other.rank == Rank::Block
            && definition(&self.text).is_some_and(|name| definition(&other.text) == Some(name));
        let removes = |a: &Self, b: &Self| a.at < a.end && b.at < a.end && b.end.max(b.at + 1) > a.at;
        same_block || removes(self, other) || removes(other, self)
    }
}

/// The line that defines what a block is.
fn definition(block: &[u8]) -> Option<&[u8]> {
    let line = block.split(|&byte| byte == b'\n').find(|line| line.starts_with(b"def "))?;
    line.split(|&byte| byte == b'(').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(splices: &[(usize, usize, Rank, &str)]) -> Edit {
        let splice =
            |&(at, end, rank, text): &(usize, usize, Rank, &str)| Splice { at, end, rank, text: text.into() };
        Edit {
            file: "a.py".into(),
            before: b"one\ntwo\nthree\n".to_vec(),
            splices: splices.iter().map(splice).collect(),
        }
    }

    fn after(edit: &Edit) -> String {
        String::from_utf8(edit.after()).unwrap()
    }

    #[test]
    fn what_is_added_at_one_place_has_an_order() {
        let edit = edit(&[
            (8, 8, Rank::Line, "z\n"),
            (4, 4, Rank::Block, "b\n"),
            (4, 4, Rank::Import, "a\n"),
            (4, 8, Rank::Line, ""),
        ]);
        assert_eq!(after(&edit), "one\na\nb\nz\nthree\n");
    }

    #[test]
    fn two_changes_go_together_unless_one_undoes_the_other() {
        let first = edit(&[(4, 4, Rank::Import, "import a\n"), (4, 4, Rank::Block, "def x():\n")]);
        let second = edit(&[(4, 4, Rank::Import, "import a\n"), (4, 4, Rank::Block, "def y():\n")]);
        assert_eq!(after(&first.with(&second).unwrap()), "one\nimport a\ndef x():\ndef y():\ntwo\nthree\n");
        assert_eq!(first.with(&first), Some(first.clone()));
        let same_name = edit(&[(4, 4, Rank::Block, "def x(a):\n")]);
        assert_eq!(first.with(&same_name), None);
        let removed = edit(&[(4, 8, Rank::Line, "")]);
        assert_eq!(removed.with(&edit(&[(5, 6, Rank::Line, "")])), None);
        assert_eq!(removed.with(&edit(&[(6, 6, Rank::Line, "x")])), None);
        assert!(removed.with(&edit(&[(8, 8, Rank::Line, "x\n")])).is_some());
        let other = Edit { before: b"other\n".to_vec(), ..first.clone() };
        assert_eq!(first.with(&other), None);
    }
}
