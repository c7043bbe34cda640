//! Suites whose tests are scripts of calls, for tests of the race phase: what a schedule makes of them is worked out
//! without processes and without a clock.
//!
//! A script is a list of calls, `write shelf/a, read shelf/a`, on files of the temporary folder:
//! - `write` puts the test's own name into the file, and `look` does no more than look at it;
//! - `read` fails unless the file holds the test's own name, and `load` does so by another error;
//! - `lock` takes the file or waits for it, `lock FILE for 300` for so many milliseconds, after which it fails; and
//!   `unlock` gives it back. Where two wait for each other, the first runs out of time;
//! - `within 300` fails if the test was made to stand still for longer.
//!
//! Scripts that begin alike make these calls at the same lines, as tests do that share a helper. What is before a
//! colon names another module, whose lines are others.

#![cfg(test)]

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::schedule::{Resource, Schedule};
use crate::plan::{Plan, WorkerId};
use crate::race::access::{Access, Call, Step, StepKind, Touched};
use crate::race::conflicts::conflicts;
use crate::race::delay::GRID;
use crate::race::operation::Operation;
use crate::session::fake_engine::failed;
use crate::session::race::recording::Recording;
use crate::session::race::reruns::schedule_of;
use crate::suite::{Fixture, Phase, TestIndex};
use crate::trial::{Execution, Outcome, Trial};

/// A call of a script.
#[derive(Clone, Debug)]
struct Act {
    /// What the script calls it.
    word: String,
    call: Call,
    /// The milliseconds of a limit.
    limit: Option<u32>,
}

/// A suite of scripts.
pub(crate) struct Scripted {
    tests: Vec<Vec<Act>>,
    /// Whether what goes wrong shows in a run with this number.
    shows: fn(u32) -> bool,
    runs: u32,
    /// The fixture that makes the calls, if the tests do not do so themselves.
    fixture: Option<Fixture>,
}

impl Scripted {
    /// Of each test its script.
    pub fn new(scripts: &[&str]) -> Self {
        let tests = scripts.iter().map(|script| acts(script)).collect();
        Self { tests, shows: |_| true, runs: 0, fixture: None }
    }

    /// The calls are made by a fixture that is set up once on each worker.
    pub fn in_a_fixture(self) -> Self {
        let (name, scope, file) = ("shop".into(), "session".into(), "conftest.py".into());
        Self { fixture: Some(Fixture { name, scope, file, phase: Phase::Setup }), ..self }
    }

    /// Failures show in some runs only.
    pub fn showing(self, shows: fn(u32) -> bool) -> Self {
        Self { shows, ..self }
    }

    /// What is recorded of the suite.
    pub fn recording(&self) -> Recording {
        let all: Vec<TestIndex> = (0..self.tests.len() as u32).map(TestIndex).collect();
        let touched: Vec<Touched> = all.into_iter().map(|test| self.touched(test)).collect();
        Recording { conflicts: conflicts(&touched), system_calls: false, touched }
    }

    fn touched(&self, test: TestIndex) -> Touched {
        let calls = self.tests[test.get()].iter().filter(|act| act.is_call()).map(|act| act.call.clone());
        let accesses = calls.map(|call| Access { call, fixture: None }).collect();
        Touched { test, accesses, fixtures: Vec::new() }
    }

    /// What a plan comes to.
    pub fn trial(&mut self, plan: &Plan) -> Trial {
        self.runs += 1;
        let sequential = Schedule::sequential(WorkerId(0));
        let schedule = schedule_of(plan).unwrap_or(&sequential);
        let workers = (0..).zip(&plan.workers).map(|(worker, list)| Worker::new(WorkerId(worker), list));
        let mut run = Run {
            tests: &self.tests,
            shows: (self.shows)(self.runs),
            schedule,
            workers: workers.collect(),
            files: BTreeMap::new(),
            locks: BTreeMap::new(),
            steps: Vec::new(),
        };
        run.finish();
        let held = vec![Duration::ZERO; plan.workers.len()];
        let mut executions = run.workers.iter().flat_map(|worker| worker.done.clone()).collect::<Vec<_>>();
        for run in executions.iter_mut().filter(|_| self.fixture.is_some()) {
            if let Outcome::Failed(failure) = &mut run.outcome {
                (failure.phase, failure.fixture) = (Phase::Setup, self.fixture.clone());
            }
        }
        let steps = if schedule_of(plan).is_some() { run.steps } else { Vec::new() };
        Trial { steps, held, ..Trial::of(executions) }
    }
}

