//! Controlled trials: the workers' questions for their turn, answered as the schedule wants.
//!
//! The order is [`TurnScheduler`]' business. Here are the clock and the processes: how long a worker was held,
//! and whether one that is not heard of computes or waits.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::{BLIND_FACTOR, EXIT_WAIT, IDLE_NANOSECONDS, WAIT_MILLIS, WORKER_LOOK};
use crate::plan::schedule::{Resource, Schedule, Switch};
use crate::plan::{Interleaving, Plan, WorkerId};
use crate::race::access::StepKind;
use crate::race::delay::GRID;
use crate::race::turn_scheduler::{Heard, TurnScheduler};
use crate::race::{Call, Effect, Step};
use crate::run::syscalls::{Kept, Noticed, ProcessTree};
use crate::run::worker::activity::{ProcessActivity, children, look_at, on_host, servers_beside, waits_at};
use crate::suite::TestIndex;

/// The usual patience with a worker that waits.
const USUAL_WAIT: Duration = Duration::from_millis(WAIT_MILLIS as u64);

/// What a worker waits for an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// For its turn, under this number.
    Turn(u32),
    /// To let a system call go on.
    SystemCall(u64),
}

/// Whose answer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The worker.
    pub(crate) worker: usize,
    /// What it asked.
    pub(crate) question: Question,
    /// How long it was held, which is not its test's fault.
    pub(crate) held: Duration,
    /// For how long the answer is to be put off.
    pub(crate) pause: Duration,
}

/// What is known of a worker's process.
#[derive(Clone, Debug)]
enum WorkerPid {
    Nothing,
    /// Its number in a namespace.
    Inside(i32, String),
    /// Its number on the host.
    OnHost(i32),
}

impl WorkerPid {
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

/// A worker, which may ask several things at once: its test, and subprocesses of that.
#[derive(Debug)]
struct WorkerTurn {
    /// What it waits for an answer to, and since when its test is held by that.
    asked: Option<(Question, Option<Instant>)>,
    /// What it asks as well, and cannot be told to [`TurnScheduler`] before that is answered.
    queue: VecDeque<(Question, Heard, Instant)>,
    /// When it was let make its last call.
    called: Option<Instant>,
    /// For how much of the time since then it is known to have been delayed, as an entry of [`GRID`].
    takes: usize,
    /// For how long it was held.
    held: Duration,
    /// For how much of the time since the harness was last heard it slept in C code, or waited for answers to
    /// system calls.
    excused: Duration,
    /// When it went to sleep there.
    asleep: Option<Instant>,
    process: WorkerPid,
    /// The descriptor at which that waits for our answers.
    channel: Option<i32>,
    /// Its subprocesses.
    family: ProcessTree,
    /// For how long system calls kept it waiting that were let go on at once, which is excused as well.
    kept: Kept,
    /// Whether a statement was sent to a server since the harness was last heard: who waits for the answer rests only if
    /// the server does.
    asks_server: bool,
    /// The processes of servers of the trial's own, once they were looked for.
    servers: Option<Vec<i32>>,
    /// What the harness asked for last.
    wanted: Option<Resource>,
    ended: bool,
}

/// The control of one trial.
#[derive(Debug)]
pub(crate) struct Control {
    turns: TurnScheduler,
    schedule: Schedule,
    workers: Vec<WorkerTurn>,
    /// For how long the worker that has the turn was seen not to get on, and the CPU time it had used before.
    quiet: (Duration, u64),
    /// When it was last looked at.
    looked: Instant,
}

impl Control {
    /// The control of a plan that wants it.
    pub(crate) fn new(plan: &Plan) -> Option<Self> {
        let Interleaving::Controlled(schedule) = &plan.interleaving else {
            return None;
        };
        let asker = || WorkerTurn {
            asked: None,
            queue: VecDeque::new(),
            called: None,
            takes: 0,
            held: Duration::ZERO,
            excused: Duration::ZERO,
            asleep: None,
            process: WorkerPid::Nothing,
            channel: None,
            family: ProcessTree::default(),
            kept: Kept::default(),
            asks_server: false,
            servers: None,
            wanted: None,
            ended: false,
        };
        let mut control = Self {
            turns: TurnScheduler::new(schedule.clone(), plan.workers.len()),
            schedule: schedule.clone(),
            workers: plan.workers.iter().map(|_| asker()).collect(),
            quiet: (Duration::ZERO, 0),
            looked: Instant::now(),
        };
        for (worker, _) in plan.workers.iter().enumerate().filter(|(_, list)| list.is_empty()) {
            control.hears(worker, Heard::Ended);
        }
        Some(control)
    }

