//! A plain pytest run, as the user would start it: to try a command before it is shown.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::run::RunError;
use crate::run::interrupt::Interrupt;
use crate::run::workspace::TrialFolder;

/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What a plain run showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainRun {
    /// pytest's exit code; none if it was ended by a signal.
    pub code: Option<i32>,
    /// Whether it took longer than it was given.
    pub timed_out: bool,
    /// What it printed.
    pub output: String,
}

/// Runs a command to its end, or until its time is up.
///
/// # Errors
/// It cannot be started, or the user interrupts.
pub fn run(
    mut command: Command,
    folder: &TrialFolder,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<PlainRun, RunError> {
    let path = folder.path.join("output");
    let io = |source| RunError::io("cannot try the pytest command", source);
    let file = File::create(&path).map_err(io)?;
    command.stdin(Stdio::null()).stdout(file.try_clone().map_err(io)?).stderr(file).process_group(0);
    let mut child = command.spawn().map_err(io)?;
    let group = Pid::from_child(&child);
    let start = Instant::now();
    let ended = loop {
        if let Some(status) = child.try_wait().map_err(io)? {
            break Some(status);
        }
        if interrupt.is_set() || start.elapsed() > limit {
            break None;
        }
        std::thread::sleep(LOOK);
    };
    let _ = kill_process_group(group, Signal::KILL);
    if ended.is_none() {
        child.wait().map_err(io)?;
        if interrupt.is_set() {
            return Err(RunError::Interrupted);
        }
    }
    let output =
        std::fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).map_err(io)?;
    Ok(PlainRun { code: ended.and_then(|status| status.code()), timed_out: ended.is_none(), output })
}
