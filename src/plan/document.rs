//! A plan written down: the canonical JSON form, in which tests are named and not numbered, so that
//! it can be read back for a suite that has changed since.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::formats::PLAN_VERSION;
use crate::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
use crate::suite::{Fingerprint, Suite, TestId};

/// More workers than any machine starts; the most that `--workers` takes.
pub(crate) const MOST_WORKERS: u32 = 256;

/// A plan and the suite it was made for. Fields stand in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDocument {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// The session's seed.
    pub seed: Seed,
    /// The trial.
    pub index: TrialIndex,
    /// The suite the plan was made for.
    pub fingerprint: Fingerprint,
    /// How the order was made.
    pub order: OrderKind,
    /// Whose partition the lists follow.
    pub mode: Mode,
    /// `PYTHONHASHSEED`.
    pub hash_seed: u32,
    /// What `random` is seeded with.
    pub random_seed: u32,
    /// Which modules are imported.
    pub imports: Imports,
    /// What lets the workers run when.
    pub interleaving: Interleaving,
    /// What each worker runs.
    pub workers: Vec<Vec<TestId>>,
}

/// A written plan that a suite cannot follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Made by another version of jostle.
    #[error(
        "the plan has version {0}, and this jostle reads version {PLAN_VERSION}: use the jostle that wrote it"
    )]
    Version(u32),
    /// Tests that are no longer collected.
    #[error("{} of the plan's tests {} not collected now: {}", .0.len(), if .0.len() == 1 { "is" } else { "are" }, first_few(.0))]
    Missing(Vec<TestId>),
    /// Not as many workers as a plan can have.
    #[error(
        "the plan has {0} workers that run tests, and a plan has from 1 to {MOST_WORKERS}: it was changed by hand"
    )]
    Workers(usize),
    /// A worker that waits for itself.
    #[error("the plan lets worker {0} wait for itself: it was changed by hand")]
    Alone(u32),
    /// A barrier outside the workers' lists.
    #[error(
        "the plan lets worker {0} wait before test {1} of its list, which has no such test: the plan was changed by hand"
    )]
    Barrier(u32, u32),
    /// A schedule of workers that there are not.
    #[error("the plan's schedule names worker {0}, which it has not: the plan was changed by hand")]
    Schedule(WorkerId),
}

fn first_few(tests: &[TestId]) -> String {
    let mut text = tests.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if tests.len() > 3 {
        text.push_str(", …");
    }
    text
}

impl PlanDocument {
    /// Writes a plan of a suite down.
    pub fn new(plan: &Plan, suite: &Suite) -> Self {
        let named = |list: &Vec<_>| list.iter().map(|&test| suite.test(test).id.clone()).collect();
        Self {
            version: PLAN_VERSION,
            seed: plan.seed,
            index: plan.index,
            fingerprint: suite.fingerprint.clone(),
            order: plan.order,
            mode: plan.mode,
            hash_seed: plan.hash_seed,
            random_seed: plan.random_seed,
            imports: plan.imports.clone(),
            interleaving: plan.interleaving.clone(),
            workers: plan.workers.iter().map(named).collect(),
        }
    }

    /// The plan, for a suite as it is now.
    ///
    /// # Errors
    /// The version is unknown, or tests of the plan are not in the suite.
    pub fn plan(&self, suite: &Suite) -> Result<Plan, DocumentError> {
        self.check()?;
        let missing: BTreeSet<&TestId> =
            self.workers.iter().flatten().filter(|id| suite.find(id).is_none()).collect();
        if !missing.is_empty() {
            return Err(DocumentError::Missing(missing.into_iter().cloned().collect()));
        }
        let found = |list: &Vec<TestId>| list.iter().filter_map(|id| suite.find(id)).collect();
        Ok(Plan {
            seed: self.seed,
            index: self.index,
            order: self.order,
            mode: self.mode,
            workers: self.workers.iter().map(found).collect(),
            interleaving: self.interleaving.clone(),
            hash_seed: self.hash_seed,
            random_seed: self.random_seed,
            imports: self.imports.clone(),
        })
    }

    /// The plan as far as a suite can follow it: tests that are not in the suite are left out, and are
    /// returned. What is left is not bound to barriers then, as their places mean other tests.
    ///
    /// # Errors
    /// The version is unknown, or the plan was changed by hand.
    pub(crate) fn plan_of_present(&self, suite: &Suite) -> Result<(Plan, Vec<TestId>), DocumentError> {
        let missing = match self.plan(suite) {
            Ok(plan) => return Ok((plan, Vec::new())),
            Err(DocumentError::Missing(missing)) => missing,
            Err(error) => return Err(error),
        };
        let left = |list: &Vec<TestId>| list.iter().filter(|id| suite.find(id).is_some()).cloned().collect();
        let workers = self.workers.iter().map(left).collect();
        let document = Self { workers, interleaving: Interleaving::Free, ..self.clone() };
        document.plan(suite).map(|plan| (plan, missing))
    }

    /// Whether it is a plan that some suite could follow.
    ///
    /// # Errors
    /// The version is unknown, there are no workers or too many, or a barrier cannot take place.
    pub fn check(&self) -> Result<(), DocumentError> {
        if self.version != PLAN_VERSION {
            return Err(DocumentError::Version(self.version));
        }
        let running = self.workers.iter().filter(|list| !list.is_empty()).count();
        if running == 0 || self.workers.len() > MOST_WORKERS as usize {
            return Err(DocumentError::Workers(running.max(self.workers.len())));
        }
        let barriers = match &self.interleaving {
            Interleaving::Free => return Ok(()),
            Interleaving::Controlled(schedule) => {
                let stranger = schedule.stranger(self.workers.len());
                return stranger.map_or(Ok(()), |worker| Err(DocumentError::Schedule(worker)));
            }
            Interleaving::Barriers(barriers) => barriers,
        };
        if let Some(alone) = barriers.iter().find(|barrier| barrier.first.0 == barrier.second.0) {
            return Err(DocumentError::Alone(alone.first.0.0));
        }
        let places = barriers.iter().flat_map(|barrier| [barrier.first, barrier.second]);
        let stands = |worker: WorkerId, place: u32| {
            self.workers.get(worker.0 as usize).is_some_and(|list| (place as usize) < list.len())
        };
        match places.into_iter().find(|&(worker, place)| !stands(worker, place)) {
            Some((worker, place)) => Err(DocumentError::Barrier(worker.0, place)),
            None => Ok(()),
        }
    }

    /// The canonical JSON text, ending in a newline: the same bytes for the same plan everywhere.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
