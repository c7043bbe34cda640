//! What tests leave changed. One run of the suite tells it of each test, import and shared fixture. Each place is then seen a
//! second time, and the line that changes it, where who leaves it does so by itself; another run of the suite tells which tests
//! name these places; and those are tried after whoever leaves them.

mod fixes;
mod lines;
mod victims;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::leaks::alike::unnumbered;
use crate::leaks::{Leak, Owner, grouped, sort};
use crate::plan::{OrderKind, Plan, Seed, order};
use crate::run::{Engine, Job, RunError};
use crate::session::stress::baseline;
use crate::state::{Changed, Instructions};
use crate::suite::{Suite, TestIndex};
use crate::trial::{Outcome, Trial};

pub(crate) use fixes::fix;

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaksFound {
    /// The places, those that hurt most first.
    pub(crate) leaks: Vec<Leak>,
    /// Tests that did not come to their end in the run that tells, of which nothing is known: they crashed, hung or were not
    /// run.
    pub(crate) unseen: Vec<TestIndex>,
    /// Tests that failed or were skipped in that run: they may leave more when passing.
    pub(crate) not_passed: Vec<TestIndex>,
    /// How many runs were made.
    pub(crate) runs: usize,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// All tests run once, and it is told what each leaves.
    Look,
    /// Tests run twice, and it is told what each changes in its second run.
    UseAgain,
    /// Those who leave a place do so again.
    Confirm,
    /// All tests run once more, and it is told which name the places.
    Read,
    /// Tests run after those that leave what they name.
    Try,
    /// Fixes are tried.
    Fix,
}

/// What is done, and how many of the runs that it takes are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// What.
    pub(crate) work: Work,
    /// Over.
    pub(crate) ended: usize,
    /// Of so many.
    pub(crate) of: usize,
}

/// Finds what the tests of a suite leave changed. Each step is told of.
///
/// # Errors
/// Those of the engine.
pub(crate) fn find(
    suite: &Suite,
    engine: &mut dyn Engine,
    hash_seed: u32,
    tell: &mut dyn FnMut(Step),
) -> Result<LeaksFound, RunError> {
    let plan = baseline::suite_order(suite, Seed(0), hash_seed);
    let mut search = Search {
        suite,
        engine,
        plan,
        tell,
        found: LeaksFound::default(),
        passed: BTreeSet::new(),
        suspected: Vec::new(),
    };
    search.run()?;
    search.use_again()?;
    search.confirm()?;
    if search.found.leaks.iter().any(|leak| !leak.settled) {
        search.readers()?;
        search.victims()?;
    }
    sort(&mut search.found.leaks);
    Ok(search.found)
}

/// A run, with what the harness is to do in it.
struct Asked {
    plan: Plan,
    instructions: Option<Instructions>,
    fresh: bool,
    /// With how many of its tests others begin as well.
    shared: Option<u32>,
}

impl Asked {
    fn job(&self) -> Job<'_> {
        let instructions = self.instructions.as_ref();
        Job { fresh: self.fresh, shared: self.shared, instructions, ..Job::of(&self.plan) }
    }
}

struct Search<'a> {
    suite: &'a Suite,
    engine: &'a mut dyn Engine,
    plan: Plan,
    tell: &'a mut dyn FnMut(Step),
    found: LeaksFound,
    /// The tests that pass where what others leave is put back.
    passed: BTreeSet<TestIndex>,
    /// Of these those that fail in the reverse of suite order, where nothing is, each with the tests before it.
    suspected: Vec<(TestIndex, BTreeSet<TestIndex>)>,
}