    /// A worker's process has told what it knows itself by.
    pub(crate) fn runs_as(
        &mut self,
        worker: usize,
        pid: Option<i32>,
        namespace: Option<&str>,
        channel: Option<i32>,
    ) {
        let named = pid.zip(namespace).map(|(pid, namespace)| WorkerPid::Inside(pid, namespace.to_owned()));
        self.workers[worker].process = named.unwrap_or(WorkerPid::Nothing);
        self.workers[worker].channel = channel;
    }

    /// The subprocesses of a worker will be known here, and for how long its system calls kept it waiting.
    pub(in crate::run) fn is_supervised(&mut self, worker: usize, family: ProcessTree, kept: Kept) {
        (self.workers[worker].family, self.workers[worker].kept) = (family, kept);
    }

    /// A worker waits to start with its first test.
    pub(crate) fn comes(&mut self, worker: usize, turn: u32) -> Option<Grant> {
        let asker = &mut self.workers[worker];
        (asker.asked, asker.ended) = (Some((Question::Turn(turn), None)), false);
        self.hears(worker, Heard::Comes)
    }

    /// A worker starts a test.
    pub(crate) fn starts(&mut self, worker: usize, test: TestIndex) -> Option<Grant> {
        self.hears(worker, Heard::Starts(test))
    }

    /// A worker had nothing to do for so long, since it got its turn or told so before.
    pub(crate) fn rested(&mut self, worker: usize, seconds: f64) -> Option<Grant> {
        let idle = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let asker = &mut self.workers[worker];
        let excused = std::mem::take(&mut asker.excused) + asker.kept.take();
        if asker.asks_server || asker.ended {
            return None;
        }
        self.hears(worker, Heard::Idle(idle.saturating_sub(excused)))
    }

    /// The teardown of a worker's test starts.
    pub(crate) fn tears_down(&mut self, worker: usize) -> Option<Grant> {
        self.hears(worker, Heard::TearsDown)
    }

    /// A worker handles an exception where it will make its next call.
    pub(crate) fn handles(&mut self, worker: usize) -> Option<Grant> {
        self.hears(worker, Heard::Handles)
    }

    /// A worker tells what its last call did.
    pub(crate) fn did(&mut self, worker: usize, effect: Effect) -> Option<Grant> {
        self.hears(worker, Heard::Did(effect))
    }

    /// A worker waits to make a call.
    pub(crate) fn calls(&mut self, worker: usize, turn: u32, call: Call) -> Option<Grant> {
        self.workers[worker].wanted = Some(call.resource.clone());
        self.asks(worker, Question::Turn(turn), Heard::Asks(call))
    }

    /// A worker goes to sleep.
    pub(crate) fn sleeps(&mut self, worker: usize, seconds: f64, at: Option<String>) -> Option<Grant> {
        self.hears(worker, Heard::Sleeps { seconds, at })
    }

    /// A worker has slept, and waits to go on.
    pub(crate) fn wakes(&mut self, worker: usize, turn: u32) -> Option<Grant> {
        self.asks(worker, Question::Turn(turn), Heard::Awake)
    }

    /// C code of a worker, or a subprocess, does something.
    pub(crate) fn notices(&mut self, worker: usize, noticed: Noticed) -> Option<Grant> {
        let at_once = |id| Grant {
            worker,
            question: Question::SystemCall(id),
            held: Duration::ZERO,
            pause: Duration::ZERO,
        };
        let asker = &mut self.workers[worker];
        match noticed {
            Noticed::Sleeps(_) => asker.asleep = Some(Instant::now()),
            Noticed::Awake { .. } => {
                asker.excused += asker.asleep.take().map_or(Duration::ZERO, |since| since.elapsed());
            }
            Noticed::Asks { ref call, .. } => asker.asks_server |= call.resource.is_of_server(),
            Noticed::AsksServer => asker.asks_server = true,
            Noticed::TearsDown => {}
        }
        match noticed {
            Noticed::Asks { id, .. } | Noticed::Awake { id } if asker.ended => Some(at_once(id)),
            Noticed::Asks { id, call } => self.asks(worker, Question::SystemCall(id), Heard::Asks(call)),
            Noticed::Awake { id } => self.asks(worker, Question::SystemCall(id), Heard::Awake),
            // Who waits for an answer has no turn to give away.
            Noticed::Sleeps(_) if asker.ended || asker.asked.is_some() => None,
            Noticed::Sleeps(seconds) => self.hears(worker, Heard::Sleeps { seconds, at: None }),
            Noticed::TearsDown => self.tears_down(worker),
            Noticed::AsksServer => None,
        }
    }

    /// What a worker asked as well, while the question was open that has just been answered.
    pub(crate) fn asks_on(&mut self, worker: usize) -> Option<Grant> {
        let (question, heard, since) = self.workers[worker].queue.pop_front()?;
        self.workers[worker].asked = Some((question, Some(since)));
        self.hears(worker, heard)
    }

