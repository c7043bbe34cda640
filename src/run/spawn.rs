//! The spawn engine: a fresh `python -m pytest` for each worker of a trial. The ground truth.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::plan::{Imports, Interleaving, Meeting, Mode, Plan, WorkerId};
use crate::run::interrupt::Interrupt;
use crate::run::plain::{self, PlainRun};
use crate::run::process::{Heard, Process};
use crate::run::protocol::{self, Message, Request, Setup, WorkerLikeness};
use crate::run::python::Python;
use crate::run::reaper::Reaper;
use crate::run::worker::{Stage, Worker, outcome};
use crate::run::workspace::{TrialFolder, Workspace, cache_dir, unpack_harness};
use crate::run::{Collected, Engine, Event, Interpreter, Outcome, RunError, Trial};
use crate::suite::{Suite, Test};

/// How often the clock and the interrupt are looked at.
const TICK: Duration = Duration::from_millis(50);
/// How long pytest may take to end after its last test, session fixtures included.
const ENDING: Duration = Duration::from_secs(30);
/// How long a process that closed its channel may take to end.
const CLOSED: Duration = Duration::from_secs(5);
/// A trial without a limit of its own may take this and ten times the longest before it.
const TRIAL: Duration = Duration::from_secs(600);
/// How long pytest may take to start and collect.
const COLLECT: Duration = Duration::from_secs(600);

/// Variables of other tools that would make pytest print, measure or record.
const REMOVED: [&str; 7] = [
    "GITHUB_ACTIONS",
    "COV_CORE_SOURCE",
    "COV_CORE_CONFIG",
    "COV_CORE_DATAFILE",
    "COVERAGE_PROCESS_START",
    "PYTHONDONTWRITEBYTECODE",
    "PYTEST_CURRENT_TEST",
];

/// How a suite is run.
#[derive(Clone, Debug)]
pub struct SpawnOptions {
    /// The Python that has pytest.
    pub python: Python,
    /// The folder pytest is run in.
    pub invocation_dir: PathBuf,
    /// What pytest is given besides.
    pub pytest_args: Vec<String>,
    /// When a test has run too long.
    pub test_timeout: Duration,
    /// When a trial has run too long; without it, a limit follows from the trials before.
    pub trial_timeout: Option<Duration>,
    /// The user's wish to stop.
    pub interrupt: Interrupt,
    /// The `jostle` that ends what is left if this process dies; without it, nothing does.
    pub reaper: Option<PathBuf>,
}

/// Runs every worker as a process of its own.
#[derive(Debug)]
pub struct SpawnEngine {
    options: SpawnOptions,
    harness: PathBuf,
    pycache: PathBuf,
    reaper: Option<Reaper>,
    workspace: Workspace,
    longest: Duration,
}

impl SpawnEngine {
    /// Makes the session's folders.
    ///
    /// # Errors
    /// They cannot be made, or the reaper cannot be started.
    pub fn new(options: SpawnOptions) -> Result<Self, RunError> {
        let workspace = Workspace::new()?;
        let reaper = match &options.reaper {
            Some(executable) => Some(Reaper::start(executable, workspace.path())?),
            None => None,
        };
        Ok(Self {
            harness: unpack_harness()?,
            pycache: cache_dir()?.join("pycache"),
            reaper,
            workspace,
            longest: Duration::ZERO,
            options,
        })
    }

    /// The command that runs pytest for a trial.
    fn command(&self, folder: &TrialFolder, hash_seed: u32) -> Command {
        let mut command = self.plain_command(folder);
        // An ini option can be overridden on the command line only: later than that it has been read.
        let cache = format!("cache_dir={}", folder.path.join("cache").display());
        command.args(["-p", "jostle_harness.plugin", "-o", &cache]).args(&self.options.pytest_args);
        command.env("PYTHONHASHSEED", hash_seed.to_string());
        let mut path = self.harness.clone().into_os_string();
        if let Some(rest) = std::env::var_os("PYTHONPATH").filter(|rest| !rest.is_empty()) {
            path.push(":");
            path.push(rest);
        }
        command.env("PYTHONPATH", path);
        command
    }

