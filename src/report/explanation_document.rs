//! What is known of the state behind a failure, in the JSON report.

use serde::Serialize;

use crate::explain::{Explanation, Fix, NoFix};
use crate::state::Place;

/// An [`Explanation`]; who else has to do with its places stands beside it in the report.
#[derive(Debug, Serialize)]
pub(crate) struct ExplanationDocument {
    confirmed: bool,
    places: Vec<PlaceDocument>,
    jointly: bool,
    alone: bool,
    others: usize,
    changed: usize,
    cut_off: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<String>,
    fix: Option<Fix>,
    no_fix: Option<NoFix>,
    experiments: u32,
    why: Option<String>,
}

#[derive(Debug, Serialize)]
struct PlaceDocument {
    #[serde(flatten)]
    place: Place,
    /// `low_confidence` as version 0.1.0 calls it.
    weak: bool,
}

impl ExplanationDocument {
    /// What the report has of an explanation.
    pub(crate) fn new(explanation: &Explanation) -> Self {
        let place = |place: &Place| PlaceDocument { place: place.clone(), weak: place.low_confidence };
        Self {
            confirmed: explanation.confirmed,
            places: explanation.places.iter().map(place).collect(),
            jointly: explanation.jointly,
            alone: explanation.alone,
            others: explanation.others,
            changed: explanation.changed,
            cut_off: explanation.cut_off,
            unread: explanation.unread.clone(),
            fix: explanation.fix.clone(),
            no_fix: explanation.no_fix.clone(),
            experiments: explanation.experiments,
            why: explanation.why.clone(),
        }
    }
}
