//! What a session has seen fail, what of it waits to be looked into, and what was found: decisions about values,
//! without a run, a clock or a file.

use std::collections::BTreeSet;

use crate::judge::finding::{Finding, Kind, Origin};
use crate::judge::known::{self, Identity, Recorded};
use crate::judge::signature::Crash;
use crate::session::investigate::Suspect;
use crate::suite::{Suite, TestIndex};

/// A session's account of failures: seen, waiting, found.
#[derive(Clone, Debug, Default)]
pub struct FindingBook {
    /// The only test whose failures are taken in, if the user named one.
    victim: Option<TestIndex>,
    /// Failures recorded earlier.
    known: Vec<Recorded>,
    /// Failures that were looked into, or wait for it; without a test, whichever test shows them.
    seen: BTreeSet<(Option<TestIndex>, Crash)>,
    /// Failures that are still to be looked into, in the order in which they came.
    pub waiting: Vec<Suspect>,
    findings: Vec<Finding>,
}

impl FindingBook {
    /// An empty one. `known` are the failures recorded earlier.
    pub fn new(victim: Option<TestIndex>, known: &[Recorded]) -> Self {
        Self { victim, known: known.to_vec(), ..Self::default() }
    }

    /// Takes in the failures of a trial: those that are new wait.
    pub fn take_in(&mut self, suspects: impl IntoIterator<Item = Suspect>) {
        for suspect in suspects {
            let (test, crash) = (suspect.signature.test, &suspect.signature.crash);
            let unasked = self.victim.is_some_and(|victim| victim != test);
            if unasked || self.seen.contains(&(None, crash.clone())) {
                continue;
            }
            if self.seen.insert((Some(test), crash.clone())) {
                self.waiting.push(suspect);
            }
        }
    }

    /// Takes note of failures that are told of elsewhere.
    pub fn are_seen(&mut self, failures: impl IntoIterator<Item = (Option<TestIndex>, Crash)>) {
        self.seen.extend(failures);
    }

    /// Forgets what was seen and waits, as what failed for want of something is no failure.
    pub fn forget_seen(&mut self) {
        (self.seen, self.waiting) = Default::default();
    }

    /// Sorts what waits: serial plans first, as they are cheaper to shrink and may explain what was seen under
    /// several workers.
    pub fn sort(&mut self) {
        self.waiting.sort_by_key(|suspect| (suspect.plan.workers.len(), suspect.origin));
    }

    /// The first failure that waits and says something new; those before it that do not are let go.
    pub fn first(&mut self) -> Option<Suspect> {
        let settled = self.waiting.iter().take_while(|suspect| self.is_settled(suspect)).count();
        self.waiting.drain(..settled);
        self.waiting.first().cloned()
    }

    /// A fixture that fails in one way is one finding, whichever tests it was charged to; so is a test
    /// function that pollutes itself with each of its parameters.
    pub fn merge_same_cause(&mut self, finding: &mut Finding, suspect: &Suspect) {
        let crash = &suspect.signature.crash;
        let of_fixture = matches!(finding.kind, Kind::Race | Kind::Broken) && crash.is_of_a_fixture();
        let of_function = finding.kind == Kind::Nio;
        if of_fixture {
            self.seen.insert((None, crash.clone()));
        }
        let same = |other: &Suspect| {
            other.signature.crash == *crash && (of_fixture || of_function && other.origin == Origin::Twice)
        };
        let (merged, left): (Vec<_>, Vec<_>) = self.waiting.drain(..).partition(same);
        self.waiting = left;
        let also: BTreeSet<_> = merged.into_iter().map(|suspect| suspect.signature.test).collect();
        finding.also = also.into_iter().filter(|&test| Some(test) != finding.test).collect();
    }

    /// What other tests show of a cause that is explained needs no finding of its own.
    fn fold_circle(&mut self, finding: &Finding) {
        let circle = finding.explanation.iter().flat_map(|explanation| &explanation.circle.victims);
        for signature in circle {
            self.waiting.retain(|suspect| suspect.signature != *signature);
            self.seen.insert((Some(signature.test), signature.crash.clone()));
        }
    }

    /// Whether the test was found to fail for reasons of its own, so that another way in which it
    /// fails says nothing new.
    fn is_settled(&self, suspect: &Suspect) -> bool {
        self.findings.iter().any(|finding| {
            finding.test == Some(suspect.signature.test)
                && matches!(finding.kind, Kind::Broken | Kind::Nod | Kind::HashSeed)
        })
    }

    /// Whether a finding tells of the same test and the same cause as one before.
    pub fn is_told(&self, finding: &Finding) -> bool {
        let same = |other: &Finding| {
            other.kind == finding.kind && other.test == finding.test && other.causes() == finding.causes()
        };
        self.findings.iter().any(same)
    }

    /// Keeps a finding from now on, whatever ends the session, and tells where it is.
    pub fn keep(&mut self, finding: Finding, suite: &Suite) -> usize {
        self.findings.push(finding);
        self.identify(self.findings.len() - 1, suite);
        self.findings.len() - 1
    }

    /// Takes in what was found out about a finding that is kept.
    pub fn looked_into(&mut self, at: usize, suite: &Suite) {
        self.identify(at, suite);
        let finding = self.findings[at].clone();
        self.fold_circle(&finding);
    }

    /// Finds out whether a finding is known: what was recorded of it may be its state.
    fn identify(&mut self, at: usize, suite: &Suite) {
        let finding = &mut self.findings[at];
        let identity = Identity::of(finding, suite);
        finding.known = identity.and_then(|identity| known::find(&self.known, &identity));
    }

    /// A finding that is kept, to add what is found out about it.
    pub fn finding_mut(&mut self, at: usize) -> &mut Finding {
        &mut self.findings[at]
    }

    /// Whether nothing was found and nothing waits.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.waiting.is_empty()
    }

    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What was found, and what still waits.
    pub fn close(self) -> (Vec<Finding>, Vec<Suspect>) {
        (self.findings, self.waiting)
    }

    /// The known failures that no finding is.
    pub fn unseen(&self, suite: &Suite) -> Vec<String> {
        let found: Vec<Identity> =
            self.findings.iter().filter_map(|finding| Identity::of(finding, suite)).collect();
        let seen = |known: &Recorded| found.iter().any(|found| known::same(&known.identity, found).is_some());
        self.known.iter().filter(|known| !seen(known)).map(|known| known.file.clone()).collect()
    }

    /// Whether an isolation failure was found that is not known.
    pub fn has_new(&self) -> bool {
        let new = |finding: &Finding| finding.kind.is_isolation_failure() && finding.known.is_none();
        self.findings.iter().any(new)
    }
}
