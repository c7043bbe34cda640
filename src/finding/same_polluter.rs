//! Which other tests fail after the polluter of a finding.

use std::collections::BTreeSet;

use crate::finding::{Finding, Kind};
use crate::judge::Signature;
use crate::judge::observation::FailureMatcher;
use crate::judge::signature::Loss;
use crate::suite::TestIndex;

/// What makes a victim fail, where one thing alone does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Polluter {
    /// A test that runs before it.
    Test(TestIndex),
    /// A file (as in [`crate::suite::Test::file`]) that is imported, whether or not a test of it is run.
    Import(String),
}

impl Polluter {
    /// The test, if it is one.
    pub(crate) fn test(&self) -> Option<TestIndex> {
        match self {
            Self::Test(test) => Some(*test),
            Self::Import(_) => None,
        }
    }
}

/// Tests that fail after the polluter of a finding. Whether they do so for the same state is not known: those of which it
/// is are among the related tests of its explanation, and those of which it is not have findings of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SamePolluter {
    /// How each fails after the polluter alone, in two runs. It passes alone under the random seed of the first.
    pub(crate) victims: BTreeSet<Signature>,
    /// Those that failed so in a fresh process as well; the others did in two forks.
    pub(crate) fresh: BTreeSet<TestIndex>,
}

impl SamePolluter {
    /// Those that are left without some.
    pub(crate) fn without(&self, others: &BTreeSet<Signature>) -> Self {
        let victims: BTreeSet<Signature> = &self.victims - others;
        let fresh =
            victims.iter().map(|victim| victim.test).filter(|test| self.fresh.contains(test)).collect();
        Self { victims, fresh }
    }
}

impl Finding {
    /// Its polluter, if it is a victim that fails each time after that alone, and not without. None of a hang, as each
    /// run takes its whole time limit. None of a fixture's teardown either: the tests that share the fixture are no
    /// victims of their own, and come before what makes it fail.
    pub(crate) fn only_polluter(&self) -> Option<Polluter> {
        let (minimal, signature) = (self.shrunk.as_ref()?, self.signature.as_ref()?);
        let of_fixture = matches!(self.wanted(), Some(FailureMatcher::Fixture(..)));
        let hangs = signature.crash.loss() == Some(Loss::Timeout);
        let always = self.kind == Kind::Victim && self.with.always() && !self.fails_by_chance_too();
        let alone = self.given_up.is_none() && minimal.plan.workers.len() == 1;
        match (&minimal.culprits[..], &minimal.imports[..]) {
            _ if !always || !alone || of_fixture || hangs => None,
            ([test], []) => Some(Polluter::Test(*test)),
            ([], [file]) => Some(Polluter::Import(file.clone())),
            _ => None,
        }
    }

    /// That polluter, if it is a test.
    pub(crate) fn polluting_test(&self) -> Option<TestIndex> {
        self.only_polluter()?.test()
    }
}
