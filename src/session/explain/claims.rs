//! What is claimed of many tests at once, and is shown a second time before it is told: of a sample of them in fresh
//! processes, of the others in forks.

use std::collections::BTreeSet;

use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::RELATED_SAMPLE;
use crate::plan::Plan;
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::suite::TestIndex;

/// What is claimed of a test.
pub(crate) struct Claim {
    /// The test.
    pub(crate) test: TestIndex,
    /// The run that shows it.
    pub(crate) list: Vec<TestIndex>,
    /// What is looked for in it, and what is to be seen of that.
    pub(crate) shows: (FailureMatcher, Observation),
}

/// The tests of which what is claimed shows a second time: of a sample in fresh processes, of the others in forks
/// under another random seed, which is noted. Where one of the sample differs, or where there are no forks, of all in
/// fresh processes. All runs are like `plan`, but for their tests.
///
/// # Errors
/// Those of the engine.
pub(crate) fn second_time(
    lab: &mut Lab<'_>,
    plan: &Plan,
    claims: &[Claim],
    forks_alone: &mut BTreeSet<TestIndex>,
) -> Result<BTreeSet<TestIndex>, RunError> {
    let (sample, others) = claims.split_at(claims.len().min(RELATED_SAMPLE));
    let sample_held = hold(lab, plan, sample, true)?;
    let fresh = sample_held.len() < sample.len() || !lab.forks(plan);
    let held = hold(lab, plan, others, fresh)?;
    if !fresh {
        forks_alone.extend(&held);
    }
    Ok(&sample_held | &held)
}

/// The tests of which what is claimed shows in one run each, in fresh processes or where it costs least.
///
/// # Errors
/// Those of the engine.
pub(crate) fn hold(
    lab: &mut Lab<'_>,
    plan: &Plan,
    claims: &[Claim],
    fresh: bool,
) -> Result<BTreeSet<TestIndex>, RunError> {
    let random_seed = plan.random_seed.wrapping_add(u32::from(!fresh));
    let like = |claim: &Claim| Plan { random_seed, workers: vec![claim.list.clone()], ..plan.clone() };
    let plans: Vec<Plan> = claims.iter().map(like).collect();
    let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job { fresh, ..Job::of(plan) }).collect();
    let trials = lab.probes(&jobs)?;
    let held = claims.iter().zip(&trials).filter(|(claim, trial)| {
        let (wanted, expected) = &claim.shows;
        observe(trial, wanted) == *expected
    });
    Ok(held.map(|(claim, _)| claim.test).collect())
}
