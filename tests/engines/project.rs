//! A small suite, written for a test, with each engine in turn and in a sandbox or not.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jostle::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex};
use jostle::run::engine::Collect;
use jostle::run::engine::fresh::SpawnEngine;
use jostle::run::engine::warm::WarmEngine;
use jostle::run::host::HostOptions;
use jostle::run::{Engine, Job};
use jostle::suite::Phase;
use jostle::suite::{Suite, TestIndex};
use jostle::trial::{Outcome, Trial};
use tempfile::TempDir;

use crate::support;

/// Starts a thread that Python knows nothing of.
pub const NATIVE: &str = "import ctypes\n\
    def native():\n    libc = ctypes.CDLL(None)\n    \
    assert libc.pthread_create(ctypes.byref(ctypes.c_ulong()), None, libc.pause, None) == 0\n";

/// A suite, and an engine that runs it.
pub struct Project<E: Engine + ?Sized = dyn Engine> {
    pub folder: TempDir,
    pub engine: Box<E>,
    pub suite: Suite,
    pub way: Way,
}

/// The ways a plan can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub forks: bool,
    pub sandboxed: bool,
}

impl Way {
    const ALL: [Self; 4] = [
        Self { forks: false, sandboxed: false },
        Self { forks: false, sandboxed: true },
        Self { forks: true, sandboxed: false },
        Self { forks: true, sandboxed: true },
    ];

    /// Those that differ in all; at night each.
    fn chosen() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|way| way.forks == way.sandboxed || support::night())
    }
}

impl Project {
    /// The project in each way: by day in fresh processes on the machine as it is, and in forks in sandboxes.
    pub fn each_way(files: &[(&str, &str)]) -> Vec<Self> {
        Self::each_way_with(&support::light_python(), files)
    }

    pub fn each_way_with(python: &Path, files: &[(&str, &str)]) -> Vec<Self> {
        Way::chosen().filter_map(|way| Self::with(way, python, files, |_| {})).collect()
    }

    /// The project in forks and in fresh processes, by day in sandboxes alone.
    pub fn both_engines(files: &[(&str, &str)]) -> Vec<Self> {
        let ways = Way::ALL.into_iter().filter(|way| way.sandboxed || support::night());
        ways.filter_map(|way| Self::with(way, &support::light_python(), files, |_| {})).collect()
    }

    /// The project in each way, asked what its trials leave behind.
    pub fn each_way_asking(files: &[(&str, &str)]) -> Vec<Self> {
        let ask = |options: &mut HostOptions| options.tells_leftovers = true;
        Way::chosen().filter_map(|way| Self::with(way, &support::light_python(), files, ask)).collect()
    }

    /// The project with the warm engine, on the machine as it is.
    pub fn forking(files: &[(&str, &str)]) -> Self {
        let way = Way { forks: true, sandboxed: false };
        Self::with(way, &support::light_python(), files, |_| {}).expect("forks need no sandbox")
    }

    /// The project in the ways that have sandboxes, with options of its own.
    pub fn sandboxed(files: &[(&str, &str)], change: impl Fn(&mut HostOptions)) -> Vec<Self> {
        let ways = [false, true].map(|forks| Way { forks, sandboxed: true });
        ways.into_iter().filter_map(|way| Self::with(way, &support::light_python(), files, &change)).collect()
    }

    /// None if it was to be in a sandbox and there can be none.
    fn with(
        way: Way,
        python: &Path,
        files: &[(&str, &str)],
        change: impl Fn(&mut HostOptions),
    ) -> Option<Self> {
        let (folder, spawn) = spawning(way, python, files, change)?;
        let mut engine: Box<dyn Engine> =
            if way.forks { Box::new(WarmEngine::new(spawn, true)) } else { Box::new(spawn) };
        let suite = engine.collect(Collect::kept(1)).expect("the suite is collected").suite;
        Some(Self { folder, engine, suite, way })
    }
}

impl Project<WarmEngine> {
    /// The project in forks and in sandboxes, where workers may stop. None if there can be none.
    pub fn stopping(files: &[(&str, &str)]) -> Option<Self> {
        Self::stopping_with(&support::light_python(), files)
    }

    pub fn stopping_with(python: &Path, files: &[(&str, &str)]) -> Option<Self> {
        let way = Way { forks: true, sandboxed: true };
        let (folder, spawn) = spawning(way, python, files, |_| {})?;
        let mut engine = Box::new(WarmEngine::new(spawn, true));
        let suite = engine.collect(Collect::kept(1)).expect("the suite is collected").suite;
        Some(Self { folder, engine, suite, way })
    }
}

/// A suite in a folder, and what runs it in fresh processes. None if it was to be in a sandbox and there can be none.
fn spawning(
    way: Way,
    python: &Path,
    files: &[(&str, &str)],
    change: impl Fn(&mut HostOptions),
) -> Option<(TempDir, SpawnEngine)> {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let mut options = support::options(python.to_owned(), folder.path(), Duration::from_secs(2));
    if way.sandboxed {
        options.sandboxing = Some(support::sandboxing(&options.python.paths)?);
    }
    change(&mut options);
    let spawn = SpawnEngine::new(options).expect("an engine");
    Some((folder, spawn))
}

impl<E: Engine + ?Sized> Project<E> {
    fn index(&self, name: &str) -> TestIndex {
        let found = self.suite.tests.iter().position(|test| test.id.node_id.ends_with(name));
        TestIndex(found.unwrap_or_else(|| panic!("{name} in {:?}", self.suite.tests)) as u32)
    }

    pub fn plan(&self, mode: Mode, workers: &[&[&str]]) -> Plan {
        let list = |names: &&[&str]| names.iter().map(|name| self.index(name)).collect();
        Plan {
            seed: Seed(1),
            index: TrialIndex(0),
            order: OrderKind::Explicit,
            mode,
            workers: workers.iter().map(list).collect(),
            interleaving: Interleaving::Free,
            hash_seed: 1,
            random_seed: 7,
            imports: Imports::All,
        }
    }

    pub fn run(&mut self, plan: &Plan) -> Trial {
        self.engine.run(&self.suite, Job::of(plan)).expect("the plan is run")
    }

    pub fn serial(&mut self, names: &[&str]) -> Trial {
        let plan = self.plan(Mode::No, &[names]);
        self.run(&plan)
    }
}

/// What became of a trial's tests, a word each.
pub fn words(trial: &Trial) -> Vec<&'static str> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Passed => "passed",
        Outcome::Xfailed => "xfailed",
        Outcome::Skipped => "skipped",
        Outcome::Failed(failure) => match failure.phase {
            Phase::Collect => "collect",
            Phase::Setup => "setup",
            Phase::Call => "call",
            Phase::Teardown => "teardown",
        },
        Outcome::Timeout { .. } => "timeout",
        Outcome::Crashed { .. } => "crashed",
        Outcome::NotRun { .. } => "not run",
    };
    trial.executions.iter().map(|run| word(&run.outcome)).collect()
}
