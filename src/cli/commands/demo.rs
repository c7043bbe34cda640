//! `jostle demo`: the main job on an embedded suite, in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use include_dir::{Dir, include_dir};

use crate::cli::ExitCode;
use crate::cli::args::{DemoArgs, StressArgs, SuiteArgs};
use crate::cli::commands::stress;
use crate::cli::options::StressOptions;
use crate::cli::values::UsageError;
use crate::run::process::python;
use crate::run::process::python::PythonError;
use crate::run::site::workspace;

static SUITE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/corpus/demo");
/// What is installed if the chosen Python has no pytest.
const PYTEST: &str = "pytest==8.4.2";

/// Runs the command.
///
/// # Errors
/// No Python was found, pytest cannot be installed, or those of `jostle stress`.
pub fn run(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    if let Some(folder) = args.keep.as_deref().filter(|folder| folder.exists()) {
        return Err(not_kept(folder, "it is there already").into());
    }
    let python = python_with_pytest(args.python.as_deref())?;
    let temporary = tempfile::Builder::new()
        .prefix("jostle-demo-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let folder = args.keep.as_deref().unwrap_or(temporary.path());
    if args.keep.is_some() {
        std::fs::create_dir(folder).map_err(|error| not_kept(folder, &error.to_string()))?;
    }
    SUITE.extract(folder).context("cannot write the demo suite")?;
    anstream::eprintln!("stressing an embedded demo suite, a small shop: jostle stress --seed {}", args.seed);
    if args.keep.is_none() {
        anstream::eprintln!("the suite is gone at the end; --keep DIR keeps it, to replay what is found");
    }
    let mut options = StressOptions::new(&StressArgs {
        seed: Some(args.seed.into()),
        suite: SuiteArgs { python: Some(python), rootdir: Some(folder.to_owned()), ..SuiteArgs::default() },
        ..StressArgs::default()
    })?;
    options.suite_stays = args.keep.is_some();
    stress::run_with(&options)
}

/// Nothing of the user's is written over.
fn not_kept(folder: &Path, why: &str) -> UsageError {
    UsageError(format!("--keep {}: {why}. Give a folder that is not there yet", folder.display()))
}

/// The chosen Python if it has pytest, else that of an environment of our own.
fn python_with_pytest(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().unwrap_or_default();
    match python::find(given, &here) {
        Ok(python) => Ok(python.path),
        Err(PythonError::NoPytest { python, .. }) => private_environment(&python),
        Err(error) => Err(UsageError(error.to_string()).into()),
    }
}

fn private_environment(python: &Path) -> anyhow::Result<PathBuf> {
    let folder = workspace::cache_dir()?.join(format!("demo-{}", python::version_of(python)?));
    let inside = folder.join("bin/python");
    if python::find(Some(&inside), &folder).is_ok() {
        return Ok(inside);
    }
    anstream::eprintln!(
        "{} has no pytest: making a private environment in {}",
        python.display(),
        folder.display()
    );
    succeed(Command::new(python).args(["-m", "venv", "--clear"]).arg(&folder))?;
    succeed(Command::new(&inside).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        PYTEST,
    ]))?;
    Ok(inside)
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(UsageError(format!(
        "{command:?} failed:\n{}\nGive a Python that has pytest with --python",
        said.trim_end()
    ))
    .into())
}
