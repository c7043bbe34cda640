//! jostle's handle of a process in a sandbox.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Signal;

use super::protocol::{Said, Signalled, receive, send};
use super::{Exit, SandboxError};

/// A process that was started in a sandbox. When the handle is dropped, or the process ends, all that
/// is left of its process group is killed; what has left the group goes on until the sandbox ends.
///
/// Its descriptor can be polled, and is readable when the process has ended.
#[derive(Debug)]
pub struct SandboxedProcess {
    pid: i32,
    channel: UnixStream,
    exit: Option<Exit>,
}

impl SandboxedProcess {
    pub(super) fn new(pid: i32, channel: UnixStream) -> Self {
        Self { pid, channel, exit: None }
    }

    /// Its number, and its group's, as seen in the sandbox.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Signals its process group. The sandbox's init does it, which knows whether the process has
    /// ended, so that no other process is met; one that has ended is not signalled.
    ///
    /// # Errors
    /// The init cannot be told.
    pub fn kill(&self, signal: Signal) -> Result<(), SandboxError> {
        match send(&self.channel, &Signalled(signal.as_raw()), &[]) {
            Ok(()) => Ok(()),
            // The init closes the socket after it has told of the process's end.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(SandboxError::io("cannot signal a process in the sandbox", error)),
        }
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> Exit {
        let exit = self.exit.unwrap_or_else(|| match receive(&self.channel) {
            Ok(Some((Said::Exited(exit), _))) => exit,
            _ => Exit::SandboxEnded,
        });
        self.exit = Some(exit);
        exit
    }

    /// Waits for its end, but not longer than that.
    pub fn wait_for(&mut self, patience: Duration) -> Option<Exit> {
        let is_over = self.exit.is_some() || is_readable_within(&self.channel, patience);
        is_over.then(|| self.wait())
    }
}

impl AsFd for SandboxedProcess {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }
}

/// Whether a descriptor can be read, or is at its end, within a time.
pub(crate) fn is_readable_within(fd: impl AsFd, patience: Duration) -> bool {
    let start = Instant::now();
    loop {
        let left = Timespec::try_from(patience.saturating_sub(start.elapsed())).ok();
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], left.as_ref()) {
            Err(Errno::INTR) => {}
            Ok(0) => return false,
            _ => return true,
        }
    }
}
