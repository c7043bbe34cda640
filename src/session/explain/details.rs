//! What is told of a finding besides what it is: the command that shows it, the state behind it, who else has to do
//! with that, and a fix.
//!
//! Each is written into the finding as soon as it is known, so that whatever ends the session finds there what was
//! known by then.

use crate::finding::Finding;
use crate::run::RunError;
use crate::session::fix::search;
use crate::session::investigate::command;
use crate::session::lab::Lab;
use crate::trial::Interpreter;

/// What is said of a finding that was being looked into when the session ended.
const CUT_SHORT: &str = "the session ended while this was looked into: told is what was known by then";
/// What is said of one for which the time was too short.
const NO_TIME: &str = "the time was used up while this was looked into: told is what was known by then";

/// Adds to a finding what can be found out: nothing where the search for its causes was given up, as all of it starts
/// from these. That the time is used up is no error, but told.
///
/// # Errors
/// Those of the engine; what was found out before stays in the finding, which says that it is not all.
pub(crate) fn add(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    trials: search::Trials<'_>,
    finding: &mut Finding,
) -> Result<(), RunError> {
    if finding.given_up.is_some() {
        return Ok(());
    }
    let added = find_out(lab, interpreter, trials, finding);
    match &added {
        Ok(()) => {}
        Err(RunError::OutOfTime) => finding.also_note(NO_TIME),
        Err(_) => finding.also_note(CUT_SHORT),
    }
    if matches!(added, Err(RunError::OutOfTime)) { Ok(()) } else { added }
}

fn find_out(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    trials: search::Trials<'_>,
    finding: &mut Finding,
) -> Result<(), RunError> {
    match command::find(lab, interpreter, finding)? {
        Some(Ok(command)) => finding.command = Some(command),
        Some(Err(why)) => finding.no_command = Some(why),
        None => {}
    }
    search::explained(lab, trials, finding)
}
