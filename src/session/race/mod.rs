//! The race phase: what tests touch is recorded, and pairs in conflict are run under control.

pub mod recording;
pub mod pairs;
pub mod campaign;
pub mod reruns;
pub mod probe_effect;
pub mod gathering;
mod delays;
mod waiting;
