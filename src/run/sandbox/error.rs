//! Why there is no sandbox: which facility of the kernel is missing, and what can be done.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A step of making a sandbox; the one that failed tells what is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// unshare(2) of a user namespace, and its maps.
    UserNamespace,
    /// unshare(2) of another kind of namespace.
    Namespace { kind: String },
    /// Mounting at all: making mounts private, and a tmpfs.
    Mount { folder: PathBuf },
    /// Attributes that overlayfs keeps on a tmpfs.
    Attributes,
    /// An overlay.
    Overlay { folder: PathBuf },
    /// Showing a part of the host as it is.
    Bind { folder: PathBuf },
    /// A proc of the PID namespace.
    Proc,
    /// Making the new root the root.
    Root,
    /// Bringing the loopback interface up.
    Loopback,
    /// Anything else.
    Other { what: String },
}

/// The facility that keeps a sandbox from being had here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Namespaces and overlays are Linux's.
    #[error(
        "sandboxes need Linux; on this system trials can only be given a temporary folder and a home of their own"
    )]
    Linux,
    /// A user namespace, which everybody but root needs.
    #[error("cannot make a user namespace: {found}; {remedy}")]
    UserNamespaces {
        /// The setting that forbids it, or what the system said.
        found: String,
        /// What the user can do.
        remedy: String,
    },
    /// Another kind of namespace.
    #[error("cannot make a {kind} namespace: {found}; {remedy}")]
    Namespace {
        /// `mount`, `pid`, `net`, `ipc` or `uts`.
        kind: String,
        /// What the system said.
        found: String,
        /// What the user can do.
        remedy: String,
    },
    /// Mounting, which containers forbid by seccomp or by a security module.
    #[error("cannot mount {folder} in a namespace of our own: {found}; {remedy}")]
    Mounting {
        /// What was to be mounted, or where.
        folder: String,
        /// What the system said.
        found: String,
        /// What the user can do.
        remedy: String,
    },
    /// overlayfs, or the kind of it that is needed.
    #[error("cannot mount an overlay over {folder}: {found}; {remedy}")]
    Overlay {
        /// Over what.
        folder: PathBuf,
        /// What is known of why.
        found: String,
        /// What the user can do.
        remedy: String,
    },
    /// Owners and groups that a user namespace does not know.
    #[error(
        "{} can be written, but belongs to another user or group, which nobody but root can change in a sandbox; give \
         the project to your own group with `chgrp -R`, run as root, or with --sandbox off", path.display()
    )]
    Owners {
        /// The first such file or folder.
        path: PathBuf,
    },
    /// A step that no known setting forbids.
    #[error("cannot set up the sandbox ({what}): {found}; run with --sandbox off, and report this")]
    Other {
        /// What was tried.
        what: String,
        /// What the system said.
        found: String,
    },
}

/// Why something with a sandbox did not work.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There can be none.
    #[error("no sandbox: {0}")]
    Missing(#[from] Missing),
    /// The program could not be started in it.
    #[error(
        "cannot start {program} in the sandbox: {source}; it must exist there, and so must its folder {cwd}"
    )]
    Start {
        /// The program.
        program: String,
        /// Where it was to start.
        cwd: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The sandbox has ended: something outside of it killed its first process.
    #[error("the sandbox has ended; it was killed from outside, maybe for want of memory: try again")]
    Ended,
    /// An operating-system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl SandboxError {
    #[cfg(target_os = "linux")]
    pub(super) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), source: source.into() }
    }
}
