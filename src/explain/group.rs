//! Who has to do with one place of shared state, and findings with one cause, told as a group.

use std::collections::BTreeSet;

use crate::judge::Signature;
use crate::judge::finding::Finding;
use crate::suite::TestIndex;

/// The tests besides those of a finding that have to do with its place; each was seen to, in a fresh process
/// as well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circle {
    /// Tests that leave the place changed, so that the victim fails after them.
    pub polluters: BTreeSet<TestIndex>,
    /// Tests that fail after the polluter, and pass once the place is put back.
    pub victims: BTreeSet<Signature>,
    /// Tests that reset the place: between polluter and victim, the victim passes.
    pub cleaners: BTreeSet<TestIndex>,
    /// Whether all tests of the suite were looked at.
    pub whole: bool,
}

/// The findings of one place of shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The place's name.
    pub place: String,
    /// The tests that leave it changed, over all findings.
    pub polluters: BTreeSet<TestIndex>,
    /// The tests whose outcome it changes.
    pub victims: BTreeSet<TestIndex>,
    /// The tests that reset it.
    pub cleaners: BTreeSet<TestIndex>,
}

/// The confirmed causes, in the order of the findings.
pub fn groups(findings: &[Finding]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for finding in findings {
        let Some(explanation) = finding.explanation.as_ref().filter(|explanation| explanation.confirmed)
        else {
            continue;
        };
        let Some(place) = explanation.places.first() else {
            continue;
        };
        let at = groups.iter().position(|group| group.place == place.name).unwrap_or_else(|| {
            let (polluters, victims, cleaners) = Default::default();
            groups.push(Group { place: place.name.clone(), polluters, victims, cleaners });
            groups.len() - 1
        });
        let (group, circle) = (&mut groups[at], &explanation.circle);
        group.polluters.extend(finding.causes().0.iter().chain(&circle.polluters));
        group.victims.extend(finding.test.iter().chain(&finding.also));
        group.victims.extend(circle.victims.iter().map(|signature| signature.test));
        group.cleaners.extend(&circle.cleaners);
    }
    groups
}
