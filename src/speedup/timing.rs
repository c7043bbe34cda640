//! One measured run, told by the tests of the suite.

use std::collections::HashMap;

use crate::plan::Mode;
use crate::suite::{Suite, TestId, TestIndex};
use crate::trial::{MeasuredRun, Verdict};

/// What a test was and took in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TestTime {
    /// What became of it.
    pub(crate) verdict: Verdict,
    /// Seconds of its setup and teardown: its fixtures, those of a wider scope included where it was
    /// the first or last to use them.
    pub(crate) fixtures: f64,
    /// Seconds of its own code.
    pub(crate) call: f64,
}

impl TestTime {
    /// Seconds of all its phases.
    pub(crate) fn total(&self) -> f64 {
        self.fixtures + self.call
    }
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Timing {
    /// Seconds of the whole run.
    pub(crate) seconds: f64,
    /// Seconds before the first test.
    pub(crate) start_up: f64,
    /// Seconds from the start of the first test to the end of the last.
    pub(crate) work: f64,
    /// By [`TestIndex`]; nothing for a test that did not run.
    pub(crate) tests: Vec<Option<TestTime>>,
    /// Why the run says nothing of its tests, or of some of them.
    pub(crate) trouble: Option<String>,
}

impl Timing {
    /// Finds the tests of a run in the suite. Those that the suite does not know are left out.
    pub(crate) fn new(suite: &Suite, mode: Mode, run: &MeasuredRun) -> Self {
        // In this mode xdist appends a test's group to its node id.
        let named = |id: &str, occurrence| TestId { node_id: id.to_owned(), occurrence };
        let grouped: HashMap<String, &str> = match mode {
            Mode::Loadgroup => {
                let long = |group: &String, id: &str| format!("{id}@{group}");
                let tests = suite.tests.iter();
                tests.filter_map(|t| Some((long(t.group.as_ref()?, &t.id.node_id), &*t.id.node_id))).collect()
            }
            _ => HashMap::new(),
        };
        let mut tests = vec![None; suite.tests.len()];
        let mut seen: HashMap<&str, u32> = HashMap::new();
        for test in &run.tests {
            let id = grouped.get(&test.0).copied().unwrap_or(&test.0);
            let occurrence = seen.entry(id).or_default();
            if let Some(TestIndex(index)) = suite.find(&named(id, *occurrence)) {
                let time = TestTime { verdict: test.1, fixtures: test.2 + test.4, call: test.3 };
                tests[index as usize] = Some(time);
            }
            *occurrence += 1;
        }
        Self {
            seconds: run.duration.as_secs_f64(),
            start_up: run.start_up.as_secs_f64(),
            work: run.work.as_secs_f64(),
            tests,
            trouble: trouble(suite, run),
        }
    }

    /// Seconds of all tests together, and of those the calls.
    pub(crate) fn totals(&self) -> (f64, f64) {
        let tests = self.tests.iter().flatten();
        tests.fold((0.0, 0.0), |(total, call), test| (total + test.total(), call + test.call))
    }
}

/// What kept a run from its tests: its end, or an error in collecting that the suite does not have
/// when jostle collects it, such as xdist's complaint that its workers collected different tests.
fn trouble(suite: &Suite, run: &MeasuredRun) -> Option<String> {
    let known = |id: &str| suite.errors.iter().any(|error| error.node_id == id);
    let unknown = run.errors.iter().find(|(id, _)| !known(id));
    let words = |(id, error): &(String, String)| {
        let line = error.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        format!("could not collect {id}: {}", line.trim())
    };
    run.broken_off.clone().or_else(|| unknown.map(words))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::suite::Test;
    use crate::trial::MeasuredTest;

    fn suite(tests: &[(&str, u32, Option<&str>)]) -> Suite {
        let test = |&(id, occurrence, group): &(&str, u32, Option<&str>)| Test {
            id: TestId { node_id: id.into(), occurrence },
            file: "t.py".into(),
            line: None,
            group: group.map(Into::into),
            rank: 0,
        };
        Suite::new(tests.iter().map(test).collect(), Vec::new(), 0)
    }

    #[test]
    fn tests_are_found_by_id_and_occurrence_and_without_the_group_that_xdist_appends() {
        let suite = suite(&[("t.py::a", 0, Some("g")), ("t.py::b", 0, None), ("t.py::b", 1, None)]);
        let ran = |id: &str, seconds| MeasuredTest(id.into(), Verdict::Passed, 0.5, seconds, 0.25);
        let run = MeasuredRun {
            duration: Duration::from_secs(9),
            tests: vec![ran("t.py::b", 2.0), ran("t.py::a@g", 1.0), ran("t.py::b", 3.0), ran("t.py::x", 7.0)],
            ..MeasuredRun::default()
        };
        let timing = Timing::new(&suite, Mode::Loadgroup, &run);
        let calls: Vec<f64> = timing.tests.iter().map(|test| test.unwrap().call).collect();
        assert_eq!(calls, [1.0, 2.0, 3.0]);
        assert_eq!(timing.totals(), (8.25, 6.0));
        assert_eq!(Timing::new(&suite, Mode::Load, &run).tests[0], None);
    }
}
