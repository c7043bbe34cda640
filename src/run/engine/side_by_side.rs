//! Several runs at once, whose results are told in order.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Carries out runs `0..weights.len()`, of which those that run at once weigh `room` at most, or are one.
/// They start in order, and their results are given to `finished` in order, until that says to stop or
/// there are no more. What was begun by then comes to its end and is forgotten.
pub(crate) fn side_by_side<T: Send>(
    room: u32,
    weights: &[u32],
    run: &(dyn Fn(usize) -> T + Sync),
    finished: &mut dyn FnMut(usize, T) -> ControlFlow<()>,
) {
    let starting = Mutex::new(Starting { next: 0, free: room, stopped: false });
    let changed = Condvar::new();
    let lock = || starting.lock().unwrap_or_else(PoisonError::into_inner);
    let work = |sender: std::sync::mpsc::Sender<(usize, T)>| {
        while let Some((at, weight)) = begin(lock(), &changed, room, weights) {
            let result = run(at);
            lock().free += weight;
            changed.notify_all();
            if sender.send((at, result)).is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let (sender, results) = channel();
        for _ in 0..weights.len().min(room as usize) {
            let sender = sender.clone();
            scope.spawn(|| work(sender));
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (at, result) in results {
            early.insert(at, result);
            while let Some(result) = early.remove(&next) {
                if finished(next, result).is_break() {
                    lock().stopped = true;
                    changed.notify_all();
                    return;
                }
                next += 1;
            }
        }
    });
}

/// Which run starts next, and how much room is left for it.
struct Starting {
    next: usize,
    free: u32,
    stopped: bool,
}

/// Waits until the next run may start; returns it and its weight.
fn begin(
    mut starting: MutexGuard<'_, Starting>,
    changed: &Condvar,
    room: u32,
    weights: &[u32],
) -> Option<(usize, u32)> {
    loop {
        let weight = weights.get(starting.next).copied()?.clamp(1, room.max(1));
        if starting.stopped {
            return None;
        }
        if weight <= starting.free {
            let at = starting.next;
            starting.next += 1;
            starting.free -= weight;
            return Some((at, weight));
        }
        starting = changed.wait(starting).unwrap_or_else(PoisonError::into_inner);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn results_come_in_order_and_no_more_runs_at_once_than_there_is_room(
            room in 1u32..5,
            weights in proptest::collection::vec(0u32..7, 0..30),
            stop in 0usize..40,
        ) {
            let (now, most) = (AtomicU32::new(0), AtomicU32::new(0));
            let run = |at: usize| {
                let weight = weights[at].clamp(1, room);
                most.fetch_max(now.fetch_add(weight, Ordering::SeqCst) + weight, Ordering::SeqCst);
                std::thread::yield_now();
                now.fetch_sub(weight, Ordering::SeqCst);
                at * 2
            };
            let mut seen = Vec::new();
            side_by_side(room, &weights, &run, &mut |at, result| {
                seen.push((at, result));
                if at == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let expected: Vec<_> = (0..weights.len().min(stop + 1)).map(|at| (at, at * 2)).collect();
            prop_assert_eq!(seen, expected);
            prop_assert!(most.load(Ordering::SeqCst) <= room);
        }
    }
}
