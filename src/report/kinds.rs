//! What the book says of a kind of finding, as text for a terminal and for other programs.

use crate::finding::Kind;
use crate::report::words;

/// The chapter of the book: a section for each kind.
const PAGE: &str = include_str!("../../docs/src/kinds.md");

/// Where people find it.
const BOOK: &str = "More, and all other kinds: docs/src/kinds.md in jostle's repository.";

/// What begins a section.
const HEADING: &str = "## ";

/// The section of a kind by its name, as `victim`, or by the words that head it in a report, as `flaky` or `flaky (nod)`.
pub(crate) fn section(said: &str) -> Option<String> {
    let common = said.split(" (").next().unwrap_or(said);
    let kind = headed(common).unwrap_or_else(|| said.to_owned());
    Some(format!("{}\n{BOOK}\n", plain(found(&kind)?)))
}

/// The kind that a report heads with these words.
fn headed(common: &str) -> Option<String> {
    // An import, one test, several tests.
    const CAUSES: [(usize, usize); 3] = [(0, 1), (1, 0), (2, 0)];
    let heads = |name: &String| {
        let kind: Option<Kind> = serde_json::from_value(name.as_str().into()).ok();
        let of = |given_up| {
            move |kind| CAUSES.iter().any(|&causes| words::common(kind, given_up, causes) == common)
        };
        kind.is_some_and(of(false)) || kind.is_some_and(of(true))
    };
    names().into_iter().find(heads)
}

/// The first paragraph of that section, in one line.
pub(crate) fn in_short(kind: &str) -> Option<String> {
    let text = explained(found(kind)?);
    let paragraph = text.split("\n\n").nth(1)?;
    Some(paragraph.trim().replace('\n', " "))
}

/// That section for who reads it beside a project: without examples, which are of others.
pub(crate) fn without_examples(kind: &str) -> Option<String> {
    Some(format!("{}\n{BOOK}\n", explained(found(kind)?)))
}

/// A section without what specimens print, and without the words that lead there.
fn explained(section: &str) -> String {
    let text = plain(section);
    let paragraphs = text.trim_end().split("\n\n").filter(|paragraph| !paragraph.starts_with("  "));
    let paragraphs = paragraphs.map(|paragraph| {
        let lines = paragraph.lines().filter(|line| !(line.starts_with("In corpus/") && line.ends_with(':')));
        lines.map(without_specimen).collect::<Vec<_>>().join("\n")
    });
    let told: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    told.join("\n\n") + "\n"
}

/// A line that leads to an example, as a sentence by itself.
fn without_specimen(line: &str) -> String {
    let line = match (line.find(" (corpus/"), line.rfind(')')) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to + 1..]),
        _ => line.to_owned(),
    };
    line.strip_suffix(':').map_or(line.clone(), |sentence| format!("{sentence}."))
}

fn found(kind: &str) -> Option<&'static str> {
    let (_, sections) = PAGE.split_once(HEADING)?;
    sections.split(&format!("\n{HEADING}")).find(|section| name(section) == kind)
}

/// The names of all sections.
pub(crate) fn names() -> Vec<String> {
    let headings = PAGE.lines().filter_map(|line| line.strip_prefix(HEADING));
    headings.map(name).collect()
}

/// A section's name, from its heading: `Collection errors` is typed as `collection-errors`.
fn name(section: &str) -> String {
    let heading = section.lines().next().unwrap_or_default();
    heading.replace('`', "").replace(' ', "-").to_lowercase()
}

/// Markdown without its marks; what is printed by a command is indented.
fn plain(markdown: &str) -> String {
    let mut text = String::new();
    let mut is_printed = false;
    for line in markdown.trim_end().lines().filter(|line| !line.starts_with("<!--")) {
        match line.starts_with("```") {
            true => is_printed = !is_printed,
            false if is_printed => text += &format!("  {line}\n"),
            false => text += &format!("{}\n", without_links(line).replace('`', "")),
        }
    }
    text
}

/// A line in which `[words](address)` is the words.
fn without_links(line: &str) -> String {
    let link = || {
        let (before, rest) = line.split_once("](")?;
        let (before, words) = before.rsplit_once('[')?;
        let (_, rest) = rest.split_once(')')?;
        Some(format!("{before}{words}{}", without_links(rest)))
    };
    link().unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::everything;

    #[test]
    fn a_kind_is_known_by_the_words_that_head_it() {
        for finding in everything().findings {
            let (heading, by_name) = (words::heading(&finding), section(finding.kind.name()));
            let common = heading.split(" (").next().unwrap();
            assert!(by_name.is_some(), "{heading}");
            assert_eq!((section(common), section(&heading)), (by_name.clone(), by_name), "{heading}");
        }
        assert_eq!(section("fails"), None);
    }

    #[test]
    fn examples_of_others_are_left_out() {
        for name in names() {
            let [short, whole] = [in_short(&name), without_examples(&name)].map(Option::unwrap);
            assert!(short.ends_with('.'), "{short}");
            for told in [short, whole] {
                assert!(!told.contains("corpus/") && !told.contains("\n  "), "{told}");
                assert!(!told.lines().any(|line| line.ends_with(':')), "{told}");
            }
        }
        assert_eq!(
            in_short("race").unwrap(),
            "A race passes alone and in its worker's order, and fails while another worker runs some test."
        );
    }

    #[test]
    fn marks_are_left_out() {
        let markdown = "`nod`\n\nA [test](a.md) and `b[1]` and [c] [too](c#d).\n\n<!-- printed by: x -->\n```text\na `b` [c](d)\n```\n";
        assert_eq!(plain(markdown), "nod\n\nA test and b[1] and [c] too.\n\n  a `b` [c](d)\n");
    }
}
