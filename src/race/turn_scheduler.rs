//! Whose turn it is: a state machine that hears what workers ask for and says who goes on.
//!
//! Invariants: before every worker has come, none goes on; then at most one worker has the turn, and
//! besides it only workers run that were stuck when they had to give it away. Who goes on never
//! depends on which of two workers was heard first, but for those and for schedules without patience.

mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::limits::{AWAITED_SLEEP, WAIT_MILLIS};
use crate::plan::WorkerId;
use crate::plan::schedule::Schedule;
use crate::race::access::{Call, Effect, Step, StepKind};
use crate::race::fairness::HolderActivity;
use crate::suite::TestIndex;

/// What is heard of a worker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// It waits to start with its first test.
    Comes,
    /// It starts a test, and does not wait for an answer.
    Starts(TestIndex),
    /// It waits to make a call.
    Asks(Call),
    /// What the call that it was let make does.
    Did(Effect),
    /// It had nothing to do for so long since it got its turn or last said so.
    Idle(Duration),
    /// The teardown of its test starts.
    TearsDown,
    /// An exception is being handled where it will make its next call.
    Handles,
    /// It goes to sleep, and does not wait for an answer.
    Sleeps {
        /// How long.
        seconds: f64,
        /// Where.
        at: Option<String>,
    },
    /// It has slept, and waits to go on.
    Awake,
    /// It was overtaken, is delayed, and has not gone on for so many milliseconds since its last call.
    Takes(u32),
    /// It has not been heard of for long, and does not compute.
    Stuck,
    /// It has run all its tests, or its process has ended.
    Ended,
}

#[derive(Clone, Debug, PartialEq)]
enum Status {
    Coming,
    Ready(PendingStep),
    /// It was overtaken, and is not to go on yet.
    Delayed(PendingStep),
    Running,
    Sleeping,
    Ended,
}

/// What a worker that waits will do.
#[derive(Clone, Debug, PartialEq)]
enum PendingStep {
    Start,
    Call(Call),
    WakeUp,
}

#[derive(Clone, Debug)]
struct WorkerState {
    status: Status,
    /// How many calls it has made.
    points: u32,
    /// When its last sleep ends, on the trial's own clock, which only sleeps move.
    deadline: f64,
}

/// The turns of one trial.
#[derive(Clone, Debug)]
pub(crate) struct TurnScheduler {
    schedule: Schedule,
    workers: Vec<WorkerState>,
    holder: Option<usize>,
    /// Who had the turn last, and what it did since it got it.
    activity: (usize, HolderActivity),
    started: bool,
    /// Whether nobody waits for a turn any more.
    free: bool,
    clock: f64,
    used: BTreeSet<usize>,
    steps: Vec<Step>,
}

impl TurnScheduler {
    /// The turns of so many workers.
    pub(crate) fn new(schedule: Schedule, workers: usize) -> Self {
        let state = WorkerState { status: Status::Coming, points: 0, deadline: 0.0 };
        Self {
            schedule,
            workers: vec![state; workers],
            holder: None,
            activity: (0, HolderActivity::default()),
            started: false,
            free: false,
            clock: 0.0,
            used: BTreeSet::new(),
            steps: Vec::new(),
        }
    }

    /// Takes in what a worker does; returns who may go on, each of whom has asked before.
    pub(crate) fn hear(&mut self, worker: WorkerId, heard: Heard) -> Option<WorkerId> {
        let index = worker.0 as usize;
        self.workers.get(index)?;
        let next = match heard {
            Heard::Comes => self.waits_to(index, PendingStep::Start),
            Heard::Starts(test) => {
                self.note(index, StepKind::Starts(test));
                None
            }
            Heard::Asks(call) => self.waits_to(index, PendingStep::Call(call)),
            Heard::Did(effect) => {
                self.did(index, effect);
                None
            }
            Heard::Idle(idle) => {
                self.holder_does(index, |activity| activity.idles(idle));
                None
            }
            Heard::TearsDown => {
                self.note(index, StepKind::TearsDown);
                None
            }
            Heard::Handles => {
                self.note(index, StepKind::Handles);
                None
            }
            Heard::Awake => self.waits_to(index, PendingStep::WakeUp),
            Heard::Sleeps { seconds, at } => self.sleeps(index, seconds, at),
            Heard::Takes(milliseconds) => self.takes(index, milliseconds),
            Heard::Stuck => self.stuck(index),
            Heard::Ended => {
                self.note(index, StepKind::Ends);
                self.workers[index].status = Status::Ended;
                self.end_delays();
                self.leave(index)
            }
        };
        next.map(|next| WorkerId(next as u32))
    }

    /// What was done, in its order.
    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The worker whose turn it is.
    pub(crate) fn holder(&self) -> Option<WorkerId> {
        self.holder.map(|holder| WorkerId(holder as u32))
    }

