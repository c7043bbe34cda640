//! The host of a session's pytest processes: where they run, how they are started, how long they may take, and that
//! each is ended.

pub(crate) mod command;
mod options;
mod plain;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::Pid;

use crate::limits::TRIAL_TIMEOUT;
use crate::run::RunError;
use crate::run::process::pytest::{Heard, Process};
use crate::run::process::reaper::Reaper;
use crate::run::protocol::{Request, Server, Setup};
use crate::run::sandbox::{SandboxError, check_owners};
use crate::run::services::{Place, Unready};
use crate::run::site::leftovers::Watch;
use crate::run::site::trial_env::{BaseEnv, Sandboxing, SpawnTarget, TrialEnv, outermost};
use crate::run::site::workspace::{Workspace, cache_dir, unpack_harness};
use crate::run::worker::time_limits::TimeLimits;
use crate::trial::Trial;

use crate::run::remarks::{Remarks, Topic};

pub use options::HostOptions;

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The folders or the reaper.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The sandboxes.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl From<Unready> for HostError {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::Sandbox(error) => Self::Sandbox(error),
            Unready::Service(error) => Self::Run(error),
        }
    }
}

/// Starts and ends the processes of a session, in folders or sandboxes that it makes for them.
#[derive(Debug)]
pub(crate) struct PytestHost {
    pub(crate) options: HostOptions,
    // Dropped before the workspace, which its sandboxes show.
    base: BaseEnv,
    pub(crate) workspace: Workspace,
    pub(crate) harness: PathBuf,
    pub(crate) pycache: PathBuf,
    reaper: Mutex<Option<Reaper>>,
    longest: Mutex<Duration>,
    /// Whether it was told that system calls cannot be seen.
    unseen: OnceLock<()>,
    /// Whether it was told that tests stop a server.
    stopped: OnceLock<()>,
    pub(crate) files: Watch,
}

