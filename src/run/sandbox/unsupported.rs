//! The interface on systems that have no sandbox: nothing can be made, so nothing can be asked.

use std::convert::Infallible;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;

use super::{Awaited, Exit, Missing, SandboxError, SandboxOptions, SandboxedCommand};
use crate::trial::Leftover;

/// A sandbox that others are made on top of; there is none on this system.
#[derive(Debug)]
pub struct Base(Infallible);

/// A sandbox; there is none on this system.
#[derive(Debug)]
pub struct Sandbox(Infallible);

/// A process in a sandbox; there is none on this system.
#[derive(Debug)]
pub struct SandboxedProcess(Infallible);

/// The descriptors of a sandbox's namespaces; there are none on this system.
#[derive(Debug)]
#[expect(missing_docs, reason = "as on Linux")]
pub struct Namespaces {
    pub user: Option<OwnedFd>,
    pub mount: OwnedFd,
    pub pid: OwnedFd,
    pub(crate) ipc: OwnedFd,
    pub(crate) host_name: OwnedFd,
    pub network: Option<OwnedFd>,
}

/// Says that there is no sandbox.
///
/// # Errors
/// Always [`Missing::Linux`].
pub fn probe(_: &Path) -> Result<(), Missing> {
    Err(Missing::Linux)
}

/// Has nothing to look at.
///
/// # Errors
/// None.
pub fn check_owners(_: &Path) -> Result<(), Missing> {
    Ok(())
}

/// Does nothing: nobody calls the hidden command here.
pub(crate) fn sandbox_main() {}

#[expect(missing_docs, clippy::missing_errors_doc, reason = "as on Linux")]
impl Base {
    pub fn start(_: &Path, _: &SandboxOptions) -> Result<Self, SandboxError> {
        Err(Missing::Linux.into())
    }

    pub fn sandbox(&self) -> &Sandbox {
        match self.0 {}
    }

    pub fn on(&self) -> Result<Self, SandboxError> {
        match self.0 {}
    }
}

#[expect(missing_docs, clippy::missing_errors_doc, reason = "as on Linux")]
impl Sandbox {
    pub fn on(base: &Base) -> Result<Self, SandboxError> {
        match base.0 {}
    }

    pub fn start(&self, _: SandboxedCommand) -> Result<SandboxedProcess, SandboxError> {
        match self.0 {}
    }

    pub(crate) fn await_in(&self, _: Awaited) -> Result<SandboxedProcess, SandboxError> {
        match self.0 {}
    }

    pub fn namespaces(&self) -> &Namespaces {
        match self.0 {}
    }

    pub fn read_only(&self) -> &[PathBuf] {
        match self.0 {}
    }

    pub fn leftovers(&self, _: &Path) -> Result<Vec<Leftover>, SandboxError> {
        match self.0 {}
    }

    pub fn stop(&self) {
        match self.0 {}
    }
}

#[expect(missing_docs, clippy::missing_errors_doc, reason = "as on Linux")]
impl SandboxedProcess {
    pub fn pid(&self) -> i32 {
        match self.0 {}
    }

    pub fn kill(&self, _: Signal) -> Result<(), SandboxError> {
        match self.0 {}
    }

    pub fn wait(&mut self) -> Exit {
        match self.0 {}
    }

    pub fn wait_for(&mut self, _: Duration) -> Option<Exit> {
        match self.0 {}
    }
}

impl AsFd for SandboxedProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self.0 {}
    }
}
