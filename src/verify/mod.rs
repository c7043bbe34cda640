//! Whether a fix holds: how many runs it takes to say so, and which.
//!
//! A recorded failure failed in k of n runs, so that its rate is not below the lower bound of that. A fix
//! holds once so many runs have passed that the upper bound of the rate is below it, both exact
//! (Clopper & Pearson 1934) and at the chosen confidence: for a failure that showed in 8 of 8 runs, 3
//! passes at 95 %.

pub(crate) mod neighbourhood;

use serde::{Deserialize, Serialize};

use crate::judge::Tally;

/// What is assumed of a failure whose file does not tell how often it showed.
const UNTOLD: Tally = Tally { runs: 16, failed: 8 };

/// What became of a recorded failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It did not show, often enough for the confidence.
    Holds,
    /// It showed in a fresh pytest process.
    StillFails,
    /// Its plan cannot be made any more, or its runs say nothing.
    CannotTell,
}

/// How sure a verdict has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct VerifyLimits {
    /// Between 0 and 1.
    pub(crate) confidence: f64,
    /// Runs of each stage at most.
    pub(crate) most_runs: u32,
}

/// What has to be shown of a failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Claim {
    /// How often it failed when it was recorded.
    pub(crate) recorded: Tally,
    /// The confidence of both bounds.
    pub(crate) confidence: f64,
}

impl Claim {
    /// The claim for what a file tells.
    pub(crate) fn new(recorded: Option<Tally>, confidence: f64) -> Self {
        Self { recorded: recorded.filter(|tally| tally.failed > 0).unwrap_or(UNTOLD), confidence }
    }

    /// The rate that the recorded failure was not below.
    pub(crate) fn threshold(self) -> f64 {
        self.recorded.rate_not_below(self.confidence)
    }

    /// Whether these runs show that the rate is below what it was.
    pub(crate) fn is_shown_by(self, tally: Tally) -> bool {
        tally.rate_at_most(self.confidence) < self.threshold()
    }

    /// How many runs show it if none of them fails.
    pub(crate) fn runs_needed(self) -> u32 {
        let runs = (1.0 - self.confidence).ln() / (1.0 - self.threshold()).ln();
        let near = runs.floor().clamp(1.0, 1e6) as u32;
        // The estimate is exact but for rounding at its edge.
        (near.saturating_sub(1).max(1)..)
            .find(|&runs| self.is_shown_by(Tally { runs, failed: 0 }))
            .unwrap_or(near)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_failure_that_always_showed_takes_five_passes() {
        let claim = Claim::new(Some(Tally { runs: 4, failed: 4 }), 0.95);
        assert_eq!(claim.runs_needed(), 5);
        assert!(!claim.is_shown_by(Tally { runs: 4, failed: 0 }));
        assert!(!claim.is_shown_by(Tally { runs: 5, failed: 1 }));
        let once = Claim::new(Some(Tally { runs: 1, failed: 1 }), 0.5);
        assert!(
            !once.is_shown_by(Tally { runs: 1, failed: 0 }),
            "as often as it showed at least is not less"
        );
        assert_eq!(once.runs_needed(), 2);
        assert_eq!(Claim::new(None, 0.95), Claim::new(Some(Tally { runs: 16, failed: 8 }), 0.95));
    }

    proptest! {
        #[test]
        fn so_many_runs_are_needed_and_no_fewer(runs in 1_u32..40, failed in 1_u32..40, confidence in 0.5..0.999) {
            let claim = Claim::new(Some(Tally { runs: runs.max(failed), failed }), confidence);
            let needed = claim.runs_needed();
            let passes = |runs| claim.is_shown_by(Tally { runs, failed: 0 });
            prop_assert!(passes(needed));
            prop_assert!(needed == 1 || !passes(needed - 1));
        }
    }
}
