//! The warm engine: the suite is collected once for each hash seed, and each worker is a fork.
//!
//! What a fork cannot show is run in a fresh process: plans that import only a part of the suite, and
//! plans with several workers if the suite asks which worker it is while it is imported. Where forks
//! are not safe at all, every plan is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use crate::plan::{Imports, Mode, Plan};
use crate::run::engine::fresh::SpawnEngine;
use crate::run::engine::zygote::{ForkLauncher, Readiness, Zygote};
use crate::run::process::plain::PlainRun;
use crate::run::worker::trial_run::run_trial;
use crate::run::{Engine, Job, RunError};
use crate::suite::Suite;
use crate::trial::{Collected, Trial};

/// How often a trial whose zygote dies is begun before it is run in fresh processes.
const ATTEMPTS: u32 = 2;

/// Runs workers as forks of zygotes.
#[derive(Debug)]
pub struct WarmEngine {
    spawn: SpawnEngine,
    zygotes: BTreeMap<u32, Zygote>,
    /// Whether forks may be given up, or are insisted on.
    insists: bool,
    refusal: Option<String>,
}

impl WarmEngine {
    /// An engine that forks where that is safe, or, if it `insists`, fails where it is not.
    pub fn new(spawn: SpawnEngine, insists: bool) -> Self {
        Self { spawn, zygotes: BTreeMap::new(), insists, refusal: None }
    }

    fn start_zygote(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        let (zygote, collected) = Zygote::start(&self.spawn, hash_seed)?;
        let first = self.zygotes.is_empty();
        let Readiness { threads, shared, identity_asked_at } = &zygote.readiness;
        if let (Some(place), true) = (identity_asked_at, first) {
            self.spawn.remark(format!(
                "plans with several workers run in fresh processes: the suite asks which worker it is while it is \
                 imported ({place})"
            ));
        }
        let unsafe_threads = (!threads.is_empty()).then(|| {
            format!(
                "after collection {} besides the main one are alive, and a fork would lose them: {}. Libraries such as \
                 OpenBLAS start none with OPENBLAS_NUM_THREADS=1",
                if threads.len() == 1 { "1 thread".to_owned() } else { format!("{} threads", threads.len()) },
                threads.join(", ")
            )
        });
        let shared = (!shared.is_empty()).then(|| {
            format!(
                "after collection {} open that forks would share: {}. Open it in a fixture and not while it is imported",
                if shared.len() == 1 { "a file or connection is" } else { "files or connections are" },
                shared.join(", ")
            )
        });
        self.zygotes.insert(hash_seed, zygote);
        if let Some(why) = unsafe_threads.or(shared) {
            self.refuse_forks(&why)?;
        }
        Ok(collected)
    }

    /// Sees to it that a plan which is run in forks has its zygote, and one that is alive.
    fn prepare(&mut self, job: Job<'_>) -> Result<(), RunError> {
        let plan = job.plan;
        let dead = self.zygotes.get(&plan.hash_seed).is_some_and(|zygote| !zygote.is_alive());
        if dead && let Some(zygote) = self.zygotes.remove(&plan.hash_seed) {
            zygote.end(&self.spawn);
        }
        if self.forks_for(job) && !self.zygotes.contains_key(&plan.hash_seed) {
            self.start_zygote(plan.hash_seed)?;
        }
        Ok(())
    }

    /// Runs a plan in forks if it may be, and else in fresh processes; none if its zygote died meanwhile.
    fn run_prepared(&self, suite: &Suite, job: Job<'_>) -> Result<Option<Trial>, RunError> {
        let zygote = self.zygotes.get(&job.plan.hash_seed).filter(|_| self.forks_for(job));
        let Some(zygote) = zygote else {
            return self.spawn.run_apart(suite, job).map(Some);
        };
        let site = zygote.site(&self.spawn)?;
        let launcher = ForkLauncher { spawn: &self.spawn, zygote };
        self.spawn.files.before(&site);
        let trial = run_trial(&launcher, suite, job, &site, self.spawn.limit());
        if !zygote.is_alive() {
            return if matches!(trial, Err(RunError::Interrupted)) {
                Err(RunError::Interrupted)
            } else {
                Ok(None)
            };
        }
        self.spawn.ended_trial(trial?, &site).map(Some)
    }

    fn forks_for(&self, job: Job<'_>) -> bool {
        !job.fresh && !job.host_network && self.forks(job.plan)
    }