    /// How many calls a worker has made.
    pub(crate) fn points(&self, worker: WorkerId) -> u32 {
        self.workers.get(worker.0 as usize).map_or(0, |state| state.points)
    }

    /// Whether a worker waits for its turn to come.
    pub(crate) fn waits(&self, worker: WorkerId) -> bool {
        let waits = |state: &WorkerState| matches!(state.status, Status::Ready(_) | Status::Delayed(_));
        self.workers.get(worker.0 as usize).is_some_and(waits)
    }

    /// The worker that was overtaken and is not to go on yet.
    pub(crate) fn delayed(&self) -> Option<WorkerId> {
        let at = self.workers.iter().position(|state| matches!(state.status, Status::Delayed(_)))?;
        Some(WorkerId(at as u32))
    }

    /// Whether one that has the turn keeps another from going on that is in the middle of its calls. Who has
    /// made none yet may as well have started late.
    pub(crate) fn holds_another(&self, worker: WorkerId) -> bool {
        let index = worker.0 as usize;
        let held = |state: &WorkerState| {
            state.points > 0
                && matches!(state.status, Status::Ready(ref pending) if !matches!(pending, PendingStep::Start))
        };
        self.holder == Some(index)
            && self.workers.iter().enumerate().any(|(other, state)| other != index && held(state))
    }

    /// Notes what a worker's last call did. Those that C code makes meanwhile are others.
    fn did(&mut self, index: usize, effect: Effect) {
        let own = self.steps.iter_mut().rev().filter(|step| step.worker.0 as usize == index);
        let mut calls = own.filter_map(|step| match &mut step.kind {
            StepKind::Calls(call) if call.by.is_none() => Some(call),
            _ => None,
        });
        if let Some(call) = calls.next() {
            (call.statement, call.writes, call.idle) = (effect.statement, effect.writes, effect.idle);
        }
    }

    /// Takes in what the one that has the turn does while it holds another; notes when that is a wait. Under
    /// a schedule that has no patience with waits, only one that was not ended in time is noted.
    fn holder_does(&mut self, index: usize, does: impl FnOnce(&mut HolderActivity)) {
        if self.schedule.is_sequential() || !self.holds_another(WorkerId(index as u32)) {
            return;
        }
        let unfair = if self.is_impatient() { HolderActivity::is_late } else { HolderActivity::is_a_wait };
        let before = unfair(&self.activity.1);
        does(&mut self.activity.1);
        if !before && unfair(&self.activity.1) {
            self.note(index, StepKind::UnfairWait);
        }
    }

    fn waits_to(&mut self, index: usize, pending: PendingStep) -> Option<usize> {
        if self.free {
            self.workers[index].status = Status::Ready(pending);
            return self.grant(index);
        }
        if let PendingStep::Call(call) = &pending {
            self.holder_does(index, |activity| activity.calls(call));
        }
        let switch = match pending {
            PendingStep::Call(_) if self.holder == Some(index) && !self.schedule.is_sequential() => {
                self.switch(index)
            }
            _ => None,
        };
        let had_turn = self.holder == Some(index);
        if had_turn && switch.is_none() && self.is_to_give_way(index) {
            self.note(index, StepKind::Waits);
            self.workers[index].status = Status::Ready(pending);
            let others = (0..self.workers.len()).filter(|&other| other != index && self.may_go(other));
            return others.min().and_then(|other| self.grant(other));
        }
        if let (Some(_), PendingStep::Call(call)) = (switch, &pending) {
            self.note(index, StepKind::Overtaken(call.clone()));
        }
        let delayed = switch.is_some() && self.schedule.delay > 0;
        self.workers[index].status = if delayed { Status::Delayed(pending) } else { Status::Ready(pending) };
        match switch {
            Some(other) => {
                // One that still sleeps has the turn from when it wakes.
                self.holder = Some(other);
                self.grant(other)
            }
            None if had_turn => self.grant(index),
            None => self.pick(),
        }
    }

    /// A worker that is delayed goes on once it has taken as long as it is to. The others do not wait for that, and
    /// their time runs: from then on all go on as they please.
    fn takes(&mut self, index: usize, milliseconds: u32) -> Option<usize> {
        self.note(index, StepKind::Takes(milliseconds));
        if milliseconds < self.schedule.delay || !self.end_delay(index) {
            return None;
        }
        self.free = true;
        self.grant(index)
    }

    /// Nobody is delayed any more whom nobody is left to notice.
    fn end_delays(&mut self) {
        for index in 0..self.workers.len() {
            let mut others = self.workers.iter().enumerate().filter(|&(other, _)| other != index);
            if others.all(|(_, state)| state.status == Status::Ended) {
                self.end_delay(index);
            }
        }
    }

    /// Whether the worker was delayed.
    fn end_delay(&mut self, index: usize) -> bool {
        let status = &mut self.workers[index].status;
        let Status::Delayed(pending) = status else { return false };
        *status = Status::Ready(pending.clone());
        true
    }

