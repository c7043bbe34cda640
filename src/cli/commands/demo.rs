//! `jostle demo`: the main job on an embedded suite, in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use include_dir::{Dir, include_dir};

use crate::cli::ExitCode;
use crate::cli::args::{DemoArgs, StressArgs, SuiteArgs};
use crate::cli::commands::stress;
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
    let folder = tempfile::Builder::new()
        .prefix("jostle-demo-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    SUITE.extract(folder.path()).context("cannot write the demo suite")?;
    let python = python_with_pytest(args.python.as_deref())?;
    anstream::eprintln!("stressing an embedded demo suite, a small shop: jostle stress --seed {}", args.seed);
    stress::run(&StressArgs {
        seed: Some(args.seed.into()),
        suite: SuiteArgs {
            python: Some(python),
            rootdir: Some(folder.path().to_owned()),
            ..SuiteArgs::default()
        },
        ..StressArgs::default()
    })
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