    /// Runs plans as [`Engine::run_all`] does, up to the first whose zygote dies; returns how many have
    /// ended, or that it was said to stop.
    fn run_while_zygotes_live(
        &self,
        suite: &Suite,
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(usize, Trial) -> ControlFlow<()>,
    ) -> Result<ControlFlow<(), usize>, RunError> {
        let mut ended = Ok(ControlFlow::Continue(0));
        let run = |at: usize| self.run_prepared(suite, jobs[at]);
        self.spawn.side_by_side(jobs, &run, &mut |at, trial| {
            ended = match trial {
                Err(error) => Err(error),
                Ok(None) => return ControlFlow::Break(()),
                Ok(Some(trial)) => Ok(finished(at, trial).map_continue(|()| at + 1)),
            };
            if matches!(ended, Ok(ControlFlow::Continue(_))) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        ended
    }
}

impl Engine for WarmEngine {
    fn for_project_copy(&self, rootdir: &Path, copy: &Path) -> Result<Option<Box<dyn Engine>>, RunError> {
        Ok(self.spawn.for_copy(rootdir, copy)?.map(|spawn| {
            let mut engine = Self::new(spawn, false);
            engine.refusal.clone_from(&self.refusal);
            Box::new(engine) as Box<dyn Engine>
        }))
    }

    fn collect(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        if self.refusal.is_some() { self.spawn.collect(hash_seed) } else { self.start_zygote(hash_seed) }
    }

    fn collect_once(&mut self, hash_seed: u32, random_seed: u32) -> Result<Collected, RunError> {
        self.spawn.collect_once(hash_seed, random_seed)
    }

    fn run_all(
        &mut self,
        suite: &Suite,
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(usize, Trial) -> ControlFlow<()>,
    ) -> Result<(), RunError> {
        let (mut done, mut deaths) = (0, 0);
        while done < jobs.len() {
            if deaths == ATTEMPTS {
                let trial = self.spawn.run_apart(suite, jobs[done])?;
                (done, deaths) = (done + 1, 0);
                if finished(done - 1, trial).is_break() {
                    return Ok(());
                }
                continue;
            }
            for &job in &jobs[done..] {
                self.prepare(job)?;
            }
            let before = done;
            let ended = self.run_while_zygotes_live(suite, &jobs[before..], &mut |at, trial| {
                finished(before + at, trial)
            });
            let ControlFlow::Continue(more) = ended? else {
                return Ok(());
            };
            done += more;
            deaths = if more > 0 { 1 } else { deaths + 1 };
        }
        Ok(())
    }

    fn python(&self) -> &Path {
        &self.spawn.options.python.path
    }

    fn keeps_apart(&self) -> bool {
        self.spawn.keeps_apart()
    }

    fn at_once(&self, plan: &Plan) -> u32 {
        self.spawn.at_once(plan)
    }

    fn forks(&self, plan: &Plan) -> bool {
        let asks = || {
            let zygote = self.zygotes.get(&plan.hash_seed).or_else(|| self.zygotes.values().next());
            zygote.is_some_and(|zygote| zygote.readiness.identity_asked_at.is_some())
        };
        self.refusal.is_none() && plan.imports == Imports::All && (plan.mode == Mode::No || !asks())
    }

    fn refuse_forks(&mut self, why: &str) -> Result<(), RunError> {
        if self.insists {
            return Err(RunError::Pytest(format!(
                "--engine warm cannot be used: {why}. Use --engine spawn, or auto"
            )));
        }
        if self.refusal.is_none() {
            self.spawn.remark(format!("every plan runs in fresh processes: {why}"));
            self.refusal = Some(why.to_owned());
            self.end_zygotes();
        }
        Ok(())
    }

    fn may_use_host_network(&self) -> bool {
        self.spawn.may_use_host_network()
    }

    fn collect_on_host_network(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        self.spawn.collect_on_host_network(hash_seed)
    }

    fn use_host_network(&mut self) -> Result<(), RunError> {
        self.end_zygotes();
        self.spawn.use_host_network()
    }

    fn took(&mut self, duration: Duration) {
        self.spawn.took(duration);
    }

    fn remark(&mut self, remark: String) {
        self.spawn.remark(remark);
    }

    fn remarks(&mut self) -> Vec<String> {
        self.spawn.remarks()
    }

    fn plain(
        &mut self,
        arguments: &[String],
        hash_seed: Option<u32>,
    ) -> Result<Option<(String, PlainRun)>, RunError> {
        self.spawn.plain(arguments, hash_seed)
    }
}

impl WarmEngine {
    /// Lets all zygotes end side by side, and waits for them.
    fn end_zygotes(&mut self) {
        self.zygotes.values().for_each(Zygote::hang_up);
        for zygote in std::mem::take(&mut self.zygotes).values() {
            zygote.end(&self.spawn);
        }
    }
}

impl Drop for WarmEngine {
    fn drop(&mut self) {
        self.end_zygotes();
    }
}
