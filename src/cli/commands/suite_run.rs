//! What the commands share: an engine for the suite, and a place for the results.

use std::io::Write;

use anyhow::Context;
use serde::Serialize;

use crate::cli::args::EngineArg;
use crate::cli::options::{JsonTarget, SuiteOptions, UsageError};
use crate::run::Engine;
use crate::run::interrupt::Interrupt;
use crate::run::python;
use crate::run::spawn::{SpawnEngine, SpawnOptions};
use crate::run::warm::WarmEngine;

/// Makes the engine that runs a suite's plans.
///
/// # Errors
/// No usable Python was found, or the session's folders cannot be made.
pub fn engine(options: &SuiteOptions) -> anyhow::Result<Box<dyn Engine>> {
    let spawn = spawn_engine(options)?;
    Ok(match options.engine {
        EngineArg::Spawn => Box::new(spawn),
        EngineArg::Auto => Box::new(WarmEngine::new(spawn, false)),
        EngineArg::Warm => Box::new(WarmEngine::new(spawn, true)),
    })
}

/// Makes an engine that starts a process for whatever it is asked: for commands that only collect.
///
/// # Errors
/// As those of [`engine`].
pub fn spawn_engine(options: &SuiteOptions) -> anyhow::Result<SpawnEngine> {
    let python = python::find(options.python.as_deref(), &options.folder)
        .map_err(|error| UsageError(error.to_string()))?;
    let spawn = SpawnOptions {
        python,
        invocation_dir: options.folder.clone(),
        pytest_args: options.pytest_args.clone(),
        test_timeout: options.test_timeout,
        trial_timeout: options.trial_timeout,
        interrupt: Interrupt::install()?,
        reaper: std::env::current_exe().ok(),
    };
    Ok(SpawnEngine::new(spawn)?)
}

/// Writes a result where `--json` says; tells whether it went to standard output.
///
/// # Errors
/// The file cannot be written.
pub fn write_json(target: Option<&JsonTarget>, document: &impl Serialize) -> anyhow::Result<bool> {
    let mut text = serde_json::to_string_pretty(document).context("cannot write the result as JSON")?;
    text.push('\n');
    match target {
        None => Ok(false),
        Some(JsonTarget::Stdout) => {
            std::io::stdout().write_all(text.as_bytes())?;
            Ok(true)
        }
        Some(JsonTarget::File(path)) => {
            std::fs::write(path, text)
                .map_err(|error| UsageError(format!("cannot write --json {}: {error}", path.display())))?;
            Ok(false)
        }
    }
}
