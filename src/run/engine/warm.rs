//! The warm engine: the suite is collected once for each hash seed, and each worker is a fork.
//!
//! What a fork cannot show is run in a fresh process: plans that import only a part of the suite, and
//! plans with several workers if the suite asks which worker it is while it is imported. Where forks
//! are not safe at all, every plan is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::limits::ZYGOTE_ATTEMPTS;
use crate::plan::{Imports, Interleaving, Mode, Plan};
use crate::race::servers::Listening;
use crate::run::engine::checkpoint::{CheckpointCounts, Checkpoints, Forking};
use crate::run::engine::fresh::SpawnEngine;
use crate::run::engine::zygote::{ForkLauncher, Readiness, Zygote};
use crate::run::engine::{Capabilities, Collect, Isolation, PlainJob, PlainPytest, ProjectCopies};
use crate::run::process::plain::PlainRun;
use crate::run::remarks::{Remarks, Topic};
use crate::run::worker::time_limits::{Pace, TimeLimits, truer};
use crate::run::worker::trial_run::run_trial;
use crate::run::{Engine, Job, RunError};
use crate::suite::{Suite, TestIndex};
use crate::trial::{Collected, Execution, Outcome, Trial};

/// Runs workers as forks of zygotes.
#[derive(Debug)]
pub struct WarmEngine {
    /// Runs what a fork cannot show.
    fresh: SpawnEngine,
    zygotes: BTreeMap<u32, Zygote>,
    /// Whether forks may be given up, or are insisted on.
    insists: bool,
    refusal: Option<String>,
    /// How long the first zygote took to start, as each fresh process does.
    startup: Duration,
    /// Why forks that lack threads are to be given up, once the trials that run have ended.
    doubt: Mutex<Option<String>>,
    checkpoints: Checkpoints,
    /// How fast the tests were seen to be.
    pace: Pace,
}

impl WarmEngine {
    /// An engine that forks where that is safe, or, if it `insists`, fails where it is not.
    pub fn new(fresh: SpawnEngine, insists: bool) -> Self {
        Self {
            fresh,
            zygotes: BTreeMap::new(),
            insists,
            refusal: None,
            startup: Duration::ZERO,
            doubt: Mutex::default(),
            checkpoints: Checkpoints::default(),
            pace: Pace::default(),
        }
    }

    /// How often runs were forked off a worker that had stopped.
    pub fn checkpoints(&self) -> CheckpointCounts {
        self.checkpoints.counts()
    }

    /// Collects as is asked for, and tells how long that took. What forks are made from is returned as well, where it is to
    /// be kept.
    fn begin(&self, request: Collect) -> Result<(Option<Zygote>, Collected, Duration), RunError> {
        let Collect { hash_seed, random_seed, host_network, keep } = request;
        let start = Instant::now();
        if keep && random_seed == 0 && !host_network && self.refusal.is_none() {
            let (zygote, collected) = Zygote::start(&self.fresh.host, hash_seed)?;
            return Ok((Some(zygote), collected, start.elapsed()));
        }
        Ok((None, self.fresh.collect_apart(request)?, start.elapsed()))
    }

