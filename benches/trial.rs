//! What a trial costs with each engine, in time and in memory. One size alone: `cargo bench --bench trial -- "33000 tests"`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use jostle::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex};
use jostle::run::engine::Collect;
use jostle::run::engine::fresh::SpawnEngine;
use jostle::run::engine::warm::WarmEngine;
use jostle::run::{Engine, Job};
use jostle::suite::{Suite, TestIndex};

fn suite(folder: &Path, tests: usize, per_file: usize) {
    for (file, start) in (0..tests).step_by(per_file).enumerate() {
        let end = tests.min(start + per_file);
        let text: String =
            (start..end).map(|test| format!("def test_{test:05}():\n    assert True\n\n\n")).collect();
        std::fs::write(folder.join(format!("test_{file:04}.py")), text).expect("a file");
    }
}

/// The engine as it is by default: in sandboxes, where these can be had.
fn spawn(folder: &Path) -> SpawnEngine {
    let mut options = support::options(support::light_python(), folder, Duration::from_secs(60));
    options.sandboxing = support::sandboxing(&options.python.paths);
    options.jobs = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    SpawnEngine::new(options).expect("an engine")
}

fn plan(workers: Vec<Vec<TestIndex>>) -> Plan {
    Plan {
        seed: Seed(1),
        index: TrialIndex(0),
        order: OrderKind::Suite,
        mode: Mode::No,
        workers,
        interleaving: Interleaving::Free,
        hash_seed: 1,
        random_seed: 7,
        imports: Imports::All,
    }
}

fn run(engine: &mut dyn Engine, suite: &Suite, plan: &Plan) {
    let trial = engine.run(suite, Job::of(plan)).expect("a trial");
    assert!(trial.executions.iter().all(|run| !run.outcome.is_failure()));
}

/// What a trial is compared with.
fn plain(folder: &Path) {
    let arguments = ["-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"];
    support::said(std::process::Command::new(support::light_python()).args(arguments).current_dir(folder));
}

fn trials(criterion: &mut Criterion) {
    for (tests, per_file) in [(566, 37), (7_324, 37), (33_000, 37)] {
        let folder = tempfile::tempdir().expect("a folder");
        suite(folder.path(), tests, per_file);
        let mut warm = WarmEngine::new(spawn(folder.path()), true);
        let collected = warm.collect(Collect::kept(1)).expect("a suite").suite;
        let whole = plan(vec![collected.collected.clone()]);
        let two = plan(vec![vec![collected.collected[0], collected.collected[tests - 1]]]);
        let mut group = criterion.benchmark_group(format!("{tests} tests"));
        group.sample_size(10).measurement_time(Duration::from_secs(5));
        group.bench_function("warm, all", |bencher| bencher.iter(|| run(&mut warm, &collected, &whole)));
        let pair = [Job::of(&whole); 2];
        group.bench_function("warm, all, two trials at once", |bencher| {
            bencher.iter(|| {
                warm.run_all(&collected, &pair, &mut |_, _| ControlFlow::Continue(())).expect("two trials")
            });
        });
        group.bench_function("plain pytest", |bencher| bencher.iter(|| plain(folder.path())));
        group.bench_function("warm, two", |bencher| bencher.iter(|| run(&mut warm, &collected, &two)));
        let mut fresh = spawn(folder.path());
        group.bench_function("spawn, all", |bencher| bencher.iter(|| run(&mut fresh, &collected, &whole)));
        group.bench_function("spawn, two", |bencher| bencher.iter(|| run(&mut fresh, &collected, &two)));
        let process = std::process::id();
        let [own, largest] =
            [most_memory(process), descendants(process).into_iter().filter_map(most_memory).max()];
        println!(
            "{tests} tests: {} MB here, {} MB in the largest process of the suite",
            megabytes(own),
            megabytes(largest)
        );
    }
}

/// The most memory that a process has had, in kB; none where the system does not tell.
fn most_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn megabytes(kilobytes: Option<u64>) -> String {
    kilobytes.map_or_else(|| "unknown".into(), |kilobytes| (kilobytes / 1000).to_string())
}

/// All processes that one has started, and those that these have, as far as they run.
fn descendants(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>())
        .collect();
    children.into_iter().flat_map(|child| [vec![child], descendants(child)].concat()).collect()
}

criterion_group!(benches, trials);
criterion_main!(benches);
