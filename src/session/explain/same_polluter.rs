//! Which of the failures that wait show after the polluter of a finding. Each is asked that in a few runs, in place of an
//! investigation of its own, so that what a session takes follows the number of polluters and not that of victims.
//!
//! Whether they fail for the same state is told when the finding is explained.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::same_polluter::{Polluter, SamePolluter};
use crate::judge::Signature;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::judge::signature::Loss;
use crate::limits::ASKED_ALONE;
use crate::plan::{Imports, Interleaving, Plan};
use crate::run::{Job, RunError};
use crate::session::event::Event;
use crate::session::explain::claims::{Claim, second_time};
use crate::session::lab::{self, Lab, serial};
use crate::session::suspect::Suspect;
use crate::suite::{Suite, TestIndex};
use crate::trial::Trial;

/// Tells of the failures that wait and show after the only polluter of a finding each time, and not alone.
///
/// # Errors
/// Those of the engine.
pub(crate) fn ask(lab: &mut Lab<'_>, of: usize) -> Result<(), RunError> {
    let finding = &lab.book().findings()[of];
    let (Some(polluter), Some(minimal)) = (finding.only_polluter(), &finding.shrunk) else {
        return Ok(());
    };
    let runs = Runs { polluter, like: minimal.plan.clone() };
    // The finding's own failure at another line may have another cause: it is judged by itself.
    let own = finding.signature.clone();
    let is_other = |suspect: &&Suspect| Some(&suspect.signature) != own.as_ref();
    let mut asked: BTreeMap<TestIndex, Signature> = BTreeMap::new();
    let waiting = lab.book().waiting.iter().filter(is_other);
    for suspect in waiting.filter(|suspect| may_show_after(lab, &runs.polluter, suspect)) {
        // Another way in which the test fails waits on.
        asked.entry(suspect.signature.test).or_insert_with(|| suspect.signature.clone());
    }
    let after = |suite: &Suite, signature: &Signature| runs.after(suite, vec![signature.test]);
    let same = |signature: &Signature| (FailureMatcher::Signature(signature.clone()), Observation::Same);
    let asked = in_company(lab, &runs, asked.into_values().collect())?;
    let failing = those(lab, asked, after, same)?;
    // Under the random seed under which it failed, so that it is not what the test draws.
    let alone = |suite: &Suite, signature: &Signature| runs.alone(suite, signature.test);
    let passes = |signature: &Signature| (FailureMatcher::Failure(signature.test), Observation::Passed);
    let victims = those(lab, failing, alone, passes)?;
    let claim =
        |victim: &Signature| Claim { test: victim.test, plan: after(lab.suite, victim), shows: same(victim) };
    let claims: Vec<Claim> = victims.iter().map(claim).collect();
    let mut forks_alone = BTreeSet::new();
    let [held] = second_time(lab, [&claims], &mut forks_alone)?;
    let told = SamePolluter {
        victims: victims.into_iter().filter(|victim| held.contains(&victim.test)).collect(),
        fresh: &held - &forks_alone,
    };
    if !told.victims.is_empty() {
        lab.tell(&Event::SamePolluter(of, &told));
    }
    Ok(())
}

/// Runs of tests with a polluter before them, or without it.
pub(super) struct Runs {
    pub(super) polluter: Polluter,
    /// The plan that they are like but for their tests and imports.
    pub(super) like: Plan,
}

impl Runs {
    /// Tests after the polluter. After an import their own files alone are imported besides.
    pub(super) fn after(&self, suite: &Suite, tests: Vec<TestIndex>) -> Plan {
        match &self.polluter {
            Polluter::Test(test) => self.serial(Imports::All, [vec![*test], tests].concat()),
            Polluter::Import(file) => {
                let own = tests.iter().map(|&test| suite.test(test).file.clone());
                self.serial(Imports::Only(own.chain([file.clone()]).collect()), tests)
            }
        }
    }

    /// A test without the polluter.
    fn alone(&self, suite: &Suite, test: TestIndex) -> Plan {
        match &self.polluter {
            Polluter::Test(_) => self.serial(Imports::All, vec![test]),
            Polluter::Import(_) => lab::alone(&self.like, suite, test, self.like.random_seed),
        }
    }

    fn serial(&self, imports: Imports, list: Vec<TestIndex>) -> Plan {
        Plan { imports, ..serial(&self.like, list) }
    }
}

