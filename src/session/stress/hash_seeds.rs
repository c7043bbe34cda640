//! Whether a test that was never seen to pass does so under another `PYTHONHASHSEED`: a session tries few values, and
//! all of them may be such that it fails.

use std::collections::BTreeSet;

use crate::plan::{Axes, Imports, Plan, Seed};
use crate::run::{Job, RunError};
use crate::session::lab::{Lab, serial};
use crate::suite::TestIndex;

/// How many values are tried besides the session's. What fails under half of all values fails under these and the
/// usual three of a session once in 256.
const MORE: u32 = 5;

/// Runs tests under other hash seeds, all of them in one process for each; the lab's history keeps what they showed.
/// Nothing is run if the session is to keep to one hash seed.
///
/// # Errors
/// Those of the engine.
pub fn try_others(
    lab: &mut Lab<'_>,
    axes: &Axes,
    seed: Seed,
    like: &Plan,
    tests: &BTreeSet<TestIndex>,
) -> Result<(), RunError> {
    if axes.hash_seeds < 2 || tests.is_empty() {
        return Ok(());
    }
    let plans: Vec<Plan> =
        others(axes, seed).into_iter().map(|hash_seed| under(lab, like, tests, hash_seed)).collect();
    let jobs: Vec<Job<'_>> = plans.iter().map(Job::of).collect();
    lab.probes(&jobs).map(drop)
}

/// Hash seeds that the session does not use, drawn from its seed.
fn others(axes: &Axes, seed: Seed) -> Vec<u32> {
    let more = Axes { hash_seeds: axes.hash_seeds + MORE, ..axes.clone() };
    more.hash_seed_values(seed).split_off(axes.hash_seeds as usize)
}

/// The tests in suite order, with nothing imported but their files.
fn under(lab: &Lab<'_>, like: &Plan, tests: &BTreeSet<TestIndex>, hash_seed: u32) -> Plan {
    let list = lab.suite.collected.iter().copied().filter(|test| tests.contains(test)).collect();
    let files = tests.iter().map(|&test| lab.suite.test(test).file.clone()).collect();
    Plan { hash_seed, imports: Imports::Only(files), ..serial(like, list) }
}
