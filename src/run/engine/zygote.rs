//! A zygote: a pytest process that has collected the suite and forks a worker on request.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::limits::{ENDING, PROMPTLY, TICK};
use crate::run::RunError;
use crate::run::engine::collecting::{Seeds, hear_collection};
use crate::run::host::PytestHost;
use crate::run::process::interrupt::Interrupt;
use crate::run::process::pytest::{Ending, Ends, Heard, Process, Speaker, Started};
use crate::run::protocol::{Message, Purpose, Request, Setup};
use crate::run::sandbox::{Exit, Sandbox};
use crate::run::site::trial_env::{BaseEnv, SpawnTarget, TrialEnv};
use crate::run::worker::trial_run::{Launcher, Name};
use crate::trial::Collected;

/// What a zygote says of itself once it has collected the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// The names of its threads besides the main one: a fork would lose them.
    pub(crate) threads: Vec<String>,
    /// Files it has open for writing, and connections: forks would share them.
    pub(crate) shared: Vec<String>,
    /// `file:line` where the suite asked for its xdist identity while it was imported.
    pub(crate) identity_asked_at: Option<String>,
}

/// A running zygote. Several trials may fork from it at the same time.
#[derive(Debug)]
pub(crate) struct Zygote {
    // Dropped in this order: what the trials stand on is where the process lives.
    speaking: Mutex<Speaking>,
    forks: Arc<Forks>,
    /// What it said of itself.
    pub(crate) readiness: Readiness,
    ground: BaseEnv,
}

/// One request at a time, each with its answer.
#[derive(Debug)]
struct Speaking {
    process: Process,
    forked: Receiver<i32>,
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
                let (process, heard) = collecting(layers.path(), SpawnTarget::Base(layers.base()))?;
                (BaseEnv::Base(layers), process, heard)
            }
        };
        let (forks, pids) = (Arc::new(Forks::default()), channel());
        route(receiver, pids.0, Arc::clone(&forks));
        let speaking = Mutex::new(Speaking { process, forked: pids.1 });
        Ok((Self { speaking, forks, readiness, ground }, collected))
    }

    /// Whether it can still fork.
    pub(crate) fn is_alive(&self) -> bool {
        !self.forks.state().gone
    }

    /// A site for a trial.
    pub(crate) fn site(&self, host: &PytestHost) -> Result<TrialEnv, RunError> {
        self.ground.site(&host.workspace)
    }

    fn speaking(&self) -> MutexGuard<'_, Speaking> {
        self.speaking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forks a worker, which enters the sandbox if there is one, and then waits for its setup.
    fn fork(
        &self,
        sandbox: Option<&Sandbox>,
        name: Name,
        sender: &Sender<(Name, Heard)>,
    ) -> Result<Process, RunError> {
        let gone = || RunError::Pytest("the process that forks the workers has ended".into());
        let ends = Ends::new()?;
        let entered = sandbox.map(|sandbox| sandbox.namespaces().to_enter()).unwrap_or_default();
        let mut descriptors: Vec<BorrowedFd<'_>> =
            vec![ends.their_channel.as_fd(), ends.their_output.as_fd()];
        descriptors.extend(entered.iter().map(|(descriptor, _)| *descriptor));
        let namespaces: Vec<u32> = entered.iter().map(|(_, flag)| *flag).collect();
        let request = Request::Fork { descriptors: descriptors.len() as u32, namespaces };
        let mut speaking = self.speaking();
        speaking.process.say_with(&request, &descriptors).map_err(|_| gone())?;
        let pid = speaking.forked.recv_timeout(PROMPTLY).map_err(|_| {
            self.forks.declare_gone();
            gone()
        })?;
        let pid = Pid::from_raw(pid).ok_or_else(gone)?;
        let control = speaking.process.speaker()?;
        drop(speaking);
        let group = sandbox.is_none().then_some(pid);
        let ending = Box::new(Fork { pid, group, forks: Arc::clone(&self.forks), control });
        Process::started(Started { group, ending }, ends.ours, name, sender.clone())
    }

    /// Lets it end, as pytest does after its last test.
    pub(crate) fn hang_up(&self) {
        self.speaking().process.hang_up();
    }

    /// Ends it, after it was told or not.
    pub(crate) fn end(&self, host: &PytestHost) {
        let mut speaking = self.speaking();
        speaking.process.hang_up();
        host.ended(&mut speaking.process, ENDING);
    }
}

