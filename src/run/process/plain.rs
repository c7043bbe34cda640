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

impl PlainRun {
    /// Whether pytest was ended in the middle of a test. A test that ends its process may choose pytest's own codes for
    /// that, and then there is no summary.
    pub(crate) fn broke_off(&self) -> bool {
        match self.code {
            _ if self.timed_out => false,
            Some(0) => false,
            // pytest's codes, and one of pytest-xdist's.
            Some(1..=6) => !self.output.lines().any(is_of_an_end),
            _ => true,
        }
    }
}

/// Whether a line of pytest's is printed only at its end: a failure of the summary, how long all took, or a usage error.
fn is_of_an_end(line: &str) -> bool {
    let took = || {
        let (_, time) = line.trim_matches(['=', ' ']).rsplit_once(" in ")?;
        time.split(' ').next()?.strip_suffix('s')?.parse::<f64>().ok()
    };
    ["FAILED ", "ERROR ", "ERROR: "].iter().any(|start| line.starts_with(start)) || took().is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_a_test_has_ended_is_told_from_a_pytest_that_came_to_its_end() {
        let broke_off =
            |code, output: &str| PlainRun { code, timed_out: false, output: output.to_owned() }.broke_off();
        let ended = "collected 1 item\n\ntest_a.py F\n=== 1 failed in 0.02s ===\n";
        assert!(!broke_off(Some(1), ended));
        assert!(!broke_off(Some(1), "F\n1 failed, 2 passed in 61.02s (0:01:01)\n"));
        assert!(!broke_off(Some(1), "FAILED test_a.py::test - assert 0\n"));
        assert!(!broke_off(Some(4), "ERROR: usage: pytest [options]\n"));
        assert!(!broke_off(Some(0), "collected 1 item\n"));
        assert!(broke_off(Some(1), "collected 1 item\n\ntest_a.py "));
        assert!(broke_off(Some(3), "collected 1 item\n\ntest_a.py .in 3 steps"));
        assert!(broke_off(Some(77), ended) && broke_off(None, ""));
        assert!(!PlainRun { code: None, timed_out: true, output: String::new() }.broke_off());
    }
}
