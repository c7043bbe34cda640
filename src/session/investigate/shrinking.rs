//! Shrinking a failure: to the tests before a victim that it needs, or those without which it fails.

use crate::finding::{Finding, GivenUp, Kind};
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::judge::verdict::Verdict;
use crate::judge::{Evidence, Tally};
use crate::limits::{RACE_RATE, UNKNOWN_RATE};
use crate::plan::{Plan, WorkerId};
use crate::run::RunError;
use crate::session::investigate::oracle::{run_shrinker, run_shrinker_but_for_imports};
use crate::session::investigate::questions::{exactly, shows_each_time, wanted};
use crate::session::investigate::{by_chance, confirm};
use crate::session::lab::{Lab, serial, serial_of_worker};
use crate::session::suspect::Suspect;
use crate::shrink::{Shrunk, Target};
use crate::trial::Trial;

pub(crate) fn shrink_victim(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    verdict: Verdict,
    evidence: &Evidence,
    finding: Finding,
) -> Result<Finding, RunError> {
    let wanted = wanted(suspect, verdict);
    let serially = verdict == Verdict::Victim && suspect.plan.workers.len() > 1;
    let (plan, worker, tally) = if serially {
        (serial_of_worker(&suspect.plan, suspect.worker), WorkerId(0), evidence.serial)
    } else {
        (suspect.plan.clone(), suspect.worker, evidence.again)
    };
    let target = Target { victim: suspect.signature.test, worker };
    // Nothing controls how workers interleave, so that a race which always showed in the plan may show
    // at times in a smaller one.
    let most = if verdict == Verdict::Race { RACE_RATE } else { 1.0 };
    let rate = tally.rate_at_least().min(most);
    let varies = !(evidence.again.always() && tally.always());
    let looked_for = exactly(suspect, &wanted);
    let confirmed = |lab: &mut Lab<'_>, shrunk: Shrunk| {
        let given_up = given_up(&shrunk);
        let found = confirm::victim(lab, suspect, &wanted, shrunk, finding.clone(), varies)?;
        Ok::<_, RunError>(Finding { given_up, ..found })
    };
    let shrunk_and_confirmed = |lab: &mut Lab<'_>, rate: f64| {
        let shrunk = run_shrinker(lab, plan.clone(), target, rate, &looked_for, Observation::Same)?;
        confirmed(lab, shrunk)
    };
    if evidence.alone.failed > 0 {
        return by_chance::victim(lab, suspect, (plan, target), evidence.alone, finding);
    }
    if verdict == Verdict::Victim && rate >= 1.0 && !varies && lab.forks(&plan) {
        let shrunk = run_shrinker_but_for_imports(lab, plan.clone(), target, &looked_for, Observation::Same)?;
        let found = confirmed(lab, shrunk)?;
        if matches!(found.kind, Kind::Victim | Kind::Nio) && found.with.always() {
            return Ok(found);
        }
        // It may need other files imported, which is asked about then.
    }
    let found = shrunk_and_confirmed(lab, rate)?;
    if verdict == Verdict::Victim && tally.always() && matches!(found.kind, Kind::Nod | Kind::RandomDraws) {
        // It had passed alone by luck.
        let more = by_chance::victim(lab, suspect, (plan, target), found.without, finding)?;
        return Ok(if more.kind == Kind::Victim { more } else { found });
    }
    if rate < 1.0 || found.with.always() || found.kind == Kind::Broken {
        return Ok(found);
    }
    // It seemed to fail each time, so that every pass was believed, and it does not.
    let measured = found.with.rate_at_least();
    shrunk_and_confirmed(lab, if measured > 0.0 { measured } else { UNKNOWN_RATE })
}

/// Shrinks a failure in its own plan, as if it showed there each time.
pub(crate) fn shrink_constant(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    finding: Finding,
) -> Result<Finding, RunError> {
    let wanted = wanted(suspect, Verdict::Victim);
    let target = Target { victim: suspect.signature.test, worker: suspect.worker };
    let looked_for = exactly(suspect, &wanted);
    let plan = suspect.plan.clone();
    let shrunk = if lab.forks(&plan) {
        run_shrinker_but_for_imports(lab, plan, target, &looked_for, Observation::Same)?
    } else {
        run_shrinker(lab, plan, target, 1.0, &looked_for, Observation::Same)?
    };
    let given_up = given_up(&shrunk);
    let found = confirm::victim(lab, suspect, &wanted, shrunk, finding, false)?;
    Ok(Finding { given_up, ..found })
}

/// How far a search came that was given up.
pub(crate) fn given_up(shrunk: &Shrunk) -> Option<GivenUp> {
    shrunk.exhausted.then(|| GivenUp { runs: shrunk.calls, suspects: shrunk.odds.clone() })
}

pub(crate) fn shrink_brittle(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    passing: &Plan,
    evidence: &Evidence,
    finding: Finding,
) -> Result<Finding, RunError> {
    let test = suspect.signature.test;
    let worker = passing.workers.iter().position(|list| list.contains(&test)).unwrap_or_default();
    let plan = serial(passing, passing.workers[worker].clone());
    let target = Target { victim: test, worker: WorkerId(0) };
    let rate = 1.0 - evidence.passed_again.rate();
    let wanted = FailureMatcher::any(&suspect.signature, suspect.failure.as_ref());
    let fails = |trial: &Trial| observe(trial, &wanted).shown() == Some(true);
    if passing.workers.len() > 1 && shows_each_time(lab, &plan, fails)? {
        let unjudged =
            Finding { kind: Kind::Unreproduced, with: Tally::default(), unjudged: true, ..finding };
        return Ok(Finding { note: Some(BESIDE.to_owned()), ..unjudged });
    }
    let shrunk = run_shrinker(lab, plan, target, rate, &wanted, Observation::Passed)?;
    let given_up = given_up(&shrunk);
    Ok(Finding { given_up, ..confirm::brittle(lab, suspect, shrunk, finding)? })
}

/// Why no claim is made of what passes only while other workers run.
const BESIDE: &str = "it fails alone and after the tests of its own worker, and passes in a plan in which other workers run at the \
     same time: which of that it needs, a test of theirs or to be a worker, was not looked for";
