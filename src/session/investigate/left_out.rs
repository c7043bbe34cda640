//! A failure that was seen beside tests which the trials leave out.

use crate::judge::observation::{Observation, observe};
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::session::suspect::Suspect;

/// A failure as it shows without the tests that trials leave out, if it does so; else as it is.
///
/// # Errors
/// Those of the engine.
pub(crate) fn without_left_out(lab: &mut Lab<'_>, suspect: Suspect) -> Result<Suspect, RunError> {
    let plan = suspect.plan.without(lab.account().left_out());
    let there = plan.workers.iter().flatten().any(|&test| test == suspect.signature.test);
    if plan == suspect.plan || !there || observe(&lab.probe(&plan)?, &suspect.wanted()) != Observation::Same {
        return Ok(suspect);
    }
    Ok(Suspect { plan, ..suspect })
}
