//! JUnit XML as pytest's `--junitxml` writes it, and as `jostle stress --junit` does. The one file that knows quick-xml.

use quick_xml::Reader;
use quick_xml::events::attributes::{AttrError, Attribute};
use quick_xml::events::{BytesStart, Event};

use crate::logs::{Name, ParsedLog, Ran, Source};

/// The name of jostle's own reports.
pub(crate) const OURS: &str = "jostle";

/// The property of a test case of ours whose failure is told with another's.
pub(crate) const TOLD_WITH: &str = "told-with";

/// Whether a text is meant to be JUnit XML.
pub(crate) fn is(text: &str) -> bool {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    start.starts_with("<?xml") || start.starts_with("<testsuite")
}

/// A failure that a report of jostle's tells how to show again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    /// The test's names, as pytest makes them.
    pub(crate) test: (String, String),
    /// The token; empty if it has none.
    pub(crate) token: String,
    /// Whether the job failed for it.
    pub(crate) failed: bool,
    /// Whether it is told with another's failure.
    told_with: bool,
}

/// The failures of a report that `jostle stress --junit` wrote; none if the file is another's.
///
/// # Errors
/// It is no well-formed XML; the text says why.
pub(crate) fn reported(text: &str) -> Result<Option<Vec<Reported>>, String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    let (mut ours, mut all) = (false, Vec::<Reported>::new());
    loop {
        let tag = match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) | Event::Empty(tag) => tag,
            Event::Eof => break,
            _ => continue,
        };
        match (tag.name().as_ref(), all.last_mut()) {
            (b"testsuites", _) => {
                ours = attributes(&tag)?.contains(&("name".to_owned(), OURS.to_owned()));
            }
            (b"testcase", _) => all.push(Reported { test: case(&tag)?, ..Reported::default() }),
            (b"failure", Some(last)) => last.failed = true,
            (b"property", Some(last)) => {
                let attributes = attributes(&tag)?;
                let value =
                    |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value);
                match value("name").map(String::as_str) {
                    Some("token") => last.token = value("value").cloned().unwrap_or_default(),
                    Some(TOLD_WITH) => last.told_with = true,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    all.retain(|reported| !reported.told_with && (reported.failed || !reported.token.is_empty()));
    Ok(ours.then_some(all))
}

/// Reads a file.
///
/// # Errors
/// It is no well-formed XML; the text says why.
pub fn read(text: &str) -> Result<ParsedLog, String> {
    let mut parsed = ParsedLog::nothing(Source::Junit);
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}').trim_start());
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(tag) | Event::Empty(tag) => take_in(&tag, &mut parsed)?,
            Event::Eof => return Ok(parsed),
            _ => {}
        }
    }
}

fn take_in(tag: &BytesStart<'_>, parsed: &mut ParsedLog) -> Result<(), String> {
    match tag.name().as_ref() {
        b"testcase" => {
            let (class, name) = case(tag)?;
            parsed.runs.push(Ran { worker: 0, name: Name::Junit(class, name), failed: false });
        }
        b"failure" | b"error" => {
            if let Some(last) = parsed.runs.last_mut() {
                last.failed = true;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The `classname` and `name` of a test case.
fn case(tag: &BytesStart<'_>) -> Result<(String, String), String> {
    let (mut class, mut name) = (String::new(), String::new());
    for (key, value) in attributes(tag)? {
        match key.as_str() {
            "classname" => class = value,
            "name" => name = value,
            _ => {}
        }
    }
    Ok((class, name))
}

fn attributes(tag: &BytesStart<'_>) -> Result<Vec<(String, String)>, String> {
    let read = |attribute: Result<Attribute<'_>, AttrError>| {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(quick_xml::XmlVersion::Implicit1_0)
            .map_err(|error| error.to_string())?;
        Ok((String::from_utf8_lossy(attribute.key.as_ref()).into_owned(), value.into_owned()))
    };
    tag.attributes().map(read).collect()
}

/// The `classname` and `name` of a test, as pytest makes them of its node id.
pub(crate) fn names(node_id: &str) -> (String, String) {
    let (path, parameters) = match node_id.find('[') {
        Some(at) => node_id.split_at(at),
        None => (node_id, ""),
    };
    let mut parts: Vec<String> = path.split("::").map(str::to_owned).collect();
    if let Some(file) = parts.first_mut() {
        *file = file.strip_suffix(".py").unwrap_or(file).replace('/', ".");
    }
    let last = parts.pop().unwrap_or_default();
    (parts.join("."), last + parameters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_order_and_what_failed_are_read() {
        let text = r#"<?xml version="1.0" encoding="utf-8"?><testsuites><testsuite name="pytest" tests="2">
            <testcase classname="tests.test_a.TestX" name="test_1[a &lt; b]" time="0.1"><failure message="x">y</failure></testcase>
            <testcase classname="tests.test_b" name="test_2" time="0.0" /></testsuite></testsuites>"#;
        let parsed = read(text).unwrap();
        let name = |class: &str, name: &str| Name::Junit(class.into(), name.into());
        assert_eq!(
            parsed.runs[0],
            Ran { worker: 0, name: name("tests.test_a.TestX", "test_1[a < b]"), failed: true }
        );
        assert_eq!(parsed.runs[1], Ran { worker: 0, name: name("tests.test_b", "test_2"), failed: false });
        assert_eq!(
            names("tests/test_a.py::TestX::test_1[a < b]"),
            ("tests.test_a.TestX".into(), "test_1[a < b]".into())
        );
    }

    #[test]
    fn the_failures_of_a_report_of_ours_are_read() {
        let of = |name: &str| {
            format!(
                r#"<testsuites name="{name}"><testsuite name="isolation"><testcase classname="test_a" name="x">
                <failure type="victim">y</failure><properties><property name="token" value="1:2"/></properties></testcase>
                <testcase classname="test_a" name="z"/></testsuite></testsuites>"#
            )
        };
        let test = ("test_a".to_owned(), "x".to_owned());
        assert_eq!(
            reported(&of(OURS)),
            Ok(Some(vec![Reported { test, token: "1:2".into(), failed: true, told_with: false }]))
        );
        assert_eq!(reported(&of("pytest tests")), Ok(None));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in any::<String>(), at in 0_usize..200) {
            let _ = (read(&text), reported(&text));
            names(&text);
            let whole = r#"<testsuites><testsuite><testcase classname="é" name="&lt;&#233;"><error/></testcase></testsuite></testsuites>"#;
            let cut: String = whole.chars().take(at % whole.len()).chain(text.chars()).collect();
            let _ = read(&cut);
        }
    }
}
