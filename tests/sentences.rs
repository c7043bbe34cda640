//! Every sentence that a report can print stands in `src/report/sentences.md`, with the evidence that must exist before
//! it is printed and with what holds it to that. The sources decide what is a sentence: a text of two words or more in a
//! room that speaks to people. One that is new, gone or changed fails here until the table says what it rests on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

/// Files and folders that make sentences of reports. The rest speaks in errors, which tell what was tried, or writes
/// code (`explain/fix`), or forms that programs read.
const SPEAKERS: &[&str] = &[
    "src/report",
    "src/session",
    "src/judge",
    "src/explain",
    "src/finding",
    "src/race",
    "src/verify",
    "src/shrink",
    "src/run/engine/warm.rs",
    "src/run/host",
];

/// Below those, what writes no sentence of a report.
const SILENT: &[&str] = &[
    "src/explain/fix",
    "src/report/progress.rs",
    "src/report/github.rs",
    "src/report/gitlab.rs",
    "src/report/junit.rs",
    "src/report/sarif.rs",
];

/// The table.
const TABLE: &str = "src/report/sentences.md";

/// What a row says that no test or specimen holds by itself; why not follows.
const UNTESTED: &str = "no test of its own";

/// The sentences by the file that prints them.
type Sentences = BTreeMap<String, BTreeSet<String>>;

#[test]
fn every_sentence_stands_in_the_table_with_its_evidence() {
    let printed = printed();
    let listed = rows().into_iter().fold(Sentences::new(), |mut listed, row| {
        listed.entry(row.file).or_default().insert(row.sentence);
        listed
    });
    let missing = difference(&printed, &listed);
    let gone = difference(&listed, &printed);
    assert!(
        missing.is_empty() && gone.is_empty(),
        "{TABLE}\nlacks these sentences:\n{}\nhas these, which nothing prints:\n{}",
        shown(&missing),
        shown(&gone)
    );
}

#[test]
fn every_row_names_its_evidence_and_a_test_that_there_is() {
    let tests = names_of_tests();
    for row in rows() {
        assert!(row.evidence.len() > 3, "`{}` in {} has no evidence", row.sentence, row.file);
        if let Some(why) = row.held_by.strip_prefix(UNTESTED) {
            assert!(why.len() > 3, "`{}` in {}: why is there no test?", row.sentence, row.file);
            continue;
        }
        let named: Vec<&str> = row.held_by.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "`{}` in {} is held by nothing", row.sentence, row.file);
        for name in named {
            assert!(
                tests.contains(name),
                "`{}` in {}: there is no test or specimen `{name}`",
                row.sentence,
                row.file
            );
        }
    }
}

#[test]
fn a_new_sentence_is_seen() {
    let source = r#"
        /// A comment is none.
        fn tell() -> String {
            let key = "fallback";
            format!("{key} {NAME:#}: {} of {} runs failed", 1, 2)
        }
        #[cfg(test)]
        mod tests { const TEXT: &str = "this is in no report"; }
    "#;
    let found: Vec<String> = sentences_of(source).into_iter().collect();
    assert_eq!(found, ["{key} {NAME:#}: {} of {} runs failed"]);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn printed() -> Sentences {
    let mut found = Sentences::new();
    for path in SPEAKERS.iter().flat_map(|speaker| sources(&root().join(speaker))) {
        let name =
            path.strip_prefix(root()).expect("a path below the root").to_string_lossy().replace('\\', "/");
        let source = read(&path);
        if SILENT.iter().any(|silent| name.starts_with(silent)) || is_of_tests(&source) {
            continue;
        }
        let sentences = sentences_of(&source);
        if !sentences.is_empty() {
            found.insert(name, sentences);
        }
    }
    found
}

/// Whether a file is a part of the tests alone.
pub(crate) fn is_of_tests(source: &str) -> bool {
    source.lines().any(|line| line == "#![cfg(test)]")
}

fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut found: Vec<PathBuf> =
        entries.flat_map(|entry| sources(&entry.expect("an entry").path())).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    found
}

fn sentences_of(source: &str) -> BTreeSet<String> {
    let tokens = TokenStream::from_str(source).expect("Rust");
    let mut texts = BTreeSet::new();
    gather(tokens, &mut texts);
    texts.retain(|text| is_sentence(text));
    texts
}

