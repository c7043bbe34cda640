//! The project's own sources, and copies of it.

pub mod source;
pub mod git;
pub(crate) mod copy;
