//! One file a command.

pub mod suite_run;
pub mod ci;
pub mod history_recorder;
pub mod history;
pub mod stress;
pub mod replay;
pub mod replay_log;
pub mod verify;
pub mod collect;
pub mod conflicts;
pub mod plan;
pub mod night;
pub mod shard;
pub mod merge;
pub mod speedup;
pub mod demo;
pub mod shell;

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
        Command::Verify(args) => verify::run(&args),
        Command::Collect(args) => collect::run(&args),
        Command::Conflicts(args) => conflicts::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::History(args) => history::run(&args),
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
