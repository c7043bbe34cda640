//! What a trial shows of one test.

use crate::judge::signature::{FailureLocation, Signature};
use crate::judge::site::{Lines, Site};
use crate::suite::{Fixture, TestIndex};
use crate::trial::{Execution, Failure, Outcome, Trial};

/// What became of a test in one run. Every room that asks whether a test passed asks here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It ran and passed.
    Passed,
    /// It ran and failed as is expected of it: it does not count as a failure, and not as a pass where one is asked for.
    Xfailed,
    /// It ran and failed, in any way.
    Failed,
    /// It was skipped, so that nothing is known of it: no pass and no failure.
    Skipped,
    /// It was not run, so that nothing is known of it.
    NotRun,
}

impl Fate {
    /// What an outcome means.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Xfailed => Self::Xfailed,
            Outcome::Failed(_) | Outcome::Timeout { .. } | Outcome::Crashed { .. } => Self::Failed,
            Outcome::Skipped => Self::Skipped,
            Outcome::NotRun { .. } => Self::NotRun,
        }
    }

    /// Whether the test failed; nothing if the run does not tell.
    pub(crate) fn failed(self) -> Option<bool> {
        match self {
            Self::Passed | Self::Xfailed => Some(false),
            Self::Failed => Some(true),
            Self::Skipped | Self::NotRun => None,
        }
    }
}

/// What a trial shows of a failure that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Observation {
    /// The test failed with the signature that is looked for.
    Same,
    /// It failed in another way.
    Other,
    /// It passed, or failed as is expected of it.
    Passed,
    /// It was skipped, or not run, so nothing is known.
    Unknown,
}

impl Observation {
    /// Whether the failure that is looked for showed; nothing if the trial does not tell.
    pub(crate) fn shown(self) -> Option<bool> {
        match self {
            Self::Same => Some(true),
            Self::Other | Self::Passed => Some(false),
            Self::Unknown => None,
        }
    }
}

/// What a failure is recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureMatcher {
    /// The test, failing with this signature.
    Signature(Signature),
    /// The test, failing with this signature at these lines: what else may fail in one function.
    At(Signature, Lines),
    /// A fixture, failing in this way under whichever test.
    Fixture(Fixture, FailureLocation),
    /// This failure, under whichever test.
    Location(FailureLocation),
    /// The test, failing at all.
    Failure(TestIndex),
}

impl FailureMatcher {
    /// What a failure is recognised by, for whose sake other tests may be left out. pytest charges the teardown of
    /// a fixture that tests share to whichever of them comes last, so that this is known by its fixture.
    pub fn of(signature: &Signature, failure: Option<&Failure>) -> Self {
        match failure.and_then(Failure::shared_teardown) {
            Some(fixture) => Self::Fixture(fixture.clone(), signature.crash.clone()),
            None => Self::Signature(signature.clone()),
        }
    }

    /// Any failure of a test; of a fixture that it shares with others, this one.
    pub fn any(signature: &Signature, failure: Option<&Failure>) -> Self {
        match Self::of(signature, failure) {
            Self::Signature(signature) => Self::Failure(signature.test),
            of_fixture => of_fixture,
        }
    }
}

/// Looks for a failure in a trial. A test that ran more than once is judged by its last run, which
/// is the one that everything else of its worker's list comes before.
pub(crate) fn observe(trial: &Trial, wanted: &FailureMatcher) -> Observation {
    match wanted {
        FailureMatcher::Signature(signature) => match last(trial, signature.test) {
            Some(run) => observed(run, |found| found == signature),
            None => Observation::Unknown,
        },
        FailureMatcher::At(signature, lines) => match last(trial, signature.test) {
            Some(run) => observed(run, |found| found == signature && Site::of(&run.outcome).lines == *lines),
            None => Observation::Unknown,
        },
        FailureMatcher::Failure(test) => match last(trial, *test) {
            Some(run) => observed(run, |_| true),
            None => Observation::Unknown,
        },
        FailureMatcher::Location(crash) => {
            anywhere(trial, |run| observed(run, |found| found.crash == *crash))
        }
        FailureMatcher::Fixture(fixture, crash) => {
            let of_it = |run: &Execution| is_of(&run.outcome, fixture);
            match anywhere(trial, |run| observed(run, |found| found.crash == *crash && of_it(run))) {
                // That tests pass says nothing of a fixture which failed in another way.
                Observation::Passed if trial.executions.iter().any(of_it) => Observation::Other,
                sight => sight,
            }
        }
    }
}

