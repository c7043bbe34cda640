//! What other programs show of a session, one entry for each thing that a reader is to know: the common part of
//! JUnit XML, SARIF, GitHub's annotations and GitLab's code quality report.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::finding::Finding;
use crate::report::tokens::Tokens;
use crate::report::{Again, Manner, Verbosity, terminal, words};
use crate::session::SessionResult;
use crate::suite::TestIndex;

/// How much an entry weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// A failure for which the job fails.
    Fails,
    /// What could not be collected.
    Error,
    /// A known failure, for which it does not.
    Known,
    /// Anything else that was seen.
    Remark,
}

/// One thing that a reader is to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// How much it weighs.
    pub(crate) weight: Weight,
    /// `victim`, `collection-error`, …
    pub kind: &'static str,
    /// The node id of a test or collector; empty for what concerns the whole suite.
    pub test: String,
    /// What tells two failures of one test apart from each other, and not one night's from another's.
    pub identity: String,
    /// Where it is defined, relative to rootdir.
    pub file: Option<String>,
    /// The 1-based line there.
    pub line: Option<u32>,
    /// One line that says what it is.
    pub(crate) headline: String,
    /// All that is known, for people.
    pub text: String,
    /// What `jostle replay` takes to show it again.
    pub token: Option<String>,
}

impl Entry {
    /// What stays the same as long as its cause does, whatever line its test is on.
    pub(super) fn fingerprint(&self) -> String {
        let cause = format!("{}\n{}\n{}", self.kind, self.test, self.identity);
        Sha256::digest(cause).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The entries of a session, those that weigh most first. Known failures weigh as new ones if it is `strict`. Their text
/// says how each is seen `again`.
pub(crate) fn entries(outline: &SessionResult, strict: bool, again: Again<'_>) -> Vec<Entry> {
    let findings = outline.findings.iter().map(|finding| of_finding(finding, outline, strict, again));
    let errors = outline.collected.suite.errors.iter().map(|error| Entry {
        weight: Weight::Error,
        kind: "collection-error",
        test: error.node_id.clone(),
        identity: error.exception.clone(),
        file: error.file.clone().or_else(|| Some(error.node_id.split("::").next()?.to_owned())),
        line: error.line,
        headline: format!(
            "never ran, as it cannot be collected: {}: {}",
            error.exception,
            first_line(&error.message)
        ),
        text: error.trace.clone(),
        token: None,
    });
    let unjudged = outline.unjudged.iter().map(|suspect| {
        let at = place(outline, Some(suspect.signature.test));
        Entry {
            weight: Weight::Remark,
            kind: "not-judged",
            identity: suspect.signature.crash.exception.clone(),
            headline: format!(
                "failed in {}; the session ended before it was looked into",
                words::origin(suspect.origin)
            ),
            text: suspect.failure.as_ref().map_or_else(String::new, |failure| failure.trace.clone()),
            token: Tokens::of(outline).token(suspect.origin).map(|token| token.to_string()),
            ..at
        }
    });
    let mut all: Vec<Entry> = findings.chain(errors).chain(unjudged).collect();
    all.sort_by_key(|entry| entry.weight);
    all
}

/// A file that is named relative to rootdir, relative to the folder of the repository that is above it.
pub(crate) fn in_repository(file: &str, rootdir: &Path, repository: Option<&Path>) -> String {
    let below = repository.and_then(|repository| rootdir.strip_prefix(repository).ok());
    match below {
        Some(folder) if !folder.as_os_str().is_empty() => folder.join(file).display().to_string(),
        _ => file.to_owned(),
    }
}

fn of_finding(finding: &Finding, outline: &SessionResult, strict: bool, again: Again<'_>) -> Entry {
    let suite = &outline.collected.suite;
    let weight = match &finding.known {
        _ if !finding.kind.is_isolation_failure() => Weight::Remark,
        Some(_) if !strict => Weight::Known,
        _ => Weight::Fails,
    };
    let (tests, imports) = finding.causes();
    let others = tests.iter().filter(|&&test| Some(test) != finding.test);
    let named = others
        .map(|&test| suite.test(test).id.to_string())
        .chain(imports.iter().map(|file| format!("import of {file}")));
    let causes: Vec<String> = named.collect();
    let known = finding.known.as_ref().map_or_else(String::new, |known| format!("known ({}): ", known.file));
    let role = if causes.is_empty() { String::new() } else { format!("; {}: ", words::role(finding.kind)) };
    Entry {
        weight,
        kind: finding.kind.name(),
        identity: causes.join(" "),
        headline: format!("{known}{}{role}{}", words::meaning(finding), causes.join(", ")),
        text: plain(finding, outline, again),
        token: Tokens::of(outline).token(finding.origin).map(|token| token.to_string()),
        ..place(outline, finding.test)
    }
}

/// An entry that has nothing but its place.
fn place(outline: &SessionResult, test: Option<TestIndex>) -> Entry {
    let test = test.map(|test| outline.collected.suite.test(test));
    Entry {
        weight: Weight::Remark,
        kind: "",
        test: test.map_or_else(String::new, |test| test.id.to_string()),
        identity: String::new(),
        file: test.map(|test| test.file.clone()),
        line: test.and_then(|test| test.line),
        headline: String::new(),
        text: String::new(),
        token: None,
    }
}

/// The report for people, without colours.
pub(super) fn plain(finding: &Finding, outline: &SessionResult, again: Again<'_>) -> String {
    let mut text = Vec::new();
    let manner = Manner::new(Verbosity::Normal, again).whole();
    match terminal::finding(&mut text, finding, Tokens::of(outline), manner) {
        Ok(()) => anstream::adapter::strip_str(&String::from_utf8_lossy(&text)).to_string(),
        Err(error) => error.to_string(),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_the_repository_has_them() {
        let named = |rootdir: &str, repository: Option<&str>| {
            in_repository("tests/test_a.py", Path::new(rootdir), repository.map(Path::new))
        };
        assert_eq!(named("/w/repo/backend", Some("/w/repo")), "backend/tests/test_a.py");
        assert_eq!(named("/w/repo", Some("/w/repo")), "tests/test_a.py");
        assert_eq!(named("/elsewhere", Some("/w/repo")), "tests/test_a.py");
        assert_eq!(named("/w/repo", None), "tests/test_a.py");
    }
}
