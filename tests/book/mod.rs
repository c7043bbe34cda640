//! The README and the book: their commands run, what they say is printed is printed, their links lead somewhere, and
//! their sentences are short.

mod commands;
mod reference;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support;
use crate::support::pages::{self, Page};

/// The longest sentence.
const WORDS: usize = 30;

#[test]
fn sentences_are_short() {
    let too_long = |page: &Page| {
        let sentences = page.sentences();
        assert!(!sentences.is_empty(), "{} has sentences", page.path);
        let long = sentences.into_iter().filter(|(_, sentence)| pages::words(sentence) > WORDS);
        long.map(|(line, sentence)| {
            format!("{}:{line}: {} words: {sentence}", page.path, pages::words(&sentence))
        })
        .collect::<Vec<_>>()
    };
    let wrong: Vec<String> = pages::pages().iter().flat_map(too_long).collect();
    assert!(wrong.is_empty(), "no sentence has more than {WORDS} words:\n{}", wrong.join("\n"));
}

#[test]
fn sentences_are_told_apart() {
    let page = |text: &str| Page { path: "a.md".into(), text: text.into() };
    let sentences = |text: &str| page(text).sentences();
    let told = |line, text: &str| (line, text.to_owned());
    assert_eq!(
        sentences(
            "# A heading. Of two.\n\nOne `a b. c` and\n[a link. ](http://x.y/z) end. Two (so.)\n\n- An item\n- Another.\n"
        ),
        [
            told(3, "One code and a link. "),
            told(3, "end. "),
            told(3, "Two (so.) "),
            told(6, "An item "),
            told(7, "Another. ")
        ]
    );
    assert_eq!(sentences("```text\nNo sentence.\n```\n\n| no. | sentence. |\n"), []);
    let long = "word ".repeat(WORDS + 1);
    let (_, sentence) = &sentences(&format!("- Short.\n  {long}\n"))[1];
    assert_eq!(pages::words(sentence), WORDS + 1);
}

/// Words that praise where a fact should stand.
const PRAISE: &[&str] = &[
    "amazing",
    "blazing",
    "easily",
    "easy",
    "effortless",
    "elegant",
    "just",
    "lightning",
    "powerful",
    "robust",
    "seamless",
    "simply",
    "state-of-the-art",
    "world-class",
];

#[test]
fn nothing_is_praised() {
    for page in pages::pages() {
        for (line, sentence) in page.sentences() {
            let sentence = sentence.to_lowercase();
            let words = sentence.split(|c: char| !(c.is_alphanumeric() || c == '-'));
            let praise: Vec<&str> = words.filter(|word| PRAISE.contains(word)).collect();
            assert!(praise.is_empty(), "{}:{line}: {praise:?}: {sentence}", page.path);
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let others = ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "corpus/README.md"].map(pages::read);
    let mut followed = 0;
    for page in pages::pages().iter().chain(&others) {
        let folder = Path::new(&page.path).parent().expect("a folder");
        for link in page.links() {
            assert!(!link.contains("://"), "{}: {link} is not looked at by any test", page.path);
            let (file, anchor) =
                link.split_once('#').map_or((&*link, None), |(file, anchor)| (file, Some(anchor)));
            let path = if file.is_empty() { PathBuf::from(&page.path) } else { folder.join(file) };
            assert!(support::root().join(&path).exists(), "{} links to {link}", page.path);
            if let Some(anchor) = anchor {
                let anchors = pages::read(path.to_str().expect("text")).anchors();
                assert!(
                    anchors.iter().any(|one| one == anchor),
                    "{} links to {link}: {anchors:?}",
                    page.path
                );
            }
            followed += 1;
        }
    }
    assert!(followed > 0);
}

#[test]
fn the_summary_names_every_chapter() {
    let named: BTreeSet<String> = pages::pages().into_iter().map(|page| page.path).collect();
    for entry in fs::read_dir(support::root().join("docs/src")).expect("the book") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("text");
        let path = format!("docs/src/{name}");
        // A folder holds images.
        assert!(
            name == "SUMMARY.md" || entry.path().is_dir() || named.contains(&path),
            "{path} is not in the summary"
        );
    }
}

/// The codes of the page and of the enum.
#[test]
fn every_exit_code_is_explained() {
    let source = fs::read_to_string(support::root().join("src/cli/exit_code.rs")).expect("the enum");
    let codes =
        source.lines().filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = ")?.1.parse().ok());
    let codes: BTreeSet<u8> = codes.collect();
    let page = pages::read("docs/src/exit-codes.md").text;
    let rows = page.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(' ')?.0.parse().ok());
    assert_eq!(rows.collect::<BTreeSet<u8>>(), codes);
    assert!(codes.len() > 5, "{codes:?}");
}
