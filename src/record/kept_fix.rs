//! A fix in a failure file: what it adds to the project's files and leaves out of them, and what these held when it was
//! tried. It is good for those contents alone.

use std::cmp::Reverse;
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::explain::fix::Edit;
use crate::explain::fix::edit::{Rank, Splice};

/// The change of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptEdit {
    /// The file, relative to rootdir, with `/` between its parts.
    file: String,
    /// The SHA-256 of what it held.
    before: String,
    /// The SHA-256 of what it holds once this is the only change of it.
    after: String,
    /// What is changed.
    splices: Vec<KeptSplice>,
}

/// The change of one place in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptSplice {
    at: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<usize>,
    rank: Rank,
    text: Text,
}

/// What is added: bytes, where they are not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

/// A file as some changes of it find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// What it held when they were tried.
    pub(crate) before: Vec<u8>,
    /// Of each change whether it is made already.
    pub(crate) made: Vec<bool>,
}

/// Of how many changes of one file all ways are tried in which some of them are made; of more, each alone, all at once and those
/// of which the file holds every text.
const MOST_TRIED: usize = 6;

impl KeptEdit {
    /// A change as it is kept.
    pub(crate) fn of(edit: &Edit) -> Self {
        let splice = |Splice { at, end, rank, text }: &Splice| KeptSplice {
            at: *at,
            end: (end != at).then_some(*end),
            rank: *rank,
            text: String::from_utf8(text.clone()).map_or_else(|_| Text::Bytes(text.clone()), Text::Utf8),
        };
        Self {
            file: edit.file.clone(),
            before: digest(&edit.before),
            after: digest(&edit.after()),
            splices: edit.splices.iter().map(splice).collect(),
        }
    }

    /// Which file it is of, relative to rootdir.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Why it is none that jostle wrote, if so: it leads out of the project, or leaves out what begins after its end.
    pub(crate) fn fault(&self) -> Option<String> {
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
        if self.file.is_empty() || !Path::new(&self.file).components().all(inside) {
            return Some(format!("its fix changes {:?}, which is no file below a project", self.file));
        }
        let is_gits = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
        if Path::new(&self.file).components().any(is_gits) {
            return Some(format!(
                "its fix changes {:?}, which is git's own and no part of a project",
                self.file
            ));
        }
        let odd = self.splices.iter().any(|splice| splice.end.is_some_and(|end| end < splice.at));
        odd.then(|| format!("its fix of {} ends before it begins", self.file))
    }

    /// The change of a file that held this when the fix was tried.
    pub(crate) fn of_before(&self, before: Vec<u8>) -> Edit {
        let splice = |KeptSplice { at, end, rank, text }: &KeptSplice| Splice {
            at: *at,
            end: end.unwrap_or(*at),
            rank: *rank,
            text: match text {
                Text::Utf8(text) => text.clone().into_bytes(),
                Text::Bytes(bytes) => bytes.clone(),
            },
        };
        Edit { file: self.file.clone(), before, splices: self.splices.iter().map(splice).collect() }
    }

    /// Whether a file holds what it leaves, and no more is changed.
    pub(crate) fn leaves(&self, content: &[u8]) -> bool {
        self.after == digest(content)
    }

    /// Whether a content has all that it adds somewhere.
    fn is_held_by(&self, content: &[u8]) -> bool {
        let texts = self.of_before(Vec::new()).splices.into_iter().map(|splice| splice.text);
        texts.into_iter().all(|text| text.is_empty() || content.windows(text.len()).any(|part| part == text))
    }

    /// Whether both were tried with one content of one file.
    pub(crate) fn is_of_the_same(&self, other: &Self) -> bool {
        (&self.file, &self.before) == (&other.file, &other.before)
    }
}

/// How a file with this content is found by some changes that were tried with one content of it. None if it is neither as it
/// was then nor as some of them leave it.
pub(crate) fn found(edits: &[&KeptEdit], content: &[u8]) -> Option<Found> {
    let before = &edits.first()?.before;
    let numbers = 0..edits.len();
    let one = numbers.clone().map(|at| numbers.clone().map(|other| other == at).collect());
    let several = (0..1_u32 << edits.len().min(MOST_TRIED))
        .map(|bits| numbers.clone().map(|at| at < MOST_TRIED && bits >> at & 1 == 1).collect());
    let held = edits.iter().map(|edit| edit.is_held_by(content)).collect();
    let tried = several.chain(one).chain([vec![true; edits.len()], held]).map(|made: Vec<bool>| {
        (made.iter().zip(edits).filter(|(made, _)| **made).map(|(_, edit)| *edit).collect::<Vec<_>>(), made)
    });
    let undone = |(those, made): (Vec<&KeptEdit>, Vec<bool>)| {
        let held = undone(&those, content)?;
        (digest(&held) == *before).then_some(Found { before: held, made })
    };
    tried.filter_map(undone).next()
}

