//! Hears of a worker's system calls, and lets each go on: at once, or in its turn.
//!
//! A thread of its own that waits for nothing but calls and the ends of sleeps, so that a call is never
//! stuck. It ends with the last process that has the filter, be that long after the trial: such a process
//! could open no file any more if nobody answered.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use libc::seccomp_notif;

use super::calls::{Reader, Touch};
use super::connections::Connections;
use super::filter::does;
use super::listener::{Listener, Waited};
use super::names::Names;
use super::target::Target;
use super::{Kept, Noticed, ProcessTree};
use crate::limits::ASKED_CALLS;
use crate::plan::schedule::Resource;
use crate::race::{Access, Call, Operation};
use crate::run::protocol::{Server, Whereabouts};

/// What C code is told as: the worker's own, or that of its other threads.
const C_CODE: &str = "C code";
/// What it is told as that sends a statement to a server.
const DRIVER: &str = "the driver";

/// What the thread and the trial share.
#[derive(Debug, Default)]
struct Shared {
    /// What the harness has its turn for.
    granted: Option<Resource>,
    /// Calls that wait for an answer of the trial's, and whether they are made by it.
    pending: BTreeMap<u64, bool>,
    /// Whether nobody asks any more: the trial is over.
    free: bool,
    /// What each test did; with each whether it was a subprocess.
    noted: BTreeMap<u32, Vec<(Access, bool)>>,
}

/// The supervisor of a worker's process and of all that it starts.
#[derive(Debug)]
pub(in crate::run) struct Supervisor {
    listener: Arc<Listener>,
    shared: Arc<Mutex<Shared>>,
    family: ProcessTree,
    kept: Kept,
}

impl Supervisor {
    /// Supervises, with turns at some resources if there are any, and else only to note what is done.
    /// What waits for an answer is told. `servers` are those whose statements are read.
    pub(in crate::run) fn start(
        listener: OwnedFd,
        names: Names,
        servers: Vec<Server>,
        at: Option<BTreeSet<Resource>>,
        notify: impl Fn(Noticed) + Send + 'static,
    ) -> Option<Self> {
        let listener = Arc::new(Listener::new(listener));
        let (shared, family, kept) = (Arc::default(), ProcessTree::default(), Kept::default());
        let watcher = Watcher {
            listener: Arc::clone(&listener),
            shared: Arc::clone(&shared),
            family: Arc::clone(&family),
            kept: kept.clone(),
            heard: Instant::now(),
            late: Duration::ZERO,
            names,
            connections: Connections::new(servers),
            at,
            notify: Box::new(notify),
            main: None,
            place: Whereabouts::default(),
            processes: BTreeMap::new(),
            asked: BTreeMap::new(),
            sleeping: Vec::new(),
        };
        std::thread::Builder::new().spawn(move || watcher.watch()).ok()?;
        Some(Self { listener, shared, family, kept })
    }

    /// Lets a call go on that was told of.
    pub(in crate::run) fn answer(&self, id: u64) {
        let made_up = locked(&self.shared).pending.remove(&id);
        match made_up {
            Some(true) => self.listener.is_done(id),
            Some(false) => self.listener.go_on(id),
            None => {}
        }
    }

    /// The harness is about to make a call on a resource, and has the turn for it: what the system is
    /// asked for on its account is no call of its own.
    pub(in crate::run) fn grants(&self, resource: &Resource) {
        locked(&self.shared).granted = Some(resource.clone());
    }

    /// What a test did, each with whether it was a subprocess of the worker's.
    pub(in crate::run) fn noted(&self, position: u32) -> Vec<(Access, bool)> {
        locked(&self.shared).noted.remove(&position).unwrap_or_default()
    }

    /// The worker's processes.
    pub(in crate::run) fn family(&self) -> ProcessTree {
        Arc::clone(&self.family)
    }

    /// What the worker was kept waiting for.
    pub(in crate::run) fn kept(&self) -> Kept {
        self.kept.clone()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let mut shared = locked(&self.shared);
        shared.free = true;
        let pending: Vec<u64> = shared.pending.keys().copied().collect();
        drop(shared);
        // A sleep of which only a part is over is slept again.
        pending.into_iter().for_each(|id| self.listener.go_on(id));
    }
}

