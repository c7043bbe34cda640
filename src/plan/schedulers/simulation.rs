//! The event loop: a controller that hands out tests and workers that run them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A scheduler of the controller. Tests are positions in the collected order.
pub(crate) trait Scheduler {
    /// All workers have collected: the first tests are handed out.
    fn start(&mut self, workers: &mut Workers);

    /// A worker has finished a test that took so many ticks.
    fn completed(&mut self, worker: usize, item: usize, ticks: u64, workers: &mut Workers);

    /// A worker has given back the tests it was asked for, or none of them.
    fn unscheduled(&mut self, worker: usize, items: &[usize], workers: &mut Workers) {
        let _ = (worker, items, workers);
    }

    /// Whether nothing is left to hand out and no worker has two tests left, upon which the
    /// controller shuts all workers down (xdist's `tests_finished`).
    fn finished(&self) -> bool;

    /// Workers that the scheduler still knows.
    fn known(&self) -> usize;
}

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It waits for its first test.
    Idle,
    /// It holds a test and waits to learn which comes after it: pytest needs to know the next test to
    /// decide which fixtures to keep.
    Holding(usize),
    /// It runs a test and knows what comes next.
    Running(usize, Next),
    /// It has ended.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Item(usize),
    Shutdown,
}

struct Worker {
    state: State,
    queue: VecDeque<Next>,
    shutting_down: bool,
    ran: Vec<usize>,
}

/// The workers, as the controller reaches them.
pub(crate) struct Workers<'d> {
    workers: Vec<Worker>,
    durations: &'d [u64],
    now: u64,
    /// End time, worker.
    ends: BinaryHeap<Reverse<(u64, usize)>>,
    /// Tests that workers have given back, not yet seen by the controller.
    given_back: VecDeque<(usize, Vec<usize>)>,
}

impl Workers<'_> {
    /// Sends tests to a worker (xdist's `send_runtest_some`).
    pub(crate) fn send(&mut self, worker: usize, items: impl IntoIterator<Item = usize>) {
        self.workers[worker].queue.extend(items.into_iter().map(Next::Item));
        self.advance(worker);
    }

    /// Tells a worker that no more tests come.
    pub(crate) fn shut_down(&mut self, worker: usize) {
        self.workers[worker].shutting_down = true;
        self.workers[worker].queue.push_back(Next::Shutdown);
        self.advance(worker);
    }

    /// Whether a worker has been told so.
    pub(crate) fn is_shutting_down(&self, worker: usize) -> bool {
        self.workers[worker].shutting_down
    }

    /// Asks a worker for tests back. It gives all of them, or none if it has already taken one.
    pub(crate) fn steal(&mut self, worker: usize, items: &[usize]) {
        let queue = &mut self.workers[worker].queue;
        let (mut wanted, mut stolen) = (items.to_vec(), Vec::with_capacity(items.len()));
        wanted.sort_unstable();
        let is_wanted = |next: &Next| matches!(next, Next::Item(item) if wanted.binary_search(item).is_ok());
        if queue.iter().filter(|next| is_wanted(next)).count() == wanted.len() {
            queue.retain(|next| {
                let gone = is_wanted(next);
                if let (true, Next::Item(item)) = (gone, next) {
                    stolen.push(*item);
                }
                !gone
            });
        }
        self.given_back.push_back((worker, stolen));
    }

    /// Lets a worker go as far as its queue allows at this time.
    fn advance(&mut self, worker: usize) {
        let this = &mut self.workers[worker];
        loop {
            this.state = match (this.state, this.queue.front().copied()) {
                (State::Idle, Some(Next::Item(item))) => State::Holding(item),
                (State::Idle, Some(Next::Shutdown)) => State::Done,
                (State::Holding(item), Some(next)) => {
                    this.ran.push(item);
                    self.ends.push(Reverse((self.now + self.durations[item], worker)));
                    State::Running(item, next)
                }
                (State::Idle | State::Holding(_), None) | (State::Running(..) | State::Done, _) => return,
            };
            this.queue.pop_front();
        }
    }

    /// A worker ends its test and takes up the next.
    fn end(&mut self, worker: usize) -> Option<usize> {
        let this = &mut self.workers[worker];
        let State::Running(item, next) = this.state else {
            return None;
        };
        this.state = match next {
            Next::Item(item) => State::Holding(item),
            Next::Shutdown => State::Done,
        };
        self.advance(worker);
        Some(item)
    }
}

/// Runs a scheduler to its end; returns what each worker ran, in its order. `durations` holds the
/// ticks of each position.
pub(crate) fn simulate(scheduler: &mut dyn Scheduler, workers: usize, durations: &[u64]) -> Vec<Vec<usize>> {
    let worker =
        || Worker { state: State::Idle, queue: VecDeque::new(), shutting_down: false, ran: Vec::new() };
    let mut all = Workers {
        workers: (0..workers).map(|_| worker()).collect(),
        durations,
        now: 0,
        ends: BinaryHeap::new(),
        given_back: VecDeque::new(),
    };
    scheduler.start(&mut all);
    let mut shut_down = false;
    loop {
        if !shut_down && scheduler.finished() {
            shut_down = true;
            (0..scheduler.known()).for_each(|worker| all.shut_down(worker));
        }
        if let Some((worker, items)) = all.given_back.pop_front() {
            scheduler.unscheduled(worker, &items, &mut all);
        } else if let Some(Reverse((now, worker))) = all.ends.pop() {
            all.now = now;
            if let Some(item) = all.end(worker) {
                scheduler.completed(worker, item, durations[item], &mut all);
            }
        } else {
            return all.workers.into_iter().map(|worker| worker.ran).collect();
        }
    }
}
