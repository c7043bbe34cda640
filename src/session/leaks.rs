//! What tests leave changed. One run of the suite tells it of each test, import and shared fixture. Each place is then seen a
//! second time, and the line that changes it, where its first test runs alone; another run of the suite tells which tests
//! name these places; and those are tried after whoever leaves them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::leaks::{Leak, Owner, grouped, sort};
use crate::limits::{LEAK_LINES, LEAK_READERS, LEAK_TRIED};
use crate::plan::{OrderKind, Plan, Seed};
use crate::run::{Engine, Job, RunError};
use crate::session::stress::baseline;
use crate::state::{Changed, Instructions, StateKind};
use crate::suite::{Suite, TestIndex};
use crate::trial::{Outcome, Trial};

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaksFound {
    /// The places, those that hurt most first.
    pub(crate) leaks: Vec<Leak>,
    /// Tests that did not come to their end in the run that tells, of which nothing is known: they crashed, hung or were not
    /// run.
    pub(crate) unseen: Vec<TestIndex>,
    /// How many runs were made.
    pub(crate) runs: usize,
}

/// Finds what the tests of a suite leave changed.
///
/// # Errors
/// Those of the engine.
pub(crate) fn find(suite: &Suite, engine: &mut dyn Engine, hash_seed: u32) -> Result<LeaksFound, RunError> {
    let plan = baseline::suite_order(suite, Seed(0), hash_seed);
    let mut search = Search { suite, engine, plan, found: LeaksFound::default() };
    search.run()?;
    search.lines()?;
    if search.found.leaks.iter().any(|leak| !leak.settled) {
        search.readers()?;
        search.victims()?;
    }
    sort(&mut search.found.leaks);
    Ok(search.found)
}

struct Search<'a> {
    suite: &'a Suite,
    engine: &'a mut dyn Engine,
    plan: Plan,
    found: LeaksFound,
}

