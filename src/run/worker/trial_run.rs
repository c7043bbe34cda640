//! One trial while it runs: its workers, what they say, the clock and the barriers. What starts the
//! workers' processes, and how, is a [`Launcher`]'s business.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::formats::PROTOCOL_VERSION;
use crate::limits::{CLOSED, COLLECT, ENDING, TICK, WORKER_LOOK};
use crate::plan::schedule::Resource;
use crate::plan::{Barrier, Imports, Interleaving, Mode, WorkerId};
use crate::race::{Access, Touched};
use crate::run::error::with_output;
use crate::run::host::PytestHost;
use crate::run::process::pytest::{Heard, Process};
use crate::run::protocol::{
    Message, Purpose, Request, Server, Setup, WatchSetup, WorkerIdentity, check_protocol,
};
use crate::run::sandbox::own_hosts;
use crate::run::site::trial_env::TrialEnv;
use crate::run::syscalls::names::Names;
use crate::run::syscalls::{Supervisor, filter};
use crate::run::worker::control::{Control, Grant, Question};
use crate::run::worker::meeting;
use crate::run::worker::progress::{Stage, Worker, outcome};
use crate::run::worker::stopping::Course;
use crate::run::worker::time_limits::TimeLimits;
use crate::run::{Job, RunError};
use crate::state::{Changed, Followed, Left, NamedPlace, Reading};
use crate::suite::Suite;
use crate::trial::{Failure, NOT_COLLECTED, Outcome, Trial};

/// A message's origin: worker and its process's number, as a process that was ended may still be heard.
pub(crate) type Name = (usize, u32);

/// Starts and ends the processes of a trial's workers.
pub(crate) trait Launcher: Sync {
    /// Whose processes they are.
    fn host(&self) -> &PytestHost;

    /// Whether its processes may lack what tests need, so that one that hangs or ends says nothing of its test.
    fn lacks_threads(&self) -> bool;

    /// Starts a process for a worker.
    fn launch(
        &self,
        site: &TrialEnv,
        hash_seed: u32,
        name: Name,
        sender: &Sender<(Name, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError>;
}

/// Runs a plan to its end, or to the time limit.
///
/// # Errors
/// pytest could not be run at all, or the run was interrupted.
pub(crate) fn run_trial(
    launcher: &dyn Launcher,
    suite: &Suite,
    job: Job<'_>,
    site: &TrialEnv,
    limits: TimeLimits<'_>,
) -> Result<Trial, RunError> {
    let mut run = TrialRun::new(launcher, suite, job, site, limits, Course::Whole);
    let result = run.carry_out();
    run.ended(result)
}

/// One trial while it runs.
pub(super) struct TrialRun<'a> {
    launcher: &'a dyn Launcher,
    suite: &'a Suite,
    job: Job<'a>,
    site: &'a TrialEnv,
    /// When it started.
    pub(super) start: Instant,
    deadline: Instant,
    limits: TimeLimits<'a>,
    course: Course<'a>,
    /// Why its only worker, which was to stop, did not.
    pub(super) unfit: Option<String>,
    /// In the order of the plan.
    pub(super) workers: Vec<Worker>,
    /// Of each worker the process that runs, if one does.
    pub(super) processes: Vec<Option<Process>>,
    /// Those of the processes that can be supervised.
    supervisors: Vec<Option<Supervisor>>,
    started: u32,
    control: Option<Control>,
    /// Which worker was let go on last.
    turn: Option<usize>,
    touched: Vec<Touched>,
    changed: Option<Changed>,
    sender: Sender<(Name, Heard)>,
    /// What is heard of the processes.
    pub(super) receiver: Receiver<(Name, Heard)>,
}

impl<'a> TrialRun<'a> {
    /// A trial that has not started.
    pub(super) fn new(
        launcher: &'a dyn Launcher,
        suite: &'a Suite,
        job: Job<'a>,
        site: &'a TrialEnv,
        limits: TimeLimits<'a>,
        course: Course<'a>,
    ) -> Self {
        let start = Instant::now();
        let (sender, receiver) = channel();
        let lists = (0..).map(WorkerId).zip(job.plan.workers.iter().cloned());
        let workers: Vec<Worker> = lists.map(|(id, list)| course.worker(id, list)).collect();
        let processes = workers.iter().map(|_| None).collect();
        Self {
            launcher,
            suite,
            job,
            site,
            start,
            deadline: start + limits.trial,
            limits,
            course,
            unfit: None,
            supervisors: workers.iter().map(|_| None).collect(),
            workers,
            processes,
            started: 0,
            control: Control::new(job.plan),
            turn: None,
            touched: Vec::new(),
            changed: None,
            sender,
            receiver,
        }
    }

