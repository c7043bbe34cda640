//! What GitHub Actions shows: annotations at the lines of tests, and the summary of a step.
//!
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use std::path::Path;

use crate::report::entry::{Entry, Weight, in_repository};
use crate::report::words;

/// GitHub shows no more annotations of a step and level.
const ANNOTATIONS: usize = 10;
/// The most that a step's summary may hold, with room for what other programs of the step wrote to it.
pub(crate) const SUMMARY_BYTES: usize = 900 << 10;

/// Workflow commands that annotate the entries' lines, the heaviest first.
pub(crate) fn annotations(entries: &[Entry], rootdir: &Path, repository: Option<&Path>) -> String {
    let mut text = String::new();
    for level in ["error", "warning", "notice"] {
        let of_level = entries.iter().filter(|entry| self::level(entry.weight) == level);
        for entry in of_level.take(ANNOTATIONS) {
            let mut properties = Vec::new();
            if let Some(file) = &entry.file {
                properties.push(format!("file={}", property(&in_repository(file, rootdir, repository))));
            }
            properties.extend(entry.line.map(|line| format!("line={line}")));
            properties.push(format!("title={}", property(&format!("{}: {}", entry.kind, entry.test))));
            let message = format!("{}\n{}", entry.headline, entry.text);
            text += &format!("::{level} {}::{}\n", properties.join(","), data(message.trim_end()));
        }
    }
    text
}

fn level(weight: Weight) -> &'static str {
    match weight {
        Weight::Fails | Weight::Error => "error",
        Weight::Known => "warning",
        Weight::Remark => "notice",
    }
}

/// The summary of a step in Markdown, of no more than so many bytes.
pub(crate) fn summary(entries: &[Entry], seed: u64, verdict: &str, most_bytes: usize) -> String {
    let mut text = format!("### jostle: {verdict}\n\nseed `{seed}`\n");
    let end = "\n… and more, for which there is no room here\n";
    let room = most_bytes.saturating_sub(end.len());
    for entry in entries {
        let bold = if entry.weight <= Weight::Error { "**" } else { "" };
        let fence = fence(&entry.text);
        let one = format!(
            "\n<details><summary>{bold}{}{bold} <code>{}</code></summary>\n\n{}\n\n{fence}text\n{}\n{fence}\n\n</details>\n",
            entry.kind,
            html(&entry.test),
            html(&entry.headline),
            entry.text.trim_end()
        );
        if text.len() + one.len() > room {
            return text + end;
        }
        text += &one;
    }
    text
}

/// The verdict in a few words.
pub(crate) fn verdict(entries: &[Entry]) -> String {
    let number = |weight| entries.iter().filter(|entry| entry.weight == weight).count();
    let (new, known, errors) = (number(Weight::Fails), number(Weight::Known), number(Weight::Error));
    let mut text = match new {
        0 => "no new isolation failure".to_owned(),
        _ => words::count(new, "isolation failure"),
    };
    if known > 0 {
        text += &format!(", {known} known");
    }
    if errors > 0 {
        text += &format!(", {}", words::count(errors, "collection error"));
    }
    text
}

/// A fence that the text does not end.
fn fence(text: &str) -> String {
    let mut longest = 2;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    "`".repeat(longest + 1)
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a workflow command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(weight: Weight, test: &str, text: &str) -> Entry {
        Entry {
            weight,
            kind: "victim",
            test: test.into(),
            identity: String::new(),
            file: Some("tests/a,b.py".into()),
            line: Some(3),
            headline: "50 % of it".into(),
            text: text.into(),
            token: None,
            also: Vec::new(),
            role: "",
            causes: Vec::new(),
        }
    }

    #[test]
    fn an_annotation_is_one_line_whatever_it_says() {
        let text = annotations(
            &[entry(Weight::Fails, "a::b", "one\ntwo\n")],
            Path::new("/w/b"),
            Some(Path::new("/w")),
        );
        assert_eq!(
            text,
            "::error file=b/tests/a%2Cb.py,line=3,title=victim%3A a%3A%3Ab::50 %25 of it%0Aone%0Atwo\n"
        );
    }

    #[test]
    fn no_more_is_annotated_than_is_shown() {
        let many: Vec<Entry> = [Weight::Known, Weight::Fails]
            .into_iter()
            .flat_map(|weight| (0..30).map(move |n| entry(weight, &n.to_string(), "")))
            .collect();
        let text = annotations(&many, Path::new("/"), None);
        assert_eq!(text.lines().filter(|line| line.starts_with("::error ")).count(), ANNOTATIONS);
        assert_eq!(text.lines().filter(|line| line.starts_with("::warning ")).count(), ANNOTATIONS);
        assert_eq!(verdict(&many), "30 isolation failures, 30 known");
    }

    proptest! {
        #[test]
        fn a_summary_keeps_to_its_room(texts in proptest::collection::vec("[`a<\\n]{0,40}", 0..20), room in 200_usize..2000) {
            let entries: Vec<Entry> = texts.iter().map(|text| entry(Weight::Fails, "a", text)).collect();
            let text = summary(&entries, 7, "x", room);
            prop_assert!(text.len() <= room, "{} of {room}", text.len());
            prop_assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        }
    }
}
