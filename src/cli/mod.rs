//! The command line: what the user typed becomes one immutable value, and results become an exit code.

pub mod args;
pub mod isolation_options;
pub mod config;
mod journal_options;
pub mod options;
pub mod profile;
pub mod result_options;
pub mod revision;
pub mod seed;
pub mod speedup_options;
pub mod exit_code;
pub mod wrong_usage;
pub mod commands;
pub mod values;

pub use exit_code::ExitCode;
