//! What several workers gain: from measured runs to medians, speedups and what limits them.
//!
//! Pure functions of values: the runs are measured elsewhere (`run::measure`, `session::speedup`).

pub mod statistics;
pub(crate) mod timing;
pub(crate) mod outcomes;
pub(crate) mod limits;
pub(crate) mod summary;
pub(crate) mod compare;

pub(crate) use summary::{Row, Summary, summarise};
pub(crate) use timing::Timing;
