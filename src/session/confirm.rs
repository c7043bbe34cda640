//! The last word: a shrunk failure is run again, with and without what is said to cause it, in fresh
//! pytest processes and each time under another random seed.

use crate::judge::Tally;
use crate::judge::finding::{Finding, Kind};
use crate::judge::sight::{Sight, Wanted, look};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::investigate::{Suspect, minimal};
use crate::session::lab::{Lab, alone};
use crate::shrink::Shrunk;

/// Runs with the cause, if all of them agree.
pub const CONSTANT: u32 = 4;
/// Runs without the cause, those of the judging included, if all of them agree.
const CONSTANT_WITHOUT: u32 = 8;
/// Runs of each sort where they do not.
const VARYING: u32 = 16;
/// What chance may explain at most.
const DOUBT: f64 = 0.01;

/// Confirms a victim or a race.
///
/// # Errors
/// Those of the engine.
pub fn victim(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    wanted: &Wanted,
    shrunk: Shrunk,
    finding: Finding,
) -> Result<Finding, RunError> {
    let test = suspect.signature.test;
    let shrunk = minimal(lab, &shrunk, test);
    if let Some(finding) = broken_fixture(lab, suspect, &shrunk.plan, &finding)? {
        return Ok(finding);
    }
    let (with, without) = compare(
        lab,
        &shrunk.plan,
        wanted,
        &alone(&shrunk.plan, lab.suite, test, 0),
        &Wanted::Failure(test),
        finding.without,
    )?;
    let kind = match () {
        () if with.failed == 0 => Kind::Unreproduced,
        () if without.failed > 0 => Kind::Nod,
        () if with.chance_against(without) > DOUBT => Kind::Unreproduced,
        () => finding.kind,
    };
    Ok(Finding { kind, with, without, shrunk: kind.is_isolation_failure().then_some(shrunk), ..finding })
}

/// Confirms a brittle test: it passes with its state-setter, and fails without.
///
/// # Errors
/// Those of the engine.
pub fn brittle(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    shrunk: Shrunk,
    finding: Finding,
) -> Result<Finding, RunError> {
    let test = suspect.signature.test;
    let shrunk = minimal(lab, &shrunk, test);
    let any = Wanted::Failure(test);
    let (with, without) =
        compare(lab, &shrunk.plan, &any, &alone(&shrunk.plan, lab.suite, test, 0), &any, finding.without)?;
    let kind = if with.never() && without.always() { Kind::Brittle } else { Kind::Nod };
    Ok(Finding { kind, with, without, shrunk: kind.is_isolation_failure().then_some(shrunk), ..finding })
}

/// Runs two plans until their tallies tell them apart or do not.
fn compare(
    lab: &mut Lab<'_>,
    with: &Plan,
    wanted_with: &Wanted,
    without: &Plan,
    wanted_without: &Wanted,
    so_far: Tally,
) -> Result<(Tally, Tally), RunError> {
    let mut fails = measure(lab, with, wanted_with, Tally::default(), CONSTANT)?;
    let mut passes = measure(lab, without, wanted_without, so_far, CONSTANT_WITHOUT)?;
    let constant = |tally: Tally| tally.always() || tally.never();
    if !constant(fails) || !constant(passes) {
        fails = measure(lab, with, wanted_with, fails, VARYING)?;
        passes = measure(lab, without, wanted_without, passes, VARYING)?;
    }
    Ok((fails, passes))
}

/// Runs a plan until it gave so many answers in all, each time under another random seed.
fn measure(
    lab: &mut Lab<'_>,
    plan: &Plan,
    wanted: &Wanted,
    so_far: Tally,
    runs: u32,
) -> Result<Tally, RunError> {
    let mut tally = so_far;
    for run in so_far.runs..runs {
        let random_seed = plan.random_seed.wrapping_add(run);
        match look(&lab.probe(&Plan { random_seed, ..plan.clone() })?, wanted) {
            Sight::Unknown => {}
            sight => tally.add(sight == Sight::Same),
        }
    }
    Ok(tally)
}

/// A fixture of a wider scope that is broken for every test is charged to another test in each order:
/// if any other test of the shrunk plan shows the failure alone, no order is to blame.
fn broken_fixture(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    plan: &Plan,
    finding: &Finding,
) -> Result<Option<Finding>, RunError> {
    let crash = &suspect.signature.crash;
    if !crash.is_of_a_fixture() {
        return Ok(None);
    }
    let mut others: Vec<_> = plan.workers.iter().flatten().copied().collect();
    others.retain(|&test| test != suspect.signature.test);
    for other in others {
        let trial = lab.probe(&alone(plan, lab.suite, other, plan.random_seed))?;
        if look(&trial, &Wanted::Fixture(crash.clone())) == Sight::Same {
            let note = format!(
                "the fixture `{}` in {} fails whichever test it is charged to; it fails with {} alone as well",
                crash.function,
                crash.file,
                lab.suite.test(other).id
            );
            return Ok(Some(Finding { kind: Kind::Broken, note: Some(note), ..finding.clone() }));
        }
    }
    Ok(None)
}
