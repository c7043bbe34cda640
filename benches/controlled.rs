//! What it costs a trial to be controlled where no test touches what others do: the same tests, free and under a
//! schedule, in turns. Prints the medians and the overhead.

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use jostle::plan::schedule::{Resource, Schedule};
use jostle::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
use jostle::run::engine::Collect;
use jostle::run::engine::fresh::SpawnEngine;
use jostle::run::engine::warm::WarmEngine;
use jostle::run::{Engine, Job};
use jostle::suite::{Suite, TestIndex};

/// How often each is run.
const ROUNDS: usize = 15;

fn engine(folder: &Path) -> WarmEngine {
    let mut options = support::options(support::light_python(), folder, Duration::from_secs(60));
    options.sandboxing = support::sandboxing(&options.python.paths);
    WarmEngine::new(SpawnEngine::new(options).expect("an engine"), true)
}

fn plan(workers: Vec<Vec<TestIndex>>, interleaving: Interleaving) -> Plan {
    Plan {
        seed: Seed(1),
        index: TrialIndex(0),
        order: OrderKind::Suite,
        mode: Mode::Load,
        workers,
        interleaving,
        hash_seed: 1,
        random_seed: 7,
        imports: Imports::All,
    }
}

fn seconds(engine: &mut WarmEngine, suite: &Suite, plan: &Plan) -> f64 {
    let start = Instant::now();
    let trial = engine.run(suite, Job::of(plan)).expect("a trial");
    assert!(trial.executions.iter().all(|run| !run.outcome.is_failure()));
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let trivial = "    assert True\n";
    let calls = "    total = 0\n    for n in range(20000):\n        total += len(str(n)) + abs(n)\n    assert total\n";
    let files = "    for n in range(20):\n        path = tmp_path / str(n)\n        path.write_text('x')\n        \
                 assert path.read_text() == 'x'\n";
    for (name, tests, fixture, body) in [
        ("tests that do nothing", 566, "", trivial),
        ("tests that compute for some milliseconds", 200, "", calls),
        ("tests with files of their own", 200, "tmp_path", files),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let text: String =
            (0..tests).map(|test| format!("def test_{test:05}({fixture}):\n{body}\n\n")).collect();
        std::fs::write(folder.path().join("test_all.py"), text).expect("a file");
        let mut engine = engine(folder.path());
        let suite = engine.collect(Collect::kept(1)).expect("a suite").suite;
        let pair = suite.collected[..2].iter().map(|&test| vec![test]).collect();
        for (how, workers) in
            [("on one worker", vec![suite.collected.clone()]), ("two, on two workers", pair)]
        {
            let at = BTreeSet::from([Resource("file:$TMPDIR/shared".into())]);
            let schedule = Interleaving::Controlled(Schedule::undisturbed(WorkerId(0), at));
            let (free, held) = (plan(workers.clone(), Interleaving::Free), plan(workers, schedule));
            let times: Vec<(f64, f64)> = (0..ROUNDS)
                .map(|_| (seconds(&mut engine, &suite, &free), seconds(&mut engine, &suite, &held)))
                .collect();
            let (free, held): (Vec<f64>, Vec<f64>) = times.into_iter().unzip();
            let (free, held) = (median(free), median(held));
            let overhead = (held / free - 1.0) * 100.0;
            println!(
                "{tests} {name}, {how}: free {free:.3} s, controlled {held:.3} s, overhead {overhead:.0} %"
            );
        }
    }
}
