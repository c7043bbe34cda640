//! `jostle explain KIND`: what the book says of a kind of finding, as text for a terminal.

/// The chapter of the book: a section for each kind.
const PAGE: &str = include_str!("../../../docs/src/kinds.md");

/// What begins a section.
const HEADING: &str = "## ";

/// The section of a kind by its name, as `victim`.
pub(crate) fn section(kind: &str) -> Option<String> {
    let (_, sections) = PAGE.split_once(HEADING)?;
    let found = sections.split(&format!("\n{HEADING}")).find(|section| name(section) == kind)?;
    Some(plain(found))
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
    let link = |rest: &str| {
        let (words, rest) = rest.split_once("](")?;
        let (_, rest) = rest.split_once(')')?;
        Some((words.to_owned(), rest.to_owned()))
    };
    match line.split_once('[').and_then(|(before, rest)| Some((before, link(rest)?))) {
        Some((before, (words, rest))) => format!("{before}{words}{}", without_links(&rest)),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_left_out() {
        let markdown = "`nod`\n\nA [test](a.md) and `b` [[#1] too](c#d).\n\n<!-- printed by: x -->\n```text\na `b` [c](d)\n```\n";
        assert_eq!(plain(markdown), "nod\n\nA test and b [#1] too.\n\n  a `b` [c](d)\n");
    }
}
