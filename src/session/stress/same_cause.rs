//! Whether a failure is another sight of what is told already. That it looks the same is no proof: the test is put in
//! the place of the one that the finding names, and has to fail in the same way.

use crate::finding::{Finding, Kind};
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::plan::{Imports, Plan};
use crate::run::{Job, RunError};
use crate::session::investigate::plain;
use crate::session::lab::Lab;
use crate::session::suspect::Suspect;
use crate::suite::{Suite, TestIndex};

/// The first of the findings that a failure is like of which it is shown to be.
///
/// # Errors
/// Those of the engine.
pub(crate) fn of_one_cause(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<usize>, RunError> {
    for at in lab.book().alike(suspect) {
        let finding = lab.book().findings()[at].clone();
        if is_of(lab, &finding, suspect)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// Whether the failure shows where that of the finding does, and, unless it is an ordinary bug, not alone.
fn is_of(lab: &mut Lab<'_>, finding: &Finding, suspect: &Suspect) -> Result<bool, RunError> {
    let (Some(told), test) = (finding.test, suspect.signature.test) else {
        return Ok(false);
    };
    let alone = lab.alone(&suspect.plan, test, suspect.plan.random_seed);
    let of_its_own = finding.kind == Kind::Broken || finding.fails_in_trials_only();
    let instead = match (finding.kind, &finding.shrunk) {
        _ if of_its_own => None,
        (Kind::Race, _) => Some(suspect.plan.clone()),
        (_, Some(minimal)) => Some(lab.in_forks(&instead(lab.suite, &minimal.plan, told, test))),
        (_, None) => return Ok(false),
    };
    let plans: Vec<Plan> = std::iter::once(alone).chain(instead).collect();
    let trials = lab.probes(&plans.iter().map(Job::of).collect::<Vec<_>>())?;
    let wanted = match suspect.fixture() {
        Some(fixture) => FailureMatcher::Fixture(fixture.clone(), suspect.signature.crash.clone()),
        None => suspect.wanted(),
    };
    let sights: Vec<Observation> = trials.iter().map(|trial| observe(trial, &wanted)).collect();
    if of_its_own {
        return Ok(sights == [Observation::Same]
            && plain::alike(lab, finding, test, suspect.signature.crash.loss())?);
    }
    Ok(sights == [Observation::Passed, Observation::Same])
}

/// A plan in which another test takes the place of one: of one that comes before itself only the last, so that the other
/// meets what that has left. For a test of the same function, which may leave what it is given, it does so each time.
fn instead(suite: &Suite, plan: &Plan, of: TestIndex, test: TestIndex) -> Plan {
    let function = |test: TestIndex| suite.test(test).id.function();
    let mut plan = Plan { imports: Imports::All, ..plan.clone() };
    for list in &mut plan.workers {
        let places = list.iter_mut().rev().filter(|other| **other == of);
        let each_time = function(of) == function(test);
        places.take(if each_time { usize::MAX } else { 1 }).for_each(|other| *other = test);
    }
    plan
}
