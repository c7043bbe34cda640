//! Judging: what a trial's outcomes mean.
//!
//! Pure: [`decide`](verdict::decide) looks at the evidence so far and says either what to run next or
//! what the failure is. Whoever calls it runs the plans and adds to the evidence.

pub(crate) mod signature;
pub(crate) mod site;
pub(crate) mod statistics;
pub(crate) mod verdict;
pub(crate) mod observation;
pub(crate) mod unstable;
pub(crate) mod patched;
pub(crate) mod like_with_like;

pub use signature::Signature;
pub(crate) use statistics::Tally;
pub(crate) use verdict::{Evidence, Facts, Next, Question, Verdict, decide};
