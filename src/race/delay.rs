//! How long one worker has to take before another fails: where in a trial somebody waited for a worker that was
//! overtaken, how long that one took until a test failed, and the search for the time with which it still passes.
//!
//! What is looked for is a limit of the suite's own, such as the time for which SQLite waits for a lock. In a trial
//! with a delay, a worker that was overtaken stands still between two of its calls, and as time passes for it, that
//! is noted among what the others do. A run shows a failure if the test was over before that worker went on: it then
//! makes no difference how much longer that one takes. Times are those of a fixed grid, and are counted from before the
//! test started, so that its own limit is a part of them however slow the machine.

use std::fmt;

use crate::limits::DELAY_RUNS;
use crate::plan::WorkerId;
use crate::race::access::{Call, Step, StepKind};

/// The times that are told of, in milliseconds.
pub(crate) const GRID: [u32; 22] =
    [5, 10, 20, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1200, 1500, 2000];
/// The longest of them.
pub(crate) const LONGEST: u32 = GRID[GRID.len() - 1];

/// The time that another worker takes, and without which there is no failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// In each run in which the other worker took so long or longer, the test had failed by the time it went on, and in
    /// one of them before this time was over, in milliseconds. A slow machine makes it more than the limit that it is
    /// about, and never less.
    pub milliseconds: u32,
    /// A shorter time with which the test passed in each of [`DELAY_RUNS`] runs, in milliseconds.
    pub passes: u32,
    /// The call after which the other worker stands still.
    pub after: Call,
    /// The call that it makes next.
    pub before: Call,
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { milliseconds, after, before, .. } = self;
        write!(f, "takes {milliseconds} ms or longer between ")?;
        if after.place() == before.place() {
            write!(f, "{} and {} in {}", after.words(), before.words(), after.place())
        } else {
            write!(f, "{} and {}", after.place(), before.place())
        }
    }
}

/// What a run with a delay shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The failure, and of the grid the time within which it came.
    Fails(u32),
    /// That the test passes.
    Passes,
    /// Nothing: it failed otherwise, or only after the other worker had gone on.
    Unclear,
}

/// What the search wants next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A run with a delay of so many milliseconds.
    Try(u32),
    /// Nothing more.
    Done(Option<Found>),
}

/// What it takes for the test to fail, as far as runs have shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// As in [`Delay::milliseconds`].
    pub fails: u32,
    /// As in [`Delay::passes`].
    pub passes: u32,
}

/// The shortest time within which a failure came in runs with the longest delay; nothing if there was none in one of
/// them while the other worker was delayed.
pub(crate) fn shortest(runs: &[Shown]) -> Option<u32> {
    let took = |shown: &Shown| match shown {
        Shown::Fails(took) => Some(*took),
        Shown::Passes | Shown::Unclear => None,
    };
    runs.iter().map(took).collect::<Option<Vec<u32>>>()?.into_iter().min()
}

/// The search for a time with which the test passes each time, from one down with which it failed. If it fails with a
/// shorter one, that is what it takes.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    fails: u32,
    /// The entry of the grid that is tried; nothing if there is none left.
    at: Option<usize>,
    /// How often the test passed with it.
    passed: u32,
}

impl Search {
    /// The test was seen to fail within so many milliseconds.
    pub(crate) fn new(fails: u32) -> Self {
        let below = GRID.iter().take_while(|&&time| time < fails).count();
        Self { fails, at: below.checked_sub(1), passed: 0 }
    }

    /// What is wanted next.
    pub(crate) fn next(&self) -> Next {
        match self.at.map(|at| GRID[at]) {
            None => Next::Done(None),
            Some(passes) if self.passed == DELAY_RUNS => {
                Next::Done(Some(Found { fails: self.fails, passes }))
            }
            Some(time) => Next::Try(time),
        }
    }