impl Search<'_> {
    fn list(&self) -> &[TestIndex] {
        &self.plan.workers[0]
    }

    fn of(&self, list: &[TestIndex]) -> Plan {
        Plan { order: OrderKind::Explicit, workers: vec![list.to_vec()], ..self.plan.clone() }
    }

    fn all(&mut self, asked: &[(Plan, Instructions)]) -> Result<Vec<(Trial, Changed)>, RunError> {
        let job = |(plan, instructions)| Job { instructions: Some(instructions), ..Job::of(plan) };
        let jobs: Vec<Job<'_>> = asked.iter().map(|(plan, instructions)| job((plan, instructions))).collect();
        let mut seen = Vec::new();
        self.engine.run_all(self.suite, &jobs, &mut |_, mut trial| {
            let changed = trial.changed.take().unwrap_or_default();
            seen.push((trial, changed));
            ControlFlow::Continue(())
        })?;
        self.found.runs += seen.len();
        Ok(seen)
    }

    /// The run that tells what each test leaves. It is made in a process of its own, as it collects the suite as well.
    fn run(&mut self) -> Result<(), RunError> {
        let instructions = Instructions { left: true, ..Instructions::default() };
        let job = Job { fresh: true, instructions: Some(&instructions), ..Job::of(&self.plan) };
        let mut trial = self.engine.run(self.suite, job)?;
        self.found.runs += 1;
        let changed = trial.changed.take().unwrap_or_default();
        self.found.leaks = grouped(&changed.left, self.list());
        let unseen = trial.executions.iter().filter(|run| {
            matches!(run.outcome, Outcome::Timeout { .. } | Outcome::Crashed { .. } | Outcome::NotRun { .. })
        });
        self.found.unseen = unseen.map(|run| run.test).collect();
        Ok(())
    }

    /// The leaks that tests leave, each with the first of them: of these a line is looked for.
    fn asked_lines(&self) -> Vec<(usize, TestIndex)> {
        let unsettled = self.found.leaks.iter().enumerate().filter(|(_, leak)| !leak.settled);
        let first = unsettled.filter_map(|(at, leak)| Some((at, leak.test()?)));
        first.take(LEAK_LINES).collect()
    }

    /// Leaves of those who leave a generator of random numbers in another state only who seeds it: run twice, such a test
    /// leaves it in one state, and who does no more than draw in another each time.
    fn seeds(&mut self) -> Result<(), RunError> {
        let random = self.found.leaks.iter().enumerate();
        let random = random.filter(|(_, leak)| !leak.settled && leak.kind == StateKind::Random);
        let asked: Vec<(usize, TestIndex)> = random
            .flat_map(|(at, leak)| {
                leak.owners.iter().filter_map(move |owner| match owner {
                    Owner::Test(test) => Some((at, *test)),
                    _ => None,
                })
            })
            .take(LEAK_LINES)
            .collect();
        let twice = |&(_, test): &(usize, TestIndex)| {
            (self.of(&[test, test]), Instructions { left: true, ..Instructions::default() })
        };
        let runs: Vec<_> = asked.iter().map(twice).collect();
        let seen = self.all(&runs)?;
        let mut seeding: BTreeSet<(usize, TestIndex)> = BTreeSet::new();
        for (&(at, test), (_, changed)) in asked.iter().zip(seen) {
            let leaves = |position| {
                let mut of_run = changed.left.iter().filter(|left| left.position == Some(position));
                of_run.any(|left| left.places.iter().any(|place| place.name == self.found.leaks[at].watched))
            };
            if leaves(0) && !leaves(1) {
                seeding.insert((at, test));
            }
        }
        for (at, leak) in self.found.leaks.iter_mut().enumerate() {
            if leak.settled || leak.kind != StateKind::Random {
                continue;
            }
            let mut kept = leak.owners.clone();
            kept.retain(|owner| !matches!(owner, Owner::Test(test) if !seeding.contains(&(at, *test))));
            if kept.is_empty() {
                leak.settled = true;
            } else {
                leak.owners = kept;
            }
        }
        Ok(())
    }

    /// Looks for the line of each, by running its first test twice in one process. What that does not change alone is
    /// settled by what ran before it.
    fn lines(&mut self) -> Result<(), RunError> {
        self.seeds()?;
        let places = self.asked_lines();
        let asked: Vec<(Plan, Instructions)> = places
            .iter()
            .map(|&(at, test)| {
                let watch = Some(self.found.leaks[at].watched.clone());
                (self.of(&[test, test]), Instructions { watch, ..Instructions::default() })
            })
            .collect();
        let seen = self.all(&asked)?;
        for (&(at, _), (trial, changed)) in places.iter().zip(seen) {
            let leak = &mut self.found.leaks[at];
            leak.written = changed.written;
            let ran = trial.executions.iter().all(|run| !matches!(run.outcome, Outcome::NotRun { .. }));
            let is_numbered = matches!(leak.kind, StateKind::Descriptor | StateKind::Thread);
            let seen_again = changed.places.iter().any(|place| place.name == leak.watched);
            let is_known = ran && !is_numbered && !changed.places.is_empty() && !changed.cut_off;
            leak.settled |= is_known && !seen_again;
        }
        Ok(())
    }

    /// Asks which tests name the places.
    fn readers(&mut self) -> Result<(), RunError> {
        let asked: Vec<usize> =
            (0..self.found.leaks.len()).filter(|&at| !self.found.leaks[at].settled).collect();
        let names = asked.iter().map(|&at| self.found.leaks[at].watched.clone()).collect();
        let instructions = Instructions { readers: names, ..Instructions::default() };
        let list = self.list().to_vec();
        let seen = self.all(&[(self.of(&list), instructions)])?;
        for reading in seen.iter().flat_map(|(_, changed)| &changed.readings) {
            let Some(&test) = list.get(reading.position as usize) else { continue };
            for place in &reading.places {
                let Some(&at) = asked.get(*place as usize) else { continue };
                let leak = &mut self.found.leaks[at];
                if !leak.owners.contains(&Owner::Test(test)) && !leak.readers.contains(&test) {
                    leak.readers.push(test);
                }
            }
        }
        Ok(())
    }

    /// The leaks, each with the first test that leaves it and one that names it.
    fn tried(&self) -> Vec<(usize, TestIndex, TestIndex)> {
        let of_leak = |(at, leak): (usize, &Leak)| {
            let test = leak.test().filter(|_| !leak.settled);
            let admitted = |(owner, reader): &(TestIndex, TestIndex)| self.suite.admits(&[*owner, *reader]);
            let pairs = leak.readers.iter().filter_map(move |&reader| Some((test?, reader)));
            pairs
                .filter(admitted)
                .take(LEAK_READERS)
                .map(|(owner, reader)| (at, owner, reader))
                .collect::<Vec<_>>()
        };
        self.found.leaks.iter().enumerate().flat_map(of_leak).take(LEAK_TRIED).collect()
    }

    /// Tries the tests that name a place: a victim fails after the test that leaves it, and neither alone nor with the
    /// place put back.
    fn victims(&mut self) -> Result<(), RunError> {
        let tried = self.tried();
        let plans: Vec<Plan> = tried.iter().map(|&(_, owner, reader)| self.of(&[owner, reader])).collect();
        let jobs: Vec<Job<'_>> = plans.iter().map(Job::of).collect();
        let mut failed = BTreeSet::new();
        self.engine.run_all(self.suite, &jobs, &mut |at, trial| {
            if last_failed(&trial) {
                failed.insert(at);
            }
            ControlFlow::Continue(())
        })?;
        self.found.runs += tried.len();
        let failed: Vec<_> = failed.into_iter().filter_map(|at| tried.get(at).copied()).collect();
        let asked: Vec<(Plan, Instructions)> = failed
            .iter()
            .flat_map(|&(at, owner, reader)| {
                let restore = vec![self.found.leaks[at].watched.clone()];
                let alone = (self.of(&[reader]), Instructions::default());
                [alone, (self.of(&[owner, reader]), Instructions { restore, ..Instructions::default() })]
            })
            .collect();
        let seen = self.all(&asked)?;
        for ((at, _, reader), runs) in failed.into_iter().zip(seen.chunks(2)) {
            if runs.len() == 2
                && runs.iter().all(|(trial, changed)| last_passed(trial) && changed.failed.is_empty())
            {
                self.found.leaks[at].victims.push(reader);
            }
        }
        Ok(())
    }
}

fn last_failed(trial: &Trial) -> bool {
    trial.executions.last().is_some_and(|run| run.outcome.is_failure())
}

fn last_passed(trial: &Trial) -> bool {
    trial.executions.last().is_some_and(|run| run.outcome == Outcome::Passed)
}
