//! The option for how far findings are explained.

use clap::ValueEnum;

use crate::session::Explain;

/// `--explain` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainArg {
    /// Name what makes each test fail, and no more: about half of the runs
    No,
    /// Look for the state behind it, and for others that fail for that
    State,
    /// Look for a fix as well, and try it
    Fix,
}

/// `--explain` values of `jostle leaks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeaksExplainArg {
    /// Look who leaves a place, whether others name it, and whether they fail for it
    State,
    /// Look for a fix as well where a test fails for it or others name it, and try it
    Fix,
}

impl From<ExplainArg> for Explain {
    fn from(given: ExplainArg) -> Self {
        match given {
            ExplainArg::No => Self::No,
            ExplainArg::State => Self::State,
            ExplainArg::Fix => Self::Fix,
        }
    }
}
