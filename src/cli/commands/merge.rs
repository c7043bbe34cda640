//! `jostle merge`: the results of a night's shards, put together and judged as a single run's are.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;

use crate::cli::args::{MergeArgs, StressArgs};
use crate::cli::commands::shard::{check, foreign, read, usage, with_arguments};
use crate::cli::commands::stress::stress;
use crate::cli::commands::suite_run::engine;
use crate::cli::options::StressOptions;
use crate::cli::values::UsageError;
use crate::cli::{ExitCode, journal_options};
use crate::formats::JOURNAL;
use crate::record::journal_format::Header;
use crate::record::night::{Merged, ShardPlan, TrialResult};
use crate::record::{Journal, history_file, journal_file};
use crate::session::Limits;
use crate::session::lab::journaled::{Begin, JournalKey, JournaledEngine, Place};
use crate::session::stress::network;
use crate::trial::Collected;

/// How many trials are named before they are only counted.
const NAMED: usize = 10;

/// Runs the command. A session is run whose trials are taken from the results: so it takes the steps, and
/// comes to the findings, of a session that ran them itself.
///
/// # Errors
/// The plan, a result or the options are wrong, or pytest cannot be run.
pub fn run(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    let night = read(&args.plan)?;
    let merged = results(args, &night)?;
    let missing = merged.missing(night.trials);
    if !missing.is_empty() {
        tell_missing(&missing, night.shards.or(merged.shards()));
        return Ok(ExitCode::ShardsMissing);
    }
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    let options = options(args, &night, folder.path())?;
    let terms = journal_options::journal_key(&options)?;
    let mut engine = engine(&options.suite, &options.isolation)?;
    let collected = network::collect(&mut *engine, night.axes.hash_seed_values(night.seed)[0])?;
    check(&night, &collected, &args.plan)?;
    contradictions(&merged, &collected).into_iter().for_each(|remark| engine.remarks().add(remark));
    let mut journal = Journal::create(&options.journal.path, header(&terms, &collected), false)
        .map_err(anyhow::Error::new)?;
    for record in merged.records() {
        journal.add(record).map_err(anyhow::Error::new)?;
    }
    // The journal has all of it now, and a night of many tests is large.
    drop((journal, merged));
    let mut engine = JournaledEngine::new(engine, options.journal.clone(), terms, |_| {});
    stress(&options, &mut engine)
}

/// The options of a session whose trials the night has run.
fn options(args: &MergeArgs, night: &ShardPlan, folder: &Path) -> Result<StressOptions, UsageError> {
    let session = StressArgs {
        seed: Some(night.seed.0.into()),
        trials: Some(night.trials),
        explain: args.explain,
        kept: args.kept.clone(),
        isolation: args.isolation.clone(),
        suite: with_arguments(&args.suite, night),
        ..StressArgs::default()
    };
    let options = StressOptions::new(&session)?;
    Ok(StressOptions {
        axes: night.axes.clone(),
        limits: Limits {
            trials: Some(night.trials),
            known: options.limits.known.clone(),
            explain: options.limits.explain,
            whole_trials: true,
            ..Limits::default()
        },
        journal: Place {
            path: folder.join("trials"),
            begin: Begin::Resume,
            night: history_file::name(SystemTime::now(), night.seed),
        },
        ..options
    })
}

fn header(terms: &JournalKey, collected: &Collected) -> Header {
    let interpreter = &collected.interpreter;
    Header {
        schema: JOURNAL.into(),
        jostle: env!("CARGO_PKG_VERSION").into(),
        night: String::new(),
        seed: terms.seed,
        options: terms.options.clone(),
        python: interpreter.python.clone(),
        pytest: interpreter.pytest.clone(),
        plugins: interpreter.plugins.clone(),
        fingerprint: collected.suite.fingerprint.clone(),
        sources: journal_file::sources(&collected.suite, Path::new(&interpreter.rootdir)),
    }
}

/// Reads all results of the night.
fn results(args: &MergeArgs, night: &ShardPlan) -> Result<Merged, UsageError> {
    let identity = night.identity();
    let mut merged = Merged::default();
    for folder in &args.results {
        let cannot = |error| UsageError(format!("cannot read the folder {}: {error}", folder.display()));
        for entry in std::fs::read_dir(folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match TrialResult::read(&path).map_err(usage)? {
                Some(result) if result.plan != identity => return Err(foreign(&path, &result, &identity)),
                Some(result) => merged.add(result),
                None => {
                    anstream::eprintln!("{} is damaged, or no result of a trial: left out", path.display())
                }
            }
        }
    }
    Ok(merged)
}

/// Names what to run again.
fn tell_missing(missing: &[u64], shards: Option<u32>) {
    let named: Vec<String> = missing.iter().take(NAMED).map(u64::to_string).collect();
    let more = if missing.len() > NAMED { ", …" } else { "" };
    anstream::eprintln!("results of {} trials are missing: {}{more}", missing.len(), named.join(", "));
    let Some(of) = shards else {
        anstream::eprintln!("run the shards again that have these; what is there is not run twice");
        return;
    };
    let numbers: BTreeSet<u64> = missing.iter().map(|trial| trial % u64::from(of)).collect();
    let listed = |first: u64| numbers.iter().map(|at| (at + first).to_string()).collect::<Vec<_>>().join(",");
    anstream::eprintln!("run again, of {of} shards: {}", listed(1));
    if std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("SLURM_")) {
        anstream::eprintln!("  sbatch --array={}", listed(0));
    }
}

/// Trials that came to different outcomes when they were run more than once.
fn contradictions(merged: &Merged, collected: &Collected) -> Vec<String> {
    let suite = &collected.suite;
    let remark = |(index, results): (u64, &[TrialResult])| {
        let failures = |result: &TrialResult| {
            let failed = result.record.runs.iter().filter(|run| run.3.is_failure());
            failed.map(|run| run.2).collect::<BTreeSet<_>>()
        };
        let all: Vec<BTreeSet<_>> = results.iter().map(failures).collect();
        let some: BTreeSet<_> = all.iter().flatten().copied().collect();
        let differ = some.iter().filter(|test| !all.iter().all(|failed| failed.contains(test)));
        let names: Vec<String> = differ
            .filter_map(|test| suite.tests.get(test.get()))
            .take(NAMED)
            .map(|test| test.id.to_string())
            .collect();
        format!(
            "trial {index} came to {} different outcomes in the shards, so that something in it is non-deterministic{}{}",
            results.len(),
            if names.is_empty() { "" } else { ": " },
            names.join(", ")
        )
    };
    merged.contradictory().map(remark).collect()
}
