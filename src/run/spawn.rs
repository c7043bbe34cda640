//! The spawn engine: a fresh `python -m pytest` for each worker of a trial. The ground truth.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::plan::Plan;
use crate::run::interrupt::Interrupt;
use crate::run::leftovers::{Snapshot, concerns_the_project};
use crate::run::plain::{self, PlainRun};
use crate::run::process::{Heard, Process};
use crate::run::protocol::{self, Message, Purpose, Request, Setup};
use crate::run::python::Python;
use crate::run::reaper::Reaper;
use crate::run::sandbox::{Leftover, SandboxError, check_owners};
use crate::run::side_by_side::side_by_side;
use crate::run::surroundings::{Ground, Place, Sandboxing, Site};
use crate::run::trial_run::{Launcher, Name, run_trial};
use crate::run::workspace::{Workspace, cache_dir, unpack_harness};
use crate::run::{Collected, Engine, Event, Interpreter, Job, RunError, Trial};
use crate::suite::{Suite, Test};

/// How often the clock and the interrupt are looked at.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// How long pytest may take to end after its last test, session fixtures included.
pub(super) const ENDING: Duration = Duration::from_secs(30);
/// How long a process that closed its channel may take to end.
pub(super) const CLOSED: Duration = Duration::from_secs(5);
/// A trial without a limit of its own may take this and ten times the longest before it.
const TRIAL: Duration = Duration::from_secs(600);
/// How long pytest may take to start and collect, where no limit is given.
pub(super) const COLLECT: Duration = Duration::from_secs(600);

const ENDED_EARLY: &str = "pytest ended before it had collected the suite";

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
    /// How trials are kept apart; without it, by a temporary folder of their own only.
    pub sandboxing: Option<Sandboxing>,
    /// How many bytes of memory each worker may use.
    pub memory: Option<u64>,
    /// How many workers run at once, over all trials, if these are kept apart.
    pub jobs: u32,
    /// Whether to tell what each trial leaves behind in the project. Without sandboxes that is always
    /// told, as it is there for the trials after it.
    pub tells_leftovers: bool,
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The folders or the reaper.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The sandboxes.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

/// Runs every worker as a process of its own.
#[derive(Debug)]
pub struct SpawnEngine {
    pub(super) options: SpawnOptions,
    // Dropped before the workspace, which its sandboxes show.
    ground: Ground,
    pub(super) workspace: Workspace,
    harness: PathBuf,
    pycache: PathBuf,
    reaper: Mutex<Option<Reaper>>,
    longest: Mutex<Duration>,
    remarks: Vec<String>,
    /// The project's files after the last trial without a sandbox; none where they are too many, and
    /// nothing at all before the first.
    files: Mutex<Option<Option<Snapshot>>>,
}

impl SpawnEngine {
    /// Makes the session's folders, and what sandboxes stand on.
    ///
    /// # Errors
    /// They cannot be made, or the reaper cannot be started.
    pub fn new(mut options: SpawnOptions) -> Result<Self, SpawnError> {
        let workspace = Workspace::new()?;
        let reaper = match &options.reaper {
            Some(executable) => Some(Reaper::start(executable, workspace.path())?),
            None => None,
        };
        let (harness, pycache) = (unpack_harness()?, cache_dir()?.join("pycache"));
        if let Some(sandboxing) = &mut options.sandboxing {
            check_owners(&options.invocation_dir).map_err(SandboxError::from)?;
            std::fs::create_dir_all(&pycache)
                .map_err(|source| RunError::io(format!("cannot make {}", pycache.display()), source))?;
            // Bytecode is worth keeping between trials, and nothing else is written there.
            sandboxing.share.push(pycache.clone());
            sandboxing.keep.push(harness.clone());
            sandboxing.keep.push(options.invocation_dir.clone());
        }
        let ground = Ground::new(&workspace, options.sandboxing.as_ref())?;
        Ok(Self {
            options,
            ground,
            workspace,
            harness,
            pycache,
            reaper: Mutex::new(reaper),
            longest: Mutex::new(Duration::ZERO),
            remarks: Vec::new(),
            files: Mutex::new(None),
        })
    }

