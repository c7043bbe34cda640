//! In which order a session looks into failures: all that wait are judged and shrunk, then the state behind the findings
//! is looked for, and at the end fixes are tried. Of findings those come first that break most tests.

mod tests;

use std::collections::BTreeSet;

use crate::explain::Explanation;
use crate::finding::{Finding, Kind};
use crate::run::RunError;
use crate::session::account::finding_book::FindingBook;
use crate::session::complete;
use crate::session::event::{About, Event};
use crate::session::explain::{details, is_explainable, same_polluter};
use crate::session::fix::search::{Trials, session_ended};
use crate::session::fix::together;
use crate::session::investigate::left_out::without_left_out;
use crate::session::investigate::{beside_race, investigate, investigate_named};
use crate::session::investigate::{connections, outside, room, same_call};
use crate::session::lab::Lab;
use crate::session::result::Explain;
use crate::session::stress::recognised::{Recognised, recognised};
use crate::session::stress::same_cause;
use crate::session::suspect::Suspect;
use crate::suite::{Suite, TestIndex};
use crate::trial::Interpreter;

/// Why nothing is known of the state of a finding that was not reached.
const NOT_REACHED: &str = "the session ended before it was looked for";

/// A session's agenda. What waits to be judged stands in its [`FindingBook`].
pub(crate) struct Agenda<'a> {
    /// Which Python and pytest run the suite.
    interpreter: &'a Interpreter,
    /// Whether the user has named the test that is looked into.
    pub(crate) named: bool,
    /// Whether the first new isolation failure is the last that is looked into.
    pub(crate) fail_fast: bool,
    /// How far findings are explained.
    how_far: Explain,
    /// What fixes are tried with.
    trials: Trials<'a>,
    /// Findings whose state is still to be looked for, by number.
    unexplained: BTreeSet<usize>,
    /// Findings a fix of which is still to be tried.
    unfixed: BTreeSet<usize>,
}

impl<'a> Agenda<'a> {
    /// An agenda with nothing on it.
    pub(crate) fn new(interpreter: &'a Interpreter, how_far: Explain, trials: Trials<'a>) -> Self {
        let (unexplained, unfixed) = Default::default();
        Self { interpreter, named: false, fail_fast: false, how_far, trials, unexplained, unfixed }
    }

    /// Whether no finding waits to be explained or fixed.
    pub(crate) fn is_done(&self) -> bool {
        self.unexplained.is_empty() && self.unfixed.is_empty()
    }

    /// Whether no further failure is looked into.
    pub(crate) fn stops_early(&self, lab: &Lab<'_>) -> bool {
        self.fail_fast && lab.book().has_new()
    }

