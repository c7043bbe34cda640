//! The `jostle` command.

use jostle::cli::args::Cli;
use jostle::cli::{ExitCode, commands, wrong_usage};

/// What a shell says of a program that a closed pipe has ended.
const PIPE: u8 = 128 + 13;

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

fn main() -> std::process::ExitCode {
    let cli = match Cli::typed(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Clean };
            let words: Vec<String> =
                std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
            match wrong_usage::paragraph(&error, &words) {
                Some(paragraph) => anstream::eprintln!("jostle: {paragraph}"),
                // A closed terminal is no reason to fail twice.
                None => drop(error.print()),
            }
            return code.into();
        }
    };
    match commands::run(cli) {
        Ok(code) => code.into(),
        // Whoever read the results has seen enough, as with `| head`.
        Err(error) if is_broken_pipe(&error) => std::process::ExitCode::from(PIPE),
        Err(error) => {
            anstream::eprintln!("jostle: {error:#}");
            ExitCode::of_error(&error).into()
        }
    }
}
