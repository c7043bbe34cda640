//! Explaining: from a minimal plan to the place of shared state behind it.
//!
//! Pure: a difference of state is no cause, so every claim comes from an [`Experiment`], in which the
//! tests before the last one run, some of what they changed is put back, and the last one shows whether
//! that mattered. What could not be shown so is not claimed.

pub(crate) mod cause;
pub mod fix;
mod related;

use crate::state::Place;
use serde::Serialize;

pub(crate) use cause::{Answer, Cause, Experiment, as_a_whole, find, tiers};
pub(crate) use related::{InTurn, RelatedTests};

/// A change of the project, tried in a copy of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// A unified diff, relative to rootdir. What is not UTF-8 in a file is U+FFFD here, and as it is in a patch
    /// that is made of `edits`.
    pub diff: String,
    /// The change.
    #[serde(skip)]
    pub(crate) edits: Vec<fix::Edit>,
    /// How many trials of the whole suite it was tried in, besides the failing plan: suite order, its reverse and
    /// seeded ones. None of them speaks against it.
    pub trials: u32,
    /// In how many of them the test failed all the same, for a reason that was seen without the change as well; it
    /// passed in the others.
    pub fails_anyway: u32,
    /// With the fixes of how many other findings it was tried together in these trials; with the failing plan it was tried
    /// by itself.
    pub(crate) together_with: u32,
    /// Whether, of those trials, suite order and its reverse were run without these others.
    #[serde(skip)]
    pub(crate) order_apart: bool,
    /// How many of those in which it passed had several workers.
    pub parallel: u32,
    /// With how many tests in conflict those that were changed were raced under control; none failed that does
    /// not fail so without the change.
    pub raced: u32,
    /// Whether `git apply` was seen to take it; else there was no git.
    pub(crate) git_applied: bool,
}

/// Why no fix is shown of a place that was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoFix {
    /// The sort of reason.
    pub why: NoFixReason,
    /// The reason in a few words.
    pub says: String,
}

/// The sort of reason for which no fix is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoFixReason {
    /// None is known for this kind of place.
    Unknown,
    /// One is known, and the file cannot be edited safely.
    NotEditable,
    /// No copy of the project can be had, or be run as the project is.
    NotTried,
    /// Each that was tried left the failure, harmed another test or could not be shown to do neither.
    Refuted,
    /// The session ended, or its time was used up, before one had been tried to the end.
    NoTime,
}

/// What is known of the state behind a failure; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Whether the places were shown to be the cause, in a fresh pytest process as well.
    pub confirmed: bool,
    /// With `confirmed`, the cause; without, the places that had changed and could not be shown to be it.
    pub places: Vec<Place>,
    /// Whether it takes all of the places together, and not each one, to undo the failure.
    pub(crate) jointly: bool,
    /// Whether restoring other places was seen to leave the failure as it is.
    pub alone: bool,
    /// How many other places were put back together for that; 0 if it was not seen.
    pub others: usize,
    /// How many places had changed.
    pub changed: usize,
    /// Whether there was more state than could be looked at.
    pub(crate) cut_off: bool,
    /// Places that the user has named and that could not be read, each with the reason.
    pub(crate) unread: Vec<String>,
    /// Fixtures of a wider scope that were set up by then.
    pub fixtures: Vec<Place>,
    /// Who else pollutes the place, suffers from it, or resets it.
    pub related_tests: RelatedTests,
    /// A change that was seen to undo the failure for good.
    pub fix: Option<Fix>,
    /// With `confirmed` and no fix, why there is none.
    pub no_fix: Option<NoFix>,
    /// How many experiments were made.
    pub(crate) experiments: u32,
    /// Why nothing is confirmed.
    pub why: Option<String>,
}

impl Explanation {
    /// Whether a fix was looked for, and the time was over before one had been tried to the end.
    pub(crate) fn lacks_time_for_a_fix(&self) -> bool {
        self.no_fix.as_ref().is_some_and(|none| none.why == NoFixReason::NoTime)
    }
}
