//! Trials on several workers: CPU-bound, sleeping and mixed suites with 1, 2, 4, 8 and auto workers.
//!
//! What is measured is jostle's own engine with the partition of `--dist load`, not pytest-xdist; see
//! `jostle speedup` for that. At the end the medians stand in a table.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};
use jostle::plan::schedulers::partition;
use jostle::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, durations};
use jostle::run::engine::Collect;
use jostle::run::engine::warm::WarmEngine;
use jostle::run::{Engine, Job};
use jostle::speedup::statistics::Estimate;
use jostle::suite::Suite;
use tempfile::TempDir;

/// Tests of each suite.
const TESTS: usize = 24;
/// The least that criterion takes.
const SAMPLES: usize = 10;

const CPU: &str = "    sum(i * i for i in range(400_000))\n";
const SLEEP: &str = "    time.sleep(0.03)\n";

/// Times of a suite with a number of workers.
struct Measured {
    suite: &'static str,
    workers: usize,
    seconds: Vec<f64>,
}

/// A suite in a temporary folder: four files, so that there is something to collect.
fn suite(bodies: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in 0..4 {
        let test = |number: usize| {
            let body = bodies[number % bodies.len()];
            format!("def test_{number}():\n{body}\n")
        };
        let tests: String = (file..TESTS).step_by(4).map(test).collect();
        let path = folder.path().join(format!("test_{file}.py"));
        fs::write(path, format!("import time\n\n{tests}")).expect("a file");
    }
    folder
}

/// The engine under measurement: the one line to change for another.
fn engine(folder: &Path) -> impl Engine {
    WarmEngine::new(support::engine(support::light_python(), folder, Duration::from_secs(60)), false)
}

/// Suite order, shared out as `--dist load` could have done.
fn plan(suite: &Suite, workers: usize) -> Plan {
    let mode = if workers == 1 { Mode::No } else { Mode::Load };
    let ticks = durations::ticks(suite, Seed(1), 0);
    Plan {
        seed: Seed(1),
        index: TrialIndex(0),
        order: OrderKind::Suite,
        mode,
        workers: partition(mode, workers, &suite.collected, &suite.tests, &ticks),
        interleaving: Interleaving::Free,
        hash_seed: 1,
        random_seed: 1,
        imports: Imports::All,
    }
}

/// 1, 2, 4, 8 and auto, without repeats.
fn worker_counts(cores: usize) -> Vec<usize> {
    let mut counts = vec![1, 2, 4, 8, cores];
    counts.sort_unstable();
    counts.dedup();
    counts
}

fn measure(criterion: &mut Criterion, name: &'static str, bodies: &[&str], cores: usize) -> Vec<Measured> {
    let folder = suite(bodies);
    let mut engine = engine(folder.path());
    let suite = engine.collect(Collect::kept(1)).expect("the suite is collected").suite;
    let mut group = criterion.benchmark_group(format!("trial of {TESTS} tests, {name}"));
    group.sample_size(SAMPLES).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(1)).measurement_time(Duration::from_millis(1));
    let mut measured = Vec::new();
    for workers in worker_counts(cores) {
        let plan = plan(&suite, workers);
        let mut seconds = Vec::new();
        group.bench_function(format!("{workers} workers"), |bench| {
            bench.iter_custom(|times| {
                let start = Instant::now();
                for _ in 0..times {
                    let trial = engine.run(&suite, Job::of(&plan)).expect("a trial");
                    assert!(trial.executions.iter().all(|run| !run.outcome.is_failure()), "{trial:?}");
                    seconds.push(trial.duration.as_secs_f64());
                }
                start.elapsed()
            });
        });
        measured.push(Measured { suite: name, workers, seconds });
    }
    group.finish();
    measured
}

/// Prints the medians as a markdown table. Nothing was measured if the benches were filtered out.
fn print(measured: &[Measured], cores: usize) {
    println!("\n{cores} cores; ideal: as many times as fast as there are workers\n");
    println!("| suite | workers | median s | spread s | speedup | efficiency |");
    println!("|---|---:|---:|---:|---:|---:|");
    for one in measured {
        let serial = measured.iter().find(|other| other.suite == one.suite && other.workers == 1);
        let serial = serial.and_then(|serial| Estimate::of(&serial.seconds));
        let (Some(serial), Some(now)) = (serial, Estimate::of(&one.seconds)) else {
            continue;
        };
        let (speedup, spread) = (serial.median / now.median, now.spread.unwrap_or_default());
        let auto = if one.workers == cores { " (auto)" } else { "" };
        println!(
            "| {} | {}{auto} | {:.3} | {spread:.3} | {speedup:.2} | {:.0} % |",
            one.suite,
            one.workers,
            now.median,
            100.0 * speedup / one.workers as f64
        );
    }
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut criterion = Criterion::default().configure_from_args();
    let suites: [(&str, &[&str]); 3] =
        [("CPU-bound", &[CPU]), ("sleeping", &[SLEEP]), ("mixed", &[CPU, SLEEP])];
    let measured: Vec<Measured> =
        suites.into_iter().flat_map(|(name, bodies)| measure(&mut criterion, name, bodies, cores)).collect();
    criterion.final_summary();
    print(&measured, cores);
}
