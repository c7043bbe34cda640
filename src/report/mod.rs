//! Reports: a session's outline as text for people and as JSON for programs.

pub mod document;
pub mod terminal;
pub mod progress;
pub mod words;

pub use document::Document;
