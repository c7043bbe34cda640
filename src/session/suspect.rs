//! A failure that was seen and is looked into, and what is made of it.

use crate::finding::same_polluter::Polluter;
use crate::finding::{Finding, Kind, Minimal, Origin};
use crate::judge::observation::{FailureMatcher, Fate};
use crate::judge::site::Site;
use crate::judge::verdict::Verdict;
use crate::judge::{Evidence, Signature};
use crate::plan::{Imports, Plan, WorkerId};
use crate::shrink::Shrunk;
use crate::suite::{Fixture, Suite, TestIndex};
use crate::trial::{Execution, Failure, Outcome, Trial};

/// A failure that was seen in a trial and not yet explained.
#[derive(Clone, Debug)]
pub struct Suspect {
    /// Which test failed, and how. Where the teardown of a fixture failed that tests share, the one for which
    /// that was set up.
    pub(crate) signature: Signature,
    /// The test that pytest charged.
    pub(crate) charged: TestIndex,
    /// Where the failure shows and what it says, which tells several failures of one function apart. Nothing if
    /// that changes from run to run of one plan.
    pub site: Option<Site>,
    /// Whether the test had passed before in the same process, so that it may have polluted itself.
    pub again: bool,
    /// What pytest said of it; absent if the worker was lost.
    pub failure: Option<Failure>,
    /// Where it was seen.
    pub origin: Origin,
    /// The plan of that trial.
    pub plan: Plan,
    /// The worker it ran on.
    pub worker: WorkerId,
}

impl Suspect {
    /// What it is recognised by.
    pub fn wanted(&self) -> FailureMatcher {
        FailureMatcher::of(&self.signature, self.failure.as_ref())
    }

    /// The tests before it in its worker's list.
    pub(crate) fn before(&self) -> &[TestIndex] {
        let list = self.plan.workers.get(self.worker.0 as usize).map(Vec::as_slice).unwrap_or_default();
        let at = list.iter().rposition(|&test| test == self.signature.test).unwrap_or_default();
        &list[..at]
    }

    /// Whether a polluter had its effect before the test ran: it ran before it on its worker, or is a file that was imported
    /// besides the test's own.
    pub(crate) fn follows(&self, polluter: &Polluter) -> bool {
        match (polluter, &self.plan.imports) {
            (Polluter::Test(test), _) => self.before().contains(test),
            (Polluter::Import(_), Imports::All) => true,
            (Polluter::Import(file), Imports::Only(files)) => files.contains(file),
        }
    }

    /// The fixture that failed in its teardown, if tests share it.
    pub(crate) fn fixture_torn_down(&self) -> Option<&Fixture> {
        self.failure.as_ref().and_then(Failure::shared_teardown)
    }

    /// The fixture that failed, if one did.
    pub fn fixture(&self) -> Option<&Fixture> {
        self.failure.as_ref().and_then(|failure| failure.fixture.as_ref())
    }
}

/// The failures of a trial, a test that ran twice being judged by its last run.
pub fn suspects(origin: Origin, plan: &Plan, trial: &Trial) -> Vec<Suspect> {
    let last =
        |at: usize| !trial.executions[at + 1..].iter().any(|later| later.test == trial.executions[at].test);
    let failed = trial.executions.iter().enumerate().filter(|(_, run)| run.outcome.is_failure());
    let runs = failed.filter(|&(at, _)| plan.mode == crate::plan::Mode::Each || last(at)).map(|(_, run)| run);
    runs.filter_map(|run| {
        let failure = match &run.outcome {
            Outcome::Failed(failure) => Some(failure.clone()),
            _ => None,
        };
        let mut signature = Signature::of(run.test, &run.outcome)?;
        let shared = failure.as_ref().filter(|failure| failure.shared_teardown().is_some());
        signature.test = shared.and_then(|failure| failure.user).unwrap_or(run.test);
        let site = Some(Site::of(&run.outcome));
        let again = trial.executions.iter().any(|earlier| passed_before(earlier, run));
        Some(Suspect {
            signature,
            site,
            again,
            charged: run.test,
            failure,
            origin,
            plan: plan.clone(),
            worker: run.worker,
        })
    })
    .collect()
}

/// Whether an execution is a pass of the test of another one in the same process, which that is not.
pub(crate) fn passed_before(one: &Execution, failed: &Execution) -> bool {
    let process = |run: &Execution| (run.test, run.worker, run.process);
    process(one) == process(failed) && Fate::of(&one.outcome) == Fate::Passed
}

impl Finding {
    /// The same, told by another failure of its test, if there is one.
    pub(crate) fn showing(self, shown: Option<&Suspect>) -> Self {
        let Some(Suspect { signature, failure, .. }) = shown else {
            return self;
        };
        Self { signature: Some(signature.clone()), failure: failure.clone(), ..self }
    }
}

pub(crate) fn finding_of(suspect: &Suspect, verdict: Verdict, evidence: &Evidence) -> Finding {
    let kind = match verdict {
        Verdict::Victim => Kind::Victim,
        Verdict::Race => Kind::Race,
        Verdict::Brittle => Kind::Brittle,
        Verdict::HashSeed => Kind::HashSeed,
        Verdict::Nod => Kind::Nod,
        Verdict::Broken => Kind::Broken,
        Verdict::Unreproduced => Kind::Unreproduced,
    };
    let with = match verdict {
        Verdict::Brittle => evidence.passed_again,
        _ => evidence.again,
    };
    Finding {
        signature: Some(suspect.signature.clone()),
        failure: suspect.failure.clone(),
        plan: Some(suspect.plan.clone()),
        with,
        without: evidence.alone,
        ..Finding::new(kind, Some(suspect.signature.test), suspect.origin)
    }
}

/// The other tests of a shrunk plan, and the files that are imported for nothing but their import.
pub(crate) fn minimal(suite: &Suite, shrunk: &Shrunk, victim: TestIndex) -> Minimal {
    let tests: Vec<TestIndex> = shrunk.plan.workers.iter().flatten().copied().collect();
    let mut culprits = tests.clone();
    if let Some(at) = culprits.iter().rposition(|&test| test == victim) {
        culprits.remove(at);
    }
    let of_tests: Vec<&str> = tests.iter().map(|&test| suite.test(test).file.as_str()).collect();
    let imports = match &shrunk.plan.imports {
        Imports::Only(files) => {
            files.iter().filter(|file| !of_tests.contains(&file.as_str())).cloned().collect()
        }
        Imports::All => Vec::new(),
    };
    let plan = shrunk.plan.clone();
    Minimal { plan, culprits, imports, one_minimal: shrunk.one_minimal, calls: shrunk.calls }
}
