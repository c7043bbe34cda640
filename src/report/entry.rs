//! What other programs show of a session, one entry for each thing that a reader is to know: the common part of
//! JUnit XML, SARIF, GitHub's annotations and GitLab's code quality report.

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::finding::{Finding, Kind};
use crate::report::tokens::Tokens;
use crate::report::{Again, Manner, Verbosity, terminal, words};
use crate::session::SessionResult;
use crate::suite::{Suite, Test, TestIndex};

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

/// Another test that has to do with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    /// Its node id.
    pub(crate) test: String,
    /// Where it is defined, relative to rootdir.
    pub(crate) file: String,
    /// The 1-based line there.
    pub(crate) line: Option<u32>,
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
    /// The other tests that it makes fail.
    pub(crate) also: Vec<Other>,
    /// What the tests that it takes are to the one that fails: `polluter`, …
    pub(crate) role: &'static str,
    /// The tests that it takes besides the one that fails.
    pub(crate) causes: Vec<Other>,
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
        ..place(outline, None)
    });
    let unjudged = outline.unjudged.iter().map(|suspect| {
        let at = place(outline, Some(suspect.signature.test));
        Entry {
            weight: Weight::Remark,
            kind: "not-judged",
            identity: suspect.signature.crash.exception.clone(),
            headline: format!(
                "failed in {}; the session ended before it was looked into",
                words::within(suspect.origin)
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
        .clone()
        .map(|&test| suite.test(test).id.to_string())
        .chain(imports.iter().map(|file| format!("import of {file}")));
    let causes: Vec<String> = named.collect();
    let known = finding.known.as_ref().map_or_else(String::new, |known| format!("known ({}): ", known.file));
    // Where a plan was not shrunk, as that of a collection, its tests are no causes.
    let are_causes = finding.kind != Kind::UnstableCollection;
    Entry {
        weight,
        kind: finding.kind.name(),
        identity: causes.join(" "),
        headline: format!("{known}{}", headline(finding, &causes)),
        text: details(&plain(finding, outline, again)),
        token: Tokens::of(outline).token(finding.origin).map(|token| token.to_string()),
        also: finding.also_broken().into_iter().map(|test| other(suite, test)).collect(),
        role: words::role(finding.kind),
        causes: others.filter(|_| are_causes).map(|&test| other(suite, test)).collect(),
        ..place(outline, finding.test)
    }
}

/// What a kind means, with the tests and imports that it takes.
fn headline(finding: &Finding, causes: &[String]) -> String {
    const BELOW: &str = "what is named below";
    let (meaning, causes) = (words::meaning(finding), causes.join(", "));
    match meaning.contains(BELOW) {
        _ if causes.is_empty() => meaning.into_owned(),
        true => meaning.replace(BELOW, &causes),
        false => format!("{meaning}; {}: {causes}", words::role(finding.kind)),
    }
}

/// The report of a finding without its first two lines, which are told apart from it.
fn details(report: &str) -> String {
    let lines = report.lines().skip(2).map(|line| line.strip_prefix("  ").unwrap_or(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn other(suite: &Suite, test: TestIndex) -> Other {
    let Test { id, file, line, .. } = suite.test(test);
    Other { test: id.to_string(), file: file.clone(), line: *line }
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
        also: Vec::new(),
        role: "",
        causes: Vec::new(),
    }
}

/// The report for people, without colours, with commands for whoever has the project somewhere else.
pub(super) fn plain(finding: &Finding, outline: &SessionResult, again: Again<'_>) -> String {
    let mut text = Vec::new();
    let command = finding.command.as_deref().map(words::elsewhere);
    let finding = &Finding { command, ..finding.clone() };
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
    use crate::report::samples::everything;

    #[test]
    fn what_a_reader_was_told_is_not_told_again() {
        let outline = everything();
        for (finding, entry) in outline.findings.iter().map(|finding| (finding, entry(finding, &outline))) {
            assert!(!entry.text.contains(&*words::meaning(finding)), "{}", entry.text);
            assert!(!entry.text.starts_with(' ') && !entry.headline.contains("named below"), "{entry:?}");
        }
        let victim = entry(&outline.findings[0], &outline);
        assert_eq!(victim.headline, "passes alone, fails after test_b.py::b");
        let tests = |others: &[Other]| others.iter().map(|other| other.test.clone()).collect::<Vec<_>>();
        assert_eq!((victim.role, tests(&victim.causes)), ("polluter", vec!["test_b.py::b".to_owned()]));
        assert!(tests(&victim.also).contains(&"test_g.py::g".to_owned()), "{victim:?}");
    }

    fn entry(finding: &Finding, outline: &SessionResult) -> Entry {
        of_finding(finding, outline, false, Again::Gone)
    }

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
