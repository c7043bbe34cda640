//! How long jostle waits for processes.

use std::time::Duration;

/// How often the clock and the interrupt are looked at.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// How long pytest may take to end after its last test, session fixtures included.
pub(crate) const ENDING: Duration = Duration::from_secs(30);

/// How long a process that closed its channel may take to end.
pub(crate) const CLOSED: Duration = Duration::from_secs(5);

/// How long pytest may take to start and collect, where no limit is given.
pub(crate) const COLLECT: Duration = Duration::from_secs(600);

/// How long a process may take to end after it was asked to.
pub(crate) const GRACE: Duration = Duration::from_millis(500);

/// How long a zygote may take to fork, or to tell of a fork that was killed.
pub(crate) const PROMPTLY: Duration = Duration::from_secs(10);