    /// The trial; whatever still runs is ended.
    ///
    /// # Errors
    /// That of carrying it out.
    pub(super) fn ended(mut self, result: Result<(), RunError>) -> Result<Trial, RunError> {
        let (steps, held) = self.control.as_ref().map(Control::record).unwrap_or_default();
        let (touched, changed) = (std::mem::take(&mut self.touched), self.changed.take());
        let (start, before) = (self.start, self.course.before());
        let (workers, processes) = self.take();
        result?;
        let executions = workers.iter().flat_map(Worker::executions).collect();
        Ok(Trial {
            executions,
            duration: before + start.elapsed(),
            processes,
            leftovers: Vec::new(),
            steps,
            held,
            touched,
            changed,
        })
    }

    /// Whether its only worker has stopped where it was to.
    pub(super) fn has_stopped(&self) -> bool {
        self.course.stop().is_some() && self.workers.iter().all(|worker| worker.stage == Stage::Stopped)
    }

    /// The workers and how many processes they used; whatever still runs is ended.
    fn take(mut self) -> (Vec<Worker>, u32) {
        for process in &mut self.processes {
            if let Some(mut process) = process.take() {
                self.launcher.host().ended(&mut process, Duration::ZERO);
            }
        }
        (std::mem::take(&mut self.workers), self.started)
    }

    /// Runs every worker to the end of its list, or to where it stops.
    ///
    /// # Errors
    /// pytest could not be run at all, or the run was interrupted.
    pub(super) fn carry_out(&mut self) -> Result<(), RunError> {
        for worker in 0..self.workers.len() {
            if !self.workers[worker].list.is_empty() {
                self.start(worker)?;
            }
        }
        while self.processes.iter().any(Option::is_some) && !self.has_stopped() {
            if self.launcher.host().options.interrupt.is_set() {
                return Err(RunError::Interrupted);
            }
            match self.receiver.recv_timeout(if self.control.is_some() { WORKER_LOOK } else { TICK }) {
                Ok(((worker, process), heard)) if self.workers[worker].process == process => {
                    self.hear(worker, heard)?;
                }
                Ok(_) | Err(_) => {}
            }
            self.watch_clock()?;
            self.let_meet();
            self.take_turns(Control::look);
        }
        Ok(())
    }

