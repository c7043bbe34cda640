//! What a session is doing and how far it is: a value, without a clock.

use std::time::Duration;

use crate::finding::Origin;
use crate::report::progress::row::{Rest, Row};
use crate::report::words;
use crate::session::{Event, Explain, Limits};
use crate::suite::Suite;

/// What the time of a session goes into, as far as it tells how long the rest takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Baseline,
    Races,
    Trials,
    Judging,
    Explaining,
    Fixing,
    Other,
}

/// How far a session is. Times are since its start.
#[derive(Clone, Debug)]
pub(super) struct State {
    limits: Limits,
    phase: Phase,
    doing: String,
    /// With what: the test that is looked into, or on how many workers. It is left out where there is no room.
    with: Option<String>,
    /// Runs of whichever sort that were made; none if they are not what is told.
    runs: Option<u64>,
    /// Isolation failures that were found.
    found: usize,
    /// The tests that the findings are about, by number.
    tests: Vec<Option<String>>,
    baseline: Row,
    races: Row,
    /// Seeded trials, or runs of a replayed plan.
    trials: Row,
    judging: Row,
    explaining: Row,
    fixing: Row,
}

impl State {
    /// Of a session with these limits, before anything has happened.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            phase: Phase::Other,
            doing: "collecting".into(),
            with: None,
            runs: None,
            found: 0,
            tests: Vec::new(),
            baseline: Row::of(1),
            races: Row::default(),
            trials: Row::of(limits.trials.unwrap_or_default()),
            judging: Row::default(),
            explaining: Row::default(),
            fixing: Row::default(),
        }
    }

    /// Of runs that find nothing new, of which it is not known how many they will be.
    pub(super) fn of_runs() -> Self {
        Self { runs: Some(0), ..Self::new(&Limits::default()) }
    }

    /// Takes in what happened, and when.
    pub(super) fn notice(&mut self, suite: &Suite, event: &Event<'_>, at: Duration) {
        match event {
            Event::Collected => self.does(format!("collected {}", words::count(suite.tests.len(), "test"))),
            Event::Started { origin, plan } => self.starts(*origin, plan.workers.len(), at),
            Event::Finished { origin, .. } => match origin {
                Origin::Trial(_) | Origin::Replay => self.trials.ends(at),
                Origin::Race(_) => self.races.ends(at),
                Origin::Baseline => self.baseline.ends(at),
                _ => {}
            },
            Event::Racing { left } => self.races.left = *left,
            Event::Investigating { test, waiting } => {
                self.turn_to(Phase::Judging, at);
                self.judging.begins(*waiting, at);
                self.looks_into("judging", self.judging, Some(suite.test(*test).id.to_string()));
            }
            Event::Explaining { of, waiting } => {
                self.turn_to(Phase::Explaining, at);
                self.explaining.begins(*waiting, at);
                self.looks_into("explaining", self.explaining, self.test_of(*of));
            }
            Event::Fixing { of, waiting } => {
                self.turn_to(Phase::Fixing, at);
                match of {
                    [of] => {
                        self.fixing.begins(*waiting, at);
                        self.looks_into("trying fix", self.fixing, self.test_of(*of));
                    }
                    several => self.does(format!("trying {} fixes together", several.len())),
                }
            }
            Event::Found(finding) => {
                self.found += usize::from(finding.kind.is_isolation_failure());
                self.tests.push(finding.test.map(|test| suite.test(test).id.to_string()));
            }
            Event::SamePolluter(_, told) => self.judging.drops(told.victims.len()),
            Event::Probed if self.runs.is_some() => {
                self.runs = self.runs.map(|runs| runs + 1);
                self.does(words::count(self.runs.unwrap_or_default() as usize, "run"));
            }
            Event::Folded(..) => {
                self.found = self.found.saturating_sub(1);
                self.explaining.drops(1);
            }
            Event::Joined(..) => self.judging.drops(1),
            _ => {}
        }
    }

    fn starts(&mut self, origin: Origin, workers: usize, at: Duration) {
        let phase = match origin {
            Origin::Trial(_) | Origin::Replay => Phase::Trials,
            Origin::Race(_) => Phase::Races,
            Origin::Baseline => Phase::Baseline,
            _ => Phase::Other,
        };
        self.turn_to(phase, at);
        let workers = words::count(workers, "worker");
        if let Some(row) = self.row() {
            row.goes_on(at);
        }
        self.doing = match phase {
            Phase::Races if self.races.left > 0 => format!("races, schedule {}", self.races.which()),
            Phase::Trials if self.limits.trials.is_some() => format!("trial {}", self.trials.which()),
            _ => words::origin(origin),
        };
        self.with = Some(workers);
    }

    fn does(&mut self, doing: String) {
        (self.doing, self.with) = (doing, None);
    }

    fn looks_into(&mut self, how: &str, row: Row, test: Option<String>) {
        (self.doing, self.with) = (format!("{how} {}", row.which()), test);
    }

    /// The test that a finding is about.
    fn test_of(&self, of: usize) -> Option<String> {
        self.tests.get(of).cloned().flatten()
    }

    /// The row of what is done at hand.
    fn row(&mut self) -> Option<&mut Row> {
        match self.phase {
            Phase::Baseline => Some(&mut self.baseline),
            Phase::Races => Some(&mut self.races),
            Phase::Trials => Some(&mut self.trials),
            Phase::Judging => Some(&mut self.judging),
            Phase::Explaining => Some(&mut self.explaining),
            Phase::Fixing => Some(&mut self.fixing),
            Phase::Other => None,
        }
    }

    /// What comes next is of this phase. What was looked into is over then; a run is over once it has ended.
    fn turn_to(&mut self, phase: Phase, at: Duration) {
        if phase != self.phase && matches!(self.phase, Phase::Judging | Phase::Explaining | Phase::Fixing) {
            self.row().into_iter().for_each(|row| row.ends(at));
        }
        self.phase = phase;
    }

    /// How long the rest takes, in words. Nothing if too little is known, or it would be over by what is known.
    pub(super) fn time_left(&self, at: Duration) -> Option<String> {
        let by_clock = self.limits.time.map(|time| time.saturating_sub(at));
        let by_count = self.limits.trials.and_then(|_| self.rest(at));
        match (by_count, by_clock) {
            (Some(rest), clock) if clock.is_none_or(|clock| rest.known < clock) => {
                let bound = if rest.has_more { "more than" } else { "about" };
                let says_little = rest.known.is_zero() || rest.has_more && rest.known < at / MUCH_MORE;
                (!says_little).then(|| format!("{bound} {} left", rounded(rest.known)))
            }
            (_, Some(clock)) => Some(format!("at most {} left", rounded(clock))),
            (_, None) => None,
        }
    }

    /// What is left of all phases; nothing before a trial has told how long one takes.
    fn rest(&self, at: Duration) -> Option<Rest> {
        let trials = match (self.trials.left, self.trials.ended) {
            (0, _) => Rest::default(),
            // What comes before them is not known, and a suite in one process says little of trials.
            (_, 0) => return None,
            _ => self.trials.rest(at),
        };
        let rows = [self.races, self.judging, self.explaining, self.fixing];
        let known = rows.iter().map(|row| row.rest(at)).fold(trials, Rest::and);
        // Fixes come last.
        let comes_more = self.found > 0 && self.limits.explain > Explain::No && self.phase != Phase::Fixing;
        Some(if comes_more { known.and(Rest::UNKNOWN) } else { known })
    }

    /// `2 found, about 1m left: judging 3 of 12, test_a.py::test_x`, in so many characters at most if a width is given.
    pub(super) fn status_line(&self, at: Duration, width: Option<usize>) -> String {
        if self.runs.is_some() {
            return self.doing.clone();
        }
        let before = self.short_line(at);
        let Some(with) = &self.with else { return before };
        // A file and a test of it are told by the ends of an id.
        let room = width.map_or(usize::MAX, |width| width.saturating_sub(before.chars().count() + 2));
        if room < SHORTEST { before } else { format!("{before}, {}", words::cut(with, room)) }
    }

    fn short_line(&self, at: Duration) -> String {
        let left = self.time_left(at).map_or_else(String::new, |left| format!(", {left}"));
        format!("{} found{left}: {}", self.found, self.doing)
    }

    /// The same for a terminal with so many columns, with a bar for the phase at hand where it is known how much there is, and
    /// there is room.
    pub(super) fn screen(&self, at: Duration, columns: usize) -> String {
        let mut state = self.clone();
        // How many trials a limit of time allows is not known.
        let is_counted = self.phase != Phase::Trials || self.limits.trials.is_some();
        let row = state.row().filter(|row| is_counted && row.ended + row.left > 1);
        let bar = row.map(|row| bar(row.ended, row.ended + row.left)).unwrap_or_default();
        let has_room = bar.chars().count() + self.short_line(at).chars().count() <= columns;
        let bar = if has_room { bar } else { String::new() };
        let width = columns.saturating_sub(bar.chars().count());
        bar + &words::cut(&self.status_line(at, Some(width)), width)
    }

    /// The same with the trials, for where no bar shows these.
    pub(super) fn line(&self, at: Duration) -> String {
        if self.runs.is_some() {
            return format!("after {}: {}", rounded(at), self.doing);
        }
        let of = self.limits.trials.map_or_else(String::new, |all| format!(" of {all}"));
        let (trials, status) = (self.trials.ended, self.status_line(at, None));
        format!("after {}: {trials}{of} trials done, {status}", rounded(at))
    }
}

