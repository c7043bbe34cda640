//! From a failure that was seen to a finding: judge it, shrink it, confirm it.

pub mod confirm;
pub mod command;
pub(crate) mod nio;
pub mod oracle;
pub(crate) mod shrinking;
pub(crate) mod questions;

use crate::finding::{Finding, Kind};
use crate::judge::Evidence;
use crate::judge::case::Verdict;
use crate::judge::observation::{FailureMatcher, Observation};
use crate::judge::signature::FailureLocation;
use crate::plan::Interleaving;
use crate::run::RunError;
use crate::session::investigate::nio::pollutes_itself;
use crate::session::investigate::oracle::run_shrinker;
use crate::session::investigate::questions::{Judgement, exactly, judge, no_answer, wanted};
use crate::session::investigate::shrinking::{given_up, shrink_brittle, shrink_victim};
use crate::session::lab::Lab;
use crate::session::race::pairs;
use crate::session::stress::draws::told_apart;
use crate::session::suspect::{Suspect, finding_of};
use crate::shrink::Target;

/// Judges a suspect and, if it is an isolation failure, shrinks and confirms it.
///
/// # Errors
/// Those of the engine. Time that runs out is no error: the finding is then not shrunk to the end.
pub fn investigate(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Finding, RunError> {
    look_into(lab, suspect, false)
}

/// Does so for a failure that the user named. It is shrunk without first running the plan it was seen in
/// again and again; only where that comes to nothing, it is judged as any other.
///
/// # Errors
/// As those of [`investigate`].
pub fn investigate_named(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Finding, RunError> {
    look_into(lab, suspect, true)
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
    if let (Verdict::Broken, Some(alone)) = (verdict, &alone)
        && alone.signature != suspect.signature
    {
        return Ok(broken_otherwise(suspect, alone, &evidence));
    }
    let suspect = &if moves { Suspect { site: None, ..suspect.clone() } } else { suspect.clone() };
    let note = silent.map(|question| no_answer(question).to_owned());
    let finding = Finding { note, ..finding_of(suspect, verdict, &evidence) };
    match verdict {
        Verdict::Victim if assume_deterministic && evidence.again.runs == 0 => {
            let wanted = wanted(suspect, verdict);
            let target = Target { victim: suspect.signature.test, worker: suspect.worker };
            let looked_for = exactly(suspect, &wanted);
            let shrunk =
                run_shrinker(lab, suspect.plan.clone(), target, 1.0, &looked_for, Observation::Same)?;
            let given_up = given_up(&shrunk);
            let found = confirm::victim(lab, suspect, &wanted, shrunk, finding, false)?;
            let found = Finding { given_up, ..found };
            let holds = found.kind == Kind::Victim && found.with.always();
            if holds || lab.out_of_time() { Ok(found) } else { look_into(lab, suspect, false) }
        }
        Verdict::Victim | Verdict::Race => shrink_victim(lab, suspect, verdict, &evidence, finding),
        Verdict::Brittle => match reference {
            Some(passing) => shrink_brittle(lab, suspect, &passing, &evidence, finding),
            None => Ok(finding),
        },
        Verdict::Nod if varying.iter().any(|seen| !seen.failed) => {
            told_apart(lab, finding, &FailureMatcher::Failure(suspect.signature.test), &varying)
        }
        Verdict::Nod | Verdict::HashSeed | Verdict::Broken | Verdict::Unreproduced => Ok(finding),
    }
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