    /// Keeps what forks are made from, which took so long to start, and gives forks up if they would lose something.
    fn keep(&mut self, hash_seed: u32, zygote: Zygote, took: Duration) -> Result<(), RunError> {
        if self.refusal.is_some() {
            // Another one, which was started beside it, has shown that there are to be no forks.
            self.let_end(&zygote);
            return Ok(());
        }
        let first = self.zygotes.is_empty();
        if first {
            self.startup = took;
        }
        let Readiness { threads, shared, identity_asked_at, .. } = &zygote.readiness;
        if let (Some(place), true) = (identity_asked_at, first) {
            self.remarks().add(format!(
                "plans with several workers run in fresh processes: the suite asks which worker it is while it is \
                 imported ({place})"
            ));
        }
        let unsafe_threads = (!threads.is_empty()).then(|| {
            format!(
                "after collection {} alive that a fork would lose: {}",
                if threads.len() == 1 {
                    "a thread is".to_owned()
                } else {
                    format!("{} threads are", threads.len())
                },
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
        if let Some(replaced) = self.zygotes.insert(hash_seed, zygote) {
            self.checkpoints.clear();
            self.let_end(&replaced);
        }
        unsafe_threads.or(shared).map_or(Ok(()), |why| self.refuse_forks(&why))
    }

    /// Lets a zygote end that no run needs, and waits for it.
    fn let_end(&self, zygote: &Zygote) {
        zygote.hang_up();
        zygote.end(&self.fresh.host);
    }

    /// Sees to it that plans which are run in forks have their zygotes, and such as are alive.
    fn prepare(&mut self, jobs: &[Job<'_>]) -> Result<(), RunError> {
        let hash_seeds: BTreeSet<u32> = jobs.iter().map(|job| job.plan.hash_seed).collect();
        for hash_seed in &hash_seeds {
            let dead = self.zygotes.get(hash_seed).is_some_and(|zygote| !zygote.is_alive());
            if dead && let Some(zygote) = self.zygotes.remove(hash_seed) {
                self.checkpoints.clear();
                zygote.end(&self.fresh.host);
            }
        }
        let lack_one =
            |job: &&Job<'_>| self.forks_for(**job) && !self.zygotes.contains_key(&job.plan.hash_seed);
        let missing: BTreeSet<u32> = jobs.iter().filter(lack_one).map(|job| job.plan.hash_seed).collect();
        let mut missing = missing.into_iter().map(Collect::kept);
        // Where nothing was collected yet, the first shows whether there are to be forks.
        let first: Vec<Collect> = missing.by_ref().take(usize::from(self.zygotes.is_empty())).collect();
        self.collect_all(&first)?;
        let others: Vec<Collect> = missing.filter(|_| self.refusal.is_none()).collect();
        self.collect_all(&others).map(drop)
    }

    /// Runs a plan in forks if it may be, and else in fresh processes; none if its zygote died meanwhile.
    fn run_prepared(&self, suite: &Suite, job: Job<'_>) -> Result<Option<Trial>, RunError> {
        let zygote = self.zygotes.get(&job.plan.hash_seed).filter(|_| self.forks_for(job));
        let Some(zygote) = zygote else {
            return self.run_fresh(suite, job).map(Some);
        };
        let trial = self.run_at_their_pace(zygote, suite, job);
        if let Err(RunError::LostThreads { test, how }) = &trial {
            let trial = self.run_fresh(suite, job)?;
            self.compare(suite, *test, how, &zygote.readiness.native, &trial);
            return Ok(Some(trial));
        }
        if !zygote.is_alive() {
            return if matches!(trial, Err(RunError::Interrupted)) {
                Err(RunError::Interrupted)
            } else {
                Ok(None)
            };
        }
        trial.map(Some)
    }

    fn run_fresh(&self, suite: &Suite, job: Job<'_>) -> Result<Trial, RunError> {
        let trial = self.fresh.run_apart(suite, job)?;
        self.pace.learn(&trial, self.fresh.host.limits().test);
        Ok(trial)
    }

    /// Runs a plan in forks, in which tests that pass quickly are given less time, unless it is known to take them more.
    fn run_at_their_pace(&self, zygote: &Zygote, suite: &Suite, job: Job<'_>) -> Result<Trial, RunError> {
        let host = &self.fresh.host;
        let limits = host.limits();
        // Where forks lack threads, what hangs is compared with a fresh process, which gives it the whole limit.
        let usual = !zygote.lacks_threads()
            && !job.recorded
            && job.instructions.is_none()
            && job.plan.interleaving == Interleaving::Free;
        let at = Forking { host, zygote, limits };
        let quick = Forking { limits: TimeLimits { pace: usual.then_some(&self.pace), ..limits }, ..at };
        let mut trial = self.run_in_forks(quick, suite, job)?;
        if self.pace.is_in_doubt(&trial, limits.test) && zygote.is_alive() {
            let whole = self.run_in_forks(at, suite, job)?;
            self.pace.learn(&whole, limits.test);
            trial = truer(trial, whole, limits.test);
        }
        self.pace.learn(&trial, limits.test);
        Ok(trial)
    }

    /// Notes that forks are to be given up, if a test that hung or took its process along in a fork without these threads
    /// did neither in a fresh process.
    fn compare(&self, suite: &Suite, test: TestIndex, how: &str, threads: &[String], fresh: &Trial) {
        let ended = |run: &Execution| {
            run.test == test && matches!(run.outcome, Outcome::Timeout { .. } | Outcome::Crashed { .. })
        };
        if !fresh.executions.iter().any(ended) {
            let why = format!(
                "{} {how} in a fork, which lacks threads of libraries ({}), and did not in a fresh process",
                suite.test(test).id,
                threads.join(", ")
            );
            self.doubt.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        }
    }

    /// Gives up forks if one was seen to lack what a test needs.
    fn settle_doubt(&mut self) -> Result<(), RunError> {
        let doubt = self.doubt.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        doubt.map_or(Ok(()), |why| self.refuse_forks(&why))
    }

    fn run_in_forks(&self, at: Forking<'_>, suite: &Suite, job: Job<'_>) -> Result<Trial, RunError> {
        if let Some(trial) = self.checkpoints.run(at, suite, job)? {
            return Ok(trial);
        }
        let Forking { host, zygote, limits } = at;
        let site = zygote.site(host)?;
        host.files.before(&site);
        let trial = run_trial(&ForkLauncher { host, zygote }, suite, job, &site, limits)?;
        host.ended_trial(trial, &site)
    }

    fn forks_for(&self, job: Job<'_>) -> bool {
        !job.fresh && !job.host_network && self.may_fork(job.plan)
    }

    fn may_fork(&self, plan: &Plan) -> bool {
        let asks = || {
            let zygote = self.zygotes.get(&plan.hash_seed).or_else(|| self.zygotes.values().next());
            zygote.is_some_and(|zygote| zygote.readiness.identity_asked_at.is_some())
        };
        self.refusal.is_none() && plan.imports == Imports::All && (plan.mode == Mode::No || !asks())
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
        self.fresh.side_by_side(jobs, &run, &mut |at, trial| {
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
    fn collect_all(&mut self, requests: &[Collect]) -> Result<Vec<Collected>, RunError> {
        let begun = self.fresh.all_of(requests.len(), &|at| self.begin(requests[at]));
        let kept = requests.iter().zip(begun).map(|(request, begun)| {
            let (zygote, collected, took) = begun?;
            zygote.map_or(Ok(()), |zygote| self.keep(request.hash_seed, zygote, took))?;
            Ok(collected)
        });
        // Each is kept, so that each is ended, whatever became of those before.
        let kept: Vec<Result<Collected, RunError>> = kept.collect();
        kept.into_iter().collect()
    }

    fn run_all(
        &mut self,
        suite: &Suite,
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(usize, Trial) -> ControlFlow<()>,
    ) -> Result<(), RunError> {
        let (mut done, mut deaths) = (0, 0);
        while done < jobs.len() {
            if deaths == ZYGOTE_ATTEMPTS {
                let trial = self.fresh.run_apart(suite, jobs[done])?;
                (done, deaths) = (done + 1, 0);
                if finished(done - 1, trial).is_break() {
                    return Ok(());
                }
                continue;
            }
            self.prepare(&jobs[done..])?;
            let before = done;
            let ended = self.run_while_zygotes_live(suite, &jobs[before..], &mut |at, trial| {
                finished(before + at, trial)
            });
            self.settle_doubt()?;
            let ControlFlow::Continue(more) = ended? else {
                return Ok(());
            };
            done += more;
            deaths = if more > 0 { 1 } else { deaths + 1 };
        }
        Ok(())
    }

    fn capabilities(&self, plan: &Plan) -> Capabilities {
        let lacks_threads = self.zygotes.values().any(Zygote::lacks_threads);
        let forks = self.may_fork(plan);
        let starts = forks && !self.zygotes.contains_key(&plan.hash_seed);
        let starting = if starts { self.startup } else { Duration::ZERO };
        Capabilities { forks, lacks_threads, starting, ..self.fresh.capabilities(plan) }
    }

    fn isolation(&self) -> Isolation {
        self.fresh.isolation()
    }

    fn servers(&self) -> Vec<Listening> {
        self.fresh.servers()
    }

    fn resets(&self) -> Vec<Listening> {
        self.fresh.resets()
    }

    fn refuse_forks(&mut self, why: &str) -> Result<(), RunError> {
        if self.insists {
            return Err(RunError::Pytest(format!(
                "--engine warm cannot be used: {why}. Use --engine spawn, or auto"
            )));
        }
        if self.refusal.is_none() {
            let seconds = self.startup.as_secs_f64();
            let cost = format!(
                "every plan runs in fresh processes, each of which takes {seconds:.1} s or so until its first test: {why}"
            );
            self.remarks().about(Topic::Forks, cost);
            self.refusal = Some(why.to_owned());
            self.end_zygotes();
        }
        Ok(())
    }

    fn use_host_network(&mut self) -> Result<(), RunError> {
        self.end_zygotes();
        self.fresh.use_host_network()
    }

    fn took(&mut self, duration: Duration) {
        self.fresh.took(duration);
    }

    fn remarks(&self) -> &Remarks {
        self.fresh.remarks()
    }
}

impl PlainPytest for WarmEngine {
    fn python(&self) -> &Path {
        self.fresh.python()
    }

    fn plain_all(&mut self, jobs: &[PlainJob<'_>]) -> Result<Vec<Option<(String, PlainRun)>>, RunError> {
        self.fresh.plain_all(jobs)
    }
}

impl ProjectCopies for WarmEngine {
    fn for_project_copy(&self, rootdir: &Path, copy: &Path) -> Result<Option<Box<dyn Engine>>, RunError> {
        Ok(self.fresh.for_copy(rootdir, copy)?.map(|fresh| {
            let mut engine = Self::new(fresh, false);
            engine.refusal.clone_from(&self.refusal);
            Box::new(engine) as Box<dyn Engine>
        }))
    }
}

impl WarmEngine {
    /// Lets all zygotes end side by side, and waits for them.
    fn end_zygotes(&mut self) {
        self.checkpoints.clear();
        self.zygotes.values().for_each(Zygote::hang_up);
        for zygote in std::mem::take(&mut self.zygotes).values() {
            zygote.end(&self.fresh.host);
        }
    }
}

impl Drop for WarmEngine {
    fn drop(&mut self) {
        self.end_zygotes();
    }
}
