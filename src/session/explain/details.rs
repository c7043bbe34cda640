//! What is told of a finding besides what it is: who else of those that wait fails after its polluter, the command that
//! shows it, the state behind it, who else has to do with that, and a fix.
//!
//! Each is told as soon as it is known, so that whatever ends the session finds it in the account.

use crate::run::RunError;
use crate::session::event::Event;
use crate::session::explain::same_polluter;
use crate::session::fix::search;
use crate::session::investigate::command;
use crate::session::lab::Lab;
use crate::session::result::Explain;
use crate::trial::Interpreter;

/// What is said of a finding that was being looked into when the session ended.
const CUT_SHORT: &str = "the session ended while this was looked into: told is what was known by then";
/// What is said of one for which the time was too short.
const NO_TIME: &str = "the time was used up while this was looked into: told is what was known by then";

/// Tells of a finding what can be found out: nothing where the search for its causes was given up, as all of it starts
/// from these. That the time is used up is no error, but told.
///
/// # Errors
/// Those of the engine; what was found out before is told, and that it is not all.
pub(crate) fn tell(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    trials: &mut search::Trials<'_>,
    explain: Explain,
    of: usize,
) -> Result<(), RunError> {
    if lab.book().findings()[of].given_up.is_some() {
        return Ok(());
    }
    let ended = find_out(lab, interpreter, trials, explain, of);
    match ended {
        Ok(()) => Ok(()),
        Err(RunError::OutOfTime) => {
            lab.tell(&Event::Noted(of, NO_TIME));
            Ok(())
        }
        Err(error) => {
            lab.tell(&Event::Noted(of, CUT_SHORT));
            Err(error)
        }
    }
}

fn find_out(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    trials: &mut search::Trials<'_>,
    explain: Explain,
    of: usize,
) -> Result<(), RunError> {
    same_polluter::ask(lab, of)?;
    let finding = lab.book().findings()[of].clone();
    if let Some(command) = command::find(lab, interpreter, &finding)? {
        lab.tell(&Event::Command(of, &command));
    }
    match explain {
        Explain::No => Ok(()),
        Explain::State | Explain::Fix => search::explain_and_fix(lab, trials, explain, of),
    }
}