fn hear_readiness(receiver: &Receiver<((), Heard)>, interrupt: &Interrupt) -> Result<Readiness, RunError> {
    loop {
        if interrupt.is_set() {
            return Err(RunError::Interrupted);
        }
        match receiver.recv_timeout(TICK) {
            Ok((_, Heard::Message(Message::Ready { threads, shared, identity_asked_at }))) => {
                return Ok(Readiness { threads, shared, identity_asked_at });
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

/// Takes what a zygote says to whom it concerns.
fn route(receiver: Receiver<((), Heard)>, forked: Sender<i32>, forks: Arc<Forks>) {
    std::thread::spawn(move || {
        for ((), heard) in receiver {
            match heard {
                Heard::Message(Message::Forked { pid }) => drop(forked.send(pid)),
                Heard::Message(Message::Exited { pid, code, signal }) => {
                    forks.note(pid, code.map(Exit::Code).or(signal.map(Exit::Signal)));
                }
                Heard::Message(_) | Heard::Listener(..) | Heard::Noticed(_) => {}
                Heard::Garbage(_) | Heard::Closed => break,
            }
        }
        forks.declare_gone();
    });
}

/// How the forks of a zygote have ended.
#[derive(Debug, Default)]
struct Forks {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ended: HashMap<i32, Option<Exit>>,
    /// The zygote has ended, so that no more will be known.
    gone: bool,
}

impl Forks {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, pid: i32, how: Option<Exit>) {
        self.state().ended.insert(pid, how);
        self.changed.notify_all();
    }

    fn declare_gone(&self) {
        self.state().gone = true;
        self.changed.notify_all();
    }

    /// Waits for the end of a fork; tells how it was, and nothing if it is not known in time.
    fn wait(&self, pid: i32, patience: Duration) -> Option<Option<Exit>> {
        let deadline = Instant::now() + patience;
        let mut state = self.state();
        loop {
            if let Some(how) = state.ended.get(&pid) {
                return Some(*how);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.gone || left.is_zero() {
                return None;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A fork of a zygote, which alone can wait for it.
#[derive(Debug)]
struct Fork {
    /// Its number, as the zygote knows it.
    pid: Pid,
    /// Its group on the host, if that is where it is.
    group: Option<Pid>,
    forks: Arc<Forks>,
    control: Speaker,
}

impl Ending for Fork {
    fn ends_within(&mut self, patience: Duration) -> bool {
        self.forks.wait(self.pid.as_raw_pid(), patience).is_some()
    }

    fn signal(&mut self, signal: Signal) {
        let state = self.forks.state();
        if state.ended.contains_key(&self.pid.as_raw_pid()) {
            return;
        }
        if state.gone {
            // In a sandbox it ends with that.
            let _ = self.group.map(|group| kill_process_group(group, signal));
        } else {
            self.control.say(&Request::Kill { pid: self.pid.as_raw_pid(), signal: signal.as_raw() });
        }
    }

    fn reap(&mut self) -> Option<Exit> {
        let how = self.forks.wait(self.pid.as_raw_pid(), PROMPTLY);
        self.forks.state().ended.remove(&self.pid.as_raw_pid());
        how.flatten()
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

    fn launch(
        &self,
        site: &TrialEnv,
        _: u32,
        name: Name,
        sender: &Sender<(Name, Heard)>,
        setup: Setup<'_>,
    ) -> Result<Process, RunError> {
        let mut process = self.zygote.fork(site.sandbox(), name, sender)?;
        // Only a fork that the reaper knows of gets its setup, so that none can outlive jostle.
        self.host.watch(&process);
        process.say(&Request::Setup(setup));
        Ok(process)
    }
}
