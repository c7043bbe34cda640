//! A test that is skipped alone, passes after some tests and fails after others. A skip is no answer, so that it is no
//! victim for what it does alone; that it passes in one order and fails in another, each time, is an answer.

use crate::finding::{Finding, Kind, Minimal};
use crate::judge::Tally;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::plan::{Plan, WorkerId};
use crate::run::RunError;
use crate::session::investigate::confirm::{Side, constant};
use crate::session::investigate::oracle::run_shrinker;
use crate::session::investigate::questions::{exactly, shows_each_time};
use crate::session::investigate::shrinking::given_up;
use crate::session::lab::{Lab, serial, serial_of_worker};
use crate::session::suspect::{Suspect, minimal};
use crate::shrink::Target;
use crate::suite::TestIndex;

/// The finding of a test that is skipped alone, if it fails each time in the order it failed in and passes each time in
/// one it passed in, on one worker each and under one hash seed; with the fewest tests of both.
///
/// # Errors
/// Those of the engine.
pub(crate) fn order_dependent(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    passing: &Plan,
    finding: &Finding,
) -> Result<Option<Finding>, RunError> {
    let test = suspect.signature.test;
    let any = FailureMatcher::any(&suspect.signature, suspect.failure.as_ref());
    let failing = serial_of_worker(&suspect.plan, suspect.worker);
    // Each trial has a hash seed of its own: under that of the failure the order has to pass as well, so that it is
    // the order that decides.
    let passing = Plan { hash_seed: failing.hash_seed, ..serial(passing, list_of(passing, test)) };
    if !shows_each_time(lab, &failing, |trial| observe(trial, &suspect.wanted()) == Observation::Same)?
        || !shows_each_time(lab, &passing, |trial| observe(trial, &any) == Observation::Passed)?
    {
        return Ok(None);
    }
    let target = Target { victim: test, worker: WorkerId(0) };
    let looked_for = exactly(suspect, &suspect.wanted());
    let fails = run_shrinker(lab, failing, target, 1.0, &looked_for, Observation::Same)?;
    let passes = run_shrinker(lab, passing, target, 1.0, &any, Observation::Passed)?;
    if [&fails, &passes].into_iter().any(|shrunk| given_up(shrunk).is_some()) {
        return Ok(None);
    }
    let side = |plan: &Plan, wanted, expected| Side::new(plan.clone(), lab.in_forks(plan), wanted, expected);
    let with = side(&fails.plan, suspect.wanted(), Tally::always);
    let without = side(&passes.plan, any, Tally::never);
    let Some([with, without]) = constant(lab, with, without)? else {
        return Ok(None);
    };
    let passes_after = minimal(lab.suite, &passes, test).culprits;
    let shrunk = without_those(minimal(lab.suite, &fails, test), &passes_after);
    Ok(Some(Finding {
        kind: Kind::Victim,
        with,
        without,
        shrunk: Some(shrunk),
        passes_after: Some(passes_after),
        unjudged: false,
        note: None,
        ..finding.clone()
    }))
}

/// The list that a test is on.
fn list_of(plan: &Plan, test: TestIndex) -> Vec<TestIndex> {
    plan.workers.iter().find(|list| list.contains(&test)).cloned().unwrap_or_default()
}

/// Tests after which alone it passes are no polluters; they make it run.
fn without_those(minimal: Minimal, passes_after: &[TestIndex]) -> Minimal {
    let others: Vec<TestIndex> =
        minimal.culprits.iter().copied().filter(|test| !passes_after.contains(test)).collect();
    if others.is_empty() { minimal } else { Minimal { culprits: others, ..minimal } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Origin;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, name, plan, suite, test};
    use crate::session::investigate::investigate;
    use crate::session::suspect::suspects;
    use crate::trial::Outcome;

    /// What is found of `f` in eight tests, after it passed in one order and failed in another, each under a hash seed of
    /// its own.
    fn found(passing: &str, failing: &str, becomes: impl Fn(Situation<'_>) -> Outcome) -> Finding {
        let one = |run: Situation<'_>| if run.is('f') { becomes(run) } else { Outcome::Passed };
        let (whole, mut engine, mut nobody) =
            (suite(8), FakeEngine::new(suite(8), one), Reporters::default());
        let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
        lab.trial(Origin::Baseline, &Plan { hash_seed: 5, ..plan(passing) }).unwrap();
        let failing = plan(failing);
        let trial = lab.trial(Origin::Trial(0), &failing).unwrap();
        let suspect = suspects(Origin::Trial(0), &failing, &trial).into_iter().next();
        investigate(&mut lab, &suspect.expect("it fails")).unwrap()
    }

    fn names(tests: &[TestIndex]) -> String {
        tests.iter().map(|&test| name(test)).collect()
    }

    /// Runs only after `a`, or after `d`; fails after `b`.
    fn runs_after_a(run: Situation<'_>) -> Outcome {
        if run.after('a') || run.after('d') { fails_if(run.after('b')) } else { Outcome::Skipped }
    }

    #[test]
    fn what_is_skipped_alone_and_passes_in_one_order_fails_in_another_for_who_comes_before_it() {
        let finding = found("acfb", "gabhf", runs_after_a);
        assert_eq!(finding.kind, Kind::Victim);
        assert_eq!(names(finding.causes().0), "b");
        assert_eq!(names(&finding.passes_after.unwrap()), "a");
        let plan = &finding.shrunk.as_ref().unwrap().plan;
        assert_eq!(names(&plan.workers[0]), "abf", "what makes it run stays in the plan");
        assert!(finding.with.always() && finding.without.never() && !finding.unjudged);
        // What makes it run and what makes it fail is one test.
        let other = found("dfb", "gbhf", |run| match () {
            () if run.after('d') => Outcome::Passed,
            () if run.after('b') => fails_if(true),
            () => Outcome::Skipped,
        });
        assert_eq!((other.kind, names(other.causes().0)), (Kind::Victim, "b".to_owned()));
        assert_eq!(names(&other.passes_after.unwrap()), "d");
    }

    #[test]
    fn what_passes_under_another_hash_seed_alone_is_blamed_on_no_test() {
        let finding = found("acfb", "gabhf", |run| match runs_after_a(run) {
            Outcome::Passed => fails_if(run.plan.hash_seed != 5),
            outcome => outcome,
        });
        assert_eq!((finding.kind, finding.unjudged), (Kind::Unreproduced, true));
    }

    #[test]
    fn what_never_passes_is_blamed_on_no_test_and_counts_as_not_judged() {
        let finding =
            found("bfa", "abf", |run| if run.after('a') { fails_if(true) } else { Outcome::Skipped });
        assert_eq!((finding.kind, finding.unjudged), (Kind::Unreproduced, true));
        assert!(finding.causes().0.is_empty() && finding.passes_after.is_none());
    }

    #[test]
    fn what_fails_only_at_times_where_it_runs_is_not_claimed() {
        let at_times = |run: Situation<'_>| match runs_after_a(run) {
            Outcome::Failed(_) if run.plan.random_seed.is_multiple_of(2) => Outcome::Passed,
            outcome => outcome,
        };
        let finding = found("acfb", "gabhf", at_times);
        assert_eq!((finding.kind, finding.unjudged), (Kind::Unreproduced, true));
        assert_eq!(finding.signature.unwrap().test, test('f'));
    }
}
