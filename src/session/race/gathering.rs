//! One race is one finding, with all tests that lose in it. Where a test was found to lose, tests that reach what
//! it lost by the same lines take its place, under the very schedule that showed it. Each that is told was seen
//! to fail in the same way each time, by the same conflicting calls, and to pass without the other worker.

use crate::finding::Finding;
use crate::judge::{Signature, Tally};
use crate::limits::{COMMON_DELAY, DELAY_FACTOR, LOSERS_TRIED};
use crate::plan::schedule::{Resource, Schedule};
use crate::plan::{Plan, WorkerId};
use crate::race::conflicts::Pair;
use crate::race::delay::Delay;
use crate::race::likeness::{folder, like};
use crate::race::trace::{Trace, trace};
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::session::race::delays::suffices;
use crate::session::race::pairs::Races;
use crate::session::race::probe_effect::fails_without_overlap;
use crate::session::race::reruns::{Reruns, schedule_of, with_schedule};
use crate::session::suspect::Suspect;
use crate::suite::TestIndex;

/// A test that was found to lose: how, under which plan, and by which calls.
pub(crate) struct Loser {
    /// Its failure.
    pub(crate) signature: Signature,
    /// The plan that shows it.
    pub(crate) plan: Plan,
    /// The worker on which it shows.
    pub(crate) worker: WorkerId,
    /// What happens.
    pub(crate) trace: Trace,
}

impl Loser {
    /// The test of a race that was found.
    pub(crate) fn of(finding: &Finding) -> Option<Self> {
        let (signature, minimal) = (finding.signature.clone()?, finding.shrunk.as_ref()?);
        let trace = finding.trace.clone()?;
        let worker = trace.calls.last()?.worker;
        Some(Self { signature, plan: minimal.plan.clone(), worker, trace })
    }

    /// A test that was seen to lose to the same pair's other one; nothing if it does not lose what the race is on.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn under(
        lab: &mut Lab<'_>,
        suspect: &Suspect,
        race: &Trace,
    ) -> Result<Option<Self>, RunError> {
        let mut runs = Reruns::new(suspect);
        let steps = runs.once(lab, &suspect.plan)?.unwrap_or_default();
        let found = trace(runs.up_to_failure(&steps), suspect.worker, &race.resource);
        let Suspect { signature, plan, worker, .. } = suspect.clone();
        Ok(found.map(|trace| Self { signature, plan, worker, trace }))
    }

    /// The plan with another test in its place, which touches a resource in place of what this one lost.
    fn replaced(&self, by: TestIndex, resource: &Resource) -> Option<Plan> {
        let mut plan = self.plan.clone();
        let lost = self.signature.test;
        for (at, list) in plan.workers.iter_mut().enumerate() {
            let own = at == self.worker.0 as usize;
            list.iter_mut()
                .filter(|test| own || **test == by)
                .for_each(|test| *test = if own { by } else { lost });
        }
        let schedule = schedule_of(&plan)?.clone();
        let renamed = |one: Resource| if one == self.trace.resource { resource.clone() } else { one };
        let at = schedule.at.iter().cloned().map(renamed).collect();
        Some(with_schedule(&plan, Schedule { at, calls: Vec::new(), ..schedule }))
    }
}

/// Adds to a race the tests that lose in it as one of its tests does. Tells how many were not tried.
///
/// # Errors
/// Those of the engine; what was shown before stays.
pub(crate) fn gather(
    lab: &mut Lab<'_>,
    races: &Races,
    loser: &Loser,
    finding: &mut Finding,
) -> Result<usize, RunError> {
    let resource = &loser.trace.resource;
    let mut candidates = like(&races.conflicts, loser.signature.test, resource);
    candidates.retain(|(test, _)| finding.test != Some(*test) && !finding.also.contains(test));
    let left = candidates.len().saturating_sub(LOSERS_TRIED);
    for (test, theirs) in candidates.into_iter().take(LOSERS_TRIED) {
        let Some(suspect) = shows(lab, loser, test, &theirs)? else { continue };
        let delay = finding.trace.as_mut().and_then(|trace| trace.delay.as_mut());
        if let Some(delay) = delay
            && !takes_no_longer(lab, &suspect, delay)?
        {
            continue;
        }
        finding.also.push(test);
        if let (Some(trace), true) = (&mut finding.trace, theirs != *resource) {
            trace.folder = folder(resource).map(str::to_owned);
        }
    }
    Ok(left)
}

