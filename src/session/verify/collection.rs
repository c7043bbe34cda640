//! Whether a suite is collected in one way again, under whichever `PYTHONHASHSEED` and whatever it draws.

use crate::judge::unstable::difference;
use crate::record::FailureFile;
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::session::verify::{Stage, Verified};
use crate::suite::function;
use crate::verify::{Claim, VerifyLimits};

/// Collects under the two recorded pairs of seeds, once as they come to the same each time, and under others until
/// it takes no more.
///
/// # Errors
/// Those of the engine.
pub(crate) fn verify_collection(
    lab: &mut Lab<'_>,
    file: &FailureFile,
    rigour: VerifyLimits,
) -> Result<Verified, RunError> {
    let mut verified = Verified::new(Claim::new(file.failed, rigour.confidence));
    let name = function(&file.test);
    if !lab.suite.tests.iter().any(|test| function(&test.id) == name) {
        return Ok(verified.cannot_tell(format!("{name} is not collected now")));
    }
    let (one, other) = (&file.minimal, &file.original);
    let first = lab.collect(one.hash_seed, one.random_seed)?.suite;
    let needed = verified.claim.runs_needed();
    let seeds = (1..).map(|step| [other.hash_seed, other.random_seed].map(|seed| seed.wrapping_add(step)));
    let seeds = seeds.filter(|seeds| seeds[0] != one.hash_seed);
    let near = seeds.take(needed.min(rigour.most_runs) as usize).map(|seeds| (seeds, Stage::Neighbourhood));
    let recorded = ([other.hash_seed, other.random_seed], Stage::Minimal);
    for ([hash_seed, random_seed], stage) in std::iter::once(recorded).chain(near) {
        let found = difference(&first, &lab.collect(hash_seed, random_seed)?.suite);
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
