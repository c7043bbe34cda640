//! Reports: a session's outline as text for people and as JSON for programs.

pub(crate) mod document;
pub(crate) mod terminal;
pub(crate) mod streamed;
mod account;
mod brief;
mod conclusion;
pub(crate) mod links;
mod manner;
mod patch;
mod summary;
pub(crate) mod tokens;
pub(crate) mod conflicts;
pub(crate) mod doctor;
pub(crate) mod fixes;
mod explanation;
mod explanation_document;
pub(crate) mod again;
pub(crate) mod entry;
pub(crate) mod junit;
pub(crate) mod code_quality;
pub(crate) mod sarif;
pub(crate) mod kinds;
pub(crate) mod github;
mod given_up;
mod other_victims;
pub(crate) mod gitlab;
pub(crate) mod speedup;
pub(crate) mod speedup_document;
pub(crate) mod replay;
mod replay_document;
pub(crate) mod leaks;
pub(crate) mod leaks_document;
pub(crate) mod verify;
pub(crate) mod page;
pub(crate) mod history;
pub(crate) mod progress;
pub(crate) mod words;
pub(crate) mod samples;
mod tests;
mod evidence;

pub(crate) use again::Again;
pub(crate) use document::Document;
pub(crate) use manner::Manner;
pub(crate) use replay_document::ReplayDocument;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Only what was found.
    Quiet,
    /// The usual.
    Normal,
    /// More.
    Verbose,
}
