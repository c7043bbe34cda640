//! Running a plan: the only room that starts and ends processes.
//!
//! An [`Engine`] turns a [`Plan`] into a [`Trial`]. It prints nothing and decides nothing about the
//! meaning of what it saw.

pub mod protocol;
pub mod interrupt;
pub mod python;
pub mod source;
pub mod git;
pub mod workspace;
pub mod reaper;
pub mod process;
pub mod sandbox;
pub mod surroundings;
mod leftovers;
mod command;
mod collecting;
pub mod plain;
pub mod spawn;
pub mod zygote;
pub mod warm;
pub mod measure;
mod worker;
mod trial_run;
mod control;
mod pulse;
mod syscalls;
mod side_by_side;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::explain::{Changed, Instructions};
use crate::plan::{Plan, WorkerId};
use crate::race::{Step, Touched};
use crate::run::plain::PlainRun;
use crate::run::sandbox::Leftover;
use crate::suite::{Suite, TestIndex};

/// pytest's phases of a test, and of all tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Tests are collected, before any of them runs.
    Collect,
    /// Fixtures are set up.
    Setup,
    /// The test function runs.
    Call,
    /// Fixtures are torn down; those of a wider scope are charged to the last test that used them.
    Teardown,
}

impl Phase {
    /// The phase as it is written in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Collect => "collection",
            Self::Setup => "setup",
            Self::Call => "call",
            Self::Teardown => "teardown",
        }
    }
}

/// A test's first failing phase, as pytest reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which phase failed.
    pub phase: Phase,
    /// Type of the exception, with its module unless that is `builtins`.
    pub exception: String,
    /// File of the crash: the innermost frame inside rootdir, relative to it; else the innermost frame's.
    pub file: String,
    /// Function of the crash.
    pub function: String,
    /// 1-based line of the crash.
    pub line: u32,
    /// 1-based line in the test's own file, the outermost on the way to the crash; 0 if there is none, or not
    /// known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub test_line: u32,
    /// The exception's message, at most 2,000 characters of it.
    pub message: String,
    /// pytest's rendering of the failure, at most 20,000 characters of its end.
    pub trace: String,
    /// The fixture that raised it, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixture: Option<Fixture>,
    /// The test for which that fixture was set up, if it is shared by several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<TestIndex>,
}

/// A fixture that failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fixture {
    /// What tests ask for it by; `setup_module` and the like for what pytest makes of these.
    pub name: String,
    /// `function`, `class`, `module`, `package` or `session`.
    pub scope: String,
    /// The file that defines it, relative to rootdir; of a plugin's, the file's name only.
    pub file: String,
    /// Whether it failed in its setup or its teardown, which may be charged to another phase of a test.
    pub phase: Phase,
}

impl Failure {
    /// The fixture whose teardown failed, if tests share it: which of them pytest charges is then an accident.
    pub fn shared_teardown(&self) -> Option<&Fixture> {
        self.fixture.as_ref().filter(|fixture| fixture.is_shared() && fixture.phase == Phase::Teardown)
    }
}

impl Fixture {
    /// Whether several tests may share it, so that it is an accident to which of them pytest charges its teardown.
    pub fn is_shared(&self) -> bool {
        self.scope != "function"
    }
}

/// What became of a test that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All phases passed, or failed as its `xfail` mark expects (an unexpected pass that is not strict
    /// included).
    Passed,
    /// Skipped, or marked `xfail(run=False)`: it did not run, which is no pass and no failure.
    Skipped,
    /// A phase failed.
    Failed(Failure),
    /// It exceeded the time limit for a test; its worker was ended.
    Timeout {
        /// The limit that was exceeded.
        limit: Duration,
    },
    /// Its worker's process ended, or stopped speaking, while the test ran.
    Crashed {
        /// What is known: `killed by signal 11 (SIGSEGV)`, `exited with code 3`, `closed its channel`.
        how: String,
    },
    /// It was never started: pytest no longer collected it, or the trial was cut short.
    NotRun {
        /// Why.
        why: String,
    },
}

/// Why a test was not run whose process collected none of its name.
pub const NOT_COLLECTED: &str = "not collected";

/// One test's run within a trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Execution {
    /// On which worker.
    pub worker: WorkerId,
    /// 0 in the worker's first process; one more after each crash or timeout, when the rest of its
    /// list goes on in a fresh process. Tests of different processes share no memory.
    pub process: u32,
    /// The test.
    pub test: TestIndex,
    /// What became of it.
    pub outcome: Outcome,
    /// Wall-clock time of all its phases.
    pub duration: Duration,
}

/// What one run under one plan showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Every test of the plan, worker by worker, in the order of the worker's list.
    pub executions: Vec<Execution>,
    /// Wall-clock time of the whole trial, process starts included.
    pub duration: Duration,
    /// How many processes the trial started.
    pub processes: u32,
    /// What the workers of a controlled trial did, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// How long each worker of a controlled trial was held while its tests ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Duration>,
    /// What each test touched outside of its process, if that was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<Touched>,
    /// What it left behind in the project, if that was to be told; paths are relative to the folder
    /// pytest is run in.
    #[serde(default)]
    pub leftovers: Vec<Leftover>,
    /// What the tests before the last one have changed, if that was asked for and it was reached.
    #[serde(skip)]
    pub changed: Option<Changed>,
}

/// What was learnt from collecting the suite once.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The suite.
    pub suite: Suite,
    /// What collected it.
    pub interpreter: Interpreter,
    /// The flags that neutralise the suite's own options: `-n0`, `--no-cov`, …
    pub neutralised: Vec<String>,
}

/// The Python side of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// `3.11.7`
    pub python: String,
    /// `8.4.2`
    pub pytest: String,
    /// Absolute path of pytest's rootdir.
    pub rootdir: String,
    /// Distribution names and versions of the plugins pytest loaded: `pytest-xdist-3.8.0`.
    pub plugins: Vec<String>,
}

