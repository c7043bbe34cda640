//! A fix in a failure file: what it adds to the project's files and leaves out of them, and what these held when it was
//! tried. It is good for those contents alone.

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
    /// The SHA-256 of what it holds once the fix is applied alone.
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

/// What a file holds now, seen from a fix of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Now {
    /// What it held when the fix was tried: the change can be made.
    AsTried(Edit),
    /// What it holds once the fix is applied.
    Applied,
    /// Something else.
    Other,
}

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
        let odd = self.splices.iter().any(|splice| splice.end.is_some_and(|end| end < splice.at));
        odd.then(|| format!("its fix of {} ends before it begins", self.file))
    }

    /// What it comes to for a file that holds this.
    pub(crate) fn of_content(&self, content: Vec<u8>) -> Now {
        let digest = digest(&content);
        if digest == self.after {
            return Now::Applied;
        }
        if digest != self.before {
            return Now::Other;
        }
        let splice = |KeptSplice { at, end, rank, text }: &KeptSplice| Splice {
            at: *at,
            end: end.unwrap_or(*at),
            rank: *rank,
            text: match text {
                Text::Utf8(text) => text.clone().into_bytes(),
                Text::Bytes(bytes) => bytes.clone(),
            },
        };
        let splices = self.splices.iter().map(splice).collect();
        Now::AsTried(Edit { file: self.file.clone(), before: content, splices })
    }
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
            assert_eq!(kept.of_content(edit.before.clone()), Now::AsTried(edit.clone()), "{written}");
            assert_eq!(kept.of_content(edit.after()), Now::Applied);
            assert_eq!(kept.of_content(b"one\ntwo\nfour\n".to_vec()), Now::Other);
            assert_eq!((kept.file(), kept.fault()), ("tests/a.py", None));
        }
    }

    #[test]
    fn a_fix_keeps_to_the_project() {
        let fault =
            |file: &str| KeptEdit { file: file.into(), ..KeptEdit::of(&edit(b"one\ntwo\n", b"")) }.fault();
        for file in ["/etc/passwd", "../a.py", "a/../../b.py", ""] {
            assert!(fault(file).is_some_and(|fault| fault.contains("below a project")), "{file}");
        }
        let mut kept = KeptEdit::of(&edit(b"one\ntwo\n", b""));
        kept.splices[1].end = Some(1);
        assert!(kept.fault().is_some_and(|fault| fault.contains("before it begins")));
    }
}
