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

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(indices: &[u32]) -> Vec<TestIndex> {
        indices.iter().copied().map(TestIndex).collect()
    }

    #[test]
    fn a_run_clears_those_that_it_speaks_for_as_far_as_it_can_be_trusted() {
        let weigh = |before: &[u32], failed, rate| weights(&tests(&[1, 2]), &[(tests(before), failed)], rate);
        let near = |weights: Vec<f64>, expected: [f64; 2]| {
            assert!(
                weights.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9),
                "{weights:?} {expected:?}"
            );
        };
        near(weigh(&[1], true, 1.0), [1.0, CLEARED]);
        near(weigh(&[1], false, 1.0), [CLEARED, 1.0]);
        near(weigh(&[1], false, 0.0), [1.0, 1.0]);
        near(weigh(&[1], false, 0.5), [f64::midpoint(1.0, CLEARED), 1.0]);
        near(weigh(&[], true, 1.0), [CLEARED, CLEARED]);
    }

    #[test]
    fn what_several_runs_say_counts_together_and_clears_nobody_for_good() {
        let run = (tests(&[1]), true);
        let twice = weights(&tests(&[1, 2]), &[run.clone(), run.clone()], 1.0);
        assert!((twice[1] - (CLEARED * CLEARED).max(LEAST_SUSPICION)).abs() < 1e-12);
        let often = weights(&tests(&[1, 2]), &vec![run; 100], 1.0);
        assert_eq!(often, [1.0, LEAST_SUSPICION]);
    }

    #[test]
    fn the_most_suspected_are_asked_about_alone_if_they_are_half_at_most() {
        assert_eq!(prime(&[1.0, 0.2, 1.0, 0.2]), Some(vec![0, 2]));
        assert_eq!(prime(&[1.0, 0.2, 1.0]), None);
        assert_eq!(prime(&[1.0, 0.2, 1.0, 0.2, 1.0]), None);
        assert_eq!(prime(&[]), None);
    }
}
