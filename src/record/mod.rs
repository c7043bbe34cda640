//! What is kept on disk between sessions.

pub mod failure_file;
pub mod fix_files;
pub mod speedup_baseline;

pub use failure_file::{FailureFile, RecordError};
pub use speedup_baseline::SpeedupBaseline;