    /// `python -m pytest` in the suite's folder, in the surroundings of a trial.
    fn plain_command(&self, folder: &TrialFolder) -> Command {
        let mut command = Command::new(&self.options.python.path);
        command.args(["-m", "pytest"]).current_dir(&self.options.invocation_dir);
        for name in REMOVED {
            command.env_remove(name);
        }
        command.env("TMPDIR", folder.path.join("tmp"));
        // Examples that failed are tried first the next time: no trial may learn from another.
        command.env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path.join("hypothesis"));
        // Bytecode is kept out of the user's project, and between trials.
        command.env("PYTHONPYCACHEPREFIX", &self.pycache);
        command
    }

    fn start<N: Copy + Send + 'static>(
        &mut self,
        command: Command,
        name: N,
        sender: &Sender<(N, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        let mut process = Process::start(command, name, sender.clone())?;
        if let Some(reaper) = &mut self.reaper {
            reaper.watch(process.group());
        }
        process.say(&Request::Setup(setup));
        Ok(process)
    }

    fn ended(&mut self, process: &mut Process, patience: Duration) -> Option<String> {
        let how = process.end(patience);
        if let Some(reaper) = &mut self.reaper {
            reaper.forget(process.group());
        }
        how
    }
}

impl Engine for SpawnEngine {
    fn collect(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        let folder = self.workspace.trial()?;
        let (sender, receiver) = channel();
        let path = folder.path.to_string_lossy();
        let setup = Setup {
            protocol: protocol::VERSION,
            collect_only: true,
            imports: None,
            worker: None,
            random_seed: 0,
            tests: Vec::new(),
            meetings: Vec::new(),
            folder: &path,
        };
        let mut process = self.start(self.command(&folder, hash_seed), (), &sender, setup)?;
        let heard = hear_collection(&receiver, &self.options.interrupt);
        let patience = if heard.is_ok() { ENDING } else { CLOSED };
        let collected = match heard {
            Err(RunError::Pytest(why)) => {
                self.ended(&mut process, patience);
                return Err(RunError::Pytest(with_output(&why, &process.output())));
            }
            other => other,
        };
        self.ended(&mut process, if collected.is_ok() { patience } else { Duration::ZERO });
        collected
    }

    fn run(&mut self, suite: &Suite, plan: &Plan, events: &mut dyn FnMut(Event)) -> Result<Trial, RunError> {
        let start = Instant::now();
        let folder = self.workspace.trial()?;
        let limit = self.options.trial_timeout.unwrap_or_else(|| TRIAL + self.longest * 10);
        let mut run = TrialRun::new(self, suite, plan, &folder, start + limit);
        let result = run.carry_out(events);
        let (workers, processes) = run.take();
        result?;
        let duration = start.elapsed();
        self.longest = self.longest.max(duration);
        Ok(Trial { executions: workers.iter().flat_map(Worker::executions).collect(), duration, processes })
    }

    fn plain(
        &mut self,
        arguments: &[String],
        hash_seed: Option<u32>,
    ) -> Result<Option<(String, PlainRun)>, RunError> {
        let folder = self.workspace.trial()?;
        let arguments: Vec<&String> = self.options_of_suite().chain(arguments).collect();
        let mut command = self.plain_command(&folder);
        command.args(&arguments);
        // What is only for the try: a wide summary of what failed, and no cache in the user's project.
        let own = std::env::var("PYTEST_ADDOPTS").unwrap_or_default();
        let cache = folder.path.join("cache");
        command.env("PYTEST_ADDOPTS", format!("{own} -rfE -o cache_dir={}", cache.display()));
        command.env("COLUMNS", "4000");
        if let Some(hash_seed) = hash_seed {
            command.env("PYTHONHASHSEED", hash_seed.to_string());
        }
        let limit = self.options.test_timeout * 2;
        let run = plain::run(command, &folder, limit, &self.options.interrupt)?;
        let python = self.options.python.path.to_string_lossy();
        let words = [&*python, "-m", "pytest"].into_iter().chain(arguments.iter().map(|word| word.as_str()));
        let Ok(line) = shlex::try_join(words) else {
            return Ok(None);
        };
        let prefix = hash_seed.map_or_else(String::new, |seed| format!("PYTHONHASHSEED={seed} "));
        Ok(Some((prefix + &line, run)))
    }
}

