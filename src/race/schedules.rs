//! Which schedules of a pair are worth trying, in which order.
//!
//! First the directed ones, after RaceFuzzer (Sen, PLDI 2008): hold one test just before a call until the
//! other has made a conflicting one. RaceFuzzer decides while the program runs; we know the calls of both
//! tests from undisturbed runs, and write the decision down beforehand. The first of them let the other
//! run to its end, which a single switch says; then both are let go on in turn. Then PCT with depth 3 and
//! random walks, drawn from the seed.

use std::collections::BTreeSet;

use crate::limits::{RANDOM_SCHEDULES, WALK_CALLS};
use crate::plan::keyed::{Purpose, Stream};
use crate::plan::schedule::{Resource, Schedule, Switch};
use crate::plan::{Seed, WorkerId};
use crate::race::access::{Call, Step, StepKind};

/// The calls that each of two workers made, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Of each worker.
    pub(crate) of: [Vec<Call>; 2],
}

impl Calls {
    /// The calls that two undisturbed runs show, of each worker in the run that it started.
    pub(crate) fn new(first_starts: &[Step], second_starts: &[Step]) -> Self {
        let calls = |steps: &[Step], worker: u32| {
            let of = |step: &Step| match &step.kind {
                StepKind::Calls(call) if step.worker.0 == worker => Some(call.clone()),
                _ => None,
            };
            steps.iter().filter_map(of).collect()
        };
        Self { of: [calls(first_starts, 0), calls(second_starts, 1)] }
    }

    /// Whether any order of them can matter.
    pub(crate) fn conflict(&self) -> bool {
        self.of[0].iter().any(|one| self.of[1].iter().any(|other| one.conflicts_with(other)))
    }
}

/// The schedules to be tried, at most so many, none twice.
pub(crate) fn schedules(
    calls: &Calls,
    at: &BTreeSet<Resource>,
    seed: Seed,
    pair: u64,
    most: usize,
) -> Vec<Schedule> {
    let with = |first: u32, switches: Vec<Switch>| Schedule {
        switches,
        ..Schedule::undisturbed(WorkerId(first), at.clone())
    };
    let mut found = vec![with(0, Vec::new()), with(1, Vec::new())];
    found.extend(overtaken_once(calls).into_iter().map(|switch| with(switch.worker.0, vec![switch])));
    found.extend(directed(calls).into_iter().map(|switches| with(switches[0].worker.0, switches)));
    found.truncate(most.saturating_sub(2 * RANDOM_SCHEDULES));
    let mut stream = Stream::new(seed, Purpose::Schedules, pair);
    found.extend(
        (0..RANDOM_SCHEDULES)
            .map(|_| priorities(calls, &mut stream))
            .map(|(first, switches)| with(first, switches)),
    );
    found.extend(
        (0..RANDOM_SCHEDULES)
            .map(|_| walk(calls, &mut stream))
            .map(|(first, switches)| with(first, switches)),
    );
    let mut seen = std::collections::HashSet::new();
    found.retain(|schedule| seen.insert(schedule.clone()));
    found.truncate(most);
    found
}

/// Further schedules of a pair, so many at most, none twice: PCT and random walks in turn. The number is that
/// of the stream they are drawn from.
pub(crate) fn drawn(
    calls: &Calls,
    at: &BTreeSet<Resource>,
    seed: Seed,
    number: u64,
    most: usize,
) -> Vec<Schedule> {
    let mut stream = Stream::new(seed, Purpose::Schedules, number);
    let mut seen = std::collections::HashSet::new();
    let schedules = (0..most).map(|turn| {
        let draw = if turn % 2 == 0 { priorities } else { walk };
        let (first, switches) = draw(calls, &mut stream);
        Schedule { switches, ..Schedule::undisturbed(WorkerId(first), at.clone()) }
    });
    schedules.filter(|schedule| seen.insert(schedule.clone())).collect()
}

fn switch(worker: usize, point: usize) -> Switch {
    Switch { worker: WorkerId(worker as u32), point: point as u32, to: WorkerId(1 - worker as u32) }
}

