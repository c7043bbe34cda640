//! The system calls of a worker, its C code and its subprocesses included, as seccomp tells of them
//! (`SECCOMP_RET_USER_NOTIF`; Linux 5.9 and later, as earlier ones do not tell when its last process has ended).
//!
//! The harness puts a filter on its process and hands the filter's listener over. From then on each call
//! that the filter knows waits for an answer of the [`Supervisor`], which names what the call is on, notes
//! it or asks for the worker's turn, and lets it go on. No call is denied, and only sleeps are made up:
//! they last until they are over and the worker has its turn.
//!
//! Whoever is not supervised is none the worse: the harness then sees the calls of Python alone.

pub(super) mod names;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod calls;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod connections;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod listener;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod supervisor;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod target;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod unsupported;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::race::Call;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use filter::filter;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use supervisor::Supervisor;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(super) use unsupported::{Supervisor, filter};

/// What a supervised worker does, under control.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Noticed {
    /// A call waits for the worker's turn.
    Asks {
        /// The number under which it is answered.
        id: u64,
        /// The call.
        call: Call,
    },
    /// C code, or a subprocess, goes to sleep for so many seconds.
    Sleeps(f64),
    /// Its sleep is over, and it waits for the worker's turn.
    Awake {
        /// The number under which it is answered.
        id: u64,
    },
    /// The teardown of the worker's test starts.
    TearsDown,
    /// It sends something to a server of the trial's own, be it no more than that it connects.
    AsksServer,
}

/// The processes of a worker that have been seen, by their numbers on the host.
pub(super) type ProcessTree = Arc<Mutex<BTreeSet<i32>>>;

/// For how long a worker's main thread was kept waiting by system calls that were let go on at once, in nanoseconds:
/// on a busy machine that is longer than many a wait for another worker.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept(Arc<AtomicU64>);

impl Kept {
    /// One more call took so long.
    #[cfg_attr(
        not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))),
        expect(dead_code, reason = "no system calls are seen there")
    )]
    pub(super) fn add(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// How long it was since this was asked last.
    pub(super) fn take(&self) -> Duration {
        Duration::from_nanos(self.0.swap(0, Ordering::Relaxed))
    }
}
