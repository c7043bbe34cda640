//! JUnit XML, as Jenkins, GitLab and others read it. The one file that knows quick-junit.
//!
//! Every collected test is a test case, so that a night without findings is no empty report. New isolation
//! failures are failures and collection errors are errors: what the exit code counts. Known failures, and what
//! is no isolation failure, are skipped cases, whose message says what was seen.

use std::collections::BTreeSet;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::report::entry::{Entry, Weight};
use crate::session::Outline;

/// The name of the report, by which it is known as ours.
pub const NAME: &str = "jostle";

/// The report of a session as XML.
///
/// # Errors
/// What the XML cannot hold; characters it forbids are left out and are no error.
pub fn report(outline: &Outline, entries: &[Entry]) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new("isolation");
    suite.add_property(Property::new("seed", outline.seed.0.to_string()));
    suite.add_property(Property::new("trials", outline.trials.to_string()));
    suite.add_property(Property::new("fingerprint", outline.collected.suite.fingerprint.to_string()));
    suite.set_time(outline.duration);
    let told: BTreeSet<&str> = entries.iter().map(|entry| entry.test.as_str()).collect();
    suite.add_test_cases(entries.iter().map(case));
    for test in &outline.collected.suite.tests {
        let name = test.id.to_string();
        if !told.contains(name.as_str()) {
            suite.add_test_case(named(&name, TestCaseStatus::success()));
        }
    }
    let mut report = Report::new(NAME);
    report.set_time(outline.duration);
    report.add_test_suite(suite);
    report.to_string()
}

fn case(entry: &Entry) -> TestCase {
    let mut status = match entry.weight {
        Weight::Fails => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Weight::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Weight::Known | Weight::Remark => TestCaseStatus::skipped(),
    };
    status.set_message(format!("{}: {}", entry.kind, entry.headline)).set_type(entry.kind);
    status.set_description(entry.text.as_str());
    let name = if entry.test.is_empty() { "the suite" } else { &entry.test };
    let mut case = named(name, status);
    case.add_properties(entry.token.iter().map(|token| Property::new("token", token.as_str())));
    let place = [("file", entry.file.clone()), ("line", entry.line.map(|line| line.to_string()))];
    for (name, value) in place {
        if let Some(value) = value {
            case.extra.insert(name.into(), value.into());
        }
    }
    case
}

/// A test case with the names that pytest gives one: `tests.test_a.TestClass` and `test_name[1]`.
fn named(node_id: &str, status: TestCaseStatus) -> TestCase {
    let end = node_id.find('[').unwrap_or(node_id.len());
    let (class, name) = match node_id[..end].rfind("::") {
        Some(at) => (&node_id[..at], &node_id[at + 2..]),
        None => ("", node_id),
    };
    let mut case = TestCase::new(name, status);
    if !class.is_empty() {
        let (file, classes) = class.split_once("::").unwrap_or((class, ""));
        let module = file.strip_suffix(".py").unwrap_or(file).replace('/', ".");
        let classes =
            if classes.is_empty() { String::new() } else { format!(".{}", classes.replace("::", ".")) };
        case.set_classname(format!("{module}{classes}"));
    }
    case
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_cases_have_the_names_that_pytest_gives_them() {
        let names = |node_id| {
            let case = named(node_id, TestCaseStatus::success());
            (case.classname.map(|name| name.to_string()).unwrap_or_default(), case.name.to_string())
        };
        let pair = |class: &str, name: &str| (class.to_owned(), name.to_owned());
        assert_eq!(names("tests/test_a.py::test_b"), pair("tests.test_a", "test_b"));
        assert_eq!(
            names("tests/test_a.py::TestC::test_b[x::y/z]"),
            pair("tests.test_a.TestC", "test_b[x::y/z]")
        );
        assert_eq!(names("the suite"), pair("", "the suite"));
    }
}