/// A content without what some changes have added to it. None if one of them leaves something out, which nobody knows any
/// more, or if it is not there.
fn undone(edits: &[&KeptEdit], content: &[u8]) -> Option<Vec<u8>> {
    let mut added: Vec<Splice> = Vec::new();
    for splice in edits.iter().flat_map(|edit| edit.of_before(Vec::new()).splices) {
        if splice.end != splice.at {
            return None;
        }
        if !added.contains(&splice) {
            added.push(splice);
        }
    }
    // What is added at one place stands in the order in which it was applied; of texts that begin alike the longest is meant.
    added.sort_by_key(|splice| (splice.at, splice.rank, Reverse(splice.text.len())));
    let (mut before, mut from) = (Vec::new(), 0_usize);
    while let Some(Splice { at, rank, .. }) = added.first().cloned() {
        let kept = at.checked_sub(before.len())?;
        before.extend_from_slice(content.get(from..from.checked_add(kept)?)?);
        from += kept;
        let rest = content.get(from..)?;
        let is_next =
            |splice: &Splice| (splice.at, splice.rank) == (at, rank) && rest.starts_with(&splice.text);
        let next = added.iter().position(is_next)?;
        from += added.remove(next).text.len();
    }
    before.extend_from_slice(content.get(from..)?);
    Some(before)
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(before: &[u8], text: &[u8]) -> Edit {
        let splices = vec![
            Splice { at: 4, end: 4, rank: Rank::Import, text: text.to_vec() },
            Splice { at: 4, end: 8, rank: Rank::Line, text: Vec::new() },
        ];
        Edit { file: "tests/a.py".into(), before: before.to_vec(), splices }
    }

    #[test]
    fn a_fix_is_read_again_as_it_was_and_is_good_for_what_it_was_tried_with() {
        for text in [&b"import a\n"[..], b"# \xe9\n"] {
            let edit = edit(b"one\ntwo\nthree\n", text);
            let written = serde_json::to_string(&KeptEdit::of(&edit)).unwrap();
            let kept: KeptEdit = serde_json::from_str(&written).unwrap();
            assert_eq!(kept.of_before(edit.before.clone()), edit, "{written}");
            let as_tried = Found { before: edit.before.clone(), made: vec![false] };
            assert_eq!(found(&[&kept], &edit.before), Some(as_tried));
            assert_eq!(found(&[&kept], &edit.after()), None, "what is left out is not known any more");
            assert!(kept.leaves(&edit.after()) && !kept.leaves(&edit.before));
            assert_eq!(found(&[&kept], b"one\ntwo\nfour\n"), None);
            assert_eq!((kept.file(), kept.fault()), ("tests/a.py", None));
        }
    }

    #[test]
    fn which_fixes_of_a_file_are_applied_is_known_by_what_they_add() {
        let of = |splices: &[(usize, Rank, &str)]| {
            let splice =
                |&(at, rank, text): &(usize, Rank, &str)| Splice { at, end: at, rank, text: text.into() };
            let before = b"import shop\n\ndef test_a():\n    pass\n".to_vec();
            Edit { file: "a.py".into(), before, splices: splices.iter().map(splice).collect() }
        };
        let import = (12, Rank::Import, "import pytest\n");
        let edits = [
            of(&[import, (13, Rank::Block, "def one():\n"), (13, Rank::Line, "@one\n")]),
            of(&[import, (13, Rank::Block, "def two():\n"), (13, Rank::Line, "@two\n")]),
            of(&[(0, Rank::LineEnd, "# three\n")]),
        ];
        let kept: Vec<KeptEdit> = edits.iter().map(KeptEdit::of).collect();
        let kept: Vec<&KeptEdit> = kept.iter().collect();
        for bits in 0..8 {
            let made: Vec<bool> = (0..3).map(|at| bits >> at & 1 == 1).collect();
            let unchanged = Edit { splices: Vec::new(), ..edits[0].clone() };
            let those = edits.iter().zip(&made).filter(|(_, made)| **made);
            let content = those.fold(unchanged, |all, (edit, _)| all.with(edit).unwrap()).after();
            let as_made = Found { before: edits[0].before.clone(), made };
            assert_eq!(found(&kept, &content), Some(as_made), "{}", String::from_utf8_lossy(&content));
        }
        assert_eq!(found(&kept, b"import shop\n\ndef test_a():\n    return\n"), None);
    }

    #[test]
    fn fixes_are_known_in_whichever_order_and_number_they_were_applied() {
        let before = b"import shop\n\ndef test_a():\n    pass\n".to_vec();
        let of = |number: usize| {
            let splice = |rank, text: String| Splice { at: 13, end: 13, rank, text: text.into_bytes() };
            let block = splice(Rank::Block, format!("def fixture_{number}():\n"));
            let line = splice(Rank::Line, format!("@fixture_{number}\n"));
            Edit { file: "a.py".into(), before: before.clone(), splices: vec![block, line] }
        };
        let edits: Vec<Edit> = (0..8).map(of).collect();
        let kept: Vec<KeptEdit> = edits.iter().map(KeptEdit::of).collect();
        let kept: Vec<&KeptEdit> = kept.iter().collect();
        for order in [&[1, 0][..], &[7, 3], &[6, 5, 4, 3, 2, 1, 0], &[0, 1, 2, 3, 4, 5, 6], &[2, 7, 6, 5]] {
            let unchanged = Edit { splices: Vec::new(), ..edits[0].clone() };
            let content = order.iter().fold(unchanged, |all, &at| all.with(&edits[at]).unwrap()).after();
            let made = (0..8).map(|at| order.contains(&at)).collect();
            assert_eq!(found(&kept, &content), Some(Found { before: before.clone(), made }), "{order:?}");
        }
    }

    #[test]
    fn a_fix_keeps_to_the_project() {
        let fault =
            |file: &str| KeptEdit { file: file.into(), ..KeptEdit::of(&edit(b"one\ntwo\n", b"")) }.fault();
        for file in ["/etc/passwd", "../a.py", "a/../../b.py", ""] {
            assert!(fault(file).is_some_and(|fault| fault.contains("below a project")), "{file}");
        }
        for file in [".git/config", "shop/.GIT/hooks/pre-commit"] {
            assert!(fault(file).is_some_and(|fault| fault.contains("git's own")), "{file}");
        }
        assert_eq!(fault(".github/conftest.py"), None);
        let mut kept = KeptEdit::of(&edit(b"one\ntwo\n", b""));
        kept.splices[1].end = Some(1);
        assert!(kept.fault().is_some_and(|fault| fault.contains("before it begins")));
    }
}
