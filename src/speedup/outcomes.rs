//! Whether a run did the same work as the reference: time saved by failing early is none.

use std::collections::BTreeSet;

use crate::speedup::Timing;
use crate::suite::TestIndex;
use crate::trial::Verdict;

/// What each test came to in the runs of the reference, by index; nothing if it did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected(Vec<BTreeSet<Option<Verdict>>>);

/// A test that came to something else than in any run of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Which.
    pub(crate) test: TestIndex,
    /// What it came to; nothing if it did not run.
    pub(crate) seen: Option<Verdict>,
    /// What it came to in every run of the reference.
    pub(crate) expected: Option<Verdict>,
}

impl Expected {
    /// From the runs of the reference that came to their end.
    pub(crate) fn new(tests: usize, reference: &[Timing]) -> Self {
        let seen = |test: usize| {
            let verdict = |run: &Timing| run.tests.get(test).copied().flatten().map(|time| time.verdict);
            reference.iter().filter(|run| run.trouble.is_none()).map(verdict).collect()
        };
        Self((0..tests).map(seen).collect())
    }

    /// The tests that do not come to the same in every run of the reference. They say nothing of a
    /// run that is compared with it.
    pub(crate) fn unsteady(&self) -> Vec<TestIndex> {
        let tests = (0..).zip(&self.0);
        tests.filter(|(_, seen)| seen.len() > 1).map(|(test, _)| TestIndex(test)).collect()
    }

    /// How many tests failed in a run of the reference.
    pub(crate) fn failing(&self) -> usize {
        self.0.iter().filter(|seen| seen.contains(&Some(Verdict::Failed))).count()
    }

    /// Where a run differs.
    pub(crate) fn differences(&self, run: &Timing) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (test, expected) in (0_u32..).zip(&self.0) {
            let seen = run.tests.get(test as usize).copied().flatten().map(|time| time.verdict);
            if expected.len() == 1 && !expected.contains(&seen) {
                let expected = expected.first().copied().flatten();
                differences.push(Difference { test: TestIndex(test), seen, expected });
            }
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speedup::timing::TestTime;

    fn run(verdicts: &[Option<Verdict>]) -> Timing {
        let time = |verdict| TestTime { verdict, fixtures: 0.0, call: 1.0 };
        Timing { tests: verdicts.iter().map(|verdict| verdict.map(time)).collect(), ..Timing::default() }
    }

    #[test]
    fn a_test_that_wavers_in_the_reference_says_nothing() {
        let (passed, failed) = (Some(Verdict::Passed), Some(Verdict::Failed));
        let expected = Expected::new(3, &[run(&[passed, passed, None]), run(&[passed, failed, None])]);
        assert_eq!(expected.unsteady(), [TestIndex(1)]);
        assert_eq!(expected.failing(), 1);
        assert_eq!(expected.differences(&run(&[passed, None, None])), []);
        let seen: Vec<_> = expected.differences(&run(&[None, failed, passed]));
        let difference = |test, seen, expected| Difference { test: TestIndex(test), seen, expected };
        assert_eq!(seen, [difference(0, None, passed), difference(2, passed, None)]);
    }
}
