//! What a trial shows of one test.

use crate::judge::signature::{Crash, Signature};
use crate::judge::site::{Lines, Site};
use crate::suite::Fixture;
use crate::suite::TestIndex;
use crate::trial::{Execution, Failure, Outcome, Trial};

/// What became of a test in one run. Every room that asks whether a test passed asks here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It ran and came to what it is expected to come to.
    Passed,
    /// It ran and failed, in any way.
    Failed,
    /// It was skipped, so that nothing is known of it: no pass and no failure.
    Skipped,
    /// It was not run, so that nothing is known of it.
    NotRun,
}

impl Fate {
    /// What an outcome means.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Failed(_) | Outcome::Timeout { .. } | Outcome::Crashed { .. } => Self::Failed,
            Outcome::Skipped => Self::Skipped,
            Outcome::NotRun { .. } => Self::NotRun,
        }
    }

    /// Whether the test failed; nothing if the run does not tell.
    pub fn failed(self) -> Option<bool> {
        match self {
            Self::Passed => Some(false),
            Self::Failed => Some(true),
            Self::Skipped | Self::NotRun => None,
        }
    }
}

/// What a trial shows of a failure that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// The test failed with the signature that is looked for.
    Same,
    /// It failed in another way.
    Other,
    /// It passed.
    Passed,
    /// It was skipped, or not run, so nothing is known.
    Unknown,
}

impl Sight {
    /// Whether the failure that is looked for showed; nothing if the trial does not tell.
    pub fn shown(self) -> Option<bool> {
        match self {
            Self::Same => Some(true),
            Self::Other | Self::Passed => Some(false),
            Self::Unknown => None,
        }
    }
}

/// What a failure is recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The test, failing with this signature.
    Signature(Signature),
    /// The test, failing with this signature at these lines: what else may fail in one function.
    At(Signature, Lines),
    /// A fixture, failing in this way under whichever test.
    Fixture(Fixture, Crash),
    /// This failure, under whichever test.
    Crash(Crash),
    /// The test, failing at all.
    Failure(TestIndex),
}

