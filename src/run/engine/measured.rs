//! A measured run: pytest's own loop or pytest-xdist's, against the clock.
//!
//! Unlike a trial it follows no plan. A plugin undoes the suite's own options and listens; who runs
//! what, and when, is decided by pytest and pytest-xdist alone.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::limits::{CLOSED, MEASURED_LOOK};
use crate::plan::Configuration;
use crate::run::RunError;
use crate::run::engine::fresh::SpawnEngine;
use crate::run::error::with_output;
use crate::run::process::pytest::{Heard, Process};
use crate::run::protocol::Message;
use crate::trial::MeasuredRun;

/// `PYTHONHASHSEED` of every measured run, so that all collect the same tests.
const HASH_SEED: u32 = 0;

/// Measures runs.
pub(crate) trait Stopwatch {
    /// Runs the whole suite once.
    ///
    /// # Errors
    /// pytest cannot be started, or the user interrupts. What pytest makes of the run is no error.
    fn measure(&mut self, configuration: Configuration) -> Result<MeasuredRun, RunError>;
}

impl Stopwatch for SpawnEngine {
    fn measure(&mut self, configuration: Configuration) -> Result<MeasuredRun, RunError> {
        let site = self.host.site()?;
        let mut command = self.host.command_with("jostle_harness.measure", &site.path, HASH_SEED);
        let Configuration { workers, mode } = configuration;
        command.env("JOSTLE_MEASURE", format!("{workers}:{}", mode.name()));
        // A worker is told from its controller by this variable.
        command.env_remove("PYTEST_XDIST_WORKER");
        let (sender, receiver) = channel();
        let start = Instant::now();
        let mut process = self.host.start_untold(command, site.place(), (), &sender)?;
        let watched = self.attend(&mut process, &receiver, start);
        let how = self.host.ended(&mut process, Duration::ZERO);
        let (mut run, in_time) = watched?;
        if run.start_up.is_zero() {
            run.start_up = run.duration;
        }
        self.host.took(run.duration);
        let why = match (in_time, &run.broken_off) {
            (true, None) => return Ok(run),
            (true, Some(_)) => format!("pytest {} without telling of its tests", how.unwrap_or_default()),
            (false, _) => format!("pytest took longer than {} s and was ended", run.duration.as_secs()),
        };
        run.broken_off = Some(with_output(&why, &process.output()));
        Ok(run)
    }
}

impl SpawnEngine {
    /// Listens until the process has ended, or its time is up, which the second value denies. The
    /// channel's end tells neither: a test may have closed it, or left a process that holds it open.
    fn attend(
        &self,
        process: &mut Process,
        receiver: &Receiver<((), Heard)>,
        start: Instant,
    ) -> Result<(MeasuredRun, bool), RunError> {
        let limit = self.host.limit();
        let mut run = MeasuredRun { broken_off: Some(String::new()), ..MeasuredRun::default() };
        let mut open = true;
        loop {
            if self.host.options.interrupt.is_set() {
                return Err(RunError::Interrupted);
            }
            let ended = process.has_ended();
            run.duration = start.elapsed();
            if ended {
                let last = Instant::now();
                while open && run.broken_off.is_some() && last.elapsed() < CLOSED {
                    open = hear(&mut run, receiver.recv_timeout(MEASURED_LOOK), start);
                }
                return Ok((run, true));
            }
            if run.duration > limit {
                return Ok((run, false));
            }
            if open {
                open = hear(&mut run, receiver.recv_timeout(MEASURED_LOOK), start);
            } else {
                std::thread::sleep(MEASURED_LOOK);
            }
        }
    }
}

/// Takes in what was heard; tells whether more may come.
fn hear(run: &mut MeasuredRun, heard: Result<((), Heard), RecvTimeoutError>, start: Instant) -> bool {
    match heard {
        Ok((_, Heard::Message(Message::First))) => run.start_up = start.elapsed(),
        Ok((_, Heard::Message(Message::Measured { work, tests, errors, .. }))) => {
            run.work = Duration::try_from_secs_f64(work).unwrap_or_default();
            run.tests = tests;
            run.errors = errors;
            run.broken_off = None;
        }
        Ok((_, Heard::Closed)) | Err(RecvTimeoutError::Disconnected) => return false,
        Ok(_) | Err(RecvTimeoutError::Timeout) => {}
    }
    true
}
