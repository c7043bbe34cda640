//! Checkpoints: a worker that has run the first tests of its list and stopped, so that what is run after them costs a fork
//! and not another run of them.
//!
//! It lives in a sandbox on top of the zygote's, and each fork of it in one on top of that: it sees what the first
//! tests have written, and nobody sees what it writes. A fork is the whole process as it was, its number included
//! (harness `checkpoint`). Whatever a fork would not have or would share keeps the worker from stopping: it then
//! goes on, and its run is one like any other. So is every run for which there is no checkpoint.

mod key;

use std::collections::VecDeque;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::{CHECKPOINTS, PROMPTLY};
use crate::run::engine::checkpoint::key::Key;
use crate::run::engine::fork_server::ForkServer;
use crate::run::engine::zygote::{ForkLauncher, Zygote};
use crate::run::host::PytestHost;
use crate::run::process::pytest::{Heard, Process};
use crate::run::protocol::{Request, Setup};
use crate::run::site::trial_env::{SandboxPool, TrialEnv};
use crate::run::worker::stopping::{Begun, Ran, run_from, run_to};
use crate::run::worker::time_limits::TimeLimits;
use crate::run::worker::trial_run::{Launcher, Name};
use crate::run::{Job, RunError};
use crate::suite::Suite;
use crate::trial::Trial;

/// How often checkpoints were made and used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointCounts {
    /// Workers that stopped.
    pub made: u32,
    /// Trials that were forked off them.
    pub forks: u32,
    /// Why others did not stop, or could not be forked.
    pub unfit: Vec<String>,
}

/// A worker that has stopped.
#[derive(Debug)]
struct Checkpoint {
    // Dropped in this order: what its forks stand on is where it lives.
    server: ForkServer,
    layers: SandboxPool,
    begun: Begun,
}

/// What became of a checkpoint.
#[derive(Debug)]
enum Slot {
    /// Nobody has asked for it yet.
    Open,
    Made(Arc<Checkpoint>),
    /// There can be none.
    Unfit,
}

/// Those of an engine that are kept.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    /// Those used last come last.
    slots: Mutex<VecDeque<(Key, Arc<Mutex<Slot>>)>>,
    counts: Mutex<CheckpointCounts>,
}

