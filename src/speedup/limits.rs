//! What limits a run: the parts of its time, and the time that no run can fall below.
//!
//! A run on `n` workers takes at least as long as its longest unit (a test, or what a mode keeps on
//! one worker), and at least an even share of all tests (Graham 1969); starting, collecting and ending
//! come on top. What a measured run takes beyond an even share is split into [`Parts`] that add up to
//! its time, and the largest of them is what limits it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use crate::plan::Mode;
use crate::plan::schedulers::unit;
use crate::suite::{Suite, Test, TestIndex};

/// A part below this share of a run's time is not said to limit it.
const NOTABLE: f64 = 0.1;
/// Where the tests' own code is less than this share of their time, its slowing down says nothing.
const TELLING: f64 = 0.05;

/// What a mode keeps on one worker, with the time it takes there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unit {
    /// Node id of the test, or name of the scope, file or group.
    pub name: String,
    /// How many tests it has.
    pub tests: usize,
    /// Seconds in the reference.
    pub seconds: f64,
}

/// The longest unit of a mode, from the seconds of each test by index. None of an empty suite.
pub(crate) fn longest_unit(mode: Mode, suite: &Suite, seconds: &[f64]) -> Option<Unit> {
    let mut units: HashMap<Cow<'_, str>, Unit> = HashMap::new();
    for ((index, test), seconds) in (0..).zip(&suite.tests).zip(seconds) {
        let key = unit(mode, test).unwrap_or_else(|| Cow::Owned(alone(TestIndex(index), test)));
        let name = || unit(mode, test).map_or_else(|| test.id.to_string(), Cow::into_owned);
        let unit = units.entry(key).or_insert_with(|| Unit { name: name(), tests: 0, seconds: 0.0 });
        unit.tests += 1;
        unit.seconds += seconds;
    }
    // The name decides between equals, so that the same runs give the same report.
    units.into_values().max_by(|a, b| a.seconds.total_cmp(&b.seconds).then_with(|| b.name.cmp(&a.name)))
}

/// A key that two tests with the same node id do not share.
fn alone(index: TestIndex, test: &Test) -> String {
    format!("{}#{}", index.0, test.id.node_id)
}

/// Seconds that no run falls below: the longest unit or an even share of the tests, and what a run
/// needs besides its tests.
pub(crate) fn bound(workers: u32, total: f64, longest: f64, start_up: f64) -> f64 {
    longest.max(total / f64::from(workers)) + start_up
}

/// Seconds of the tests on one worker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Serial {
    /// All tests with their fixtures.
    pub total: f64,
    /// Of these, the tests' own code.
    pub call: f64,
    /// The longest unit of the mode.
    pub(crate) longest: f64,
}

/// What was measured with a configuration, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// The whole run.
    pub seconds: f64,
    /// From the start of the first test to the end of the last.
    pub work: f64,
    /// All tests with their fixtures, added up over the workers.
    pub total: f64,
    /// Of these, the tests' own code.
    pub call: f64,
}

/// Where the time of a run goes, in seconds; together they are the run's time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Parts {
    /// An even share of the tests, as long as they take on one worker: what stays with an ideal
    /// distribution.
    pub share: f64,
    /// What the longest unit takes beyond that.
    pub(crate) longest: f64,
    /// What these take longer beside other workers than alone.
    pub(crate) slowdown: f64,
    /// Fixtures that are set up on more than one worker.
    pub fixtures: f64,
    /// Workers that wait because the tests were not shared out evenly. Less than nothing if the longest
    /// unit, or an even share, took less than on one worker.
    pub idle: f64,
    /// Starting, collecting and ending, pytest-xdist's part included.
    pub(crate) start_up: f64,
}

/// What limits a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// Nothing but the number of workers.
    Workers,
    /// The longest test, or what the mode keeps on one worker.
    LongestUnit,
    /// More workers than cores: the tests wait for a core.
    Cores,
    /// The tests slow each other down though there are cores enough.
    Slowdown,
    /// Fixtures of a wide scope, set up once for each worker.
    Fixtures,
    /// The distribution leaves workers idle.
    Distribution,
    /// Starting, collecting and ending.
    StartUp,
}

impl Parts {
    /// Splits the time of a run.
    pub fn new(workers: u32, serial: Serial, observed: Observed) -> Self {
        let workers = f64::from(workers);
        let share = serial.total / workers;
        let longest = (serial.longest - share).max(0.0);
        let telling = serial.call > serial.total * TELLING;
        let factor = if telling { (observed.call / serial.call).max(1.0) } else { 1.0 };
        let slowdown = (share + longest) * (factor - 1.0);
        let fixtures = (observed.total - serial.total * factor).max(0.0) / workers;
        Self {
            share,
            longest,
            slowdown,
            fixtures,
            idle: observed.work - share - longest - slowdown - fixtures,
            start_up: observed.seconds - observed.work,
        }
    }

