//! A failure of the very call that loses a race which is told. Whoever answers the call may do so in several ways:
//! PostgreSQL refuses a second `CREATE TABLE` by the table's name (42P07), or, if the first is not committed yet, by an index
//! of its catalog (23505). Which of them it is, is an accident of time.

use crate::finding::{Finding, Kind};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::session::stress::recognised::fails_alone;
use crate::session::suspect::Suspect;
use crate::suite::TestIndex;
use crate::trial::Failure;

/// The race that tells of this already, if a test of it that passes alone failed beside another of its tests, where its
/// last call was made and failed too.
///
/// # Errors
/// Those of the engine.
pub(crate) fn told_by(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<usize>, RunError> {
    let Some(failure) = &suspect.failure else { return Ok(None) };
    let tells = |told: &Finding| is_told_by(told, suspect.signature.test, &suspect.plan, failure);
    let Some(told) = lab.book().findings().iter().position(tells) else { return Ok(None) };
    Ok((fails_alone(lab, suspect)? == Some(false)).then_some(told))
}

/// Whether a race was lost by the call which raised this failure of a test in a plan, and by it alone: whose own failure was
/// raised there as well. A line that others call is one call where the same fixture did, or the same line of the same test.
fn is_told_by(told: &Finding, test: TestIndex, plan: &Plan, failure: &Failure) -> bool {
    let raised_at = |failure: &Failure| format!("{}:{}", failure.file, failure.line);
    let lost_at = told.trace.as_ref().and_then(|trace| trace.calls.last()?.call.at.clone());
    let is_of_race = |test: &TestIndex| {
        told.test == Some(*test) || told.also.contains(test) || shrunk_to(told).contains(test)
    };
    let beside = plan.workers.iter().filter(|list| !list.contains(&test)).flatten();
    let is_same_call = |lost: &Failure| match (&lost.fixture, &failure.fixture) {
        (Some(lost), Some(fixture)) => lost == fixture,
        (None, None) => told.test == Some(test) && lost.test_line == failure.test_line,
        _ => false,
    };
    told.kind == Kind::Race
        && told.failure.as_ref().is_some_and(is_same_call)
        && is_of_race(&test)
        && beside.into_iter().any(is_of_race)
        && lost_at.as_ref() == Some(&raised_at(failure))
        && told.failure.as_ref().map(raised_at) == lost_at
}

fn shrunk_to(told: &Finding) -> &[TestIndex] {
    told.shrunk.as_ref().map_or(&[], |shrunk| &shrunk.culprits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Origin;
    use crate::plan::WorkerId;
    use crate::plan::schedule::Resource;
    use crate::race::trace::{Trace, TracedCall};
    use crate::race::{Call, Operation};
    use crate::session::fake_engine::{failed, plan, test};
    use crate::suite::{Fixture, Phase};
    use crate::trial::Outcome;

    const CREATE: &str = "tests/conftest.py:8";

    fn raised(at: &str, exception: &str) -> Failure {
        let (file, line) = at.split_once(':').expect("file:line");
        match failed(exception) {
            Outcome::Failed(failure) => {
                Failure { file: file.into(), line: line.parse().expect("a line"), ..failure }
            }
            other => panic!("{other:?}"),
        }
    }

    /// The race of `a` and `b`, whose last call is made in one line and whose failure shows in another.
    fn race(last: Option<&str>, failure: Failure) -> Finding {
        let resource = Resource("postgresql://127.0.0.1:5432/office table report".into());
        let operation = Operation::Execute;
        let at = last.map(str::to_owned);
        let call = Call {
            resource: resource.clone(),
            operation,
            writes: true,
            idle: false,
            statement: None,
            at,
            by: None,
        };
        let calls = vec![TracedCall { worker: WorkerId(0), test: test('a'), call }];
        let trace = Some(Trace { resource, folder: None, calls, delay: None, diverged: 0 });
        let also = vec![test('b')];
        Finding {
            trace,
            also,
            failure: Some(failure),
            ..Finding::new(Kind::Race, Some(test('a')), Origin::Race(1))
        }
    }

    #[test]
    fn a_race_tells_of_what_its_last_call_raises_in_another_way() {
        let of = |name: &str, failure: Failure| {
            let (name, scope, file) = (name.into(), "function".into(), "tests/conftest.py".into());
            Failure { fixture: Some(Fixture { name, scope, file, phase: Phase::Setup }), ..failure }
        };
        let told = || race(Some(CREATE), of("office", raised(CREATE, "DuplicateTable")));
        let in_body = |line| Failure { test_line: line, ..raised("report.py:4", "UniqueViolation") };
        let told_of_body = || race(Some("report.py:4"), in_body(7));
        let (beside, another) = (plan("a|b"), plan("a|c"));
        let (one_worker, three) = (plan("ab"), plan("ca|b"));
        let unique = || of("office", raised(CREATE, "UniqueViolation"));
        let elsewhere = race(Some(CREATE), of("office", raised("tests/test_a.py:3", "AssertionError")));
        let without_line = race(None, of("office", raised(CREATE, "DuplicateTable")));
        let broken = Finding { kind: Kind::Broken, ..told() };
        let cases = [
            (told(), 'a', &beside, unique(), true, "the test that loses"),
            (told(), 'b', &beside, unique(), true, "one that loses too"),
            (told(), 'a', &three, unique(), true, "with others"),
            (told(), 'a', &another, unique(), false, "beside a test that is not of the race"),
            (told(), 'c', &another, unique(), false, "a test that is not of the race"),
            (told(), 'a', &one_worker, unique(), false, "on one worker"),
            (
                told(),
                'a',
                &beside,
                of("office", raised("tests/conftest.py:10", "UniqueViolation")),
                false,
                "another line",
            ),
            (
                told(),
                'a',
                &beside,
                of("shelf", raised(CREATE, "UniqueViolation")),
                false,
                "another fixture's call there",
            ),
            (told(), 'a', &beside, raised(CREATE, "UniqueViolation"), false, "a test's own call there"),
            (told_of_body(), 'a', &beside, in_body(7), true, "a call for the same line of the test"),
            (told_of_body(), 'a', &beside, in_body(8), false, "a call for another line of the test"),
            (told_of_body(), 'b', &beside, in_body(7), false, "a call for a line of another test"),
            (elsewhere, 'a', &beside, unique(), false, "a race that is lost by what comes of its last call"),
            (without_line, 'a', &beside, unique(), false, "a race whose last call has no line"),
            (broken, 'a', &beside, unique(), false, "no race"),
        ];
        for (told, letter, plan, failure, expected, what) in cases {
            assert_eq!(is_told_by(&told, test(letter), plan, &failure), expected, "{what}");
        }
    }
}
