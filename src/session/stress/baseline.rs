//! The baseline: what the suite does before anything is jostled.

use crate::finding::{Finding, Kind, Minimal, Origin};
use crate::judge::unstable::{Difference, difference, stops_xdist};
use crate::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, order};
use crate::suite::{Suite, TestIndex};

/// The plan of the baseline: suite order in one process.
pub fn suite_order(suite: &Suite, seed: Seed, hash_seed: u32) -> Plan {
    Plan {
        seed,
        index: TrialIndex(0),
        order: OrderKind::Suite,
        mode: Mode::No,
        workers: vec![suite.collected.clone()],
        interleaving: Interleaving::Free,
        hash_seed,
        random_seed: 0,
        imports: Imports::All,
    }
}

/// Each of these tests twice in a row in one process, which shows those that pollute themselves.
pub(crate) fn twice(suite_order: &Plan, tests: &[TestIndex]) -> Plan {
    let list: Vec<TestIndex> = tests.iter().flat_map(|&test| [test, test]).collect();
    Plan { order: OrderKind::Explicit, workers: vec![list], ..suite_order.clone() }
}

/// Rows in which every test comes directly after every other: as many as there are tests, or one more.
/// They show what fails only next to its polluter, and give what fails at times many chances.
pub(crate) fn each_after_each(
    suite: &Suite,
    seed: Seed,
    hash_seed: u32,
    ignore_rank: bool,
) -> impl Iterator<Item = Plan> {
    (0..order::tuscan_rows(suite.tests.len())).map(move |row| {
        let list = order::order(OrderKind::Adjacent, suite, seed, row, ignore_rank);
        let suite_order = suite_order(suite, seed, hash_seed);
        Plan { order: OrderKind::Adjacent, workers: vec![list], ..suite_order }
    })
}

/// Every two tests by themselves, one after the other. They show what other tests would hide: those that reset a place
/// before it is read, or draw from a generator that both share.
pub(crate) fn pairs(suite: &Suite, seed: Seed, hash_seed: u32) -> Vec<Plan> {
    let all = &suite.collected;
    let pairs = all.iter().flat_map(|&first| all.iter().map(move |&then| [first, then]));
    pairs
        .filter(|pair| pair[0] != pair[1] && suite.admits(pair))
        .map(|pair| Plan {
            order: OrderKind::Explicit,
            workers: vec![pair.to_vec()],
            ..suite_order(suite, seed, hash_seed)
        })
        .collect()
}

/// Compares what was collected under two hash seeds. pytest-xdist refuses a suite whose workers
/// collect different lists, and each worker has a hash seed of its own unless the user sets one.
/// `suite` is the first as it is told of: its tests are the same in the same order.
pub(crate) fn compare_collections(
    suite: &Suite,
    first: &Suite,
    other: &Suite,
    seed: Seed,
    hash_seeds: (u32, u32),
) -> Option<Finding> {
    let Difference { at, names: [ours, theirs], signature } = difference(first, other)?;
    let name = |name: Option<String>| name.unwrap_or_else(|| "missing".into());
    let note = format!(
        "PYTHONHASHSEED={} and PYTHONHASHSEED={} collect different lists, and the first of them the same one twice: test \
         {} is {} under the one and {} under the other. pytest-xdist stops with \"Different tests were collected\". Sort what \
         parametrises the test (a set has no fixed order)",
        hash_seeds.0,
        hash_seeds.1,
        at + 1,
        name(ours),
        name(theirs),
    );
    let in_both = |index: TestIndex| {
        let at = first.collected.iter().position(|&other| other == index)?;
        suite.collected.get(at).copied()
    };
    // Tests that are not collected under the first hash seed can be part of no plan.
    let known =
        other.collected.iter().filter_map(|&test| first.find(&other.test(test).id)).filter_map(in_both);
    let known = known.collect();
    let under = |hash_seed| suite_order(suite, seed, hash_seed);
    let minimal = Minimal {
        plan: under(hash_seeds.0),
        culprits: Vec::new(),
        imports: Vec::new(),
        one_minimal: true,
        calls: 0,
    };
    let test = signature.as_ref().and_then(|signature| in_both(signature.test));
    Some(Finding {
        signature: test.map(|test| stops_xdist(suite, test)),
        plan: Some(Plan { workers: vec![known], ..under(hash_seeds.1) }),
        shrunk: Some(minimal),
        note: Some(note),
        ..Finding::new(Kind::UnstableCollection, test, Origin::Baseline)
    })
}
