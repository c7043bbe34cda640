//! How plans are run: in fresh processes, or in forks of one that has collected the suite.

pub mod fresh;
pub mod warm;
pub(crate) mod zygote;
pub(crate) mod fork_server;
pub mod checkpoint;
pub(crate) mod side_by_side;
pub(crate) mod measured;
pub(crate) mod collecting;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use crate::plan::Plan;
use crate::race::servers::Listening;
use crate::run::RunError;
use crate::run::process::plain::PlainRun;
use crate::run::remarks::Remarks;
use crate::state::Instructions;
use crate::suite::Suite;
use crate::trial::{Collected, Trial};

/// A plan to be run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Whether in processes that were started for it alone. Only what was seen there is claimed.
    pub fresh: bool,
    /// Whether in fresh processes that may use the machine's network; see
    /// [`Isolation::network`].
    pub(crate) host_network: bool,
    /// Whether to note what each test touches outside of its process.
    pub recorded: bool,
    /// What its workers are to do before their last test, and to tell in [`Trial::changed`].
    pub instructions: Option<&'a Instructions>,
    /// With how many of the first tests of its only worker other jobs begin as well, if that is likely: the engine may run
    /// these once, and fork each job off where they end. What a trial shows does not depend on it, but for what these tests
    /// see of those that are still to come (`session.items`): with other tests after them, they have seen another job's.
    pub shared: Option<u32>,
}

impl<'a> Job<'a> {
    /// A plan to be run as the engine does it best.
    pub fn of(plan: &'a Plan) -> Self {
        Self { plan, fresh: false, host_network: false, recorded: false, instructions: None, shared: None }
    }

    /// A plan that begins with so many tests as others do.
    pub fn beginning_alike(plan: &'a Plan, shared: u32) -> Self {
        Self { shared: Some(shared), ..Self::of(plan) }
    }

    /// A plan to be run in processes that are started for it alone.
    pub fn fresh(plan: &'a Plan) -> Self {
        Self { fresh: true, ..Self::of(plan) }
    }
}

/// A suite to be collected, without running a test.
#[derive(Clone, Copy, Debug)]
pub struct Collect {
    /// `PYTHONHASHSEED` while it is imported.
    pub hash_seed: u32,
    /// Where `random` starts while it is imported.
    pub random_seed: u32,
    /// Whether it may use the machine's network; see [`Isolation::network`].
    pub(crate) host_network: bool,
    /// Whether to keep ready what later runs under this hash seed can be made from.
    pub keep: bool,
}

impl Collect {
    /// As the session's trials find it: `random` starts from 0, and it is kept ready for them.
    pub fn kept(hash_seed: u32) -> Self {
        Self { hash_seed, random_seed: 0, host_network: false, keep: true }
    }

    /// To see what is collected, and no more.
    pub fn once(hash_seed: u32, random_seed: u32) -> Self {
        Self { hash_seed, random_seed, host_network: false, keep: false }
    }
}

/// What an engine can do for a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it would be run in forks, each of which has the whole suite imported and costs next to nothing.
    pub forks: bool,
    /// Whether forks lack threads of libraries, which tests may need.
    pub(crate) lacks_threads: bool,
    /// How long it takes until forks can be made for it: nothing once the suite was collected for its hash seed.
    pub(crate) starting: Duration,
    /// How many trials of such a plan [`Engine::run_all`] runs at the same time: 1 at least.
    pub(crate) at_once: u32,
}

/// What trials are kept from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Isolation {
    /// Whether a trial finds the project as it was before every other.
    pub project: bool,
    /// Whether trials are kept from the machine's network, and could be let use it.
    pub network: bool,
}

/// Runs plans.
pub trait Engine: PlainPytest + ProjectCopies {
    /// Collects the suite.
    ///
    /// # Errors
    /// pytest could not be started, refused its arguments, or did not finish collecting.
    fn collect(&mut self, request: Collect) -> Result<Collected, RunError> {
        self.collect_all(&[request])?.into_iter().next().ok_or(RunError::Interrupted)
    }

    /// Collects the suite several times, side by side where trials are; in their order.
    ///
    /// # Errors
    /// As those of [`Engine::collect`].
    fn collect_all(&mut self, requests: &[Collect]) -> Result<Vec<Collected>, RunError>;

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

    /// What it can do for a plan.
    fn capabilities(&self, plan: &Plan) -> Capabilities;

    /// What trials are kept from.
    fn isolation(&self) -> Isolation;

    /// The servers of the machine that listen now and whether trials reach them, but for those that these have of their own
    /// and those that are put back before each.
    fn servers(&self) -> Vec<Listening>;

    /// The servers that all trials share and that are put back before each, wherever they are.
    fn resets(&self) -> Vec<Listening>;

    /// Gives up forks for the rest of the session, since they were seen to differ from fresh processes.
    ///
    /// # Errors
    /// The user insists on forks.
    fn refuse_forks(&mut self, why: &str) -> Result<(), RunError>;

    /// Lets trials use the machine's network from now on.
    ///
    /// # Errors
    /// The sandboxes for it cannot be made.
    fn use_host_network(&mut self) -> Result<(), RunError>;

    /// Takes note of how long a trial took that was run earlier: later ones may take a multiple of it.
    fn took(&mut self, duration: Duration);

    /// What the user should know of how plans are run, each said once.
    fn remarks(&self) -> &Remarks;
}

/// What surrounds a run of plain pytest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surroundings {
    /// A trial's: its sandbox, its temporary folder, the variables that jostle sets.
    Trial {
        /// `PYTHONHASHSEED`, if it is to be set.
        hash_seed: Option<u32>,
    },
    /// A trial's sandbox, with the user's own variables. There are none where trials have no sandbox.
    UsersVariables,
    /// The user's: his variables, and where there are sandboxes the machine's `/tmp`, network and sockets. What is
    /// written to files is thrown away there, so that nothing of the user's is harmed. There are none if the machine's
    /// network is forbidden.
    Users,
}

/// A run of plain pytest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainJob<'a> {
    /// What is added to the suite's own arguments.
    pub arguments: &'a [String],
    /// What surrounds it.
    pub surroundings: Surroundings,
}

/// Runs pytest as its users do.
pub trait PlainPytest {
    /// The Python that runs the suite.
    fn python(&self) -> &Path;

    /// Runs plain pytest, without a harness, with arguments added to the suite's own; returns the
    /// command as a user would type it, and what it showed. None if that cannot be written as a command, or if
    /// there can be no such surroundings.
    ///
    /// # Errors
    /// pytest could not be run at all, or the run was interrupted.
    fn plain(
        &mut self,
        arguments: &[String],
        surroundings: Surroundings,
    ) -> Result<Option<(String, PlainRun)>, RunError> {
        let ran = self.plain_all(&[PlainJob { arguments, surroundings }])?;
        Ok(ran.into_iter().next().flatten())
    }

    /// The same for several runs, side by side where trials are; in their order.
    ///
    /// # Errors
    /// As those of [`PlainPytest::plain`].
    fn plain_all(&mut self, jobs: &[PlainJob<'_>]) -> Result<Vec<Option<(String, PlainRun)>>, RunError>;
}

/// Runs copies of the project.
pub trait ProjectCopies {
    /// An engine of the same sort for a copy of the project, which stands for the folder `rootdir`.
    /// None if pytest would look at something else than the copy.
    ///
    /// # Errors
    /// The folders or sandboxes cannot be made.
    fn for_project_copy(&self, rootdir: &Path, copy: &Path) -> Result<Option<Box<dyn Engine>>, RunError>;
}
