//! Reports: a session's outline as text for people and as JSON for programs.

pub mod document;
pub mod terminal;
pub mod conflicts;
mod explanation;
mod explanation_document;
pub mod entry;
pub mod junit;
pub mod code_quality;
pub mod github;
mod given_up;
pub mod gitlab;
pub mod speedup;
pub mod speedup_document;
pub mod verify;
pub mod history;
pub mod progress;
pub mod words;
mod samples;
mod tests;

pub use document::Document;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only what was found.
    Quiet,
    /// The usual.
    Normal,
    /// More.
    Verbose,
}
