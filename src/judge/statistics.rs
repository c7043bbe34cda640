//! Exact statistics of small counts.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF, DiscreteCDF, Hypergeometric};

/// How often something failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Runs that gave an answer.
    pub runs: u32,
    /// Those that failed.
    pub failed: u32,
}

impl Tally {
    /// Counts one run in.
    pub fn add(&mut self, failed: bool) {
        self.runs += 1;
        self.failed += u32::from(failed);
    }

    /// Whether every run failed, and there was one.
    pub fn always(self) -> bool {
        self.runs > 0 && self.failed == self.runs
    }

    /// Whether no run failed, and there was one.
    pub fn never(self) -> bool {
        self.runs > 0 && self.failed == 0
    }

    /// The share of runs that failed, 0 if there were none.
    pub fn rate(self) -> f64 {
        if self.runs == 0 { 0.0 } else { f64::from(self.failed) / f64::from(self.runs) }
    }

    /// The exact interval of the rate at 95 % confidence (Clopper & Pearson 1934).
    pub(crate) fn interval(self) -> (f64, f64) {
        let (runs, failed) = (f64::from(self.runs), f64::from(self.failed));
        let quantile = |a: f64, b: f64, p: f64| Beta::new(a, b).map_or(0.0, |beta| beta.inverse_cdf(p));
        let low = if self.failed == 0 { 0.0 } else { quantile(failed, runs - failed + 1.0, 0.025) };
        let high = if self.failed == self.runs { 1.0 } else { quantile(failed + 1.0, runs - failed, 0.975) };
        (low, high)
    }

    /// A rate that the true one is not below, at 90 % confidence (one-sided, Clopper & Pearson 1934); 1
    /// if every run failed.
    pub(crate) fn rate_at_least(self) -> f64 {
        if self.failed == 0 || self.always() {
            return self.rate();
        }
        let (runs, failed) = (f64::from(self.runs), f64::from(self.failed));
        Beta::new(failed, runs - failed + 1.0).map_or(0.0, |beta| beta.inverse_cdf(0.1))
    }

    /// Runs of which one fails, but for a chance of at most `doubt`, at the rate that the true one is not below; 1
    /// if every run failed, and no number is large enough if none did.
    pub(crate) fn runs_to_show(self, doubt: f64) -> u32 {
        match self.rate_at_least() {
            rate if rate <= 0.0 => u32::MAX,
            rate if rate < 1.0 => (doubt.ln() / (1.0 - rate).ln()).ceil() as u32,
            _ => 1,
        }
    }

    /// Runs that all fail by chance, at the rate that was seen, with a probability of at most `doubt`.
    pub(crate) fn runs_against_chance(self, doubt: f64) -> u32 {
        match self.rate() {
            rate if rate <= 0.0 => 1,
            rate if rate < 1.0 => (doubt.ln() / rate.ln()).ceil() as u32,
            _ => u32::MAX,
        }
    }

    /// A rate that the true one is not above, at a confidence between 0 and 1 (one-sided, Clopper & Pearson
    /// 1934); 1 if every run failed or there was none. Where the rate differs from run to run and none
    /// failed, it holds for the mean of the rates.
    pub(crate) fn rate_at_most(self, confidence: f64) -> f64 {
        if self.failed == self.runs {
            return 1.0;
        }
        let (runs, failed) = (f64::from(self.runs), f64::from(self.failed));
        Beta::new(failed + 1.0, runs - failed).map_or(1.0, |beta| beta.inverse_cdf(confidence))
    }

    /// A rate that the true one is not below, at a confidence between 0 and 1 (one-sided, as above); 0 if
    /// no run failed.
    pub(crate) fn rate_not_below(self, confidence: f64) -> f64 {
        if self.failed == 0 {
            return 0.0;
        }
        let (runs, failed) = (f64::from(self.runs), f64::from(self.failed));
        Beta::new(failed, runs - failed + 1.0).map_or(0.0, |beta| beta.inverse_cdf(1.0 - confidence))
    }

