//! What the session's trials have shown so far, kept small: one byte a test and its index.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::observation::Fate;
use crate::plan::{Imports, Plan};
use crate::suite::TestIndex;
use crate::trial::Trial;

/// One trial, as lists of the tests that shared a process.
#[derive(Clone, Debug)]
pub struct Record {
    /// The plan that was run.
    pub plan: Plan,
    processes: Vec<Vec<(TestIndex, Fate)>>,
}

/// What plain pytest, as its users run it, made of tests in a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlainRuns {
    /// Of tests that were run together, one for each of these runs.
    pub(crate) together: BTreeMap<TestIndex, Vec<Fate>>,
    /// Of tests that were run alone.
    pub(crate) alone: BTreeMap<TestIndex, Fate>,
}

/// The trials of a session.
#[derive(Clone, Debug, Default)]
pub struct History {
    records: Vec<Record>,
}

impl History {
    /// Writes a trial down.
    pub fn add(&mut self, plan: &Plan, trial: &Trial) {
        let mut processes = Vec::new();
        let mut current = None;
        for run in &trial.executions {
            if current != Some((run.worker, run.process)) {
                current = Some((run.worker, run.process));
                processes.push(Vec::new());
            }
            if let Some(list) = processes.last_mut() {
                list.push((run.test, Fate::of(&run.outcome)));
            }
        }
        self.records.push(Record { plan: plan.clone(), processes });
    }

    /// For each time a test passed or failed: the tests before it in its process, and whether it failed.
    pub(crate) fn prefixes(&self, test: TestIndex) -> Vec<(Vec<TestIndex>, bool)> {
        let lists = self.records.iter().flat_map(|record| &record.processes);
        lists.filter_map(|list| prefix(list, test)).collect()
    }

    /// Whether a test passed in a process that had the whole suite imported.
    pub(crate) fn passed_with_all_imported(&self, test: TestIndex) -> bool {
        let whole = self.records.iter().filter(|record| record.plan.imports == Imports::All);
        whole.flat_map(|record| &record.processes).flatten().any(|run| *run == (test, Fate::Passed))
    }

    /// Whether a test failed when it was last run alone with the whole suite imported; nothing if it
    /// was not, or was skipped.
    pub(crate) fn failed_alone(&self, test: TestIndex, hash_seed: u32) -> Option<bool> {
        let alone = |record: &&Record| {
            record.plan.hash_seed == hash_seed
                && record.plan.imports == Imports::All
                && matches!(record.processes.as_slice(), [process] if matches!(process.as_slice(), [(only, _)] if *only == test))
        };
        self.records.iter().rev().find(alone).and_then(|record| record.processes[0][0].1.failed())
    }

    /// Under how many other hash seeds than this a test has failed after these, which ran before it in its process in this
    /// order, whatever ran between them.
    pub(crate) fn failed_after(&self, before: &[TestIndex], test: TestIndex, hash_seed: u32) -> u32 {
        let shows = |record: &&Record| {
            let prefixes = record.processes.iter().filter_map(|list| prefix(list, test));
            prefixes.filter(|(_, failed)| *failed).any(|(ran, _)| {
                let mut ran = ran.iter();
                before.iter().all(|wanted| ran.any(|test| test == wanted))
            })
        };
        let seeds: BTreeSet<u32> =
            self.records.iter().filter(shows).map(|record| record.plan.hash_seed).collect();
        seeds.iter().map(|&seed| u32::from(seed != hash_seed)).sum()
    }

    /// A trial in which a test passed: with other tests before it, or under another hash seed than this. One with the
    /// given hash seed if there is one, and of those the one with the fewest tests before it.
    pub(crate) fn passed_in(&self, test: TestIndex, hash_seed: u32) -> Option<&Record> {
        let passing = self.records.iter().filter_map(|record| {
            let elsewhere = record.plan.hash_seed != hash_seed;
            let before = record.processes.iter().filter_map(|list| prefix(list, test));
            let shortest = before
                .filter(|(before, failed)| !failed && (elsewhere || !before.is_empty()))
                .map(|(b, _)| b.len())
                .min()?;
            Some(((elsewhere, shortest), record))
        });
        passing.min_by_key(|&(rank, _)| rank).map(|(_, record)| record)
    }
}

fn prefix(list: &[(TestIndex, Fate)], test: TestIndex) -> Option<(Vec<TestIndex>, bool)> {
    let tells = |&(other, fate): &(TestIndex, Fate)| if other == test { fate.failed() } else { None };
    let (at, failed) = list.iter().enumerate().rev().find_map(|(at, run)| Some((at, tells(run)?)))?;
    Some((list[..at].iter().map(|&(test, _)| test).collect(), failed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::fake_engine::{failed, plan, test};
    use crate::trial::{Execution, Outcome};
    use std::time::Duration;

    /// Writes down a trial of this list under a hash seed, whose last test passed or failed.
    fn ran(history: &mut History, list: &str, hash_seed: u32, outcome: Outcome) {
        let plan = Plan { hash_seed, ..plan(list) };
        let (worker, process, duration) = (crate::plan::WorkerId(0), 0, Duration::ZERO);
        let run = |outcome: &Outcome, letter| Execution {
            worker,
            process,
            duration,
            test: test(letter),
            outcome: outcome.clone(),
        };
        let mut letters = list.chars();
        let last = letters.next_back().map(|letter| run(&outcome, letter));
        let runs = letters.map(|letter| run(&Outcome::Passed, letter)).chain(last).collect::<Vec<_>>();
        history.add(&plan, &Trial::of(runs));
    }

    #[test]
    fn a_failure_after_some_tests_is_counted_once_for_each_other_hash_seed() {
        let mut history = History::default();
        let fails = || failed("AssertionError");
        for (list, hash_seed, outcome) in [
            ("abcf", 1, fails()),
            ("xbycf", 2, fails()),
            ("bcf", 2, fails()),
            ("cbf", 3, fails()),
            ("bf", 4, fails()),
            ("bcf", 5, Outcome::Passed),
        ] {
            ran(&mut history, list, hash_seed, outcome);
        }
        let under_others = |before: &str, hash_seed| {
            let before: Vec<TestIndex> = before.chars().map(test).collect();
            history.failed_after(&before, test('f'), hash_seed)
        };
        assert_eq!([under_others("bc", 1), under_others("bc", 9)], [1, 2], "in this order, and failed");
        assert_eq!([under_others("b", 1), under_others("", 1)], [3, 3]);
        assert_eq!(under_others("f", 1), 0);
    }
}