impl Act {
    fn is_call(&self) -> bool {
        self.word != "within"
    }
}

fn acts(script: &str) -> Vec<Act> {
    let (module, script) = script.split_once(": ").unwrap_or(("shop", script));
    let act = |(line, act): (u32, &str)| {
        let mut words = act.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let (word_of_act, file, _, limit) = (word().to_owned(), word().to_owned(), word(), word());
        let within = word_of_act == "within";
        let resource = Resource(format!("file:$TMPDIR/{}", if within { "none" } else { &file }));
        let limit = if within { file.parse() } else { limit.parse() }.ok();
        let writes = ["write", "lock", "unlock"].contains(&word_of_act.as_str());
        let at = Some(format!("{module}.py:{line}"));
        let operation = match word_of_act.as_str() {
            "write" => Operation::Write,
            "lock" => Operation::Lock,
            "unlock" => Operation::Unlock,
            "look" => Operation::LookAt,
            _ => Operation::Read,
        };
        let call = Call { resource, operation, writes, idle: false, statement: None, at, by: None };
        Act { word: word_of_act, call, limit }
    };
    (1..).zip(script.split(", ").filter(|act| !act.is_empty())).map(act).collect()
}

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Well,
    /// By this error.
    Fails(&'static str),
    /// It does not come to its end.
    Hangs,
}

/// How far a worker is.
struct Worker {
    id: WorkerId,
    list: Vec<TestIndex>,
    /// The number of its test and of that one's next call.
    next: (usize, usize),
    /// How many calls it made for which it asked for its turn.
    point: u32,
    /// For how many milliseconds its test was made to stand still.
    stood: u32,
    done: Vec<Execution>,
}

impl Worker {
    fn new(id: WorkerId, list: &[TestIndex]) -> Self {
        Self { id, list: list.to_vec(), next: (0, 0), point: 0, stood: 0, done: Vec::new() }
    }

    fn test(&self) -> Option<TestIndex> {
        self.list.get(self.next.0).copied()
    }
}

/// A trial that is being worked out.
struct Run<'a> {
    tests: &'a [Vec<Act>],
    shows: bool,
    schedule: &'a Schedule,
    workers: Vec<Worker>,
    /// Whose name a file holds.
    files: BTreeMap<Resource, TestIndex>,
    /// Which worker has locked it.
    locks: BTreeMap<Resource, usize>,
    steps: Vec<Step>,
}