/// A plan to be run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Whether in processes that were started for it alone. Only what was seen there is claimed.
    pub fresh: bool,
    /// Whether in fresh processes that may use the machine's network; see
    /// [`Engine::may_use_host_network`].
    pub host_network: bool,
    /// Whether to note what each test touches outside of its process.
    pub recorded: bool,
    /// What its workers are to do before their last test, and to tell in [`Trial::changed`].
    pub instructions: Option<&'a Instructions>,
}

impl<'a> Job<'a> {
    /// A plan to be run as the engine does it best.
    pub fn of(plan: &'a Plan) -> Self {
        Self { plan, fresh: false, host_network: false, recorded: false, instructions: None }
    }

    /// A plan to be run in processes that are started for it alone.
    pub fn fresh(plan: &'a Plan) -> Self {
        Self { fresh: true, ..Self::of(plan) }
    }
}

/// Runs plans.
pub trait Engine {
    /// Collects the suite under a hash seed, without running a test.
    ///
    /// # Errors
    /// pytest could not be started, refused its arguments, or did not finish collecting.
    fn collect(&mut self, hash_seed: u32) -> Result<Collected, RunError>;

    /// As [`Engine::collect`], with nothing kept ready for later runs under that hash seed. While the suite is
    /// imported, `random` starts from `random_seed`; there, it starts from 0.
    ///
    /// # Errors
    /// As there.
    fn collect_once(&mut self, hash_seed: u32, random_seed: u32) -> Result<Collected, RunError>;

    /// Runs several plans, side by side where trials are kept apart. Each trial is given to `finished`, in
    /// the plans' order, until that says to stop or there are no more. Failures, crashes and hangs of
    /// tests are outcomes, not errors.
    ///
    /// # Errors
    /// pytest could not be run at all, or the run was interrupted; the trials before have been told by
    /// then.
    fn run_all(
        &mut self,
        suite: &Suite,
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(usize, Trial) -> ControlFlow<()>,
    ) -> Result<(), RunError>;

    /// Runs one plan.
    ///
    /// # Errors
    /// As those of [`Engine::run_all`].
    fn run(&mut self, suite: &Suite, job: Job<'_>) -> Result<Trial, RunError> {
        let mut only = None;
        self.run_all(suite, &[job], &mut |_, trial| {
            only = Some(trial);
            ControlFlow::Break(())
        })?;
        only.ok_or(RunError::Interrupted)
    }

    /// How many trials of a plan like this [`Engine::run_all`] runs at the same time: 1 at least.
    fn at_once(&self, plan: &Plan) -> u32;

    /// The Python that runs the suite.
    fn python(&self) -> &Path;

    /// Whether a trial finds the project as it was before every other.
    fn keeps_apart(&self) -> bool;

    /// An engine of the same sort for a copy of the project, which stands for the folder `rootdir`.
    /// None if this engine cannot be had there.
    ///
    /// # Errors
    /// The folders or sandboxes cannot be made.
    fn elsewhere(&self, rootdir: &Path, copy: &Path) -> Result<Option<Box<dyn Engine>>, RunError>;

    /// Whether this plan would be run in forks, each of which has the whole suite imported and costs
    /// next to nothing.
    fn forks(&self, plan: &Plan) -> bool;

    /// Gives up forks for the rest of the session, since they were seen to differ from fresh processes.
    ///
    /// # Errors
    /// The user insists on forks.
    fn refuse_forks(&mut self, why: &str) -> Result<(), RunError>;

    /// Whether trials are kept from the machine's network, and could be let use it.
    fn may_use_host_network(&self) -> bool;

    /// Collects as [`Engine::collect`] does, but with the machine's network.
    ///
    /// # Errors
    /// As those of [`Engine::collect`].
    fn collect_on_host_network(&mut self, hash_seed: u32) -> Result<Collected, RunError>;

    /// Lets trials use the machine's network from now on.
    ///
    /// # Errors
    /// The sandboxes for it cannot be made.
    fn use_host_network(&mut self) -> Result<(), RunError>;

    /// Takes note of how long a trial took that was run earlier: later ones may take a multiple of it.
    fn took(&mut self, duration: Duration);

    /// Adds to what the user should know of how plans are run.
    fn remark(&mut self, remark: String);

    /// What the user should know of how plans are run, each said once.
    fn remarks(&mut self) -> Vec<String>;

    /// Runs plain pytest, without a harness, with arguments added to the suite's own; returns the
    /// command as a user would type it, and what it showed. None if this engine cannot.
    ///
    /// # Errors
    /// pytest could not be run at all, or the run was interrupted.
    fn plain(
        &mut self,
        arguments: &[String],
        hash_seed: Option<u32>,
    ) -> Result<Option<(String, PlainRun)>, RunError>;
}

/// Why a plan could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The user pressed Ctrl-C (or sent SIGTERM); every child has been ended.
    #[error("interrupted")]
    Interrupted,
    /// The session's time is used up, so that nothing more is run.
    #[error("the time is used up")]
    OutOfTime,
    /// pytest ended before it ran anything; the text holds what it printed.
    #[error("{0}")]
    Pytest(String),
    /// A sandbox could not be made, or ended.
    #[error("{0}")]
    Sandbox(String),
    /// An operating-system call failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Outcome {
    /// Whether the test failed, in any way.
    pub fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Timeout { .. } | Self::Crashed { .. })
    }
}

impl RunError {
    /// Whether it is the user's wish to stop.
    pub fn is_interrupt(&self) -> bool {
        matches!(self, Self::Interrupted)
    }

    /// An operating-system call that failed, and what it was for.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }
}
