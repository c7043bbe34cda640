//! The spawn engine: a fresh `python -m pytest` for each worker of a trial. The ground truth.

use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::plan::Plan;
use crate::run::interrupt::Interrupt;
use crate::run::plain::{self, PlainRun};
use crate::run::process::{Heard, Process};
use crate::run::protocol::{self, Message, Purpose, Request, Setup};
use crate::run::python::Python;
use crate::run::reaper::Reaper;
use crate::run::trial_run::{Launcher, Name, run_trial};
use crate::run::workspace::{TrialFolder, Workspace, cache_dir, unpack_harness};
use crate::run::{Collected, Engine, Event, Interpreter, RunError, Trial};
use crate::suite::{Suite, Test};

/// How often the clock and the interrupt are looked at.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// How long pytest may take to end after its last test, session fixtures included.
pub(super) const ENDING: Duration = Duration::from_secs(30);
/// How long a process that closed its channel may take to end.
pub(super) const CLOSED: Duration = Duration::from_secs(5);
/// A trial without a limit of its own may take this and ten times the longest before it.
const TRIAL: Duration = Duration::from_secs(600);
/// How long pytest may take to start and collect.
pub(super) const COLLECT: Duration = Duration::from_secs(600);

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
    pub(super) options: SpawnOptions,
    pub(super) workspace: Workspace,
    harness: PathBuf,
    pycache: PathBuf,
    reaper: Option<Reaper>,
    longest: Duration,
    /// Whether trials note what tests touch.
    pub(super) recording: bool,
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
            recording: false,
            options,
        })
    }

    /// The command that runs pytest for a trial.
    pub(super) fn command(&self, folder: &TrialFolder, hash_seed: u32) -> Command {
        self.command_with("jostle_harness.plugin", folder, hash_seed)
    }

    /// The command that runs pytest with a plugin of the harness.
    pub(super) fn command_with(&self, plugin: &str, folder: &TrialFolder, hash_seed: u32) -> Command {
        let mut command = self.plain_command(folder);
        // An ini option can be overridden on the command line only: later than that it has been read.
        let cache = format!("cache_dir={}", folder.path.join("cache").display());
        command.args(["-p", plugin, "-o", &cache]).args(&self.options.pytest_args);
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

    pub(super) fn start<N: Copy + Send + 'static>(
        &mut self,
        command: Command,
        name: N,
        sender: &Sender<(N, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        let mut process = self.start_untold(command, name, sender)?;
        process.say(&Request::Setup(setup));
        Ok(process)
    }

    /// Starts a process that is not told what it is for.
    pub(super) fn start_untold<N: Copy + Send + 'static>(
        &mut self,
        command: Command,
        name: N,
        sender: &Sender<(N, Heard)>,
    ) -> Result<Process, RunError> {
        let process = Process::start(command, name, sender.clone())?;
        self.watch(&process);
        Ok(process)
    }

    /// How long a trial, or a run as long as one, may take.
    pub(super) fn limit(&self) -> Duration {
        self.options.trial_timeout.unwrap_or_else(|| TRIAL + self.longest * 10)
    }

    /// Notes how long a trial took, as later ones may take a multiple of it.
    pub(super) fn took(&mut self, duration: Duration) {
        self.longest = self.longest.max(duration);
    }

    /// Tells the reaper of a process group.
    pub(super) fn watch(&mut self, process: &Process) {
        if let Some(reaper) = &mut self.reaper {
            reaper.watch(process.group());
        }
    }

    /// Tells the reaper that a process group has been ended.
    pub(super) fn forget(&mut self, process: &Process) {
        if let Some(reaper) = &mut self.reaper {
            reaper.forget(process.group());
        }
    }
}

impl Engine for SpawnEngine {
    fn collect(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        let folder = self.workspace.trial(None)?;
        let (sender, receiver) = channel();
        let mut process = self.start_collecting(&folder, hash_seed, Purpose::Collect, &sender)?;
        let collected = self.hear(&mut process, |interrupt| hear_collection(&receiver, interrupt))?;
        self.ended(&mut process, ENDING);
        Ok(collected)
    }

