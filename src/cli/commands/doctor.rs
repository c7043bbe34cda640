//! `jostle doctor`: what a suite gets here, found out by collecting it and running its first test alone.

use std::time::Instant;

use crate::cli::ExitCode;
use crate::cli::args::{DoctorArgs, EngineArg, SandboxArg};
use crate::cli::commands::stress::{pytest_args, python_option};
use crate::cli::commands::suite_run::{engine, write_json};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::cli::values::UsageError;
use crate::plan::{Axes, Seed};
use crate::report::doctor::{Diagnosis, DoctorDocument, FirstTest, diagnosis, without_python};
use crate::run::process::python;
use crate::run::{Engine, Job, RunError, sandbox};
use crate::session::lab::alone;
use crate::session::stress::baseline::suite_order;
use crate::session::stress::network;
use crate::trial::Collected;

/// Runs the command.
///
/// # Errors
/// The options are wrong or pytest cannot be run.
pub(super) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let options = SuiteOptions::choosing(&args.suite, &args.chosen)?;
    let isolation = IsolationOptions::new(&args.isolation, &options)?;
    let python = match python::find(options.python.as_deref(), &options.folder) {
        Ok(python) => python.path,
        // What somebody named is his to put right.
        Err(error) if options.python.is_some() => return Err(UsageError(error.to_string()).into()),
        // What is known without it is told all the same.
        Err(error) => {
            let executable = std::env::current_exe()?;
            let sandbox = (isolation.sandbox != SandboxArg::Off).then(|| sandbox::probe(&executable));
            let sandbox = sandbox.map(|probed| probed.map_err(|missing| missing.to_string()));
            if !write_json(options.json.as_ref(), &DoctorDocument::without_python(&error, sandbox.as_ref()))?
            {
                without_python(&mut anstream::stdout(), &error, sandbox.as_ref())?;
            }
            return Ok(ExitCode::Usage);
        }
    };
    let mut engine = engine(&options, &isolation)?;
    let hash_seed = Axes::default().hash_seed_values(Seed(0))[0];
    let start = Instant::now();
    let collected = network::collect(&mut *engine, hash_seed)?;
    let startup = start.elapsed();
    let plan = suite_order(&collected.suite, Seed(0), hash_seed);
    let first = first_test(&mut *engine, &collected, hash_seed)?;
    let report = Diagnosis {
        python,
        startup,
        capabilities: engine.capabilities(&plan),
        sandboxed: engine.isolation().project,
        no_sandbox_wanted: isolation.sandbox == SandboxArg::Off,
        no_forks_wanted: options.engine == EngineArg::Spawn,
        first,
        remarks: engine.remarks().take(),
        stress: format!("jostle stress{}{}", python_option(&options), pytest_args(&options)),
        collected,
    };
    if !write_json(options.json.as_ref(), &DoctorDocument::new(&report))? {
        diagnosis(&mut anstream::stdout(), &report, options.verbosity)?;
    }
    let suite = &report.collected.suite;
    Ok(match (suite.errors.is_empty(), suite.tests.is_empty()) {
        (false, _) => ExitCode::Unjudged,
        (true, true) => ExitCode::NothingCollected,
        (true, false) => ExitCode::Clean,
    })
}

/// Runs the first test alone: with a note of its system calls, as the tests of a session are once, and as in trials.
fn first_test(
    engine: &mut dyn Engine,
    collected: &Collected,
    hash_seed: u32,
) -> Result<Option<FirstTest>, RunError> {
    let suite = &collected.suite;
    let Some(&test) = suite.collected.first() else {
        return Ok(None);
    };
    let plan = alone(&suite_order(suite, Seed(0), hash_seed), suite, test, 0);
    engine.run(suite, Job { recorded: true, ..Job::of(&plan) })?;
    // Once more without, as trials are: what the first run makes for all later ones is not measured.
    let start = Instant::now();
    engine.run(suite, Job::of(&plan))?;
    Ok(Some(FirstTest { test, took: start.elapsed() }))
}