/// Where there is more than is known, that is told only if it is at least this part of the time until then: `more than 1s left`
/// after a minute is of no use.
const MUCH_MORE: u32 = 4;

/// Characters below which the rest of an id says nothing.
const SHORTEST: usize = 12;

/// `[===>    ] `, of which so much is done.
pub(super) fn bar(done: u64, all: u64) -> String {
    let filled = (done * BAR as u64 / all.max(1)) as usize;
    let tip = if filled < BAR { ">" } else { "" };
    format!("[{:<BAR$}] ", "=".repeat(filled) + tip)
}

const BAR: usize = 12;

/// A time as people say it: in whole seconds, and from an hour on in whole minutes.
pub(super) fn rounded(time: Duration) -> humantime::FormattedDuration {
    let seconds = time.as_secs();
    let whole = if seconds < 3600 { seconds.max(1) } else { seconds / 60 * 60 };
    humantime::format_duration(Duration::from_secs(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::same_polluter::SamePolluter;
    use crate::finding::{Finding, Kind};
    use crate::judge::Signature;
    use crate::report::samples::unjudged;
    use crate::session::fake_engine::{failed, plan, suite, test};
    use crate::suite::{Test, TestId};
    use crate::trial::Trial;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A session of so many trials, or so long, and what is told of it after each second.
    struct Session {
        state: State,
        at: u64,
    }

    impl Session {
        fn new(trials: Option<u64>, time: Option<u64>) -> Self {
            let limits = Limits { trials, time: time.map(seconds), ..Limits::default() };
            Self { state: State::new(&limits), at: 0 }
        }

        /// What is told once this has happened, so many seconds after what was before.
        fn then(&mut self, after: u64, event: &Event<'_>) -> String {
            self.at += after;
            self.state.notice(&suite(9), event, seconds(self.at));
            self.state.status_line(seconds(self.at), None)
        }

        fn trials(&mut self, count: u64, each: u64) -> String {
            let (plan, trial) = (plan("ab|c"), Trial::of([]));
            let mut told = String::new();
            for _ in 0..count {
                let origin = Origin::Trial(self.state.trials.ended);
                self.then(0, &Event::Started { origin, plan: &plan });
                told = self.then(each, &Event::Finished { origin, plan: &plan, trial: &trial });
            }
            told
        }

        fn judged(&mut self, letter: char, waiting: usize, takes: u64) -> String {
            let told = self.then(0, &Event::Investigating { test: test(letter), waiting });
            self.at += takes;
            told
        }
    }

    #[test]
    fn what_is_done_is_told() {
        let mut session = Session::new(Some(20), None);
        assert_eq!(session.state.status_line(seconds(0), None), "0 found: collecting");
        assert_eq!(session.then(1, &Event::Collected), "0 found: collected 9 tests");
        let plan = plan("abc");
        let baseline = Event::Started { origin: Origin::Baseline, plan: &plan };
        assert_eq!(session.then(1, &baseline), "0 found: suite order, 1 worker");
        assert_eq!(session.trials(4, 2), "0 found, about 32s left: trial 4 of 20, 2 workers");
        let judging = "judging 1 of 3, test_b.py::b";
        assert_eq!(session.judged('b', 2, 10), format!("0 found, more than 32s left: {judging}"));
        // Each of the two that wait is taken to last as long as this one does.
        let finding = Finding::new(Kind::Victim, Some(test('b')), Origin::Trial(1));
        assert_eq!(
            session.then(0, &Event::Found(&finding)),
            format!("1 found, more than 52s left: {judging}"),
            "others are asked whether they fail after its polluter"
        );
        let explaining = "explaining 1 of 2, test_b.py::b";
        assert_eq!(
            session.then(0, &Event::Explaining { of: 0, waiting: 1 }),
            format!("1 found, more than 52s left: {explaining}")
        );
        assert_eq!(
            session.state.line(seconds(3661)),
            format!("after 1h 1m: 4 of 20 trials done, 1 found, more than 1h 1m left: {explaining}")
        );
    }

    #[test]
    fn what_is_left_of_the_trials_is_not_told_as_all_that_is_left() {
        let mut session = Session::new(Some(4), None);
        session.trials(4, 2);
        session.judged('b', 3, 10);
        let finding = Finding::new(Kind::Victim, Some(test('b')), Origin::Trial(1));
        session.then(0, &Event::Found(&finding));
        let told = SamePolluter {
            victims: ['c', 'd', 'e']
                .iter()
                .map(|&letter| Signature::of(test(letter), &failed("KeyError")).unwrap())
                .collect(),
            ..SamePolluter::default()
        };
        let judging = "1 found: judging 1 of 4, test_b.py::b";
        assert_eq!(session.then(0, &Event::SamePolluter(0, &told)), judging, "none of them waits any more");
        assert_eq!(
            session.then(0, &Event::Explaining { of: 0, waiting: 2 }),
            "1 found: explaining 1 of 3, test_b.py::b"
        );
        assert_eq!(
            session.then(7, &Event::Explaining { of: 0, waiting: 1 }),
            "1 found, more than 14s left: explaining 2 of 3, test_b.py::b"
        );
        assert_eq!(
            session.then(0, &Event::Folded(0, 0)),
            "0 found, about 7s left: explaining 2 of 3, test_b.py::b"
        );
        let fixing = "0 found: trying fix 1 of 2, test_b.py::b";
        assert_eq!(session.then(0, &Event::Fixing { of: &[0], waiting: 1 }), fixing);
        assert_eq!(
            session.then(0, &Event::Fixing { of: &[0, 0], waiting: 0 }),
            "0 found: trying 2 fixes together"
        );
    }

    #[test]
    fn what_waits_takes_as_long_as_what_was_looked_into() {
        let mut session = Session::new(Some(8), None);
        session.trials(8, 2);
        session.judged('b', 3, 10);
        assert_eq!(session.judged('c', 2, 6), "0 found, about 30s left: judging 2 of 4, test_c.py::c");
        assert_eq!(session.judged('d', 1, 0), "0 found, about 16s left: judging 3 of 4, test_d.py::d");
        assert_eq!(
            session.then(0, &Event::Joined(0, &unjudged())),
            "0 found, about 8s left: judging 3 of 4, test_d.py::d"
        );
        session.at += 60;
        assert_eq!(
            session.then(0, &Event::Collected),
            "0 found: collected 9 tests",
            "of one that takes longer nothing is known"
        );
    }

    #[test]
    fn a_limit_of_time_is_an_upper_bound() {
        let mut session = Session::new(None, Some(7200));
        assert_eq!(session.trials(3, 10), "0 found, at most 1h 59m left: trial 2, 2 workers");
        let line = session.state.screen(seconds(30), 80);
        assert!(line.starts_with("0 found, at most"), "of how many trials is not known: {line}");
        let mut both = Session::new(Some(5), Some(60));
        assert_eq!(both.state.status_line(seconds(0), None), "0 found, at most 1m left: collecting");
        assert_eq!(both.trials(1, 5), "0 found, about 20s left: trial 1 of 5, 2 workers");
        assert_eq!(both.state.time_left(seconds(50)).as_deref(), Some("at most 10s left"));
        assert_eq!(Session::new(None, None).trials(2, 1), "0 found: trial 1, 2 workers");
    }

    /// A session as it went, with what a terminal of so many columns shows at each of its steps.
    fn recorded(columns: usize) -> String {
        let id = |name: &str| {
            format!(
                "tests/integration/warehouse/test_{name}.py::TestStock::test_that_{name}_is_counted[two-of-them]"
            )
        };
        let test = |name: &str| Test {
            id: TestId { node_id: id(name), occurrence: 0 },
            file: "a.py".into(),
            line: None,
            group: None,
            rank: 0,
        };
        let names = ["kettles", "mugs", "pots", "saucers"];
        let suite = Suite::new(names.map(test).into(), Vec::new(), 0);
        let index = |name: &str| suite.find(&test(name).id).unwrap();
        let limits = Limits { trials: Some(3), ..Limits::default() };
        let mut state = State::new(&limits);
        let mut shown = String::new();
        let (plan, trial) = (plan("ab|c"), Trial::of([]));
        let found = |name: &str| Finding::new(Kind::Victim, Some(index(name)), Origin::Trial(1));
        let (mugs, pots) = (found("mugs"), found("pots"));
        let mut at = 0;
        let mut then = |after: u64, event: Event<'_>| {
            at += after;
            state.notice(&suite, &event, seconds(at));
            for later in [at, at + 9] {
                let line = state.screen(seconds(later), columns);
                assert!(line.chars().count() <= columns, "{line}");
                shown += &format!("{later:>4} s  {line}\n");
            }
        };
        let started = |origin| Event::Started { origin, plan: &plan };
        let finished = |origin| Event::Finished { origin, plan: &plan, trial: &trial };
        then(2, Event::Collected);
        then(0, started(Origin::Baseline));
        then(10, finished(Origin::Baseline));
        then(1, started(Origin::Alone));
        then(5, Event::Racing { left: 3 });
        for race in 0..3 {
            then(0, started(Origin::Race(race)));
            then(2, finished(Origin::Race(race)));
        }
        for number in 0..3 {
            then(0, started(Origin::Trial(number)));
            then(8, finished(Origin::Trial(number)));
        }
        then(0, Event::Investigating { test: index("mugs"), waiting: 1 });
        then(12, Event::Found(&mugs));
        then(0, Event::Investigating { test: index("pots"), waiting: 0 });
        then(40, Event::Found(&pots));
        then(0, Event::Explaining { of: 0, waiting: 1 });
        then(6, Event::Explaining { of: 1, waiting: 0 });
        then(9, Event::Fixing { of: &[0], waiting: 1 });
        then(20, Event::Fixing { of: &[1], waiting: 0 });
        then(20, Event::Fixing { of: &[0, 1], waiting: 0 });
        shown
    }

    #[test]
    fn a_session_is_shown_on_terminals_of_each_width_as_before() {
        for columns in [60, 80, 120] {
            insta::with_settings!({snapshot_path => "../../../tests/snapshots", prepend_module_to_snapshot => false, omit_expression => true}, {
                insta::assert_snapshot!(format!("progress__{columns}_columns"), recorded(columns));
            });
        }
    }
}
