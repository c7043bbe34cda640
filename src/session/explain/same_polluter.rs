//! Which of the failures that wait show after the polluter of a finding. Each is asked that in a few runs, in place of an
//! investigation of its own, so that what a session takes follows the number of polluters and not that of victims.
//!
//! Whether they fail for the same state is told when the finding is explained.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::same_polluter::SamePolluter;
use crate::judge::Signature;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::judge::signature::Loss;
use crate::plan::{Imports, Interleaving, Plan};
use crate::run::{Job, RunError};
use crate::session::event::Event;
use crate::session::explain::claims::{Claim, second_time};
use crate::session::lab::{Lab, serial};
use crate::session::suspect::Suspect;
use crate::suite::TestIndex;
use crate::trial::Trial;

/// Tells of the failures that wait and show after the only polluter of a finding each time, and not alone.
///
/// # Errors
/// Those of the engine.
pub(crate) fn ask(lab: &mut Lab<'_>, of: usize) -> Result<(), RunError> {
    let finding = &lab.book().findings()[of];
    let (Some(polluter), Some(minimal)) = (finding.only_polluter(), &finding.shrunk) else {
        return Ok(());
    };
    let plan = Plan { imports: Imports::All, ..serial(&minimal.plan, Vec::new()) };
    let mut asked: BTreeMap<TestIndex, Signature> = BTreeMap::new();
    for suspect in lab.book().waiting.iter().filter(|suspect| may_show_after(lab, polluter, suspect)) {
        // Another way in which the test fails waits on.
        asked.entry(suspect.signature.test).or_insert_with(|| suspect.signature.clone());
    }
    let after = |signature: &Signature| vec![polluter, signature.test];
    let same = |signature: &Signature| (FailureMatcher::Signature(signature.clone()), Observation::Same);
    let failing = those(lab, &plan, asked.into_values().collect(), after, same)?;
    // Under the random seed under which it failed, so that it is not what the test draws.
    let alone = |signature: &Signature| vec![signature.test];
    let passes = |signature: &Signature| (FailureMatcher::Failure(signature.test), Observation::Passed);
    let victims = those(lab, &plan, failing, alone, passes)?;
    let claim = |victim: &Signature| Claim { test: victim.test, list: after(victim), shows: same(victim) };
    let claims: Vec<Claim> = victims.iter().map(claim).collect();
    let mut forks_alone = BTreeSet::new();
    let [held] = second_time(lab, &plan, [&claims], &mut forks_alone)?;
    let told = SamePolluter {
        victims: victims.into_iter().filter(|victim| held.contains(&victim.test)).collect(),
        fresh: &held - &forks_alone,
    };
    if !told.victims.is_empty() {
        lab.tell(&Event::SamePolluter(of, &told));
    }
    Ok(())
}

/// Whether a failure may be due to a test that ran before it in its process, and is cheap to show. A pass right after that
/// test speaks against it.
fn may_show_after(lab: &Lab<'_>, polluter: TestIndex, suspect: &Suspect) -> bool {
    let test = suspect.signature.test;
    let cheap = suspect.signature.crash.loss() != Some(Loss::Timeout)
        && suspect.plan.interleaving == Interleaving::Free
        && suspect.fixture_torn_down().is_none();
    let passed = |(before, failed): &(Vec<TestIndex>, bool)| !failed && before.last() == Some(&polluter);
    cheap
        && !suspect.again
        && suspect.before().contains(&polluter)
        && lab.suite.admits(&[polluter, test])
        && !lab.history.prefixes(test).iter().any(passed)
}

/// Those of some failures of which a run of their list shows something.
fn those(
    lab: &mut Lab<'_>,
    plan: &Plan,
    failures: Vec<Signature>,
    list: impl Fn(&Signature) -> Vec<TestIndex>,
    shows: impl Fn(&Signature) -> (FailureMatcher, Observation),
) -> Result<Vec<Signature>, RunError> {
    let plans: Vec<Plan> = failures.iter().map(|failure| serial(plan, list(failure))).collect();
    // Lists of two tests all begin with the polluter.
    let shared = |plan: &Plan| plan.workers.iter().map(|list| list.len().saturating_sub(1) as u32).sum();
    let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job::beginning_alike(plan, shared(plan))).collect();
    let trials = lab.probes(&jobs)?;
    let shown = |(failure, trial): (Signature, &Trial)| {
        let (wanted, expected) = shows(&failure);
        (observe(trial, &wanted) == expected).then_some(failure)
    };
    Ok(failures.into_iter().zip(&trials).filter_map(shown).collect())
}
