//! The command line: what the user typed becomes one immutable value, and results become an exit code.

pub mod args;
pub(crate) mod isolation_options;
pub mod config;
mod journal_options;
mod tests_file;
mod suspicion;
pub mod options;
pub(crate) mod profile;
mod page_file;
mod typed_again;
pub(crate) mod result_options;
pub(crate) mod revision;
pub(crate) mod seed;
pub(crate) mod speedup_options;
pub(crate) mod exit_code;
pub mod wrong_usage;
pub mod commands;
pub(crate) mod values;

pub use exit_code::ExitCode;