/// One worker is held before one of its calls until the other has ended. Calls that conflict with one of
/// the other's come first.
fn overtaken_once(calls: &Calls) -> Vec<Switch> {
    let (mut hot, mut cold) = (Vec::new(), Vec::new());
    let longest = calls.of[0].len().max(calls.of[1].len());
    for point in 0..longest {
        for worker in 0..2 {
            let Some(call) = calls.of[worker].get(point) else { continue };
            let conflicts = calls.of[1 - worker].iter().any(|other| other.conflicts_with(call));
            if conflicts { hot.push(switch(worker, point)) } else { cold.push(switch(worker, point)) }
        }
    }
    hot.append(&mut cold);
    hot
}

/// One worker is held before a call until the other has made a conflicting one.
fn directed(calls: &Calls) -> Vec<Vec<Switch>> {
    let mut found = Vec::new();
    for (point, call) in calls.of[0].iter().enumerate() {
        for (others, other) in calls.of[1].iter().enumerate() {
            if call.conflicts_with(other) {
                found.push(vec![switch(0, point), switch(1, others + 1)]);
                found.push(vec![switch(1, others), switch(0, point + 1)]);
            }
        }
    }
    found
}

/// PCT with depth 3: somebody starts, and priorities change at two calls.
fn priorities(calls: &Calls, stream: &mut Stream) -> (u32, Vec<Switch>) {
    let first = stream.below(2) as u32;
    let all = calls.of[0].len() + calls.of[1].len();
    let mut points = BTreeSet::new();
    for _ in 0..2 {
        let at = stream.below(all.max(1) as u64) as usize;
        let own = calls.of[0].len();
        points.insert(if at < own { switch(0, at) } else { switch(1, at - own) });
    }
    (first, points.into_iter().collect())
}

/// A random walk: at every call the other may go on.
fn walk(calls: &Calls, stream: &mut Stream) -> (u32, Vec<Switch>) {
    let first = stream.below(2) as u32;
    let mut switches = Vec::new();
    for worker in 0..2 {
        for point in 0..calls.of[worker].len() {
            if stream.below(WALK_CALLS) == 0 {
                switches.push(switch(worker, point));
            }
        }
    }
    (first, switches)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::race::operation::Operation;

    fn calls() -> impl Strategy<Value = Calls> {
        let call = (0_u8..3, any::<bool>()).prop_map(|(resource, writes)| Call {
            resource: Resource(format!("file:{resource}")),
            operation: if writes { Operation::Write } else { Operation::Read },
            writes,
            at: None,
            by: None,
            idle: false,
            statement: None,
        });
        let list = || proptest::collection::vec(call.clone(), 0..8);
        (list(), list()).prop_map(|(one, other)| Calls { of: [one, other] })
    }

    proptest! {
        #[test]
        fn schedules_follow_from_the_seed_and_name_only_calls_that_there_are(
            calls in calls(), seed: u64, pair: u64, most in 0_usize..60,
        ) {
            let at = BTreeSet::from([Resource("file:0".into())]);
            for schedules in [schedules, drawn] {
                let found = schedules(&calls, &at, Seed(seed), pair, most);
                prop_assert_eq!(&found, &schedules(&calls, &at, Seed(seed), pair, most));
                prop_assert!(found.len() <= most);
                let distinct: std::collections::HashSet<_> = found.iter().collect();
                prop_assert_eq!(distinct.len(), found.len());
                for switch in found.iter().flat_map(|schedule| &schedule.switches) {
                    // One past the last call is the worker's end, at which nothing is switched.
                    prop_assert!(switch.point as usize <= calls.of[switch.worker.0 as usize].len());
                }
            }
        }

        #[test]
        fn each_conflicting_pair_of_calls_is_tried_in_both_orders(calls in calls()) {
            let found = directed(&calls);
            let pairs: usize = calls.of[0].iter()
                .map(|one| calls.of[1].iter().filter(|other| one.conflicts_with(other)).count()).sum();
            prop_assert_eq!(found.len(), 2 * pairs);
            prop_assert_eq!(calls.conflict(), pairs > 0);
        }
    }
}