    /// Judges and shrinks every failure that waits, and then looks for the state behind what was found.
    /// That the time is used up is no error.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn judge_and_explain(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        self.judge(lab)?;
        self.tell_complete_failures(lab);
        while let Some(of) = first_of(&self.unexplained, lab.book()).filter(|_| !lab.out_of_time()) {
            self.unexplained.remove(&of);
            lab.tell(&Event::Explaining { of, waiting: self.unexplained.len() });
            self.unfixed.extend((self.how_far == Explain::Fix).then_some(of));
            details::state(lab, of)?;
            details::other_commands(lab, self.interpreter, of)?;
            for folded in lab.book().to_fold(of) {
                self.unexplained.remove(&folded);
                self.unfixed.remove(&folded);
                lab.tell(&Event::Folded(folded, of));
            }
            if !is_fixable(&lab.book().findings()[of]) {
                self.unfixed.remove(&of);
            }
            // What fails after its polluter for another reason waits again.
            self.judge(lab)?;
            self.tell_complete_failures(lab);
        }
        Ok(())
    }

    /// Tries fixes of what was explained.
    ///
    /// # Errors
    /// The run was interrupted; of findings whose fix was not tried to the end that is told.
    pub(crate) fn fix(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        self.tell_complete_failures(lab);
        let mut of: Vec<usize> = std::mem::take(&mut self.unfixed).into_iter().collect();
        of.sort_by_key(|&of| lab.book().findings()[of].rank());
        together::fix(lab, &mut self.trials, &of).inspect_err(|_| tell_untried(lab, &of))
    }

    /// Tells of all findings that are complete, before the session goes on to look for others.
    pub(crate) fn tell_complete(&self, lab: &mut Lab<'_>) {
        complete::tell(lab, |of, _| !self.is_on_it(of));
    }

    /// Tells of the isolation failures that are complete. What is none comes after those that are found with it.
    fn tell_complete_failures(&self, lab: &mut Lab<'_>) {
        complete::tell(lab, |of, finding| finding.kind.is_isolation_failure() && !self.is_on_it(of));
    }

    fn is_on_it(&self, of: usize) -> bool {
        self.unexplained.contains(&of) || self.unfixed.contains(&of)
    }

    /// Tells of the findings on the agenda that they were not reached.
    pub(crate) fn give_up(&mut self, lab: &mut Lab<'_>) {
        for of in std::mem::take(&mut self.unexplained) {
            if is_explainable(lab, &lab.book().findings()[of]) {
                let unknown = Explanation { why: Some(NOT_REACHED.into()), ..Explanation::default() };
                lab.tell(&Event::Explained(of, &unknown));
            }
        }
        let unfixed: Vec<usize> = std::mem::take(&mut self.unfixed).into_iter().collect();
        tell_untried(lab, &unfixed);
    }

    /// Judges what comes before other failures: what may be known, and what an earlier session left. That the time is used
    /// up is no error.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn judge_first_ones(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        self.judge_while(lab, |book, suspect, suite| book.is_one_of_the_first(suspect, suite))
    }

    fn judge(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        self.judge_while(lab, |_, _, _| true)
    }

    /// Judges the failures that wait, in their order, until one is not meant.
    fn judge_while(
        &mut self,
        lab: &mut Lab<'_>,
        is_meant: impl Fn(&FindingBook, &Suspect, &Suite) -> bool,
    ) -> Result<(), RunError> {
        let suite = lab.suite;
        lab.book_mut().sort(suite);
        while !lab.out_of_time() && !self.stops_early(lab) {
            let Some(suspect) = lab.book_mut().first().filter(|suspect| is_meant(lab.book(), suspect, suite))
            else {
                return Ok(());
            };
            match self.judge_first(lab, suspect) {
                // What could not be confirmed is not judged.
                Err(RunError::OutOfTime) => return Ok(()),
                judged => judged?,
            }
        }
        Ok(())
    }

    /// Judges the first failure that waits, by one run where it is a known one or of a cause that is told.
    fn judge_first(&mut self, lab: &mut Lab<'_>, suspect: Suspect) -> Result<(), RunError> {
        if room::was_lacking(lab, &suspect) {
            match lab.book().findings().iter().position(room::is_told_by) {
                Some(told) => lab.tell(&Event::Joined(told, &suspect)),
                None => {
                    lab.book_mut().waiting.remove(0);
                    lab.found(&room::finding(&suspect));
                }
            }
            return Ok(());
        }
        if let Some(open) = outside::lacks_one(lab, &suspect) {
            match lab.book().findings().iter().position(|told| told.unjudged && told.note == open.note) {
                Some(told) => lab.tell(&Event::Joined(told, &suspect)),
                None => {
                    lab.book_mut().waiting.remove(0);
                    lab.found(&open);
                }
            }
            return Ok(());
        }
        // One that the user has named is looked into.
        if !self.named
            && let Some(told) = of_a_told_race(lab, &suspect)?
        {
            lab.tell(&Event::Joined(told, &suspect));
            return Ok(());
        }
        match if self.named { None } else { recognised(lab, &suspect)? } {
            Some(Recognised::With(finding)) => {
                lab.tell(&Event::Joined(finding, &suspect));
                return Ok(());
            }
            Some(Recognised::As(finding)) => {
                lab.book_mut().waiting.remove(0);
                if lab.book().same_as(&finding).is_none() {
                    lab.found(&finding);
                }
                return Ok(());
            }
            None => {}
        }
        if let Some(finding) = same_cause::of_one_cause(lab, &suspect)? {
            lab.tell(&Event::Joined(finding, &suspect));
            return Ok(());
        }
        self.look_into_first(lab, suspect)
    }

    /// Looks into the first failure that waits.
    fn look_into_first(&mut self, lab: &mut Lab<'_>, suspect: Suspect) -> Result<(), RunError> {
        let seen_in = suspect.plan.clone();
        let suspect = without_left_out(lab, suspect)?;
        let waiting = lab.book().waiting.len() - 1;
        lab.tell(&Event::Investigating { test: suspect.signature.test, waiting });
        let look_into = if self.named { investigate_named } else { investigate };
        let mut finding = look_into(lab, &suspect)?;
        if finding.plan.as_ref() == Some(&suspect.plan) {
            finding.plan = Some(seen_in);
        }
        if finding.kind == Kind::Unreproduced && lab.out_of_time() {
            // It was cut short, so that nothing can be said of it.
            return Err(RunError::OutOfTime);
        }
        lab.book_mut().waiting.remove(0);
        self.tell(lab, &finding, suspect.signature.test)
    }

    /// Tells of what a failure of a test was found to be, unless another finding tells of that.
    fn tell(&mut self, lab: &mut Lab<'_>, finding: &Finding, test: TestIndex) -> Result<(), RunError> {
        if let Some(told) = lab.book().same_as(finding) {
            let is_noted = lab.book().findings()[told].note.is_some();
            match &finding.note {
                Some(note) if !is_noted && lab.book().is_complete(told) => remark_later(lab, test, note),
                Some(note) if !is_noted => lab.tell(&Event::Noted(told, note)),
                _ => {}
            }
            return Ok(());
        }
        let beside = lab.book().race_of(test).and_then(|race| {
            Some((race, beside_race::note(finding, &lab.book().findings()[race], lab.suite)?))
        });
        if let Some((race, note)) = beside {
            lab.tell(&Event::Noted(race, &note));
            return Ok(());
        }
        let of = lab.found(finding);
        self.unexplained.extend((self.how_far > Explain::No).then_some(of));
        details::told_of(lab, of, |lab| same_polluter::ask(lab, of))?;
        details::command(lab, self.interpreter, of)?;
        if self.how_far == Explain::No {
            details::other_commands(lab, self.interpreter, of)?;
        }
        Ok(())
    }
}

