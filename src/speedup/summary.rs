//! From the runs of each configuration to a table's rows and what they say together.

use crate::plan::{Configuration, Mode};
use crate::speedup::Timing;
use crate::speedup::limits::{self, Limit, Observed, Parts, Serial, Unit};
use crate::speedup::outcomes::{Difference, Expected};
use crate::speedup::statistics::{Estimate, median};
use crate::suite::{Suite, TestIndex};

/// What the runs of one configuration say.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which.
    pub configuration: Configuration,
    /// Seconds of each run, in the order in which they were run.
    pub seconds: Vec<f64>,
    /// Their middle; none if there was no run.
    pub(crate) estimate: Option<Estimate>,
    /// The reference's median over this one's. None if a run differs from the reference.
    pub speedup: Option<f64>,
    /// The speedup over the ideal one, which is the number of workers, however many cores there are.
    pub efficiency: Option<f64>,
    /// Seconds that no run of it falls below.
    pub bound: f64,
    /// The longest of what stays on one worker.
    pub unit: Option<Unit>,
    /// Where its time goes. None if a run differs.
    pub parts: Option<Parts>,
    /// What limits it. None of the reference, or if a run differs.
    pub limit: Option<Limit>,
    /// The runs that did something else than the reference.
    pub differing: Differing,
}

/// Runs of a configuration that did something else than the reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differing {
    /// How many.
    pub runs: usize,
    /// What the first of them did.
    pub(crate) differences: Vec<Difference>,
    /// What kept the first of them from its tests.
    pub trouble: Option<String>,
}

/// What all runs say.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// The cores that this process may use.
    pub cores: u32,
    /// Seconds of all tests on one worker.
    pub total: f64,
    /// Seconds that a run on one worker needs besides its tests: starting, collecting and ending.
    pub(crate) start_up: f64,
    /// The configurations, the reference first.
    pub rows: Vec<Row>,
    /// The fastest configuration of those that did the same as the reference.
    pub(crate) best: Option<Configuration>,
    /// The one with the fewest workers whose median is within the spread of the best.
    pub enough: Option<Configuration>,
    /// How many tests failed in the reference.
    pub failing: usize,
    /// Tests that did not come to the same in every run of the reference.
    pub(crate) unsteady: Vec<TestIndex>,
}

/// Sums up. `warm_up` is a run of the reference that is not counted; `runs` holds the counted runs of
/// each configuration.
pub fn summarise(
    suite: &Suite,
    cores: u32,
    warm_up: &Timing,
    runs: &[(Configuration, Vec<Timing>)],
) -> Summary {
    let counted = runs.iter().find(|(configuration, _)| *configuration == Configuration::REFERENCE);
    let counted: Vec<Timing> = counted.map(|(_, runs)| runs.clone()).unwrap_or_default();
    let expected = Expected::new(suite.tests.len(), &[std::slice::from_ref(warm_up), &counted].concat());
    let base = if counted.is_empty() { std::slice::from_ref(warm_up) } else { &counted };
    let reference = Reference::new(suite, cores, base);
    let rows: Vec<Row> =
        runs.iter().map(|(configuration, runs)| reference.row(*configuration, runs, &expected)).collect();
    let (best, enough) = stops_paying(&rows);
    Summary {
        cores,
        total: reference.total,
        start_up: reference.start_up,
        rows,
        best,
        enough,
        failing: expected.failing(),
        unsteady: expected.unsteady(),
    }
}

/// What is known of the runs on one worker.
struct Reference<'a> {
    suite: &'a Suite,
    cores: u32,
    median: f64,
    start_up: f64,
    total: f64,
    call: f64,
    /// The median of each test, by index.
    tests: Vec<f64>,
}

impl<'a> Reference<'a> {
    fn new(suite: &'a Suite, cores: u32, runs: &[Timing]) -> Self {
        let middle = |value: &dyn Fn(&Timing) -> f64| {
            median(&runs.iter().map(value).collect::<Vec<_>>()).unwrap_or_default()
        };
        let of_test = |test: usize| {
            let times = runs.iter().filter_map(|run| run.tests.get(test).copied().flatten());
            median(&times.map(|time| time.total()).collect::<Vec<_>>()).unwrap_or_default()
        };
        Self {
            suite,
            cores,
            median: middle(&|run| run.seconds),
            start_up: middle(&|run| run.seconds - run.work),
            total: middle(&|run| run.totals().0),
            call: middle(&|run| run.totals().1),
            tests: (0..suite.tests.len()).map(of_test).collect(),
        }
    }

    fn row(&self, configuration: Configuration, runs: &[Timing], expected: &Expected) -> Row {
        let Configuration { workers, mode } = configuration;
        let seconds: Vec<f64> = runs.iter().map(|run| run.seconds).collect();
        let estimate = Estimate::of(&seconds);
        let differing = differing(runs, expected);
        let unit = limits::longest_unit(mode, self.suite, &self.tests);
        let longest = unit.as_ref().map_or(0.0, |unit| unit.seconds);
        let same = estimate.filter(|_| differing.runs == 0);
        let speedup = same.filter(|now| now.median > 0.0).map(|now| self.median / now.median);
        let parts = same.and_then(|_| self.parts(workers, longest, runs));
        let is_reference = configuration == Configuration::REFERENCE;
        Row {
            configuration,
            estimate,
            speedup,
            efficiency: speedup.map(|speedup| speedup / f64::from(workers)),
            bound: limits::bound(workers, self.total, self.longest_in(mode, longest), self.start_up),
            unit,
            parts,
            limit: parts.filter(|_| !is_reference).map(|parts| parts.limit(workers, self.cores)),
            differing,
            seconds,
        }
    }

