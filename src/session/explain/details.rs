//! What is told of a finding besides what it is: the command that shows it, the state behind it, and who else has to do
//! with that.
//!
//! Each is told as soon as it is known, so that whatever ends the session finds it in the account.

use crate::finding::Finding;
use crate::judge::Signature;
use crate::run::RunError;
use crate::session::event::Event;
use crate::session::explain::explain;
use crate::session::explain::related::related_tests;
use crate::session::investigate::{command, other_commands};
use crate::session::lab::Lab;
use crate::trial::Interpreter;

/// What is said of a finding that was being looked into when the session ended.
const CUT_SHORT: &str = "the session ended while this was looked into: told is what was known by then";
/// What is said of one for which the time was too short.
const NO_TIME: &str = "the time was used up while this was looked into: told is what was known by then";

/// Tells of the command of plain pytest that shows a finding, or why there is none.
///
/// # Errors
/// As those of [`told_of`].
pub(crate) fn command(lab: &mut Lab<'_>, interpreter: &Interpreter, of: usize) -> Result<(), RunError> {
    told_of(lab, of, |lab| {
        let finding = lab.book().findings()[of].clone();
        if let Some(command) = command::find(lab, interpreter, &finding)? {
            lab.tell(&Event::Command(of, &command));
        }
        Ok(())
    })
}

/// Tells of the commands that show a finding's other victims.
///
/// # Errors
/// As those of [`told_of`].
pub(crate) fn other_commands(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    of: usize,
) -> Result<(), RunError> {
    told_of(lab, of, |lab| {
        let finding = lab.book().findings()[of].clone();
        let found = other_commands::find(lab, interpreter, &finding)?;
        if !found.is_empty() {
            lab.tell(&Event::OtherCommands(of, &found));
        }
        Ok(())
    })
}

/// Tells of a finding the state behind it, and who else has to do with that.
///
/// # Errors
/// As those of [`told_of`].
pub(crate) fn state(lab: &mut Lab<'_>, of: usize) -> Result<(), RunError> {
    told_of(lab, of, |lab| {
        let finding = lab.book().findings()[of].clone();
        let Some(explanation) = explain(lab, &finding)? else {
            return Ok(());
        };
        lab.tell(&Event::Explained(of, &explanation));
        if !explanation.confirmed || finding.fails_by_chance_too() {
            return Ok(());
        }
        // Of places that each undo it the first stands for all.
        let places = match explanation.jointly {
            true => &explanation.places[..],
            false => explanation.places.get(..1).unwrap_or_default(),
        };
        // What fewer of the places are enough for is of this cause as well, if it is undone with all of them.
        let fewer = lab.book().of_fewer_places(of);
        let asked = with_victims(&finding, fewer.iter().map(|(signature, _)| signature));
        let (mut related, mut apart) = match related_tests(lab, &asked, places) {
            Err(RunError::Interrupted) => return Err(RunError::Interrupted),
            // That the others are not known is no reason to lose what is.
            found => found.unwrap_or_default(),
        };
        apart.retain(|signature| finding.same_polluter.victims.contains(signature));
        let fewer = fewer
            .into_iter()
            .filter(|(signature, names)| related.victims.contains(signature) && names.len() < places.len());
        related.enough = fewer.map(|(signature, names)| (signature.test, names)).collect();
        lab.tell(&Event::Related(of, &related));
        if !apart.is_empty() {
            let left = lab.book().findings()[of].same_polluter.without(&apart);
            lab.tell(&Event::SamePolluter(of, &left));
        }
        Ok(())
    })
}

/// A finding with further victims of its polluter, which findings of their own have shown to fail after it in fresh
/// processes, and to pass alone.
fn with_victims<'v>(finding: &Finding, victims: impl Iterator<Item = &'v Signature> + Clone) -> Finding {
    let mut with = finding.clone();
    with.same_polluter.fresh.extend(victims.clone().map(|victim| victim.test));
    with.same_polluter.victims.extend(victims.cloned());
    with
}

/// Finds out something of a finding: nothing where the search for its causes was given up, as all of it starts from
/// these. That the time is used up is no error, but told.
///
/// # Errors
/// Those of the engine; what was found out before is told, and that it is not all.
pub(crate) fn told_of(
    lab: &mut Lab<'_>,
    of: usize,
    find_out: impl FnOnce(&mut Lab<'_>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    if lab.book().findings()[of].given_up.is_some() {
        return Ok(());
    }
    match find_out(lab) {
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
