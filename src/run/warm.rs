//! The warm engine: the suite is collected once for each hash seed, and each worker is a fork.
//!
//! What a fork cannot show is run in a fresh process: plans that import only a part of the suite, and
//! plans with several workers if the suite asks which worker it is while it is imported. Where forks
//! are not safe at all, every plan is.

use std::collections::BTreeMap;

use crate::plan::{Imports, Mode, Plan};
use crate::run::plain::PlainRun;
use crate::run::spawn::SpawnEngine;
use crate::run::trial_run::run_trial;
use crate::run::zygote::{ForkLauncher, Readiness, Zygote};
use crate::run::{Collected, Engine, Event, RunError, Trial};
use crate::suite::Suite;

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
        let Readiness { threads, identity_asked_at } = &zygote.readiness;
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
        self.zygotes.insert(hash_seed, zygote);
        if let Some(why) = unsafe_threads {
            self.refuse_forks(&why)?;
        }
        Ok(collected)
    }

    /// Runs a plan in forks; none if its zygote died meanwhile.
    fn run_in_forks(
        &mut self,
        suite: &Suite,
        plan: &Plan,
        events: &mut dyn FnMut(Event),
    ) -> Result<Option<Trial>, RunError> {
        if !self.zygotes.contains_key(&plan.hash_seed) {
            self.start_zygote(plan.hash_seed)?;
        }
        let Some(zygote) = self.zygotes.get(&plan.hash_seed) else {
            return Ok(None);
        };
        let site = zygote.site(&self.spawn)?;
        let launcher = ForkLauncher { spawn: &self.spawn, zygote };
        let trial = run_trial(&launcher, suite, plan, &site, self.spawn.limit(), events);
        if zygote.is_alive() {
            let trial = trial?;
            self.spawn.took(trial.duration);
            return Ok(Some(trial));
        }
        drop(site);
        if let Some(zygote) = self.zygotes.remove(&plan.hash_seed) {
            zygote.end(&self.spawn);
        }
        if matches!(trial, Err(RunError::Interrupted)) { Err(RunError::Interrupted) } else { Ok(None) }
    }
}

impl Engine for WarmEngine {
    fn collect(&mut self, hash_seed: u32) -> Result<Collected, RunError> {
        if self.refusal.is_some() { self.spawn.collect(hash_seed) } else { self.start_zygote(hash_seed) }
    }

    fn run(&mut self, suite: &Suite, plan: &Plan, events: &mut dyn FnMut(Event)) -> Result<Trial, RunError> {
        for _ in 0..ATTEMPTS {
            if !self.forks(plan) {
                break;
            }
            if let Some(trial) = self.run_in_forks(suite, plan, events)? {
                return Ok(trial);
            }
        }
        self.spawn.run(suite, plan, events)
    }

    fn run_fresh(
        &mut self,
        suite: &Suite,
        plan: &Plan,
        events: &mut dyn FnMut(Event),
    ) -> Result<Trial, RunError> {
        self.spawn.run(suite, plan, events)
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