/// How long this thread has waited for a core so far; nothing where the system does not say.
fn delayed() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = text.as_deref().and_then(|text| text.split_whitespace().nth(1)?.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

fn locked(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Main,
    OtherThread,
    Subprocess,
}

/// The thread.
struct Watcher {
    listener: Arc<Listener>,
    shared: Arc<Mutex<Shared>>,
    family: ProcessTree,
    kept: Kept,
    /// When this thread got to the call that it looks at, and how long after the call was made that was.
    heard: Instant,
    late: Duration,
    names: Names,
    /// Those to servers of the trial's own.
    connections: Connections,
    at: Option<BTreeSet<Resource>>,
    notify: Box<dyn Fn(Noticed) + Send>,
    /// The worker's main thread, which is the one that says where it is.
    main: Option<i32>,
    place: Whereabouts,
    /// The process of each thread.
    processes: BTreeMap<i32, i32>,
    /// How often was asked for a call of a subprocess, or of the worker, in this test.
    asked: BTreeMap<(bool, Resource, Operation), u32>,
    /// When sleeps are over.
    sleeping: Vec<(Instant, u64)>,
}

impl Watcher {
    fn watch(mut self) {
        loop {
            let next = self.sleeping.iter().map(|(end, _)| *end).min();
            let before = delayed();
            match self.listener.wait(next.map(|end| end.saturating_duration_since(Instant::now()))) {
                Waited::Call(call) => {
                    (self.heard, self.late) = (Instant::now(), delayed().saturating_sub(before));
                    self.hear(&call);
                }
                Waited::Nothing => {}
                Waited::Over => return,
            }
            self.wake();
        }
    }

    fn hear(&mut self, call: &seccomp_notif) {
        let target = Target { thread: call.pid.cast_signed() };
        let reader = Reader { target: &target, names: &self.names };
        let Some(does) = does(call.data.nr) else {
            return self.go_on(call);
        };
        if let Some(said) = reader.mark(does, &call.data) {
            self.is_at(target.thread, &said);
            self.keeps(target.thread);
            return self.listener.is_done(call.id);
        }
        let sends_by = Reader::sends_by(does, &call.data);
        // What is sent before a test tells what comes later is about.
        let said = sends_by.and_then(|socket| {
            self.connections.hear(&target, socket, &self.names, || reader.sent(does, &call.data))
        });
        if said.is_some() && self.at.is_some() {
            (self.notify)(Noticed::AsksServer);
        }
        if self.place.position.is_none() || sends_by.is_some() && said.as_ref().is_none_or(Vec::is_empty) {
            return self.go_on(call);
        }
        let caller = self.caller(&target);
        let reader = Reader { target: &target, names: &self.names };
        match &self.at {
            None => {
                let touches = said.unwrap_or_else(|| reader.touches(does, &call.data));
                self.note(&target, caller, touches);
                self.go_on(call);
            }
            Some(at) if caller == Caller::OtherThread || at.is_empty() => self.go_on(call),
            Some(at) => {
                if let Some(time) = reader.sleep(does, &call.data) {
                    return self.sleeps(call, caller, time);
                }
                let touches = said.unwrap_or_else(|| reader.touches(does, &call.data));
                let shared: Vec<Touch> =
                    touches.into_iter().filter(|touch| at.contains(&touch.resource)).collect();
                self.ask(call, &target, caller, &shared);
            }
        }
    }

    /// Lets a call go on at once.
    fn go_on(&self, call: &seccomp_notif) {
        self.keeps(call.pid.cast_signed());
        self.listener.go_on(call.id);
    }

    /// A call is answered: whoever waited for that did not rest.
    fn keeps(&self, thread: i32) {
        if self.main == Some(thread) {
            self.kept.add(self.heard.elapsed() + self.late);
        }
    }

    fn is_at(&mut self, thread: i32, said: &str) {
        if *self.main.get_or_insert(thread) != thread {
            return;
        }
        if let Ok(place) = serde_json::from_str::<Whereabouts>(said) {
            if place.position != self.place.position {
                self.asked.clear();
                locked(&self.shared).granted = None;
            }
            if place.teardown {
                (self.notify)(Noticed::TearsDown);
            }
            self.place = place;
        }
    }

    fn caller(&mut self, target: &Target) -> Caller {
        if self.main == Some(target.thread) {
            return Caller::Main;
        }
        let known = self.processes.get(&target.thread).copied();
        let process = known.or_else(|| target.process());
        if let (None, Some(process)) = (known, process) {
            self.processes.insert(target.thread, process);
        }
        if process == self.main {
            return Caller::OtherThread;
        }
        self.family.lock().unwrap_or_else(PoisonError::into_inner).extend(process);
        Caller::Subprocess
    }

    fn call(&self, target: &Target, caller: Caller, touch: &Touch, writes: bool) -> Call {
        let is_statement = touch.resource.is_of_server();
        let line = || match caller {
            Caller::Subprocess => self.place.started.clone(),
            Caller::Main if is_statement && self.names.line != 0 => {
                target.text(self.names.line)?.into_string().ok().filter(|line| !line.is_empty())
            }
            Caller::Main | Caller::OtherThread => None,
        };
        let program = || format!("the subprocess {}", target.program().unwrap_or_else(|| "?".into()));
        Call {
            resource: touch.resource.clone(),
            operation: touch.operation,
            writes,
            idle: false,
            statement: touch.statement.clone(),
            at: line(),
            by: Some(match caller {
                Caller::Subprocess => program(),
                _ if is_statement => DRIVER.to_owned(),
                _ => C_CODE.to_owned(),
            }),
        }
    }

    fn note(&self, target: &Target, caller: Caller, touches: Vec<Touch>) {
        let Some(position) = self.place.position else { return };
        for touch in touches {
            let call = self.call(target, caller, &touch, touch.writes);
            let noted = (Access { call, fixture: self.place.fixture.clone() }, caller == Caller::Subprocess);
            let mut shared = locked(&self.shared);
            let all = shared.noted.entry(position).or_default();
            if !all.contains(&noted) {
                all.push(noted);
            }
        }
    }

    fn ask(&mut self, made: &seccomp_notif, target: &Target, caller: Caller, shared: &[Touch]) {
        let Some(first) = shared.first() else {
            return self.go_on(made);
        };
        let is_granted = |granted: &Resource| shared.iter().any(|touch| touch.resource == *granted);
        if caller == Caller::Main && locked(&self.shared).granted.as_ref().is_some_and(is_granted) {
            return self.go_on(made);
        }
        let key = (caller == Caller::Subprocess, first.resource.clone(), first.operation);
        let times = self.asked.entry(key).or_default();
        *times += 1;
        // Which of many connections is one too many shows by their number.
        if *times > ASKED_CALLS && !first.resource.is_connections() {
            return self.go_on(made);
        }
        let writes = shared.iter().any(|touch| touch.writes);
        let call = self.call(target, caller, first, writes);
        let id = made.id;
        self.pend(id, false, |_| Noticed::Asks { id, call });
    }

    fn sleeps(&mut self, made: &seccomp_notif, caller: Caller, time: Duration) {
        let id = made.id;
        if caller == Caller::Main && self.place.asleep {
            return self.go_on(made);
        }
        self.pend(id, true, |watcher| {
            watcher.sleeping.push((Instant::now() + time, id));
            Noticed::Sleeps(time.as_secs_f64())
        });
    }

    /// Lets a call wait for an answer, unless nobody is there to give it.
    fn pend(&mut self, id: u64, made_up: bool, notice: impl FnOnce(&mut Self) -> Noticed) {
        let mut shared = locked(&self.shared);
        if shared.free {
            drop(shared);
            return self.listener.go_on(id);
        }
        shared.pending.insert(id, made_up);
        drop(shared);
        let noticed = notice(self);
        (self.notify)(noticed);
    }

    fn wake(&mut self) {
        let now = Instant::now();
        let (over, left) = self.sleeping.drain(..).partition(|(end, _)| *end <= now);
        self.sleeping = left;
        let mut over: Vec<(Instant, u64)> = over;
        over.sort_unstable();
        for (_, id) in over {
            (self.notify)(Noticed::Awake { id });
        }
    }
}