    /// How likely it is that `self` fails as often as it does, or more often, if it fails no more than
    /// `other` does: Fisher's exact test, one-sided (Fisher 1935).
    pub(crate) fn chance_against(self, other: Self) -> f64 {
        if self.failed == 0 {
            return 1.0;
        }
        let (runs, failed) = (self.runs + other.runs, self.failed + other.failed);
        Hypergeometric::new(u64::from(runs), u64::from(failed), u64::from(self.runs))
            .map_or(1.0, |distribution| distribution.sf(u64::from(self.failed) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(failed: u32, runs: u32) -> Tally {
        Tally { runs, failed }
    }

    #[test]
    fn a_failure_that_shows_half_of_the_time_needs_some_runs_to_show() {
        assert_eq!(Tally { runs: 8, failed: 8 }.runs_to_show(0.01), 1);
        assert_eq!(Tally { runs: 8, failed: 0 }.runs_to_show(0.01), u32::MAX);
        let half = Tally { runs: 16, failed: 8 }.runs_to_show(0.01);
        let chance = |runs: u32| (1.0 - Tally { runs: 16, failed: 8 }.rate_at_least()).powi(runs as i32);
        assert!(chance(half) <= 0.01 && chance(half - 1) > 0.01, "{half}");
    }

    #[test]
    fn what_fails_by_chance_has_to_fail_in_more_runs_the_oftener_it_does() {
        assert_eq!(tally(0, 20).runs_against_chance(0.001), 1);
        assert_eq!(tally(10, 20).runs_against_chance(0.001), 10, "2^-10 is less than 0.001");
        assert_eq!(tally(4, 20).runs_against_chance(0.001), 5);
        assert_eq!(tally(20, 20).runs_against_chance(0.001), u32::MAX);
    }

    #[test]
    fn the_interval_is_that_of_the_published_tables() {
        let (low, high) = tally(3, 10).interval();
        assert!((low - 0.0667).abs() < 5e-4 && (high - 0.6525).abs() < 5e-4, "{low} {high}");
        assert!((tally(9, 10).rate_at_least() - 0.6632).abs() < 5e-4, "{}", tally(9, 10).rate_at_least());
        assert_eq!((tally(10, 10).rate_at_least(), tally(0, 10).rate_at_least()), (1.0, 0.0));
        assert_eq!(tally(0, 10).interval().0, 0.0);
        assert!((tally(0, 10).interval().1 - 0.3085).abs() < 5e-4);
    }

    #[test]
    fn one_sided_bounds_are_exact_at_their_ends() {
        // 0 of n: 1 - a^(1/n); n of n: a^(1/n).
        assert!((tally(0, 5).rate_at_most(0.95) - (1.0 - 0.05_f64.powf(0.2))).abs() < 1e-6);
        assert!((tally(4, 4).rate_not_below(0.95) - 0.05_f64.powf(0.25)).abs() < 1e-6);
        assert_eq!((tally(0, 0).rate_at_most(0.95), tally(0, 3).rate_not_below(0.95)), (1.0, 0.0));
        assert_eq!(tally(3, 3).rate_at_most(0.95), 1.0);
        // Each is one side of the interval of the published tables.
        let (low, high) = tally(3, 10).interval();
        assert!((tally(3, 10).rate_at_most(0.975) - high).abs() < 1e-9);
        assert!((tally(3, 10).rate_not_below(0.975) - low).abs() < 1e-9);
    }

    #[test]
    fn fishers_test_counts_the_tables_that_are_as_extreme() {
        assert!((tally(4, 10).chance_against(tally(0, 20)) - 210.0 / 27405.0).abs() < 1e-9);
        assert_eq!(tally(0, 10).chance_against(tally(0, 10)), 1.0);
        assert!((tally(3, 3).chance_against(tally(0, 3)) - 0.05).abs() < 1e-9);
    }

    #[test]
    fn where_nothing_was_run_nothing_is_said_of_each_run() {
        assert!(!tally(0, 0).always() && !tally(0, 0).never());
        assert!(tally(1, 1).always() && tally(0, 1).never());
        assert!(!tally(1, 2).always() && !tally(1, 2).never());
    }
}
