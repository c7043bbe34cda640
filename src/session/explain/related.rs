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
use crate::finding::Finding;
use crate::finding::same_polluter::{Polluter, SamePolluter};
use crate::judge::Signature;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::{FOLLOWED_TESTS, RELATED_STARTS};
use crate::plan::{Imports, Plan};
use crate::run::{Job, RunError};
use crate::session::explain::claims::{Claim, second_time};
use crate::session::explain::same_polluter::Runs;
use crate::session::lab::{Lab, serial};
use crate::state::{Changed, Followed, Instructions, Place};
use crate::suite::TestIndex;
use crate::trial::{Execution, Outcome, Trial};

/// Looks for all others that have to do with confirmed places, which make the finding's test fail together, among those
/// first that are told with the finding or wait. Nothing is looked for but of a victim with [`Finding::only_polluter`]. Returns too which of those that are told
/// with it fail with the place put back as well, so that they have another reason.
///
/// # Errors
/// Those of the engine.
pub(crate) fn related_tests(
    lab: &mut Lab<'_>,
    finding: &Finding,
    places: &[Place],
) -> Result<(RelatedTests, BTreeSet<Signature>), RunError> {
    let (Some(minimal), Some(signature), Some(polluter), Some(place)) =
        (&finding.shrunk, &finding.signature, finding.only_polluter(), places.first())
    else {
        return Ok((RelatedTests::default(), BTreeSet::new()));
    };
    let told = &finding.same_polluter;
    let restored: Vec<String> = places.iter().map(|place| place.name.clone()).collect();
    let polluter = match polluter {
        Polluter::Test(test) => test,
        Polluter::Import(file) => return of_import(lab, told, &minimal.plan, file, restored),
    };
    let plan = Plan { imports: Imports::All, ..serial(&minimal.plan, Vec::new()) };
    let forks = lab.forks(&plan);
    let mut search = Search {
        lab,
        plan,
        place,
        restored,
        polluter,
        victim: signature.clone(),
        told,
        apart: BTreeSet::new(),
        forks,
        cut: false,
    };
    let related_tests = search.run()?;
    let related_tests = search.confirmed(related_tests)?;
    Ok((related_tests, search.apart))
}

/// Which of those that are told with a victim of an import pass with its places put back, and which do not. No others are
/// looked for: in each run of the suite the file is imported, so that those that fail for it are told of or wait.
fn of_import(
    lab: &mut Lab<'_>,
    told: &SamePolluter,
    like: &Plan,
    file: String,
    restore: Vec<String>,
) -> Result<(RelatedTests, BTreeSet<Signature>), RunError> {
    let instructions = Instructions { import: Some(file.clone()), restore, ..Instructions::default() };
    let runs = Runs { polluter: Polluter::Import(file), like: like.clone() };
    let plans = told.victims.iter().map(|victim| runs.after(lab.suite, vec![victim.test]));
    let plans: Vec<Plan> = plans.collect();
    let asked: Vec<_> = plans.iter().map(|plan| (plan, &instructions)).collect();
    let restored = lab.probes_explaining(&asked, true)?;
    let passes = |(victim, (trial, changed)): &(&Signature, (Trial, Option<Changed>))| {
        changed.as_ref().is_some_and(|changed| changed.failed.is_empty())
            && observe(trial, &FailureMatcher::Failure(victim.test)) == Observation::Passed
    };
    let (undone, apart): (Vec<_>, Vec<_>) = told.victims.iter().zip(restored).partition(passes);
    let signatures =
        |told: Vec<(&Signature, _)>| told.into_iter().map(|(victim, _)| victim.clone()).collect();
    let victims: BTreeSet<Signature> = signatures(undone);
    let fresh = victims.iter().map(|victim| victim.test).filter(|test| told.fresh.contains(test)).collect();
    Ok((RelatedTests { victims, fresh, ..RelatedTests::default() }, signatures(apart)))
}