/// Whether a failure may be due to a polluter that came before it in its process, and is cheap to show. A pass right after
/// it speaks against that; of an import, every one with the whole suite imported.
fn may_show_after(lab: &Lab<'_>, polluter: &Polluter, suspect: &Suspect) -> bool {
    let test = suspect.signature.test;
    let cheap = suspect.signature.crash.loss() != Some(Loss::Timeout)
        && suspect.plan.interleaving == Interleaving::Free
        && suspect.fixture_torn_down().is_none();
    let can_come_before = || match polluter {
        Polluter::Test(polluter) => {
            let passed =
                |(before, failed): &(Vec<TestIndex>, bool)| !failed && before.last() == Some(polluter);
            lab.suite.admits(&[*polluter, test]) && !lab.history.prefixes(test).iter().any(passed)
        }
        Polluter::Import(file) => {
            lab.suite.test(test).file != *file
                && lab.suite.admits(&[test])
                && !lab.history.passed_with_all_imported(test)
        }
    };
    cheap && !suspect.again && suspect.follows(polluter) && can_come_before()
}

/// Those of some failures that are worth a run of their own: where they are many, their tests are run together after the
/// polluter, in this order and in the reverse, and those are left out that fail in neither. One that another test keeps
/// from failing comes before that in one of the two; what is left out nonetheless waits on.
fn in_company(lab: &mut Lab<'_>, runs: &Runs, failures: Vec<Signature>) -> Result<Vec<Signature>, RunError> {
    if failures.len() <= ASKED_ALONE {
        return Ok(failures);
    }
    // A process that ends takes what the polluter left with it.
    let ends = |failure: &&Signature| failure.crash.loss().is_some();
    let tests: Vec<TestIndex> = failures.iter().filter(|it| !ends(it)).map(|it| it.test).collect();
    if tests.is_empty() {
        return Ok(failures);
    }
    let backwards = tests.iter().rev().copied().collect();
    let plans = [tests, backwards].map(|tests| runs.after(lab.suite, tests));
    let shared = u32::from(runs.polluter.test().is_some());
    let trials = lab.probes(&plans.each_ref().map(|plan| Job::beginning_alike(plan, shared)))?;
    let fails = |test: TestIndex| {
        let runs = trials.iter().flat_map(|trial| &trial.executions);
        runs.filter(|run| run.test == test).any(|run| run.outcome.is_failure())
    };
    Ok(failures.into_iter().filter(|failure| ends(&failure) || fails(failure.test)).collect())
}

/// Those of some failures of which a run of their plan shows something.
fn those(
    lab: &mut Lab<'_>,
    failures: Vec<Signature>,
    plan: impl Fn(&Suite, &Signature) -> Plan,
    shows: impl Fn(&Signature) -> (FailureMatcher, Observation),
) -> Result<Vec<Signature>, RunError> {
    let plans: Vec<Plan> = failures.iter().map(|failure| plan(lab.suite, failure)).collect();
    // Plans of two tests all begin with the polluter.
    let shared = |plan: &Plan| plan.workers.iter().map(|list| list.len().saturating_sub(1) as u32).sum();
    let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job::beginning_alike(plan, shared(plan))).collect();
    let trials = lab.probes(&jobs)?;
    let shown = |(failure, trial): (Signature, &Trial)| {
        let (wanted, expected) = shows(&failure);
        (observe(trial, &wanted) == expected).then_some(failure)
    };
    Ok(failures.into_iter().zip(&trials).filter_map(shown).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{
        FakeEngine, Situation, failed, fails_if, lost, name, plan, suite, test,
    };
    use crate::trial::Outcome;

    /// Those of the tests, which failed so, that are worth a run of their own after `a`, and how many runs that took.
    fn worth(tests: &str, how: &Outcome, becomes: impl FnMut(Situation<'_>) -> Outcome) -> (String, usize) {
        let (whole, mut nobody) = (suite(26), Reporters::default());
        let mut engine = FakeEngine::new(suite(26), becomes);
        let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
        let failures = tests.chars().map(|letter| Signature::of(test(letter), how).unwrap()).collect();
        let runs = Runs { polluter: Polluter::Test(test('a')), like: plan("a") };
        let kept = in_company(&mut lab, &runs, failures).unwrap();
        drop(lab);
        (kept.iter().map(|failure| name(failure.test)).collect(), engine.ran.len())
    }

    #[test]
    fn of_many_that_wait_those_are_asked_that_fail_in_one_of_two_runs_of_all() {
        // `d` resets what `a` leaves, so that each victim fails before it only.
        let becomes = |run: Situation<'_>| {
            fails_if("cfgh".contains(name(run.test)) && run.after('a') && !run.after('d'))
        };
        let fails = failed("KeyError");
        assert_eq!(worth("bcdefghij", &fails, becomes), ("cfgh".into(), 2));
        assert_eq!(worth("bcdefghi", &fails, becomes), ("bcdefghi".into(), 0), "few are asked alone");
        assert_eq!(worth("bcdefghij", &lost(), becomes), ("bcdefghij".into(), 0), "each ends its process");
    }
}
