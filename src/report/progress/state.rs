//! What a session is doing and how far it is: a value, without a clock.

use std::time::Duration;

use crate::finding::Origin;
use crate::report::words;
use crate::session::{Event, Explain, Limits};
use crate::suite::Suite;

/// What the time of a session goes into, as far as it tells how long the rest takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busy {
    Trials,
    Judging,
    Explaining,
    Other,
}

/// How far a session is. Times are since its start.
#[derive(Clone, Debug)]
pub(super) struct State {
    limits: Limits,
    doing: String,
    /// Runs of whichever sort that were made; none if they are not what is told.
    runs: Option<u64>,
    /// Isolation failures that were found.
    found: usize,
    /// Seeded trials, or runs of a replayed plan, that have ended.
    trials: u64,
    /// The tests that the findings are about, by number.
    tests: Vec<Option<String>>,
    judging: Row,
    explaining: Row,
    busy: Busy,
    since: Duration,
    in_trials: Duration,
}

/// Of what is done one after the other.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    /// How many were begun, the one at hand among them, and how many wait after it.
    begun: usize,
    waiting: usize,
    /// What all of them took so far.
    took: Duration,
}

impl Row {
    /// The next one begins, and so many wait after it.
    fn begins(&mut self, waiting: usize) {
        (self.begun, self.waiting) = (self.begun + 1, waiting);
    }

    /// `3 of 12, test_a.py::test_x`.
    fn which(&self, test: &str) -> String {
        format!("{} of {}, {test}", self.begun, self.begun + self.waiting)
    }

    /// What those that wait take, as long each as those that were ended; nothing where none was.
    fn rest(&self) -> Option<Duration> {
        match (self.waiting, self.begun.saturating_sub(1)) {
            (0, _) => Some(Duration::ZERO),
            (_, 0) => None,
            (waits, ended) => Some(self.took.mul_f64(waits as f64 / ended as f64)),
        }
    }
}

