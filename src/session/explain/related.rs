//! From one polluter and one victim to all tests that have to do with their place of shared state.
//!
//! Two runs of the suite tell who may: in one the place is put back after each test that changes it; in the
//! other the polluter comes before each test. What follows from these is tried: polluters before the victim,
//! victims after the polluter with the place put back and without, cleaners between the two. All is seen twice, and
//! of a sample of each sort the second time in fresh processes; where these differ, of all of that sort.

mod sessions;
mod tests;

use std::collections::BTreeSet;

use crate::explain::{InTurn, RelatedTests};
use crate::finding::{Finding, Kind};
use crate::judge::Signature;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::judge::signature::Loss;
use crate::limits::{FOLLOWED_TESTS, RELATED_SAMPLE, RELATED_STARTS};
use crate::plan::{Imports, Plan};
use crate::run::{Job, RunError};
use crate::session::lab::{Lab, serial};
use crate::state::{Changed, Followed, Instructions, Place};
use crate::suite::TestIndex;
use crate::trial::Trial;

/// Looks for all others that have to do with a confirmed place, among those that wait first. Nothing is looked for
/// where a victim fails at times only, hangs, or has several polluters that it takes together.
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
    let forks = lab.forks(&plan);
    let mut search = Search { lab, plan, place, polluter, victim: signature.clone(), forks, cut: false };
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
    forks: bool,
    /// Whether not all candidates were tried.
    cut: bool,
}

impl Search<'_, '_> {
    fn run(&mut self) -> Result<RelatedTests, RunError> {
        let hash_seed = self.plan.hash_seed;
        let tests = self.looked_at();
        if self.lab.out_of_time() {
            return Ok(RelatedTests::default());
        }
        let polluters = self.polluters(&tests)?;
        if self.lab.out_of_time() {
            return Ok(RelatedTests { polluters, ..RelatedTests::default() });
        }
        // A test that fails alone may pollute, and is no victim.
        let fails = |test| self.lab.history.failed_alone(test, hash_seed) == Some(true);
        let known = [self.polluter, self.victim.test];
        let admitted = |test| self.lab.suite.admits(&[self.polluter, test]);
        let others = tests.iter().copied().filter(|&test| !known.contains(&test) && !fails(test));
        let others: Vec<TestIndex> = others.filter(|&test| admitted(test)).collect();
        let polluter_fails = fails(self.polluter);
        let (victims, cleaners) = self.victims_and_cleaners(&others)?;
        let in_turn = if polluter_fails { None } else { self.in_turn(&polluters)? };
        let whole = tests.len() == self.lab.suite.tests.len() && !self.cut;
        Ok(RelatedTests { polluters, victims, in_turn, cleaners, whole, fresh: BTreeSet::new() })
    }

    /// The tests that are looked at, in suite order.
    fn looked_at(&self) -> Vec<TestIndex> {
        let waiting: BTreeSet<TestIndex> =
            self.lab.book().waiting.iter().map(|suspect| suspect.signature.test).collect();
        let collected = &self.lab.suite.collected;
        let others = collected.iter().filter(|test| !waiting.contains(test));
        let chosen: BTreeSet<TestIndex> =
            waiting.iter().chain(others).take(FOLLOWED_TESTS).copied().collect();
        collected.iter().copied().filter(|test| chosen.contains(test)).collect()
    }

