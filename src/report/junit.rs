//! JUnit XML, as Jenkins, GitLab and others read it. The one file that knows quick-junit.
//!
//! Every collected test is a test case, so that a night without findings is no empty report. New isolation
//! failures are failures and collection errors are errors: what the exit code counts. Known failures, and what
//! is no isolation failure, are skipped cases, whose message says what was seen.

use std::collections::BTreeSet;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::logs::junit::{OURS, TOLD_WITH, names};
use crate::report::entry::{Entry, Other, Weight};
use crate::session::SessionResult;
use crate::suite::Suite;

/// The report of a session as XML.
///
/// # Errors
/// What the XML cannot hold; characters it forbids are left out and are no error.
pub(crate) fn report(
    outline: &SessionResult,
    entries: &[Entry],
) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("isolation");
    suite.add_property(Property::new("seed", outline.seed.0.to_string()));
    suite.add_property(Property::new("trials", outline.trials.to_string()));
    suite.add_property(Property::new("fingerprint", outline.collected.suite.fingerprint.to_string()));
    suite.set_time(outline.duration);
    of_suite(suite, &outline.collected.suite, entries, Some(outline.duration))
}

/// The report of entries that came of no session, as XML.
///
/// # Errors
/// As those of [`report`].
pub(crate) fn report_of(
    name: &str,
    suite: &Suite,
    entries: &[Entry],
) -> Result<String, quick_junit::SerializeError> {
    of_suite(TestSuite::new(name), suite, entries, None)
}

fn of_suite(
    mut cases: TestSuite,
    suite: &Suite,
    entries: &[Entry],
    time: Option<Duration>,
) -> Result<String, quick_junit::SerializeError> {
    let mut has_entry: BTreeSet<&str> = entries.iter().map(|entry| entry.test.as_str()).collect();
    cases.add_test_cases(entries.iter().map(case));
    for entry in entries {
        for other in &entry.also {
            // A test of an entry's own says more there.
            if has_entry.insert(&other.test) {
                cases.add_test_case(also(entry, other));
            }
        }
    }
    for test in &suite.tests {
        let name = test.id.to_string();
        if !has_entry.contains(name.as_str()) {
            cases.add_test_case(named(&name, TestCaseStatus::success()));
        }
    }
    let mut report = Report::new(OURS);
    if let Some(time) = time {
        report.set_time(time);
    }
    report.add_test_suite(cases);
    report.to_string()
}

/// Another test that an entry's failure makes fail.
fn also(entry: &Entry, other: &Other) -> TestCase {
    let mut status = status(entry.weight);
    let told = format!("fails as well; what is known is told with {}", entry.test);
    status.set_message(format!("{}: {told}", entry.kind)).set_type(entry.kind);
    let mut case = named(&other.test, status);
    case.add_property(Property::new(TOLD_WITH, entry.test.as_str()));
    placed(case, Some(&other.file), other.line)
}

fn status(weight: Weight) -> TestCaseStatus {
    match weight {
        Weight::Fails => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Weight::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Weight::Known | Weight::Remark => TestCaseStatus::skipped(),
    }
}

fn case(entry: &Entry) -> TestCase {
    let mut status = status(entry.weight);
    status.set_message(format!("{}: {}", entry.kind, entry.headline)).set_type(entry.kind);
    status.set_description(entry.text.as_str());
    let name = if entry.test.is_empty() { "the suite" } else { &entry.test };
    let mut case = named(name, status);
    case.add_properties(entry.token.iter().map(|token| Property::new("token", token.as_str())));
    placed(case, entry.file.as_ref(), entry.line)
}

/// A test case with the place of its test.
fn placed(mut case: TestCase, file: Option<&String>, line: Option<u32>) -> TestCase {
    let place = [("file", file.cloned()), ("line", line.map(|line| line.to_string()))];
    for (name, value) in place {
        if let Some(value) = value {
            case.extra.insert(name.into(), value.into());
        }
    }
    case
}

/// A test case with the names that pytest gives one.
fn named(node_id: &str, status: TestCaseStatus) -> TestCase {
    let (class, name) = names(node_id);
    let mut case = TestCase::new(name, status);
    if !class.is_empty() {
        case.set_classname(class);
    }
    case
}
