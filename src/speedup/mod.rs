//! What several workers gain: from measured runs to medians, speedups and what limits them.
//!
//! Pure functions of values: the runs are measured elsewhere (`run::measure`, `session::speedup`).

pub mod statistics;
pub mod timing;
pub mod outcomes;
pub mod limits;
pub mod summary;
pub mod compare;

pub use limits::{Limit, Parts, Unit};
pub use statistics::Estimate;
pub use summary::{Row, Summary, summarise};
pub use timing::Timing;
