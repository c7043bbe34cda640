//! `jostle completions` and `jostle man`: what shells and readers of manuals know of the command line. The one file
//! that knows their generators.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::ExitCode;
use crate::cli::args::{Cli, CompletionsArgs, ManArgs};
use crate::cli::commands::suite_run::STDOUT;
use crate::cli::values::UsageError;

/// Writes a shell's completions to standard output.
///
/// # Errors
/// It cannot be written.
pub(crate) fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "jostle", &mut script);
    print(&script)
}

/// Writes a page of the manual to standard output.
///
/// # Errors
/// There is no such command, or it cannot be written.
pub(crate) fn man(args: &ManArgs) -> anyhow::Result<ExitCode> {
    // Built, so that commands have what all of them share.
    let mut all = Cli::command();
    all.build();
    let page = match &args.command {
        None => all,
        Some(name) => {
            let found =
                all.get_subcommands().find(|command| command.get_name() == name && !command.is_hide_set());
            found.cloned().ok_or_else(|| {
                UsageError(format!("there is no command `{name}` to show the manual of. See `jostle --help`"))
            })?
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).context("cannot write the manual")?;
    if std::io::stdout().is_terminal() {
        let command = args.command.as_ref().map_or_else(String::new, |command| format!(" {command}"));
        anstream::eprintln!("this is roff, which `jostle man{command} | man -l -` shows");
    }
    print(&text)
}

fn print(text: &[u8]) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    out.write_all(text).and_then(|()| out.flush()).context(STDOUT)?;
    Ok(ExitCode::Clean)
}