struct Search<'a, 'b> {
    lab: &'a mut Lab<'b>,
    /// The plan of all runs, but for its tests.
    plan: Plan,
    /// The place that is followed through the suite.
    place: &'a Place,
    /// The places that are put back together to see that a test fails for them, by name.
    restored: Vec<String>,
    polluter: TestIndex,
    victim: Signature,
    /// The tests that are told with the finding, as they fail after its polluter.
    told: &'a SamePolluter,
    /// Those of them that fail with the place put back as well.
    apart: BTreeSet<Signature>,
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
        // A test that fails alone may pollute, and is no victim.
        let fails = |test| self.lab.history.failed_alone(test, hash_seed) == Some(true);
        let known = [self.polluter, self.victim.test];
        let admitted = |test| self.lab.suite.admits(&[self.polluter, test]);
        let others = tests.iter().copied().filter(|&test| !known.contains(&test) && !fails(test));
        let others: Vec<TestIndex> = others.filter(|&test| admitted(test)).collect();
        let polluter_fails = fails(self.polluter);
        let after_polluter: Vec<TestIndex> = if self.ends_when_run_again()? {
            self.cut = true;
            vec![self.polluter]
        } else {
            others.iter().flat_map(|&test| [self.polluter, test]).collect()
        };
        let [put_back, polluted] = self.follow([(&tests, true), (&after_polluter, false)])?;
        let polluters = self.polluters(&tests, &put_back.1)?;
        if self.lab.out_of_time() {
            return Ok(RelatedTests { polluters, ..RelatedTests::default() });
        }
        let (victims, cleaners) = self.victims_and_cleaners(&after_polluter, &polluted)?;
        let in_turn = if polluter_fails { None } else { self.in_turn(&polluters)? };
        let whole = tests.len() == self.lab.suite.tests.len() && !self.cut;
        Ok(RelatedTests { polluters, victims, in_turn, cleaners, whole, ..RelatedTests::default() })
    }

    /// Whether the polluter hangs or ends its process when it is run a second time, as one does that takes a lock for good: it
    /// would do so before each test.
    fn ends_when_run_again(&mut self) -> Result<bool, RunError> {
        let ends = |run: &Execution| matches!(run.outcome, Outcome::Timeout { .. } | Outcome::Crashed { .. });
        let trials = self.probes([vec![self.polluter; 2]])?;
        Ok(trials.iter().flat_map(|trial| &trial.executions).any(ends))
    }

    /// The tests that are looked at, in suite order.
    fn looked_at(&self) -> Vec<TestIndex> {
        let waiting = self.lab.book().waiting.iter().map(|suspect| &suspect.signature);
        let first: BTreeSet<TestIndex> =
            waiting.chain(&self.told.victims).map(|signature| signature.test).collect();
        let collected = &self.lab.suite.collected;
        let others = collected.iter().filter(|test| !first.contains(test));
        let chosen: BTreeSet<TestIndex> = first.iter().chain(others).take(FOLLOWED_TESTS).copied().collect();
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

    /// Runs lists and follows the place in them, with it put back after each test that changes it or not.
    fn follow(&mut self, lists: [(&[TestIndex], bool); 2]) -> Result<[(Trial, Vec<Followed>); 2], RunError> {
        let name = || self.place.name.clone();
        let asked = lists.map(|(list, restores)| {
            let restore = if restores { vec![name()] } else { Vec::new() };
            let follow = Some(name());
            (self.with(list.to_vec()), Instructions { restore, follow, ..Instructions::default() })
        });
        let seen = self.lab.probes_explaining(&asked.each_ref().map(|(plan, told)| (plan, told)), false)?;
        let followed = seen.into_iter().map(|(trial, changed)| (trial, changed.unwrap_or_default().followed));
        <[_; 2]>::try_from(followed.collect::<Vec<_>>()).map_err(|_| RunError::Interrupted)
    }

    fn probes(&mut self, lists: impl IntoIterator<Item = Vec<TestIndex>>) -> Result<Vec<Trial>, RunError> {
        let plans: Vec<Plan> = lists.into_iter().map(|list| self.with(list)).collect();
        self.lab.probes(&plans.iter().map(Job::of).collect::<Vec<_>>())
    }

    /// The same for lists that begin with one test: that is run once for all.
    fn probes_after(
        &mut self,
        first: TestIndex,
        rests: impl IntoIterator<Item = Vec<TestIndex>>,
    ) -> Result<Vec<Trial>, RunError> {
        let lists = rests.into_iter().map(|rest| [vec![first], rest].concat());
        let plans: Vec<Plan> = lists.map(|list| self.with(list)).collect();
        let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job::beginning_alike(plan, 1)).collect();
        self.lab.probes(&jobs)
    }

    /// The tests that leave the place changed, and after which the victim fails.
    fn polluters(
        &mut self,
        tests: &[TestIndex],
        followed: &[Followed],
    ) -> Result<BTreeSet<TestIndex>, RunError> {
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
        list: &[TestIndex],
        (trial, followed): &(Trial, Vec<Followed>),
    ) -> Result<(BTreeSet<Signature>, BTreeSet<TestIndex>), RunError> {
        let (polluter, victim) = (self.polluter, self.victim.test);
        let failed: BTreeSet<TestIndex> = trial
            .executions
            .iter()
            .filter(|run| run.test != polluter && run.outcome.is_failure())
            .map(|run| run.test)
            .chain(self.told.victims.iter().map(|told| told.test))
            .collect();
        let touching = followed.iter().filter(|followed| followed.moved).map(|followed| followed.position);
        let touching = touching.filter_map(|position| list.get(position as usize).copied());
        // One that fails may reset the place nonetheless.
        let touching: BTreeSet<TestIndex> = touching.filter(|test| *test != polluter).collect();
        let admitted = touching.into_iter().filter(|&test| self.lab.suite.admits(&[test, victim])).collect();
        let candidates = self.tried(admitted);
        let trials = self.probes_after(polluter, candidates.iter().map(|&test| vec![test, victim]))?;
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
        // Those that are told with the finding were seen to fail after its polluter, and to pass alone.
        let known = self
            .told
            .victims
            .iter()
            .filter(|told| polluter == self.polluter && candidates.contains(&told.test));
        let known: BTreeSet<Signature> = known.cloned().collect();
        let is_known = |test: &TestIndex| known.iter().any(|known| known.test == *test);
        let passed = |test: &TestIndex| self.lab.history.failed_alone(*test, hash_seed) == Some(false);
        let (mut healthy, unknown): (Vec<TestIndex>, Vec<TestIndex>) =
            candidates.iter().filter(|test| !is_known(test)).partition(|test| passed(test));
        let alone = self.probes(unknown.iter().map(|&test| vec![test]))?;
        healthy.extend(
            unknown.iter().zip(&alone).filter(|(test, trial)| passes(**test, trial)).map(|(test, _)| test),
        );
        healthy.sort_unstable();
        let polluted = self.probes_after(polluter, healthy.iter().map(|&test| vec![test]))?;
        let signature = |(&test, trial): (&TestIndex, &Trial)| {
            let failed = trial.executions.iter().rfind(|run| run.test == test)?;
            Signature::of(test, &failed.outcome)
        };
        let failing: Vec<Signature> =
            healthy.iter().zip(&polluted).filter_map(signature).chain(known.iter().cloned()).collect();
        let instructions = Instructions { restore: self.restored.clone(), ..Instructions::default() };
        let plans: Vec<Plan> =
            failing.iter().map(|signature| self.with(vec![polluter, signature.test])).collect();
        let asked: Vec<_> = plans.iter().map(|plan| (plan, &instructions)).collect();
        let restored = self.lab.probes_explaining(&asked, false)?;
        let put_back = failing.into_iter().zip(restored).filter(|(_, (_, changed))| {
            changed.as_ref().is_some_and(|changed: &Changed| changed.failed.is_empty())
        });
        let (undone, others): (Vec<_>, Vec<_>) =
            put_back.partition(|(signature, (trial, _))| passes(signature.test, trial));
        let others = others.into_iter().map(|(signature, _)| signature);
        self.apart.extend(others.filter(|signature| known.contains(signature)));
        Ok(undone.into_iter().map(|(signature, _)| signature).collect())
    }

    /// What shows a second time as well.
    fn confirmed(&mut self, related_tests: RelatedTests) -> Result<RelatedTests, RunError> {
        let (polluter, victim) = (self.polluter, self.victim.test);
        let same = |signature: &Signature| (FailureMatcher::Signature(signature.clone()), Observation::Same);
        // What is told with the finding was seen twice to fail after its polluter.
        let shown = |told: &&Signature| self.told.victims.contains(*told);
        let seen_twice = || related_tests.victims.iter().filter(shown).map(|told| told.test);
        let mut forks_alone: BTreeSet<TestIndex> =
            seen_twice().filter(|test| !self.told.fresh.contains(test)).collect();
        let polluters: Vec<Claim> = related_tests
            .polluters
            .iter()
            .map(|&test| Claim { test, plan: self.with(vec![test, victim]), shows: same(&self.victim) })
            .collect();
        let victims: Vec<Claim> = related_tests
            .victims
            .iter()
            .filter(|told| !shown(told))
            .map(|told| Claim {
                test: told.test,
                plan: self.with(vec![polluter, told.test]),
                shows: same(told),
            })
            .collect();
        let passes = (FailureMatcher::Failure(victim), Observation::Passed);
        let cleaners: Vec<Claim> = related_tests
            .cleaners
            .iter()
            .map(|&test| Claim { test, plan: self.with(vec![polluter, test, victim]), shows: passes.clone() })
            .collect();
        let turns = related_tests.in_turn.iter();
        let turns: Vec<Claim> = turns
            .map(|turn| Claim {
                test: polluter,
                plan: self.with(vec![turn.after, polluter]),
                shows: same(&turn.victim),
            })
            .collect();
        let seen_twice: BTreeSet<TestIndex> = seen_twice().collect();
        let sorts: [&[Claim]; 4] = [&polluters, &victims, &cleaners, &turns];
        let [polluters, held, cleaners, turned] = second_time(self.lab, sorts, &mut forks_alone)?;
        let held = &seen_twice | &held;
        let told = related_tests.victims.iter().filter(|told| held.contains(&told.test));
        let victims = told.cloned().collect();
        let in_turn = related_tests.in_turn.clone().filter(|_| turned.contains(&polluter));
        let held = RelatedTests { polluters, victims, in_turn, cleaners, ..related_tests };
        // A test of several sorts counts where each was shown so.
        Ok(RelatedTests { fresh: &held.tests() - &forks_alone, ..held })
    }
}

/// Those of some tests whose trial shows something.
fn those<'t>(
    tests: &'t [TestIndex],
    trials: &'t [Trial],
    shows: impl Fn(&Trial) -> bool + 't,
) -> impl Iterator<Item = TestIndex> + 't {
    tests.iter().zip(trials).filter(move |(_, trial)| shows(trial)).map(|(&test, _)| test)
}