/// Whether any test shows what is looked for. If none does, one that failed in another way may have kept a fixture from
/// being used.
fn anywhere(trial: &Trial, observed: impl Fn(&Execution) -> Observation) -> Observation {
    let order = |sight: &Observation| match sight {
        Observation::Same => 0,
        Observation::Passed => 1,
        Observation::Other => 2,
        Observation::Unknown => 3,
    };
    trial.executions.iter().map(observed).min_by_key(order).unwrap_or(Observation::Unknown)
}

fn is_of(outcome: &Outcome, fixture: &Fixture) -> bool {
    let Outcome::Failed(failure) = outcome else { return false };
    failure.fixture.as_ref().is_some_and(|failed| failed.is_recorded_as(fixture))
}

/// Whether the test that is looked for failed as is expected of it, so that the failure could not show.
pub fn is_expected_to_fail(trial: &Trial, wanted: &FailureMatcher) -> bool {
    let test = match wanted {
        FailureMatcher::Signature(signature) | FailureMatcher::At(signature, _) => signature.test,
        FailureMatcher::Failure(test) => *test,
        // Another test may show it.
        FailureMatcher::Fixture(..) | FailureMatcher::Location(_) => return false,
    };
    last(trial, test).is_some_and(|run| run.outcome == Outcome::Xfailed)
}

/// The last run of a test in a trial.
pub(crate) fn last(trial: &Trial, test: TestIndex) -> Option<&Execution> {
    trial.executions.iter().rev().find(|run| run.test == test)
}

