//! Shrinking: from a failing plan to the smallest one that still fails in the same way.
//!
//! Pure: the shrinker sees the world through an [`Oracle`] alone. What "fails in the same way" means
//! is the caller's business; for a brittle test the caller asks whether it passes, and the same
//! shrinker finds the state-setter.
//!
//! Simpler means, in this order: fewer workers, serial before concurrent, fewer tests, fewer imported
//! files, suite order before another, fewer barriers. proptest's contract for shrinking (simplify,
//! keep what still fails) is kept; `strategy` makes the same passes a proptest `ValueTree`, with the feature `proptest`.

pub(crate) mod cached_oracle;
pub(crate) mod space;
pub(crate) mod search;
pub(crate) mod suspects;
pub(crate) mod noise;
pub(crate) mod passes;
#[cfg(any(test, feature = "proptest"))]
pub mod strategy;
pub mod speculation;
mod tests;

use crate::plan::{Plan, WorkerId};
use crate::suite::{Suite, TestIndex};

use cached_oracle::CachedOracle;

/// What a run of a candidate showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What is looked for.
    Reproduces,
    /// The opposite.
    Passes,
    /// Something else: another failure, or the test was not run.
    Unresolved,
}

/// The oracle cannot answer any more: interrupted, or out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Runs candidates.
pub trait Oracle {
    /// Tells what a candidate shows.
    ///
    /// # Errors
    /// There will be no more answers.
    fn verdict(&mut self, candidate: &Plan) -> Result<Verdict, Stopped>;
}

/// What must stay in every candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The test that fails; its last run in the worker's list is the one that counts.
    pub victim: TestIndex,
    /// The worker it failed on.
    pub worker: WorkerId,
}

/// A failing plan to be shrunk. It is known to reproduce, and the victim alone is known not to.
#[derive(Clone, Debug)]
pub struct Problem<'a> {
    plan: Plan,
    target: Target,
    suite: &'a Suite,
    seen: Vec<(Vec<TestIndex>, bool)>,
    rate: f64,
    keeps_imports: bool,
    assumes_own_imports: bool,
    most_calls: u32,
}

impl<'a> Problem<'a> {
    /// A problem. `seen` holds, for recorded runs of the victim, which tests ran before it in its
    /// process and whether what is looked for showed; `rate`, from 0 to 1, how often the plan shows it.
    pub fn new(
        plan: Plan,
        target: Target,
        suite: &'a Suite,
        seen: Vec<(Vec<TestIndex>, bool)>,
        rate: f64,
    ) -> Self {
        Self {
            plan,
            target,
            suite,
            seen,
            rate: if rate > 0.0 { rate.min(1.0) } else { 1.0 },
            keeps_imports: false,
            assumes_own_imports: false,
            most_calls: u32::MAX,
        }
    }

    /// The same problem, given up after so many runs of candidates.
    #[must_use]
    pub fn within(self, most_calls: u32) -> Self {
        Self { most_calls, ..self }
    }

    /// The same problem, where a candidate costs least if it imports what the plan does: the imports
    /// are then shrunk after the tests, and the victim alone is not known to pass.
    #[must_use]
    pub fn keeping_imports(self, keeps_imports: bool) -> Self {
        Self { keeps_imports, ..self }
    }
}

impl Problem<'_> {
    /// The same problem, where the files of the tests that are left are taken to be the only ones that must be imported:
    /// that is not asked, and the caller has to see it confirmed.
    #[must_use]
    pub(crate) fn assuming_own_imports(self) -> Self {
        Self { assumes_own_imports: true, ..self }
    }
}

/// What is left of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Shrunk {
    /// The smallest plan that was seen to reproduce, but for the imports of a problem that assumes them.
    pub plan: Plan,
    /// Whether each single removal of a test was tried and did not reproduce.
    pub one_minimal: bool,
    /// Whether the shrinker came to its end, and was not stopped.
    pub complete: bool,
    /// Whether the search for tests was stopped because no more candidates were to be run.
    pub exhausted: bool,
    /// If that search did not come to its end: the tests that are likeliest to be the culprit if there is but one, the
    /// likeliest first, each with its odds from 0 to 1.
    pub odds: Vec<(TestIndex, f64)>,
    /// How many candidates were run.
    pub calls: u32,
    /// How many tests were run, over all candidates.
    pub tests_run: u64,
}

/// Shrinks a failing plan.
pub fn shrink(problem: &Problem<'_>, oracle: &mut dyn Oracle) -> Shrunk {
    let mut oracle = CachedOracle::new(problem, oracle);
    let ended = passes::all(problem, &mut oracle);
    oracle.into_result(ended)
}
