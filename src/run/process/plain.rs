//! A plain pytest run, as the user would start it: to try a command before it is shown.

use std::io::{Read, Seek};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::limits::TICK;
use crate::run::RunError;
use crate::run::process::interrupt::Interrupt;
use crate::run::process::pytest::start;
use crate::run::sandbox::Exit;
use crate::run::site::trial_env::SpawnTarget;

/// What a plain run showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlainRun {
    /// pytest's exit code; none if it was ended by a signal.
    pub code: Option<i32>,
    /// Whether it took longer than it was given.
    pub(crate) timed_out: bool,
    /// What it printed.
    pub output: String,
}

/// Runs a command to its end, or until its time is up.
///
/// # Errors
/// It cannot be started, or the user interrupts.
pub(crate) fn run(
    command: Command,
    place: SpawnTarget<'_>,
    memory: Option<u64>,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<PlainRun, RunError> {
    let io = |source| RunError::io("cannot try the pytest command", source);
    let mut file = tempfile::tempfile().map_err(io)?;
    let output = file.try_clone().map_err(io)?.into();
    let mut ending = start(command, place, memory, output, None)?.ending;
    let since = Instant::now();
    let mut ended = false;
    while !ended && !interrupt.is_set() && since.elapsed() <= limit {
        ended = ending.ends_within(TICK);
    }
    ending.signal(Signal::KILL);
    let exit = ending.reap();
    if !ended && interrupt.is_set() {
        return Err(RunError::Interrupted);
    }
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(io)?;
    let code = match exit {
        Some(Exit::Code(code)) if ended => Some(code),
        _ => None,
    };
    Ok(PlainRun { code, timed_out: !ended, output: String::from_utf8_lossy(&bytes).into_owned() })
}
