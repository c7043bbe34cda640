//! What a call does, in words that the harness and `run::syscalls` share.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is done to a resource. They stand in the order of their words, by which calls are sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Takes a port, or a socket's path.
    Bind,
    /// Changes who may do what with a file.
    #[serde(rename = "change the mode of")]
    ChangeMode,
    /// Closes a socket that listens.
    Close,
    /// Closes a file that was open to write.
    #[serde(rename = "close after writing")]
    CloseAfterWriting,
    /// Ends a transaction of a database, with what it changed.
    Commit,
    /// Connects to a port, a socket or a database.
    #[serde(rename = "connect to")]
    ConnectTo,
    /// Makes a file that must not be there.
    Create,
    /// Has a database run a statement.
    Execute,
    /// Has a database run one statement again and again.
    ExecuteMany,
    /// Has a database run statements.
    ExecuteScript,
    /// Writes what is left to write.
    Flush,
    /// Gives a file another name.
    Link,
    /// Reads what is in a folder.
    List,
    /// Waits for others on a port.
    Listen,
    /// Takes a lock on a file, for itself or with others.
    Lock,
    /// Takes a lock on a part of a file that others may share.
    #[serde(rename = "lock to read")]
    LockToRead,
    /// Takes a lock on a part of a file for itself.
    #[serde(rename = "lock to write")]
    LockToWrite,
    /// Asks whether a file is there, or what it is.
    #[serde(rename = "look at")]
    LookAt,
    /// Makes a folder.
    #[serde(rename = "make the folder")]
    MakeFolder,
    /// Opens a file to write at its end.
    #[serde(rename = "open to append")]
    OpenToAppend,
    /// Opens a file.
    #[serde(rename = "open to read")]
    OpenToRead,
    /// Opens a file, be it new, to write.
    #[serde(rename = "open to write")]
    OpenToWrite,
    /// Reads from an open file.
    Read,
    /// Removes a file.
    Remove,
    /// Removes a folder.
    #[serde(rename = "remove the folder")]
    RemoveFolder,
    /// Gives a file another name.
    Rename,
    /// Gives another file this name.
    #[serde(rename = "rename to")]
    RenameTo,
    /// Ends a transaction of a database, without what it changed.
    Rollback,
    /// Cuts a file.
    Truncate,
    /// Gives a lock up.
    Unlock,
    /// Writes to an open file.
    Write,
}

impl Operation {
    /// Whether it tells nothing of what is in the resource.
    pub(crate) fn is_beside_content(self) -> bool {
        matches!(self, Self::ConnectTo | Self::Lock | Self::LockToRead | Self::Unlock)
    }

    /// Whether it ends a transaction of a database by itself.
    pub(crate) fn ends_transaction(self) -> bool {
        matches!(self, Self::Commit | Self::Rollback)
    }

    /// Whether it is what is done at the end, be it after a failure.
    pub(crate) fn is_clean_up(self) -> bool {
        let closes = matches!(self, Self::Close | Self::CloseAfterWriting | Self::Unlock);
        closes || matches!(self, Self::Remove | Self::RemoveFolder) || self.ends_transaction()
    }

    /// Whether it goes on with what is open, as one that reads or writes a file piece by piece does again
    /// and again.
    pub(crate) fn is_transfer(self) -> bool {
        matches!(self, Self::Read | Self::Write | Self::Truncate | Self::Flush | Self::CloseAfterWriting)
    }
}

/// In the words that all formats have: `open to write`.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
