//! Whether a schedule wants of a worker what no machine makes it do: to stand still, in the middle of its
//! calls, while the other one waits.
//!
//! Any order of calls may come about by itself, as a worker may be stopped between any two, or start late. It
//! then says something of the tests that a failure follows from the order. Where one worker waits, though,
//! a machine lets the other go on; a schedule that holds it all the same may use up the patience of the one
//! that waits: a time limit on a lock, a number of attempts. What fails then may be of jostle's making.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::{LATE_WAIT, SHORT_WAIT_MILLIS, WAIT_MILLIS, WAITING_ATTEMPTS};
use crate::race::access::{Call, Step, StepKind};

const _: () = assert!(SHORT_WAIT_MILLIS < WAIT_MILLIS, "such a run is one with less patience");

/// What a worker did since it got its turn, while another one was held in the middle of its calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct HolderActivity {
    idle: Duration,
    attempts: BTreeMap<Call, u32>,
}

impl HolderActivity {
    /// The worker had nothing to do for so long.
    pub(crate) fn idles(&mut self, idle: Duration) {
        self.idle += idle;
    }

    /// The worker is about to make a call.
    pub(crate) fn calls(&mut self, call: &Call) {
        // Who writes a file line by line does not try, but gets on. Of C code and of subprocesses it is not
        // known from which place a call comes; if they try again and again, they sleep in between.
        if !call.is_transfer() && call.by.is_none() {
            *self.attempts.entry(call.clone()).or_default() += 1;
        }
    }

    /// Whether the other one would have gone on meanwhile.
    pub(crate) fn is_a_wait(&self) -> bool {
        self.idle > Duration::from_millis(SHORT_WAIT_MILLIS.into())
            || self.attempts.values().any(|&times| times > WAITING_ATTEMPTS)
    }

    /// Whether it waited too long where the other one was to be let go in time.
    pub(crate) fn is_late(&self) -> bool {
        self.idle > LATE_WAIT
    }
}

/// Whether a worker was held, in the middle of its calls, while the other waited.
pub(crate) fn is_unfair(steps: &[Step]) -> bool {
    steps.iter().any(|step| step.kind == StepKind::UnfairWait)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::schedule::Resource;
    use crate::race::operation::Operation;

    fn call(operation: Operation) -> Call {
        Call {
            resource: Resource("file:a".into()),
            operation,
            writes: true,
            idle: false,
            statement: None,
            at: None,
            by: None,
        }
    }

    #[test]
    fn idling_and_attempts_are_waits_and_computing_and_writing_are_none() {
        let mut idle = HolderActivity::default();
        idle.idles(Duration::from_millis(3));
        assert!(!idle.is_a_wait());
        idle.idles(Duration::from_millis(3));
        assert!(idle.is_a_wait(), "short pauses add up");
        assert!(!idle.is_late());

        let (mut tries, mut writes) = (HolderActivity::default(), HolderActivity::default());
        for _ in 0..100 {
            tries.calls(&call(Operation::Lock));
            writes.calls(&call(Operation::Write));
        }
        assert!(tries.is_a_wait());
        assert!(!writes.is_a_wait());
        let mut statements = HolderActivity::default();
        for _ in 0..100 {
            statements.calls(&Call { by: Some("C code".into()), ..call(Operation::LockToRead) });
        }
        assert!(!statements.is_a_wait());
    }
}
