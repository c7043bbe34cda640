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
    /// The Python whose pytest runs the suite [default: $VIRTUAL_ENV, else .venv, else jostle's own environment, else python3]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// The folder to run pytest in [default: the current one]
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    pub rootdir: Option<PathBuf>,
    /// Keep only the tests whose node ids stand in this file, or (-) on standard input, one a line
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub tests: Option<PathBuf>,
    /// Take the settings of a profile, as the built-in `nightly`
    ///
    /// Those of NAME stand in [tool.jostle.profile.NAME]. `nightly` goes on for an hour, with a seed for each day
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// How tests are run: each trial in fresh pytest processes, or in forks of one that has collected
    /// the suite [default: auto, forks where they are safe]
    #[arg(long, value_name = "ENGINE", hide_short_help = true)]
    pub engine: Option<EngineArg>,
    /// End a test that runs longer than this [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = duration, allow_negative_numbers = true)]
    pub test_timeout: Option<Duration>,
    /// End a trial that runs longer than this [default: ten minutes and ten times the baseline]
    #[arg(long, value_name = "TIME", value_parser = duration, allow_negative_numbers = true, hide_short_help = true)]
    pub trial_timeout: Option<Duration>,
    /// Write the results as JSON, to a file or (-) to standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", require_equals = true, help_heading = "Results")]
    pub json: Option<String>,
    /// How to show on standard error what is done and how long the rest takes [default: auto, none if --quiet]
    #[arg(long, value_name = "HOW", hide_short_help = true, help_heading = None::<&str>)]
    pub(crate) progress: Option<ProgressArg>,
    /// Say only what was found
    #[arg(short, long, conflicts_with = "verbose", overrides_with = "quiet", help_heading = None::<&str>)]
    pub quiet: bool,
    /// Say more
    ///
    /// All lines of each finding, neutralised options, and the tracebacks of failures and collection errors
    #[arg(short, long, overrides_with = "verbose", help_heading = None::<&str>)]
    pub verbose: bool,
    /// Arguments for pytest, after `--`
    #[arg(last = true, value_name = "PYTEST_ARGS", help_heading = None::<&str>)]
    pub pytest_args: Vec<String>,
}

/// Which tests, of a command that takes nothing else by position.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "The suite")]
pub struct ChosenArgs {
    /// Run only these tests: folders, files or node ids, as pytest takes them
    ///
    /// They, or what stands after `--`, take the place of `pytest-args` in [tool.jostle]. -k and -m are added to it
    #[arg(value_name = "TEST", help_heading = None::<&str>)]
    pub(crate) paths: Vec<String>,
    /// Run only tests whose names fit, as pytest's -k does
    #[arg(short = 'k', value_name = "EXPR")]
    pub(crate) keyword: Option<String>,
    /// Run only tests whose markers fit, as pytest's -m does
    #[arg(short = 'm', value_name = "EXPR")]
    pub(crate) markers: Option<String>,
}

impl ChosenArgs {
    /// The same in pytest's words. An expression is one word with its option, lest it is taken for a path of that name.
    pub(crate) fn for_pytest(&self) -> Vec<String> {
        let expressions = [("-k", &self.keyword), ("-m", &self.markers)];
        // An empty one admits all tests, and would take what comes next for itself.
        let given = expressions.into_iter().filter_map(|(option, expression)| {
            expression.as_ref().filter(|expression| !expression.is_empty()).map(|it| format!("{option}{it}"))
        });
        self.paths.iter().cloned().chain(given).collect()
    }
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