impl Run<'_> {
    fn finish(&mut self) {
        let mut turn = self.schedule.first.0 as usize;
        while let Some(worker) = self.goes_on(turn) {
            turn = if self.is_overtaken(worker) { 1 - worker } else { worker };
            self.act(turn);
        }
    }

    /// The worker that has the turn, or the first of the others if it has ended.
    fn goes_on(&self, turn: usize) -> Option<usize> {
        let others = 0..self.workers.len();
        [turn].into_iter().chain(others).find(|&worker| self.workers[worker].test().is_some())
    }

    fn step(&mut self, worker: usize, kind: StepKind) {
        self.steps.push(Step { worker: self.workers[worker].id, kind });
    }

    /// The next call of a worker, if it has to ask for its turn before that.
    fn asks(&self, worker: usize) -> Option<Call> {
        let Worker { next: (_, at), .. } = self.workers[worker];
        let act = self.tests[self.workers[worker].test()?.get()].get(at)?;
        self.schedule.at.contains(&act.call.resource).then(|| act.call.clone())
    }

    /// Whether the schedule has a switch at a worker's next call; with a pause it stands still there instead.
    fn is_overtaken(&mut self, worker: usize) -> bool {
        let (id, point) = (self.workers[worker].id, self.workers[worker].point);
        let is_switch = self.schedule.switches.iter().any(|it| it.worker == id && it.point == point);
        let Some(call) = self.asks(worker).filter(|_| is_switch) else { return false };
        if self.schedule.is_sequential() {
            self.workers[worker].stood += self.schedule.pause;
            return false;
        }
        let other = 1 - worker;
        let was_so = self.steps.contains(&Step { worker: id, kind: StepKind::Overtaken(call.clone()) });
        if was_so || self.workers[other].test().is_none() {
            return false;
        }
        self.step(worker, StepKind::Overtaken(call));
        true
    }

    /// A worker makes its next call, or ends its test.
    fn act(&mut self, worker: usize) {
        let Some(test) = self.workers[worker].test() else { return };
        let at = self.workers[worker].next.1;
        if at == 0 {
            self.step(worker, StepKind::Starts(test));
        }
        let Some(act) = self.tests[test.get()].get(at).cloned() else {
            return self.ends(worker, test, Fate::Well);
        };
        if self.asks(worker).is_some() {
            self.workers[worker].point += 1;
            self.step(worker, StepKind::Calls(act.call.clone()));
        }
        self.workers[worker].next.1 += 1;
        let fate = self.goes(worker, test, &act);
        if fate != Fate::Well && self.shows {
            self.ends(worker, test, fate);
        }
    }

    fn goes(&mut self, worker: usize, test: TestIndex, act: &Act) -> Fate {
        let file = act.call.resource.clone();
        let unless = |well: bool, otherwise: Fate| if well { Fate::Well } else { otherwise };
        match act.word.as_str() {
            "write" => drop(self.files.insert(file, test)),
            "read" => return unless(self.files.get(&file) == Some(&test), Fate::Fails("AssertionError")),
            "load" => return unless(self.files.get(&file) == Some(&test), Fate::Fails("KeyError")),
            "within" => {
                let in_time = act.limit.is_none_or(|limit| self.workers[worker].stood <= limit);
                return unless(in_time, Fate::Fails("AssertionError"));
            }
            "unlock" => drop(self.locks.remove(&file)),
            "lock" => {
                let is_taken = self.locks.get(&file).is_some_and(|&holder| holder != worker);
                let fate = if is_taken { self.waits(worker, act) } else { Fate::Well };
                if fate == Fate::Well {
                    self.locks.insert(file, worker);
                }
                return fate;
            }
            _ => {}
        }
        Fate::Well
    }

    /// A worker waits for what another has locked, until that one has given it back or the limit is over.
    fn waits(&mut self, worker: usize, act: &Act) -> Fate {
        let holder = 1 - worker;
        if self.wants_what_is_locked_by(holder, worker) {
            // It tries as well, and both wait for each other until the first of them is out of time.
            [worker, holder].into_iter().for_each(|waiting| self.step(waiting, StepKind::Waits));
            return Fate::Hangs;
        }
        self.step(worker, StepKind::Sleeps { at: act.call.at.clone() });
        let Schedule { delay, patience, .. } = *self.schedule;
        let stands_still = if delay > 0 { delay } else { patience };
        let is_over = act.limit.is_some_and(|limit| limit < stands_still);
        let time = act.limit.filter(|_| is_over).unwrap_or(stands_still);
        if delay > 0 {
            for &of_grid in GRID.iter().filter(|&&of_grid| of_grid <= time) {
                self.step(holder, StepKind::Takes(of_grid));
            }
        } else if is_over {
            self.step(worker, StepKind::UnfairWait);
        }
        if is_over {
            return Fate::Fails("AssertionError");
        }
        while self.locks.contains_key(&act.call.resource) && self.workers[holder].test().is_some() {
            if self.wants_what_is_locked_by(holder, worker) {
                return self.waits(worker, act);
            }
            self.act(holder);
        }
        Fate::Well
    }

    fn wants_what_is_locked_by(&self, worker: usize, holder: usize) -> bool {
        let Worker { next: (_, at), .. } = self.workers[worker];
        let act = self.workers[worker].test().and_then(|test| self.tests[test.get()].get(at));
        act.is_some_and(|act| act.word == "lock" && self.locks.get(&act.call.resource) == Some(&holder))
    }

    fn ends(&mut self, worker: usize, test: TestIndex, fate: Fate) {
        if fate != Fate::Hangs {
            self.step(worker, StepKind::TearsDown);
        }
        let Worker { id, next, .. } = &mut self.workers[worker];
        *next = (next.0 + 1, 0);
        let outcome = match fate {
            Fate::Well => Outcome::Passed,
            Fate::Fails(exception) => failed(exception),
            Fate::Hangs => Outcome::Timeout { limit: Duration::from_secs(4) },
        };
        let run = Execution { worker: *id, process: 0, test, outcome, duration: Duration::ZERO };
        self.workers[worker].done.push(run);
        if self.workers[worker].test().is_none() {
            self.step(worker, StepKind::Ends);
        }
        self.locks.retain(|_, holder| *holder != worker);
    }
}
