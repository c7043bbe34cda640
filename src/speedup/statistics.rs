//! Medians and their spread: few runs on a machine that does other things as well.
//!
//! The spread is the median absolute deviation from the median (Hampel 1974), as it stands: half of
//! the runs lie within it. One disturbed run in five moves neither it nor the median far.

use serde::{Deserialize, Serialize};

/// The middle of some values, the mean of the two middle ones if their number is even. None of none.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    Some(if sorted.len() % 2 == 1 { upper } else { f64::midpoint(sorted[half - 1], upper) })
}

/// The median absolute deviation from the median. None of fewer than two values.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let middle = median(values)?;
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    if values.len() < 2 { None } else { median(&distances) }
}

/// What some runs say of the time a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Median, in seconds.
    pub median: f64,
    /// Median absolute deviation, in seconds; unknown of one run.
    pub spread: Option<f64>,
}

/// Which way a time has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Shorter, by more than both spreads together.
    Faster,
    /// Longer, by more than both spreads together.
    Slower,
    /// No further apart than the spreads.
    Same,
    /// One run has no spread.
    Unknown,
}

impl Estimate {
    /// Of times in seconds; none of none.
    pub fn of(seconds: &[f64]) -> Option<Self> {
        Some(Self { median: median(seconds)?, spread: deviation(seconds) })
    }

    /// What became of a time.
    pub(crate) fn change_to(&self, now: &Self) -> Change {
        let (Some(before), Some(after)) = (self.spread, now.spread) else {
            return Change::Unknown;
        };
        let difference = now.median - self.median;
        if difference.abs() <= before + after {
            Change::Same
        } else if difference < 0.0 {
            Change::Faster
        } else {
            Change::Slower
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_disturbed_run_moves_little() {
        let estimate = Estimate::of(&[2.0, 2.1, 9.0, 2.2, 1.9]).unwrap();
        assert!((estimate.median - 2.1).abs() < 1e-9);
        assert!((estimate.spread.unwrap() - 0.1).abs() < 1e-9);
        assert_eq!(Estimate::of(&[]), None);
        assert_eq!(Estimate::of(&[2.0]).unwrap().spread, None);
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn a_change_is_one_beyond_both_spreads() {
        let of = |median, spread| Estimate { median, spread };
        let before = of(10.0, Some(0.5));
        assert_eq!(before.change_to(&of(10.9, Some(0.5))), Change::Same);
        assert_eq!(before.change_to(&of(11.1, Some(0.5))), Change::Slower);
        assert_eq!(before.change_to(&of(8.9, Some(0.5))), Change::Faster);
        assert_eq!(before.change_to(&of(8.9, None)), Change::Unknown);
    }

    proptest! {
        #[test]
        fn half_of_the_values_lie_within_the_spread(values in proptest::collection::vec(0.0..1e6_f64, 2..40)) {
            let estimate = Estimate::of(&values).unwrap();
            let (median, spread) = (estimate.median, estimate.spread.unwrap());
            let below = values.iter().filter(|&&value| value <= median).count();
            let within = values.iter().filter(|&&value| (value - median).abs() <= spread + 1e-6).count();
            prop_assert!(2 * below >= values.len() && 2 * within >= values.len());
        }

        #[test]
        fn order_does_not_matter_and_scale_carries_over(
            mut values in proptest::collection::vec(0.001..1e3_f64, 2..20)
        ) {
            let estimate = Estimate::of(&values).unwrap();
            values.reverse();
            prop_assert_eq!(Estimate::of(&values), Some(estimate));
            let doubled: Vec<f64> = values.iter().map(|value| value * 2.0).collect();
            let twice = Estimate::of(&doubled).unwrap();
            prop_assert!((twice.median - 2.0 * estimate.median).abs() < 1e-9);
            prop_assert!((twice.spread.unwrap() - 2.0 * estimate.spread.unwrap()).abs() < 1e-9);
        }
    }
}