/// Where a trial is run.
#[derive(Clone, Copy)]
pub(crate) struct Forking<'a> {
    /// Whose processes are run.
    pub(crate) host: &'a PytestHost,
    /// What forks all workers but those that go on.
    pub(crate) zygote: &'a Zygote,
    /// How long trials and their tests may take.
    pub(crate) limits: TimeLimits<'a>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Checkpoints {
    /// Runs a job from a checkpoint, which is made first where there is none; nothing if it cannot be run so.
    ///
    /// # Errors
    /// The run was interrupted, or what is run in place of it fails.
    pub(crate) fn run(
        &self,
        at: Forking<'_>,
        suite: &Suite,
        job: Job<'_>,
    ) -> Result<Option<Trial>, RunError> {
        // What a trial leaves is told of one layer of files, and what a server knows of its sessions is in none.
        let layers =
            at.zygote.layers().filter(|_| !at.host.options.tells_leftovers && !at.host.talks_to_servers());
        let (Some(layers), Some(key)) = (layers, Key::of(suite, job)) else { return Ok(None) };
        let stop = key.stop;
        let slot = self.slot(key);
        let checkpoint = {
            let mut slot = locked(&slot);
            match &*slot {
                Slot::Unfit => return Ok(None),
                Slot::Made(checkpoint) => Arc::clone(checkpoint),
                Slot::Open => match self.make(at, layers, suite, job, stop) {
                    Ok(Made::Checkpoint(checkpoint)) => {
                        *slot = Slot::Made(Arc::clone(&checkpoint));
                        checkpoint
                    }
                    Ok(Made::Whole(trial)) => {
                        *slot = Slot::Unfit;
                        return Ok(Some(*trial));
                    }
                    Err(error) => {
                        *slot = Slot::Unfit;
                        return self.without(error);
                    }
                },
            }
        };
        match checkpoint.run(at, suite, job) {
            Ok(trial) => {
                locked(&self.counts).forks += 1;
                Ok(Some(trial))
            }
            Err(error) => {
                *locked(&slot) = Slot::Unfit;
                self.without(error)
            }
        }
    }

    /// Forgets all, whose workers end.
    pub(crate) fn clear(&self) {
        locked(&self.slots).clear();
    }

    /// How often they were made and used.
    pub(crate) fn counts(&self) -> CheckpointCounts {
        locked(&self.counts).clone()
    }

    /// An error of a run from a checkpoint says nothing of the run without.
    fn without(&self, error: RunError) -> Result<Option<Trial>, RunError> {
        if matches!(error, RunError::Interrupted | RunError::LostThreads { .. }) {
            return Err(error);
        }
        locked(&self.counts).unfit.push(error.to_string());
        Ok(None)
    }

    fn slot(&self, key: Key) -> Arc<Mutex<Slot>> {
        let mut slots = locked(&self.slots);
        let known = slots.iter().position(|(known, _)| *known == key).and_then(|at| slots.remove(at));
        let used = known.unwrap_or_else(|| (key, Arc::new(Mutex::new(Slot::Open))));
        let slot = Arc::clone(&used.1);
        slots.push_back(used);
        if slots.len() > CHECKPOINTS {
            slots.pop_front();
        }
        slot
    }

    fn make(
        &self,
        at: Forking<'_>,
        layers: &SandboxPool,
        suite: &Suite,
        job: Job<'_>,
        stop: u32,
    ) -> Result<Made, RunError> {
        let layers = layers.on()?;
        let site = layers.ground();
        let launcher = ForkLauncher { host: at.host, zygote: at.zygote };
        match run_to(stop, &launcher, suite, job, &site, at.limits)? {
            Ran::Stopped(stopped) => {
                locked(&self.counts).made += 1;
                let server = ForkServer::new(stopped.process, stopped.heard);
                Ok(Made::Checkpoint(Arc::new(Checkpoint { server, layers, begun: stopped.begun })))
            }
            Ran::Whole(trial, unfit) => {
                let why = unfit.unwrap_or_else(|| "a process was lost before".into());
                locked(&self.counts).unfit.push(why);
                at.host.ended_trial(*trial, &site).map(Box::new).map(Made::Whole)
            }
        }
    }
}

/// What came of the wish for a checkpoint.
enum Made {
    Checkpoint(Arc<Checkpoint>),
    /// A run like any other.
    Whole(Box<Trial>),
}

impl Checkpoint {
    fn run(&self, at: Forking<'_>, suite: &Suite, job: Job<'_>) -> Result<Trial, RunError> {
        let site = self.layers.site()?;
        let trial = run_from(&self.begun, &GoingOn { at, from: self }, suite, job, &site, at.limits)?;
        at.host.ended_trial(trial, &site)
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        self.server.end(|process| drop(process.end(PROMPTLY)));
    }
}

/// Launches a worker that goes on where another has stopped; if its process is lost, it goes on as any other.
struct GoingOn<'a> {
    at: Forking<'a>,
    from: &'a Checkpoint,
}

impl Launcher for GoingOn<'_> {
    fn host(&self) -> &PytestHost {
        self.at.host
    }

    fn lacks_threads(&self) -> bool {
        self.at.zygote.lacks_threads()
    }

    fn launch(
        &self,
        site: &TrialEnv,
        hash_seed: u32,
        name: Name,
        sender: &Sender<(Name, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        let (_, lost_before) = name;
        if lost_before > 0 {
            let Forking { host, zygote, .. } = self.at;
            return ForkLauncher { host, zygote }.launch(site, hash_seed, name, sender, setup);
        }
        let mut process = self.from.server.fork(site.sandbox(), name, sender)?;
        process.say(&Request::Setup(Box::new(setup)));
        Ok(process)
    }
}
