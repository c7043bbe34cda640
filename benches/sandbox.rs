//! Sandboxes: what it costs to make and to end one, and to run a process in it.

#[cfg(target_os = "linux")]
fn main() {
    use std::path::Path;

    use criterion::{BatchSize, Criterion};
    use jostle::run::sandbox::{Base, Network, Sandbox, SandboxOptions, SandboxedCommand};

    let executable = Path::new(env!("CARGO_BIN_EXE_jostle"));
    let keep = vec![std::env::current_dir().expect("the current folder")];
    let options = SandboxOptions { keep, ..SandboxOptions::default() };
    let base = |network| Base::start(executable, &SandboxOptions { network, ..options.clone() });
    let private = base(Network::Private).expect("a base");
    let host = base(Network::Host).expect("a base");
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("sandbox");
    group.bench_function("make a base and end it", |bench| {
        bench.iter(|| base(Network::Private).expect("a base"));
    });
    for (name, base) in [("private network", &private), ("host's network", &host)] {
        let make = || Sandbox::on(base).expect("a sandbox");
        group.bench_function(format!("make one on top, {name}"), |bench| {
            bench.iter_batched(|| (), |()| make(), BatchSize::PerIteration);
        });
        group.bench_function(format!("end one on top, {name}"), |bench| {
            bench.iter_batched(make, drop, BatchSize::PerIteration);
        });
    }
    let top = Sandbox::on(&private).expect("a sandbox");
    group.bench_function("start a process and wait for it", |bench| {
        bench.iter(|| top.start(SandboxedCommand::new("/bin/true")).expect("it starts").wait());
    });
    group.finish();
    criterion.final_summary();
}

#[cfg(not(target_os = "linux"))]
fn main() {}