    fn start(&mut self, worker: usize) -> Result<(), RunError> {
        let folder = self.site.path.to_string_lossy();
        let state = &mut self.workers[worker];
        // A process that goes on has run what comes before, and counts it.
        if !self.course.goes_on() || state.process > 0 {
            state.offset = state.next_place();
        }
        state.enter(Stage::Collecting);
        let state = &self.workers[worker];
        let setup = Setup {
            protocol: PROTOCOL_VERSION,
            purpose: Purpose::Run,
            imports: match &self.job.plan.imports {
                Imports::All => None,
                Imports::Only(files) => Some(files.iter().map(String::as_str).collect()),
            },
            worker: self.identity(worker),
            random_seed: self.job.plan.random_seed,
            tests: state.list[state.offset..]
                .iter()
                .map(|&test| &self.suite.test(test).id)
                .map(|id| (id.node_id.as_str(), id.occurrence))
                .collect(),
            barriers: meeting::places_of(worker, self.barriers())
                .filter_map(|place| place.checked_sub(state.offset as u32))
                .collect(),
            folder: &folder,
            watch: self.watch(),
            stop: self.course.stop().filter(|_| state.process == 0),
            explain: self.job.instructions,
            named_places: self.named_places(),
            servers: self.servers(),
        };
        let name = (worker, state.process);
        let launched = self.launcher.launch(self.site, self.job.plan.hash_seed, name, &self.sender, setup);
        let process = match launched {
            Ok(process) => process,
            // What tests have done, such as to remove the folder, may keep a worker from starting.
            Err(error @ (RunError::Sandbox(_) | RunError::Io { .. }))
                if self.workers.iter().any(Worker::has_begun) =>
            {
                self.workers[worker].give_up(&error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.processes[worker] = Some(process);
        self.started += 1;
        Ok(())
    }

    /// The places that the user has named, where state is to be explained.
    fn servers(&self) -> &'a [Server] {
        self.job.instructions.map_or(&[], |_| self.launcher.host().servers())
    }

    fn named_places(&self) -> &'a [NamedPlace] {
        self.job.instructions.map_or(&[], |_| &self.launcher.host().options.named_places)
    }

    fn identity(&self, worker: usize) -> Option<WorkerIdentity> {
        (self.job.plan.mode != Mode::No).then(|| WorkerIdentity {
            id: self.workers[worker].id.to_string(),
            count: self.workers.len() as u32,
            uid: format!("{:016x}{:016x}", self.job.plan.seed.0, self.job.plan.index.0),
        })
    }

    fn hear(&mut self, worker: usize, heard: Heard) -> Result<(), RunError> {
        let state = &mut self.workers[worker];
        match heard {
            Heard::Listener(listener, names) => self.supervise(worker, listener, names),
            Heard::Noticed(noticed) => self.take_turns(|control| control.notices(worker, noticed)),
            Heard::Message(Message::Unseen { why }) => self.launcher.host().cannot_see(&why),
            Heard::Message(Message::Hello { protocol, .. }) => check_protocol(protocol)?,
            Heard::Message(Message::Missing { positions }) => {
                for place in
                    positions.into_iter().filter_map(|position| state.place(position)).collect::<Vec<_>>()
                {
                    state.note(place, Outcome::NotRun { why: NOT_COLLECTED.into() }, Duration::ZERO);
                }
            }
            Heard::Message(Message::Running { pid, namespace, channel }) => {
                state.enter(Stage::Idle);
                if let Some(control) = &mut self.control {
                    control.runs_as(worker, pid, namespace.as_deref(), channel);
                }
            }
            Heard::Message(Message::Stopped { unfit: None }) => state.enter(Stage::Stopped),
            Heard::Message(Message::Stopped { unfit }) => self.unfit = unfit,
            Heard::Message(Message::Waiting { position }) => {
                if let Some(place) = state.place(position) {
                    state.enter(Stage::Waiting(place));
                }
            }
            Heard::Message(Message::Comes { turn }) => {
                self.take_turns(|control| control.comes(worker, turn));
            }
            Heard::Message(Message::Start { position }) => {
                if let Some(place) = state.place(position) {
                    state.enter(Stage::Running(place, Instant::now()));
                    let test = state.list[place];
                    self.take_turns(|control| control.starts(worker, test));
                }
            }
            Heard::Message(Message::Finish { position, outcome: verdict, duration, failure, user }) => {
                let user = user.and_then(|position| state.place(position)).map(|place| state.list[place]);
                let failure = failure.map(|failure| Failure { user, ..failure });
                if let Some(place) = state.place(position) {
                    let duration = Duration::try_from_secs_f64(duration).unwrap_or_default();
                    state.note(place, outcome(verdict, failure), duration);
                    let is_done = state.is_done();
                    state.enter(if is_done { Stage::Ending } else { Stage::Idle });
                    match &mut self.control {
                        // A server learns that a test is done with it when the process ends, and not before.
                        Some(control) if is_done && self.launcher.host().has_services() => {
                            control.exits(worker);
                        }
                        _ if is_done => self.take_turns(|control| control.ends(worker)),
                        _ => {}
                    }
                }
            }
            Heard::Message(Message::Rested { seconds }) => {
                self.take_turns(|control| control.rested(worker, seconds));
            }
            Heard::Message(Message::Did(effect)) => self.take_turns(|control| control.did(worker, effect)),
            Heard::Message(Message::Handling) => self.take_turns(|control| control.handles(worker)),
            Heard::Message(Message::Teardown) => self.take_turns(|control| control.tears_down(worker)),
            Heard::Message(Message::Yield { turn, call }) => {
                self.take_turns(|control| control.calls(worker, turn, call));
            }
            Heard::Message(Message::Asleep { seconds, at }) => {
                self.take_turns(|control| control.sleeps(worker, seconds, at));
            }
            Heard::Message(Message::Awake { turn }) => self.take_turns(|control| control.wakes(worker, turn)),
            Heard::Message(Message::Touched { position, mut accesses, fixtures }) => {
                let test = state.place(position).map(|place| state.list[place]);
                let noted = self.supervisors[worker].as_ref().map(|supervisor| supervisor.noted(position));
                add_unknown(&mut accesses, noted.unwrap_or_default());
                self.touched.extend(test.map(|test| Touched { test, accesses, fixtures }));
            }
            Heard::Message(Message::Changed(changed)) => {
                self.changed.get_or_insert(*changed);
            }
            Heard::Message(Message::Read(read)) => self.changed.get_or_insert_default().read = Some(read),
            Heard::Message(Message::Followed(Followed { position, moved, changed })) => {
                if let Some(place) = state.place(position) {
                    let followed = Followed { position: place as u32, moved, changed };
                    self.changed.get_or_insert_default().followed.push(followed);
                }
            }
            Heard::Message(Message::Left(left)) => {
                let position =
                    left.position.and_then(|position| state.place(position)).map(|place| place as u32);
                self.changed.get_or_insert_default().left.push(Left { position, ..*left });
            }
            Heard::Message(Message::Reading(reading)) => {
                if let Some(place) = state.place(reading.position) {
                    let reading = Reading { position: place as u32, ..reading };
                    self.changed.get_or_insert_default().readings.push(reading);
                }
            }
            Heard::Message(Message::Done { .. }) => state.enter(Stage::Ending),
            Heard::Message(
                Message::Collected { .. }
                | Message::Listener(_)
                | Message::Ready { .. }
                | Message::Forked { .. }
                | Message::Exited { .. }
                | Message::First
                | Message::Measured { .. },
            ) => {}
            Heard::Message(Message::Error { message }) | Heard::Garbage(message) => {
                return Err(RunError::Pytest(message));
            }
            Heard::Closed => self.lost(worker, CLOSED, None)?,
        }
        Ok(())
    }

    /// A process has closed its channel, or has used up its time, and is ended. If tests are left, the
    /// worker goes on with them in a fresh process.
    fn lost(&mut self, worker: usize, patience: Duration, timeout: Option<Duration>) -> Result<(), RunError> {
        let Some(mut process) = self.processes[worker].take() else {
            return Ok(());
        };
        let how =
            self.launcher.host().ended(&mut process, patience).unwrap_or_else(|| "closed its channel".into());
        self.supervisors[worker] = None;
        // Whoever comes next meets nothing that this process had locked.
        if self.processes.iter().any(Option::is_some) || !self.workers[worker].is_done() {
            self.site.close_connections();
        }
        self.take_turns(|control| control.ends(worker));
        // What the tests of another worker have done may keep this one from starting.
        let mut others = self.workers.iter().enumerate().filter(|&(other, _)| other != worker);
        let alone = others.all(|(_, other)| !other.has_begun());
        let state = &mut self.workers[worker];
        match state.stage {
            Stage::Collecting if !alone => {
                state.give_up(&format!("pytest ended before its first test ({how})"));
            }
            Stage::Collecting => {
                let why = format!("pytest ended before its first test ({how})");
                return Err(RunError::Pytest(with_output(&why, &process.output())));
            }
            Stage::Running(place, _) if self.launcher.lacks_threads() => {
                let how =
                    timeout.map_or_else(|| format!("ended its process ({how})"), |_| "timed out".to_owned());
                return Err(RunError::LostThreads { test: state.list[place], how });
            }
            Stage::Running(place, since) => {
                let outcome = match timeout {
                    Some(limit) => Outcome::Timeout { limit },
                    None => Outcome::Crashed { how: how.clone() },
                };
                state.note(place, outcome, since.elapsed());
            }
            Stage::Idle | Stage::Waiting(_) | Stage::Stopped | Stage::Ending => {}
        }
        if state.is_done() {
            return Ok(());
        }
        if state.next_place() == state.offset {
            state.give_up(&format!("pytest ended without running it ({how})"));
            return Ok(());
        }
        state.process += 1;
        self.start(worker)
    }

    fn watch_clock(&mut self) -> Result<(), RunError> {
        if Instant::now() > self.deadline {
            self.workers.iter_mut().for_each(|worker| worker.give_up("the trial took too long"));
            self.deadline += ENDING;
            for worker in 0..self.workers.len() {
                self.lost(worker, Duration::ZERO, None)?;
            }
        }
        for worker in 0..self.workers.len() {
            if self.control.as_ref().is_some_and(|control| control.holds(worker)) {
                continue;
            }
            let state = &self.workers[worker];
            let limit = match state.stage {
                Stage::Collecting => COLLECT,
                Stage::Running(place, _) => self.limits.of(state.list[place]),
                Stage::Idle => self.limits.test,
                Stage::Ending => ENDING,
                Stage::Waiting(_) | Stage::Stopped => continue,
            };
            if self.processes[worker].is_some() && state.since.elapsed() > limit {
                self.lost(worker, Duration::ZERO, Some(limit))?;
            }
        }
        Ok(())
    }

    fn barriers(&self) -> &'a [Barrier] {
        match &self.job.plan.interleaving {
            Interleaving::Free | Interleaving::Controlled(_) => &[],
            Interleaving::Barriers(barriers) => barriers,
        }
    }