impl SpawnEngine {
    /// The suite's own options: what the user gave to pytest, without the paths.
    fn options_of_suite(&self) -> impl Iterator<Item = &String> {
        let is_path = |argument: &str| {
            let path = argument.split("::").next().unwrap_or(argument);
            !argument.starts_with('-') && self.options.invocation_dir.join(path).exists()
        };
        self.options.pytest_args.iter().filter(move |argument| !is_path(argument))
    }
}

fn hear_collection(receiver: &Receiver<((), Heard)>, interrupt: &Interrupt) -> Result<Collected, RunError> {
    let deadline = Instant::now() + COLLECT;
    let mut hello = None;
    loop {
        if interrupt.is_set() {
            return Err(RunError::Interrupted);
        }
        match receiver.recv_timeout(TICK) {
            Ok((
                _,
                Heard::Message(Message::Hello { protocol, python, pytest, rootdir, plugins, neutralised }),
            )) => {
                check_protocol(protocol)?;
                hello = Some((Interpreter { python, pytest, rootdir, plugins }, neutralised));
            }
            Ok((_, Heard::Message(Message::Collected { tests, errors, deselected }))) => {
                let (interpreter, neutralised) =
                    hello.ok_or_else(|| RunError::Pytest("the harness did not introduce itself".into()))?;
                let tests: Vec<Test> = tests.into_iter().map(Test::from).collect();
                return Ok(Collected {
                    suite: Suite::new(tests, errors, deselected),
                    interpreter,
                    neutralised,
                });
            }
            Ok((_, Heard::Message(Message::Error { message }) | Heard::Garbage(message))) => {
                return Err(RunError::Pytest(message));
            }
            Ok((_, Heard::Closed)) | Err(RecvTimeoutError::Disconnected) => {
                return Err(RunError::Pytest("pytest ended before it had collected the suite".into()));
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                return Err(RunError::Pytest(format!(
                    "pytest did not collect the suite within {} s",
                    COLLECT.as_secs()
                )));
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

fn check_protocol(version: u32) -> Result<(), RunError> {
    if version == protocol::VERSION {
        return Ok(());
    }
    Err(RunError::Pytest(format!(
        "the harness speaks protocol {version} and jostle {}: another `jostle_harness` stands before ours on the path",
        protocol::VERSION
    )))
}

/// What failed, followed by the end of what pytest printed.
fn with_output(why: &str, output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = lines[lines.len().saturating_sub(30)..].join("\n  ");
    if shown.is_empty() { why.to_owned() } else { format!("{why}. It printed:\n  {shown}") }
}

/// A message's origin: worker and its process's number, as a process that was ended may still be heard.
type Name = (usize, u32);

/// One trial while it runs.
struct TrialRun<'a> {
    engine: &'a mut SpawnEngine,
    suite: &'a Suite,
    plan: &'a Plan,
    folder: &'a TrialFolder,
    deadline: Instant,
    workers: Vec<Worker>,
    processes: Vec<Option<Process>>,
    started: u32,
    sender: Sender<(Name, Heard)>,
    receiver: Receiver<(Name, Heard)>,
}

impl<'a> TrialRun<'a> {
    fn new(
        engine: &'a mut SpawnEngine,
        suite: &'a Suite,
        plan: &'a Plan,
        folder: &'a TrialFolder,
        deadline: Instant,
    ) -> Self {
        let (sender, receiver) = channel();
        let workers: Vec<Worker> =
            (0..).zip(&plan.workers).map(|(id, list)| Worker::new(WorkerId(id), list.clone())).collect();
        let processes = workers.iter().map(|_| None).collect();
        Self { engine, suite, plan, folder, deadline, workers, processes, started: 0, sender, receiver }
    }

    /// The workers and how many processes they used; whatever still runs is ended.
    fn take(mut self) -> (Vec<Worker>, u32) {
        for process in &mut self.processes {
            if let Some(mut process) = process.take() {
                self.engine.ended(&mut process, Duration::ZERO);
            }
        }
        (std::mem::take(&mut self.workers), self.started)
    }

    fn carry_out(&mut self, events: &mut dyn FnMut(Event)) -> Result<(), RunError> {
        for worker in 0..self.workers.len() {
            if !self.workers[worker].list.is_empty() {
                self.start(worker, events)?;
            }
        }
        while self.processes.iter().any(Option::is_some) {
            if self.engine.options.interrupt.is_set() {
                return Err(RunError::Interrupted);
            }
            match self.receiver.recv_timeout(TICK) {
                Ok(((worker, process), heard)) if self.workers[worker].process == process => {
                    self.hear(worker, heard, events)?;
                }
                Ok(_) | Err(_) => {}
            }
            self.watch_clock(events)?;
            self.let_meet();
        }
        Ok(())
    }

    fn start(&mut self, worker: usize, events: &mut dyn FnMut(Event)) -> Result<(), RunError> {
        let folder = self.folder.path.to_string_lossy();
        let state = &mut self.workers[worker];
        state.offset = state.next_place();
        state.enter(Stage::Collecting);
        let state = &self.workers[worker];
        let setup = Setup {
            protocol: protocol::VERSION,
            collect_only: false,
            imports: match &self.plan.imports {
                Imports::All => None,
                Imports::Only(files) => Some(files.iter().map(String::as_str).collect()),
            },
            worker: self.likeness(worker),
            random_seed: self.plan.random_seed,
            tests: state.list[state.offset..]
                .iter()
                .map(|&test| &self.suite.test(test).id)
                .map(|id| (id.node_id.as_str(), id.occurrence))
                .collect(),
            meetings: self
                .meetings_of(worker)
                .filter_map(|place| place.checked_sub(state.offset as u32))
                .collect(),
            folder: &folder,
        };
        let command = self.engine.command(self.folder, self.plan.hash_seed);
        let process = self.engine.start(command, (worker, state.process), &self.sender, setup)?;
        self.processes[worker] = Some(process);
        self.started += 1;
        events(Event::WorkerStarted(self.workers[worker].id));
        Ok(())
    }

    fn likeness(&self, worker: usize) -> Option<WorkerLikeness> {
        (self.plan.mode != Mode::No).then(|| WorkerLikeness {
            id: self.workers[worker].id.to_string(),
            count: self.workers.len() as u32,
            uid: format!("{:016x}{:016x}", self.plan.seed.0, self.plan.index.0),
        })
    }

    fn hear(&mut self, worker: usize, heard: Heard, events: &mut dyn FnMut(Event)) -> Result<(), RunError> {
        let state = &mut self.workers[worker];
        match heard {
            Heard::Message(Message::Hello { protocol, .. }) => check_protocol(protocol)?,
            Heard::Message(Message::Missing { positions }) => {
                for place in
                    positions.into_iter().filter_map(|position| state.place(position)).collect::<Vec<_>>()
                {
                    state.note(place, Outcome::NotRun { why: "not collected".into() }, Duration::ZERO);
                }
            }
            Heard::Message(Message::Running) => state.enter(Stage::Idle),
            Heard::Message(Message::Waiting { position }) => {
                if let Some(place) = state.place(position) {
                    state.enter(Stage::Waiting(place));
                }
            }
            Heard::Message(Message::Start { position }) => {
                if let Some(place) = state.place(position) {
                    state.enter(Stage::Running(place, Instant::now()));
                }
            }
            Heard::Message(Message::Finish { position, outcome: verdict, duration, failure }) => {
                if let Some(place) = state.place(position) {
                    let duration = Duration::try_from_secs_f64(duration).unwrap_or_default();
                    state.note(place, outcome(verdict, failure), duration);
                    state.enter(if state.is_done() { Stage::Ending } else { Stage::Idle });
                    state.execution(place).into_iter().for_each(|run| events(Event::TestFinished(run)));
                }
            }
            Heard::Message(Message::Done { .. }) => state.enter(Stage::Ending),
            Heard::Message(Message::Collected { .. }) => {}
            Heard::Message(Message::Error { message }) | Heard::Garbage(message) => {
                return Err(RunError::Pytest(message));
            }
            Heard::Closed => self.lost(worker, CLOSED, None, events)?,
        }
        Ok(())
    }

    /// A process has closed its channel, or has used up its time, and is ended. If tests are left, the
    /// worker goes on with them in a fresh process.
    fn lost(
        &mut self,
        worker: usize,
        patience: Duration,
        timeout: Option<Duration>,
        events: &mut dyn FnMut(Event),
    ) -> Result<(), RunError> {
        let Some(mut process) = self.processes[worker].take() else {
            return Ok(());
        };
        let how = self.engine.ended(&mut process, patience).unwrap_or_else(|| "closed its channel".into());
        let state = &mut self.workers[worker];
        match state.stage {
            Stage::Collecting => {
                let why = format!("pytest ended before its first test ({how})");
                return Err(RunError::Pytest(with_output(&why, &process.output())));
            }
            Stage::Running(place, since) => {
                let outcome = match timeout {
                    Some(limit) => Outcome::Timeout { limit },
                    None => Outcome::Crashed { how: how.clone() },
                };
                state.note(place, outcome, since.elapsed());
                state.execution(place).into_iter().for_each(|run| events(Event::TestFinished(run)));
            }
            Stage::Idle | Stage::Waiting(_) | Stage::Ending => {}
        }
        if state.is_done() {
            return Ok(());
        }
        events(Event::WorkerLost { worker: state.id, how: how.clone() });
        if state.next_place() == state.offset {
            state.give_up(&format!("pytest ended without running it ({how})"));
            return Ok(());
        }
        state.process += 1;
        self.start(worker, events)
    }

    fn watch_clock(&mut self, events: &mut dyn FnMut(Event)) -> Result<(), RunError> {
        if Instant::now() > self.deadline {
            self.workers.iter_mut().for_each(|worker| worker.give_up("the trial took too long"));
            self.deadline += ENDING;
            for worker in 0..self.workers.len() {
                self.lost(worker, Duration::ZERO, None, events)?;
            }
        }
        let test_timeout = self.engine.options.test_timeout;
        for worker in 0..self.workers.len() {
            let state = &self.workers[worker];
            let limit = match state.stage {
                Stage::Collecting => COLLECT,
                Stage::Running(..) | Stage::Idle => test_timeout,
                Stage::Ending => ENDING,
                Stage::Waiting(_) => continue,
            };
            if self.processes[worker].is_some() && state.since.elapsed() > limit {
                self.lost(worker, Duration::ZERO, Some(limit), events)?;
            }
        }
        Ok(())
    }

    fn meetings(&self) -> &'a [Meeting] {
        match &self.plan.interleaving {
            Interleaving::Free => &[],
            Interleaving::Barrier(meetings) => meetings,
        }
    }

    fn meetings_of(&self, worker: usize) -> impl Iterator<Item = u32> + 'a {
        let places = self.meetings().iter().flat_map(|meeting| [meeting.first, meeting.second]);
        places.filter(move |&(id, _)| id.0 as usize == worker).map(|(_, place)| place)
    }

    /// Lets waiting workers go whose partner is there too, or will not come any more. If all that are
    /// left wait, none of their partners comes.
    fn let_meet(&mut self) {
        let waits = |worker: &Worker| matches!(worker.stage, Stage::Waiting(_));
        let alive = |worker: usize| self.processes[worker].is_some();
        let stuck = (0..self.workers.len()).filter(|&w| alive(w)).all(|w| waits(&self.workers[w]));
        let mut free = Vec::new();
        for (index, worker) in self.workers.iter().enumerate() {
            if let Stage::Waiting(place) = worker.stage
                && (stuck || self.partner_is_there(index, place))
            {
                free.push(index);
            }
        }
        for worker in free {
            self.workers[worker].enter(Stage::Idle);
            if let Some(process) = &mut self.processes[worker] {
                process.say(&Request::Go);
            }
        }
    }

    fn partner_is_there(&self, worker: usize, place: usize) -> bool {
        let here = (WorkerId(worker as u32), place as u32);
        let mut partners = self.meetings().iter().filter_map(|meeting| match meeting {
            Meeting { first, second } if *first == here => Some(*second),
            Meeting { first, second } if *second == here => Some(*first),
            _ => None,
        });
        partners.all(|(other, at)| {
            let (other, at) = (other.0 as usize, at as usize);
            let Some(partner) = self.workers.get(other) else {
                return true;
            };
            self.processes[other].is_none() || partner.has_passed(at) || partner.stage == Stage::Waiting(at)
        })
    }
}
