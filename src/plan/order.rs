//! Orders: how a list of tests is put into a sequence.
//!
//! Shuffles sort by a keyed hash of each test's name. pytest-randomly has the same property by CRC32,
//! which is affine: of the orders of ten parametrised tests it reaches few. pytest-random-order
//! shuffles the list itself, so that one test more changes every order.

use crate::plan::keyed::{Keyed, Purpose, Stream};
use crate::plan::{OrderKind, Seed};
use crate::suite::{Suite, Test, TestIndex};

/// Makes the order of a kind. `number` is that of the trial pair, for [`OrderKind::Adjacent`] that of
/// the row. Tests of a lower rank come first unless `ignore_rank`. [`OrderKind::Explicit`] has no
/// rule of its own and gives suite order.
pub fn order(kind: OrderKind, suite: &Suite, seed: Seed, number: u64, ignore_rank: bool) -> Vec<TestIndex> {
    let key = |purpose| Stream::new(seed, purpose, number).key();
    let order = match kind {
        OrderKind::Suite | OrderKind::Explicit => suite.collected.clone(),
        OrderKind::Reversed => suite.collected.iter().rev().copied().collect(),
        OrderKind::Shuffled => shuffled(suite, key(Purpose::Order)),
        OrderKind::Nested => nested(suite, key(Purpose::Order)),
        OrderKind::Adjacent => tuscan_row(suite, seed, number),
    };
    if ignore_rank { order } else { by_rank(suite, order) }
}

/// The same order backwards, ranks kept in their place.
pub fn reversed(suite: &Suite, order: &[TestIndex], ignore_rank: bool) -> Vec<TestIndex> {
    let order = order.iter().rev().copied().collect();
    if ignore_rank { order } else { by_rank(suite, order) }
}

fn by_rank(suite: &Suite, mut order: Vec<TestIndex>) -> Vec<TestIndex> {
    order.sort_by_key(|&test| suite.test(test).rank);
    order
}

fn all(suite: &Suite) -> impl Iterator<Item = TestIndex> + '_ {
    (0..suite.tests.len()).map(|i| TestIndex(i as u32))
}

fn shuffled(suite: &Suite, key: Keyed) -> Vec<TestIndex> {
    let mut order: Vec<_> = all(suite).map(|test| (key.test(&suite.test(test).id), test)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, test)| test).collect()
}

fn nested(suite: &Suite, key: Keyed) -> Vec<TestIndex> {
    let sort_key = |test: TestIndex| {
        let named = suite.test(test);
        (key.text(&named.file), key.text(scope(named)), key.test(&named.id), test)
    };
    let mut order: Vec<_> = all(suite).map(sort_key).collect();
    order.sort_unstable();
    order.into_iter().map(|(.., test)| test).collect()
}

/// The node id of what holds a test: its class, else its file. Parameters, which may hold `::`, are
/// left out before the last part is taken off.
fn scope(test: &Test) -> &str {
    let id = &test.id.node_id;
    let after_file = test.file.len().min(id.len());
    let tail = id.get(after_file..).unwrap_or("");
    let name = tail.find('[').map_or(id.as_str(), |bracket| &id[..after_file + bracket]);
    name.rsplit_once("::").map_or(name, |(scope, _)| scope)
}

/// Number of rows after which every test has come directly after every other: n, or n + 1 if n is odd.
pub fn tuscan_rows(tests: usize) -> u64 {
    (tests + tests % 2) as u64
}

/// Row `number` of the sequence of Tuscan squares of this seed; square s holds the rows from
/// `s * tuscan_rows` on, under a labelling of its own.
///
/// The square is Williams' (1949): row r is the zigzag 0, 1, n-1, 2, n-2, … shifted by r modulo an
/// even n, in which every ordered pair is adjacent exactly once. A row read backwards is the row n/2
/// further on, so rows r and r + n/2 form an antithetic pair. An odd n takes a blank along, which is
/// left out of the rows. Li et al., "Systematically producing test orders to detect order-dependent
/// flaky tests" (ISSTA 2023), use such squares to find order-dependent tests.
fn tuscan_row(suite: &Suite, seed: Seed, number: u64) -> Vec<TestIndex> {
    let rows = tuscan_rows(suite.tests.len());
    if rows == 0 {
        return Vec::new();
    }
    let labels = shuffled(suite, Stream::new(seed, Purpose::Square, number / rows).key());
    let shift = number % rows;
    let zigzag = (0..rows).map(|i| if i % 2 == 0 { (rows - i / 2) % rows } else { i.div_ceil(2) });
    zigzag.filter_map(|step| labels.get(((step + shift) % rows) as usize).copied()).collect()
}