/// Gathers the string literals, but for those of attributes (comments among them) and of tests.
fn gather(tokens: TokenStream, texts: &mut BTreeSet<String>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut of_tests = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                tokens.next_if(|next| matches!(next, TokenTree::Punct(bang) if bang.as_char() == '!'));
                if let Some(TokenTree::Group(attribute)) = tokens.next() {
                    of_tests |= attribute.stream().to_string().replace(' ', "") == "cfg(test)";
                }
            }
            TokenTree::Group(group) if !std::mem::take(&mut of_tests) => gather(group.stream(), texts),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    texts.insert(text.value());
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => of_tests = false,
            _ => {}
        }
    }
}

/// Whether a text has two words or more besides what is filled in.
fn is_sentence(text: &str) -> bool {
    let mut depth = 0_u32;
    let said: String = text
        .chars()
        .map(|letter| match letter {
            '{' => {
                depth += 1;
                ' '
            }
            '}' => {
                depth = depth.saturating_sub(1);
                ' '
            }
            letter if depth == 0 => letter,
            _ => ' ',
        })
        .collect();
    let words =
        said.split(|letter: char| !letter.is_alphabetic() && letter != '\'').filter(|word| word.len() > 1);
    words.count() >= 2 && said.trim().contains(' ')
}

/// A row of the table.
struct Row {
    file: String,
    sentence: String,
    evidence: String,
    held_by: String,
}

fn rows() -> Vec<Row> {
    let (mut file, mut rows) = (String::new(), Vec::new());
    for line in read(&root().join(TABLE)).lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            file = heading.trim_matches('`').to_owned();
        } else if let Some(row) = line.strip_prefix("| `") {
            let (sentence, rest) = row.split_once("` | ").unwrap_or_else(|| panic!("{TABLE}: {line}"));
            let (evidence, held_by) = rest.split_once(" | ").unwrap_or_else(|| panic!("{TABLE}: {line}"));
            rows.push(Row {
                file: file.clone(),
                sentence: written(sentence),
                evidence: evidence.trim().to_owned(),
                held_by: held_by.trim_end_matches('|').trim().to_owned(),
            });
        }
    }
    rows
}

/// A sentence as the source has it: the table cannot hold a line break, a bar or a back-tick.
fn written(text: &str) -> String {
    text.replace("⏎", "\n").replace("¦", "|").replace('ˋ', "`").replace('·', " ")
}

/// A sentence as the table holds it: white space at its ends is made visible.
fn tabled(text: &str) -> String {
    let (start, end) = (text.len() - text.trim_start_matches(' ').len(), text.trim_end_matches(' ').len());
    let middle = text.get(start..end).unwrap_or_default();
    let text = format!("{}{middle}{}", "·".repeat(start), "·".repeat(text.len() - end.max(start)));
    text.replace('\n', "⏎").replace('|', "¦").replace('`', "ˋ")
}

fn difference(these: &Sentences, those: &Sentences) -> Sentences {
    let none = BTreeSet::new();
    let left = these.iter().map(|(file, sentences)| {
        let others = those.get(file).unwrap_or(&none);
        (file.clone(), sentences.difference(others).cloned().collect::<BTreeSet<_>>())
    });
    left.filter(|(_, sentences)| !sentences.is_empty()).collect()
}

fn shown(sentences: &Sentences) -> String {
    let of_file = |(file, sentences): (&String, &BTreeSet<String>)| {
        let rows = sentences.iter().map(|sentence| format!("| `{}` |  |  |\n", tabled(sentence)));
        format!("## `{file}`\n{}", rows.collect::<String>())
    };
    sentences.iter().map(of_file).collect()
}

/// The functions that are tests, and the specimens.
fn names_of_tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in sources(&root().join("src")).into_iter().chain(sources(&root().join("tests"))) {
        let source = read(&path);
        let tests = source.split("#[test]").skip(1).filter_map(|rest| rest.split("fn ").nth(1));
        names.extend(tests.filter_map(|rest| rest.split(['(', '<']).next()).map(str::to_owned));
    }
    for entry in fs::read_dir(root().join("harness/tests")).expect("the harness's tests") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let source = read(&path);
            let tests = source.lines().filter_map(|line| line.strip_prefix("def ")?.split('(').next());
            names.extend(tests.map(str::to_owned));
        }
    }
    for entry in fs::read_dir(root().join("corpus")).expect("the corpus") {
        names.insert(entry.expect("an entry").file_name().to_string_lossy().into_owned());
    }
    names
}