    /// The parts together: the run's time.
    pub fn seconds(&self) -> f64 {
        self.share + self.longest + self.slowdown + self.fixtures + self.idle + self.start_up
    }

    /// The largest part beside the even share, if it matters.
    pub fn limit(&self, workers: u32, cores: u32) -> Limit {
        let slowdown = if workers > cores { Limit::Cores } else { Limit::Slowdown };
        let parts = [
            (self.longest, Limit::LongestUnit),
            (self.slowdown, slowdown),
            (self.fixtures, Limit::Fixtures),
            (self.idle, Limit::Distribution),
            (self.start_up, Limit::StartUp),
        ];
        let notable = parts.into_iter().filter(|(seconds, _)| *seconds >= self.seconds() * NOTABLE);
        notable.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(Limit::Workers, |(_, limit)| limit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::suite::TestId;

    fn suite(ids: &[&str]) -> Suite {
        let test = |id: &&str| Test {
            id: TestId { node_id: (*id).into(), occurrence: 0 },
            file: id.split("::").next().unwrap_or_default().into(),
            line: None,
            group: None,
            rank: 0,
        };
        Suite::new(ids.iter().map(test).collect(), Vec::new(), 0)
    }

    fn limit(workers: u32, cores: u32, serial: (f64, f64, f64), observed: (f64, f64, f64, f64)) -> Limit {
        let serial = Serial { total: serial.0, call: serial.1, longest: serial.2 };
        let (seconds, work, total, call) = observed;
        Parts::new(workers, serial, Observed { seconds, work, total, call }).limit(workers, cores)
    }

    #[test]
    fn the_longest_unit_is_that_of_the_mode() {
        let suite = suite(&["a.py::A::x", "a.py::A::y", "a.py::B::z", "b.py::long"]);
        let seconds = [1.0, 1.5, 1.0, 2.0];
        let named = |mode| longest_unit(mode, &suite, &seconds).unwrap();
        assert_eq!(named(Mode::Load), Unit { name: "b.py::long".into(), tests: 1, seconds: 2.0 });
        assert_eq!(named(Mode::Loadscope), Unit { name: "a.py::A".into(), tests: 2, seconds: 2.5 });
        assert_eq!(named(Mode::Loadfile), Unit { name: "a.py".into(), tests: 3, seconds: 3.5 });
        assert_eq!(longest_unit(Mode::Load, &self::suite(&[]), &[]), None);
    }

    #[test]
    fn the_largest_loss_is_named() {
        let even = (8.0, 8.0, 0.5);
        assert_eq!(limit(4, 4, even, (2.1, 2.0, 8.0, 8.0)), Limit::Workers);
        assert_eq!(limit(4, 4, even, (3.5, 2.0, 8.0, 8.0)), Limit::StartUp);
        assert_eq!(limit(4, 2, even, (4.1, 4.0, 16.0, 16.0)), Limit::Cores);
        assert_eq!(limit(4, 8, even, (4.1, 4.0, 16.0, 16.0)), Limit::Slowdown);
        assert_eq!(limit(4, 8, even, (3.6, 3.5, 8.0, 8.0)), Limit::Distribution);
        assert_eq!(limit(4, 8, (8.0, 6.0, 0.5), (3.6, 3.5, 14.0, 6.0)), Limit::Fixtures);
        assert_eq!(limit(4, 8, (8.0, 8.0, 5.0), (5.3, 5.0, 8.0, 8.0)), Limit::LongestUnit);
    }

    proptest! {
        #[test]
        fn the_parts_are_the_whole(
            workers in 1_u32..64,
            (call, fixtures, longest) in (0.0..1e3_f64, 0.0..1e3_f64, 0.0..1e3_f64),
            (work, rest, slower, more) in (0.0..1e3_f64, 0.0..1e2_f64, 0.5..8.0_f64, 0.0..1e3_f64),
        ) {
            let serial = Serial { total: call + fixtures, call, longest };
            let call = call * slower;
            let observed = Observed { seconds: work + rest, work, total: call + fixtures + more, call };
            let parts = Parts::new(workers, serial, observed);
            prop_assert!((parts.seconds() - observed.seconds).abs() < 1e-6, "{parts:?}");
            let least = parts.share.min(parts.longest).min(parts.slowdown).min(parts.fixtures);
            prop_assert!(least >= 0.0, "{parts:?}");
        }

        #[test]
        fn no_distribution_falls_below_the_bound(
            seconds in proptest::collection::vec(0.001..10.0_f64, 1..60),
            workers in 1_usize..9,
            start_up in 0.0..3.0_f64,
        ) {
            let mut loads = vec![0.0_f64; workers];
            for (turn, time) in seconds.iter().enumerate() {
                loads[turn % workers] += time;
            }
            let slowest = loads.into_iter().fold(0.0, f64::max);
            let longest = seconds.iter().copied().fold(0.0, f64::max);
            let least = bound(workers as u32, seconds.iter().sum(), longest, start_up);
            prop_assert!(least <= slowest + start_up + 1e-9);
        }
    }
}
