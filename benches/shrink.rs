//! What it costs to find a polluter: the search alone, against a simulated suite, and the whole way from
//! a failure to a confirmed finding, with real pytest in forks and sandboxes.

#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jostle::finding::{Kind, Origin};
use jostle::plan::{Plan, Seed, WorkerId};
use jostle::run::engine::Collect;
use jostle::run::engine::fresh::SpawnEngine;
use jostle::run::engine::warm::WarmEngine;
use jostle::run::{Engine, Job};
use jostle::session::event::Reporters;
use jostle::session::investigate::investigate;
use jostle::session::lab::Lab;
use jostle::session::stress::baseline::suite_order;
use jostle::session::suspect::suspects;
use jostle::shrink::{Oracle, Problem, Stopped, Target, Verdict, shrink};
use jostle::suite::{Suite, Test, TestId, TestIndex};

/// Tests a file.
const PER_FILE: usize = 37;

/// All of these tests, before the victim.
struct Joint(Vec<TestIndex>);

impl Oracle for Joint {
    fn verdict(&mut self, candidate: &Plan) -> Result<Verdict, Stopped> {
        let all = self.0.iter().all(|culprit| candidate.workers[0].contains(culprit));
        Ok(if all { Verdict::Reproduces } else { Verdict::Passes })
    }
}

fn simulated(tests: usize) -> Suite {
    let test = |number: usize| {
        let file = format!("tests/test_{:04}.py", number / PER_FILE);
        let id = TestId { node_id: format!("{file}::test_{number:05}"), occurrence: 0 };
        Test { id, file, line: None, group: None, rank: 0 }
    };
    Suite::new((0..tests).map(test).collect(), Vec::new(), 0)
}

fn search(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
    for tests in [1_000, 10_000] {
        let suite = simulated(tests);
        let plan = suite_order(&suite, Seed(1), 1);
        let target = Target { victim: TestIndex(tests as u32 - 1), worker: WorkerId(0) };
        for culprits in 1..=3 {
            let joint = (1..=culprits).map(|number| TestIndex((tests * number / 4) as u32)).collect();
            let mut oracle = Joint(joint);
            group.bench_function(BenchmarkId::new(format!("{culprits} culprits"), tests), |bencher| {
                bencher.iter(|| {
                    let problem = Problem::new(plan.clone(), target, &suite, Vec::new(), 1.0);
                    let shrunk = shrink(&problem, &mut oracle);
                    assert_eq!(shrunk.plan.len(), culprits + 1);
                });
            });
        }
    }
}

/// A suite whose last test fails after the one at a third of it.
fn polluted(folder: &Path, tests: usize) {
    std::fs::write(folder.join("state.py"), "VALUES = []\n").expect("a file");
    for (file, start) in (0..tests).step_by(PER_FILE).enumerate() {
        let mut text = String::from("import state\n");
        for test in start..tests.min(start + PER_FILE) {
            let body = match test {
                test if test == tests / 3 => "state.VALUES.append(1)",
                test if test == tests - 1 => "assert not state.VALUES",
                _ => "assert True",
            };
            write!(text, "\n\ndef test_{test:05}():\n    {body}\n").expect("a line");
        }
        std::fs::write(folder.join(format!("test_{file:04}.py")), text).expect("a file");
    }
}

fn finding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from failure to finding");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for tests in [566, 7_324] {
        let folder = tempfile::tempdir().expect("a folder");
        polluted(folder.path(), tests);
        let mut options = support::options(support::light_python(), folder.path(), Duration::from_secs(60));
        options.sandboxing = support::sandboxing(&options.python.paths);
        options.jobs = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let mut engine = WarmEngine::new(SpawnEngine::new(options).expect("an engine"), true);
        let suite = engine.collect(Collect::kept(1)).expect("a suite").suite;
        let plan = suite_order(&suite, Seed(1), 1);
        let trial = engine.run(&suite, Job::of(&plan)).expect("a trial");
        let suspect = suspects(Origin::Baseline, &plan, &trial).remove(0);
        group.bench_function(BenchmarkId::from_parameter(tests), |bencher| {
            bencher.iter(|| {
                let mut nobody = Reporters::default();
                let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
                let finding = investigate(&mut lab, &suspect).expect("a finding");
                assert!(finding.kind == Kind::Victim && finding.causes().0.len() == 1);
            });
        });
    }
}

criterion_group!(benches, search, finding);
criterion_main!(benches);