impl State {
    /// Of a session with these limits, before anything has happened.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            doing: "collecting".into(),
            runs: None,
            found: 0,
            trials: 0,
            tests: Vec::new(),
            judging: Row::default(),
            explaining: Row::default(),
            busy: Busy::Other,
            since: Duration::ZERO,
            in_trials: Duration::ZERO,
        }
    }

    /// Of runs that find nothing new, of which it is not known how many they will be.
    pub(super) fn of_runs() -> Self {
        Self { runs: Some(0), ..Self::new(&Limits::default()) }
    }

    /// Seeded trials, or runs of a replayed plan, that have ended.
    pub(super) fn trials(&self) -> u64 {
        self.trials
    }

    /// Takes in what happened, and when.
    pub(super) fn notice(&mut self, suite: &Suite, event: &Event<'_>, at: Duration) {
        match event {
            Event::Collected => self.doing = format!("collected {}", words::count(suite.tests.len(), "test")),
            Event::Started { origin, plan } => {
                let seeded = matches!(origin, Origin::Trial(_) | Origin::Replay);
                self.turn_to(if seeded { Busy::Trials } else { Busy::Other }, at);
                let workers = words::count(plan.workers.len(), "worker");
                self.doing = format!("{}, {workers}", words::origin(*origin));
            }
            Event::Finished { origin: Origin::Trial(_) | Origin::Replay, .. } => {
                self.turn_to(Busy::Trials, at);
                self.trials += 1;
            }
            Event::Investigating { test, waiting } => {
                self.turn_to(Busy::Judging, at);
                self.judging.begins(*waiting);
                self.doing = format!("judging {}", self.judging.which(&suite.test(*test).id.to_string()));
            }
            Event::Explaining { of, waiting } => {
                self.turn_to(Busy::Explaining, at);
                self.explaining.begins(*waiting);
                self.doing = format!("explaining {}", self.explaining.which(self.test_of(*of)));
            }
            Event::Fixing { of, waiting } => {
                self.turn_to(Busy::Other, at);
                self.doing = match of {
                    [of] => format!("trying a fix for {}, {waiting} to come", self.test_of(*of)),
                    several => format!("trying {} fixes together", several.len()),
                };
            }
            Event::Found(finding) => {
                self.found += usize::from(finding.kind.is_isolation_failure());
                self.tests.push(finding.test.map(|test| suite.test(test).id.to_string()));
            }
            Event::SamePolluter(_, told) => {
                self.judging.waiting = self.judging.waiting.saturating_sub(told.victims.len());
            }
            Event::Probed if self.runs.is_some() => {
                self.runs = self.runs.map(|runs| runs + 1);
                self.doing = words::count(self.runs.unwrap_or_default() as usize, "run");
            }
            Event::Folded(..) => {
                self.found = self.found.saturating_sub(1);
                self.explaining.waiting = self.explaining.waiting.saturating_sub(1);
            }
            Event::Joined(..) => self.judging.waiting = self.judging.waiting.saturating_sub(1),
            _ => {}
        }
    }

    /// The test that a finding is about.
    fn test_of(&self, of: usize) -> &str {
        self.tests.get(of).and_then(Option::as_deref).unwrap_or_default()
    }

    fn turn_to(&mut self, busy: Busy, at: Duration) {
        let spent = at.saturating_sub(self.since);
        match self.busy {
            Busy::Trials => self.in_trials += spent,
            Busy::Judging => self.judging.took += spent,
            Busy::Explaining => self.explaining.took += spent,
            Busy::Other => {}
        }
        (self.busy, self.since) = (busy, at);
    }

    /// How long the rest takes, in words: for the trials as long as those before, for each failure or finding that waits
    /// as long as those that were looked into. Nothing if too little is known.
    pub(super) fn time_left(&self, at: Duration) -> Option<String> {
        let by_clock = self.limits.time.map(|time| time.saturating_sub(at));
        let by_count = self.limits.trials.and_then(|all| self.rest(all.saturating_sub(self.trials)));
        match (by_count, by_clock) {
            (Some((left, bound)), clock) if clock.is_none_or(|clock| left < clock) => {
                (!left.is_zero()).then(|| format!("{bound} {} left", rounded(left)))
            }
            (_, Some(clock)) => Some(format!("at most {} left", rounded(clock))),
            (_, None) => None,
        }
    }

    /// What trials that are left and what waits take, and whether that is about all: fixes come last, and nothing tells
    /// what they take.
    fn rest(&self, trials_left: u64) -> Option<(Duration, &'static str)> {
        let trials = match (trials_left, self.trials) {
            (0, _) => Duration::ZERO,
            (_, 0) => return None,
            (left, done) => self.in_trials.mul_f64(left as f64 / done as f64),
        };
        let known = [self.judging.rest(), self.explaining.rest()];
        let comes_more = known.contains(&None) || self.found > 0 && self.limits.explain > Explain::No;
        let waits: Duration = known.into_iter().flatten().sum();
        Some((trials + waits, if comes_more { "more than" } else { "about" }))
    }

    /// `2 found, about 1m left: judging 3 of 12, test_a.py::test_x`.
    pub(super) fn status_line(&self, at: Duration) -> String {
        if self.runs.is_some() {
            return self.doing.clone();
        }
        let left = self.time_left(at).map_or_else(String::new, |left| format!(", {left}"));
        format!("{} found{left}: {}", self.found, self.doing)
    }

    /// The same with the trials, for where no bar shows these.
    pub(super) fn line(&self, at: Duration) -> String {
        if self.runs.is_some() {
            return format!("after {}: {}", rounded(at), self.doing);
        }
        let of = self.limits.trials.map_or_else(String::new, |all| format!(" of {all}"));
        format!("after {}: {}{of} trials done, {}", rounded(at), self.trials, self.status_line(at))
    }
}

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
            self.state.status_line(seconds(self.at))
        }

        fn trials(&mut self, count: u64, each: u64) -> String {
            let (plan, trial) = (plan("ab|c"), Trial::of([]));
            let mut told = String::new();
            for _ in 0..count {
                let origin = Origin::Trial(self.state.trials());
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
        assert_eq!(session.state.status_line(seconds(0)), "0 found: collecting");
        assert_eq!(session.then(1, &Event::Collected), "0 found: collected 9 tests");
        let plan = plan("abc");
        let baseline = Event::Started { origin: Origin::Baseline, plan: &plan };
        assert_eq!(session.then(1, &baseline), "0 found: suite order, 1 worker");
        assert_eq!(session.trials(4, 2), "0 found, about 32s left: trial 3, 2 workers");
        let judging = "judging 1 of 3, test_b.py::b";
        assert_eq!(session.judged('b', 2, 10), format!("0 found, more than 32s left: {judging}"));
        let finding = Finding::new(Kind::Victim, Some(test('b')), Origin::Trial(1));
        assert_eq!(
            session.then(0, &Event::Found(&finding)),
            format!("1 found, more than 32s left: {judging}"),
            "others are asked whether they fail after its polluter"
        );
        let explaining = "explaining 1 of 2, test_b.py::b";
        assert_eq!(
            session.then(0, &Event::Explaining { of: 0, waiting: 1 }),
            format!("1 found, more than 32s left: {explaining}")
        );
        assert_eq!(
            session.state.line(seconds(3661)),
            format!("after 1h 1m: 4 of 20 trials done, 1 found, more than 32s left: {explaining}")
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
            "1 found, more than 7s left: explaining 2 of 3, test_b.py::b"
        );
        assert_eq!(session.then(0, &Event::Folded(0, 0)), "0 found: explaining 2 of 3, test_b.py::b");
        let fixing = "0 found: trying a fix for test_b.py::b, 1 to come";
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
        assert_eq!(session.judged('c', 2, 6), "0 found, about 20s left: judging 2 of 4, test_c.py::c");
        assert_eq!(session.judged('d', 1, 0), "0 found, about 8s left: judging 3 of 4, test_d.py::d");
        assert_eq!(session.then(0, &Event::Joined(0, &unjudged())), "0 found: judging 3 of 4, test_d.py::d");
    }

    #[test]
    fn a_limit_of_time_is_an_upper_bound() {
        let mut session = Session::new(None, Some(7200));
        assert_eq!(session.trials(3, 10), "0 found, at most 1h 59m left: trial 2, 2 workers");
        let mut both = Session::new(Some(5), Some(60));
        assert_eq!(both.state.status_line(seconds(0)), "0 found, at most 1m left: collecting");
        assert_eq!(both.trials(1, 5), "0 found, about 20s left: trial 0, 2 workers");
        assert_eq!(both.state.time_left(seconds(50)).as_deref(), Some("at most 10s left"));
        assert_eq!(Session::new(None, None).trials(2, 1), "0 found: trial 1, 2 workers");
    }
}