impl Search<'_> {
    fn list(&self) -> &[TestIndex] {
        &self.plan.workers[0]
    }

    /// A run of these tests, in a fork where that may be.
    fn plain(&self, list: &[TestIndex]) -> Asked {
        let plan = Plan { order: OrderKind::Explicit, workers: vec![list.to_vec()], ..self.plan.clone() };
        Asked { plan, instructions: None, fresh: false, shared: None }
    }

    fn all(&mut self, work: Work, asked: &[Asked]) -> Result<Vec<(Trial, Changed)>, RunError> {
        let jobs: Vec<Job<'_>> = asked.iter().map(Asked::job).collect();
        let mut seen = Vec::new();
        (self.tell)(Step { work, ended: 0, of: jobs.len() });
        self.engine.run_all(self.suite, &jobs, &mut |_, mut trial| {
            let changed = trial.changed.take().unwrap_or_default();
            seen.push((trial, changed));
            (self.tell)(Step { work, ended: seen.len(), of: jobs.len() });
            ControlFlow::Continue(())
        })?;
        self.found.runs += seen.len();
        Ok(seen)
    }

    /// The run that tells what each test leaves. It is made in a process of its own, as it collects the suite as well.
    fn run(&mut self) -> Result<(), RunError> {
        let instructions = Some(Instructions { left: true, ..Instructions::default() });
        let asked = Asked { fresh: true, instructions, ..self.plain(self.list()) };
        let Some((trial, changed)) = self.all(Work::Look, &[asked])?.pop() else { return Ok(()) };
        self.found.leaks = grouped(&changed.left, self.list());
        let passed = trial.executions.iter().filter(|run| run.outcome == Outcome::Passed);
        self.passed = passed.map(|run| run.test).collect();
        let unseen = trial.executions.iter().filter(|run| {
            matches!(run.outcome, Outcome::Timeout { .. } | Outcome::Crashed { .. } | Outcome::NotRun { .. })
        });
        self.found.unseen = unseen.map(|run| run.test).collect();
        let not_passed = trial
            .executions
            .iter()
            .filter(|run| matches!(run.outcome, Outcome::Failed(_) | Outcome::Skipped));
        self.found.not_passed = not_passed.map(|run| run.test).collect();
        Ok(())
    }

    /// Has all tests run twice of which some code may have changed a place for itself as they were the first to use it, and looks
    /// in their second turn. A place that a test does not change again, and passes both times, is settled as far as that test goes.
    fn use_again(&mut self) -> Result<(), RunError> {
        let open: Vec<usize> = (0..self.found.leaks.len())
            .filter(|&at| self.found.leaks[at].first_use && !self.found.leaks[at].settled)
            .collect();
        let tests: BTreeSet<TestIndex> = open.iter().flat_map(|&at| self.found.leaks[at].tests()).collect();
        let first: Vec<TestIndex> = self.list().iter().copied().filter(|test| tests.contains(test)).collect();
        if first.is_empty() {
            return Ok(());
        }
        let from = first.len() as u32;
        let instructions = Some(Instructions { left: true, from, ..Instructions::default() });
        let list = [first.as_slice(), first.as_slice()].concat();
        let asked = Asked { instructions, ..self.plain(&list) };
        let Some((trial, changed)) = self.all(Work::UseAgain, &[asked])?.pop() else { return Ok(()) };
        let runs = trial.executions.iter();
        let other: BTreeSet<TestIndex> =
            runs.filter(|run| run.outcome != Outcome::Passed).map(|run| run.test).collect();
        let again: BTreeSet<(String, TestIndex)> = changed
            .left
            .iter()
            .filter_map(|left| Some((left, *list.get(left.position? as usize)?)))
            .flat_map(|(left, test)| left.places.iter().map(move |place| (unnumbered(&place.name), test)))
            .collect();
        for at in open {
            let leak = &mut self.found.leaks[at];
            let (settled, owners): (Vec<Owner>, Vec<Owner>) =
                leak.owners.drain(..).partition(|owner| match owner {
                    Owner::Test(test) => {
                        !other.contains(test) && !again.contains(&(unnumbered(&leak.place), *test))
                    }
                    _ => false,
                });
            leak.owners = owners;
            if leak.owners.is_empty() {
                (leak.settled, leak.owners) = (true, settled);
            } else if !settled.is_empty() {
                let leak = Leak { settled: true, owners: settled, ..leak.clone() };
                self.found.leaks.push(leak);
            }
        }
        Ok(())
    }

    /// Asks which tests name the places. The tests run in the reverse of suite order: what fails for what it finds in their own is
    /// seen to whenever they run.
    fn readers(&mut self) -> Result<(), RunError> {
        let asked: Vec<usize> =
            (0..self.found.leaks.len()).filter(|&at| !self.found.leaks[at].settled).collect();
        let names = asked.iter().map(|&at| self.found.leaks[at].place.clone()).collect();
        let instructions = Some(Instructions { readers: names, ..Instructions::default() });
        let list = order::reversed(self.suite, self.list(), false);
        let seen = self.all(Work::Read, &[Asked { instructions, ..self.plain(&list) }])?;
        for (trial, _) in &seen {
            let failed = trial
                .executions
                .iter()
                .enumerate()
                .filter(|(_, run)| run.outcome.is_failure() && self.passed.contains(&run.test));
            let before = |at: usize| trial.executions[..at].iter().map(|run| run.test).collect();
            self.suspected.extend(failed.map(|(at, run)| (run.test, before(at))));
        }
        for reading in seen.iter().flat_map(|(_, changed)| &changed.readings) {
            let Some(&test) = list.get(reading.position as usize) else { continue };
            for place in &reading.places {
                let Some(&at) = asked.get(*place as usize) else { continue };
                let leak = &mut self.found.leaks[at];
                if !leak.owners.contains(&Owner::Test(test)) && leak.readers.last() != Some(&test) {
                    leak.readers.push(test);
                }
            }
        }
        Ok(())
    }
}
