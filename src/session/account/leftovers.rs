//! Who left what behind: of each path the test that leaves it when it runs alone, else the trial in
//! which it was first seen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::finding::{Finding, Kind, Origin};
use crate::plan::Plan;
use crate::suite::TestIndex;
use crate::trial::{Change, Trial};

/// Paths that a finding names; the others are counted.
const LISTED: usize = 10;

/// What is said of a failure that is called the test's own: what an earlier trial left may be behind it, where that was
/// still there.
pub(crate) const DOUBT: &str = "trials were not kept apart, and some have left files in the project (listed as leftover): this test may \
                     fail for one of these. Put the project back as it was, or use a sandbox, and run it again";

/// What trials have left behind so far.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    of_tests: BTreeMap<TestIndex, BTreeSet<(String, Change)>>,
    first_seen: BTreeMap<(String, Change), Origin>,
}

impl Leftovers {
    /// Notes what a trial has left. Paths are told relative to the folder pytest is run in.
    pub(crate) fn add(&mut self, origin: Origin, plan: &Plan, trial: &Trial) {
        let list: Vec<TestIndex> = plan.workers.iter().flatten().copied().collect();
        for left in &trial.leftovers {
            let named = (name(&left.path), left.change);
            if let [test] = list[..] {
                self.of_tests.entry(test).or_default().insert(named.clone());
            }
            self.first_seen.entry(named).or_insert(origin);
        }
    }

    /// A finding for each test that leaves something, and one for each trial with what no test is known
    /// to leave.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let explained: BTreeSet<_> = self.of_tests.values().flatten().collect();
        let mut of_trials: BTreeMap<Origin, BTreeSet<(String, Change)>> = BTreeMap::new();
        for (named, origin) in self.first_seen.iter().filter(|(named, _)| !explained.contains(named)) {
            of_trials.entry(*origin).or_default().insert(named.clone());
        }
        let of_tests = self.of_tests.iter().map(|(&test, paths)| finding(Some(test), Origin::Alone, paths));
        of_tests.chain(of_trials.iter().map(|(&origin, paths)| finding(None, origin, paths))).collect()
    }
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn finding(test: Option<TestIndex>, origin: Origin, paths: &BTreeSet<(String, Change)>) -> Finding {
    let word = |change: &Change| match change {
        Change::Created => "created",
        Change::Changed => "changed",
        Change::Removed => "removed",
    };
    let mut listed: Vec<String> =
        paths.iter().take(LISTED).map(|(path, change)| format!("{} {path}", word(change))).collect();
    if paths.len() > LISTED {
        listed.push(format!("and {} more", paths.len() - LISTED));
    }
    Finding { note: Some(listed.join(", ")), ..Finding::new(Kind::Leftover, test, origin) }
}
