//! The README and the book as the tests read them: their prose, links and code, and what they say jostle prints.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{root, said};

/// A page in Markdown.
pub struct Page {
    /// Its path from the project's folder.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A code block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands after the opening fence.
    pub language: String,
    /// The comment directly above it, if there is one.
    pub mark: Option<String>,
    /// The number of the opening fence's line.
    pub line: usize,
    /// The lines within.
    pub body: Vec<String>,
}

/// The README, the page on examples and the book, in the order in which they are read.
pub fn pages() -> Vec<Page> {
    let summary = read("docs/src/SUMMARY.md");
    let chapters: Vec<String> = links(&summary.text).iter().map(|name| format!("docs/src/{name}")).collect();
    assert!(!chapters.is_empty(), "the summary names the chapters");
    ["README.md".to_owned(), "docs/README.md".to_owned()]
        .into_iter()
        .chain(chapters)
        .map(|path| read(&path))
        .collect()
}

/// Reads a page.
pub fn read(path: &str) -> Page {
    let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    Page { path: path.to_owned(), text }
}

impl Page {
    /// Its code blocks, in order.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = (1..).zip(self.text.lines());
        let mut mark = None;
        while let Some((line, text)) = lines.next() {
            if let Some(language) = text.strip_prefix("```") {
                let within = lines.by_ref().map(|(_, text)| text).take_while(|text| !text.starts_with("```"));
                let body = within.map(str::to_owned).collect();
                blocks.push(Block { language: language.to_owned(), mark: mark.take(), line, body });
            } else {
                let comment = text.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                mark = comment.map(str::to_owned);
            }
        }
        blocks
    }

    /// Its sentences, each with the line on which its paragraph begins. Code blocks, tables and headings have none;
    /// a code span is one word, and a link its text.
    pub fn sentences(&self) -> Vec<(usize, String)> {
        let mut paragraphs: Vec<(usize, String)> = Vec::new();
        let (mut within, mut begun) = (false, false);
        for (number, line) in (1..).zip(self.text.lines()) {
            let text = line.trim_start();
            within ^= text.starts_with("```");
            let is_prose = !within
                && !text.is_empty()
                && !["```", "|", "#", "<!--"].iter().any(|start| text.starts_with(start));
            let is_item = text.starts_with("- ")
                || text.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
            match (is_prose, begun && !is_item) {
                (false, _) => begun = false,
                (true, true) => {
                    let (_, paragraph) = paragraphs.last_mut().expect("it has begun");
                    paragraph.push(' ');
                    paragraph.push_str(text);
                }
                (true, false) => {
                    begun = true;
                    let item = if is_item { text.split_once(' ').map_or("", |(_, rest)| rest) } else { text };
                    paragraphs.push((number, item.to_owned()));
                }
            }
        }
        let sentences = |(line, text): &(usize, String)| {
            let line = *line;
            split(&plain(text)).into_iter().map(move |sentence| (line, sentence)).collect::<Vec<_>>()
        };
        paragraphs.iter().flat_map(sentences).collect()
    }

    /// What its links lead to.
    pub fn links(&self) -> Vec<String> {
        let mut within = false;
        let prose = self.text.lines().filter(|line| {
            within ^= line.starts_with("```");
            !within
        });
        links(&prose.collect::<Vec<_>>().join("\n"))
    }

    /// The names that links to its headings use, as GitHub and mdBook make them.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.text.lines().filter(|line| line.starts_with('#'));
        let anchor = |heading: &str| {
            let kept = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.collect::<String>().replace(' ', "-")
        };
        headings.map(anchor).collect()
    }

    /// Its code spans.
    pub fn spans(&self) -> Vec<String> {
        let mut within = false;
        let prose = self.text.lines().filter(|line| {
            within ^= line.starts_with("```");
            !within && !line.starts_with("```")
        });
        let prose = prose.collect::<Vec<_>>().join(" ");
        prose.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }
}

fn links(text: &str) -> Vec<String> {
    let parts = text.split("](").skip(1);
    parts.filter_map(|part| Some(part.split_once(')')?.0.to_owned())).collect()
}

/// Prose without its marks: code spans as one word, links as their text.
fn plain(text: &str) -> String {
    let spans = text.split('`').enumerate();
    let without_code: String =
        spans.map(|(index, part)| if index % 2 == 0 { part } else { "code" }).collect();
    let mut plain = String::new();
    let mut rest = without_code.as_str();
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain.push_str(rest);
    plain.replace(['[', '*'], "")
}

