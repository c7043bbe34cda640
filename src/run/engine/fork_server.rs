//! A process that forks others on request: a zygote, or a worker that has stopped.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::limits::PROMPTLY;
use crate::run::RunError;
use crate::run::process::pytest::{Ending, Ends, Heard, Process, Speaker, Started};
use crate::run::protocol::{Message, Request};
use crate::run::sandbox::{Exit, Sandbox};
use crate::run::worker::trial_run::Name;

/// A process that forks on request. Several trials may have their workers forked by it at the same time.
#[derive(Debug)]
pub(crate) struct ForkServer {
    speaking: Mutex<Speaking>,
    forks: Arc<Forks>,
}

/// One request at a time, each with its answer.
#[derive(Debug)]
struct Speaking {
    process: Process,
    forked: Receiver<i32>,
}

impl ForkServer {
    /// A process that is ready to fork, and all that is heard of it from now on.
    pub(crate) fn new<N: Send + 'static>(process: Process, heard: Receiver<(N, Heard)>) -> Self {
        let (forks, pids) = (Arc::new(Forks::default()), channel());
        route(heard, pids.0, Arc::clone(&forks));
        Self { speaking: Mutex::new(Speaking { process, forked: pids.1 }), forks }
    }

    /// Whether it can still fork.
    pub(crate) fn is_alive(&self) -> bool {
        !self.forks.state().gone
    }

    fn speaking(&self) -> MutexGuard<'_, Speaking> {
        self.speaking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forks a worker, which enters the sandbox if there is one, and then waits for its setup.
    ///
    /// # Errors
    /// The process has ended, or the system has no descriptor left.
    pub(crate) fn fork(
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

    /// Says that nothing more will be asked of it, so that it ends.
    pub(crate) fn hang_up(&self) {
        self.speaking().process.hang_up();
    }

    /// Ends it, after it was told or not; `end` ends a process, and its kind of end is not asked for.
    pub(crate) fn end(&self, end: impl FnOnce(&mut Process)) {
        let mut speaking = self.speaking();
        speaking.process.hang_up();
        end(&mut speaking.process);
    }
}

/// Takes what such a process says to whom it concerns.
fn route<N: Send + 'static>(receiver: Receiver<(N, Heard)>, forked: Sender<i32>, forks: Arc<Forks>) {
    std::thread::spawn(move || {
        for (_, heard) in receiver {
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

/// How the forks of a process have ended.
#[derive(Debug, Default)]
struct Forks {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    ended: HashMap<i32, Option<Exit>>,
    /// The process has ended, so that no more will be known.
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

/// A fork, which the process that forked it alone can wait for.
#[derive(Debug)]
struct Fork {
    /// Its number, as that process knows it.
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
