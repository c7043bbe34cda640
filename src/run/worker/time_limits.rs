//! How long each test may take. One that was seen to pass quickly, and nothing else, is known to hang long before
//! `--test-timeout` is over, so that forks give it less: a hang is run dozens of times before its cause is found.
//!
//! That a test hangs is never believed on that alone. The first run that is cut short is made again with the whole
//! limit, and so is each in a fresh process, which has no other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::limits::{QUICK_LIMIT, QUICK_PASS};
use crate::suite::TestIndex;
use crate::trial::{Execution, Outcome, Trial};

/// How long a trial may take, and each test in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimits<'a> {
    /// The whole trial.
    pub(crate) trial: Duration,
    /// A test: `--test-timeout`.
    pub(crate) test: Duration,
    /// What is known of the tests, if those that pass quickly are given less.
    pub(crate) pace: Option<&'a Pace>,
}

impl TimeLimits<'_> {
    /// How long a test may take.
    pub(crate) fn of(&self, test: TestIndex) -> Duration {
        match self.pace {
            Some(pace) if pace.is_quick(test) => QUICK_LIMIT.min(self.test),
            _ => self.test,
        }
    }
}

/// How fast the tests of a suite were seen to be.
#[derive(Debug, Default)]
pub(crate) struct Pace(Mutex<BTreeMap<TestIndex, Seen>>);

/// What was seen of a test.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The longest that it took to end.
    longest: Option<Duration>,
    /// Whether it was seen to take the whole limit.
    hangs: bool,
}

impl Pace {
    /// Notes how long the tests of a trial took, in which the whole limit was this.
    pub(crate) fn learn(&self, trial: &Trial, limit: Duration) {
        let mut tests = self.tests();
        for run in &trial.executions {
            match run.outcome {
                Outcome::Timeout { limit: own } => {
                    tests.entry(run.test).or_default().hangs |= own >= limit;
                }
                Outcome::Crashed { .. } | Outcome::NotRun { .. } => {}
                _ => {
                    let longest = &mut tests.entry(run.test).or_default().longest;
                    *longest = (*longest).max(Some(run.duration));
                }
            }
        }
    }

    /// Whether a trial ended a test early that was not seen to hang before.
    pub(crate) fn is_in_doubt(&self, trial: &Trial, limit: Duration) -> bool {
        let tests = self.tests();
        let hangs = |test: TestIndex| tests.get(&test).is_some_and(|seen| seen.hangs);
        ended_early(trial, limit).any(|run| !hangs(run.test))
    }

    fn is_quick(&self, test: TestIndex) -> bool {
        self.tests().get(&test).and_then(|seen| seen.longest).is_some_and(|longest| longest <= QUICK_PASS)
    }

    fn tests(&self) -> MutexGuard<'_, BTreeMap<TestIndex, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of two trials of one plan tells what the tests do: the first, which ended some of them early, or the second, which
/// gave each the whole limit. What ended quickly in the second hangs at times, and that is what the first has shown.
pub(crate) fn truer(first: Trial, second: Trial, limit: Duration) -> Trial {
    let is_slow = |run: &Execution| run.duration > QUICK_PASS;
    let slow = ended_early(&first, limit)
        .any(|early| second.executions.iter().any(|run| run.test == early.test && is_slow(run)));
    if slow { second } else { first }
}

fn ended_early(trial: &Trial, limit: Duration) -> impl Iterator<Item = &Execution> {
    let is_early =
        move |run: &&Execution| matches!(run.outcome, Outcome::Timeout { limit: own } if own < limit);
    trial.executions.iter().filter(is_early)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::WorkerId;

    const WHOLE: Duration = Duration::from_secs(60);
    const TEST: TestIndex = TestIndex(3);

    fn took(outcome: Outcome, seconds: f64) -> Trial {
        let duration = Duration::from_secs_f64(seconds);
        let run = Execution { worker: WorkerId(0), process: 0, test: TEST, outcome, duration };
        Trial::of([run])
    }

    fn passes_in(seconds: f64) -> Trial {
        took(Outcome::Passed, seconds)
    }

    fn cut_after(limit: Duration) -> Trial {
        took(Outcome::Timeout { limit }, limit.as_secs_f64())
    }

    #[test]
    fn only_what_ended_quickly_each_time_is_given_less() {
        for (seen, limit) in [
            (vec![], WHOLE),
            (vec![passes_in(0.5)], QUICK_LIMIT),
            (vec![took(Outcome::Skipped, 0.0)], QUICK_LIMIT),
            (vec![passes_in(0.1), passes_in(0.6), passes_in(0.1)], WHOLE),
            (vec![cut_after(WHOLE)], WHOLE),
            (vec![cut_after(WHOLE), passes_in(0.1)], QUICK_LIMIT),
            (vec![took(Outcome::NotRun { why: String::new() }, 0.0)], WHOLE),
            (vec![took(Outcome::Crashed { how: String::new() }, 0.1)], WHOLE),
        ] {
            let pace = Pace::default();
            seen.iter().for_each(|trial| pace.learn(trial, WHOLE));
            let limits = TimeLimits { trial: WHOLE, test: WHOLE, pace: Some(&pace) };
            assert_eq!(limits.of(TEST), limit, "{seen:?}");
            assert_eq!(limits.of(TestIndex(4)), WHOLE);
            assert_eq!(TimeLimits { pace: None, ..limits }.of(TEST), WHOLE);
            let short = Duration::from_secs(2);
            assert_eq!(TimeLimits { test: short, ..limits }.of(TEST), short, "no more than --test-timeout");
        }
    }

    #[test]
    fn that_a_test_hangs_is_in_doubt_until_it_was_given_the_whole_limit() {
        let pace = Pace::default();
        pace.learn(&passes_in(0.1), WHOLE);
        assert!(pace.is_in_doubt(&cut_after(QUICK_LIMIT), WHOLE));
        assert!(!pace.is_in_doubt(&passes_in(0.1), WHOLE));
        assert!(!pace.is_in_doubt(&cut_after(WHOLE), WHOLE));
        pace.learn(&cut_after(QUICK_LIMIT), WHOLE);
        assert!(pace.is_in_doubt(&cut_after(QUICK_LIMIT), WHOLE));
        pace.learn(&cut_after(WHOLE), WHOLE);
        assert!(!pace.is_in_doubt(&cut_after(QUICK_LIMIT), WHOLE));
    }

    #[test]
    fn of_two_trials_the_one_counts_that_tells_more_of_what_was_cut_short() {
        let first = || cut_after(QUICK_LIMIT);
        for (second, counts) in [(cut_after(WHOLE), 1), (passes_in(20.0), 1), (passes_in(0.1), 0)] {
            let both = [first(), second.clone()];
            assert_eq!(truer(first(), second, WHOLE).executions, both[counts].executions);
        }
    }
}
