//! What a trial leaves behind on the disk.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A path that differs from what the sandbox started with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Leftover {
    /// The absolute path, as seen in the sandbox.
    pub path: PathBuf,
    /// What became of it.
    pub change: Change,
    /// What it is now, or was, if it is removed.
    pub kind: LeftoverKind,
    /// Bytes of a file's content or of a link's target; of what was removed, those it had; 0 of all else.
    pub size: u64,
}

/// What became of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was not there.
    Created,
    /// Its content, time of last change, mode, owner or kind is another.
    Changed,
    /// It is there no more. What was in a removed folder is not listed.
    Removed,
}

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "their names say it")]
pub enum LeftoverKind {
    File,
    Folder,
    Link,
    Socket,
    Pipe,
    Device,
}
