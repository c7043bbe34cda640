//! How long plans are going to take, from what their tests took before: near the end of a session with a time limit nothing
//! is begun that would end after it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::{SLOWED_BY, SLOWED_FROM};
use crate::plan::Plan;
use crate::suite::TestIndex;
use crate::trial::Trial;

/// What runs took so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forecast {
    /// How long each test took in all, and in how many runs.
    tests: BTreeMap<TestIndex, (Duration, u32)>,
    /// The sum of these.
    all: (Duration, u32),
    /// What each test takes a run besides its own time, as the run with the most tests has shown.
    besides: Duration,
    /// How many tests that run had.
    most: usize,
    /// What it takes to start a process, as the last run in such as were started for it has shown.
    starting: Duration,
}

impl Forecast {
    /// Takes note of a run, and whether its processes were started for it and not forked.
    pub(crate) fn learn(&mut self, trial: &Trial, fresh: bool) {
        let mut own = Duration::ZERO;
        for run in &trial.executions {
            own += run.duration;
            let test = self.tests.entry(run.test).or_default();
            for (sum, runs) in [test, &mut self.all] {
                *sum += run.duration;
                *runs += 1;
            }
        }
        let tests = trial.executions.len();
        // Several workers share the time of a run, which then says little of what a test takes besides.
        let serial = trial.executions.iter().all(|run| run.worker == trial.executions[0].worker);
        if tests >= self.most && tests > 0 && serial {
            self.most = tests;
            self.besides = trial.duration.saturating_sub(own) / count(tests);
        }
        if fresh && serial {
            self.starting = trial.duration.saturating_sub(own + self.besides * count(tests));
        }
    }

    /// How long a plan is going to take, in processes that are started for it or in forks: as long as its longest worker. A
    /// test that was not run yet takes the mean of the others. Nothing as long as nothing was run.
    pub(crate) fn of(&self, plan: &Plan, fresh: bool) -> Duration {
        let longest = plan.workers.iter().map(|list| self.of_list(list)).max().unwrap_or_default();
        if fresh { self.starting + longest } else { longest }
    }

    /// The same of tests that one worker runs, once it has started.
    pub(crate) fn of_list(&self, list: &[TestIndex]) -> Duration {
        let mean = |&(sum, runs): &(Duration, u32)| sum.checked_div(runs).unwrap_or_default();
        let of_all = mean(&self.all);
        list.iter().map(|test| self.tests.get(test).map_or(of_all, mean) + self.besides).sum()
    }
}

/// Whether a trial that ran beside others took so much longer than was expected of it that it had better run by itself: two
/// trials with threads of their own may wait for each other's.
pub(crate) fn is_slowed(expected: Duration, took: Duration) -> bool {
    expected >= SLOWED_FROM && took > expected.mul_f64(SLOWED_BY)
}

fn count(tests: usize) -> u32 {
    u32::try_from(tests).unwrap_or(u32::MAX)
}

/// How many of the first runs end within a time, if there is so much room. Each takes so long, and so much of the room; they
/// begin in their order.
pub(crate) fn fitting(runs: &[(Duration, u32)], room: u32, time: Duration) -> usize {
    let mut free_from = vec![Duration::ZERO; room.max(1) as usize];
    let ends = runs.iter().map(|&(takes, weight)| {
        free_from.sort_unstable();
        let own = &mut free_from[..weight.clamp(1, room.max(1)) as usize];
        let end = own.last().copied().unwrap_or_default() + takes;
        own.fill(end);
        end
    });
    ends.take_while(|&end| end <= time).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::WorkerId;
    use crate::session::fake_engine::{plan, test};
    use crate::trial::{Execution, Outcome};

    const SECOND: Duration = Duration::from_secs(1);

    /// A run of these tests on one worker, each of which took so many seconds, and it twice that.
    fn ran(tests: &[(char, u32)]) -> Trial {
        let run = |&(letter, seconds): &(char, u32)| Execution {
            worker: WorkerId(0),
            process: 0,
            test: test(letter),
            outcome: Outcome::Passed,
            duration: SECOND * seconds,
        };
        let seconds: u32 = tests.iter().map(|(_, seconds)| seconds).sum();
        Trial { duration: SECOND * 2 * seconds, ..Trial::of(tests.iter().map(run)) }
    }

    #[test]
    fn a_plan_takes_what_its_tests_took_and_what_each_takes_besides() {
        let mut forecast = Forecast::default();
        assert_eq!(forecast.of(&plan("ab"), false), Duration::ZERO, "nothing is known");
        forecast.learn(&ran(&[('a', 1), ('b', 3)]), false);
        let of = |forecast: &Forecast, lists| forecast.of(&plan(lists), false).as_secs();
        assert_eq!(of(&forecast, "b"), 5, "3 of its own and 2 besides");
        assert_eq!(of(&forecast, "abc"), 12, "the unknown one takes 2 of its own");
        assert_eq!(of(&forecast, "a|bb"), 10, "the longest worker");
        forecast.learn(&ran(&[('a', 4)]), false);
        forecast.learn(&ran(&[('a', 4)]), false);
        assert_eq!(of(&forecast, "a"), 5, "the mean of 1, 4 and 4, and a small run says nothing of the rest");
        forecast.learn(&ran(&[('b', 9)]), true);
        assert_eq!(forecast.of(&plan("a"), true), SECOND * (7 + 5), "18 less 9 and 2 is what starting takes");
    }

    #[test]
    fn long_trials_that_take_twice_as_long_beside_others_are_slowed() {
        let slowed = |expected: u32, took: u32| is_slowed(SECOND * expected, SECOND * took);
        assert!(slowed(100, 200) && slowed(10, 20));
        assert!(!slowed(100, 150), "two of them still end earlier than one after the other");
        assert!(!slowed(2, 20), "what is short may be slow for any reason");
    }

    #[test]
    fn as_many_runs_fit_as_end_in_time_side_by_side() {
        let runs = [3, 2, 2, 5].map(|seconds| (SECOND * seconds, 1));
        let fit = |room, seconds| fitting(&runs, room, SECOND * seconds);
        assert_eq!([fit(1, 2), fit(1, 3), fit(1, 6), fit(1, 12)], [0, 1, 2, 4]);
        assert_eq!([fit(2, 2), fit(2, 3), fit(2, 4), fit(2, 8)], [0, 2, 3, 4]);
        assert_eq!(fit(0, 3), 1, "one at least is under way");
        let wide = [(SECOND * 3, 1), (SECOND * 2, 2), (SECOND, 9)];
        assert_eq!([3, 4, 5, 6].map(|seconds| fitting(&wide, 2, SECOND * seconds)), [1, 1, 2, 3]);
    }
}
