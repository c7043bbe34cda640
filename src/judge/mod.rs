//! Judging: what a trial's outcomes mean.
//!
//! Pure: [`decide`](case::decide) looks at the evidence so far and says either what to run next or
//! what the failure is. Whoever calls it runs the plans and adds to the evidence.

pub mod signature;
pub mod site;
pub mod statistics;
pub mod case;
pub mod observation;
pub mod unstable;
pub mod patched;

pub use case::{Evidence, Facts, Next, Question, Verdict, decide};
pub use signature::Signature;
pub use statistics::Tally;
