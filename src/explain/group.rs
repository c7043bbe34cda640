//! Findings with one cause, told as a group.

use std::collections::BTreeSet;

use crate::judge::finding::Finding;
use crate::suite::TestIndex;

/// The findings of one place of shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The place's name.
    pub place: String,
    /// The tests that leave it changed, over all findings.
    pub polluters: BTreeSet<TestIndex>,
    /// The tests whose outcome it changes.
    pub victims: BTreeSet<TestIndex>,
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
        let polluters = finding.causes().0.iter().copied();
        let victims = finding.test.into_iter().chain(finding.also.iter().copied());
        match groups.iter_mut().find(|group| group.place == place.name) {
            Some(group) => {
                group.polluters.extend(polluters);
                group.victims.extend(victims);
            }
            None => groups.push(Group {
                place: place.name.clone(),
                polluters: polluters.collect(),
                victims: victims.collect(),
            }),
        }
    }
    groups
}
