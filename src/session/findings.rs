//! What a session has seen fail, what of it waits to be looked into, and what was found: decisions about values,
//! without a run, a clock or a file.

use std::collections::BTreeSet;

use crate::judge::finding::{Finding, Kind, Origin};
use crate::judge::known::{self, Identity, Recorded};
use crate::judge::signature::Crash;
use crate::run::Phase;
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
            let unasked = self.victim.is_some_and(|victim| victim != test && victim != suspect.charged);
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

    /// The findings of which a failure may be another sight: it is the same crash, in the same fixture if in one.
    /// That is no claim: [`crate::session::same_cause`] shows it.
    pub fn alike(&self, suspect: &Suspect) -> Vec<usize> {
        let alike = |(at, finding): (usize, &Finding)| is_alike(finding, suspect).then_some(at);
        self.findings.iter().enumerate().filter_map(alike).collect()
    }

    /// Tells a failure, the first that waits, with the finding of which it was shown to be. The tests that its
    /// fixture was set up for, and those that were charged with it, are named.
    pub fn tell_with(&mut self, finding: usize, suspect: &Suspect) {
        self.waiting.retain(|other| other.signature != suspect.signature);
        let finding = &mut self.findings[finding];
        let named = |test: TestIndex| {
            Some(test) == finding.test || finding.causes().0.contains(&test) || finding.also.contains(&test)
        };
        let new: BTreeSet<TestIndex> =
            [suspect.signature.test, suspect.charged].into_iter().filter(|&test| !named(test)).collect();
        finding.also.extend(new);
        finding.also.sort_unstable();
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
        self.findings
            .iter()
            .any(|finding| finding.test == Some(suspect.signature.test) && finding.kind.is_the_tests_own())
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

/// Whether a failure is like that of a finding, so that it is worth showing that it is of it.
fn is_alike(finding: &Finding, suspect: &Suspect) -> bool {
    let same_crash =
        finding.signature.as_ref().is_some_and(|signature| signature.crash == suspect.signature.crash);
    let (fixture, crash) = (suspect.fixture(), &suspect.signature.crash);
    let outside_call = fixture.is_some() || crash.phase != Phase::Call;
    let alike = match finding.kind {
        Kind::Broken | Kind::Victim => outside_call,
        Kind::Race => fixture.is_some(),
        Kind::Nio => suspect.origin == Origin::Twice,
        _ => false,
    };
    alike && same_crash && fixture == finding.fixture() && finding.test != Some(suspect.signature.test)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Signature;
    use crate::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
    use crate::run::{Failure, Fixture};

    fn plan(list: &[u32]) -> Plan {
        Plan {
            seed: Seed(1),
            index: TrialIndex(0),
            order: OrderKind::Explicit,
            mode: Mode::No,
            workers: vec![list.iter().map(|&test| TestIndex(test)).collect()],
            interleaving: Interleaving::Free,
            hash_seed: 1,
            random_seed: 1,
            imports: Imports::All,
        }
    }

    fn fixture(name: &str) -> Fixture {
        let (scope, file) = ("module".into(), "test_a.py".into());
        Fixture { name: name.into(), scope, file, phase: Phase::Teardown }
    }

    fn suspect(test: u32, phase: Phase, fixture: Option<Fixture>) -> Suspect {
        let crash = Crash {
            phase,
            exception: "ValueError".into(),
            file: "capture.py".into(),
            function: "resume".into(),
        };
        let failure = Failure {
            phase,
            exception: crash.exception.clone(),
            file: crash.file.clone(),
            function: crash.function.clone(),
            line: 1,
            message: String::new(),
            trace: String::new(),
            fixture,
            user: None,
        };
        Suspect {
            signature: Signature { test: TestIndex(test), crash },
            charged: TestIndex(test),
            failure: Some(failure),
            origin: Origin::Baseline,
            plan: plan(&[0, test]),
            worker: WorkerId(0),
        }
    }

    fn finding(kind: Kind, of: &Suspect) -> Finding {
        Finding {
            signature: Some(of.signature.clone()),
            failure: of.failure.clone(),
            ..Finding::new(kind, Some(of.signature.test), of.origin)
        }
    }

    #[test]
    fn nothing_is_told_with_another_for_its_looks_alone() {
        let (setup, call) = (Phase::Setup, Phase::Call);
        let like = |kind, one: Suspect, other: Suspect| is_alike(&finding(kind, &one), &other);
        assert!(like(Kind::Broken, suspect(1, setup, None), suspect(2, setup, None)));
        assert!(like(Kind::Victim, suspect(1, setup, None), suspect(2, setup, None)));
        assert!(!like(Kind::Victim, suspect(1, call, None), suspect(2, call, None)));
        assert!(!like(Kind::Broken, suspect(1, setup, None), suspect(2, call, None)));
        assert!(!like(Kind::Nod, suspect(1, setup, None), suspect(2, setup, None)));
        assert!(!like(Kind::Victim, suspect(1, setup, None), suspect(1, setup, None)));
        let of = |name| suspect(2, setup, Some(fixture(name)));
        assert!(like(Kind::Victim, suspect(1, setup, Some(fixture("a"))), of("a")));
        assert!(!like(Kind::Victim, suspect(1, setup, Some(fixture("a"))), of("b")));
        assert!(!like(Kind::Victim, suspect(1, setup, None), of("a")));
        assert!(!like(Kind::Race, suspect(1, setup, None), suspect(2, setup, None)));
        // What is alike waits until it is shown to be the same.
        let mut book = FindingBook::default();
        book.take_in([suspect(1, setup, None), suspect(2, setup, None)]);
        let first = book.first().unwrap();
        book.findings.push(finding(Kind::Broken, &first));
        book.waiting.remove(0);
        assert_eq!(book.alike(&suspect(2, setup, None)), [0]);
        assert_eq!(book.first().unwrap().signature.test, TestIndex(2));
        assert_eq!(book.findings[0].also, []);
    }

    #[test]
    fn what_is_shown_to_be_of_a_finding_is_told_with_it_once() {
        let mut book = FindingBook::default();
        let users = [1, 2].map(|test| Suspect {
            charged: TestIndex(7),
            ..suspect(test, Phase::Teardown, Some(fixture("a")))
        });
        book.take_in(users.clone());
        book.take_in(users.clone());
        assert_eq!(book.waiting.len(), 2);
        book.waiting.remove(0);
        book.findings.push(finding(Kind::Victim, &users[0]));
        book.tell_with(0, &users[1]);
        assert_eq!(book.findings[0].also, [TestIndex(2), TestIndex(7)]);
        assert_eq!(book.first().map(|suspect| suspect.signature.test), None);
        book.tell_with(0, &users[1]);
        assert_eq!(book.findings[0].also.len(), 2);
    }

    #[test]
    fn of_a_named_victim_alone_failures_are_taken_in() {
        let mut book = FindingBook::new(Some(TestIndex(2)), &[]);
        let charged = Suspect { charged: TestIndex(2), ..suspect(3, Phase::Teardown, Some(fixture("a"))) };
        book.take_in([suspect(1, Phase::Call, None), suspect(2, Phase::Call, None), charged]);
        let tests: Vec<u32> = book.waiting.iter().map(|suspect| suspect.signature.test.0).collect();
        assert_eq!(tests, [2, 3]);
    }

    #[test]
    fn what_a_broken_test_shows_besides_is_settled_and_no_other_tests_is() {
        let mut book = FindingBook::default();
        let (one, other) = (suspect(1, Phase::Call, None), suspect(2, Phase::Setup, None));
        book.findings.push(finding(Kind::Broken, &one));
        book.take_in([suspect(1, Phase::Setup, None), other.clone()]);
        assert_eq!(book.first().map(|suspect| suspect.signature), Some(other.signature));
        assert_eq!(book.waiting.len(), 1);
    }
}