    fn run(&mut self, suite: &Suite, plan: &Plan, events: &mut dyn FnMut(Event)) -> Result<Trial, RunError> {
        let folder = self.workspace.trial(None)?;
        let limit = self.limit();
        let trial = run_trial(self, suite, plan, &folder, limit, events)?;
        self.took(trial.duration);
        Ok(trial)
    }

    fn run_recorded(
        &mut self,
        suite: &Suite,
        plan: &Plan,
        events: &mut dyn FnMut(Event),
    ) -> Result<Trial, RunError> {
        self.recording = true;
        let trial = self.run(suite, plan, events);
        self.recording = false;
        trial
    }

    fn plain(
        &mut self,
        arguments: &[String],
        hash_seed: Option<u32>,
    ) -> Result<Option<(String, PlainRun)>, RunError> {
        let folder = self.workspace.trial(None)?;
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

impl Launcher for SpawnEngine {
    fn options(&self) -> &SpawnOptions {
        &self.options
    }

    fn recording(&self) -> bool {
        self.recording
    }

    fn launch(
        &mut self,
        folder: &TrialFolder,
        hash_seed: u32,
        name: Name,
        sender: &Sender<(Name, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        self.start(self.command(folder, hash_seed), name, sender, setup)
    }

    fn ended(&mut self, process: &mut Process, patience: Duration) -> Option<String> {
        let how = process.end(patience);
        self.forget(process);
        how
    }
}

impl SpawnEngine {
    /// Starts a process that is to collect the whole suite, and perhaps to do more afterwards.
    pub(super) fn start_collecting(
        &mut self,
        folder: &TrialFolder,
        hash_seed: u32,
        purpose: Purpose,
        sender: &Sender<((), Heard)>,
    ) -> Result<Process, RunError> {
        let path = folder.path.to_string_lossy();
        let setup = Setup {
            protocol: protocol::VERSION,
            purpose,
            imports: None,
            worker: None,
            random_seed: 0,
            tests: Vec::new(),
            meetings: Vec::new(),
            folder: &path,
            watch: None,
        };
        self.start(self.command(folder, hash_seed), (), sender, setup)
    }

    /// Hears a process out; if that fails, ends it and adds what it printed.
    pub(super) fn hear<T>(
        &mut self,
        process: &mut Process,
        listen: impl FnOnce(&Interrupt) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        listen(&self.options.interrupt.clone()).map_err(|error| {
            let pytest = matches!(error, RunError::Pytest(_));
            self.ended(process, if pytest { CLOSED } else { Duration::ZERO });
            match error {
                RunError::Pytest(why) => RunError::Pytest(with_output(&why, &process.output())),
                other => other,
            }
        })
    }

    /// The suite's own options: what the user gave to pytest, without the paths.
    fn options_of_suite(&self) -> impl Iterator<Item = &String> {
        let is_path = |argument: &str| {
            let path = argument.split("::").next().unwrap_or(argument);
            !argument.starts_with('-') && self.options.invocation_dir.join(path).exists()
        };
        self.options.pytest_args.iter().filter(move |argument| !is_path(argument))
    }
}

pub(super) fn hear_collection(
    receiver: &Receiver<((), Heard)>,
    interrupt: &Interrupt,
) -> Result<Collected, RunError> {
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

pub(super) fn check_protocol(version: u32) -> Result<(), RunError> {
    if version == protocol::VERSION {
        return Ok(());
    }
    Err(RunError::Pytest(format!(
        "the harness speaks protocol {version} and jostle {}: another `jostle_harness` stands before ours on the path",
        protocol::VERSION
    )))
}

/// What failed, followed by the end of what pytest printed.
pub(super) fn with_output(why: &str, output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = lines[lines.len().saturating_sub(30)..].join("\n  ");
    if shown.is_empty() { why.to_owned() } else { format!("{why}. It printed:\n  {shown}") }
}
