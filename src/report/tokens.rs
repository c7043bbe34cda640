//! The tokens of a session's plans.

use std::collections::BTreeSet;

use crate::finding::Origin;
use crate::plan::token::Token;
use crate::plan::{Seed, TrialIndex};
use crate::session::SessionResult;
use crate::suite::{Suite, TestIndex};

/// What these tokens are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens<'a> {
    /// The collected suite.
    pub(crate) suite: &'a Suite,
    /// The session's seed.
    pub(crate) seed: Seed,
    /// The tests that its trials leave out.
    pub(crate) left_out: &'a BTreeSet<TestIndex>,
}

impl<'a> Tokens<'a> {
    /// Those of a session.
    pub(crate) fn of(outline: &'a SessionResult) -> Self {
        Self { suite: &outline.collected.suite, seed: outline.seed, left_out: &outline.left_out }
    }

    /// The token of a trial's plan; none of another run.
    pub(crate) fn token(self, origin: Origin) -> Option<Token> {
        let of = |index, race| {
            let token = Token::new(self.seed, TrialIndex(index), race, self.suite);
            Some(token.without(self.left_out))
        };
        match origin {
            Origin::Trial(index) => of(index, false),
            Origin::Race(index) => of(index, true),
            Origin::Baseline
            | Origin::Alone
            | Origin::Twice
            | Origin::Apart(_)
            | Origin::LeftOver(_)
            | Origin::Suspected(_)
            | Origin::Leaking(_)
            | Origin::Part(_)
            | Origin::Adjacent(_)
            | Origin::Pair(_)
            | Origin::Recording
            | Origin::Replay => None,
        }
    }
}
