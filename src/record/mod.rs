//! What is kept on disk between sessions.

pub(crate) mod failure_file;
pub(crate) mod fix_files;
pub mod kept_fix;
pub(crate) mod last_session;
pub mod history_file;
pub mod history_index;
pub mod journal_format;
mod journal_changed;
pub(crate) mod journal_file;
pub(crate) mod night;
pub(crate) mod speedup_baseline;
pub(crate) mod leaks_baseline;
pub(crate) mod leaks_report;
pub(crate) mod atomic_file;

pub use failure_file::FailureFile;
pub(crate) use failure_file::RecordError;
pub use history_index::HistoryIndex;
pub use journal_file::Journal;
pub(crate) use leaks_baseline::LeaksBaseline;
pub use speedup_baseline::SpeedupBaseline;
