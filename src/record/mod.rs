//! What is kept on disk between sessions.

pub mod failure_file;
pub mod fix_files;
pub mod history_file;
pub mod history_index;
pub mod journal;
mod journal_changed;
pub mod journal_file;
pub mod night;
pub mod speedup_baseline;
pub mod atomic_file;

pub use failure_file::{FailureFile, RecordError};
pub use history_index::HistoryIndex;
pub use journal_file::Journal;
pub use speedup_baseline::SpeedupBaseline;
