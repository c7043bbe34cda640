//! Programs that are run on the machine as it is, as they reach servers that stay outside of the trials.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::running::{log, words};
use crate::limits::{SERVICE_LOOK, SERVICE_PREPARATION};
use crate::run::RunError;
use crate::run::process::interrupt::Interrupt;

/// Runs a program to its end, with nothing to read. If it fails, what it said comes with why: `exit status: 1. It said: …`.
///
/// # Errors
/// It cannot be started, the user interrupts, or a file for what it says cannot be made.
pub(super) fn run(command: &mut Command, interrupt: &Interrupt) -> Result<Result<(), String>, RunError> {
    let said = log()?;
    let io = |source| RunError::io("cannot make a temporary file", source);
    command.stdin(Stdio::null()).stdout(said.try_clone().map_err(io)?).stderr(said.try_clone().map_err(io)?);
    // What it starts ends with it.
    command.process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let ended = ended(&mut child, interrupt);
    if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
        // All of it may have ended.
        let _ = kill_process_group(group, Signal::KILL);
    }
    match ended? {
        Some(status) if status.success() => Ok(Ok(())),
        Some(status) => Ok(Err(with_words(&status.to_string(), said))),
        None => {
            // It was killed, and its status says no more than that.
            let _ = child.wait();
            let late = format!("it has not ended after {} s", SERVICE_PREPARATION.as_secs());
            Ok(Err(with_words(&late, said)))
        }
    }
}

/// How it ended; nothing if it did not in time.
fn ended(child: &mut Child, interrupt: &Interrupt) -> Result<Option<ExitStatus>, RunError> {
    let until = Instant::now() + SERVICE_PREPARATION;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) =
            child.try_wait().map_err(|source| RunError::io("cannot wait for a process", source))?
        {
            return Ok(Some(status));
        }
        if interrupt.is_set() {
            return Err(RunError::Interrupted);
        }
        if Instant::now() > until {
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = SERVICE_LOOK.min(pause * 2);
    }
}

fn with_words(what: &str, said: File) -> String {
    format!("{what}. {}", words(said))
}
