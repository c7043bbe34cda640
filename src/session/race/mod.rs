//! The race phase: what tests touch is recorded, and pairs in conflict are run under control.

pub(crate) mod recording;
pub(crate) mod pairs;
pub(crate) mod campaign;
pub(crate) mod reruns;
pub(crate) mod probe_effect;
pub(crate) mod gathering;
mod delays;
mod waiting;
pub(crate) mod scripted;
mod tests;