/// Sentences end with a full stop, a question mark or an exclamation mark, and with their paragraph.
fn split(text: &str) -> Vec<String> {
    let mut sentences = vec![String::new()];
    for word in text.split_whitespace() {
        let sentence = sentences.last_mut().expect("there is one");
        sentence.push_str(word);
        sentence.push(' ');
        if word.trim_end_matches([')', '"']).ends_with(['.', '?', '!']) {
            sentences.push(String::new());
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// How many words a sentence has.
pub fn words(sentence: &str) -> usize {
    sentence.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
}

/// The excerpts of pages that say they are printed by this.
pub fn printed_by(what: &str) -> Vec<(String, Block)> {
    let mark = Some(format!("printed by: {what}"));
    let of_page = |page: Page| {
        let blocks = page.blocks().into_iter().filter(|block| block.mark == mark).collect::<Vec<_>>();
        blocks.into_iter().map(move |block| (page.path.clone(), block))
    };
    pages().into_iter().flat_map(of_page).collect()
}

/// What a report advises where failures are not kept, and how it says that a failure is seen again.
const ADVISED: [&str; 2] = ["  --failures DIR keeps a file for jostle replay", "  jostle replay "];

/// What of the excerpts that pages show is not in what was printed. What Python says differs from version to version:
/// nothing is compared on another than those that the pages are of. A run whose failures are `kept` advises to replay their
/// files.
pub fn not_printed(what: &str, printed: &str, python: &Path, kept: bool) -> Vec<String> {
    let shown = printed_by(what);
    let of_the_pages =
        "import pytest, sys; print(sys.version_info >= (3, 11) and pytest.version_tuple[0] == 8)";
    if shown.is_empty() || said(Command::new(python).args(["-c", of_the_pages])).trim() != "True" {
        return Vec::new();
    }
    let of_the_run = |line: &str| if kept { without_advice(line) } else { line.to_owned() };
    let of_a_file = |line: &&str| kept && line.starts_with("  file          jostle replay ");
    let told: Vec<String> = printed.lines().filter(|line| !of_a_file(line)).map(of_the_run).collect();
    let told = steady(&told.join("\n"), python);
    let wrong = shown.into_iter().filter_map(|(path, block)| {
        let lines = block.body.iter().map(|line| steady(&of_the_run(line), python).trim_end().to_owned());
        let excerpt: Vec<String> = lines.collect();
        let missing = missing(&excerpt, &told)?;
        Some(format!("{path}:{}: {what} prints no such line here: {missing}\n{told}", block.line))
    });
    wrong.collect()
}

/// A line that says where a failure was seen, without how it is seen again.
fn without_advice(line: &str) -> String {
    let says_where = line.starts_with("  token ") || line.starts_with("  seen in ");
    let end = ADVISED.iter().filter_map(|advised| line.find(advised)).min().filter(|_| says_where);
    line[..end.unwrap_or(line.len())].to_owned()
}

/// The first line of an excerpt that does not follow in what was printed. A line with nothing but `…` stands for any
/// number of lines.
fn missing(excerpt: &[String], told: &str) -> Option<String> {
    let told: Vec<&str> = told.lines().map(str::trim_end).collect();
    let parts: Vec<&[String]> =
        excerpt.split(|line| line.trim() == "…").filter(|part| !part.is_empty()).collect();
    let mut from = 0;
    for part in parts {
        let fits = |at: &usize| part.iter().zip(&told[*at..]).filter(|(line, told)| line == told).count();
        let ends = told.len().saturating_sub(part.len());
        match (from..=ends).find(|at| fits(at) == part.len()) {
            Some(at) => from = at + part.len(),
            None => {
                let nearest = (from..=ends).max_by_key(fits).unwrap_or(from);
                let differs = |(line, told): &(&String, &&str)| line != told;
                let line = part.iter().zip(told.get(nearest..).unwrap_or_default()).find(differs);
                return Some(line.map_or_else(|| part[0].clone(), |(line, _)| line.clone()));
            }
        }
    }
    None
}

/// A text without what differs from machine to machine: where Python is, versions, times and what follows from them.
fn steady(text: &str, python: &Path) -> String {
    // Who follows the pages has activated their Python, and gives none.
    let text = text.replace(&python.display().to_string(), "python").replace(" --python python", "");
    text.lines().map(|line| without_dates(&steady_line(line))).collect::<Vec<_>>().join("\n")
}

/// A line with `(then)` for each time like 2026-02-03 02:17.
fn without_dates(line: &str) -> String {
    const TIME: &str = "0000-00-00 00:00";
    let mut steady = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let fits =
            |(c, pattern): (char, char)| if pattern == '0' { c.is_ascii_digit() } else { c == pattern };
        if rest.chars().count() >= TIME.len() && rest.chars().zip(TIME.chars()).all(fits) {
            steady.push_str("(then)");
            rest = &rest[TIME.len()..];
        } else {
            steady.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    steady
}

fn steady_line(line: &str) -> String {
    let line = match line.split_once(" and ") {
        Some((before, after)) if before.contains(": ") && after.contains(" probe") => {
            format!("{before} and probes")
        }
        _ => line.to_owned(),
    };
    match (line.split_once("(pytest "), line.split_once(')')) {
        (Some((before, _)), Some((_, after))) => format!("{before}(pytest){after}"),
        _ => line,
    }
}

#[test]
fn an_excerpt_that_differs_is_told() {
    let python = Path::new("/env/bin/python");
    let told = "a\nb  \n\nc at 2026-02-03 02:17\nd /env/bin/python\n2 tests (pytest 8.4.2 on Python 3.11.7), seed 1: 4 trials and 9 probes in 3 s\ne";
    let told = steady(told, python);
    let missing = |excerpt: &[&str]| {
        let excerpt: Vec<String> = excerpt.iter().map(|line| steady(line, python)).collect();
        missing(&excerpt, &told)
    };
    for same in [
        &["a", "b", "", "c at 2027-12-31 00:00"][..],
        &["b", "    …", "d python"],
        &["2 tests (pytest 9.0 on Python 3.12.1), seed 1: 4 trials and 10 probes in 9 s", "e"],
        &["…", "e", "…"],
    ] {
        assert_eq!(missing(same), None);
    }
    assert_eq!(missing(&["a", "c"]).as_deref(), Some("c"), "a line is left out without a sign");
    assert_eq!(missing(&["e", "…", "a"]).as_deref(), Some("a"), "another order");
    assert_eq!(
        missing(&["d python", "2 tests (pytest), seed 2: 4 trials and probes"]).as_deref().map(str::len),
        Some(45)
    );
}
