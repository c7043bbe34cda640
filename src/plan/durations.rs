//! Virtual durations for the simulated schedulers.

use crate::plan::Seed;
use crate::plan::keyed::{Purpose, Stream};
use crate::suite::Suite;

/// Doublings at most: the longest test takes about 4,000 times as long as the shortest.
const DOUBLINGS: u32 = 12;

/// Draws a duration in ticks for each test, by canonical index, from its name and the trial pair.
///
/// Heavy-tailed as those of real suites: each doubling is half as likely as the one before. Never
/// measured, since a plan must not depend on the machine.
pub fn ticks(suite: &Suite, seed: Seed, pair: u64) -> Vec<u64> {
    let key = Stream::new(seed, Purpose::Durations, pair).key();
    let tick = |hash: u64| (64 + (hash >> 58)) << hash.trailing_zeros().min(DOUBLINGS);
    suite.tests.iter().map(|test| tick(key.test(&test.id))).collect()
}
