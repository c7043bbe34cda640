//! Suspects: what the recorded trials say of each test, for nothing.
//!
//! A trial in which the victim passed clears the tests before it, unless a cleaner came between; one
//! in which it failed clears those that were not before it, unless another polluter was.

use std::collections::BTreeSet;

use crate::limits::{CLEARED, LEAST_SUSPICION};
use crate::suite::TestIndex;

/// The weight of each of some tests as a lone culprit, from 0 to 1, given the tests before the victim
/// in recorded runs with whether it failed, and how often it fails with its culprit present.
pub(crate) fn weights(tests: &[TestIndex], seen: &[(Vec<TestIndex>, bool)], rate: f64) -> Vec<f64> {
    let passing = 1.0 - rate * (1.0 - CLEARED);
    let mut weights = vec![1.0; tests.len()];
    for (before, failed) in seen {
        let before: BTreeSet<TestIndex> = before.iter().copied().collect();
        for (weight, test) in weights.iter_mut().zip(tests) {
            let factor = match (failed, before.contains(test)) {
                (true, true) | (false, false) => 1.0,
                (true, false) => CLEARED,
                (false, true) => passing,
            };
            *weight = f64::max(*weight * factor, LEAST_SUSPICION);
        }
    }
    weights
}

/// The most suspected tests, as positions, if they are few enough for a question about them alone to
/// be worth its cost.
pub(crate) fn prime(weights: &[f64]) -> Option<Vec<usize>> {
    let highest = weights.iter().copied().fold(0.0, f64::max);
    let prime: Vec<usize> = (0..weights.len()).filter(|&at| weights[at] >= highest * 0.999).collect();
    (prime.len() * 2 <= weights.len() && !prime.is_empty()).then_some(prime)
}
