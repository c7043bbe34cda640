//! `jostle plan --out`: the plan of a night that is run in shards.

use crate::cli::ExitCode;
use crate::cli::args::PlanArgs;
use crate::cli::commands::suite_run::spawn_engine;
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::cli::revision::revision;
use crate::cli::values::{UsageError, place_for};
use crate::formats::SHARD_PLAN;
use crate::record::night::ShardPlan;
use crate::report::words;
use crate::session::stress::network;

/// Writes the plan that `--out` names.
///
/// # Errors
/// The options are wrong, the suite cannot be collected, or the file exists or cannot be written.
pub(crate) fn write(args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let (Some(out), Some(trials)) = (&args.out, args.trials) else {
        return Err(UsageError("give --out FILE and --trials N together".into()).into());
    };
    let path = place_for("--out", out)?;
    if path.exists() {
        return Err(UsageError(format!(
            "{} exists, and the plan of a night is not changed: give another file, or remove it",
            path.display()
        ))
        .into());
    }
    let options = SuiteOptions::choosing(&args.suite, &args.chosen)?;
    let axes = options.axes(&args.axes)?;
    let seed = args.seed.resolve()?.seed;
    let mut engine = spawn_engine(&options, &IsolationOptions::new(&args.isolation, &options)?)?;
    let collected = network::collect(&mut engine, axes.hash_seed_values(seed)[0])?;
    if collected.suite.tests.is_empty() {
        return Ok(ExitCode::NothingCollected);
    }
    let night = ShardPlan {
        schema: SHARD_PLAN.into(),
        jostle: env!("CARGO_PKG_VERSION").into(),
        seed,
        trials,
        shards: args.shards,
        axes,
        pytest_args: options.pytest_args.clone(),
        fingerprint: collected.suite.plan_fingerprint(),
        tests: collected.suite.tests.len(),
        python: collected.interpreter.python.clone(),
        pytest: collected.interpreter.pytest.clone(),
        revision: revision(&options.folder),
    };
    night.write(&path).map_err(|error| UsageError(error.to_string()))?;
    anstream::println!(
        "night {}: {} of {}, seed {}, in {}",
        night.identity(),
        words::count(trials as usize, "trial"),
        words::count(night.tests, "test"),
        seed.0,
        path.display()
    );
    Ok(ExitCode::Clean)
}