    /// Takes in what the run showed that was wanted.
    pub(crate) fn add(&mut self, shown: Shown) {
        match shown {
            Shown::Passes => self.passed += 1,
            Shown::Fails(took) => *self = Self::new(took.min(self.fails)),
            // That it failed later, when both went on, is no wonder on a machine that is slow.
            Shown::Unclear => (self.at, self.passed) = (self.at.and_then(|at| at.checked_sub(1)), 0),
        }
    }
}

/// Of the grid, the time within which another worker's test was over while one was delayed that it came upon:
/// counted from that one's last call before, which came before the test. The test is over when its teardown starts,
/// or when it ends if it failed in that. Nothing if the delayed one had gone on by then.
pub(crate) fn took(steps: &[Step], delayed: WorkerId, delay: u32, in_teardown: bool) -> Option<u32> {
    let at = overtaken(steps, delayed)?;
    let last = steps[..at].iter().rposition(|step| is_call(step, delayed))?;
    let other = |step: &Step, wanted: fn(&StepKind) -> bool| step.worker != delayed && wanted(&step.kind);
    let starts = steps.iter().position(|step| other(step, |kind| matches!(kind, StepKind::Starts(_))))?;
    let ends = |step: &Step| {
        let torn_down = !in_teardown && other(step, |kind| *kind == StepKind::TearsDown);
        torn_down || other(step, |kind| *kind == StepKind::Ends)
    };
    let over = steps.iter().position(ends)?;
    let passed = |step: &Step| match step.kind {
        StepKind::Takes(time) if step.worker == delayed => Some(time),
        _ => None,
    };
    let passed = steps[..over].iter().rev().find_map(passed).unwrap_or(0);
    let time = GRID.into_iter().find(|&time| time > passed)?.min(delay);
    (last < starts && at < over && passed < delay).then_some(time)
}

/// Where a worker was overtaken in the middle of its calls: its last one before, and its next.
pub(crate) fn between(steps: &[Step], worker: WorkerId) -> Option<(Call, Call)> {
    let at = overtaken(steps, worker)?;
    let StepKind::Overtaken(wanted) = &steps[at].kind else { return None };
    let calls = |steps: &[Step]| -> Vec<Call> {
        let own = steps.iter().filter(|step| step.worker == worker);
        own.filter_map(|step| match &step.kind {
            StepKind::Calls(call) => Some(call.clone()),
            _ => None,
        })
        .collect()
    };
    let before = calls(&steps[..at]).pop()?;
    let made = calls(&steps[at..]).into_iter().find(|call| call.by.is_none());
    // What it does was seen when it was made.
    let next = made.filter(|made| (&made.resource, &made.at) == (&wanted.resource, &wanted.at));
    Some((before, next.unwrap_or_else(|| wanted.clone())))
}

/// Where the other worker waited, if it did while one was held that was overtaken in the middle of its calls: its
/// last call before, in words, or its sleep.
pub(crate) fn wait(steps: &[Step], worker: WorkerId) -> Option<String> {
    let at = overtaken(steps, worker)?;
    between(steps, worker)?;
    let end = steps[at..].iter().position(|step| is_call(step, worker)).map_or(steps.len(), |more| at + more);
    let waits = |step: &Step| {
        step.worker != worker
            && matches!(step.kind, StepKind::Sleeps { .. } | StepKind::Waits | StepKind::UnfairWait)
    };
    let waits_at = at + steps[at..end].iter().position(waits)?;
    if let StepKind::Sleeps { at: Some(place) } = &steps[waits_at].kind
        && !place.is_empty()
    {
        return Some(format!("sleep {place}"));
    }
    steps[..waits_at].iter().rev().find_map(|step| match &step.kind {
        StepKind::Calls(call) if step.worker != worker => {
            Some(format!("{} {}", call.operation, call.place()))
        }
        _ => None,
    })
}

fn overtaken(steps: &[Step], worker: WorkerId) -> Option<usize> {
    steps.iter().position(|step| step.worker == worker && matches!(step.kind, StepKind::Overtaken(_)))
}