    /// Runs a plan in fresh processes; several may be run so at the same time, in sandboxes.
    pub(super) fn run_apart(
        &self,
        suite: &Suite,
        plan: &Plan,
        events: &mut dyn FnMut(Event),
    ) -> Result<Trial, RunError> {
        let site = self.site()?;
        self.note_files();
        let trial = run_trial(self, suite, plan, &site, self.limit(), events)?;
        self.ended_trial(trial, &site)
    }

    /// Looks at the project's files before the first trial, if trials may change them.
    pub(super) fn note_files(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if self.options.sandboxing.is_none() && files.is_none() {
            *files = Some(Snapshot::of(&self.options.invocation_dir).ok().flatten());
        }
    }

    /// Adds to a trial what it left behind, and notes how long it took.
    pub(super) fn ended_trial(&self, mut trial: Trial, site: &Site) -> Result<Trial, RunError> {
        self.took(trial.duration);
        let folder = &self.options.invocation_dir;
        let mut left = match site.sandbox() {
            Some(sandbox) if self.options.tells_leftovers => {
                sandbox.stop();
                sandbox.leftovers(folder).map_err(|error| RunError::Sandbox(error.to_string()))?
            }
            Some(_) => Vec::new(),
            None => self.new_files(),
        };
        left.retain(|left| concerns_the_project(folder, &left.path));
        for left in &mut left {
            if let Ok(below) = left.path.strip_prefix(folder) {
                left.path = below.to_owned();
            }
        }
        trial.leftovers = left;
        Ok(trial)
    }

