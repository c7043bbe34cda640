//! How a reader is told to see a finding again.

use std::path::Path;

use crate::finding::known::Same;
use crate::finding::{Finding, Kind};
use crate::record::FailureFile;
use crate::report::tokens::Tokens;

/// What the command that found something, and the place it found it in, allow to be advised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again<'a> {
    /// `jostle replay` makes the same plans with these options, each with a space before it.
    Replay {
        /// The options that a token needs.
        options: &'a str,
        /// Those that a failure file needs, which holds the whole plan.
        of_file: &'a str,
        /// Where failure files are written, if they are.
        failures: Option<&'a Path>,
    },
    /// Nothing: it is what a replay showed.
    Replayed,
    /// Nothing: its suite is gone by then.
    Gone,
}

impl Again<'_> {
    /// The command that shows a finding again by the token of its plan.
    pub(crate) fn of_token(self, finding: &Finding, tokens: Tokens<'_>) -> Option<String> {
        let Self::Replay { options, .. } = self else {
            return None;
        };
        let token = tokens.token(finding.origin)?;
        // There is nothing in what was left over that a smaller plan could show.
        (finding.kind != Kind::Leftover).then(|| format!("jostle replay {token} --shrink{options}"))
    }

    /// The command for the failure file of a finding: that by which it is known, or that which is written of it.
    pub(crate) fn of_file(self, finding: &Finding, tokens: Tokens<'_>) -> Option<String> {
        let Self::Replay { of_file, failures, .. } = self else {
            return None;
        };
        let file = match &finding.known {
            Some(known) => Some(known.file.clone()).filter(|_| known.same == Same::Failure),
            None => {
                let name = FailureFile::name_for(finding, tokens.suite);
                name.zip(failures).map(|(name, folder)| folder.join(name).display().to_string())
            }
        };
        // What is collected is compared, and no plan shows it.
        let file = file.filter(|_| finding.kind.is_isolation_failure() && finding.shows_in_a_plan())?;
        Some(format!("jostle replay {}{of_file}", shlex::try_quote(&file).ok()?))
    }

    /// Whether a failure that has no token can be kept, and is not.
    pub(crate) fn could_be_kept(self) -> bool {
        matches!(self, Self::Replay { failures: None, .. })
    }
}
