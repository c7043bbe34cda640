//! A fix for a finding: which are worth trying, and what trying them shows.

pub(crate) mod search;
pub(crate) mod together;
pub(crate) mod trying;
pub(crate) mod control;
pub(crate) mod patched;
pub(crate) mod proposals;
pub(crate) mod edits;
