//! An engine without processes, for tests: a suite is a function that says what becomes of a test.
//!
//! Its tests are called by letters, `a` the first, each in a file of its own: `test_a.py::a`.

#![cfg(test)]

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use crate::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
use crate::race::servers::Listening;
use crate::race::{Access, Call, Operation, Touched};
use crate::run::engine::{
    Capabilities, Collect, Isolation, PlainJob, PlainPytest, ProjectCopies, Surroundings,
};
use crate::run::process::plain::PlainRun;
use crate::run::remarks::Remarks;
use crate::run::{Engine, Job, RunError};
use crate::session::event::{Event, Reporter};
use crate::session::fake_state::State;
use crate::session::race::scripted::Scripted;
use crate::session::result::SessionResult;
use crate::suite::{Phase, Suite, Test, TestId, TestIndex};
use crate::trial::{Collected, Execution, Failure, Interpreter, Outcome, Trial};

/// A test about to run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    /// The tests that ran before it in its process, in their order.
    pub(crate) before: &'a [TestIndex],
    /// The test.
    pub(crate) test: TestIndex,
    /// The plan of its trial.
    pub(crate) plan: &'a Plan,
    /// Whether its process was started for this plan alone.
    pub(crate) fresh: bool,
    /// What surrounds it, if it is run by plain pytest.
    pub(crate) plain: Option<Surroundings>,
}

impl Situation<'_> {
    /// Whether it is about this test.
    pub(crate) fn is(&self, letter: char) -> bool {
        name(self.test) == letter
    }

    /// Whether this test ran before.
    pub(crate) fn after(&self, letter: char) -> bool {
        self.before.contains(&test(letter))
    }

    /// Which of these tests ran last, if any did.
    pub(crate) fn last_of(&self, letters: &str) -> Option<char> {
        self.before.iter().rev().map(|&test| name(test)).find(|&letter| letters.contains(letter))
    }

    /// Whether the file of this test is imported.
    pub(crate) fn imports(&self, letter: char) -> bool {
        match &self.plan.imports {
            Imports::All => true,
            Imports::Only(files) => files.contains(&file(letter)),
        }
    }
}

/// The test with a letter.
pub(crate) fn test(letter: char) -> TestIndex {
    TestIndex(letter as u32 - 'a' as u32)
}

