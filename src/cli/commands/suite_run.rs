//! What the commands share: an engine for the suite, and a place for the results.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use crate::cli::args::{EngineArg, NetworkArg, SandboxArg};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::{JsonTarget, SuiteOptions};
use crate::cli::values::UsageError;
use crate::record::atomic_file;
use crate::run::Engine;
use crate::run::engine::fresh::SpawnEngine;
use crate::run::engine::warm::WarmEngine;
use crate::run::host::{HostError, HostOptions};
use crate::run::process::interrupt::Interrupt;
use crate::run::process::python;
use crate::run::remarks::{Remarks, Topic};
use crate::run::sandbox::Network;
use crate::run::services::Services;
use crate::run::site::trial_env::Sandboxing;

/// Makes the engine that runs a suite's plans.
///
/// # Errors
/// No usable Python was found, the session's folders cannot be made, or there is no sandbox and it is
/// insisted on.
pub(crate) fn engine(
    options: &SuiteOptions,
    isolation: &IsolationOptions,
) -> anyhow::Result<Box<dyn Engine>> {
    let spawn = spawn_engine(options, isolation)?;
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
pub(crate) fn spawn_engine(
    options: &SuiteOptions,
    isolation: &IsolationOptions,
) -> anyhow::Result<SpawnEngine> {
    let bare = HostOptions { own_files: isolation.own_files.clone(), ..bare_options(options)? };
    let executable = std::env::current_exe();
    let services = options.config.services(&options.folder, &bare.python.path)?;
    let resets = options.config.resets(&options.folder, &bare.python.path)?;
    resets.iter().for_each(|reset| bare.remarks.add(reset.remark()));
    let sockets: Vec<PathBuf> = resets.iter().filter_map(|reset| reset.socket.clone()).collect();
    let shares_servers = !resets.is_empty();
    let bare = HostOptions { resets: resets.clone(), ..bare };
    if isolation.sandbox == SandboxArg::Off && !services.is_empty() {
        return Err(UsageError(format!(
            "--sandbox off: {SERVICES_NEED} a sandbox. Use one, or take them out"
        ))
        .into());
    }
    if isolation.network == NetworkArg::Host && !services.is_empty() {
        return Err(UsageError(format!(
            "--network host: {SERVICES_NEED} a network of the trial's own. Leave it out"
        ))
        .into());
    }
    if let (Some(reset), false) = (resets.first(), services.is_empty()) {
        return Err(UsageError(format!(
            "{}: a server that stays outside needs the machine's network, and {SERVICES_NEED} one of the trial's own. Have all of one \
             sort",
            reset.named()
        ))
        .into());
    }
    if let (Some(reset), NetworkArg::Private) = (resets.first(), isolation.network) {
        return Err(UsageError(format!(
            "--network private: trials have to reach {}, which stays outside of them. Leave it out",
            reset.named()
        ))
        .into());
    }
    if isolation.sandbox == SandboxArg::Off {
        return Ok(SpawnEngine::new(HostOptions { memory: isolation.memory, ..bare })?);
    }
    let sandboxing = Sandboxing {
        executable: executable.context("cannot find this jostle's own executable")?,
        share: [&*isolation.share, &sockets].concat(),
        keep: bare.python.paths.clone(),
        network: if shares_servers || isolation.network == NetworkArg::Host {
            Network::Host
        } else {
            Network::Private
        },
        network_may_change: !shares_servers && isolation.network == NetworkArg::Auto,
        disk: isolation.disk,
        services: Arc::new(Services::new(services)),
    };
    let has_services = !sandboxing.services.is_empty();
    let bare = HostOptions { memory: isolation.memory, ..bare };
    let sandboxed = HostOptions {
        sandboxing: Some(sandboxing),
        jobs: isolation.jobs,
        tells_leftovers: isolation.report_leftovers,
        ..bare.clone()
    };
    match SpawnEngine::new(sandboxed) {
        Ok(engine) => Ok(engine),
        Err(HostError::Sandbox(error)) if has_services => {
            Err(UsageError(format!("{SERVICES_NEED} a sandbox: {error}")).into())
        }
        Err(HostError::Sandbox(error)) if isolation.sandbox == SandboxArg::Auto => {
            let engine = SpawnEngine::new(bare)?;
            engine.remarks().about(Topic::Sandbox, error.to_string());
            Ok(engine)
        }
        Err(HostError::Run(error)) => Err(error.into()),
        Err(HostError::Sandbox(error)) => Err(UsageError(format!("--sandbox on: {error}")).into()),
    }
}

/// Makes an engine that runs pytest on the machine as it is: for runs that are measured.
///
/// # Errors
/// No usable Python was found, or the session's folders cannot be made.
pub(crate) fn bare_engine(options: &SuiteOptions) -> anyhow::Result<SpawnEngine> {
    Ok(SpawnEngine::new(bare_options(options)?)?)
}

fn bare_options(options: &SuiteOptions) -> anyhow::Result<HostOptions> {
    let python = python::find(options.python.as_deref(), &options.folder)
        .map_err(|error| UsageError(error.to_string()))?;
    Ok(HostOptions {
        python,
        invocation_dir: options.folder.clone(),
        pytest_args: options.pytest_args.clone(),
        tests: options.tests.clone(),
        test_timeout: options.test_timeout,
        trial_timeout: options.trial_timeout,
        interrupt: Interrupt::install()?,
        reaper: std::env::current_exe().ok(),
        sandboxing: None,
        resets: Vec::new(),
        memory: None,
        jobs: 1,
        tells_leftovers: false,
        own_files: Vec::new(),
        named_places: options.named_places.clone(),
        remarks: Remarks::default(),
    })
}

/// What is said where services of the suite cannot be had.
const SERVICES_NEED: &str = "the services of [tool.jostle.services] need";

/// What failed where standard output is full or closed.
pub(crate) const STDOUT: &str = "cannot write the results to standard output";

/// Writes a result where `--json` says; tells whether it went to standard output.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_json(target: Option<&JsonTarget>, document: &impl Serialize) -> anyhow::Result<bool> {
    let mut text = serde_json::to_string_pretty(document).context("cannot write the result as JSON")?;
    text.push('\n');
    match target {
        None => Ok(false),
        Some(JsonTarget::Stdout) => {
            let mut out = std::io::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(STDOUT)?;
            Ok(true)
        }
        Some(JsonTarget::File(path)) => {
            atomic_file::write(path, text.as_bytes()).map_err(|error| {
                let path = path.display();
                UsageError(format!("cannot write --json={path}: {error}. Give a file that can be written"))
            })?;
            anstream::eprintln!("wrote {}", path.display());
            Ok(false)
        }
    }
}
