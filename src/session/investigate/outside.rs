//! Failures of tests that talk to a server outside of the trials: what that keeps is there for all of them, or is what they
//! lack, so that such a test is not shown to be broken.

use crate::finding::{Finding, Kind};
use crate::judge::Evidence;
use crate::judge::verdict::Verdict;
use crate::race::servers::OutsideServer;
use crate::session::lab::Lab;
use crate::session::suspect::{Suspect, finding_of};

/// A failure that says nothing of its test, as that lacks a server it talks to.
pub(crate) fn lacks_one(lab: &Lab<'_>, suspect: &Suspect) -> Option<Finding> {
    let server = lab.account().outside_of(suspect.signature.test).filter(|server| !server.at.reached)?;
    let open = finding_of(suspect, Verdict::Unreproduced, &Evidence::default());
    Some(Finding { unjudged: true, note: Some(note(server)), ..open })
}

/// A finding as far as it can be claimed of a test that talks to such a server: that it fails for reasons of its own is no
/// more than a guess, and what else was seen may be the server's doing.
pub(crate) fn doubted(lab: &Lab<'_>, mut finding: Finding) -> Finding {
    let server = finding.test.and_then(|test| lab.account().outside_of(test));
    let Some(server) = server else { return finding };
    if matches!(finding.kind, Kind::Leftover | Kind::UnstableCollection) {
        return finding;
    }
    if finding.kind.is_the_tests_own() || finding.kind == Kind::Unreproduced {
        (finding.kind, finding.unjudged) = (Kind::Unreproduced, true);
    }
    finding.also_note(&note(server));
    finding
}

/// What is said of a finding.
fn note(server: &OutsideServer) -> String {
    let address = server.at.address();
    if server.at.reached {
        format!(
            "the test talks to {address}, a server outside of the trials, which keeps what they leave there: it may fail for \
             that. Give trials a server of their own to have this judged"
        )
    } else {
        format!(
            "the test talks to {address}, a server outside of the trials, which they do not reach. Give them one of their own \
             to have this judged"
        )
    }
}
