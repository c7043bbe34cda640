//! The options for keeping trials apart.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::values::whole;

/// How trials are kept apart.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Keeping trials apart")]
pub struct IsolationArgs {
    /// Run each trial in a sandbox [default: auto]
    ///
    /// No file, port or process is left of it
    #[arg(long, value_name = "WHEN", hide_short_help = true)]
    pub sandbox: Option<SandboxArg>,
    /// Let trials write to this path for good; may be given several times
    #[arg(long, value_name = "PATH", hide_short_help = true)]
    pub share: Vec<PathBuf>,
    /// Whose network trials use in a sandbox [default: auto, private unless tests fail for want of the
    /// machine's]
    #[arg(long, value_name = "WHOSE", hide_short_help = true)]
    pub network: Option<NetworkArg>,
    /// How much a trial may write in its sandbox, which is memory [default: 1GiB]
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, hide_short_help = true)]
    pub disk: Option<String>,
    /// How much memory each worker may use [default: no limit]
    #[arg(long, value_name = "SIZE", allow_negative_numbers = true, hide_short_help = true)]
    pub memory: Option<String>,
    /// How many workers run at once, over all trials, where sandboxes keep these apart [default: the
    /// number of cores]
    #[arg(short, long, value_name = "N", value_parser = whole::<u32>(1, 256), allow_negative_numbers = true, hide_short_help = true)]
    pub jobs: Option<u32>,
    /// Tell which files each test, or trial, leaves behind in the project; without sandboxes that is
    /// always told
    #[arg(long, hide_short_help = true)]
    pub(crate) report_leftovers: bool,
}

/// `--sandbox` values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum SandboxArg {
    /// Where one can be had
    #[default]
    Auto,
    /// Or an error where none can be had
    On,
    /// Never
    Off,
}

/// `--network` values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// Private, unless something can be collected, or passes alone, with the machine's only
    #[default]
    Auto,
    /// A loopback of each trial's own, and nothing else
    Private,
    /// The machine's
    Host,
}
