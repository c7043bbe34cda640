//! Whether the suite needs the machine's network: found out where something cannot be collected, or
//! fails alone, with a loopback of the trial's own.

use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::{NETWORK_ROUNDS, NETWORK_TESTS};
use crate::plan::Plan;
use crate::run::engine::Collect;
use crate::run::{Engine, RunError};
use crate::session::event::About;
use crate::session::lab::{Lab, alone};
use crate::suite::TestIndex;
use crate::trial::Collected;

/// Collects the suite, with the machine's network if more can be collected so.
///
/// # Errors
/// It cannot be collected either way.
pub(crate) fn collect(engine: &mut dyn Engine, hash_seed: u32) -> Result<Collected, RunError> {
    Ok(collect_beside(engine, hash_seed, None)?.0)
}

/// Does so while it is collected in another way as well, as that takes no longer where there are two processors. What
/// comes of that is none if it was done without the network that trials use.
///
/// # Errors
/// It cannot be collected, in whichever way.
pub(crate) fn collect_beside(
    engine: &mut dyn Engine,
    hash_seed: u32,
    other_way: Option<Collect>,
) -> Result<(Collected, Option<Collected>), RunError> {
    let requests: Vec<Collect> = std::iter::once(Collect::kept(hash_seed)).chain(other_way).collect();
    let first = engine.collect_all(&requests).and_then(|all| {
        let mut all = all.into_iter();
        Ok((all.next().ok_or(RunError::Interrupted)?, all.next()))
    });
    let lacking = match &first {
        Ok((collected, _)) => collected.suite.errors.len(),
        Err(RunError::Pytest(_)) => usize::MAX,
        Err(_) => return first,
    };
    if lacking == 0 || !engine.isolation().network {
        return first;
    }
    match engine.collect(Collect { host_network: true, ..Collect::kept(hash_seed) }) {
        Ok(other) if other.suite.errors.len() < lacking => {}
        _ => return first,
    }
    engine.use_host_network()?;
    engine.remarks().add("trials use the machine's network: more of the suite can be collected with it");
    Ok((engine.collect(Collect::kept(hash_seed))?, None))
}

/// Goes over to the machine's network if one of these tests fails alone and passes with it; tells
/// whether.
///
/// # Errors
/// Those of the engine.
pub(crate) fn check(lab: &mut Lab<'_>, plan: &Plan, failing: &[TestIndex]) -> Result<bool, RunError> {
    if !lab.may_use_host_network() {
        return Ok(false);
    }
    for &test in failing.iter().take(NETWORK_TESTS) {
        if needs_network(lab, plan, test)? {
            lab.use_host_network()?;
            let remark = format!(
                "trials use the machine's network: {} fails without it. Keep it away with --network private",
                lab.suite.test(test).id
            );
            lab.remark(About::Runs, &remark);
            return Ok(true);
        }
    }
    Ok(false)
}

fn needs_network(lab: &mut Lab<'_>, plan: &Plan, test: TestIndex) -> Result<bool, RunError> {
    let any = FailureMatcher::Failure(test);
    for random_seed in 0..NETWORK_ROUNDS {
        let alone = alone(plan, lab.suite, test, random_seed);
        if observe(&lab.probe_on_host_network(&alone)?, &any) != Observation::Passed {
            return Ok(false);
        }
        if observe(&lab.probe_fresh(&alone)?, &any) != Observation::Same {
            return Ok(false);
        }
    }
    Ok(true)
}