    /// On one worker everything is one unit.
    fn longest_in(&self, mode: Mode, longest: f64) -> f64 {
        if mode == Mode::No { self.total } else { longest }
    }

    fn parts(&self, workers: u32, longest: f64, runs: &[Timing]) -> Option<Parts> {
        let middle = |value: &dyn Fn(&Timing) -> f64| median(&runs.iter().map(value).collect::<Vec<_>>());
        let observed = Observed {
            seconds: middle(&|run| run.seconds)?,
            work: middle(&|run| run.work)?,
            total: middle(&|run| run.totals().0)?,
            call: middle(&|run| run.totals().1)?,
        };
        Some(Parts::new(workers, Serial { total: self.total, call: self.call, longest }, observed))
    }
}

fn differing(runs: &[Timing], expected: &Expected) -> Differing {
    let mut found = Differing::default();
    for run in runs {
        let differences = expected.differences(run);
        if run.trouble.is_none() && differences.is_empty() {
            continue;
        }
        if found.runs == 0 {
            found.differences = differences;
            found.trouble.clone_from(&run.trouble);
        }
        found.runs += 1;
    }
    found
}

/// The fastest row, and the one with the fewest workers that is not slower by more than the best's
/// spread. The faster of two with the same number of workers.
fn stops_paying(rows: &[Row]) -> (Option<Configuration>, Option<Configuration>) {
    let valid = || rows.iter().filter(|row| row.differing.runs == 0);
    let timed = || valid().filter_map(|row| Some((row.configuration, row.estimate?)));
    let Some((best, fastest)) = timed().min_by(|a, b| a.1.median.total_cmp(&b.1.median)) else {
        return (None, None);
    };
    let most = fastest.median + fastest.spread.unwrap_or_default();
    let enough = timed()
        .filter(|(_, estimate)| estimate.median <= most)
        .min_by(|a, b| a.0.workers.cmp(&b.0.workers).then(a.1.median.total_cmp(&b.1.median)));
    (Some(best), enough.map(|(configuration, _)| configuration))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speedup::timing::TestTime;
    use crate::suite::{Test, TestId};
    use crate::trial::Verdict;

    fn suite() -> Suite {
        let test = |name: &str| Test {
            id: TestId { node_id: format!("t.py::{name}"), occurrence: 0 },
            file: "t.py".into(),
            line: None,
            group: None,
            rank: 0,
        };
        Suite::new(vec![test("long"), test("short")], Vec::new(), 0)
    }

    fn run(seconds: f64, work: f64, verdict: Verdict) -> Timing {
        let time = |call| Some(TestTime { verdict, fixtures: 0.0, call });
        let tests = vec![time(3.0), time(1.0)];
        Timing { seconds, start_up: 0.5, work, tests, trouble: None }
    }

    fn load(workers: u32) -> Configuration {
        Configuration { workers, mode: Mode::Load }
    }

    #[test]
    fn rows_tell_speedup_bound_and_limit() {
        let passed = |seconds, work| run(seconds, work, Verdict::Passed);
        let one = passed(5.0, 4.0);
        let runs = [
            (Configuration::REFERENCE, vec![one.clone(), one.clone()]),
            (load(2), vec![passed(4.2, 3.0), passed(4.0, 3.0)]),
            (load(4), vec![passed(4.0, 3.0), passed(4.1, 3.0)]),
        ];
        let summary = summarise(&suite(), 4, &one, &runs);
        assert_eq!((summary.total, summary.start_up), (4.0, 1.0));
        let bounds: Vec<f64> = summary.rows.iter().map(|row| row.bound).collect();
        assert_eq!(bounds, [5.0, 4.0, 4.0]);
        let two = &summary.rows[1];
        assert_eq!(two.unit.as_ref().map(|unit| unit.name.as_str()), Some("t.py::long"));
        assert!((two.speedup.unwrap() - 5.0 / 4.1).abs() < 1e-9);
        assert!((two.efficiency.unwrap() - 2.5 / 4.1).abs() < 1e-9);
        assert_eq!(summary.rows[2].limit, Some(Limit::LongestUnit));
        assert_eq!(summary.rows[0].limit, None);
        assert_eq!((summary.best, summary.enough), (Some(load(4)), Some(load(2))));
    }

    #[test]
    fn a_run_that_differs_gives_no_speedup() {
        let one = run(5.0, 4.0, Verdict::Passed);
        let failed = run(1.0, 0.5, Verdict::Failed);
        let runs = [(Configuration::REFERENCE, vec![one.clone()]), (load(2), vec![one.clone(), failed])];
        let summary = summarise(&suite(), 4, &one, &runs);
        let row = &summary.rows[1];
        assert_eq!((row.speedup, row.efficiency, row.limit), (None, None, None));
        assert_eq!((row.differing.runs, row.differing.differences.len()), (1, 2));
        assert!(row.estimate.is_some());
        assert_eq!(summary.enough, Some(Configuration::REFERENCE));
    }

    #[test]
    fn an_interrupted_session_is_summed_up_as_far_as_it_came() {
        let one = run(5.0, 4.0, Verdict::Passed);
        let runs = [(Configuration::REFERENCE, vec![]), (load(2), vec![])];
        let summary = summarise(&suite(), 4, &one, &runs);
        assert_eq!((summary.total, summary.best), (4.0, None));
        assert!(summary.rows.iter().all(|row| row.estimate.is_none() && row.speedup.is_none()));
    }
}
