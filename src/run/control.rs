//! Controlled trials: the workers' questions for their turn, answered as the schedule wants.
//!
//! The order is [`Turns`]' business. Here are the clock and the processes: how long a worker was held,
//! and whether one that is not heard of computes or waits.

use std::time::{Duration, Instant};

use crate::plan::{Interleaving, Plan, WorkerId};
use crate::race::turns::{Heard, Turns};
use crate::race::{Call, Step};
use crate::suite::TestIndex;

/// How often a worker that is not heard of is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(4);
/// How much longer it is waited for where the system does not tell whether it computes.
const BLIND: u32 = 10;
/// CPU time that is none, in nanoseconds: what a wait takes that is interrupted and goes on.
const IDLE: u64 = 100_000;

/// What a worker waits for an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// To start its next test.
    Test,
    /// For its turn, under this number.
    Turn(u32),
}

/// Whose answer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// The worker.
    pub(super) worker: usize,
    /// What it asked.
    pub(super) question: Question,
    /// How long it was held, which is not its test's fault.
    pub(super) held: Duration,
}

/// The control of one trial.
#[derive(Debug)]
pub(super) struct Control {
    turns: Turns,
    patience: Duration,
    asked: Vec<Option<(Question, Instant)>>,
    pulse: Pulse,
}

/// When the worker that has the turn was last known to get on.
#[derive(Debug)]
struct Pulse {
    since: Instant,
    cpu: u64,
}

impl Control {
    /// The control of a plan that wants it.
    pub(super) fn new(plan: &Plan) -> Option<Self> {
        let Interleaving::Controlled(schedule) = &plan.interleaving else {
            return None;
        };
        let workers = plan.workers.len();
        let mut control = Self {
            turns: Turns::new(schedule.clone(), workers),
            patience: Duration::from_millis(schedule.patience.into()),
            asked: vec![None; workers],
            pulse: Pulse { since: Instant::now(), cpu: 0 },
        };
        for (worker, _) in plan.workers.iter().enumerate().filter(|(_, list)| list.is_empty()) {
            control.hears(worker, Heard::Ended);
        }
        Some(control)
    }

    /// A worker waits to start a test.
    pub(super) fn starts(&mut self, worker: usize, test: TestIndex) -> Option<Grant> {
        self.asks(worker, Question::Test, Heard::Starts(test))
    }

    /// A worker waits to make a call.
    pub(super) fn calls(&mut self, worker: usize, turn: u32, call: Call) -> Option<Grant> {
        self.asks(worker, Question::Turn(turn), Heard::Asks(call))
    }

    /// A worker goes to sleep.
    pub(super) fn sleeps(&mut self, worker: usize, seconds: f64, at: Option<String>) -> Option<Grant> {
        self.hears(worker, Heard::Sleeps { seconds, at })
    }

    /// A worker has slept, and waits to go on.
    pub(super) fn wakes(&mut self, worker: usize, turn: u32) -> Option<Grant> {
        self.asks(worker, Question::Turn(turn), Heard::Awake)
    }

    /// A worker has run its last test, or its process has ended.
    pub(super) fn ends(&mut self, worker: usize) -> Option<Grant> {
        self.asked[worker] = None;
        self.hears(worker, Heard::Ended)
    }

    /// Looks at the worker that has the turn: one that waits gives it up.
    pub(super) fn look(&mut self, group: impl FnOnce(usize) -> Option<i32>) -> Option<Grant> {
        let holder = self.turns.holder()?;
        let seen = group(holder.0 as usize).and_then(look_at);
        let patience = if seen.is_some() { self.patience } else { self.patience * BLIND };
        if let Some((cpu, runnable)) = seen
            && (runnable || cpu.saturating_sub(self.pulse.cpu) > IDLE)
        {
            self.pulse = Pulse { since: Instant::now(), cpu };
        }
        if self.pulse.since.elapsed() <= patience {
            return None;
        }
        self.pulse.since = Instant::now();
        self.hears(holder.0 as usize, Heard::Stuck)
    }

    /// Whether a worker is held.
    pub(super) fn holds(&self, worker: usize) -> bool {
        self.turns.waits(WorkerId(worker as u32))
    }

    /// What was done, in its order.
    pub(super) fn steps(&self) -> Vec<Step> {
        self.turns.steps().to_vec()
    }

    fn asks(&mut self, worker: usize, question: Question, heard: Heard) -> Option<Grant> {
        self.asked[worker] = Some((question, Instant::now()));
        self.hears(worker, heard)
    }

    fn hears(&mut self, worker: usize, heard: Heard) -> Option<Grant> {
        let next = self.turns.hear(WorkerId(worker as u32), heard)?.0 as usize;
        self.pulse = Pulse { since: Instant::now(), cpu: 0 };
        let (question, since) = self.asked[next].take()?;
        Some(Grant { worker: next, question, held: since.elapsed() })
    }
}

/// The CPU time that a process's threads have used, in nanoseconds, and whether one of them wants more.
/// Nothing if the system does not tell.
#[cfg(target_os = "linux")]
fn look_at(process: i32) -> Option<(u64, bool)> {
    let (mut cpu, mut runnable) = (0, false);
    for task in std::fs::read_dir(format!("/proc/{process}/task")).ok()? {
        let task = task.ok()?.path();
        let spent = std::fs::read_to_string(task.join("schedstat")).ok()?;
        cpu += spent.split(' ').next()?.parse::<u64>().ok()?;
        let state = std::fs::read_to_string(task.join("stat")).ok()?;
        // The name before it, in brackets, may hold anything; D is a wait for a disk, which is work.
        runnable |= matches!(state.rsplit_once(") ")?.1.as_bytes().first()?, b'R' | b'D');
    }
    Some((cpu, runnable))
}

#[cfg(not(target_os = "linux"))]
fn look_at(_: i32) -> Option<(u64, bool)> {
    None
}
