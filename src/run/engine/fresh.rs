//! The spawn engine: a fresh `python -m pytest` for each worker of a trial. The ground truth.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::Pid;

use crate::plan::Plan;
use crate::run::engine::side_by_side::side_by_side;
use crate::run::options::SpawnOptions;
use crate::run::process::plain;
use crate::run::process::plain::PlainRun;
use crate::run::process::pytest::{Heard, Process};
use crate::run::process::reaper::Reaper;
use crate::run::protocol::{Request, Setup};
use crate::run::sandbox::{SandboxError, check_owners};
use crate::run::site::leftovers::Watch;
use crate::run::site::trial_env::{BaseEnv, Sandboxing, SpawnTarget, TrialEnv};
use crate::run::site::workspace::{Workspace, cache_dir, unpack_harness};
use crate::run::worker::trial_run::{Launcher, Name, run_trial};
use crate::run::{Engine, Job, RunError};
use crate::suite::Suite;
use crate::trial::{Collected, Trial};

/// A trial without a limit of its own may take this and ten times the longest before it.
const TRIAL: Duration = Duration::from_secs(600);

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
    pub(crate) options: SpawnOptions,
    // Dropped before the workspace, which its sandboxes show.
    ground: BaseEnv,
    pub(crate) workspace: Workspace,
    pub(crate) harness: PathBuf,
    pub(crate) pycache: PathBuf,
    reaper: Mutex<Option<Reaper>>,
    longest: Mutex<Duration>,
    remarks: Vec<String>,
    /// Why system calls cannot be seen, and whether that was told.
    unseen: OnceLock<String>,
    told_unseen: bool,
    pub(crate) files: Watch,
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
        let ground = BaseEnv::new(&workspace, options.sandboxing.as_ref())?;
        let files = Watch::new(&options.invocation_dir, options.tells_leftovers);
        Ok(Self {
            options,
            ground,
            workspace,
            harness,
            pycache,
            reaper: Mutex::new(reaper),
            longest: Mutex::new(Duration::ZERO),
            remarks: Vec::new(),
            unseen: OnceLock::new(),
            told_unseen: false,
            files,
        })
    }

    /// An engine that runs a copy of the project. None if pytest is not run in the project's folder, or
    /// was told to look at an absolute path: what would be run then is not the copy.
    pub(crate) fn for_copy(&self, rootdir: &Path, copy: &Path) -> Result<Option<Self>, RunError> {
        let Ok(inside) = self.options.invocation_dir.strip_prefix(rootdir) else {
            return Ok(None);
        };
        if self.options.pytest_args.iter().any(|argument| Path::new(argument).is_absolute()) {
            return Ok(None);
        }
        let mut options = SpawnOptions {
            invocation_dir: copy.join(inside),
            tells_leftovers: false,
            ..self.options.clone()
        };
        if let Some(sandboxing) = &mut options.sandboxing {
            sandboxing.keep.push(copy.to_owned());
        }
        Self::new(options).map(Some).map_err(|error| match error {
            SpawnError::Run(error) => error,
            SpawnError::Sandbox(error) => RunError::Pytest(error.to_string()),
        })
    }

    /// Runs a plan in fresh processes; several may be run so at the same time, in sandboxes.
    pub(crate) fn run_apart(&self, suite: &Suite, job: Job<'_>) -> Result<Trial, RunError> {
        let other = if job.host_network { self.ground_on_host_network()? } else { None };
        let site = other.as_ref().unwrap_or(&self.ground).site(&self.workspace)?;
        self.files.before(&site);
        let trial = run_trial(self, suite, job, &site, self.limit())?;
        self.ended_trial(trial, &site)
    }

    /// Adds to a trial what it left behind, and notes how long it took.
    pub(crate) fn ended_trial(&self, trial: Trial, site: &TrialEnv) -> Result<Trial, RunError> {
        self.took(trial.duration);
        Ok(Trial { leftovers: self.files.after(site)?, ..trial })
    }

    /// How many workers run at once, over all trials.
    fn room(&self) -> u32 {
        if self.options.sandboxing.is_some() { self.options.jobs } else { 1 }
    }

    /// Carries out runs, as many at once as the options allow.
    pub(crate) fn side_by_side<T: Send>(
        &self,
        jobs: &[Job<'_>],
        run: &(dyn Fn(usize) -> T + Sync),
        finished: &mut dyn FnMut(usize, T) -> ControlFlow<()>,
    ) {
        let room = self.room();
        let weights: Vec<u32> = jobs.iter().map(|job| job.plan.workers.len() as u32).collect();
        side_by_side(room, &weights, run, finished);
    }

    fn sandboxing_on_host_network(&self) -> Option<Sandboxing> {
        self.options.sandboxing.as_ref().and_then(Sandboxing::on_host_network)
    }

    /// An environment with the machine's network, if trials do not use that and may.
    fn ground_on_host_network(&self) -> Result<Option<BaseEnv>, RunError> {
        let ground = self
            .sandboxing_on_host_network()
            .map(|sandboxing| BaseEnv::new(&self.workspace, Some(&sandboxing)));
        ground.transpose().map_err(|error| RunError::Sandbox(error.to_string()))
    }

    /// An environment for a zygote to live on.
    pub(crate) fn new_ground(&self) -> Result<BaseEnv, RunError> {
        BaseEnv::new(&self.workspace, self.options.sandboxing.as_ref())
            .map_err(|error| RunError::Sandbox(error.to_string()))
    }

    /// A site for a trial in fresh processes.
    pub(crate) fn site(&self) -> Result<TrialEnv, RunError> {
        self.ground.site(&self.workspace)
    }

    pub(crate) fn start<N: Copy + Send + 'static>(
        &self,
        command: Command,
        place: SpawnTarget<'_>,
        name: N,
        sender: &Sender<(N, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        let mut process = self.start_untold(command, place, name, sender)?;
        process.say(&Request::Setup(setup));
        Ok(process)
    }

    /// Starts a process that is not told what it is for.
    pub(crate) fn start_untold<N: Copy + Send + 'static>(
        &self,
        command: Command,
        place: SpawnTarget<'_>,
        name: N,
        sender: &Sender<(N, Heard)>,
    ) -> Result<Process, RunError> {
        let process = Process::start(command, place, self.options.memory, name, sender.clone())?;
        self.watch(&process);
        Ok(process)
    }

    /// How long a trial, or a run as long as one, may take.
    pub(crate) fn limit(&self) -> Duration {
        let longest = *self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        self.options.trial_timeout.unwrap_or_else(|| TRIAL + longest * 10)
    }

    /// Notes how long a trial took, as later ones may take a multiple of it.
    pub(crate) fn took(&self, duration: Duration) {
        let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        *longest = duration.max(*longest);
    }

    /// Tells the reaper of a process.
    pub(crate) fn watch(&self, process: &Process) {
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
    fn for_project_copy(&self, rootdir: &Path, copy: &Path) -> Result<Option<Box<dyn Engine>>, RunError> {
        Ok(self.for_copy(rootdir, copy)?.map(|engine| Box::new(engine) as Box<dyn Engine>))
    }

    fn collect(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        self.collect_once(hash_seed, 0)
    }

    fn collect_once(&mut self, hash_seed: u32, random_seed: u32) -> Result<Collected, RunError> {
        self.collect_at(&self.site()?, hash_seed, random_seed)
    }

    fn run_all(
        &mut self,
        suite: &Suite,
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(usize, Trial) -> ControlFlow<()>,
    ) -> Result<(), RunError> {
        let mut ended = Ok(());
        let run = |at: usize| self.run_apart(suite, jobs[at]);
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

    fn python(&self) -> &Path {
        &self.options.python.path
    }

    fn keeps_apart(&self) -> bool {
        self.options.sandboxing.is_some()
    }

    fn forks(&self, _: &Plan) -> bool {
        false
    }

    fn refuse_forks(&mut self, _: &str) -> Result<(), RunError> {
        Ok(())
    }

    fn may_use_host_network(&self) -> bool {
        self.sandboxing_on_host_network().is_some()
    }

    fn collect_on_host_network(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        let other = self.ground_on_host_network()?;
        self.collect_at(&other.as_ref().unwrap_or(&self.ground).site(&self.workspace)?, hash_seed, 0)
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
        if let (Some(why), false) = (self.unseen.get(), self.told_unseen) {
            self.told_unseen = true;
            self.remarks.push(format!(
                "races of C code and of subprocesses are not looked for, as their system calls cannot be seen here: {why}"
            ));
        }
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
        site: &TrialEnv,
        hash_seed: u32,
        name: Name,
        sender: &Sender<(Name, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        self.start(self.command(&site.path, hash_seed), site.place(), name, sender, setup)
    }

    fn cannot_see(&self, why: &str) {
        let _ = self.unseen.set(why.to_owned());
    }

    fn ended(&self, process: &mut Process, patience: Duration) -> Option<String> {
        let how = process.end(patience);
        self.forget(process);
        how
    }
}
