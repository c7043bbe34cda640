//! Programs that are run on the machine as it is, as they reach servers that stay outside of the trials.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

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
    let ended = ended(&child, interrupt);
    // Until it is reaped, no other group can have its number.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let status = child.wait().map_err(|source| RunError::io("cannot wait for a process", source))?;
    match ended? {
        true if status.success() => Ok(Ok(())),
        true => Ok(Err(with_words(&status.to_string(), said))),
        // It was killed, and its status says no more than that.
        false => {
            let late = format!("it has not ended after {} s", SERVICE_PREPARATION.as_secs());
            Ok(Err(with_words(&late, said)))
        }
    }
}

/// Whether it ends in time.
fn ended(child: &Child, interrupt: &Interrupt) -> Result<bool, RunError> {
    let until = Instant::now() + SERVICE_PREPARATION;
    let mut pause = Duration::from_millis(1);
    let unreaped = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    loop {
        let found = waitid(WaitId::Pid(Pid::from_child(child)), unreaped);
        if found.map_err(|error| RunError::io("cannot wait for a process", error.into()))?.is_some() {
            return Ok(true);
        }
        if interrupt.is_set() {
            return Err(RunError::Interrupted);
        }
        if Instant::now() > until {
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause = SERVICE_LOOK.min(pause * 2);
    }
}

fn with_words(what: &str, said: File) -> String {
    format!("{what}. {}", words(&said))
}
