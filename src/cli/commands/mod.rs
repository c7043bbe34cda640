//! One file a command.

pub(crate) mod suite_run;
pub(crate) mod ci;
pub(crate) mod page;
pub(crate) mod history_recorder;
pub(crate) mod history;
pub(crate) mod stress;
mod next;
mod last_session;
mod fix;
pub(crate) mod replay;
pub(crate) mod replay_log;
pub(crate) mod verify;
pub(crate) mod collect;
mod doctor;
pub(crate) mod conflicts;
pub(crate) mod plan;
pub(crate) mod night;
pub(crate) mod shard;
pub(crate) mod merge;
pub(crate) mod leaks;
pub(crate) mod speedup;
pub(crate) mod demo;
pub(crate) mod shell;

use crate::cli::ExitCode;
use crate::cli::args::{Cli, Command};

/// Carries a command out.
///
/// # Errors
/// Whatever keeps the command from its result; [`ExitCode::of_error`] maps it.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Stress(args) => stress::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Explain(args) => replay::explained(&args),
        Command::Fix(args) => fix::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Collect(args) => collect::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Conflicts(args) => conflicts::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::History(args) => history::run(&args),
        Command::Leaks(args) => leaks::run(&args),
        Command::Speedup(args) => speedup::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Reaper => {
            crate::run::process::reaper::reaper_main();
            Ok(ExitCode::Clean)
        }
        Command::Sandbox => {
            crate::run::sandbox::sandbox_main();
            Ok(ExitCode::Clean)
        }
    }
}
