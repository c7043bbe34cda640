//! What is shown on stderr while a session works. The one file that knows indicatif.

mod lines;
mod state;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plan::Configuration;
use crate::report::words;
use crate::session::{Event, Limits, Reporter};
use crate::suite::Suite;
use lines::Lines;
use state::{State, rounded};

/// How often a line tells how far it is where there is no bar.
const INTERVAL: Duration = Duration::from_secs(30);

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ProgressMode {
    /// A bar if stderr is a terminal, else lines.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// A line every half minute.
    Lines,
    /// Not at all.
    None,
}

impl ProgressMode {
    /// A bar, lines, or neither.
    fn resolved(self) -> Self {
        match self {
            Self::Auto if std::io::stderr().is_terminal() => Self::Bar,
            Self::Auto => Self::Lines,
            mode => mode,
        }
    }
}

/// A bar, or lines, on stderr.
struct Shown {
    bar: ProgressBar,
    /// Kept for its end.
    _lines: Option<Lines>,
}

impl Shown {
    /// Shows so many steps in this form, or a line that is made each time.
    fn new(
        mode: ProgressMode,
        length: Option<u64>,
        template: &str,
        line: impl Fn() -> String + Send + 'static,
    ) -> Self {
        let mode = mode.resolved();
        let target = match mode {
            ProgressMode::Bar => ProgressDrawTarget::stderr(),
            _ => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(length, target);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        if mode == ProgressMode::Bar {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        let say = move || anstream::eprintln!("{}", line());
        let lines = (mode == ProgressMode::Lines).then(|| Lines::every(INTERVAL, say));
        Self { bar, _lines: lines }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Has what shows on a screen go aside while something else is written there.
#[derive(Clone)]
pub(crate) struct Aside(ProgressBar);

impl Aside {
    /// Writes with nothing in the way.
    pub(crate) fn while_away<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }

    /// Where no progress is shown.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self(ProgressBar::hidden())
    }
}

/// The progress of a session, and a line for each isolation failure as it is found.
pub(crate) struct Progress {
    shown: Shown,
    state: Arc<Mutex<State>>,
    start: Instant,
    /// Whether each isolation failure has a line of its own as it is found.
    announces: bool,
}

impl Progress {
    /// Of a session with these limits. Findings are announced unless it is `quiet`.
    pub(crate) fn new(limits: &Limits, mode: ProgressMode, quiet: bool) -> Self {
        let template = if limits.trials.is_some() {
            "{spinner} [{bar:24}] trial {pos}/{len} {wide_msg}"
        } else {
            "{spinner} trial {pos} {wide_msg}"
        };
        Self::of(State::new(limits), limits.trials, mode, template, !quiet)
    }

    /// Of a replay, which tells what it found at its end, all at once.
    pub(crate) fn of_replay(limits: &Limits, mode: ProgressMode) -> Self {
        Self { announces: false, ..Self::new(limits, mode, true) }
    }

    /// Of runs that look at recorded failures again.
    pub(crate) fn of_verify(mode: ProgressMode) -> Self {
        Self::of(State::of_runs(), None, mode, "{spinner} {wide_msg}", false)
    }

    /// Has the bar go aside, if there is one.
    pub(crate) fn aside(&self) -> Aside {
        Aside(self.shown.bar.clone())
    }

    fn of(state: State, length: Option<u64>, mode: ProgressMode, template: &str, announces: bool) -> Self {
        let (state, start) = (Arc::new(Mutex::new(state)), Instant::now());
        let of_line = Arc::clone(&state);
        let line = move || {
            let state = of_line.lock().unwrap_or_else(PoisonError::into_inner);
            state.line(start.elapsed())
        };
        Self { shown: Shown::new(mode, length, template, line), state, start, announces }
    }
}

impl Reporter for Progress {
    fn notice(&mut self, suite: &Suite, event: &Event<'_>) {
        let at = self.start.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.notice(suite, event, at);
        let bar = &self.shown.bar;
        bar.set_position(state.trials());
        bar.set_message(state.status_line(at));
        drop(state);
        if let Event::Found(finding) = event
            && finding.kind.is_isolation_failure()
            && self.announces
        {
            bar.suspend(|| anstream::eprintln!("found {}", words::in_short(finding, suite)));
        }
    }
}

/// The progress of runs that are measured.
pub(crate) struct RunProgress {
    shown: Shown,
    runs: u64,
    first: Option<Instant>,
    doing: Arc<Mutex<String>>,
}

impl RunProgress {
    /// Of so many runs.
    pub(crate) fn new(runs: u64, mode: ProgressMode) -> Self {
        let doing = Arc::new(Mutex::new("collecting".to_owned()));
        let of_line = Arc::clone(&doing);
        let line = move || of_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let shown = Shown::new(mode, Some(runs), "{spinner} [{bar:24}] run {pos}/{len} {wide_msg}", line);
        shown.bar.set_message("collecting");
        Self { shown, runs, first: None, doing }
    }

    /// The next run starts.
    pub(crate) fn starts(&mut self, next: Configuration) {
        let elapsed = self.first.get_or_insert_with(Instant::now).elapsed();
        let done = self.shown.bar.position();
        let left = self.runs.saturating_sub(done);
        let left = match done {
            0 => String::new(),
            done => format!(", about {} left", rounded(elapsed.mul_f64(left as f64 / done as f64))),
        };
        let doing = format!("{}, {}{left}", words::count(next.workers as usize, "worker"), next.mode.name());
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) =
            format!("run {} of {}: {doing}", done + 1, self.runs);
        self.shown.bar.set_message(doing);
        self.shown.bar.inc(1);
    }
}