fn is_call(step: &Step, worker: WorkerId) -> bool {
    step.worker == worker && matches!(step.kind, StepKind::Calls(_))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::schedule::Resource;
    use crate::race::operation::Operation;
    use crate::suite::TestIndex;

    /// Searches in a simulated suite; returns the result and what was tried.
    fn search(fails: u32, mut run: impl FnMut(u32) -> Shown) -> (Option<Found>, Vec<(u32, Shown)>) {
        let (mut search, mut tried) = (Search::new(fails), Vec::new());
        loop {
            match search.next() {
                Next::Done(found) => return (found, tried),
                Next::Try(delay) => {
                    let shown = run(delay);
                    tried.push((delay, shown));
                    assert!(tried.len() <= GRID.len() * DELAY_RUNS as usize, "it comes to an end");
                    search.add(shown);
                }
            }
        }
    }

    #[test]
    fn two_calls_at_one_line_are_told_apart_by_what_they_do() {
        let call = |operation: Operation, line: u32| Call {
            resource: Resource("file:a".into()),
            operation,
            writes: true,
            idle: false,
            statement: None,
            at: Some(format!("shop.py:{line}")),
            by: None,
        };
        let told = |before: Call| {
            let after = call(Operation::OpenToWrite, 3);
            Delay { milliseconds: 50, passes: 40, after, before }.to_string()
        };
        assert_eq!(
            told(call(Operation::Remove, 3)),
            "takes 50 ms or longer between open to write and remove in shop.py:3"
        );
        assert_eq!(told(call(Operation::Remove, 4)), "takes 50 ms or longer between shop.py:3 and shop.py:4");
    }

    fn upper(time: u32) -> Option<u32> {
        GRID.into_iter().find(|&of_grid| of_grid > time)
    }

    proptest! {
        #[test]
        fn a_limit_is_told_by_the_times_of_the_grid_around_it(limit in 5_u32..2000) {
            let over = upper(limit).unwrap();
            let (found, _) =
                search(over, |delay| if delay > limit { Shown::Fails(over) } else { Shown::Passes });
            let passes = GRID.into_iter().rfind(|&time| time <= limit).unwrap();
            prop_assert_eq!(found, Some(Found { fails: over, passes }));
        }

        #[test]
        fn a_slow_machine_makes_what_is_told_longer_and_never_shorter_than_the_limit(
            limit in 5_u32..1500, late in proptest::collection::vec(0_u32..300, 100),
        ) {
            let mut late = late.into_iter().cycle();
            let mut run = |delay| {
                let over = limit + late.next().unwrap();
                match upper(over) {
                    Some(took) if delay > over => Shown::Fails(took),
                    _ if delay > limit => Shown::Unclear,
                    _ => Shown::Passes,
                }
            };
            let fails = shortest(&[run(LONGEST), run(LONGEST), run(LONGEST)]).expect("there is time enough");
            let (found, _) = search(fails, run);
            let found = found.expect("it passes in time");
            prop_assert!(found.fails > limit && found.fails <= fails && found.passes <= limit, "{found:?}");
        }

        #[test]
        fn what_is_told_was_seen(
            first in 0_usize..22, shown in proptest::collection::vec((0_u8..3, 0_usize..22), 60),
        ) {
            let mut shown = shown.into_iter().cycle();
            let (found, tried) = search(GRID[first], |delay| match shown.next().unwrap() {
                (0, took) => Shown::Fails(GRID[took].min(delay)),
                (1, _) => Shown::Passes,
                _ => Shown::Unclear,
            });
            if let Some(Found { fails, passes }) = found {
                let with = |delay: u32| tried.iter().filter(move |run| run.0 == delay).map(|run| run.1);
                prop_assert!(with(passes).eq([Shown::Passes; DELAY_RUNS as usize]));
                let least = tried.iter().filter_map(|run| match run.1 {
                    Shown::Fails(took) => Some(took),
                    _ => None,
                });
                prop_assert_eq!(least.chain([GRID[first]]).min(), Some(fails));
                prop_assert!(passes < fails);
            }
        }
    }

    #[test]
    fn a_failure_has_to_show_in_each_run_with_the_longest_delay() {
        let (fails, later) = (Shown::Fails(60), Shown::Fails(200));
        assert_eq!(shortest(&[later, fails, later]), Some(60));
        assert_eq!(shortest(&[fails, Shown::Unclear]), None);
        assert_eq!(shortest(&[Shown::Passes, fails]), None);
        assert_eq!(shortest(&[]), None);
    }

    const HELD: WorkerId = WorkerId(0);
    const OTHER: WorkerId = WorkerId(1);

    fn call(operation: Operation, line: u32) -> Call {
        Call {
            resource: Resource("file:a".into()),
            operation,
            writes: true,
            idle: false,
            statement: None,
            at: Some(format!("a.py:{line}")),
            by: None,
        }
    }

    fn step(worker: WorkerId, kind: StepKind) -> Step {
        Step { worker, kind }
    }

    #[test]
    fn a_wait_is_one_while_the_other_is_held_in_the_middle_of_its_calls() {
        let begins = step(HELD, StepKind::Calls(call(Operation::Lock, 1)));
        let overtaken = step(HELD, StepKind::Overtaken(call(Operation::Unlock, 2)));
        let tries = step(OTHER, StepKind::Calls(call(Operation::Lock, 7)));
        let waits = step(OTHER, StepKind::Sleeps { at: None });
        let goes_on = step(HELD, StepKind::Calls(call(Operation::Unlock, 2)));
        let steps = |steps: &[&Step]| steps.iter().map(|&step| step.clone()).collect::<Vec<_>>();
        let waited = steps(&[&begins, &overtaken, &tries, &waits, &goes_on]);
        assert_eq!(wait(&waited, HELD).as_deref(), Some("lock a.py:7"));
        assert_eq!(between(&waited, HELD), Some((call(Operation::Lock, 1), call(Operation::Unlock, 2))));
        assert_eq!(wait(&steps(&[&begins, &overtaken, &tries, &goes_on, &waits]), HELD), None);
        assert_eq!(wait(&steps(&[&overtaken, &tries, &waits, &goes_on]), HELD), None, "it was only late");
    }

    #[test]
    fn a_failure_counts_that_came_while_the_other_was_held_and_takes_the_time_that_was_not_over() {
        let begins = step(HELD, StepKind::Calls(call(Operation::Lock, 1)));
        let overtaken = step(HELD, StepKind::Overtaken(call(Operation::Unlock, 2)));
        let starts = step(OTHER, StepKind::Starts(TestIndex(1)));
        let takes = |time| step(HELD, StepKind::Takes(time));
        let (fails, ends) = (step(OTHER, StepKind::TearsDown), step(OTHER, StepKind::Ends));
        let of = |steps: &[&Step], delay, in_teardown| {
            let steps: Vec<Step> = steps.iter().map(|&step| step.clone()).collect();
            took(&steps, HELD, delay, in_teardown)
        };
        let (few, many) = (takes(40), takes(50));
        let run = [&begins, &overtaken, &starts, &few, &fails, &many, &ends];
        assert_eq!(of(&run, 2000, false), Some(50));
        assert_eq!(of(&run, 2000, true), Some(60), "it failed in the teardown");
        assert_eq!(of(&run, 50, true), None, "the other one had gone on");
        assert_eq!(of(&run, 45, false), Some(45));
        assert_eq!(of(&[&begins, &overtaken, &starts, &fails], 2000, false), Some(5));
        assert_eq!(of(&[&begins, &starts, &overtaken, &fails], 2000, false), Some(5));
        assert_eq!(
            of(&[&starts, &begins, &overtaken, &fails], 2000, false),
            None,
            "it may have waited before"
        );
        assert_eq!(of(&[&overtaken, &starts, &fails], 2000, false), None, "it was only late");
        assert_eq!(of(&[&begins, &starts, &fails, &overtaken], 2000, false), None, "it was over before");
    }
}
