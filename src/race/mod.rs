//! Races between workers: who touches what ([`conflicts`]), in which orders it is worth trying
//! ([`schedules`]), whose turn it is while one is tried ([`turn_scheduler`]), and whether a failure may be our own
//! doing ([`fairness`]).
//!
//! Pure: what was touched and what workers ask for comes in as values.

pub(crate) mod access;
pub(crate) mod conflicts;
pub(crate) mod delay;
pub(crate) mod fairness;
pub(crate) mod likeness;
pub(crate) mod operation;
pub(crate) mod schedules;
pub mod servers;
#[cfg_attr(
    not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))),
    expect(dead_code, reason = "no system calls are seen there")
)]
pub(crate) mod statements;
pub(crate) mod turn_scheduler;
pub(crate) mod trace;

pub(crate) use access::{Access, Call, Effect, Step, Touched};
pub(crate) use operation::Operation;