/// The letter of a test; of a late one some sign that comes as late.
pub(crate) fn name(test: TestIndex) -> char {
    char::from_u32('a' as u32 + test.0).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn file(letter: char) -> String {
    format!("test_{letter}.py")
}

/// A suite of so many tests.
pub(crate) fn suite(tests: u32) -> Suite {
    let test = |number: u32| {
        let letter = name(TestIndex(number));
        let id = TestId { node_id: format!("{}::{letter}", file(letter)), occurrence: 0 };
        Test { id, file: file(letter), line: Some(1), group: None, rank: 0 }
    };
    Suite::new((0..tests).map(test).collect(), Vec::new(), 0)
}

/// A failure of each kind in ten tests: `h` fails after `b`, `c` alone passes only after `a`, `e` fails always, `g` under odd
/// random seeds, `i` beside `f` on another worker, `j` when it runs again.
pub(crate) fn of_each_kind(run: Situation<'_>) -> Outcome {
    let beside = |letter: char| {
        let others = run.plan.workers.iter().filter(|list| !list.contains(&run.test));
        others.flatten().any(|&other| name(other) == letter)
    };
    match name(run.test) {
        'c' => fails_if(!run.after('a')),
        'e' => failed("KeyError"),
        'g' => fails_if(run.plan.random_seed % 2 == 1),
        'h' => fails_if(run.after('b')),
        'i' => fails_if(beside('f')),
        'j' => fails_if(run.after('j')),
        _ => Outcome::Passed,
    }
}

/// A plan with these tests in this order: `abc`, or `ab|c` for two workers.
pub(crate) fn plan(lists: &str) -> Plan {
    let workers: Vec<Vec<TestIndex>> =
        lists.split('|').map(|list| list.chars().map(test).collect()).collect();
    Plan {
        seed: Seed(1),
        index: TrialIndex(0),
        order: OrderKind::Explicit,
        mode: if workers.len() == 1 { Mode::No } else { Mode::Load },
        workers,
        interleaving: Interleaving::Free,
        hash_seed: 1,
        random_seed: 7,
        imports: Imports::All,
    }
}

/// A failure in the body of a test.
pub(crate) fn failed(exception: &str) -> Outcome {
    Outcome::Failed(Failure {
        phase: Phase::Call,
        exception: exception.into(),
        file: "test.py".into(),
        function: "body".into(),
        line: 3,
        test_line: 3,
        message: "assert 1 == 2".into(),
        trace: "E  assert 1 == 2".into(),
        fixture: None,
        user: None,
    })
}

/// A failure if so, else a pass.
pub(crate) fn fails_if(fails: bool) -> Outcome {
    if fails { failed("AssertionError") } else { Outcome::Passed }
}

/// A worker that was lost.
pub(crate) fn lost() -> Outcome {
    Outcome::Crashed { how: "killed by signal 11 (SIGSEGV)".into() }
}

/// What becomes of the tests in a copy of the project, by what that holds.
pub(crate) type CopiedBy = fn(&Path) -> fn(Situation<'_>) -> Outcome;

/// The engine.
pub(crate) struct FakeEngine<'a> {
    suite: Suite,
    becomes: Box<dyn FnMut(Situation<'_>) -> Outcome + 'a>,
    /// Whether plans with all imports are run in forks.
    forks: bool,
    /// Whether a trial finds the project as it was.
    keeps_apart: bool,
    /// What becomes of the tests in a copy of the project, if there can be one.
    copies: Option<fn(Situation<'_>) -> Outcome>,
    /// What becomes of the tests by what a copy of the project holds.
    copied_by: Option<CopiedBy>,
    /// What its tests leave and fail by, if it is asked in place of `becomes`.
    state: Option<State>,
    /// The same of a copy of the project, if there can be one.
    copied_state: Option<State>,
    /// Whether the suite can be collected.
    collects: bool,
    /// What is collected in a copy, if that is not what is collected here.
    copy_collects: Option<Suite>,
    /// What the tests do, if they are scripts of calls.
    scripted: Option<Scripted>,
    /// What was run, but for plain pytest: each plan, and whether in fresh processes.
    pub(crate) ran: Vec<(Plan, bool)>,
    /// How many plans it runs before the user ends the session.
    runs: usize,
    /// Whether its forks lack threads.
    lacks_threads: bool,
    /// How long it is said to take until there is something to fork from, for any other hash seed than that of most plans.
    starting: Duration,
    /// How long each test is said to take.
    takes: Duration,
    /// A server of the machine, and the tests that talk to it.
    talks: Option<(Listening, BTreeSet<TestIndex>)>,
    /// Whether that is put back before each trial.
    puts_back: bool,
    remarks: Remarks,
}

impl<'a> FakeEngine<'a> {
    /// An engine with forks.
    pub(crate) fn new(suite: Suite, becomes: impl FnMut(Situation<'_>) -> Outcome + 'a) -> Self {
        let (becomes, ran, remarks) = (Box::new(becomes), Vec::new(), Remarks::default());
        Self {
            suite,
            becomes,
            forks: true,
            keeps_apart: true,
            copies: None,
            copied_by: None,
            state: None,
            copied_state: None,
            collects: true,
            copy_collects: None,
            scripted: None,
            ran,
            runs: usize::MAX,
            lacks_threads: false,
            starting: Duration::ZERO,
            takes: Duration::ZERO,
            talks: None,
            puts_back: false,
            remarks,
        }
    }

    /// An engine with forks for a suite whose tests share state, which can be looked at and put back.
    pub(crate) fn of_state(suite: Suite, state: State) -> Self {
        Self { state: Some(state), ..Self::new(suite, |_| Outcome::Passed) }
    }

    /// An engine whose tests are scripts of calls.
    pub(crate) fn scripted(suite: Suite, scripted: Scripted) -> Self {
        Self { scripted: Some(scripted), ..Self::new(suite, |_| Outcome::Passed) }
    }

    /// An engine that starts a process for each plan.
    pub(crate) fn without_forks(self) -> Self {
        Self { forks: false, ..self }
    }

    /// An engine whose trials find what others left in the project.
    pub(crate) fn in_one_place(self) -> Self {
        Self { keeps_apart: false, ..self }
    }

    /// An engine whose forks lack threads.
    pub(crate) fn without_threads(self) -> Self {
        Self { lacks_threads: true, ..self }
    }

    /// An engine for whose project copies can be made, in which this becomes of a test.
    pub(crate) fn copied_as(self, becomes: fn(Situation<'_>) -> Outcome) -> Self {
        Self { copies: Some(becomes), ..self }
    }

    /// An engine for whose project copies can be made, where what becomes of a test is told by what is in the copy.
    pub(crate) fn copied_by(self, becomes: CopiedBy) -> Self {
        Self { copied_by: Some(becomes), ..self }
    }

    /// An engine for whose project copies can be made, whose tests leave and fail by this.
    pub(crate) fn copied_with_state(self, state: State) -> Self {
        Self { copied_state: Some(state), ..self }
    }

    /// An engine whose tests are said to take so long, though they end at once.
    pub(crate) fn taking(self, takes: Duration) -> Self {
        Self { takes, ..self }
    }

    /// An engine of a machine with a server, to which these tests talk.
    pub(crate) fn talking_to(self, server: Listening, tests: &str) -> Self {
        Self { talks: Some((server, tests.chars().map(test).collect())), ..self }
    }

    /// The same, where the user says how the server is put back before each trial.
    pub(crate) fn put_back(self) -> Self {
        Self { puts_back: true, ..self }
    }

    /// An engine that is said to take so long until it can fork for another hash seed than 1.
    pub(crate) fn starting_in(self, starting: Duration) -> Self {
        Self { starting, ..self }
    }

    /// An engine in whose session the user presses Ctrl-C after so many runs.
    pub(crate) fn interrupted_after(self, runs: usize) -> Self {
        Self { runs, ..self }
    }

    /// An engine by which nothing can be collected.
    pub(crate) fn uncollectable(self) -> Self {
        Self { collects: false, ..self }
    }

    /// Copies of its project collect this.
    pub(crate) fn copies_collect(&mut self, suite: Suite) {
        self.copy_collects = Some(suite);
    }

    fn run_list(&mut self, worker: WorkerId, list: &[TestIndex], of: Situation<'_>) -> Vec<Execution> {
        let (mut before, mut process) = (Vec::new(), 0);
        let mut executions = Vec::new();
        for &test in list {
            let outcome = (self.becomes)(Situation { before: &before, test, ..of });
            let lost = matches!(outcome, Outcome::Crashed { .. } | Outcome::Timeout { .. });
            executions.push(Execution { worker, process, test, outcome, duration: self.takes });
            before.push(test);
            if lost {
                before.clear();
                process += 1;
            }
        }
        executions
    }

    /// What tests touch that talk to a server.
    fn touched(&self, plan: &Plan) -> Vec<Touched> {
        let Some((server, talking)) = &self.talks else { return Vec::new() };
        let tests = plan.workers.iter().flatten().filter(|test| talking.contains(test));
        let call = Call {
            resource: server.resource.clone(),
            operation: Operation::ConnectTo,
            writes: false,
            idle: false,
            statement: None,
            at: None,
            by: None,
        };
        let accesses = vec![Access { call, fixture: None }];
        let touched = |&test: &TestIndex| Touched { test, accesses: accesses.clone(), fixtures: Vec::new() };
        tests.map(touched).collect()
    }

    fn trial(&mut self, job: Job<'_>) -> Result<Trial, RunError> {
        self.trial_in(job, None)
    }

    fn trial_in(&mut self, job: Job<'_>, plain: Option<Surroundings>) -> Result<Trial, RunError> {
        if self.ran.len() >= self.runs {
            return Err(RunError::Interrupted);
        }
        let fresh = job.fresh || !self.capabilities(job.plan).forks;
        if plain.is_none() {
            self.ran.push((job.plan.clone(), fresh));
        }
        if let Some(state) = self.state {
            let (mut executions, mut changed) = (Vec::new(), None);
            for (worker, list) in (0..).map(WorkerId).zip(&job.plan.workers) {
                let (runs, told) = state.run(worker, list, !fresh, job.instructions);
                executions.extend(runs);
                changed = told.or(changed);
            }
            return Ok(Trial { processes: job.plan.workers.len() as u32, changed, ..Trial::of(executions) });
        }
        if let Some(scripted) = &mut self.scripted {
            return Ok(scripted.trial(job.plan));
        }
        let lists = (0..).zip(&job.plan.workers);
        let any = Situation { before: &[], test: TestIndex(0), plan: job.plan, fresh, plain };
        let executions: Vec<Execution> =
            lists.flat_map(|(worker, list)| self.run_list(WorkerId(worker), list, any)).collect();
        let longest = job.plan.workers.iter().map(Vec::len).max().unwrap_or_default() as u32;
        let (processes, duration) = (job.plan.workers.len() as u32, self.takes * longest);
        let touched = if job.recorded { self.touched(job.plan) } else { Vec::new() };
        Ok(Trial { processes, duration, touched, ..Trial::of(executions) })
    }
}

impl Engine for FakeEngine<'_> {
    fn collect_all(&mut self, requests: &[Collect]) -> Result<Vec<Collected>, RunError> {
        let interpreter = Interpreter {
            python: "3.12.1".into(),
            pytest: "8.4.2".into(),
            rootdir: "/nowhere".into(),
            plugins: Vec::new(),
        };
        if !self.collects {
            return Err(RunError::Pytest("nothing can be collected".into()));
        }
        let collected = Collected { suite: self.suite.clone(), interpreter, neutralised: Vec::new() };
        Ok(vec![collected; requests.len()])
    }

    fn run_all(
        &mut self,
        _: &Suite,
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(usize, Trial) -> ControlFlow<()>,
    ) -> Result<(), RunError> {
        for (at, &job) in jobs.iter().enumerate() {
            let trial = self.trial(job)?;
            if finished(at, trial).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn capabilities(&self, plan: &Plan) -> Capabilities {
        let forks = self.forks && plan.imports == Imports::All;
        let starting = if forks && plan.hash_seed != 1 { self.starting } else { Duration::ZERO };
        Capabilities { forks, lacks_threads: self.lacks_threads, starting, at_once: 2 }
    }

    fn isolation(&self) -> Isolation {
        Isolation { project: self.keeps_apart, network: false }
    }

    fn servers(&self) -> Vec<Listening> {
        self.talks.iter().filter(|_| !self.puts_back).map(|(server, _)| server.clone()).collect()
    }

    fn resets(&self) -> Vec<Listening> {
        self.talks.iter().filter(|_| self.puts_back).map(|(server, _)| server.clone()).collect()
    }

    fn refuse_forks(&mut self, why: &str) -> Result<(), RunError> {
        self.forks = false;
        self.remarks.add(why);
        Ok(())
    }

    fn use_host_network(&mut self) -> Result<(), RunError> {
        Ok(())
    }

    fn took(&mut self, _: Duration) {}

    fn remarks(&self) -> &Remarks {
        &self.remarks
    }
}

impl PlainPytest for FakeEngine<'_> {
    fn python(&self) -> &Path {
        Path::new("python")
    }

    fn plain_all(&mut self, jobs: &[PlainJob<'_>]) -> Result<Vec<Option<(String, PlainRun)>>, RunError> {
        jobs.iter().map(|job| self.plain_run(job.arguments, job.surroundings)).collect()
    }
}

impl FakeEngine<'_> {
    /// Runs the named tests as one process of the engine does, and prints pytest's summary.
    fn plain_run(
        &mut self,
        arguments: &[String],
        surroundings: Surroundings,
    ) -> Result<Option<(String, PlainRun)>, RunError> {
        let left_out = |file: &str| arguments.contains(&format!("--deselect={file}"));
        let named = |argument: &String| self.suite.find(&TestId { node_id: argument.clone(), occurrence: 0 });
        let named: Vec<TestIndex> = arguments.iter().filter_map(named).collect();
        let files = named.iter().map(|&test| self.suite.test(test).file.clone()).collect();
        let list: Vec<TestIndex> =
            named.into_iter().filter(|&test| !left_out(&self.suite.test(test).file)).collect();
        let like = plan("");
        let plan = Plan {
            workers: vec![list],
            imports: Imports::Only(files),
            hash_seed: match surroundings {
                Surroundings::Trial { hash_seed: Some(hash_seed) } => hash_seed,
                _ => like.hash_seed,
            },
            ..like
        };
        let trial = self.trial_in(Job::fresh(&plan), Some(surroundings))?;
        let told = |run: &Execution| {
            let id = &self.suite.test(run.test).id;
            match &run.outcome {
                Outcome::Passed => format!("PASSED {id}"),
                Outcome::Skipped => "SKIPPED [1] test.py:1: not here".into(),
                _ => format!("FAILED {id} - assert"),
            }
        };
        let lines: Vec<String> = trial.executions.iter().map(told).collect();
        let code = Some(i32::from(trial.executions.iter().any(|run| run.outcome.is_failure())));
        let run = PlainRun { code, timed_out: false, output: lines.join("\n") };
        let prefix = match surroundings {
            Surroundings::Trial { hash_seed: Some(seed) } => format!("PYTHONHASHSEED={seed} "),
            _ => String::new(),
        };
        Ok(Some((format!("{prefix}pytest {}", arguments.join(" ")), run)))
    }
}

impl ProjectCopies for FakeEngine<'_> {
    fn for_project_copy(&self, _: &Path, copy: &Path) -> Result<Option<Box<dyn Engine>>, RunError> {
        let suite = self.copy_collects.as_ref().unwrap_or(&self.suite);
        if let Some(state) = self.copied_state {
            return Ok(Some(Box::new(FakeEngine::of_state(suite.clone(), state))));
        }
        let engine = |becomes| -> Box<dyn Engine> { Box::new(FakeEngine::new(suite.clone(), becomes)) };
        Ok(self.copied_by.map(|by| by(copy)).or(self.copies).map(engine))
    }
}

/// Hears of all, and writes it down.
#[derive(Default)]
pub(crate) struct Heard(pub Vec<String>);

impl Reporter for Heard {
    fn notice(&mut self, _: &Suite, event: &Event<'_>) {
        // How long it took is not for the seed to say.
        let told = match event {
            Event::Ended(result) => {
                format!("{:?}", SessionResult { duration: Duration::ZERO, ..(*result).clone() })
            }
            event => format!("{event:?}"),
        };
        self.0.push(told);
    }
}