    /// What has changed in the project since the trial before.
    fn new_files(&self) -> Vec<Leftover> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Some(before)) = &*files else { return Vec::new() };
        let now = Snapshot::of(&self.options.invocation_dir).ok().flatten();
        let left = now.as_ref().map(|now| before.until(now)).unwrap_or_default();
        *files = Some(now);
        left
    }

    /// How many workers run at once, over all trials.
    fn room(&self) -> u32 {
        if self.options.sandboxing.is_some() { self.options.jobs } else { 1 }
    }

    /// Carries out runs, as many at once as the options allow.
    pub(super) fn side_by_side<T: Send>(
        &self,
        jobs: &[Job<'_>],
        run: &(dyn Fn(usize) -> T + Sync),
        finished: &mut dyn FnMut(usize, T) -> ControlFlow<()>,
    ) {
        let room = self.room();
        let weights: Vec<u32> = jobs.iter().map(|job| job.plan.workers.len() as u32).collect();
        side_by_side(room, &weights, run, finished);
    }

    /// Collects in a fresh process.
    fn collect_at(&self, site: &Site, hash_seed: u32) -> Result<Collected, RunError> {
        let (sender, receiver) = channel();
        let mut process =
            self.start_collecting(&site.path, site.place(), hash_seed, Purpose::Collect, &sender)?;
        let collected =
            self.hear(&mut process, |interrupt| hear_collection(&receiver, interrupt, self.collecting()))?;
        self.ended(&mut process, ENDING);
        Ok(collected)
    }

    /// Ground with the machine's network, if trials do not use that and may.
    fn ground_on_host_network(&self) -> Result<Option<Ground>, RunError> {
        let sandboxing = self.options.sandboxing.as_ref().and_then(Sandboxing::on_host_network);
        let ground = sandboxing.map(|sandboxing| Ground::new(&self.workspace, Some(&sandboxing)));
        ground.transpose().map_err(|error| RunError::Sandbox(error.to_string()))
    }

    /// Ground for a zygote to live on.
    pub(super) fn new_ground(&self) -> Result<Ground, RunError> {
        Ground::new(&self.workspace, self.options.sandboxing.as_ref())
            .map_err(|error| RunError::Sandbox(error.to_string()))
    }

    /// A site for a trial in fresh processes.
    pub(super) fn site(&self) -> Result<Site, RunError> {
        self.ground.site(&self.workspace)
    }

    /// The command that runs pytest for a trial.
    pub(super) fn command(&self, folder: &Path, hash_seed: u32) -> Command {
        self.command_with("jostle_harness.plugin", folder, hash_seed)
    }

    /// The command that runs pytest with a plugin of the harness.
    pub(super) fn command_with(&self, plugin: &str, folder: &Path, hash_seed: u32) -> Command {
        let mut command = self.plain_command(folder);
        // An ini option can be overridden on the command line only: later than that it has been read.
        let cache = format!("cache_dir={}", folder.join("cache").display());
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
    fn plain_command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.options.python.path);
        command.args(["-m", "pytest"]).current_dir(&self.options.invocation_dir);
        for name in REMOVED {
            command.env_remove(name);
        }
        command.env("TMPDIR", folder.join("tmp"));
        if self.options.sandboxing.is_none() && folder.join("home").is_dir() {
            command.env("HOME", folder.join("home"));
        }
        // Examples that failed are tried first the next time: no trial may learn from another.
        command.env("HYPOTHESIS_STORAGE_DIRECTORY", folder.join("hypothesis"));
        // Bytecode is kept out of the user's project, and between trials.
        command.env("PYTHONPYCACHEPREFIX", &self.pycache);
        command
    }

    fn start<N: Copy + Send + 'static>(
        &self,
        command: Command,
        place: Place<'_>,
        name: N,
        sender: &Sender<(N, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        let mut process = self.start_untold(command, place, name, sender)?;
        process.say(&Request::Setup(setup));
        Ok(process)
    }

    /// Starts a process that is not told what it is for.
    pub(super) fn start_untold<N: Copy + Send + 'static>(
        &self,
        command: Command,
        place: Place<'_>,
        name: N,
        sender: &Sender<(N, Heard)>,
    ) -> Result<Process, RunError> {
        let process = Process::start(command, place, self.options.memory, name, sender.clone())?;
        self.watch(&process);
        Ok(process)
    }

    /// How long a trial, or a run as long as one, may take.
    pub(super) fn limit(&self) -> Duration {
        let longest = *self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        self.options.trial_timeout.unwrap_or_else(|| TRIAL + longest * 10)
    }

    /// How long pytest may take to start and collect.
    pub(super) fn collecting(&self) -> Duration {
        self.options.trial_timeout.unwrap_or(COLLECT)
    }

    /// Notes how long a trial took, as later ones may take a multiple of it.
    pub(super) fn took(&self, duration: Duration) {
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = duration.max(*longest);
    }

    /// Tells the reaper of a process.
    pub(super) fn watch(&self, process: &Process) {
        self.tell_reaper(process, Reaper::watch);
    }

    /// Tells the reaper that a process has been ended.
    fn forget(&self, process: &Process) {
        self.tell_reaper(process, Reaper::forget);
    }

    /// What is in a sandbox is ended with it, and is no group of the host's.
    fn tell_reaper(&self, process: &Process, tell: fn(&mut Reaper, Pid)) {
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(reaper), Some(group)) = (&mut *reaper, process.group()) {
            tell(reaper, group);
        }
    }
}

impl Engine for SpawnEngine {
    fn collect(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        let site = self.site()?;
        let (sender, receiver) = channel();
        let mut process =
            self.start_collecting(&site.path, site.place(), hash_seed, Purpose::Collect, &sender)?;
        let collected =
            self.hear(&mut process, |interrupt| hear_collection(&receiver, interrupt, self.collecting()))?;
        self.ended(&mut process, ENDING);
        Ok(collected)
    }

    fn run(&mut self, suite: &Suite, plan: &Plan, events: &mut dyn FnMut(Event)) -> Result<Trial, RunError> {
        self.run_apart(suite, plan, events)
    }

    fn run_all(
        &mut self,
        suite: &Suite,
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(usize, Trial) -> ControlFlow<()>,
    ) -> Result<(), RunError> {
        let mut ended = Ok(());
        let run = |at: usize| self.run_apart(suite, jobs[at].plan, &mut |_| {});
        self.side_by_side(jobs, &run, &mut |at, trial| match trial {
            Ok(trial) => finished(at, trial),
            Err(error) => {
                ended = Err(error);
                ControlFlow::Break(())
            }
        });
        ended
    }

    fn at_once(&self, plan: &Plan) -> u32 {
        (self.room() / plan.workers.len().max(1) as u32).max(1)
    }