    /// The candidates of one sort that are tried.
    fn tried(&mut self, mut candidates: Vec<TestIndex>) -> Vec<TestIndex> {
        if !self.forks && candidates.len() > RELATED_STARTS {
            candidates.truncate(RELATED_STARTS);
            self.cut = true;
        }
        candidates
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

    fn probes(&mut self, lists: impl IntoIterator<Item = Vec<TestIndex>>) -> Result<Vec<Trial>, RunError> {
        let plans: Vec<Plan> = lists.into_iter().map(|list| self.with(list)).collect();
        self.lab.probes(&plans.iter().map(Job::of).collect::<Vec<_>>())
    }

    /// The tests that leave the place changed, and after which the victim fails.
    fn polluters(&mut self, tests: &[TestIndex]) -> Result<BTreeSet<TestIndex>, RunError> {
        let (_, followed) = self.follow(tests.to_vec(), true)?;
        let writers = followed.iter().filter(|followed| followed.moved && followed.changed);
        let writers = writers.filter_map(|followed| tests.get(followed.position as usize).copied());
        let victim = self.victim.test;
        let others = writers.filter(|&test| test != self.polluter && test != victim);
        let admitted = others.filter(|&test| self.lab.suite.admits(&[test, victim])).collect();
        let candidates = self.tried(admitted);
        let trials = self.probes(candidates.iter().map(|&test| vec![test, victim]))?;
        let same = FailureMatcher::Signature(self.victim.clone());
        let fails = |trial: &Trial| observe(trial, &same) == Observation::Same;
        Ok(those(&candidates, &trials, fails).collect())
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
        let touching = followed.iter().filter(|followed| followed.moved).map(|followed| followed.position);
        let touching = touching.filter_map(|position| list.get(position as usize).copied());
        // One that fails may reset the place nonetheless.
        let touching: BTreeSet<TestIndex> = touching.filter(|test| *test != polluter).collect();
        let admitted = touching.into_iter().filter(|&test| self.lab.suite.admits(&[test, victim])).collect();
        let candidates = self.tried(admitted);
        let trials = self.probes(candidates.iter().map(|&test| vec![polluter, test, victim]))?;
        let wanted = FailureMatcher::Failure(victim);
        let passes = |trial: &Trial| observe(trial, &wanted) == Observation::Passed;
        let cleaners = those(&candidates, &trials, passes).collect();
        let candidates = self.tried(failed.into_iter().collect());
        Ok((self.victims(polluter, &candidates)?, cleaners))
    }

    /// How the polluter fails after the first test that makes it do so for the place: another polluter, or the victim.
    fn in_turn(&mut self, polluters: &BTreeSet<TestIndex>) -> Result<Option<InTurn>, RunError> {
        let test = self.polluter;
        let others = polluters.iter().copied().chain([self.victim.test]);
        let others = others.filter(|&other| self.lab.suite.admits(&[other, test])).collect();
        let candidates = self.tried(others);
        let trials = self.probes(candidates.iter().map(|&other| vec![other, test]))?;
        let fails = |trial: &Trial| observe(trial, &FailureMatcher::Failure(test)) == Observation::Same;
        let failing: Vec<TestIndex> = those(&candidates, &trials, fails).collect();
        for after in failing {
            if let Some(victim) = self.victims(after, &[test])?.into_iter().next() {
                return Ok(Some(InTurn { victim, after }));
            }
        }
        Ok(None)
    }

    /// How tests fail after a polluter that do so for the place and for nothing else.
    fn victims(
        &mut self,
        polluter: TestIndex,
        candidates: &[TestIndex],
    ) -> Result<BTreeSet<Signature>, RunError> {
        let passes = |test: TestIndex, trial: &Trial| {
            observe(trial, &FailureMatcher::Failure(test)) == Observation::Passed
        };
        let hash_seed = self.plan.hash_seed;
        let passed = |test: &TestIndex| self.lab.history.failed_alone(*test, hash_seed) == Some(false);
        let (mut healthy, unknown): (Vec<TestIndex>, Vec<TestIndex>) =
            candidates.iter().partition(|test| passed(test));
        let alone = self.probes(unknown.iter().map(|&test| vec![test]))?;
        healthy.extend(
            unknown.iter().zip(&alone).filter(|(test, trial)| passes(**test, trial)).map(|(test, _)| test),
        );
        healthy.sort_unstable();
        let polluted = self.probes(healthy.iter().map(|&test| vec![polluter, test]))?;
        let signature = |(&test, trial): (&TestIndex, &Trial)| {
            let failed = trial.executions.iter().rfind(|run| run.test == test)?;
            Signature::of(test, &failed.outcome)
        };
        let failing: Vec<Signature> = healthy.iter().zip(&polluted).filter_map(signature).collect();
        let instructions = Instructions { restore: vec![self.place.name.clone()], ..Instructions::default() };
        let plans: Vec<Plan> =
            failing.iter().map(|signature| self.with(vec![polluter, signature.test])).collect();
        let restored = self.lab.probes_explaining(&plans, &instructions)?;
        let undone = |(signature, (trial, changed)): (&Signature, &(Trial, Option<Changed>))| {
            let put_back = changed.as_ref().is_some_and(|changed| changed.failed.is_empty());
            (put_back && passes(signature.test, trial)).then(|| signature.clone())
        };
        Ok(failing.iter().zip(&restored).filter_map(undone).collect())
    }

    /// What shows a second time as well.
    fn confirmed(&mut self, related_tests: RelatedTests) -> Result<RelatedTests, RunError> {
        let (polluter, victim) = (self.polluter, self.victim.test);
        let same = |signature: &Signature| (FailureMatcher::Signature(signature.clone()), Observation::Same);
        let mut forks_alone = BTreeSet::new();
        let polluters: Vec<Claim> = related_tests
            .polluters
            .iter()
            .map(|&test| Claim { test, list: vec![test, victim], shows: same(&self.victim) })
            .collect();
        let victims: Vec<Claim> = related_tests
            .victims
            .iter()
            .map(|told| Claim { test: told.test, list: vec![polluter, told.test], shows: same(told) })
            .collect();
        let passes = (FailureMatcher::Failure(victim), Observation::Passed);
        let cleaners: Vec<Claim> = related_tests
            .cleaners
            .iter()
            .map(|&test| Claim { test, list: vec![polluter, test, victim], shows: passes.clone() })
            .collect();
        let polluters = self.second_time(&polluters, &mut forks_alone)?;
        let held = self.second_time(&victims, &mut forks_alone)?;
        let cleaners = self.second_time(&cleaners, &mut forks_alone)?;
        let told = related_tests.victims.iter().filter(|told| held.contains(&told.test));
        let victims = told.cloned().collect();
        let claims: Vec<Claim> = related_tests
            .in_turn
            .iter()
            .map(|turn| Claim { test: polluter, list: vec![turn.after, polluter], shows: same(&turn.victim) })
            .collect();
        let in_turn_held = self.hold(&claims, true)?;
        let in_turn = related_tests.in_turn.clone().filter(|_| in_turn_held.contains(&polluter));
        let held = RelatedTests { polluters, victims, in_turn, cleaners, ..related_tests };
        // A test of several sorts counts where each was shown so.
        Ok(RelatedTests { fresh: &held.tests() - &forks_alone, ..held })
    }

    /// The tests of which what is claimed shows a second time: of a sample in fresh processes, of the others in forks
    /// under another random seed, which is noted. Where one of the sample differs, of all in fresh processes.
    fn second_time(
        &mut self,
        claims: &[Claim],
        forks_alone: &mut BTreeSet<TestIndex>,
    ) -> Result<BTreeSet<TestIndex>, RunError> {
        let (sample, others) = claims.split_at(claims.len().min(RELATED_SAMPLE));
        let sample_held = self.hold(sample, true)?;
        let fresh = sample_held.len() < sample.len() || !self.forks;
        let held = self.hold(others, fresh)?;
        if !fresh {
            forks_alone.extend(&held);
        }
        Ok(&sample_held | &held)
    }

    fn hold(&mut self, claims: &[Claim], fresh: bool) -> Result<BTreeSet<TestIndex>, RunError> {
        let random_seed = self.plan.random_seed.wrapping_add(u32::from(!fresh));
        let plans: Vec<Plan> =
            claims.iter().map(|claim| Plan { random_seed, ..self.with(claim.list.clone()) }).collect();
        let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job { fresh, ..Job::of(plan) }).collect();
        let trials = self.lab.probes(&jobs)?;
        let held = |(claim, trial): (&Claim, &Trial)| {
            let (wanted, expected) = &claim.shows;
            (observe(trial, wanted) == *expected).then_some(claim.test)
        };
        Ok(claims.iter().zip(&trials).filter_map(held).collect())
    }
}

/// What is claimed of a test.
struct Claim {
    test: TestIndex,
    /// The run that shows it.
    list: Vec<TestIndex>,
    /// What is looked for in it, and what is to be seen of that.
    shows: (FailureMatcher, Observation),
}

/// Those of some tests whose trial shows something.
fn those<'t>(
    tests: &'t [TestIndex],
    trials: &'t [Trial],
    shows: impl Fn(&Trial) -> bool + 't,
) -> impl Iterator<Item = TestIndex> + 't {
    tests.iter().zip(trials).filter(move |(_, trial)| shows(trial)).map(|(&test, _)| test)
}
