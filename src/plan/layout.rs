//! The sequence of trials: which index tries what.
//!
//! Trials come in antithetic pairs: trial 2k+1 takes the order of trial 2k backwards under the same
//! hash seed and random seed. After the first pair, which is serial, every ordered pair of tests has
//! been run both ways round, so every victim with a single polluter and no cleaner has shown itself.
//! The pairs then cycle through serial shuffles, rows that bring new adjacent pairs, nested shuffles
//! and, in every second place, distribution over workers.

use std::collections::BTreeSet;

use crate::plan::axes::Axes;
use crate::plan::keyed::{Purpose, Stream};
use crate::plan::{
    Barrier, Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId, durations, order,
    schedulers,
};
use crate::suite::{Suite, TestIndex};

/// Makes the plan of a trial: a pure function of its arguments, of which any index can be made alone.
pub fn plan(seed: Seed, index: TrialIndex, suite: &Suite, axes: &Axes) -> Plan {
    plan_without(&BTreeSet::new(), seed, index, suite, axes)
}

/// The same with tests left out: each worker runs the others of its tests in their order.
pub(crate) fn plan_without(
    left_out: &BTreeSet<TestIndex>,
    seed: Seed,
    index: TrialIndex,
    suite: &Suite,
    axes: &Axes,
) -> Plan {
    let pair = index.0 / 2;
    let place = Place::of(pair, seed, suite, axes);
    let mut stream = Stream::new(seed, Purpose::Axes, pair);
    let hash_seeds = axes.hash_seed_values(seed);
    let hash_seed = hash_seeds[stream.below(hash_seeds.len() as u64) as usize];
    let random_seed = stream.draw() as u32;

    let forward = order::order(place.order, suite, seed, place.number, axes.ignore_rank);
    let backward = index.0 % 2 == 1;
    let order = if backward { order::reversed(suite, &forward, axes.ignore_rank) } else { forward };
    let ticks = if place.mode == Mode::No { Vec::new() } else { durations::ticks(suite, seed, pair) };
    let workers = schedulers::partition(place.mode, place.workers as usize, &order, &suite.tests, &ticks);
    let mut workers = if axes.ignore_rank { workers } else { in_process(suite, workers) };
    workers.iter_mut().for_each(|list| list.retain(|test| !left_out.contains(test)));
    let interleaving = if place.lockstep { lockstep(&workers) } else { Interleaving::Free };
    Plan {
        seed,
        index,
        order: if backward { opposite(place.order) } else { place.order },
        mode: place.mode,
        workers,
        interleaving,
        hash_seed,
        random_seed,
        imports: Imports::All,
    }
}

/// What each worker runs, in an order that plain pytest could run in one process. Whole files that `loadscope`
/// hands out by their size, and stolen tests, may come to a worker in another; what fails only then is no claim on
/// the tests alone, and is left out.
fn in_process(suite: &Suite, workers: Vec<Vec<TestIndex>>) -> Vec<Vec<TestIndex>> {
    workers.into_iter().map(|list| order::admitted(suite, list)).collect()
}

fn opposite(kind: OrderKind) -> OrderKind {
    match kind {
        OrderKind::Suite => OrderKind::Reversed,
        OrderKind::Reversed => OrderKind::Suite,
        other => other,
    }
}

/// What a pair of trials does.
struct Place {
    order: OrderKind,
    /// What [`order::order`] wants to know of the pair.
    number: u64,
    mode: Mode,
    workers: u32,
    lockstep: bool,
}

impl Place {
    fn of(pair: u64, seed: Seed, suite: &Suite, axes: &Axes) -> Self {
        let counts = axes.parallel_workers();
        let modes = axes.parallel_modes(suite);
        let parallel = !counts.is_empty() && !modes.is_empty();
        match (axes.serial() || !parallel, parallel) {
            (true, true) if pair.is_multiple_of(2) => Self::serial(pair / 2, pair, suite, axes),
            (true, false) => Self::serial(pair, pair, suite, axes),
            (true, true) => Self::parallel(pair / 2, pair, seed, axes, &counts, &modes),
            (false, _) => Self::parallel(pair, pair, seed, axes, &counts, &modes),
        }
    }

    fn serial(turn: u64, pair: u64, suite: &Suite, axes: &Axes) -> Self {
        let kinds = [OrderKind::Shuffled, OrderKind::Adjacent, OrderKind::Nested, OrderKind::Suite];
        let cycle: Vec<OrderKind> = match allowed(&kinds, axes) {
            kinds if kinds.len() > 1 => kinds.into_iter().filter(|&kind| kind != OrderKind::Suite).collect(),
            kinds => kinds,
        };
        let (order, number) = row(&cycle, turn, pair, suite);
        Self { order, number, mode: Mode::No, workers: 1, lockstep: false }
    }

    fn parallel(turn: u64, pair: u64, seed: Seed, axes: &Axes, counts: &[u32], modes: &[Mode]) -> Self {
        let kinds = [OrderKind::Suite, OrderKind::Shuffled, OrderKind::Nested, OrderKind::Adjacent];
        let cycle: Vec<OrderKind> = match allowed(&kinds, axes) {
            kinds if kinds.len() > 1 => {
                kinds.into_iter().filter(|&kind| kind != OrderKind::Adjacent).collect()
            }
            kinds => kinds,
        };
        let start = Stream::new(seed, Purpose::Axes, u64::MAX).below(modes.len() as u64);
        Self {
            order: pick(&cycle, turn),
            number: pair,
            mode: pick(modes, start + turn),
            workers: pick(counts, turn),
            lockstep: turn % 2 == 1,
        }
    }
}

/// The kinds that the axes allow; a pair has its reverse anyway, so `Reversed` counts as `Suite`.
fn allowed(kinds: &[OrderKind], axes: &Axes) -> Vec<OrderKind> {
    let wanted: BTreeSet<OrderKind> = axes
        .orders
        .iter()
        .map(|&kind| if kind == OrderKind::Reversed { OrderKind::Suite } else { kind })
        .collect();
    kinds.iter().copied().filter(|kind| wanted.contains(kind)).collect()
}

fn pick<T: Copy>(values: &[T], turn: u64) -> T {
    values[(turn % values.len() as u64) as usize]
}

/// The order of a turn, with its row if it is adjacent: rows r of the first half of each square, as
/// the second trial of the pair, which is backwards, is row r + n/2.
fn row(cycle: &[OrderKind], turn: u64, pair: u64, suite: &Suite) -> (OrderKind, u64) {
    let kind = pick(cycle, turn);
    if kind != OrderKind::Adjacent {
        return (kind, pair);
    }
    let rows = order::tuscan_rows(suite.tests.len()).max(2);
    let nth = turn / cycle.len() as u64;
    (kind, nth / (rows / 2) * rows + nth % (rows / 2))
}

/// Neighbouring workers start the tests at equal places of their lists together, so that each such
/// pair of tests truly overlaps.
fn lockstep(workers: &[Vec<TestIndex>]) -> Interleaving {
    let mut barriers = Vec::new();
    for (left, lists) in workers.chunks_exact(2).enumerate() {
        let first = WorkerId(2 * left as u32);
        let second = WorkerId(first.0 + 1);
        let shared = lists[0].len().min(lists[1].len()) as u32;
        barriers.extend((0..shared).map(|place| Barrier { first: (first, place), second: (second, place) }));
    }
    if barriers.is_empty() { Interleaving::Free } else { Interleaving::Barriers(barriers) }
}