    fn watch(&self) -> Option<WatchSetup<'a>> {
        let Interleaving::Controlled(schedule) = &self.job.plan.interleaving else {
            let statements = !self.launcher.host().servers().is_empty();
            return self.job.recorded.then(|| WatchSetup {
                at: None,
                system_calls: true,
                statements,
                hosts: own_hosts(),
                filter: filter(statements),
            });
        };
        let at = schedule.at.iter().map(|resource| resource.0.as_str()).collect();
        let system_calls = schedule.system_calls;
        let statements = system_calls && schedule.at.iter().any(Resource::is_of_server);
        let filter = if system_calls { filter(statements) } else { None };
        Some(WatchSetup { at: Some(at), system_calls, statements, hosts: own_hosts(), filter })
    }

    /// From now on the system calls of a worker are told of.
    fn supervise(&mut self, worker: usize, listener: OwnedFd, names: Names) {
        let at = match &self.job.plan.interleaving {
            Interleaving::Controlled(schedule) => Some(schedule.at.clone()),
            _ => None,
        };
        let (name, sender) = ((worker, self.workers[worker].process), self.sender.clone());
        let notify = move |noticed| drop(sender.send((name, Heard::Noticed(noticed))));
        self.supervisors[worker] =
            Supervisor::start(listener, names, self.launcher.host().servers().to_vec(), at, notify);
        if let (Some(control), Some(supervisor)) = (&mut self.control, &self.supervisors[worker]) {
            control.is_supervised(worker, supervisor.family(), supervisor.kept());
        }
    }

