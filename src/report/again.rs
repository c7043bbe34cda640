//! How a reader is told to see a finding again.

/// What the command that found something, and the place it found it in, allow to be advised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again<'a> {
    /// `jostle replay` makes the same plans with these options, each with a space before it.
    Replay {
        /// The options.
        options: &'a str,
        /// Whether `--failures` was given, so that what has no token is in a file already.
        kept: bool,
    },
    /// Nothing: it is what a replay showed, or its suite is gone by then.
    Nothing,
}

impl Again<'_> {
    /// The command that shows what a token tells again.
    pub(crate) fn command(self, token: &str) -> Option<String> {
        match self {
            Self::Replay { options, .. } => Some(format!("jostle replay {token} --shrink{options}")),
            Self::Nothing => None,
        }
    }

    /// Whether a failure that has no token can be kept, and is not.
    pub(crate) fn could_be_kept(self) -> bool {
        matches!(self, Self::Replay { kept: false, .. })
    }
}
