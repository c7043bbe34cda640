//! The page: what a command found as one file for a browser, for who gets a link from continuous integration.
//!
//! It fetches nothing: styles and script stand in it, and its Content-Security-Policy admits these two by their hashes and
//! nothing else. All text goes through maud, which escapes it. What is told without the script is whole; the script draws
//! runs in full and copies commands.

mod command;
pub(crate) mod conflicts;
mod curve;
mod finding;
mod frame;
mod graph;
mod heat;
pub(crate) mod history;
mod matrix;
mod overview;
mod packed;
mod patch;
mod rates;
mod session;
pub(crate) mod sources;
pub(crate) mod speedup;
mod tests;
mod timeline;
pub(crate) mod trials;
pub(crate) mod verify;

pub(crate) use frame::{About, MARK};
pub(crate) use session::{of_replay, page};