fn observed(run: &Execution, same: impl Fn(&Signature) -> bool) -> Observation {
    match (Fate::of(&run.outcome).failed(), Signature::of(run.test, &run.outcome)) {
        (Some(false), _) => Observation::Passed,
        (Some(true), Some(found)) if same(&found) => Observation::Same,
        (Some(true), _) => Observation::Other,
        (None, _) => Observation::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::WorkerId;
    use crate::suite::Phase;
    use crate::trial::Failure;

    fn failed(exception: &str) -> Outcome {
        Outcome::Failed(Failure {
            phase: Phase::Setup,
            exception: exception.into(),
            file: "test_a.py".into(),
            function: "fixture".into(),
            line: 3,
            test_line: 0,
            message: String::new(),
            trace: String::new(),
            fixture: Some(fixture("module")),
            user: None,
        })
    }

    fn fixture(scope: &str) -> Fixture {
        let (name, file) = ("letter".into(), "test_a.py".into());
        Fixture { name, scope: scope.into(), file, phase: Phase::Setup }
    }

    fn not_run() -> Outcome {
        Outcome::NotRun { why: "not collected".into() }
    }

    fn trial(runs: impl IntoIterator<Item = (u32, Outcome)>) -> Trial {
        let execution = |(test, outcome)| Execution {
            worker: WorkerId(0),
            process: 0,
            test: TestIndex(test),
            outcome,
            duration: Duration::ZERO,
        };
        Trial::of(runs.into_iter().map(execution))
    }

    #[test]
    fn a_skip_is_no_pass_and_no_failure() {
        let of = |outcome: Outcome| {
            observe(&trial([(1, outcome)]), &FailureMatcher::Failure(TestIndex(1))).shown()
        };
        assert_eq!(of(Outcome::Skipped), None);
        assert_eq!(of(not_run()), None);
        assert_eq!(of(Outcome::Passed), Some(false));
        assert_eq!(of(Outcome::Xfailed), Some(false));
        assert_ne!(Fate::of(&Outcome::Xfailed), Fate::Passed, "it is no pass where one is asked for");
        assert_eq!(of(failed("KeyError")), Some(true));
        assert_eq!(of(Outcome::Timeout { limit: Duration::ZERO }), Some(true));
        assert_eq!(of(Outcome::Crashed { how: String::new() }), Some(true));
        assert_eq!(
            observe(&trial([(2, Outcome::Passed)]), &FailureMatcher::Failure(TestIndex(1))),
            Observation::Unknown
        );
    }

    #[test]
    fn what_fails_in_another_way_or_at_another_line_is_another_failure() {
        let signature = |exception| Signature::of(TestIndex(1), &failed(exception)).expect("a failure");
        let of = |outcome, wanted| observe(&trial([(1, outcome)]), &wanted);
        let wanted = || FailureMatcher::Signature(signature("KeyError"));
        assert_eq!(of(failed("KeyError"), wanted()), Observation::Same);
        assert_eq!(of(failed("ValueError"), wanted()), Observation::Other);
        let lines = Site::of(&failed("KeyError")).lines;
        let at = |lines| FailureMatcher::At(signature("KeyError"), lines);
        assert_eq!(of(failed("KeyError"), at(lines)), Observation::Same);
        assert_eq!(of(failed("ValueError"), at(lines)), Observation::Other);
        let Outcome::Failed(elsewhere) = failed("KeyError") else { unreachable!() };
        let elsewhere = Outcome::Failed(Failure { line: 4, ..elsewhere });
        assert_eq!(of(elsewhere, at(lines)), Observation::Other);
    }

    #[test]
    fn a_failure_that_is_expected_of_the_test_itself_cannot_show() {
        let expected = |test, outcome, wanted| is_expected_to_fail(&trial([(test, outcome)]), &wanted);
        let any = FailureMatcher::Failure(TestIndex(1));
        assert!(expected(1, Outcome::Xfailed, any.clone()));
        assert!(!expected(1, Outcome::Passed, any.clone()));
        assert!(!expected(2, Outcome::Xfailed, any));
        let signature = Signature::of(TestIndex(1), &failed("KeyError")).expect("a failure");
        assert!(expected(1, Outcome::Xfailed, FailureMatcher::Signature(signature.clone())));
        assert!(!expected(1, Outcome::Xfailed, FailureMatcher::Location(signature.crash)));
    }

    #[test]
    fn the_last_run_of_a_test_counts() {
        let wanted = FailureMatcher::Failure(TestIndex(1));
        let twice = |second| trial([(1, Outcome::Passed), (2, failed("KeyError")), (1, second)]);
        assert_eq!(observe(&twice(failed("KeyError")), &wanted), Observation::Same);
        assert_eq!(observe(&twice(Outcome::Skipped), &wanted), Observation::Unknown);
    }

    #[test]
    fn a_fixture_is_seen_under_any_test_and_holds_only_if_some_test_passed() {
        let crash = Signature::of(TestIndex(0), &failed("KeyError")).map(|signature| signature.crash);
        let crash = crash.expect("a failure has one");
        let wanted = FailureMatcher::Fixture(fixture("module"), crash.clone());
        let of = |first, second| observe(&trial([(1, first), (2, second)]), &wanted);
        assert_eq!(of(Outcome::Passed, failed("KeyError")), Observation::Same);
        assert_eq!(of(Outcome::Skipped, Outcome::Passed), Observation::Passed);
        assert_eq!(of(Outcome::Skipped, failed("ValueError")), Observation::Other);
        assert_eq!(of(Outcome::Skipped, not_run()), Observation::Unknown);
        let another = FailureMatcher::Fixture(fixture("session"), crash.clone());
        let failing = trial([(1, failed("KeyError"))]);
        assert_eq!(observe(&failing, &another), Observation::Other, "it is the crash of another fixture");
        assert_eq!(observe(&failing, &FailureMatcher::Location(crash)), Observation::Same);
        assert_eq!(
            of(failed("ValueError"), Outcome::Passed),
            Observation::Other,
            "the fixture, in another way"
        );
    }

    #[test]
    fn the_teardown_of_a_shared_fixture_is_nobodys_in_particular() {
        let Outcome::Failed(setup) = failed("KeyError") else { panic!("a failure") };
        let signature = Signature::of(TestIndex(1), &failed("KeyError")).expect("a failure has one");
        let of = |scope, phase| {
            let failure = Failure { fixture: Some(Fixture { phase, ..fixture(scope) }), ..setup.clone() };
            matches!(FailureMatcher::of(&signature, Some(&failure)), FailureMatcher::Fixture(..))
        };
        assert!(of("module", Phase::Teardown));
        assert!(!of("module", Phase::Setup));
        assert!(!of("function", Phase::Teardown));
        assert_eq!(FailureMatcher::any(&signature, Some(&setup)), FailureMatcher::Failure(TestIndex(1)));
    }
}
