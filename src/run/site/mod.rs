//! Where trials run, and what they leave there.

pub mod surroundings;
pub mod workspace;
pub(crate) mod leftovers;
