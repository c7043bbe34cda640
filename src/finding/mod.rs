//! Findings: what a session has to say.

pub(crate) mod group;
pub(crate) mod known;
pub mod left_unjudged;
pub(crate) mod other_victims;
pub(crate) mod same_polluter;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::explain::Explanation;
use crate::finding::known::Known;
use crate::finding::same_polluter::SamePolluter;
use crate::judge::observation::FailureMatcher;
use crate::judge::signature::Signature;
use crate::judge::statistics::Tally;
use crate::plan::Plan;
use crate::race::trace::Trace;
use crate::suite::{Fixture, TestIndex};
use crate::trial::Failure;

/// What kind of failure a finding is; the words are the field's (see docs/src/kinds.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Passes alone, fails after some other test.
    Victim,
    /// Fails alone, passes after a state-setter.
    Brittle,
    /// Passes once and fails when run a second time in the same process.
    Nio,
    /// Fails only while another worker runs some test.
    Race,
    /// Which tests are collected, or in which order, changes with the hash seed.
    UnstableCollection,
    /// Passes or fails by the hash seed, alone.
    HashSeed,
    /// Passes or fails by the random seed, and each time as that decides.
    RandomDraws,
    /// The same plan gives different verdicts on repeated runs.
    Nod,
    /// Failed once and could not be made to fail again.
    Unreproduced,
    /// Fails alone and in every order.
    Broken,
    /// Leaves files behind in the project: not a failure.
    Leftover,
}

impl Kind {
    /// Whether it is an isolation failure, for which the exit code is 1. xdist refuses a suite whose
    /// collection differs between workers, so an unstable collection is one.
    pub(crate) fn is_isolation_failure(self) -> bool {
        matches!(self, Self::Victim | Self::Brittle | Self::Nio | Self::Race | Self::UnstableCollection)
    }

    /// Whether the test fails for reasons of its own, whatever else is run.
    pub(crate) fn is_the_tests_own(self) -> bool {
        matches!(self, Self::Broken | Self::Nod | Self::HashSeed | Self::RandomDraws)
    }

    /// The kind as it is written in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Victim => "victim",
            Self::Brittle => "brittle",
            Self::Nio => "nio",
            Self::Race => "race",
            Self::UnstableCollection => "unstable-collection",
            Self::HashSeed => "hash-seed",
            Self::RandomDraws => "random-draws",
            Self::Nod => "nod",
            Self::Unreproduced => "unreproduced",
            Self::Broken => "broken",
            Self::Leftover => "leftover",
        }
    }
}

/// Which run first showed a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The suite in suite order.
    Baseline,
    /// Each test alone, in a fork that has the whole suite imported.
    Alone,
    /// Every test twice in a row.
    Twice,
    /// The run with this number of a test that takes its process along: first the run in which all such come before the
    /// others, then for each the one in which it comes after them.
    Apart(u64),
    /// The plan with this number of those that showed what the session before left unjudged.
    LeftOver(u64),
    /// The run with this number of those in which the tests that the user suspects come before all others or after them.
    Suspected(u64),
    /// The run with this number of a test directly after those that were known to leave what it names.
    Leaking(u64),
    /// The part with this number of the tests before a named one in suite order, with that after them.
    Part(u64),
    /// The trial with this index.
    Trial(u64),
    /// The row with this number of a square in which every test comes directly after every other.
    Adjacent(u64),
    /// The run with this number of two tests by themselves.
    Pair(u64),
    /// Every test once, with a note of what it touches outside of its process.
    Recording,
    /// The controlled trial of two tests in conflict with this number.
    Race(u64),
    /// A plan that was recorded earlier.
    Replay,
}

impl Origin {
    /// Whether the pairs of tests of such a run count as tried: it is one of those that mix tests to find failures.
    pub(crate) fn mixes_tests(self) -> bool {
        matches!(self, Self::Trial(_) | Self::Leaking(_) | Self::Adjacent(_) | Self::Pair(_))
    }
}

/// Why no command of plain pytest shows an isolation failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCommand {
    /// It takes a test to run twice, and pytest runs one once whose id is named twice.
    Twice,
    /// It takes two workers whose calls come in one order.
    Workers,
    /// Plain pytest was seen to run the first of these tests before the second, which is to come before it.
    Order(TestIndex, TestIndex),
    /// So many runs of plain pytest did not show it.
    Passed(u32),
    /// It failed in some of these runs of plain pytest, and under no command each time.
    AtTimes(Tally),
    /// It shows alone in all of jostle's runs, and not in plain pytest as its users run it.
    Elsewhere(Elsewhere),
}

