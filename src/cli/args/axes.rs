//! The options for what a session varies.

use clap::{Args, ValueEnum};

use super::values::whole;
use crate::plan::{Mode, OrderKind};

/// What a session varies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "What is varied")]
pub struct AxesArgs {
    /// Numbers of workers; `auto` is the number of cores [default: 1,2,4]
    #[arg(
        short = 'n',
        long,
        alias = "numprocesses",
        value_name = "N,…",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub workers: Option<Vec<String>>,
    /// pytest-xdist's modes; `each` only if it is named [default: all others that apply]
    #[arg(long, value_name = "MODE,…", value_delimiter = ',', hide_short_help = true)]
    pub dist: Option<Vec<DistArg>>,
    /// How orders are made [default: all]
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', hide_short_help = true)]
    pub order: Option<Vec<OrderArg>>,
    /// How many values of PYTHONHASHSEED to use [default: 4]
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 64), allow_negative_numbers = true, hide_short_help = true)]
    pub hash_seeds: Option<u32>,
    /// Try orders too that the suite's plugins would sort otherwise, as pytest-django and pytest-order do
    #[arg(long, hide_short_help = true)]
    pub ignore_rank: bool,
}

/// `--dist` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DistArg {
    No,
    Load,
    Loadscope,
    Loadfile,
    Loadgroup,
    Worksteal,
    Each,
}

/// `--order` values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderArg {
    Suite,
    Reversed,
    Shuffled,
    Nested,
    Adjacent,
}

impl From<DistArg> for Mode {
    fn from(arg: DistArg) -> Self {
        match arg {
            DistArg::No => Self::No,
            DistArg::Load => Self::Load,
            DistArg::Loadscope => Self::Loadscope,
            DistArg::Loadfile => Self::Loadfile,
            DistArg::Loadgroup => Self::Loadgroup,
            DistArg::Worksteal => Self::Worksteal,
            DistArg::Each => Self::Each,
        }
    }
}

impl From<OrderArg> for OrderKind {
    fn from(arg: OrderArg) -> Self {
        match arg {
            OrderArg::Suite => Self::Suite,
            OrderArg::Reversed => Self::Reversed,
            OrderArg::Shuffled => Self::Shuffled,
            OrderArg::Nested => Self::Nested,
            OrderArg::Adjacent => Self::Adjacent,
        }
    }
}
