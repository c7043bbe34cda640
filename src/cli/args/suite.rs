//! The options of every command that meets a suite.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::duration;
use crate::report::progress::ProgressMode;

/// What every command that meets a suite takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "The suite")]
pub struct SuiteArgs {
    /// The Python whose pytest runs the suite [default: $VIRTUAL_ENV, else .venv, else python3]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// The folder to run pytest in [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub rootdir: Option<PathBuf>,
    /// Keep only the tests whose node ids stand in this file, or (-) on standard input, one a line
    #[arg(long, value_name = "FILE")]
    pub tests: Option<PathBuf>,
    /// Take the settings of [tool.jostle.profile.NAME]; `nightly` is built in: an hour, a seed for each day
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// How tests are run: each trial in fresh pytest processes, or in forks of one that has collected
    /// the suite [default: auto, forks where they are safe]
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<EngineArg>,
    /// End a test that runs longer than this [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration, allow_negative_numbers = true)]
    pub test_timeout: Option<Duration>,
    /// End a trial that runs longer than this [default: ten minutes and ten times the baseline]
    #[arg(long, value_name = "TIME", value_parser = duration, allow_negative_numbers = true)]
    pub trial_timeout: Option<Duration>,
    /// Write the results as JSON, to a file or (-) to standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", require_equals = true)]
    pub json: Option<String>,
    /// How to show on standard error what is done and how long the rest takes [default: auto, none if --quiet]
    #[arg(long, value_name = "HOW")]
    pub(crate) progress: Option<ProgressArg>,
    /// Say only what was found
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: neutralised options and the tracebacks of failures and collection errors
    #[arg(short, long)]
    pub verbose: bool,
    /// Arguments for pytest, after `--`
    #[arg(last = true, value_name = "PYTEST_ARGS")]
    pub pytest_args: Vec<String>,
}

/// `--progress` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressArg {
    /// A bar on a terminal, else lines
    Auto,
    /// A bar
    Bar,
    /// A line every 30 s
    Lines,
    /// Nothing
    None,
}

impl From<ProgressArg> for ProgressMode {
    fn from(given: ProgressArg) -> Self {
        match given {
            ProgressArg::Auto => Self::Auto,
            ProgressArg::Bar => Self::Bar,
            ProgressArg::Lines => Self::Lines,
            ProgressArg::None => Self::None,
        }
    }
}

/// `--engine` values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EngineArg {
    /// Forks where they are safe, else fresh processes
    #[default]
    Auto,
    /// Forks, or an error where they are not safe
    Warm,
    /// A fresh pytest process for each worker
    Spawn,
}
