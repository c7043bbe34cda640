//! From a failure that was seen to a finding: judge it, shrink it, confirm it.

pub(crate) mod company;
pub(crate) mod confirm;
pub(crate) mod command;
pub(crate) mod other_commands;
pub(crate) mod plain;
pub(crate) mod nio;
pub(crate) mod left_out;
pub(crate) mod room;
pub(crate) mod connections;
pub(crate) mod same_call;
pub(crate) mod outside;
pub(crate) mod by_chance;
pub(crate) mod beside_race;
pub mod oracle;
pub(crate) mod shrinking;
pub(crate) mod questions;
mod tests;

use crate::finding::{Finding, Kind};
use crate::judge::observation::FailureMatcher;
use crate::judge::signature::FailureLocation;
use crate::judge::verdict::Verdict;
use crate::judge::{Evidence, Question};
use crate::plan::{Interleaving, Plan};
use crate::run::RunError;
use crate::session::investigate::nio::pollutes_itself;
use crate::session::investigate::questions::{
    AS_A_WORKER, Judgement, fails_as_the_only_worker, judge, no_answer,
};
use crate::session::investigate::shrinking::{shrink_brittle, shrink_constant, shrink_victim};
use crate::session::lab::Lab;
use crate::session::race::pairs;
use crate::session::stress::draws::told_apart;
use crate::session::suspect::{Suspect, finding_of};

/// Judges a suspect and, if it is an isolation failure, shrinks and confirms it.
///
/// # Errors
/// Those of the engine. Time that runs out is no error: the finding is then not shrunk to the end.
pub fn investigate(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Finding, RunError> {
    let finding = look_into(lab, suspect, false)?;
    plain::asked(lab, finding)
}

/// Does so for a failure that the user named. It is shrunk without first running the plan it was seen in
/// again and again; only where that comes to nothing, it is judged as any other.
///
/// # Errors
/// As those of [`investigate`].
pub(crate) fn investigate_named(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Finding, RunError> {
    let finding = look_into(lab, suspect, true)?;
    plain::asked(lab, finding)
}

fn look_into(lab: &mut Lab<'_>, suspect: &Suspect, assume_deterministic: bool) -> Result<Finding, RunError> {
    if let Interleaving::Controlled(_) = suspect.plan.interleaving {
        return pairs::finding(
            lab,
            suspect,
            finding_of(suspect, Verdict::Unreproduced, &Evidence::default()),
        );
    }
    if suspect.again
        && suspect.fixture_torn_down().is_none()
        && let Some(finding) = pollutes_itself(lab, suspect)?
    {
        return Ok(finding);
    }
    let reference = lab.history.passed_in(suspect.signature.test, suspect.plan.hash_seed);
    let reference = reference.map(|record| record.plan.clone());
    let Judgement { verdict, evidence, silent, alone, varying, moves } =
        judge(lab, suspect, reference.as_ref(), assume_deterministic)?;
    // A teardown that tests share is charged to whichever comes last: that another was charged is no pass.
    let tears_down = alone.as_ref().is_some_and(|alone| alone.fixture_torn_down().is_some());
    if let (Verdict::Broken | Verdict::Brittle, Some(alone)) = (verdict, &alone)
        && alone.signature != suspect.signature
        && (verdict == Verdict::Broken || tears_down)
    {
        return Ok(broken_otherwise(suspect, alone, &evidence));
    }
    // A brittle test is one for how it fails alone; how it fails after some other is another matter.
    let suspect = match (verdict, &alone) {
        (Verdict::Brittle, Some(alone)) if alone.signature != suspect.signature => alone,
        // One that fails by chance is told as it does so with no other test before it.
        (Verdict::Nod, Some(alone)) => alone,
        _ => suspect,
    };
    let suspect = &if moves { Suspect { site: None, ..suspect.clone() } } else { suspect.clone() };
    let note = silent.map(|question| no_answer(question).to_owned());
    // A test need not stand to be run again after it has passed.
    let unjudged = silent.is_some() && !suspect.again;
    let finding = Finding { note, unjudged, ..finding_of(suspect, verdict, &evidence) };
    if let (Some(Question::Alone), Some(passing)) = (silent.filter(|_| !suspect.again), &reference)
        && let Some(found) = company::order_dependent(lab, suspect, passing, &finding)?
    {
        return Ok(found);
    }
    match verdict {
        Verdict::Victim if assume_deterministic && evidence.again.runs == 0 && evidence.alone.failed == 0 => {
            let found = shrink_constant(lab, suspect, finding)?;
            let holds = found.kind == Kind::Victim && found.with.always();
            if holds || lab.out_of_time() { Ok(found) } else { look_into(lab, suspect, false) }
        }
        Verdict::Race if fails_as_the_only_worker(lab, suspect)? => {
            let unclaimed = finding_of(suspect, Verdict::Unreproduced, &evidence);
            Ok(Finding { note: Some(AS_A_WORKER.to_owned()), ..unclaimed })
        }
        Verdict::Victim | Verdict::Race => shrink_victim(lab, suspect, verdict, &evidence, finding),
        Verdict::Brittle => match reference {
            Some(passing) => shrink_brittle(lab, suspect, &passing, &evidence, finding),
            None => Ok(finding),
        },
        Verdict::Nod if varying.iter().any(|seen| !seen.failed) => {
            told_apart(lab, finding, &FailureMatcher::Failure(suspect.signature.test), &varying)
        }
        Verdict::HashSeed => {
            let note = reference.map(|passing| hash_seeds(suspect, &passing, &evidence));
            Ok(Finding { note: note.or(finding.note.clone()), ..finding })
        }
        Verdict::Nod | Verdict::Broken | Verdict::Unreproduced => Ok(finding),
    }
}

/// Under which hash seed a test failed alone, and under which it passed.
fn hash_seeds(suspect: &Suspect, passing: &Plan, evidence: &Evidence) -> String {
    format!(
        "failed with PYTHONHASHSEED={} in each of {} runs alone, passed with PYTHONHASHSEED={} in each of {}",
        suspect.plan.hash_seed, evidence.alone.runs, passing.hash_seed, evidence.alone_where_passed.runs
    )
}

/// What is to be said of a test that fails alone, and elsewhere failed in another way.
fn broken_otherwise(suspect: &Suspect, alone: &Suspect, evidence: &Evidence) -> Finding {
    let FailureLocation { phase, exception, file, function } = &suspect.signature.crash;
    let phase = phase.name();
    let place = if file.is_empty() { function.clone() } else { format!("in {function} ({file})") };
    let note = format!(
        "beside other tests it was seen to fail in another way: {exception} {place}, in its {phase}; that was not \
         looked into, as it fails alone"
    );
    let mut finding = finding_of(alone, Verdict::Broken, evidence);
    finding.note = Some(note);
    finding
}