impl PytestHost {
    /// Makes the session's folders, and what sandboxes stand on.
    ///
    /// # Errors
    /// They cannot be made, or the reaper cannot be started.
    pub(crate) fn new(mut options: HostOptions) -> Result<Self, HostError> {
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
        if let Some(sandboxing) = &options.sandboxing {
            let keep = sandboxing.keep.iter().map(PathBuf::as_path).chain([workspace.path()]);
            sandboxing.services.make_ready(&Place {
                executable: &sandboxing.executable,
                workspace: workspace.path(),
                keep: keep.filter_map(outermost).collect(),
                project: &options.invocation_dir,
                python: &options.python.path,
                interrupt: &options.interrupt,
            })?;
        }
        let base = BaseEnv::new(&workspace, options.sandboxing.as_ref())?;
        let own = options.own_files.iter().cloned().chain([cache_dir()?]).collect();
        let files = Watch::new(&options.invocation_dir, options.tells_leftovers, own);
        Ok(Self {
            options,
            base,
            workspace,
            harness,
            pycache,
            reaper: Mutex::new(reaper),
            longest: Mutex::new(Duration::ZERO),
            unseen: OnceLock::new(),
            stopped: OnceLock::new(),
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
        let mut options = HostOptions {
            invocation_dir: copy.join(inside),
            tells_leftovers: false,
            // What is said of a copy is of no use to who runs the project.
            remarks: Remarks::default(),
            ..self.options.clone()
        };
        if let Some(sandboxing) = &mut options.sandboxing {
            sandboxing.keep.push(copy.to_owned());
        }
        Self::new(options).map(Some).map_err(|error| match error {
            HostError::Run(error) => error,
            HostError::Sandbox(error) => RunError::Pytest(error.to_string()),
        })
    }

    /// Adds to a trial what it left behind, and notes how long it took.
    ///
    /// # Errors
    /// One of its servers has failed meanwhile, so that it shows nothing; or the sandbox cannot be asked.
    pub(crate) fn ended_trial(&self, trial: Trial, site: &TrialEnv) -> Result<Trial, RunError> {
        self.services_of(site)?;
        self.took(trial.duration);
        Ok(Trial { leftovers: self.files.after(site)?, ..trial })
    }

    /// Looks whether the servers of a run that is over lasted until then. One that was told to end by what tests do is told
    /// of once.
    ///
    /// # Errors
    /// One has failed by itself: what failed then says nothing of the tests.
    pub(crate) fn services_of(&self, site: &TrialEnv) -> Result<(), RunError> {
        for ended in site.ended_services() {
            if !ended.was_told_to() {
                return Err(ended.error("it failed while tests ran"));
            }
            self.stopped.get_or_init(|| {
                self.options.remarks.add(format!(
                    "the service {} ended in the middle of a trial, in good order, as if a test had told it to: what fails \
                     without it is judged as any other failure",
                    ended.name()
                ));
            });
        }
        Ok(())
    }

    /// How many workers run at once, over all trials.
    pub(crate) fn room(&self) -> u32 {
        if self.options.sandboxing.is_some() && self.options.resets.is_empty() {
            self.options.jobs
        } else {
            1
        }
    }

    /// Whether trials have servers of their own.
    pub(crate) fn has_services(&self) -> bool {
        self.options.sandboxing.as_ref().is_some_and(|sandboxing| !sandboxing.services.is_empty())
    }

    /// Whether a server knows what the tests of a trial have done so far: one of the trial's own, or one that all share.
    pub(crate) fn talks_to_servers(&self) -> bool {
        self.has_services() || !self.options.resets.is_empty()
    }

    /// Puts back what trials share, as one is about to begin.
    ///
    /// # Errors
    /// A command fails, or the user interrupts.
    pub(crate) fn reset(&self) -> Result<(), RunError> {
        self.options.resets.iter().try_for_each(|reset| reset.run(&self.options.interrupt))
    }

    /// Those whose state can be looked at.
    pub(crate) fn servers(&self) -> &[Server] {
        self.options.sandboxing.as_ref().map_or(&[], |sandboxing| sandboxing.services.servers())
    }

    pub(crate) fn sandboxing_on_host_network(&self) -> Option<Sandboxing> {
        self.options.sandboxing.as_ref().and_then(Sandboxing::on_host_network)
    }

    /// An environment with the machine's network, if trials do not use that and may.
    pub(crate) fn base_on_host_network(&self) -> Result<Option<BaseEnv>, RunError> {
        let base = self
            .sandboxing_on_host_network()
            .map(|sandboxing| BaseEnv::new(&self.workspace, Some(&sandboxing)));
        base.transpose().map_err(|error| RunError::Sandbox(error.to_string()))
    }

    /// Another environment for a run that may use the machine's network, where there is one.
    pub(crate) fn base_for(&self, host_network: bool) -> Result<Option<BaseEnv>, RunError> {
        if host_network { self.base_on_host_network() } else { Ok(None) }
    }

    /// An environment for a zygote to live on.
    pub(crate) fn new_base(&self) -> Result<BaseEnv, RunError> {
        BaseEnv::new(&self.workspace, self.options.sandboxing.as_ref())
            .map_err(|error| RunError::Sandbox(error.to_string()))
    }

    /// A site for a trial in fresh processes on another base, if there is one; that has to outlive the trial.
    pub(crate) fn site_on(&self, other: Option<&BaseEnv>) -> Result<TrialEnv, RunError> {
        self.reset()?;
        other.unwrap_or(&self.base).site(&self.workspace)
    }

    /// A site for a trial in fresh processes.
    pub(crate) fn site(&self) -> Result<TrialEnv, RunError> {
        self.base.site(&self.workspace)
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
        process.say(&Request::Setup(Box::new(setup)));
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
        self.options.trial_timeout.unwrap_or_else(|| TRIAL_TIMEOUT + longest * 10)
    }

    /// How long a trial may take, and each test.
    pub(crate) fn limits(&self) -> TimeLimits<'_> {
        TimeLimits { trial: self.limit(), test: self.options.test_timeout, pace: None }
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
    pub(crate) fn forget(&self, process: &Process) {
        self.tell_reaper(process, Reaper::forget);
    }

    /// What is in a sandbox is ended with it, and is no group of the host's.
    fn tell_reaper(&self, process: &Process, say: fn(&mut Reaper, Pid)) {
        let mut reaper = self.reaper.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(reaper), Some(group)) = (&mut *reaper, process.group()) {
            say(reaper, group);
        }
    }

    /// Tells, once, that system calls cannot be seen here.
    pub(crate) fn cannot_see(&self, why: &str) {
        if self.unseen.set(()).is_ok() {
            let unseen = format!(
                "races of C code and of subprocesses are not looked for, as their system calls cannot be seen here: {why}"
            );
            self.options.remarks.about(Topic::SystemCalls, unseen);
        }
    }

    /// Ends a process, after so much patience; tells how it ended, if by itself.
    pub(crate) fn ended(&self, process: &mut Process, patience: Duration) -> Option<String> {
        let how = process.end(patience);
        self.forget(process);
        how
    }

    /// Lets what is made from now on use the machine's network.
    ///
    /// # Errors
    /// The sandboxes for it cannot be made.
    pub(crate) fn use_host_network(&mut self) -> Result<(), RunError> {
        if let Some(base) = self.base_on_host_network()? {
            self.options.sandboxing.iter_mut().for_each(Sandboxing::use_host_network);
            self.base = base;
        }
        Ok(())
    }
}
