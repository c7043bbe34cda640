//! Whether a suite is collected in one way again, under whichever `PYTHONHASHSEED`.

use crate::judge::known::function;
use crate::judge::unstable::difference;
use crate::record::FailureFile;
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::session::verify::{Stage, Verified};
use crate::verify::{Claim, Rigour};

/// Collects under the two recorded hash seeds, once as they come to the same each time, and under others until
/// it takes no more.
///
/// # Errors
/// Those of the engine.
pub fn verify_collection(
    lab: &mut Lab<'_>,
    file: &FailureFile,
    rigour: Rigour,
) -> Result<Verified, RunError> {
    let mut verified = Verified::new(Claim::new(file.failed, rigour.confidence));
    let name = function(&file.test);
    if !lab.suite.tests.iter().any(|test| function(&test.id) == name) {
        return Ok(verified.cannot_tell(format!("{name} is not collected now")));
    }
    let (one, other) = (file.minimal.hash_seed, file.original.hash_seed);
    let first = lab.collect(one)?.suite;
    let needed = verified.claim.runs_needed();
    let seeds = (1..).map(|step| other.wrapping_add(step)).filter(|&seed| seed != one);
    let near = seeds.take(needed.min(rigour.most_runs) as usize).map(|seed| (seed, Stage::Neighbourhood));
    for (hash_seed, stage) in std::iter::once((other, Stage::Minimal)).chain(near) {
        let found = difference(&first, &lab.collect(hash_seed)?.suite);
        verified.tally(stage).add(found.is_some());
        if let Some(found) = found {
            let crash = found.signature.map_or_else(|| file.crash.clone(), |signature| signature.crash);
            return Ok(verified.still_fails(stage, crash));
        }
    }
    if verified.claim.is_shown_by(verified.neighbourhood) {
        return Ok(verified);
    }
    Ok(verified.cannot_tell(format!("{needed} runs are needed and --runs allows {}", rigour.most_runs)))
}
