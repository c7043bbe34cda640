//! What is shown on stderr while a session works. The one file that knows indicatif.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::finding::Origin;
use crate::plan::Configuration;
use crate::report::words;
use crate::session::{Event, Limits, Reporter};
use crate::suite::Suite;

/// A progress bar on stderr, if that is a terminal, and a line there for each isolation failure as it is
/// found.
pub(crate) struct Progress {
    bar: ProgressBar,
    limits: Limits,
    start: Instant,
    found: usize,
    /// Whether each isolation failure has a line of its own as it is found.
    announces: bool,
    doing: String,
}

impl Progress {
    /// A bar for a session with these limits; nothing at all if `quiet`.
    pub(crate) fn new(limits: &Limits, quiet: bool) -> Self {
        let template = if limits.trials.is_some() {
            "{spinner} [{bar:24}] trial {pos}/{len} {wide_msg}"
        } else {
            "{spinner} trial {pos} {wide_msg}"
        };
        Self {
            bar: bar(limits.trials, template, quiet),
            limits: limits.clone(),
            start: Instant::now(),
            found: 0,
            announces: !quiet,
            doing: "collecting".into(),
        }
    }

    /// A bar for a replay, which tells what it found at its end, all at once.
    pub fn of_replay(limits: &Limits, quiet: bool) -> Self {
        let mut progress = Self::new(limits, quiet);
        progress.announces = false;
        progress
    }

    fn time_left(&self) -> Option<Duration> {
        let elapsed = self.start.elapsed();
        let by_clock = self.limits.time.map(|time| time.saturating_sub(elapsed));
        let done = self.bar.position();
        let by_count = self
            .limits
            .trials
            .filter(|_| done > 0)
            .map(|all| elapsed.mul_f64(all.saturating_sub(done) as f64 / done as f64));
        by_clock.into_iter().chain(by_count).min()
    }

    fn show(&self) {
        let left = self.time_left().map_or_else(String::new, |left| format!(", {}", about(left)));
        self.bar.set_message(format!("{} found{left}: {}", self.found, self.doing));
    }
}

/// A bar; hidden if `quiet`, or if stderr is no terminal.
fn bar(length: Option<u64>, template: &str, quiet: bool) -> ProgressBar {
    let shown = std::io::stderr().is_terminal() && !quiet;
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(length, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn about(left: Duration) -> String {
    format!("about {} left", humantime::format_duration(Duration::from_secs(left.as_secs() + 1)))
}

/// A progress bar for runs that are measured.
pub(crate) struct RunProgress {
    bar: ProgressBar,
    first: Option<Instant>,
}

impl RunProgress {
    /// A bar for so many runs; hidden if `quiet`.
    pub(crate) fn new(runs: u64, quiet: bool) -> Self {
        let bar = bar(Some(runs), "{spinner} [{bar:24}] run {pos}/{len} {wide_msg}", quiet);
        bar.set_message("collecting");
        Self { bar, first: None }
    }

    /// The next run starts.
    pub(crate) fn starts(&mut self, next: Configuration) {
        let elapsed = self.first.get_or_insert_with(Instant::now).elapsed();
        let done = self.bar.position();
        let left = self.bar.length().unwrap_or_default().saturating_sub(done);
        let left = match done {
            0 => String::new(),
            done => format!(", {}", about(elapsed.mul_f64(left as f64 / done as f64))),
        };
        let workers = words::count(next.workers as usize, "worker");
        self.bar.set_message(format!("{workers}, {}{left}", next.mode.name()));
        self.bar.inc(1);
    }
}

impl Drop for RunProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Reporter for Progress {
    fn notice(&mut self, suite: &Suite, event: &Event<'_>) {
        match event {
            Event::Collected => self.doing = format!("collected {}", words::count(suite.tests.len(), "test")),
            Event::Started { origin, plan } => {
                self.doing =
                    format!("{}, {}", words::origin(*origin), words::count(plan.workers.len(), "worker"));
            }
            Event::Finished { origin: Origin::Trial(index), .. } => self.bar.set_position(index + 1),
            Event::Investigating { test, waiting } => {
                self.doing = format!("looking into {} ({waiting} more wait)", suite.test(*test).id);
            }
            Event::Found(finding) if finding.kind.is_isolation_failure() => {
                self.found += 1;
                if self.announces {
                    self.bar.suspend(|| anstream::eprintln!("found {}", words::in_short(finding, suite)));
                }
            }
            _ => {}
        }
        self.show();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