/// What a test that fails alone in all of jostle's runs, and not in plain pytest, fails for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// A trial's sandbox: in that it fails in plain pytest, too, with its user's own variables.
    Sandbox,
    /// jostle's plugin or the variables that it sets: without them it passes, in a trial's sandbox if there is one.
    Jostle,
    /// Plain pytest skips it, or expects it to fail.
    Skipped,
    /// Nothing that is known: plain pytest was seen to pass it, and not each time.
    Unknown,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// The test that fails; absent for what concerns the whole suite.
    pub test: Option<TestIndex>,
    /// How it fails.
    pub(crate) signature: Option<Signature>,
    /// The failure as it was first seen.
    pub failure: Option<Failure>,
    /// Where it was first seen.
    pub origin: Origin,
    /// The plan that first showed it.
    pub plan: Option<Plan>,
    /// What is left of that plan after shrinking.
    pub shrunk: Option<Minimal>,
    /// How often the test failed with what makes it fail: polluters present, state-setters absent,
    /// workers running.
    pub with: Tally,
    /// How often it failed without.
    pub without: Tally,
    /// Of a victim that is skipped alone: the tests after which it passes. `without` holds those runs then.
    pub passes_after: Option<Vec<TestIndex>>,
    /// Whether runs gave no answer that a claim could rest on, so that the isolation of the test is not known.
    pub unjudged: bool,
    /// How often a test failed in plain pytest, as its users run it, that fails alone in all of jostle's runs. No runs
    /// where plain pytest was not asked, or gave no answer.
    pub plain: Tally,
    /// Other tests that were seen to fail in the same way: by the same fixture, or in the same function
    /// with other parameters, which were not looked into one by one. Of a race, those that were each shown to lose
    /// it as well, or to lose to the test of it.
    pub also: Vec<TestIndex>,
    /// The other tests that fail after its polluter.
    pub(crate) same_polluter: SamePolluter,
    /// The plain pytest command that shows the failure, if one was tried and did.
    pub command: Option<String>,
    /// Why there is no such command, once that is known.
    pub(crate) no_command: Option<NoCommand>,
    /// Of the other victims whose commands were tried: the one that showed the failure in a run, if one did.
    pub(crate) other_commands: BTreeMap<TestIndex, Option<String>>,
    /// What is known of the state behind it; absent where there is none to look for.
    pub explanation: Option<Explanation>,
    /// What the reader should know besides.
    pub note: Option<String>,
    /// The calls that race, where the interleaving was controlled.
    pub trace: Option<Trace>,
    /// What is known of it from earlier.
    pub known: Option<Known>,
    /// If the search for its causes was given up: how far it came. What is left of the plan holds them then, and
    /// which of its tests they are is not known.
    pub given_up: Option<GivenUp>,
}

/// A search for what makes a test fail that was given up after as many runs as are made.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenUp {
    /// Runs of candidates.
    pub runs: u32,
    /// The tests that are likeliest to be the culprit if it is a single one, the likeliest first, each with its odds
    /// from 0 to 1.
    pub suspects: Vec<(TestIndex, f64)>,
}

impl Finding {
    /// Adds to what the reader should know besides, unless it is said already.
    pub(crate) fn also_note(&mut self, more: &str) {
        self.note = Some(match self.note.take() {
            Some(note) if note.contains(more) => note,
            Some(note) => format!("{note}; {more}"),
            None => more.to_owned(),
        });
    }

    /// A finding of which no more is known yet than what it is, of which test, and where it was first seen.
    pub fn new(kind: Kind, test: Option<TestIndex>, origin: Origin) -> Self {
        Self {
            kind,
            test,
            signature: None,
            failure: None,
            origin,
            plan: None,
            shrunk: None,
            with: Tally::default(),
            without: Tally::default(),
            passes_after: None,
            unjudged: false,
            plain: Tally::default(),
            also: Vec::new(),
            same_polluter: SamePolluter::default(),
            command: None,
            no_command: (kind == Kind::Race).then_some(NoCommand::Workers),
            other_commands: BTreeMap::new(),
            explanation: None,
            note: None,
            trace: None,
            known: None,
            given_up: None,
        }
    }

    /// The fixture that fails, if one does.
    pub fn fixture(&self) -> Option<&Fixture> {
        self.failure.as_ref().and_then(|failure| failure.fixture.as_ref())
    }

    /// What its failure is recognised by; nothing for what is no failure of a test.
    pub fn wanted(&self) -> Option<FailureMatcher> {
        self.signature.as_ref().map(|signature| FailureMatcher::of(signature, self.failure.as_ref()))
    }

