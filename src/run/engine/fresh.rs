//! The spawn engine: a fresh `python -m pytest` for each worker of a trial. The ground truth.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Duration;

use crate::plan::Plan;
use crate::plan::schedule::Resource;
use crate::race::servers::Listening;
use crate::run::engine::side_by_side::side_by_side;
use crate::run::engine::{Capabilities, Collect, Isolation, PlainJob, PlainPytest, ProjectCopies};
use crate::run::host::{HostError, HostOptions, PytestHost};
use crate::run::process::plain::PlainRun;
use crate::run::process::pytest::{Heard, Process};
use crate::run::protocol::Setup;
use crate::run::remarks::Remarks;
use crate::run::sandbox;
use crate::run::services::Reset;
use crate::run::site::trial_env::TrialEnv;
use crate::run::worker::trial_run::{Launcher, Name, run_trial};
use crate::run::{Engine, Job, RunError};
use crate::suite::Suite;
use crate::trial::{Collected, Trial};

/// Runs every worker as a process of its own.
#[derive(Debug)]
pub struct SpawnEngine {
    pub(crate) host: PytestHost,
}

impl SpawnEngine {
    /// Makes the session's folders, and what sandboxes stand on.
    ///
    /// # Errors
    /// They cannot be made, or the reaper cannot be started.
    pub fn new(options: HostOptions) -> Result<Self, HostError> {
        Ok(Self { host: PytestHost::new(options)? })
    }

    /// As [`ProjectCopies::for_project_copy`].
    pub(crate) fn for_copy(&self, rootdir: &Path, copy: &Path) -> Result<Option<Self>, RunError> {
        Ok(self.host.for_copy(rootdir, copy)?.map(|host| Self { host }))
    }

    /// Runs a plan in fresh processes; several may be run so at the same time, in sandboxes.
    pub(crate) fn run_apart(&self, suite: &Suite, job: Job<'_>) -> Result<Trial, RunError> {
        let other = self.host.base_for(job.host_network)?;
        let site = self.host.site_on(other.as_ref())?;
        self.host.files.before(&site);
        let trial = run_trial(&FreshLauncher { host: &self.host }, suite, job, &site, self.host.limits())?;
        self.host.ended_trial(trial, &site)
    }

    /// Collects in a fresh process.
    pub(crate) fn collect_apart(&self, request: Collect) -> Result<Collected, RunError> {
        let Collect { hash_seed, random_seed, host_network, .. } = request;
        let other = self.host.base_for(host_network)?;
        self.host.collect_at(&self.host.site_on(other.as_ref())?, hash_seed, random_seed)
    }

    /// Carries out so many runs of one process each to their end, as many at once as the options allow; in their order.
    pub(crate) fn all_of<T: Send>(&self, count: usize, run: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
        let room = self.host.room();
        if room <= 1 {
            // As outside of sandboxes, where the kernel ends a process with the thread that started it: what outlives this
            // call, a zygote, must not come from one that ends with it. Sandboxes are born of a process of their own.
            return (0..count).map(run).collect();
        }
        let mut all = Vec::new();
        side_by_side(room, &vec![1; count], run, &mut |_, one| {
            all.push(one);
            ControlFlow::Continue(())
        });
        all
    }

    /// Carries out runs, as many at once as the options allow.
    pub(crate) fn side_by_side<T: Send>(
        &self,
        jobs: &[Job<'_>],
        run: &(dyn Fn(usize) -> T + Sync),
        finished: &mut dyn FnMut(usize, T) -> ControlFlow<()>,
    ) {
        let room = self.host.room();
        let weights: Vec<u32> = jobs.iter().map(|job| job.plan.workers.len() as u32).collect();
        side_by_side(room, &weights, run, finished);
    }
}

impl Engine for SpawnEngine {
    fn collect_all(&mut self, requests: &[Collect]) -> Result<Vec<Collected>, RunError> {
        self.all_of(requests.len(), &|at| self.collect_apart(requests[at])).into_iter().collect()
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

    fn capabilities(&self, plan: &Plan) -> Capabilities {
        let at_once = (self.host.room() / plan.workers.len().max(1) as u32).max(1);
        Capabilities { forks: false, lacks_threads: false, starting: Duration::ZERO, at_once }
    }

    fn isolation(&self) -> Isolation {
        Isolation {
            project: self.host.options.sandboxing.is_some(),
            network: self.host.sandboxing_on_host_network().is_some(),
        }
    }

    fn servers(&self) -> Vec<Listening> {
        let sandboxing = self.host.options.sandboxing.as_ref();
        let own = sandboxing.iter().flat_map(|sandboxing| sandboxing.services.resources());
        let own: BTreeSet<Resource> =
            own.chain(self.resets().into_iter().map(|server| server.resource)).collect();
        let servers = sandbox::servers().into_iter().filter(|server| !own.contains(&server.resource));
        let reached = |server: &Listening| sandboxing.is_none_or(|sandboxing| sandboxing.reaches(server));
        servers.map(|server| Listening { reached: reached(&server), ..server }).collect()
    }

    fn resets(&self) -> Vec<Listening> {
        self.host.options.resets.iter().map(Reset::server).collect()
    }

    fn refuse_forks(&mut self, _: &str) -> Result<(), RunError> {
        Ok(())
    }

    fn use_host_network(&mut self) -> Result<(), RunError> {
        self.host.use_host_network()
    }

    fn took(&mut self, duration: Duration) {
        self.host.took(duration);
    }

    fn remarks(&self) -> &Remarks {
        &self.host.options.remarks
    }
}

impl PlainPytest for SpawnEngine {
    fn python(&self) -> &Path {
        &self.host.options.python.path
    }

    fn plain_all(&mut self, jobs: &[PlainJob<'_>]) -> Result<Vec<Option<(String, PlainRun)>>, RunError> {
        let run = |at: usize| self.host.plain(jobs[at].arguments, jobs[at].surroundings);
        self.all_of(jobs.len(), &run).into_iter().collect()
    }
}

impl ProjectCopies for SpawnEngine {
    fn for_project_copy(&self, rootdir: &Path, copy: &Path) -> Result<Option<Box<dyn Engine>>, RunError> {
        Ok(self.for_copy(rootdir, copy)?.map(|engine| Box::new(engine) as Box<dyn Engine>))
    }
}

/// Launches the workers of a trial as processes of their own.
struct FreshLauncher<'a> {
    host: &'a PytestHost,
}

impl Launcher for FreshLauncher<'_> {
    fn host(&self) -> &PytestHost {
        self.host
    }

    fn lacks_threads(&self) -> bool {
        false
    }

    fn launch(
        &self,
        site: &TrialEnv,
        hash_seed: u32,
        name: Name,
        sender: &Sender<(Name, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        self.host.start(self.host.command(&site.path, hash_seed), site.place(), name, sender, setup)
    }
}
