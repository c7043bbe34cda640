//! How a report is written.

use crate::report::links::Links;
use crate::report::{Again, Verbosity};

/// How a report is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'a> {
    /// How much is said.
    pub(crate) verbosity: Verbosity,
    /// Whether a finding has all its lines, and not only those that one reads first.
    pub(crate) whole: bool,
    /// How a finding is seen again.
    pub(crate) again: Again<'a>,
    /// Where tests lead to.
    pub(crate) links: Links<'a>,
}

impl<'a> Manner<'a> {
    /// That of a report for people, of whom those who want more have all lines.
    pub(crate) fn new(verbosity: Verbosity, again: Again<'a>) -> Self {
        let whole = verbosity == Verbosity::Verbose;
        Self { verbosity, whole, again, links: Links::default() }
    }

    /// The same with tests that lead to their files.
    pub(crate) fn linked(self, links: Links<'a>) -> Self {
        Self { links, ..self }
    }

    /// The same with all lines, for what is read later, when nobody can ask for more.
    pub(crate) fn whole(self) -> Self {
        Self { whole: true, ..self }
    }
}
