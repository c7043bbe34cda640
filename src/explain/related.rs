//! Who has to do with one place of shared state.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::Signature;
use crate::suite::TestIndex;

/// A polluter that is the victim of another test, by the same place: tests that all count on finding it as it was at first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InTurn {
    /// How the polluter fails.
    pub victim: Signature,
    /// After which test: another polluter, or the finding's own victim.
    pub after: TestIndex,
}

/// The tests besides those of a finding that have to do with its place; each was seen to twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelatedTests {
    /// Tests that leave the place changed, so that the victim fails after them.
    pub polluters: BTreeSet<TestIndex>,
    /// Tests that fail after the polluter, and pass once the places are put back that undo the finding's failure together.
    pub victims: BTreeSet<Signature>,
    /// Those of the victims for which fewer of the places are enough: the names of these.
    pub enough: BTreeMap<TestIndex, Vec<String>>,
    /// How the polluter fails in its turn, if it does.
    pub in_turn: Option<InTurn>,
    /// Tests that reset the place: between polluter and victim, the victim passes.
    pub cleaners: BTreeSet<TestIndex>,
    /// Whether all tests of the suite were looked at, and all that might have to do with the place were tried.
    pub whole: bool,
    /// Those of them that were seen to in a fresh process; the others in forks alone.
    pub fresh: BTreeSet<TestIndex>,
}

impl RelatedTests {
    /// All of them.
    pub(crate) fn tests(&self) -> BTreeSet<TestIndex> {
        let victims = self.all_victims().map(|victim| victim.test);
        self.polluters.iter().chain(&self.cleaners).copied().chain(victims).collect()
    }

    /// The tests that fail for the place besides the finding's own.
    pub(crate) fn all_victims(&self) -> impl Iterator<Item = &Signature> {
        self.victims.iter().chain(self.in_turn.as_ref().map(|in_turn| &in_turn.victim))
    }

    /// The tests that leave the place changed besides the finding's own polluter. The finding's victim may be one.
    pub(crate) fn all_polluters(&self) -> impl Iterator<Item = TestIndex> {
        self.polluters.iter().copied().chain(self.in_turn.as_ref().map(|in_turn| in_turn.after))
    }
}
