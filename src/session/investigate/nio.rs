//! Tests that pollute themselves: they pass, and fail when they run a second time in the same process.

use crate::finding::{Finding, Kind, Minimal};
use crate::judge::observation::{FailureMatcher, Fate, Observation, observe};
use crate::judge::{Evidence, Tally, Verdict};
use crate::limits::{CONSTANT_RUNS, TWICE_RUNS};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::lab::{Lab, alone};
use crate::session::suspect::{Suspect, finding_of};

/// Whether the test of a suspect passes and then fails each time it is run twice in a row with nothing else, and
/// as it did in the suspect's plan.
///
/// # Errors
/// Those of the engine.
pub(crate) fn pollutes_itself(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<Finding>, RunError> {
    let test = suspect.signature.test;
    let wanted = FailureMatcher::Signature(suspect.signature.clone());
    let pair = Plan { workers: vec![vec![test, test]], ..alone(&suspect.plan, lab.suite, test, 0) };
    let (mut with, mut without) = (Tally::default(), Tally::default());
    for random_seed in 0..CONSTANT_RUNS {
        let plan = Plan { random_seed, ..pair.clone() };
        let fresh = random_seed >= CONSTANT_RUNS - TWICE_RUNS;
        let trial = if fresh { lab.probe_fresh(&plan)? } else { lab.probe(&lab.in_forks(&plan))? };
        let first_passed = trial.executions.first().map(|run| Fate::of(&run.outcome)) == Some(Fate::Passed);
        if !first_passed || observe(&trial, &wanted) != Observation::Same {
            return Ok(None);
        }
        without.add(false);
        with.add(true);
    }
    let minimal = Minimal {
        plan: pair,
        culprits: vec![test],
        imports: Vec::new(),
        one_minimal: true,
        calls: with.runs,
    };
    let finding = finding_of(suspect, Verdict::Victim, &Evidence::default());
    Ok(Some(Finding { kind: Kind::Nio, with, without, shrunk: Some(minimal), ..finding }))
}
