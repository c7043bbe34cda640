//! Who has to do with one place of shared state.

use std::collections::BTreeSet;

use crate::judge::Signature;
use crate::suite::TestIndex;

/// The tests besides those of a finding that have to do with its place; each was seen to, in a fresh process
/// as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelatedTests {
    /// Tests that leave the place changed, so that the victim fails after them.
    pub polluters: BTreeSet<TestIndex>,
    /// Tests that fail after the polluter, and pass once the place is put back.
    pub victims: BTreeSet<Signature>,
    /// Tests that reset the place: between polluter and victim, the victim passes.
    pub cleaners: BTreeSet<TestIndex>,
    /// Whether all tests of the suite were looked at.
    pub whole: bool,
}
