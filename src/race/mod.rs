//! Races between workers: who touches what ([`conflicts`]), in which orders it is worth trying
//! ([`schedules`]), and whose turn it is while one is tried ([`turns`]).
//!
//! Pure: what was touched and what workers ask for comes in as values.

pub mod access;
pub mod conflicts;
pub mod schedules;
pub mod turns;
pub mod story;

pub use access::{Access, Call, Step, Touched};
pub use conflicts::{Conflict, conflicts};
