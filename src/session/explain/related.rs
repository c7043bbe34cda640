//! From one polluter and one victim to all tests that have to do with their place of shared state.
//!
//! Two runs of the suite tell who may: in one the place is put back after each test that changes it; in the
//! other the polluter comes before each test. What follows from these is tried: polluters before the victim,
//! victims after the polluter with the place put back and without, cleaners between the two. Fresh processes
//! have the last word.

use std::collections::BTreeSet;

use crate::explain::RelatedTests;
use crate::finding::{Finding, Kind};
use crate::judge::Signature;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::judge::signature::Loss;
use crate::plan::{Imports, Plan};
use crate::run::{Job, RunError};
use crate::session::lab::{Lab, serial};
use crate::state::{Followed, Instructions, Place};
use crate::suite::TestIndex;
use crate::trial::Trial;

/// Tests of a suite that are looked at; of a larger one, the first in suite order.
const TESTS: usize = 500;
/// Candidates of one sort that are tried.
const CANDIDATES: usize = 24;
/// Cleaners that are named: one shows how it is done.
const CLEANERS: usize = 3;

/// Looks for all others that have to do with a confirmed place. Nothing is looked for where a victim fails
/// at times only, hangs, or has several polluters that it takes together.
///
/// # Errors
/// Those of the engine.
pub(crate) fn related_tests(
    lab: &mut Lab<'_>,
    finding: &Finding,
    place: &Place,
) -> Result<RelatedTests, RunError> {
    let (Some(minimal), Some(signature)) = (&finding.shrunk, &finding.signature) else {
        return Ok(RelatedTests::default());
    };
    let &[polluter] = minimal.culprits.as_slice() else {
        return Ok(RelatedTests::default());
    };
    let hangs = signature.crash.loss() == Some(Loss::Timeout);
    // The tests that share a fixture are no victims of their own, and come before what makes its teardown fail.
    let of_fixture = matches!(finding.wanted(), Some(FailureMatcher::Fixture(..)));
    if of_fixture
        || finding.kind != Kind::Victim
        || !finding.with.always()
        || hangs
        || !minimal.imports.is_empty()
    {
        return Ok(RelatedTests::default());
    }
    let plan = Plan { imports: Imports::All, ..serial(&minimal.plan, Vec::new()) };
    let mut search = Search { lab, plan, place, polluter, victim: signature.clone() };
    let related_tests = search.run()?;
    search.confirmed(related_tests)
}

struct Search<'a, 'b> {
    lab: &'a mut Lab<'b>,
    /// The plan of all runs, but for its tests.
    plan: Plan,
    place: &'a Place,
    polluter: TestIndex,
    victim: Signature,
}

impl Search<'_, '_> {
    fn run(&mut self) -> Result<RelatedTests, RunError> {
        let hash_seed = self.plan.hash_seed;
        let tests: Vec<TestIndex> = self.lab.suite.collected.iter().copied().take(TESTS).collect();
        let mut related_tests =
            RelatedTests { whole: self.lab.suite.tests.len() <= TESTS, ..RelatedTests::default() };
        if self.lab.out_of_time() {
            return Ok(related_tests);
        }
        related_tests.polluters = self.polluters(&tests)?;
        if self.lab.out_of_time() {
            return Ok(related_tests);
        }
        // A test that fails alone may pollute, and is no victim.
        let fails = |test| self.lab.history.failed_alone(test, hash_seed) == Some(true);
        let known = [self.polluter, self.victim.test];
        let admitted = |test| self.lab.suite.admits(&[self.polluter, test]);
        let others = tests.into_iter().filter(|&test| !known.contains(&test) && !fails(test));
        let others: Vec<TestIndex> = others.filter(|&test| admitted(test)).collect();
        (related_tests.victims, related_tests.cleaners) = self.victims_and_cleaners(&others)?;
        Ok(related_tests)
    }

    fn with(&self, list: Vec<TestIndex>) -> Plan {
        Plan { workers: vec![list], ..self.plan.clone() }
    }

    fn follow(&mut self, list: Vec<TestIndex>, restore: bool) -> Result<(Trial, Vec<Followed>), RunError> {
        let name = self.place.name.clone();
        let restore = if restore { vec![name.clone()] } else { Vec::new() };
        let instructions = Instructions { restore, follow: Some(name), ..Instructions::default() };
        let plan = self.with(list);
        let (trial, changed) = self.lab.probe_explaining(&plan, &instructions, false)?;
        Ok((trial, changed.unwrap_or_default().followed))
    }

    fn probes(&mut self, lists: Vec<Vec<TestIndex>>) -> Result<Vec<Trial>, RunError> {
        let plans: Vec<Plan> = lists.into_iter().map(|list| self.with(list)).collect();
        self.lab.probes(&plans.iter().map(Job::of).collect::<Vec<_>>())
    }

    /// Whether the victim of a trial fails as it does after its polluter.
    fn fails(&self, trial: &Trial) -> bool {
        observe(trial, &FailureMatcher::Signature(self.victim.clone())) == Observation::Same
    }