impl Wanted {
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
pub fn look(trial: &Trial, wanted: &Wanted) -> Sight {
    match wanted {
        Wanted::Signature(signature) => match last(trial, signature.test) {
            Some(run) => see(run, |found| found == signature),
            None => Sight::Unknown,
        },
        Wanted::At(signature, lines) => match last(trial, signature.test) {
            Some(run) => see(run, |found| found == signature && Site::of(&run.outcome).lines == *lines),
            None => Sight::Unknown,
        },
        Wanted::Failure(test) => match last(trial, *test) {
            Some(run) => see(run, |_| true),
            None => Sight::Unknown,
        },
        Wanted::Crash(crash) => anywhere(trial, |run| see(run, |found| found.crash == *crash)),
        Wanted::Fixture(fixture, crash) => {
            let of_it = |run: &Execution| is_of(&run.outcome, fixture);
            match anywhere(trial, |run| see(run, |found| found.crash == *crash && of_it(run))) {
                // That tests pass says nothing of a fixture which failed in another way.
                Sight::Passed if trial.executions.iter().any(of_it) => Sight::Other,
                sight => sight,
            }
        }
    }
}

/// Whether any test shows what is looked for. If none does, one that failed in another way may have kept a fixture from
/// being used.
fn anywhere(trial: &Trial, see: impl Fn(&Execution) -> Sight) -> Sight {
    let order = |sight: &Sight| match sight {
        Sight::Same => 0,
        Sight::Passed => 1,
        Sight::Other => 2,
        Sight::Unknown => 3,
    };
    trial.executions.iter().map(see).min_by_key(order).unwrap_or(Sight::Unknown)
}

fn is_of(outcome: &Outcome, fixture: &Fixture) -> bool {
    matches!(outcome, Outcome::Failed(failure) if failure.fixture.as_ref() == Some(fixture))
}

/// The last run of a test in a trial.
pub fn last(trial: &Trial, test: TestIndex) -> Option<&Execution> {
    trial.executions.iter().rev().find(|run| run.test == test)
}

fn see(run: &Execution, same: impl Fn(&Signature) -> bool) -> Sight {
    match (Fate::of(&run.outcome).failed(), Signature::of(run.test, &run.outcome)) {
        (Some(false), _) => Sight::Passed,
        (Some(true), Some(found)) if same(&found) => Sight::Same,
        (Some(true), _) => Sight::Other,
        (None, _) => Sight::Unknown,
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
        Trial {
            executions: runs.into_iter().map(execution).collect(),
            duration: Duration::ZERO,
            processes: 1,
            steps: Vec::new(),
            held: Vec::new(),
            touched: Vec::new(),
            leftovers: Vec::new(),
            changed: None,
        }
    }

    #[test]
    fn a_skip_is_no_pass_and_no_failure() {
        let of = |outcome: Outcome| look(&trial([(1, outcome)]), &Wanted::Failure(TestIndex(1))).shown();
        assert_eq!(of(Outcome::Skipped), None);
        assert_eq!(of(not_run()), None);
        assert_eq!(of(Outcome::Passed), Some(false));
        assert_eq!(of(failed("KeyError")), Some(true));
        assert_eq!(of(Outcome::Timeout { limit: Duration::ZERO }), Some(true));
        assert_eq!(of(Outcome::Crashed { how: String::new() }), Some(true));
        assert_eq!(look(&trial([(2, Outcome::Passed)]), &Wanted::Failure(TestIndex(1))), Sight::Unknown);
    }

    #[test]
    fn the_last_run_of_a_test_counts() {
        let wanted = Wanted::Failure(TestIndex(1));
        let twice = |second| trial([(1, Outcome::Passed), (2, failed("KeyError")), (1, second)]);
        assert_eq!(look(&twice(failed("KeyError")), &wanted), Sight::Same);
        assert_eq!(look(&twice(Outcome::Skipped), &wanted), Sight::Unknown);
    }

    #[test]
    fn a_fixture_is_seen_under_any_test_and_holds_only_if_some_test_passed() {
        let crash = Signature::of(TestIndex(0), &failed("KeyError")).map(|signature| signature.crash);
        let crash = crash.expect("a failure has one");
        let wanted = Wanted::Fixture(fixture("module"), crash.clone());
        let of = |first, second| look(&trial([(1, first), (2, second)]), &wanted);
        assert_eq!(of(Outcome::Passed, failed("KeyError")), Sight::Same);
        assert_eq!(of(Outcome::Skipped, Outcome::Passed), Sight::Passed);
        assert_eq!(of(Outcome::Skipped, failed("ValueError")), Sight::Other);
        assert_eq!(of(Outcome::Skipped, not_run()), Sight::Unknown);
        let another = Wanted::Fixture(fixture("session"), crash.clone());
        let failing = trial([(1, failed("KeyError"))]);
        assert_eq!(look(&failing, &another), Sight::Other, "it is the crash of another fixture");
        assert_eq!(look(&failing, &Wanted::Crash(crash)), Sight::Same);
        assert_eq!(of(failed("ValueError"), Outcome::Passed), Sight::Other, "the fixture, in another way");
    }

    #[test]
    fn the_teardown_of_a_shared_fixture_is_nobodys_in_particular() {
        let Outcome::Failed(setup) = failed("KeyError") else { panic!("a failure") };
        let signature = Signature::of(TestIndex(1), &failed("KeyError")).expect("a failure has one");
        let of = |scope, phase| {
            let failure = Failure { fixture: Some(Fixture { phase, ..fixture(scope) }), ..setup.clone() };
            matches!(Wanted::of(&signature, Some(&failure)), Wanted::Fixture(..))
        };
        assert!(of("module", Phase::Teardown));
        assert!(!of("module", Phase::Setup));
        assert!(!of("function", Phase::Teardown));
        assert_eq!(Wanted::any(&signature, Some(&setup)), Wanted::Failure(TestIndex(1)));
    }
}
