//! jostle finds the isolation failures of a pytest suite, shrinks each to the smallest combination
//! of tests that still shows it, and tells them apart from everything that only looks like one.
//!
//! Data flows one way; the modules stand in that order:
//!
//! ```text
//! collect → plan → run → judge → shrink → explain → report
//! ```
//!
//! The modules below stand in the order of their knowledge: none imports one that stands after it, and no two files of
//! different folders import each other. `tests/rooms.rs` holds both.
//!
//! - From [`parse`] to [`logs`] all are pure: no clock, no file, no process, no global state.
//! - [`run`] starts and ends the suite's processes, and gives each trial the place it runs in. Two others are started
//!   beside it: `cli` asks git for the project's revision, and pip for what the demo needs.
//! - The disk is touched by [`run`] (places of trials, copies of a project), by [`record`] (journals, failure files,
//!   histories), by [`session`] where a patch is written or tried, and by [`cli`] (settings, reports).
//! - Nothing below [`cli`] knows clap, and nothing but [`cli`] and [`report`] prints.
//!
//! What no test of `tests/`, no benchmark and not `main.rs` needs is `pub(crate)`, so that the compiler sees what is dead.

pub(crate) mod parse;
pub mod limits;
pub mod formats;
pub mod suite;
pub mod plan;
pub(crate) mod race;
pub mod state;
pub mod trial;
pub mod judge;
pub mod shrink;
pub mod explain;
pub mod finding;
pub(crate) mod verify;
pub(crate) mod leaks;
pub mod speedup;
pub mod history;
pub(crate) mod logs;
pub mod run;
pub mod record;
pub mod session;
pub(crate) mod report;
pub mod cli;
