//! Whether recorded failures are gone: their minimal plan, their original plan and plans near them are run
//! until enough passed, or one failed in a fresh process.

pub(crate) mod collection;
mod tests;

use crate::finding::Kind;
use crate::judge::observation::{FailureMatcher, Observation, is_expected_to_fail, last, observe};
use crate::judge::signature::FailureLocation;
use crate::judge::{Signature, Tally};
use crate::limits::{NEIGHBOURS, VERIFY_ALONE_RUNS, VERIFY_FRESH_RUNS};
use crate::plan::{Imports, Plan};
use crate::record::FailureFile;
use crate::run::{Job, RunError};
use crate::session::lab::{Lab, alone, serial};
use crate::session::verify::collection::verify_collection;
use crate::suite::{TestId, TestIndex};
use crate::trial::{Outcome, Trial};
use crate::verify::neighbourhood::Core;
use crate::verify::{Claim, Status, VerifyLimits};

/// Which plan a run followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The smallest plan that showed the failure.
    Minimal,
    /// The plan that first showed it.
    Original,
    /// Plans near the minimal one.
    Neighbourhood,
}

/// A recorded failure, looked at again.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    /// What became of it.
    pub(crate) status: Status,
    /// What had to be shown.
    pub(crate) claim: Claim,
    /// The minimal plan's runs.
    pub(crate) minimal: Tally,
    /// The original plan's runs.
    pub(crate) original: Tally,
    /// The neighbours' runs.
    pub(crate) neighbourhood: Tally,
    /// Where it failed, and how, if it did.
    pub(crate) failed: Option<(Stage, FailureLocation)>,
    /// Why nothing can be told.
    pub(crate) why: Option<String>,
    /// What the reader should know besides.
    pub(crate) notes: Vec<String>,
}

