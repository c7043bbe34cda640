//! What is kept on disk: failure files.

pub mod failure_file;

pub use failure_file::{FailureFile, RecordError};
