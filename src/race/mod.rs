//! Races between workers: who touches what ([`conflicts`]), in which orders it is worth trying
//! ([`schedules`]), whose turn it is while one is tried ([`turn_scheduler`]), and whether a failure may be our own
//! doing ([`fairness`]).
//!
//! Pure: what was touched and what workers ask for comes in as values.

pub mod access;
pub mod conflicts;
pub mod delay;
pub mod fairness;
pub mod likeness;
pub mod operation;
pub mod schedules;
pub mod turn_scheduler;
pub mod trace;

pub use access::{Access, Call, Effect, Step, Touched};
pub use conflicts::{Conflict, conflicts};
pub use operation::Operation;
