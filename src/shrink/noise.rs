//! Bayesian bisection: the search for a lone culprit of a victim that fails only at times.
//!
//! After Burnashev & Zigangirov (1974) and Ben-Or & Hassidim (2008): keep a weight for each element,
//! ask about a set that holds somewhat more than half of the weight, and let each answer change the
//! weights, instead of repeating every question until it can be trusted. Here the noise is one-sided:
//! a set without the culprit never fails, so a failing answer clears all outside the set.

use crate::limits::{CULPRIT_BELIEF, QUESTION_SHARE, QUESTIONS_PER_HALVING};
use crate::shrink::Stopped;

/// Looks for the lone culprit, starting from these weights; in the end, however it comes, they are the odds of each
/// element to be it, and their sum is 1. `fails` runs a set once. None if no element stands out.
///
/// # Errors
/// Those of `fails`.
pub(crate) fn lone_culprit(
    weights: &mut [f64],
    rate: f64,
    fails: &mut dyn FnMut(&[usize]) -> Result<bool, Stopped>,
) -> Result<Option<usize>, Stopped> {
    let rate = rate.clamp(0.05, 0.95);
    let halvings = (weights.len().max(2) as f64).log2().ceil() + 2.0;
    let questions = (halvings * QUESTIONS_PER_HALVING / rate.max(0.25)) as u32;
    for _ in 0..questions {
        normalise(weights);
        let mut by_weight: Vec<usize> = (0..weights.len()).collect();
        by_weight.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]).then(a.cmp(&b)));
        match by_weight.first() {
            Some(&first) if weights[first] >= CULPRIT_BELIEF => return Ok(Some(first)),
            None => return Ok(None),
            Some(_) => {}
        }
        let asked = heaviest(&by_weight, weights);
        let failed = fails(&asked)?;
        for (at, weight) in weights.iter_mut().enumerate() {
            match (failed, asked.binary_search(&at).is_ok()) {
                (true, false) => *weight = 0.0,
                (false, true) => *weight *= 1.0 - rate,
                (true, true) | (false, false) => {}
            }
        }
    }
    normalise(weights);
    Ok(None)
}

fn normalise(weights: &mut [f64]) {
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
}

/// The heaviest elements that together have [`QUESTION_SHARE`] of the weight, ascending. Not those that have all of it:
/// whatever the answer, a question about these would tell nothing.
fn heaviest(by_weight: &[usize], weights: &[f64]) -> Vec<usize> {
    let (mut sum, mut taken) = (0.0, Vec::new());
    for &at in by_weight {
        let all = sum + weights[at] > CULPRIT_BELIEF;
        if sum >= QUESTION_SHARE || (all && !taken.is_empty()) {
            break;
        }
        sum += weights[at];
        taken.push(at);
    }
    taken.sort_unstable();
    taken
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_lone_culprit_is_found_at_any_rate_among_few_and_many() {
        for (tests, rate) in [(2, 0.3), (2, 0.9), (64, 0.3), (64, 0.5), (300, 0.9)] {
            let found = (0..100_u64).filter(|&case| {
                let mut chance = ChaCha8Rng::seed_from_u64(case);
                let culprit = chance.random_range(0..tests);
                let mut weights = vec![1.0; tests];
                let mut once = |set: &[usize]| Ok(set.contains(&culprit) && chance.random_bool(rate));
                lone_culprit(&mut weights, rate, &mut once) == Ok(Some(culprit))
            });
            let found = found.count();
            assert!(found >= 95, "{found} of 100 among {tests} at {rate}");
        }
    }

    #[test]
    fn where_nothing_is_suspected_nothing_is_believed() {
        let mut nothing = [0.0; 2];
        assert_eq!(lone_culprit(&mut nothing, 0.5, &mut |_| Ok(false)), Ok(None));
        assert_eq!(nothing, [0.0; 2]);
        assert_eq!(lone_culprit(&mut [], 0.5, &mut |_| Ok(true)), Ok(None));
    }

    #[test]
    fn where_none_stands_out_each_halving_has_its_questions_and_no_more() {
        for (tests, halvings, rate) in [(2, 1.0, 0.9), (64, 6.0, 0.5), (1000, 10.0, 0.5), (64, 6.0, 0.3)] {
            let mut questions = 0.0;
            let mut never = |_: &[usize]| {
                questions += 1.0;
                Ok(false)
            };
            assert_eq!(lone_culprit(&mut vec![1.0; tests], rate, &mut never), Ok(None));
            let least = halvings * QUESTIONS_PER_HALVING / rate;
            // A few halvings more leave room for bad luck.
            let most = (halvings + 3.0) * QUESTIONS_PER_HALVING / rate;
            assert!(least <= questions && questions <= most, "{questions} questions among {tests} at {rate}");
        }
    }
}
