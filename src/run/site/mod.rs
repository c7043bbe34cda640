//! Where trials run, and what they leave there.

pub mod trial_env;
pub(crate) mod workspace;
pub(crate) mod leftovers;
