//! Planning: 100,000 tests on 16 workers, in each mode.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jostle::plan::{Axes, Mode, Seed, TrialIndex, plan};
use jostle::suite::{Suite, Test, TestId};

fn suite(tests: usize) -> Suite {
    let test = |number: usize| {
        let file = format!("tests/unit/test_module_{:04}.py", number / 50);
        let id = TestId {
            node_id: format!("{file}::TestClass{}::test_case[{number}]", number % 5),
            occurrence: 0,
        };
        let group = number.is_multiple_of(10).then(|| format!("group{}", number % 7));
        Test { id, file, line: None, group, rank: 0 }
    };
    Suite::new((0..tests).map(test).collect(), Vec::new(), 0)
}

fn plans(criterion: &mut Criterion) {
    let suite = suite(100_000);
    let mut group = criterion.benchmark_group("plan 100,000 tests");
    group.sample_size(20);
    for mode in [Mode::Load, Mode::Loadscope, Mode::Loadfile, Mode::Loadgroup, Mode::Worksteal, Mode::Each] {
        let axes = Axes { workers: vec![16], modes: vec![mode], ..Axes::default() };
        group.bench_function(format!("16 workers, {}", mode.name()), |bench| {
            bench.iter(|| plan(Seed(1), TrialIndex(black_box(4)), &suite, &axes));
        });
    }
    let serial = Axes { workers: vec![1], ..Axes::default() };
    group.bench_function("serial", |bench| {
        bench.iter(|| plan(Seed(1), TrialIndex(black_box(0)), &suite, &serial));
    });
    group.finish();
}

criterion_group!(benches, plans);
criterion_main!(benches);