/// Whether about the same delay suffices for another test, as it does if it waits by the same limit. The longer of
/// both is told then.
fn takes_no_longer(lab: &mut Lab<'_>, suspect: &Suspect, delay: &mut Delay) -> Result<bool, RunError> {
    let most = COMMON_DELAY.min(delay.milliseconds * DELAY_FACTOR);
    let took = suffices(lab, suspect)?.filter(|&took| took <= most);
    delay.milliseconds = delay.milliseconds.max(took.unwrap_or_default());
    Ok(took.is_some())
}

/// The failures of tests that were shown to fail as another does.
pub(crate) fn signatures(tests: &[TestIndex], loser: &Loser) -> Vec<Signature> {
    let of = |&test: &TestIndex| Signature { test, crash: loser.signature.crash.clone() };
    tests.iter().map(of).collect()
}

/// The failure of a test that loses as another does, in its place.
fn shows(
    lab: &mut Lab<'_>,
    loser: &Loser,
    test: TestIndex,
    resource: &Resource,
) -> Result<Option<Suspect>, RunError> {
    let Some(plan) = loser.replaced(test, resource) else {
        return Ok(None);
    };
    let crash = loser.signature.crash.clone();
    let suspect = Suspect {
        signature: Signature { test, crash },
        failure: None,
        origin: crate::finding::Origin::Race(plan.index.0),
        plan: plan.clone(),
        worker: loser.worker,
        charged: test,
        site: None,
        again: false,
    };
    let mut runs = Reruns::new(&suspect);
    let Some(steps) = runs.once(lab, &plan)? else {
        return Ok(None);
    };
    let found = trace(runs.up_to_failure(&steps), loser.worker, resource);
    let same = found.is_some_and(|found| found.conflict() == loser.trace.conflict());
    let shows = same
        && runs.always(lab, &plan)?
        && !fails_without_overlap(lab, &suspect, false, &mut Tally::default())?;
    Ok(shows.then_some(suspect))
}

/// Whether a race has the cause of one that was found before: the same failure, or one of the same fixture, by the same
/// conflicting calls, on the same resource or on one in the same folder.
pub(crate) fn is_of(known: &Finding, finding: &Finding) -> bool {
    let crash = |finding: &Finding| finding.signature.as_ref().map(|signature| signature.crash.clone());
    let (Some(one), Some(other)) = (&known.trace, &finding.trace) else {
        return false;
    };
    let beside = folder(&one.resource).is_some() && folder(&one.resource) == folder(&other.resource);
    let same_fixture = known.fixture().is_some() && known.fixture() == finding.fixture();
    (same_fixture || crash(known) == crash(finding))
        && one.delay.is_none()
        && one.conflict() == other.conflict()
        && (one.resource == other.resource || beside)
}

/// Takes in that a test loses a race as well, unless it is told with it already.
pub(super) fn also_loses(known: &mut Finding, test: TestIndex) {
    if known.test != Some(test) && !known.also.contains(&test) {
        known.also.push(test);
    }
}

/// Tells a race with one of the same cause that was found before. Where it is on another file, the folder of both is
/// what is shared.
pub fn join(known: &mut Finding, finding: &Finding) {
    finding.test.into_iter().for_each(|test| also_loses(known, test));
    if let (Some(trace), Some(other)) = (&mut known.trace, &finding.trace)
        && trace.resource != other.resource
    {
        trace.folder = folder(&trace.resource).map(str::to_owned);
    }
}

/// The folder of a resource, if tests of a pair conflict on the folder itself as well.
pub(crate) fn shared_folder(pair: &Pair, resource: &Resource) -> Option<String> {
    let name = folder(resource)?;
    pair.resources.contains(&Resource(format!("file:{name}"))).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Kind, Origin};

    #[test]
    fn a_test_that_loses_twice_is_told_once() {
        let race = |test| Finding::new(Kind::Race, Some(TestIndex(test)), Origin::Race(0));
        let mut known = race(0);
        [0, 1, 1, 2].into_iter().for_each(|test| join(&mut known, &race(test)));
        assert_eq!(known.also, [TestIndex(1), TestIndex(2)]);
    }
}