/// Says what would be a note of a finding of a test, had that not been told already.
fn remark_later(lab: &mut Lab<'_>, test: TestIndex, note: &str) {
    let id = &lab.suite.test(test).id;
    let remark = format!("another failure of {id} was judged as the one that is told: {note}");
    if !lab.account().remarks().contains(&remark) {
        lab.remark(About::Session, &remark);
    }
}

/// Of findings, by number, the one that stands first.
fn first_of(findings: &BTreeSet<usize>, book: &FindingBook) -> Option<usize> {
    findings.iter().copied().min_by_key(|&of| book.findings()[of].rank())
}

/// Whether the state behind a finding is known, so that a fix is worth trying.
fn is_fixable(finding: &Finding) -> bool {
    finding.explanation.as_ref().is_some_and(|explanation| explanation.confirmed)
}

/// Tells of those findings whose state is known, and of whose fix nothing is, that the session ended before one was tried
/// to the end.
fn tell_untried(lab: &mut Lab<'_>, of: &[usize]) {
    for &of in of {
        let finding = &lab.book().findings()[of];
        let is_told = |explanation: &Explanation| explanation.fix.is_some() || explanation.no_fix.is_some();
        if is_fixable(finding) && !finding.explanation.as_ref().is_some_and(is_told) {
            lab.tell(&Event::Fixed(of, &Err(session_ended())));
        }
    }
}

/// The race that tells of a failure already, by the words of a server or by the call that raised it.
fn of_a_told_race(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<usize>, RunError> {
    match connections::told_by(lab, suspect)? {
        Some(told) => Ok(Some(told)),
        None => same_call::told_by(lab, suspect),
    }
}