    /// The tests that leave the place changed, and after which the victim fails.
    fn polluters(&mut self, tests: &[TestIndex]) -> Result<BTreeSet<TestIndex>, RunError> {
        let (_, followed) = self.follow(tests.to_vec(), true)?;
        let writers = followed.iter().filter(|followed| followed.moved && followed.changed);
        let writers = writers.filter_map(|followed| tests.get(followed.position as usize).copied());
        let victim = self.victim.test;
        let others = writers.filter(|&test| test != self.polluter && test != victim);
        let admitted = others.filter(|&test| self.lab.suite.admits(&[test, victim]));
        let candidates: Vec<TestIndex> = admitted.take(CANDIDATES).collect();
        let trials = self.probes(candidates.iter().map(|&test| vec![test, victim]).collect())?;
        Ok(candidates
            .into_iter()
            .zip(&trials)
            .filter(|(_, trial)| self.fails(trial))
            .map(|(test, _)| test)
            .collect())
    }

    fn victims_and_cleaners(
        &mut self,
        tests: &[TestIndex],
    ) -> Result<(BTreeSet<Signature>, BTreeSet<TestIndex>), RunError> {
        let (polluter, victim) = (self.polluter, self.victim.test);
        let list: Vec<TestIndex> = tests.iter().flat_map(|&test| [polluter, test]).collect();
        let (trial, followed) = self.follow(list.clone(), false)?;
        let failed: BTreeSet<TestIndex> = trial
            .executions
            .iter()
            .filter(|run| run.test != polluter && run.outcome.is_failure())
            .map(|run| run.test)
            .collect();
        let failed: Vec<TestIndex> = failed.into_iter().take(CANDIDATES).collect();
        let touching = followed.iter().filter(|followed| followed.moved).map(|followed| followed.position);
        let touching = touching.filter_map(|position| list.get(position as usize).copied());
        let mut touching: Vec<TestIndex> =
            touching.filter(|test| *test != polluter && !failed.contains(test)).collect();
        touching.retain(|&test| self.lab.suite.admits(&[test, victim]));
        touching.truncate(CANDIDATES);
        let trials = self.probes(touching.iter().map(|&test| vec![polluter, test, victim]).collect())?;
        let wanted = FailureMatcher::Failure(victim);
        let passes = |trial: &Trial| observe(trial, &wanted) == Observation::Passed;
        let cleaners = touching.iter().zip(&trials).filter(|(_, trial)| passes(trial));
        let cleaners = cleaners.map(|(&test, _)| test).take(CLEANERS).collect();
        let mut victims = BTreeSet::new();
        for test in failed {
            victims.extend(self.victim(test)?);
        }
        Ok((victims, cleaners))
    }

    /// How a test fails after the polluter, if it does so for the place and for nothing else.
    fn victim(&mut self, test: TestIndex) -> Result<Option<Signature>, RunError> {
        let trials = self.probes(vec![vec![test], vec![self.polluter, test]])?;
        let wanted = FailureMatcher::Failure(test);
        if observe(&trials[0], &wanted) != Observation::Passed {
            return Ok(None);
        }
        let failed = trials[1].executions.iter().rfind(|run| run.test == test);
        let Some(signature) = failed.and_then(|run| Signature::of(test, &run.outcome)) else {
            return Ok(None);
        };
        let plan = self.with(vec![self.polluter, test]);
        let instructions = Instructions { restore: vec![self.place.name.clone()], ..Instructions::default() };
        let (trial, changed) = self.lab.probe_explaining(&plan, &instructions, false)?;
        let restored = changed.is_some_and(|changed| changed.failed.is_empty());
        Ok((restored && observe(&trial, &wanted) == Observation::Passed).then_some(signature))
    }

    /// What fresh processes show as well.
    fn confirmed(&mut self, related_tests: RelatedTests) -> Result<RelatedTests, RunError> {
        let (polluter, victim) = (self.polluter, self.victim.test);
        let polluters = related_tests.polluters.iter().map(|&test| vec![test, victim]);
        let victims = related_tests.victims.iter().map(|signature| vec![polluter, signature.test]);
        let cleaners = related_tests.cleaners.iter().map(|&test| vec![polluter, test, victim]);
        let plans: Vec<Plan> = polluters.chain(victims).chain(cleaners).map(|list| self.with(list)).collect();
        let trials = self.lab.probes(&plans.iter().map(Job::fresh).collect::<Vec<_>>())?;
        let mut trials = trials.iter();
        let mut shows = |wanted: FailureMatcher, sight: Observation| {
            trials.next().is_some_and(|trial| observe(trial, &wanted) == sight)
        };
        let RelatedTests { polluters, victims, cleaners, whole } = related_tests;
        let polluted = || FailureMatcher::Signature(self.victim.clone());
        Ok(RelatedTests {
            polluters: polluters.into_iter().filter(|_| shows(polluted(), Observation::Same)).collect(),
            victims: victims
                .into_iter()
                .filter(|signature| shows(FailureMatcher::Signature(signature.clone()), Observation::Same))
                .collect(),
            cleaners: cleaners
                .into_iter()
                .filter(|_| shows(FailureMatcher::Failure(victim), Observation::Passed))
                .collect(),
            whole,
        })
    }
}