    fn collect_on_host_network(&mut self, hash_seed: u32) -> Result<Option<Collected>, RunError> {
        let Some(ground) = self.ground_on_host_network()? else { return Ok(None) };
        self.collect_at(&ground.site(&self.workspace)?, hash_seed).map(Some)
    }

    fn run_on_host_network(&mut self, suite: &Suite, plan: &Plan) -> Result<Option<Trial>, RunError> {
        let Some(ground) = self.ground_on_host_network()? else { return Ok(None) };
        let site = ground.site(&self.workspace)?;
        run_trial(self, suite, plan, &site, self.limit(), &mut |_| {}).map(Some)
    }

    fn use_host_network(&mut self) -> Result<(), RunError> {
        if let Some(ground) = self.ground_on_host_network()? {
            self.options.sandboxing.iter_mut().for_each(Sandboxing::use_host_network);
            self.ground = ground;
        }
        Ok(())
    }

    fn took(&mut self, duration: Duration) {
        Self::took(self, duration);
    }

    fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    fn remarks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.remarks)
    }

    fn plain(
        &mut self,
        arguments: &[String],
        hash_seed: Option<u32>,
    ) -> Result<Option<(String, PlainRun)>, RunError> {
        let site = self.site()?;
        let arguments: Vec<&String> = self.options_of_suite().chain(arguments).collect();
        let mut command = self.plain_command(&site.path);
        command.args(&arguments);
        // What is only for the try: a wide summary of what failed, and no cache in the user's project.
        let own = std::env::var("PYTEST_ADDOPTS").unwrap_or_default();
        let cache = site.path.join("cache");
        command.env("PYTEST_ADDOPTS", format!("{own} -rfE -o cache_dir={}", cache.display()));
        command.env("COLUMNS", "4000");
        if let Some(hash_seed) = hash_seed {
            command.env("PYTHONHASHSEED", hash_seed.to_string());
        }
        let limit = self.options.test_timeout * 2;
        let run = plain::run(command, site.place(), self.options.memory, limit, &self.options.interrupt)?;
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

    fn launch(
        &self,
        site: &Site,
        hash_seed: u32,
        name: Name,
        sender: &Sender<(Name, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        self.start(self.command(&site.path, hash_seed), site.place(), name, sender, setup)
    }

    fn ended(&self, process: &mut Process, patience: Duration) -> Option<String> {
        let how = process.end(patience);
        self.forget(process);
        how
    }
}

impl SpawnEngine {
    /// Starts a process that is to collect the whole suite, and perhaps to do more afterwards.
    pub(super) fn start_collecting(
        &self,
        folder: &Path,
        place: Place<'_>,
        hash_seed: u32,
        purpose: Purpose,
        sender: &Sender<((), Heard)>,
    ) -> Result<Process, RunError> {
        let path = folder.to_string_lossy();
        let setup = Setup {
            protocol: protocol::VERSION,
            purpose,
            imports: None,
            worker: None,
            random_seed: 0,
            tests: Vec::new(),
            meetings: Vec::new(),
            folder: &path,
        };
        self.start(self.command(folder, hash_seed), place, (), sender, setup)
    }

    /// Hears a process out; if that fails, ends it and adds what it printed.
    pub(super) fn hear<T>(
        &self,
        process: &mut Process,
        listen: impl FnOnce(&Interrupt) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        listen(&self.options.interrupt.clone()).map_err(|error| {
            let pytest = matches!(error, RunError::Pytest(_));
            let how = self.ended(process, if pytest { CLOSED } else { Duration::ZERO });
            match (error, how) {
                (RunError::Pytest(why), Some(how)) if why == ENDED_EARLY => {
                    RunError::Pytest(with_output(&format!("{why} ({how})"), &process.output()))
                }
                (RunError::Pytest(why), _) => RunError::Pytest(with_output(&why, &process.output())),
                (other, _) => other,
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
    limit: Duration,
) -> Result<Collected, RunError> {
    let deadline = Instant::now() + limit;
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
                return Err(RunError::Pytest(ENDED_EARLY.into()));
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                return Err(RunError::Pytest(format!(
                    "pytest did not collect the suite within {} s; give it longer with --trial-timeout",
                    limit.as_secs()
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
