//! Controlled trials: the workers' questions for their turn, answered as the schedule wants.
//!
//! The order is [`Turns`]' business. Here are the clock and the processes: how long a worker was held,
//! and whether one that is not heard of computes or waits.

use std::time::{Duration, Instant};

use crate::plan::schedule::PATIENCE;
use crate::plan::{Interleaving, Plan, WorkerId};
use crate::race::turns::{Heard, Turns};
use crate::race::{Call, Step};
use crate::run::pulse::{look_at, on_host};
use crate::suite::TestIndex;

/// How often a worker that is not heard of is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(4);
/// How much longer it is waited for where the system does not tell whether it computes.
const BLIND: u32 = 10;
/// The usual patience with a worker that waits.
const PATIENT: Duration = Duration::from_millis(PATIENCE as u64);
/// CPU time that is none, in nanoseconds: what a wait takes that is interrupted and goes on.
const IDLE: u64 = 100_000;

/// Whose answer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    /// The worker.
    pub(super) worker: usize,
    /// The number of its question.
    pub(super) turn: u32,
    /// How long it was held, which is not its test's fault.
    pub(super) held: Duration,
}

/// What is known of a worker's process.
#[derive(Clone, Debug)]
enum Known {
    Nothing,
    /// Its number in a namespace.
    Inside(i32, String),
    /// Its number on the host.
    OnHost(i32),
}

impl Known {
    /// Its number on the host. That is dear to find out, and most processes are never looked at.
    fn on_host(&mut self) -> Option<i32> {
        if let Self::Inside(pid, namespace) = self {
            *self = on_host(*pid, namespace).map_or(Self::Nothing, Self::OnHost);
        }
        match self {
            Self::OnHost(process) => Some(*process),
            _ => None,
        }
    }
}

/// The control of one trial.
#[derive(Debug)]
pub(super) struct Control {
    turns: Turns,
    patience: Duration,
    /// The question that each waits for an answer to, and since when its test is held by that.
    asked: Vec<Option<(u32, Option<Instant>)>>,
    held: Vec<Duration>,
    /// The workers' processes.
    processes: Vec<Known>,
    /// For how long the worker that has the turn was seen not to get on, and the CPU time it had used before.
    quiet: (Duration, u64),
    /// When it was last looked at.
    looked: Instant,
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
            held: vec![Duration::ZERO; workers],
            processes: vec![Known::Nothing; workers],
            quiet: (Duration::ZERO, 0),
            looked: Instant::now(),
        };
        for (worker, _) in plan.workers.iter().enumerate().filter(|(_, list)| list.is_empty()) {
            control.hears(worker, Heard::Ended);
        }
        Some(control)
    }

    /// A worker's process has told what it knows itself by.
    pub(super) fn runs_as(&mut self, worker: usize, pid: Option<i32>, namespace: Option<&str>) {
        let named = pid.zip(namespace).map(|(pid, namespace)| Known::Inside(pid, namespace.to_owned()));
        self.processes[worker] = named.unwrap_or(Known::Nothing);
    }

    /// A worker waits to start with its first test.
    pub(super) fn comes(&mut self, worker: usize, turn: u32) -> Option<Grant> {
        self.asked[worker] = Some((turn, None));
        self.hears(worker, Heard::Comes)
    }

    /// A worker starts a test.
    pub(super) fn starts(&mut self, worker: usize, test: TestIndex) -> Option<Grant> {
        self.hears(worker, Heard::Starts(test))
    }

    /// A worker had nothing to do for so long, since it got its turn or told so before.
    pub(super) fn rested(&mut self, worker: usize, seconds: f64) -> Option<Grant> {
        let idle = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        self.hears(worker, Heard::Rested(idle))
    }

    /// The teardown of a worker's test starts.
    pub(super) fn tears_down(&mut self, worker: usize) -> Option<Grant> {
        self.hears(worker, Heard::TearsDown)
    }

    /// A worker handles an exception where it will make its next call.
    pub(super) fn handles(&mut self, worker: usize) -> Option<Grant> {
        self.hears(worker, Heard::Handles)
    }

    /// A worker waits to make a call.
    pub(super) fn calls(&mut self, worker: usize, turn: u32, call: Call) -> Option<Grant> {
        self.asks(worker, turn, Heard::Asks(call))
    }

    /// A worker goes to sleep.
    pub(super) fn sleeps(&mut self, worker: usize, seconds: f64, at: Option<String>) -> Option<Grant> {
        self.hears(worker, Heard::Sleeps { seconds, at })
    }

    /// A worker has slept, and waits to go on.
    pub(super) fn wakes(&mut self, worker: usize, turn: u32) -> Option<Grant> {
        self.asks(worker, turn, Heard::Awake)
    }

    /// A worker has run its last test, or its process has ended.
    pub(super) fn ends(&mut self, worker: usize) -> Option<Grant> {
        self.asked[worker] = None;
        self.hears(worker, Heard::Ended)
    }

    /// Looks at the worker that has the turn: one that waits gives it up.
    pub(super) fn look(&mut self) -> Option<Grant> {
        let id = self.turns.holder()?;
        let gap = self.looked.elapsed();
        if gap < LOOK {
            return None;
        }
        self.looked = Instant::now();
        let holder = id.0 as usize;
        let seen = self.processes[holder].on_host().and_then(look_at);
        // Only who is in the middle of its calls is wronged by a wait.
        let patience = if self.turns.holds_another(id) { self.patience } else { self.patience.max(PATIENT) };
        let patience = if seen.is_some() { patience } else { patience * BLIND };
        let (quiet, cpu) = self.quiet;
        if let Some(pulse) = seen.filter(|pulse| pulse.busy || pulse.cpu.saturating_sub(cpu) > IDLE) {
            self.quiet = (Duration::ZERO, pulse.cpu);
            return None;
        }
        // On a busy machine we may not have looked for long, and not have heard what it has said since.
        self.quiet.0 = quiet + gap.min(2 * LOOK);
        if self.quiet.0 <= patience {
            return None;
        }
        self.quiet.0 = Duration::ZERO;
        self.hears(holder, Heard::Stuck)
    }

    /// Whether a worker is held.
    pub(super) fn holds(&self, worker: usize) -> bool {
        self.turns.waits(WorkerId(worker as u32))
    }

    /// What was done, in its order, and how long each worker was held while its tests ran.
    pub(super) fn told(&self) -> (Vec<Step>, Vec<Duration>) {
        (self.turns.steps().to_vec(), self.held.clone())
    }

    fn asks(&mut self, worker: usize, turn: u32, heard: Heard) -> Option<Grant> {
        self.asked[worker] = Some((turn, Some(Instant::now())));
        self.hears(worker, heard)
    }

    fn hears(&mut self, worker: usize, heard: Heard) -> Option<Grant> {
        let next = self.turns.hear(WorkerId(worker as u32), heard)?.0 as usize;
        (self.quiet, self.looked) = ((Duration::ZERO, 0), Instant::now());
        let (turn, since) = self.asked[next].take()?;
        let held = since.map_or(Duration::ZERO, |since| since.elapsed());
        self.held[next] += held;
        Some(Grant { worker: next, turn, held })
    }
}