impl Verified {
    pub(super) fn new(claim: Claim) -> Self {
        Self {
            status: Status::Holds,
            claim,
            minimal: Tally::default(),
            original: Tally::default(),
            neighbourhood: Tally::default(),
            failed: None,
            why: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn cannot_tell(self, why: String) -> Self {
        Self { status: Status::CannotTell, why: Some(why), ..self }
    }

    pub(super) fn still_fails(self, stage: Stage, crash: FailureLocation) -> Self {
        Self { status: Status::StillFails, failed: Some((stage, crash)), ..self }
    }

    pub(super) fn tally(&mut self, stage: Stage) -> &mut Tally {
        match stage {
            Stage::Minimal => &mut self.minimal,
            Stage::Original => &mut self.original,
            Stage::Neighbourhood => &mut self.neighbourhood,
        }
    }
}

/// Looks at a recorded failure again. If it is expected to fail, the minimal and the original plan are all
/// that is run.
///
/// # Errors
/// Those of the engine.
pub(crate) fn verify(
    lab: &mut Lab<'_>,
    file: &FailureFile,
    rigour: VerifyLimits,
    expected_to_fail: bool,
) -> Result<Verified, RunError> {
    if file.kind == Kind::UnstableCollection {
        return verify_collection(lab, file, rigour);
    }
    let verified = Verified::new(Claim::new(file.failed, rigour.confidence));
    let minimal = match file.minimal.plan(lab.suite) {
        Ok(plan) => plan,
        Err(error) => return Ok(verified.cannot_tell(error.to_string())),
    };
    let Some(victim) = lab.suite.find(&file.test) else {
        return Ok(verified.cannot_tell(format!("{} is not collected now", file.test)));
    };
    let core = Core { kind: file.kind, victim, minimal: &minimal };
    Case { lab, file, core, rigour, verified, forks_mislead: false }.run(expected_to_fail)
}

/// A failure in one run: how, and whether the process was started for it.
struct Shown {
    crash: FailureLocation,
    fresh: bool,
    plan: Plan,
}

struct Case<'a, 'b> {
    lab: &'a mut Lab<'b>,
    file: &'a FailureFile,
    core: Core<'a>,
    rigour: VerifyLimits,
    verified: Verified,
    /// Whether forks were seen to fail where fresh processes do not.
    forks_mislead: bool,
}

impl Case<'_, '_> {
    fn run(mut self, expected_to_fail: bool) -> Result<Verified, RunError> {
        if let Some(why) = self.says_nothing()? {
            return Ok(self.verified.cannot_tell(why));
        }
        if let Some((stage, crash)) = self.verified.failed.clone() {
            return Ok(self.verified.still_fails(stage, crash));
        }
        let needed = self.verified.claim.runs_needed();
        let runs = needed.min(self.rigour.most_runs);
        if let Some(crash) = self.minimal(runs)? {
            return Ok(self.verified.still_fails(Stage::Minimal, crash));
        }
        if let Some(crash) = self.original(runs)? {
            return Ok(self.verified.still_fails(Stage::Original, crash));
        }
        if !expected_to_fail && let Some(crash) = self.neighbourhood(runs)? {
            return Ok(self.verified.still_fails(Stage::Neighbourhood, crash));
        }
        let claim = self.verified.claim;
        let (minimal, near) = (self.verified.minimal, self.verified.neighbourhood);
        if claim.is_shown_by(minimal) && (expected_to_fail || claim.is_shown_by(near)) {
            return Ok(self.verified);
        }
        let why = if needed > runs {
            format!("{needed} runs are needed and --runs allows {runs}")
        } else {
            "too few plans near the recorded one are left to tell: see the note".into()
        };
        Ok(self.verified.cannot_tell(why))
    }

    /// Why runs of the minimal plan would say nothing about isolation: the test fails without what made it
    /// fail, or it, or that, is not run at all.
    fn says_nothing(&mut self) -> Result<Option<String>, RunError> {
        let (victim, test) = (self.core.victim, &self.file.test);
        let brittle = self.file.kind == Kind::Brittle;
        let reference = match self.passes_after() {
            _ if brittle => self.core.minimal.clone(),
            Err(missing) => {
                return Ok(Some(format!("{missing} is not collected now, after which {test} passed")));
            }
            Ok(before) => self.after(before),
        };
        for run in 0..VERIFY_ALONE_RUNS {
            let trial = self.lab.probe_fresh(&reference.reseeded(run))?;
            if let Some(crash) = self.failure(&trial) {
                let how = format!("{} in {}", crash.exception, crash.function);
                return Ok(Some(if brittle {
                    format!(
                        "{test} fails with its state-setter too ({how}), so that it is no longer what was recorded"
                    )
                } else if self.file.passes_after.is_empty() {
                    format!("{test} fails alone ({how}): make it pass alone first")
                } else {
                    format!("{test} fails after what it had passed after ({how}): make it pass there first")
                }));
            }
            if let Some(why) = says_nothing_of(&trial, victim) {
                return Ok(Some(format!("{test} {why}")));
            }
        }
        if brittle {
            let trial = self.lab.probe_fresh(&self.alone(0))?;
            if let Some(why) = says_nothing_of(&trial, victim) {
                return Ok(Some(format!("{test} {why}, alone")));
            }
        } else {
            let trial = self.lab.probe_fresh(self.core.minimal)?;
            let tests = self.core.culprits();
            let silent = tests.iter().find_map(|&test| idle(&trial, test).map(|why| (test, why)));
            if let Some((test, why)) = silent.filter(|_| self.failure(&trial).is_none()) {
                let id = &self.lab.suite.test(test).id;
                return Ok(Some(format!("{id} {why}, which was part of what made {} fail", self.file.test)));
            }
            let failure = self.failure(&trial);
            if failure.is_none()
                && let Some(why) = says_nothing_of(&trial, victim)
            {
                return Ok(Some(format!("{test} {why} in the recorded plan")));
            }
            self.verified.minimal.add(failure.is_some());
            self.verified.failed = failure.map(|crash| (Stage::Minimal, crash));
        }
        Ok(None)
    }

    /// Runs the minimal plan, of a brittle test itself alone.
    fn minimal(&mut self, runs: u32) -> Result<Option<FailureLocation>, RunError> {
        let plan = if self.file.kind == Kind::Brittle { self.alone(0) } else { self.core.minimal.clone() };
        let cheap = if matches!(plan.imports, Imports::Only(_))
            && self.file.kind != Kind::Race
            && self.core.culprits().is_empty()
        {
            plan.clone()
        } else {
            self.lab.in_forks(&plan)
        };
        // One was made to see whether all of it is run.
        let made = self.verified.minimal.runs;
        let (first, rest) = (
            VERIFY_FRESH_RUNS.min(runs).saturating_sub(made),
            runs.saturating_sub(VERIFY_FRESH_RUNS.max(made)),
        );
        for (plan, count, fresh) in [(&plan, first, true), (&cheap, rest, false)] {
            let start = self.verified.minimal.runs;
            let plans: Vec<Plan> = (0..count).map(|run| plan.reseeded(start + run)).collect();
            let crash = self.settled(&plans, fresh, Stage::Minimal, runs)?;
            if crash.is_some() {
                return Ok(crash);
            }
        }
        Ok(None)
    }

    /// Runs the original plan as far as the suite can follow it.
    fn original(&mut self, runs: u32) -> Result<Option<FailureLocation>, RunError> {
        let (plan, missing) = match self.file.original.plan_of_present(self.lab.suite) {
            Ok(plan) => plan,
            Err(error) => {
                self.verified.notes.push(format!("the original plan was not run: {error}"));
                return Ok(None);
            }
        };
        if !missing.is_empty() {
            let number = missing.len();
            self.verified
                .notes
                .push(format!("{number} tests of the original plan are gone and were left out of it"));
        }
        let times = if self.verified.claim.recorded.always() { 1 } else { runs };
        self.settled(&vec![plan; times as usize], false, Stage::Original, times)
    }

    /// Runs plans near the minimal one.
    fn neighbourhood(&mut self, runs: u32) -> Result<Option<FailureLocation>, RunError> {
        let numbers = 0..u64::from(runs.max(NEIGHBOURS));
        let plans: Vec<Plan> = numbers.map(|number| self.core.neighbour(self.lab.suite, number)).collect();
        let mut shown = self.stage(&plans, false, Stage::Neighbourhood)?;
        let mut others = 0;
        while !shown.is_empty() {
            let one = shown.remove(0);
            if self.has_another_cause(&one.plan, runs)? {
                others += 1;
                let tally = &mut self.verified.neighbourhood;
                *tally = Tally { runs: tally.runs - 1, failed: tally.failed - 1 };
            } else if let Some(crash) = self.confirmed(one, Stage::Neighbourhood, runs)? {
                return Ok(Some(crash));
            } else if !self.forks_mislead {
                self.mislead();
                self.verified.neighbourhood = Tally::default();
                others = 0;
                shown = self.stage(&plans, true, Stage::Neighbourhood)?;
            }
        }
        let silent = plans.len() - (self.verified.neighbourhood.runs + others) as usize;
        if silent > 0 {
            self.verified.notes.push(format!(
                "{silent} of {} plans near the recorded one tell nothing: in them the test is skipped, not run, or expected to fail",
                plans.len()
            ));
        }
        if others > 0 {
            self.verified.notes.push(format!(
                "in {others} plans near the recorded one the test fails without what was recorded as its cause, so \
                 it has another: jostle stress --victim '{}'",
                self.file.test.node_id
            ));
        }
        Ok(None)
    }

    /// Runs plans and counts them; returns those in which the test failed.
    fn stage(&mut self, plans: &[Plan], fresh: bool, stage: Stage) -> Result<Vec<Shown>, RunError> {
        let fresh = fresh || self.forks_mislead;
        let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job { fresh, ..Job::of(plan) }).collect();
        let trials = self.lab.probes(&jobs)?;
        let mut shown = Vec::new();
        for (trial, plan) in trials.iter().zip(plans) {
            if self.is_silent(trial) {
                continue;
            }
            let failure = self.failure(trial);
            self.verified.tally(stage).add(failure.is_some());
            if let Some(crash) = failure {
                let fresh = fresh || !self.lab.forks(plan);
                shown.push(Shown { crash, fresh, plan: plan.clone() });
            }
        }
        Ok(shown)
    }

    /// As [`Case::stage`]; returns a failure that shows in a fresh process. If what a fork shows does not
    /// show in as many fresh processes as it takes, all of the stage is run anew in such.
    fn settled(
        &mut self,
        plans: &[Plan],
        fresh: bool,
        stage: Stage,
        times: u32,
    ) -> Result<Option<FailureLocation>, RunError> {
        let before = *self.verified.tally(stage);
        let shown = self.stage(plans, fresh, stage)?;
        let Some(first) = shown.into_iter().next() else {
            return Ok(None);
        };
        if let Some(crash) = self.confirmed(first, stage, times)? {
            return Ok(Some(crash));
        }
        self.mislead();
        *self.verified.tally(stage) = before;
        Ok(self.stage(plans, true, stage)?.into_iter().next().map(|shown| shown.crash))
    }

    /// Forks are used no more for this failure.
    fn mislead(&mut self) {
        self.forks_mislead = true;
        self.verified.notes.push(
            "it fails in forks of a process that has imported the whole suite, and in no fresh process: only those count"
                .into(),
        );
    }

    /// The failure, if it shows in a fresh process, which is tried so often.
    fn confirmed(
        &mut self,
        shown: Shown,
        stage: Stage,
        times: u32,
    ) -> Result<Option<FailureLocation>, RunError> {
        if shown.fresh {
            return Ok(Some(shown.crash));
        }
        for _ in 0..times {
            let trial = self.lab.probe_fresh(&shown.plan)?;
            let failure = self.failure(&trial);
            if failure.is_some() {
                self.verified.tally(stage).add(true);
                return Ok(failure);
            }
        }
        Ok(None)
    }

    /// Whether the test fails in a plan even if what made it fail is taken out.
    fn has_another_cause(&mut self, plan: &Plan, runs: u32) -> Result<bool, RunError> {
        if self.file.kind == Kind::Brittle {
            // That it fails alone is what was recorded, and here it passed alone.
            return Ok(true);
        }
        let Some(without) = self.core.without_culprits(plan) else {
            return Ok(false);
        };
        let times = if self.verified.claim.recorded.always() { 1 } else { runs };
        let jobs = vec![Job::of(&without); times as usize];
        let trials = self.lab.probes(&jobs)?;
        Ok(trials.iter().any(|trial| self.failure(trial).is_some()))
    }

    /// The tests after which one passed that is skipped alone; the name of the first that is gone.
    fn passes_after(&self) -> Result<Vec<TestIndex>, TestId> {
        let found = |id: &TestId| self.lab.suite.find(id).ok_or_else(|| id.clone());
        self.file.passes_after.iter().map(found).collect()
    }

    /// The test after these, in one process that imports their files.
    fn after(&self, mut tests: Vec<TestIndex>) -> Plan {
        tests.push(self.core.victim);
        let files = tests.iter().map(|&test| self.lab.suite.test(test).file.clone()).collect();
        Plan { imports: Imports::Only(files), ..serial(&self.alone(0), tests) }
    }

    fn alone(&self, random_seed: u32) -> Plan {
        alone(self.core.minimal, self.lab.suite, self.core.victim, random_seed)
    }

    fn is_silent(&self, trial: &Trial) -> bool {
        let any = FailureMatcher::Failure(self.core.victim);
        observe(trial, &any) == Observation::Unknown || is_expected_to_fail(trial, &any)
    }

    /// How the test failed, in whichever way; a fixture that workers share fails under any test.
    fn failure(&self, trial: &Trial) -> Option<FailureLocation> {
        let crash = &self.file.crash;
        let anywhere = match &self.file.fixture {
            Some(fixture) => Some(FailureMatcher::Fixture(fixture.clone(), crash.clone())),
            None if self.file.kind == Kind::Race && crash.is_of_a_fixture() => {
                Some(FailureMatcher::Location(crash.clone()))
            }
            None => None,
        };
        if let Some(wanted) = anywhere {
            return (observe(trial, &wanted) == Observation::Same).then(|| crash.clone());
        }
        let run = last(trial, self.core.victim)?;
        Signature::of(run.test, &run.outcome).map(|signature| signature.crash)
    }
}

/// Why a run says nothing of the test that was recorded: it was skipped, or not run, or its failure is expected now.
fn says_nothing_of(trial: &Trial, victim: TestIndex) -> Option<String> {
    match &last(trial, victim)?.outcome {
        Outcome::Xfailed => Some("is expected to fail now (xfail), so that its failures do not show".into()),
        _ => idle(trial, victim),
    }
}

/// Why a run of a test says nothing: it was skipped, or not run.
fn idle(trial: &Trial, test: TestIndex) -> Option<String> {
    match &last(trial, test)?.outcome {
        Outcome::Skipped => Some("is skipped now".into()),
        Outcome::NotRun { why } => Some(format!("was not run: {why}")),
        _ => None,
    }
}