    /// A worker has run its last test, and keeps the turn until its process has ended: what that does is no call of a test, and
    /// no wait for the other one.
    pub(crate) fn exits(&mut self, worker: usize) {
        self.workers[worker].ended = true;
    }

    /// A worker has run its last test, or its process has ended.
    pub(crate) fn ends(&mut self, worker: usize) -> Option<Grant> {
        let asker = &mut self.workers[worker];
        (asker.asked, asker.ended) = (None, true);
        asker.queue.clear();
        self.hears(worker, Heard::Ended)
    }

    /// Looks at the worker that has the turn: one that waits gives it up.
    pub(crate) fn look(&mut self) -> Option<Grant> {
        let id = self.turns.holder()?;
        let gap = self.looked.elapsed();
        if gap < WORKER_LOOK {
            return None;
        }
        self.looked = Instant::now();
        let holder = id.0 as usize;
        let seen = self.workers[holder].look();
        // Only who is in the middle of its calls is wronged by a wait.
        let own = Duration::from_millis(self.schedule.patience.into());
        let patience = if self.turns.holds_another(id) { own } else { own.max(USUAL_WAIT) };
        let patience = if self.workers[holder].ended { patience.max(EXIT_WAIT) } else { patience };
        let patience = if seen.is_some() { patience } else { patience * BLIND_FACTOR };
        let (quiet, cpu) = self.quiet;
        // The time of a process that has ended counts no more.
        if let Some(pulse) = seen.filter(|pulse| pulse.busy || pulse.cpu.abs_diff(cpu) > IDLE_NANOSECONDS) {
            self.quiet = (Duration::ZERO, pulse.cpu);
            return None;
        }
        // On a busy machine we may not have looked for long, and not have heard what it has said since.
        let gap = gap.min(2 * WORKER_LOOK);
        self.quiet.0 = quiet + gap;
        if self.quiet.0 <= patience {
            // Who waits for a subprocess cannot tell whether that rests.
            return if self.workers[holder].has_family() && !self.workers[holder].ended {
                self.hears(holder, Heard::Idle(gap))
            } else {
                None
            };
        }
        self.quiet.0 = Duration::ZERO;
        self.hears(holder, Heard::Stuck)
    }

    /// Takes in that time passes for the worker that is delayed. To be asked before anything is heard, as that
    /// came later.
    pub(super) fn lets_pass(&mut self) -> Option<Grant> {
        loop {
            let worker = self.turns.delayed()?.0 as usize;
            let asker = &mut self.workers[worker];
            let takes = GRID.get(asker.takes).copied().unwrap_or(u32::MAX).min(self.schedule.delay);
            let asked = asker.asked.and_then(|(_, since)| since);
            if asker.called.or(asked)?.elapsed() < Duration::from_millis(takes.into()) {
                return None;
            }
            asker.takes += 1;
            let next = self.hears(worker, Heard::Takes(takes));
            if next.is_some() {
                return next;
            }
        }
    }

    /// What a worker's test itself makes a call on, as far as the harness told.
    pub(crate) fn wanted(&self, worker: usize) -> Option<&Resource> {
        self.workers[worker].wanted.as_ref()
    }

    /// Whether a worker is held.
    pub(crate) fn holds(&self, worker: usize) -> bool {
        self.turns.waits(WorkerId(worker as u32))
    }

    /// What was done, in its order, and how long each worker was held while its tests ran.
    pub(crate) fn record(&self) -> (Vec<Step>, Vec<Duration>) {
        (self.turns.steps().to_vec(), self.workers.iter().map(|asker| asker.held).collect())
    }

    fn asks(&mut self, worker: usize, question: Question, heard: Heard) -> Option<Grant> {
        let asker = &mut self.workers[worker];
        if !matches!(question, Question::SystemCall(_)) {
            asker.excused = Duration::ZERO;
            asker.asks_server = false;
            asker.kept.take();
        }
        if asker.asked.is_some() {
            asker.queue.push_back((question, heard, Instant::now()));
            return None;
        }
        asker.asked = Some((question, Some(Instant::now())));
        self.hears(worker, heard)
    }

    fn hears(&mut self, worker: usize, heard: Heard) -> Option<Grant> {
        let pause = if self.pauses(worker, &heard) { self.schedule.pause } else { 0 };
        let next = self.turns.hear(WorkerId(worker as u32), heard)?.0 as usize;
        (self.quiet, self.looked) = ((Duration::ZERO, 0), Instant::now());
        let asker = &mut self.workers[next];
        let (question, since) = asker.asked.take()?;
        let held = since.map_or(Duration::ZERO, |since| since.elapsed());
        asker.held += held;
        let is_call = |step: &Step| step.worker.0 as usize == next && matches!(step.kind, StepKind::Calls(_));
        if self.turns.steps().last().is_some_and(is_call) {
            (asker.called, asker.takes) = (Some(Instant::now()), 0);
        }
        if matches!(question, Question::SystemCall(_)) {
            asker.excused += held;
        }
        Some(Grant { worker: next, question, held, pause: Duration::from_millis(pause.into()) })
    }

