//! The `jostle` command.

use clap::Parser;
use jostle::cli::args::Cli;
use jostle::cli::{ExitCode, commands, wrong_usage};

fn main() -> std::process::ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Clean };
            match wrong_usage::paragraph(&error) {
                Some(paragraph) => anstream::eprintln!("jostle: {paragraph}"),
                // A closed terminal is no reason to fail twice.
                None => drop(error.print()),
            }
            return code.into();
        }
    };
    match commands::run(cli) {
        Ok(code) => code.into(),
        Err(error) => {
            anstream::eprintln!("jostle: {error:#}");
            ExitCode::of_error(&error).into()
        }
    }
}
