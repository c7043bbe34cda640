//! Where trials run, and what they leave there.

pub mod trial_env;
pub mod workspace;
pub(crate) mod leftovers;
