//! What is shown on stderr while a session works. The one file that knows indicatif.

mod lines;
mod row;
mod state;
mod steps;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plan::Configuration;
use crate::report::words;
use crate::session::{Event, Limits, Reporter};
use crate::suite::Suite;
use lines::Lines;
use row::Row;
use state::{State, bar, rounded};

pub(crate) use steps::LeaksProgress;

/// How often a line tells how far it is where there is no bar.
const INTERVAL: Duration = Duration::from_secs(30);

/// How often a bar tells it.
const TICK: Duration = Duration::from_secs(1);

/// Columns of a terminal that does not tell how many it has.
const COLUMNS: usize = 80;

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
    /// Shows a text that is made each time: for a terminal with so many columns, or for a line of a log.
    fn new(mode: ProgressMode, text: impl Fn(Option<usize>) -> String + Send + 'static) -> Self {
        let mode = mode.resolved();
        let target = match mode {
            ProgressMode::Bar => ProgressDrawTarget::stderr(),
            _ => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        let lines = match mode {
            ProgressMode::Bar => {
                bar.enable_steady_tick(Duration::from_millis(120));
                let shown = bar.clone();
                Some(Lines::every(TICK, move || shown.set_message(text(Some(columns())))))
            }
            ProgressMode::Lines => {
                Some(Lines::every(INTERVAL, move || anstream::eprintln!("{}", text(None))))
            }
            ProgressMode::Auto | ProgressMode::None => None,
        };
        Self { bar, _lines: lines }
    }
}

/// Columns for the text on standard error, beside what turns.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0).unwrap_or(COLUMNS) - 2
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
        Self::of(State::new(limits), mode, !quiet)
    }

    /// Of a replay, which tells what it found at its end, all at once.
    pub(crate) fn of_replay(limits: &Limits, mode: ProgressMode) -> Self {
        Self { announces: false, ..Self::new(limits, mode, true) }
    }

    /// Of runs that look at recorded failures again.
    pub(crate) fn of_verify(mode: ProgressMode) -> Self {
        Self::of(State::of_runs(), mode, false)
    }

    /// Has the bar go aside, if there is one.
    pub(crate) fn aside(&self) -> Aside {
        Aside(self.shown.bar.clone())
    }

    fn of(state: State, mode: ProgressMode, announces: bool) -> Self {
        let (state, start) = (Arc::new(Mutex::new(state)), Instant::now());
        let shown = Arc::clone(&state);
        let text = move |columns: Option<usize>| {
            let state = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let at = start.elapsed();
            columns.map_or_else(|| state.line(at), |columns| state.screen(at, columns))
        };
        Self { shown: Shown::new(mode, text), state, start, announces }
    }
}

impl Reporter for Progress {
    fn notice(&mut self, suite: &Suite, event: &Event<'_>) {
        let at = self.start.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.notice(suite, event, at);
        let bar = &self.shown.bar;
        bar.set_message(state.screen(at, columns()));
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
    measuring: Arc<Mutex<Measuring>>,
    start: Instant,
}

/// How far runs that are measured are. Times are since the start.
#[derive(Clone, Debug)]
struct Measuring {
    runs: Row,
    doing: Option<Configuration>,
}

impl Measuring {
    /// `run 3 of 8: 2 workers, load, about 10s left`.
    fn line(&self, at: Duration) -> String {
        let Some(doing) = self.doing else {
            return "collecting".into();
        };
        let rest = self.runs.rest(at);
        let left = match (rest.known.is_zero(), rest.has_more) {
            (true, _) => String::new(),
            (_, true) => format!(", more than {} left", rounded(rest.known)),
            (_, false) => format!(", about {} left", rounded(rest.known)),
        };
        let workers = words::count(doing.workers as usize, "worker");
        format!("run {}: {workers}, {}{left}", self.runs.which(), doing.mode.name())
    }
}

impl RunProgress {
    /// Of so many runs.
    pub(crate) fn new(runs: u64, mode: ProgressMode) -> Self {
        let (start, measuring) = (Instant::now(), Measuring { runs: Row::of(runs), doing: None });
        let measuring = Arc::new(Mutex::new(measuring));
        let shown = Arc::clone(&measuring);
        let text = move |columns: Option<usize>| {
            let state = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let line = state.line(start.elapsed());
            let Row { ended, left, .. } = state.runs;
            columns.map_or_else(
                || line.clone(),
                |columns| bar(ended, ended + left) + &words::cut(&line, columns),
            )
        };
        Self { shown: Shown::new(mode, text), measuring, start }
    }

    /// The next run starts.
    pub(crate) fn starts(&mut self, next: Configuration) {
        let at = self.start.elapsed();
        let mut state = self.measuring.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = state.runs.left.saturating_sub(if state.doing.is_some() { 2 } else { 1 });
        state.runs.begins(waiting as usize, at);
        state.doing = Some(next);
        let Row { ended, left, .. } = state.runs;
        self.shown.bar.set_message(bar(ended, ended + left) + &state.line(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Mode;

    #[test]
    fn runs_that_are_measured_are_counted_and_what_is_left_is_told() {
        let seconds = Duration::from_secs;
        let mut measuring = Measuring { runs: Row::of(3), doing: None };
        assert_eq!(measuring.line(seconds(1)), "collecting");
        measuring.doing = Some(Configuration { workers: 2, mode: Mode::Load });
        measuring.runs.begins(2, seconds(2));
        assert_eq!(measuring.line(seconds(2)), "run 1 of 3: 2 workers, load");
        measuring.runs.begins(1, seconds(12));
        assert_eq!(measuring.line(seconds(14)), "run 2 of 3: 2 workers, load, about 18s left");
        measuring.runs.begins(0, seconds(22));
        assert_eq!(measuring.line(seconds(60)), "run 3 of 3: 2 workers, load");
    }
}