    fn is_impatient(&self) -> bool {
        self.schedule.patience < WAIT_MILLIS
    }

    /// Whether a worker has waited while it held another, under a schedule that has no patience with that.
    fn is_to_give_way(&self, index: usize) -> bool {
        self.is_impatient()
            && self.holds_another(WorkerId(index as u32))
            && self.activity.1.is_a_wait()
            && (0..self.workers.len()).any(|other| other != index && self.may_go(other))
    }

    /// Who overtakes a worker at its next call.
    fn switch(&mut self, index: usize) -> Option<usize> {
        let here = |switch: &crate::plan::schedule::Switch| {
            switch.worker.0 as usize == index && switch.point == self.workers[index].points
        };
        let at = self.schedule.switches.iter().position(here)?;
        let to = self.schedule.switches[at].to.0 as usize;
        let waits = match &self.workers.get(to)?.status {
            // Whether it has really woken yet is the clock's affair, and must make no difference.
            Status::Sleeping | Status::Ready(PendingStep::WakeUp) => {
                self.workers[to].deadline <= self.clock + AWAITED_SLEEP
            }
            status => matches!(status, Status::Ready(_)),
        };
        (to != index && waits && self.used.insert(at)).then_some(to)
    }

    fn sleeps(&mut self, index: usize, seconds: f64, at: Option<String>) -> Option<usize> {
        if self.schedule.is_sequential() {
            return None;
        }
        self.note(index, StepKind::Sleeps { at });
        let state = &mut self.workers[index];
        state.deadline = self.clock + seconds.max(0.0);
        state.status = Status::Sleeping;
        self.leave(index)
    }

    fn stuck(&mut self, index: usize) -> Option<usize> {
        let other_waits = (0..self.workers.len()).any(|other| self.may_go(other));
        let runs = self.workers[index].status == Status::Running;
        if self.schedule.is_sequential() || !runs || self.holder != Some(index) {
            return None;
        }
        let waited = Duration::from_millis(self.schedule.patience.into());
        self.holder_does(index, |activity| activity.idles(waited));
        let worker = WorkerId(index as u32);
        let last = self.steps.iter().rfind(|step| step.worker == worker);
        if other_waits || last.is_none_or(|step| step.kind != StepKind::Waits) {
            self.note(index, StepKind::Waits);
        }
        if other_waits { self.leave(index) } else { None }
    }

    fn leave(&mut self, index: usize) -> Option<usize> {
        if self.holder == Some(index) {
            self.holder = None;
        }
        self.pick()
    }

    /// Chooses who goes on if nobody has the turn: whoever was overtaken, else whoever slept least long.
    fn pick(&mut self) -> Option<usize> {
        if self.holder.is_some() || self.workers.iter().any(|state| state.status == Status::Coming) {
            return None;
        }
        let first = self.schedule.first.0 as usize;
        if !std::mem::replace(&mut self.started, true) && self.may_go(first) {
            return self.grant(first);
        }
        let ready = (0..self.workers.len()).filter(|&index| self.may_go(index));
        let next = ready.min_by(|&one, &other| self.wakes(one).total_cmp(&self.wakes(other)))?;
        self.grant(next)
    }

    /// When a worker can go on, on the trial's clock.
    fn wakes(&self, index: usize) -> f64 {
        match self.workers[index].status {
            Status::Ready(PendingStep::WakeUp) | Status::Sleeping => self.workers[index].deadline,
            _ => self.clock,
        }
    }

    /// Whether a worker waits and no sleeping one is to wake before it, whichever really woke first.
    fn may_go(&self, index: usize) -> bool {
        match self.workers[index].status {
            Status::Ready(PendingStep::WakeUp) => {
                let rank = (self.workers[index].deadline, index);
                let earlier = |(other, state): (usize, &WorkerState)| {
                    state.status == Status::Sleeping && (state.deadline, other) < rank
                };
                !self.workers.iter().enumerate().any(earlier)
            }
            Status::Ready(_) => true,
            _ => false,
        }
    }

    fn grant(&mut self, index: usize) -> Option<usize> {
        let state = &mut self.workers[index];
        match std::mem::replace(&mut state.status, Status::Running) {
            Status::Ready(PendingStep::Start) => {}
            Status::Ready(PendingStep::Call(call)) => {
                state.points += 1;
                self.note(index, StepKind::Calls(call));
            }
            Status::Ready(PendingStep::WakeUp) => self.clock = self.clock.max(state.deadline),
            status => {
                state.status = status;
                return None;
            }
        }
        self.holder = (!self.free).then_some(index);
        if self.activity.0 != index {
            self.activity = (index, HolderActivity::default());
        }
        Some(index)
    }

    fn note(&mut self, index: usize, kind: StepKind) {
        self.steps.push(Step { worker: WorkerId(index as u32), kind });
    }
}
