//! Who has to do with one place of shared state.

use std::collections::BTreeSet;

use crate::judge::Signature;
use crate::suite::TestIndex;

/// The tests besides those of a finding that have to do with its place; each was seen to twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelatedTests {
    /// Tests that leave the place changed, so that the victim fails after them.
    pub polluters: BTreeSet<TestIndex>,
    /// Tests that fail after the polluter, and pass once the place is put back.
    pub victims: BTreeSet<Signature>,
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
        let victims = self.victims.iter().map(|victim| victim.test);
        self.polluters.iter().chain(&self.cleaners).copied().chain(victims).collect()
    }
}
