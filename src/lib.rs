//! jostle finds the isolation failures of a pytest suite, shrinks each to the smallest combination
//! of tests that still shows it, and tells them apart from everything that only looks like one.
//!
//! Data flows one way; the modules stand in that order:
//!
//! ```text
//! collect → plan → run → judge → shrink → explain → report
//! ```
//!
//! Invariants of the architecture:
//! - [`logs`], [`plan`], [`race`], [`judge`], [`shrink`], [`explain`], [`verify`], [`speedup`] and [`history`] are pure: no
//!   clock, no file, no process, no global state.
//! - Only [`run`] starts or ends processes. Only [`record`] and `run::workspace` touch the disk.
//! - Nothing below [`cli`] knows clap, and nothing but [`cli`] and [`report`] prints.

pub mod parse;
pub mod suite;
pub mod plan;
pub mod race;
pub mod run;
pub mod judge;
pub mod shrink;
pub mod explain;
pub mod verify;
pub mod speedup;
pub mod history;
pub mod logs;
pub mod session;
pub mod record;
pub mod report;
pub mod cli;
