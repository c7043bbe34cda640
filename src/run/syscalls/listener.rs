//! The kernel's side of a listener: the three things that can be done with it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

use libc::{
    SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
    SECCOMP_USER_NOTIF_FLAG_CONTINUE, seccomp_notif, seccomp_notif_resp,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// What waiting for a call came to.
pub(super) enum Waited {
    /// A call waits for an answer.
    Call(seccomp_notif),
    /// Nothing in that time.
    Nothing,
    /// No process has the filter any more.
    Over,
}

/// Hears of the calls of all processes that have the filter.
#[derive(Debug)]
pub(super) struct Listener(OwnedFd);

/// The kernel wakes the one that waits on the core of the one that called (`SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP`, Linux
/// 6.6), which saves the way to another core and back.
const SAME_CORE: u64 = 1;

impl Listener {
    /// Listens; on an earlier kernel it takes longer to be woken.
    #[expect(unsafe_code, reason = "no crate knows this request")]
    pub(super) fn new(listener: OwnedFd) -> Self {
        // SAFETY: the request takes a number.
        unsafe { libc::ioctl(listener.as_raw_fd(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SAME_CORE) };
        Self(listener)
    }

    /// Waits for the next call, at most so long.
    pub(super) fn wait(&self, at_most: Option<Duration>) -> Waited {
        let timeout = at_most.and_then(|time| Timespec::try_from(time).ok());
        let mut polled = [PollFd::from_borrowed_fd(self.0.as_fd(), PollFlags::IN)];
        match poll(&mut polled, timeout.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Waited::Nothing,
            Err(_) => return Waited::Over,
            Ok(_) => {}
        }
        if !polled[0].revents().contains(PollFlags::IN) {
            return Waited::Over;
        }
        // Who called may have been killed meanwhile.
        self.receive().map_or(Waited::Nothing, Waited::Call)
    }

    #[expect(unsafe_code, reason = "no crate knows these requests")]
    fn receive(&self) -> io::Result<seccomp_notif> {
        let mut call = MaybeUninit::<seccomp_notif>::zeroed();
        // SAFETY: the kernel writes one `seccomp_notif`, for which zeroes are valid as well.
        let (result, call) = unsafe {
            let result = libc::ioctl(self.0.as_raw_fd(), SECCOMP_IOCTL_NOTIF_RECV, call.as_mut_ptr());
            (result, call.assume_init())
        };
        if result == 0 { Ok(call) } else { Err(io::Error::last_os_error()) }
    }

    /// Lets a call go on.
    pub(super) fn go_on(&self, id: u64) {
        self.respond(id, SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32);
    }

    /// Ends a call that has succeeded, as far as the caller knows.
    pub(super) fn is_done(&self, id: u64) {
        self.respond(id, 0);
    }

    /// A caller that was killed or interrupted does not hear the answer, and needs none.
    #[expect(unsafe_code, reason = "no crate knows these requests")]
    fn respond(&self, id: u64, flags: u32) {
        let response = seccomp_notif_resp { id, val: 0, error: 0, flags };
        // SAFETY: the kernel reads one `seccomp_notif_resp`.
        unsafe { libc::ioctl(self.0.as_raw_fd(), SECCOMP_IOCTL_NOTIF_SEND, &raw const response) };
    }
}