    /// Takes in that a worker was held for so much longer before its answer.
    pub(crate) fn held_on(&mut self, grant: &mut Grant, time: Duration) {
        grant.held += time;
        let asker = &mut self.workers[grant.worker];
        asker.held += time;
        if matches!(grant.question, Question::SystemCall(_)) {
            asker.excused += time;
        }
        asker.called = asker.called.map(|since| since + time);
        self.looked = Instant::now();
    }

    /// Whether a worker is to be delayed here; the other one does not run then.
    fn pauses(&self, worker: usize, heard: &Heard) -> bool {
        let id = WorkerId(worker as u32);
        let point = self.turns.points(id);
        let here = |switch: &Switch| switch.worker == id && switch.point == point;
        match heard {
            Heard::Asks(_) => self.schedule.switches.iter().any(here),
            Heard::Awake => true,
            _ => false,
        }
    }
}

impl WorkerTurn {
    fn family(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.family.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has subprocesses.
    fn has_family(&self) -> bool {
        !self.family().is_empty()
    }

    /// Looks at its processes. Nothing if the system does not tell.
    fn look(&mut self) -> Option<ProcessActivity> {
        let process = self.process.on_host()?;
        let mut own = look_at(process)?;
        // What it has asked for we may not have heard yet.
        own.busy |= self.channel.is_some_and(|channel| waits_at(process, channel));
        if self.asks_server {
            let found = self.servers.get_or_insert_with(|| servers_beside(process));
            let servers = found.iter().flat_map(|&server| std::iter::once(server).chain(children(server)));
            own = servers.filter_map(look_at).fold(own, ProcessActivity::and);
        }
        let mut family = self.family();
        let seen: Vec<(i32, Option<ProcessActivity>)> =
            family.iter().map(|&process| (process, look_at(process))).collect();
        *family = seen.iter().filter(|(_, pulse)| pulse.is_some()).map(|(process, _)| *process).collect();
        Some(seen.into_iter().filter_map(|(_, pulse)| pulse).fold(own, ProcessActivity::and))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Imports, Mode, OrderKind, Seed, TrialIndex};
    use crate::race::fairness::is_unfair;
    use crate::race::operation::Operation;

    /// A worker rests for so long while the other one is held; system calls kept it waiting for a part of that, and it may be
    /// about to end.
    fn rested(rest: Duration, kept: Duration, exits: bool) -> bool {
        let at = BTreeSet::from([Resource("file:a".into())]);
        let switch = Switch { worker: WorkerId(0), point: 1, to: WorkerId(1) };
        let schedule = Schedule { switches: vec![switch], ..Schedule::undisturbed(WorkerId(0), at.clone()) };
        let plan = Plan {
            seed: Seed(1),
            index: TrialIndex(0),
            order: OrderKind::Explicit,
            mode: Mode::Load,
            workers: vec![vec![TestIndex(0)], vec![TestIndex(1)]],
            interleaving: Interleaving::Controlled(schedule),
            hash_seed: 0,
            random_seed: 0,
            imports: Imports::All,
        };
        let mut control = Control::new(&plan).expect("a controlled plan");
        let call = || Call {
            resource: Resource("file:a".into()),
            operation: Operation::Write,
            writes: true,
            idle: false,
            statement: None,
            at: None,
            by: None,
        };
        let time = Kept::default();
        control.is_supervised(1, ProcessTree::default(), time.clone());
        for worker in 0..2 {
            control.comes(worker, 1);
        }
        control.calls(0, 2, call());
        let granted = control.calls(0, 3, call()).expect("the other one goes on");
        assert_eq!(granted.worker, 1);
        time.add(kept);
        if exits {
            control.exits(1);
        }
        control.rested(1, rest.as_secs_f64());
        is_unfair(&control.record().0)
    }

    #[test]
    fn who_waits_for_its_system_calls_to_be_let_go_on_does_not_rest() {
        let (rest, most) = (Duration::from_millis(30), Duration::from_millis(28));
        assert!(rested(rest, Duration::ZERO, false));
        assert!(!rested(rest, most, false));
        assert!(!rested(rest, rest + most, false));
    }

    #[test]
    fn what_a_process_does_at_its_end_is_no_rest_of_a_test() {
        assert!(!rested(Duration::from_millis(300), Duration::ZERO, true));
    }
}