    /// Tells the control of a controlled trial something, and answers the worker whose turn it is then.
    fn take_turns(&mut self, step: impl FnOnce(&mut Control) -> Option<Grant>) {
        let due = self.control.as_mut().and_then(Control::lets_pass);
        self.let_go_on(due);
        let next = self.control.as_mut().and_then(step);
        self.let_go_on(next);
    }

    fn let_go_on(&mut self, mut next: Option<Grant>) {
        while let Some(mut grant) = next {
            if self.turn.replace(grant.worker) != Some(grant.worker) {
                let start = Instant::now();
                self.site.close_connections();
                if let Some(control) = &mut self.control {
                    control.held_on(&mut grant, start.elapsed());
                }
            }
            // Nobody else has the turn meanwhile, and it is only delayed to see what that does.
            std::thread::sleep(grant.pause);
            self.answer(grant);
            next = self.control.as_mut().and_then(|control| control.asks_on(grant.worker));
        }
    }

    fn answer(&mut self, grant: Grant) {
        self.workers[grant.worker].since += grant.held;
        let supervisor = self.supervisors[grant.worker].as_ref();
        match grant.question {
            Question::Turn(turn) => {
                let wanted = self.control.as_ref().and_then(|control| control.wanted(grant.worker));
                if let (Some(supervisor), Some(wanted)) = (supervisor, wanted) {
                    supervisor.grants(wanted);
                }
                if let Some(process) = &mut self.processes[grant.worker] {
                    process.say(&Request::Turn { turn });
                }
            }
            Question::SystemCall(id) => supervisor.into_iter().for_each(|supervisor| supervisor.answer(id)),
        }
    }

    /// Lets workers go that have waited for another long enough.
    fn let_meet(&mut self) {
        let alive = |worker: usize| self.processes[worker].is_some();
        for worker in meeting::may_go(&self.workers, alive, self.barriers()) {
            self.workers[worker].enter(Stage::Idle);
            if let Some(process) = &mut self.processes[worker] {
                process.say(&Request::Go);
            }
        }
    }
}

/// Adds what system calls tell of a test to what the harness knows. What the worker itself does to a resource
/// the harness knows better, if it has seen that at all.
fn add_unknown(accesses: &mut Vec<Access>, noted: Vec<(Access, bool)>) {
    let known: BTreeSet<Resource> = accesses.iter().map(|access| access.call.resource.clone()).collect();
    let unknown =
        |(access, by_subprocess): &(Access, bool)| *by_subprocess || !known.contains(&access.call.resource);
    accesses.extend(noted.into_iter().filter(unknown).map(|(access, _)| access));
}
