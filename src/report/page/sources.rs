//! The lines of the project that a page shows: which it wants, and what they are.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};

use crate::finding::Finding;
use crate::session::SessionResult;

/// Lines before and after the one that is named.
const AROUND: usize = 2;

/// Characters of a line at most.
const LONGEST: usize = 200;

/// A file, relative to rootdir, and a 1-based line in it.
pub(crate) type Line = (String, u32);

/// The lines, each with those around it and the number of the first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources(BTreeMap<Line, (usize, Vec<String>)>);

impl Sources {
    /// The wanted lines of files, as `read` has these; what it has not is left out.
    pub(crate) fn new(wanted: &BTreeSet<Line>, mut read: impl FnMut(&str) -> Option<String>) -> Self {
        let mut texts: BTreeMap<&str, Option<String>> = BTreeMap::new();
        let mut lines = BTreeMap::new();
        for (file, line) in wanted {
            let text = texts.entry(file).or_insert_with(|| read(file));
            let Some(at) = (*line as usize).checked_sub(1) else { continue };
            let first = at.saturating_sub(AROUND);
            let around: Vec<String> = text
                .iter()
                .flat_map(|text| text.lines().skip(first).take(at + AROUND + 1 - first))
                .map(|line| line.chars().take(LONGEST).collect())
                .collect();
            if around.len() > at - first {
                lines.insert((file.clone(), *line), (first + 1, around));
            }
        }
        Self(lines)
    }

    /// The code at a line, or nothing if it is not at hand.
    pub(super) fn code(&self, file: &str, line: u32) -> Markup {
        let found = self.0.get(&(file.to_owned(), line));
        html! {
            @if let Some((first, lines)) = found {
                pre.code tabindex="0" role="region" aria-label={ "Code of " (file) } {
                    @for (at, text) in lines.iter().enumerate() {
                        @let is_it = first + at == line as usize;
                        span.line.it[is_it] { (if is_it { "> " } else { "  " }) (format!("{:>4}", first + at)) "  " (text) "\n" }
                    }
                }
            }
        }
    }
}

/// The lines that the page of a session shows.
pub(crate) fn wanted(outline: &SessionResult) -> BTreeSet<Line> {
    outline.findings.iter().flat_map(of_finding).collect()
}

fn of_finding(finding: &Finding) -> Vec<Line> {
    let confirmed = finding.explanation.as_ref().filter(|explanation| explanation.confirmed);
    let places = confirmed.iter().flat_map(|explanation| &explanation.places);
    let written = places.flat_map(|place| place.written.iter().chain(&place.read));
    let calls = finding.trace.iter().flat_map(|trace| &trace.calls);
    written
        .map(|at| (at.file.clone(), at.line))
        .chain(calls.filter_map(|made| place(made.call.at.as_deref()?)))
        .chain(finding.failure.iter().map(|failure| (failure.file.clone(), failure.line)))
        .collect()
}

/// `shop/shelf.py:7`.
pub(super) fn place(text: &str) -> Option<Line> {
    let (file, line) = text.rsplit_once(':')?;
    Some((file.to_owned(), line.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_with_those_around_it_and_one_that_is_not_there_is_not() {
        let text = "a\nb\nc\n<d>\ne\nf";
        let shown = |line: u32| {
            let wanted = [("x.py".to_owned(), line)].into();
            Sources::new(&wanted, |_| Some(text.to_owned())).code("x.py", line).into_string()
        };
        assert!(shown(4).contains("&gt;    4  &lt;d&gt;"), "{}", shown(4));
        assert!(shown(1).contains("   3  c") && !shown(1).contains("   4"), "{}", shown(1));
        assert_eq!((shown(0), shown(7)), (String::new(), String::new()));
        assert!(shown(6).contains("   4"), "the last line has those before it");
    }
}
