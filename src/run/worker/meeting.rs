//! Barriers: a worker waits before a test until another has come to the test that it is to meet.

use crate::plan::{Barrier, WorkerId};
use crate::run::worker::progress::{Stage, Worker};

/// The places in its list before which a worker waits.
pub(crate) fn places_of(worker: usize, barriers: &[Barrier]) -> impl Iterator<Item = u32> + '_ {
    let places = barriers.iter().flat_map(|barrier| [barrier.first, barrier.second]);
    places.filter(move |&(id, _)| id.0 as usize == worker).map(|(_, place)| place)
}

/// The waiting workers whose partner is there too, or will not come any more. If all that are left wait, none of their
/// partners comes. `alive` tells of a worker whether it has a process.
pub(crate) fn may_go(workers: &[Worker], alive: impl Fn(usize) -> bool, barriers: &[Barrier]) -> Vec<usize> {
    let waits = |worker: &Worker| matches!(worker.stage, Stage::Waiting(_));
    let stuck = (0..workers.len()).filter(|&worker| alive(worker)).all(|worker| waits(&workers[worker]));
    let goes = |(at, worker): (usize, &Worker)| match worker.stage {
        Stage::Waiting(place) if stuck || partner_is_there(workers, &alive, barriers, at, place) => Some(at),
        _ => None,
    };
    workers.iter().enumerate().filter_map(goes).collect()
}

fn partner_is_there(
    workers: &[Worker],
    alive: impl Fn(usize) -> bool,
    barriers: &[Barrier],
    worker: usize,
    place: usize,
) -> bool {
    let here = (WorkerId(worker as u32), place as u32);
    let mut partners = barriers.iter().filter_map(|barrier| match barrier {
        Barrier { first, second } if *first == here => Some(*second),
        Barrier { first, second } if *second == here => Some(*first),
        _ => None,
    });
    partners.all(|(other, at)| {
        let (other, at) = (other.0 as usize, at as usize);
        workers.get(other).is_none_or(|partner| {
            !alive(other) || partner.has_passed(at) || partner.stage == Stage::Waiting(at)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::suite::TestIndex;
    use crate::trial::Outcome;

    /// Two workers of two tests each, the second of which are to meet.
    fn met() -> Vec<Barrier> {
        vec![Barrier { first: (WorkerId(0), 1), second: (WorkerId(1), 1) }]
    }

    fn worker(id: u32, stage: Stage) -> Worker {
        let mut worker = Worker::new(WorkerId(id), vec![TestIndex(0), TestIndex(1)]);
        worker.enter(stage);
        worker
    }

    #[test]
    fn a_worker_goes_on_once_its_partner_is_there_or_will_not_come() {
        let runs = Stage::Running(0, Instant::now());
        for (first, second, alive, go) in [
            (Stage::Waiting(1), runs, true, vec![]),
            (Stage::Waiting(1), Stage::Collecting, true, vec![]),
            (Stage::Waiting(1), Stage::Waiting(1), true, vec![0, 1]),
            (Stage::Waiting(1), runs, false, vec![0]),
            (runs, Stage::Waiting(1), true, vec![]),
            (runs, Stage::Idle, true, vec![]),
            // Nobody is left to come.
            (Stage::Waiting(1), Stage::Waiting(0), true, vec![0, 1]),
        ] {
            let workers = [worker(0, first), worker(1, second)];
            assert_eq!(may_go(&workers, |at| at == 0 || alive, &met()), go, "{first:?} {second:?} {alive}");
        }
    }

    #[test]
    fn a_partner_whose_test_is_over_is_not_waited_for() {
        let mut workers = [worker(0, Stage::Waiting(1)), worker(1, Stage::Idle)];
        workers[1].note(1, Outcome::Passed, Duration::ZERO);
        assert_eq!(may_go(&workers, |_| true, &met()), [0]);
    }

    #[test]
    fn each_worker_is_told_where_it_waits() {
        let barriers = [met(), vec![Barrier { first: (WorkerId(1), 0), second: (WorkerId(2), 0) }]].concat();
        let places = |worker| places_of(worker, &barriers).collect::<Vec<_>>();
        assert_eq!([places(0), places(1), places(2), places(3)], [vec![1], vec![1, 0], vec![0], vec![]]);
    }
}
