//! What is claimed of many tests at once, and is shown a second time before it is told: of a sample of them in fresh
//! processes, of the others in forks.

use std::collections::BTreeSet;

use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::RELATED_SAMPLE;
use crate::plan::Plan;
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::suite::TestIndex;
use crate::trial::Trial;

/// What is claimed of a test.
pub(crate) struct Claim {
    /// The test.
    pub(crate) test: TestIndex,
    /// The plan of the run that shows it.
    pub(crate) plan: Plan,
    /// What is looked for in it, and what is to be seen of that.
    pub(crate) shows: (FailureMatcher, Observation),
}

/// The tests of which what is claimed shows a second time, for each sort of claims: of a sample in fresh processes, of the
/// others in forks under another random seed, which is noted. Where one of the sample differs, or where there are no
/// forks, of all of that sort in fresh processes.
///
/// # Errors
/// Those of the engine.
pub(crate) fn second_time<const SORTS: usize>(
    lab: &mut Lab<'_>,
    sorts: [&[Claim]; SORTS],
    forks_alone: &mut BTreeSet<TestIndex>,
) -> Result<[BTreeSet<TestIndex>; SORTS], RunError> {
    let forks = sorts.iter().copied().flatten().all(|claim| lab.forks(&claim.plan));
    let split = sorts.map(|claims| claims.split_at(claims.len().min(RELATED_SAMPLE)));
    let asked = split.iter().flat_map(|(sample, others)| {
        sample.iter().map(|claim| (claim, true)).chain(others.iter().map(|claim| (claim, !forks)))
    });
    let asked: Vec<(&Claim, bool)> = asked.collect();
    let mut answers = ask(lab, &asked)?.into_iter();
    let mut held = [const { BTreeSet::new() }; SORTS];
    for ((sample, others), held) in split.into_iter().zip(&mut held) {
        let of_sample: Vec<bool> = answers.by_ref().take(sample.len()).collect();
        let mut of_others: Vec<bool> = answers.by_ref().take(others.len()).collect();
        if forks && of_sample.contains(&false) {
            let fresh: Vec<(&Claim, bool)> = others.iter().map(|claim| (claim, true)).collect();
            of_others = ask(lab, &fresh)?;
        } else if forks {
            forks_alone.extend(shown(others, &of_others));
        }
        held.extend(shown(sample, &of_sample).chain(shown(others, &of_others)));
    }
    Ok(held)
}

/// The tests of which what is claimed was shown.
fn shown<'c>(claims: &'c [Claim], answers: &'c [bool]) -> impl Iterator<Item = TestIndex> + 'c {
    claims.iter().zip(answers).filter(|(_, shows)| **shows).map(|(claim, _)| claim.test)
}

/// Whether each claim shows in one run, in a fresh process or where it costs least.
fn ask(lab: &mut Lab<'_>, claims: &[(&Claim, bool)]) -> Result<Vec<bool>, RunError> {
    let like = |&(claim, fresh): &(&Claim, bool)| claim.plan.reseeded(u32::from(!fresh));
    let plans: Vec<Plan> = claims.iter().map(like).collect();
    let jobs = plans.iter().zip(claims).map(|(plan, &(_, fresh))| Job { fresh, ..Job::of(plan) });
    let trials = lab.probes(&jobs.collect::<Vec<_>>())?;
    let shows = |((claim, _), trial): (&(&Claim, bool), &Trial)| {
        let (wanted, expected) = &claim.shows;
        observe(trial, wanted) == *expected
    };
    Ok(claims.iter().zip(&trials).map(shows).collect())
}
