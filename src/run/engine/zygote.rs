//! A zygote: a pytest process that has collected the suite and forks a worker on request.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

use crate::limits::{ENDING, TICK};
use crate::run::RunError;
use crate::run::engine::collecting::{Seeds, hear_collection};
use crate::run::engine::fork_server::ForkServer;
use crate::run::host::PytestHost;
use crate::run::process::interrupt::Interrupt;
use crate::run::process::pytest::{Heard, Process};
use crate::run::protocol::{Message, Purpose, Request, Setup};
use crate::run::site::trial_env::{BaseEnv, SandboxPool, SpawnTarget, TrialEnv};
use crate::run::worker::trial_run::{Launcher, Name};
use crate::trial::Collected;

/// What a zygote says of itself once it has collected the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// The names of threads that a fork would lose and needs, with where each was started.
    pub(crate) threads: Vec<String>,
    /// The names of libraries' threads that a fork would lose; whether it needs them, only tests show.
    pub(crate) native: Vec<String>,
    /// Files it has open for writing, and connections: forks would share them.
    pub(crate) shared: Vec<String>,
    /// `file:line` where the suite asked for its xdist identity while it was imported.
    pub(crate) identity_asked_at: Option<String>,
}

/// A running zygote. Several trials may fork from it at the same time.
#[derive(Debug)]
pub(crate) struct Zygote {
    // Dropped in this order: what the trials stand on is where the process lives.
    pub(crate) server: ForkServer,
    /// What it said of itself.
    pub(crate) readiness: Readiness,
    ground: BaseEnv,
}

impl Zygote {
    /// Starts a zygote and lets it collect the suite.
    ///
    /// # Errors
    /// As those of collecting.
    pub(crate) fn start(host: &PytestHost, hash_seed: u32) -> Result<(Self, Collected), RunError> {
        let ground = host.new_base()?;
        let seeds = Seeds { hash_seed, random_seed: 0 };
        let (sender, receiver) = channel();
        let collecting = |folder: &Path, place: SpawnTarget<'_>| {
            let mut process = host.start_collecting(folder, place, seeds, Purpose::Serve, &sender)?;
            let heard = host.hear(&mut process, |interrupt| {
                let collected = hear_collection(&receiver, interrupt, host.collecting())?;
                Ok((collected, hear_readiness(&receiver, interrupt)?))
            })?;
            Ok((process, heard))
        };
        let (ground, process, (collected, readiness)) = match ground {
            BaseEnv::Host { .. } => {
                let site = ground.site(&host.workspace)?;
                let (process, heard) = collecting(&site.path, SpawnTarget::Host)?;
                let left = host.workspace.keep(&site, &format!("collected-{hash_seed}"))?;
                (BaseEnv::Host { left: Some(left) }, process, heard)
            }
            BaseEnv::Base(layers) => {
                let (process, heard) =
                    layers.in_base(|| collecting(layers.path(), SpawnTarget::Base(layers.base())))?;
                (BaseEnv::Base(layers), process, heard)
            }
        };
        let server = ForkServer::new(process, receiver);
        let zygote = Self { server, readiness, ground };
        match host.narrowed(collected) {
            Ok(collected) => Ok((zygote, collected)),
            Err(error) => {
                zygote.hang_up();
                zygote.end(host);
                Err(error)
            }
        }
    }

    /// Whether its forks lack threads of libraries, which tests may need.
    pub(crate) fn lacks_threads(&self) -> bool {
        !self.readiness.native.is_empty()
    }

    /// Whether it can still fork.
    pub(crate) fn is_alive(&self) -> bool {
        self.server.is_alive()
    }

    /// A site for a trial.
    pub(crate) fn site(&self, host: &PytestHost) -> Result<TrialEnv, RunError> {
        host.reset()?;
        self.ground.site(&host.workspace)
    }

    /// Lets it end, as pytest does after its last test.
    pub(crate) fn hang_up(&self) {
        self.server.hang_up();
    }

    /// Ends it, after it was told or not.
    pub(crate) fn end(&self, host: &PytestHost) {
        self.server.end(|process| drop(host.ended(process, ENDING)));
    }

    /// What it stands on, if that is the base of sandboxes.
    pub(crate) fn layers(&self) -> Option<&SandboxPool> {
        match &self.ground {
            BaseEnv::Host { .. } => None,
            BaseEnv::Base(layers) => Some(layers),
        }
    }
}

fn hear_readiness(receiver: &Receiver<((), Heard)>, interrupt: &Interrupt) -> Result<Readiness, RunError> {
    loop {
        if interrupt.is_set() {
            return Err(RunError::Interrupted);
        }
        match receiver.recv_timeout(TICK) {
            Ok((_, Heard::Message(Message::Ready { threads, native, shared, identity_asked_at }))) => {
                return Ok(Readiness { threads, native, shared, identity_asked_at });
            }
            Ok((_, Heard::Message(Message::Error { message }) | Heard::Garbage(message))) => {
                return Err(RunError::Pytest(message));
            }
            Ok((_, Heard::Message(Message::Done { .. }) | Heard::Closed))
            | Err(RecvTimeoutError::Disconnected) => {
                return Err(RunError::Pytest("pytest ended after it had collected the suite".into()));
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// Launches the workers of a trial as forks of a zygote.
pub(crate) struct ForkLauncher<'a> {
    /// Whose options and reaper are used.
    pub(crate) host: &'a PytestHost,
    /// What forks.
    pub(crate) zygote: &'a Zygote,
}

impl Launcher for ForkLauncher<'_> {
    fn host(&self) -> &PytestHost {
        self.host
    }

    fn lacks_threads(&self) -> bool {
        self.zygote.lacks_threads()
    }

    fn launch(
        &self,
        site: &TrialEnv,
        _: u32,
        name: Name,
        sender: &Sender<(Name, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        let mut process = self.zygote.server.fork(site.sandbox(), name, sender)?;
        // Only a fork that the reaper knows of gets its setup, so that none can outlive jostle.
        self.host.watch(&process);
        process.say(&Request::Setup(Box::new(setup)));
        Ok(process)
    }
}
