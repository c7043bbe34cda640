//! Triage of collection errors: what kept each module from being collected.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::suite::CollectionError;

/// Why something could not be collected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
pub(crate) enum Cause {
    /// A module that is not installed, or not on the path: its name.
    MissingModule(String),
    /// A name that a module does not have: pytest's message.
    ImportError(String),
    /// A marker that is not registered, under `--strict-markers`: its name.
    UnknownMarker(String),
    /// Source that Python cannot parse.
    SyntaxError,
    /// An exception raised by a decorator of a test, such as a Hypothesis strategy: its type.
    DecoratorError(String),
    /// A test file whose module name another one has: pytest's import mismatch.
    DuplicateModule,
    /// Any other exception while a module is imported: its type.
    ErrorAtImport(String),
    /// An error outside of the import of a module, such as in a parametrisation: its type.
    ErrorInCollection(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingModule(name) => write!(f, "missing module `{name}`"),
            Self::ImportError(message) => write!(f, "import error: {message}"),
            Self::UnknownMarker(name) => write!(f, "unknown marker `{name}`"),
            Self::SyntaxError => f.write_str("syntax error"),
            Self::DecoratorError(exception) => write!(f, "error in a decorator: {exception}"),
            Self::DuplicateModule => f.write_str("two test files with the same module name"),
            Self::ErrorAtImport(exception) => write!(f, "error at import: {exception}"),
            Self::ErrorInCollection(exception) => write!(f, "error in collection: {exception}"),
        }
    }
}

/// The cause of an error, from its exception, message and trace.
pub(crate) fn cause(error: &CollectionError) -> Cause {
    let exception = error.exception.rsplit('.').next().unwrap_or_default().to_owned();
    if let Some(marker) = unknown_marker(&error.message) {
        return Cause::UnknownMarker(marker);
    }
    if error.message.contains("import file mismatch") || error.exception.contains("ImportPathMismatchError") {
        return Cause::DuplicateModule;
    }
    match exception.as_str() {
        "ModuleNotFoundError" => match between(&error.message, "No module named ") {
            Some(name) => Cause::MissingModule(name),
            None => Cause::ErrorAtImport(exception),
        },
        "SyntaxError" | "IndentationError" | "TabError" => Cause::SyntaxError,
        _ if at_decorator(error) => Cause::DecoratorError(exception),
        "ImportError" => Cause::ImportError(first_line(&error.message)),
        _ if error.trace.contains("in <module>") => Cause::ErrorAtImport(exception),
        _ => Cause::ErrorInCollection(exception),
    }
}

/// The errors by cause: the most frequent cause first.
pub(crate) fn by_cause(errors: &[CollectionError]) -> Vec<(Cause, Vec<&CollectionError>)> {
    let mut groups: BTreeMap<Cause, Vec<&CollectionError>> = BTreeMap::new();
    for error in errors {
        groups.entry(cause(error)).or_default().push(error);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, errors)| std::cmp::Reverse(errors.len()));
    groups
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// The name in quotes after some words.
fn between(message: &str, words: &str) -> Option<String> {
    let rest = &message[message.find(words)? + words.len()..];
    let mut parts = rest.split(['\'', '"']);
    parts.nth(1).map(str::to_owned)
}

/// pytest says: `'slow' not found in `markers` configuration option`.
fn unknown_marker(message: &str) -> Option<String> {
    let before = &message[..message.find(" not found in `markers`")?];
    before.trim_end_matches(['\'', '"']).rsplit(['\'', '"']).next().map(str::to_owned)
}

/// Whether the module's own frame stood at a decorator: pytest's trace shows `file:line: in <module>`
/// and the source line below.
fn at_decorator(error: &CollectionError) -> bool {
    let mut lines = error.trace.lines();
    let mut at = false;
    while let Some(line) = lines.next() {
        if line.trim_end().ends_with("in <module>") {
            at = lines
                .next()
                .is_some_and(|source| source.trim_start_matches('>').trim_start().starts_with('@'));
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(exception: &str, message: &str, trace: &str) -> CollectionError {
        CollectionError {
            node_id: "tests/test_a.py".into(),
            exception: exception.into(),
            message: message.into(),
            file: None,
            line: None,
            trace: trace.into(),
        }
    }

    #[test]
    fn each_cause_is_told_by_what_pytest_says() {
        let of = |exception: &str, message: &str, trace: &str| cause(&error(exception, message, trace));
        let top = |source: &str| format!("tests/test_a.py:4: in <module>\n    {source}");
        assert_eq!(
            of("ModuleNotFoundError", "No module named 'redis'", ""),
            Cause::MissingModule("redis".into())
        );
        let marker = "'slow' not found in `markers` configuration option";
        assert_eq!(of("Failed", marker, &top("@pytest.mark.slow")), Cause::UnknownMarker("slow".into()));
        assert_eq!(of("SyntaxError", "invalid syntax", ""), Cause::SyntaxError);
        let decorated = top("@given(st.integers(5, 1))\nsite-packages/x.py:3: in integers\n    raise");
        let invalid = "hypothesis.errors.InvalidArgument";
        assert_eq!(of(invalid, "min > max", &decorated), Cause::DecoratorError("InvalidArgument".into()));
        assert_eq!(of("KeyError", "'HOME'", &top("x = d['HOME']")), Cause::ErrorAtImport("KeyError".into()));
        assert_eq!(
            of("ValueError", "bad ids", "in parametrize"),
            Cause::ErrorInCollection("ValueError".into())
        );
    }
}
