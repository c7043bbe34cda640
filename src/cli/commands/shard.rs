//! `jostle stress --plan`: one shard of a night. It writes down what its trials show, and judges nothing.

use std::ops::ControlFlow;
use std::path::Path;

use crate::cli::ExitCode;
use crate::cli::args::{AxesArgs, StressArgs, SuiteArgs};
use crate::cli::commands::suite_run::engine;
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::cli::values::UsageError;
use crate::finding::Origin;
use crate::formats::SHARD_RESULT;
use crate::plan::shard::Shard;
use crate::plan::{Plan, TrialIndex, plan};
use crate::record::RecordError;
use crate::record::journal_format::{How, Record};
use crate::record::night::{ShardPlan, TrialResult};
use crate::report::progress::Progress;
use crate::report::{Verbosity, words};
use crate::run::RunError;
use crate::session::stress::{baseline, fidelity, network};
use crate::session::{Lab, Limits};
use crate::trial::{Collected, Trial};

/// Runs the trials of a shard that have no result yet.
///
/// # Errors
/// The plan or the options are wrong, the suite is another than the plan's, or a result cannot be written.
pub fn run(args: &StressArgs, path: &Path) -> anyhow::Result<ExitCode> {
    let night = read(path)?;
    if args.axes != AxesArgs::default()
        || !args.suite.pytest_args.is_empty()
        || !args.chosen.for_pytest().is_empty()
    {
        return Err(UsageError(format!(
            "{} holds what is varied and pytest's arguments: leave them out here",
            path.display()
        ))
        .into());
    }
    let shard = shard(args, &night)?;
    let options = SuiteOptions::new(&with_arguments(&args.suite, &night))?;
    let isolation = IsolationOptions::new(&args.isolation, &options)?.writing_to([args.results.as_path()]);
    let mut engine = engine(&options, &isolation)?;
    let hash_seed = night.axes.hash_seed_values(night.seed)[0];
    let collected = network::collect(&mut *engine, hash_seed)?;
    check(&night, &collected, path)?;
    std::fs::create_dir_all(&args.results).map_err(|error| {
        UsageError(format!(
            "cannot make the folder {}: {error}. Give another with --results",
            args.results.display()
        ))
    })?;
    let identity = night.identity();
    let mine: Vec<u64> = (0..night.trials).filter(|&index| shard.has(index)).collect();
    let suite = &collected.suite;
    let mut pending: Vec<(Origin, Plan)> = Vec::new();
    for &index in &mine {
        if !is_there(&args.results, index, &identity)? {
            let plan = plan(night.seed, TrialIndex(index), suite, &night.axes);
            pending.push((Origin::Trial(index), plan));
        }
    }
    let limits = Limits { trials: Some(pending.len() as u64), ..Limits::default() };
    let mut progress = Progress::new(&limits, options.progress, options.verbosity == Verbosity::Quiet);
    let mut lab = Lab::new(suite, &mut *engine, &mut progress, None);
    let suite_order = baseline::suite_order(suite, night.seed, hash_seed);
    let result = |plan: &Plan, trial: &Trial| TrialResult {
        schema: SHARD_RESULT.into(),
        plan: identity.clone(),
        index: plan.index,
        of: shard.of,
        record: Record::new(plan, How::Plain, trial),
    };
    let (mut ran, mut failing, mut unwritten) = (0, 0, None);
    let ended = (|| {
        if lab.forks(&suite_order) && !pending.is_empty() {
            fidelity::check(&mut lab, &suite_order)?;
        }
        lab.trials(&pending, &mut |_, at, trial| {
            failing += usize::from(trial.executions.iter().any(|run| run.outcome.is_failure()));
            ran += 1;
            unwritten = result(&pending[at].1, &trial).write(&args.results).err();
            if unwritten.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    })();
    drop(progress);
    if let Some(error) = unwritten {
        return Err(usage(error).into());
    }
    anstream::println!(
        "shard {shard} of night {identity}: {} of {} run, {failing} with failures; {} there before; results in {}",
        ran,
        words::count(mine.len(), "trial"),
        mine.len() - pending.len(),
        args.results.display()
    );
    match ended {
        Ok(()) => Ok(ExitCode::Clean),
        Err(RunError::Interrupted) => Ok(ExitCode::Interrupted),
        Err(error) => Err(error.into()),
    }
}

/// Reads the plan of a night that this jostle can follow.
///
/// # Errors
/// It cannot be read, or another version wrote it.
pub(super) fn read(path: &Path) -> Result<ShardPlan, UsageError> {
    let night = ShardPlan::read(path).map_err(usage)?;
    if night.jostle != env!("CARGO_PKG_VERSION") {
        return Err(UsageError(format!(
            "{} was written by jostle {}, and this is {}: use one and the same for a night",
            path.display(),
            night.jostle,
            env!("CARGO_PKG_VERSION")
        )));
    }
    Ok(night)
}

/// The options for a suite with the arguments that the plan has for pytest.
pub(super) fn with_arguments(suite: &SuiteArgs, night: &ShardPlan) -> SuiteArgs {
    SuiteArgs { pytest_args: night.pytest_args.clone(), ..suite.clone() }
}

/// Refuses a suite that is not the plan's.
///
/// # Errors
/// Other tests are collected.
pub(super) fn check(night: &ShardPlan, collected: &Collected, path: &Path) -> Result<(), UsageError> {
    if collected.suite.plan_fingerprint() == night.fingerprint {
        return Ok(());
    }
    let at = night
        .revision
        .as_ref()
        .map_or_else(String::new, |commit| format!(" It was made at commit {commit}."));
    Err(UsageError(format!(
        "{} is of another suite: {} then, {} now, with other names or numbers, or sorted otherwise by its plugins.{at} Check the same commit out and \
         use the same environment, or write a new plan",
        path.display(),
        words::count(night.tests, "test"),
        words::count(collected.suite.tests.len(), "test"),
    )))
}

fn shard(args: &StressArgs, night: &ShardPlan) -> Result<Shard, UsageError> {
    if let Some(text) = args.shard.as_ref().filter(|text| *text != "auto") {
        return Shard::parse(text, night.shards).map_err(|why| UsageError(format!("--shard: {why}")));
    }
    let found = Shard::from_environment(|name| std::env::var(name).ok(), night.shards).map_err(UsageError)?;
    found.ok_or_else(|| {
        UsageError(
            "which shard is not known: give --shard K/N, or run it as a job of a Slurm array, a Kubernetes Indexed Job, \
             or a parallel job of GitLab, Buildkite, CircleCI or AWS Batch"
                .into(),
        )
    })
}

/// Whether a trial has a result; a damaged one is none.
fn is_there(folder: &Path, index: u64, identity: &str) -> Result<bool, UsageError> {
    let path = TrialResult::path(folder, index);
    if !path.exists() {
        return Ok(false);
    }
    match TrialResult::read(&path).map_err(usage)? {
        Some(result) if result.plan != identity => Err(foreign(&path, &result, identity)),
        result => Ok(result.is_some_and(|result| result.index.0 == index)),
    }
}

/// A result of another plan.
pub(super) fn foreign(path: &Path, result: &TrialResult, identity: &str) -> UsageError {
    UsageError(format!(
        "{} is of night {}, and the plan is that of night {identity}: keep the results of each night in a folder of its own",
        path.display(),
        result.plan
    ))
}

/// An error of a file that the user named.
pub(super) fn usage(error: RecordError) -> UsageError {
    UsageError(error.to_string())
}