    /// Whether it is an isolation failure that nobody has on record.
    pub(crate) fn is_new_failure(&self) -> bool {
        self.kind.is_isolation_failure() && self.known.is_none()
    }

    /// Whether running a plan shows it: of what is collected none does.
    pub(crate) fn shows_in_a_plan(&self) -> bool {
        self.kind != Kind::UnstableCollection
    }

    /// Whether its test fails alone in all of jostle's runs and not in plain pytest, so that jostle cannot judge it.
    pub fn fails_in_trials_only(&self) -> bool {
        matches!(self.no_command, Some(NoCommand::Elsewhere(_)))
    }

    /// Where it stands among others: isolation failures first, then ordinary bugs, then the rest; of each the one first
    /// that breaks most tests.
    pub(crate) fn rank(&self) -> (u8, Reverse<usize>, Kind, Option<TestIndex>) {
        let sort = match self.kind {
            kind if kind.is_isolation_failure() => 0,
            Kind::Broken => 1,
            _ => 2,
        };
        (sort, Reverse(self.broken_tests()), self.kind, self.test)
    }

    /// How many tests it is known to make fail.
    pub(crate) fn broken_tests(&self) -> usize {
        usize::from(self.test.is_some()) + self.also_broken().len()
    }

    /// The tests that it is known to make fail besides its own.
    pub(crate) fn also_broken(&self) -> BTreeSet<TestIndex> {
        let related = self.explanation.iter().flat_map(|explanation| explanation.related_tests.all_victims());
        let others = related.chain(&self.same_polluter.victims).map(|victim| victim.test);
        self.also.iter().copied().chain(others).filter(|&test| Some(test) != self.test).collect()
    }

    /// Whether it is a victim of itself once other tests have run: its minimal plan runs it twice.
    pub(crate) fn takes_a_second_run(&self) -> bool {
        let itself = self.test.is_some_and(|test| self.causes().0.contains(&test));
        self.kind == Kind::Victim && itself
    }

    /// Whether it is a victim that fails by chance without its polluters as well.
    pub(crate) fn fails_by_chance_too(&self) -> bool {
        self.kind == Kind::Victim && self.without.failed > 0
    }

    /// Whether it is a victim that does not fail after its polluters each time.
    pub(crate) fn fails_at_times(&self) -> bool {
        self.kind == Kind::Victim && !self.with.always()
    }

    /// Whether its two plans have one hash seed: of a collection, that it differs by something else.
    pub(crate) fn differs_under_one_hash_seed(&self) -> bool {
        let seeds = (self.plan.as_ref(), self.shrunk.as_ref());
        matches!(seeds, (Some(plan), Some(shrunk)) if plan.hash_seed == shrunk.plan.hash_seed)
    }

    /// What was found to cause it: tests, and files whose import is enough; none if the search was given up.
    pub fn causes(&self) -> (&[TestIndex], &[String]) {
        let found = self.shrunk.as_ref().filter(|_| self.given_up.is_none());
        found.map_or((&[], &[]), |minimal| (&minimal.culprits, &minimal.imports))
    }
}

/// A shrunk plan, told in the field's words.
#[derive(Clone, Debug, PartialEq)]
pub struct Minimal {
    /// The plan.
    pub plan: Plan,
    /// Polluters of a victim, state-setters of a brittle test, the other side of a race; in their order.
    pub culprits: Vec<TestIndex>,
    /// Files whose import is enough, without a test of theirs being run.
    pub imports: Vec<String>,
    /// Whether every single removal was tried and made the failure go away.
    pub one_minimal: bool,
    /// How many plans were run to find it.
    pub calls: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolation_failures_come_first_and_of_each_sort_what_breaks_most() {
        let finding = |kind, test, also: &[u32]| Finding {
            also: also.iter().map(|&test| TestIndex(test)).collect(),
            ..Finding::new(kind, Some(TestIndex(test)), Origin::Baseline)
        };
        let mut findings = [
            finding(Kind::Nod, 1, &[]),
            finding(Kind::Broken, 2, &[3, 4]),
            finding(Kind::Victim, 5, &[]),
            finding(Kind::Race, 6, &[7, 8]),
            finding(Kind::Victim, 0, &[]),
            finding(Kind::Leftover, 9, &[]),
        ];
        findings.sort_by_key(Finding::rank);
        let order: Vec<u32> = findings.iter().flat_map(|finding| finding.test).map(|test| test.0).collect();
        assert_eq!(order, [6, 0, 5, 2, 1, 9]);
    }
}
