//! Which findings and failures may be sights of one cause, as far as they look alike.

use crate::finding::{Finding, Kind};
use crate::judge::signature::Signature;
use crate::session::suspect::Suspect;
use crate::suite::Phase;

/// Whether two findings tell of the same test and the same cause.
pub(super) fn is_same(one: &Finding, other: &Finding) -> bool {
    one.kind == other.kind && one.test == other.test && one.causes() == other.causes()
}

/// Whether a failure is like that of a finding, so that it is worth showing that it is of it.
pub(super) fn is_alike(finding: &Finding, suspect: &Suspect) -> bool {
    let crash = finding.signature.as_ref().map(|signature| &signature.crash);
    let same = crash == Some(&suspect.signature.crash) && suspect.fixture() == finding.fixture();
    let after_itself = finding.kind != Kind::Nio || suspect.again;
    let another = finding.test != Some(suspect.signature.test);
    has_further_sights(finding) && same && after_itself && another
}

/// Whether failures of other tests may be sights of a finding.
pub(super) fn has_further_sights(finding: &Finding) -> bool {
    let outside_call =
        |signature: &Signature| finding.fixture().is_some() || signature.crash.phase != Phase::Call;
    let outside_call = finding.signature.as_ref().is_some_and(outside_call);
    match finding.kind {
        Kind::Broken | Kind::Victim => outside_call,
        Kind::Unreproduced if finding.fails_in_trials_only() => outside_call,
        Kind::Race => finding.fixture().is_some(),
        Kind::Nio => true,
        _ => false,
    }
}
