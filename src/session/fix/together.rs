//! The fixes of several findings: each is tried by itself with its own failing plan, and then all of them in one copy, as
//! trials of the suite take most of the time and speak of each of them. Where one of these speaks against them, each is
//! tried in suite order and its reverse by itself first, and where that does not tell which it is, to the end.

mod tests;

use crate::explain::fix::edit::{Edit, joined};
use crate::explain::{Fix, NoFix};
use crate::finding::Finding;
use crate::run::RunError;
use crate::session::complete;
use crate::session::event::Event;
use crate::session::fix::patched::Patched;
use crate::session::fix::search::{Held, HowFar, Search, Trials, for_project_copy, no_time, not_tried};
use crate::session::fix::trying::Tried;
use crate::session::lab::Lab;

/// What becomes of fixes, each by the number of what it is for.
pub(crate) enum Told<'a> {
    /// These are tried, and so many wait.
    Fixing(&'a [usize], usize),
    /// A fix was tried, or there is none for this reason.
    Fixed(usize, Result<Fix, NoFix>),
}

/// Hears that.
type Hear<'a> = dyn FnMut(&mut Lab<'_>, Told<'_>) + 'a;

/// A fix that held by itself, and the number of what it is for.
struct Candidate<'a> {
    of: usize,
    search: &'a Search<'a>,
    held: Held,
}

/// What is known of a fix once it was tried with others.
#[derive(Debug, PartialEq)]
enum Together {
    /// It holds, with so many others.
    Holds(Held, u32),
    /// There was no time to see.
    NoTime,
    /// One of them does not hold, or it does not go together with them: it has to be tried by itself.
    Unknown,
}

/// Tells of findings a fix that was tried, or why there is none, where their state is known.
///
/// # Errors
/// The run was interrupted; what is known by then is told.
pub(crate) fn fix(lab: &mut Lab<'_>, trials: &mut Trials<'_>, of: &[usize]) -> Result<(), RunError> {
    let findings: Vec<(usize, Finding)> =
        of.iter().map(|&of| (of, lab.book().findings()[of].clone())).collect();
    let mut searches = Vec::new();
    for (of, finding) in &findings {
        match Search::of(trials, lab.suite, finding) {
            Some(_) if finding.fails_by_chance_too() => {
                let why = "the test fails at times without what makes it fail, too";
                tell(lab, *of, &Err(not_tried(why)));
            }
            Some(search) => searches.push((*of, search)),
            None => {}
        }
    }
    all(lab, trials, &searches, &mut |lab, told| match told {
        Told::Fixing(of, waiting) => lab.tell(&Event::Fixing { of, waiting }),
        Told::Fixed(of, fix) => tell(lab, of, &fix),
    })
}

/// Makes all of these searches, and tells of each the fix that was tried, or why there is none.
///
/// # Errors
/// As those of [`fix`].
pub(crate) fn all(
    lab: &mut Lab<'_>,
    trials: &mut Trials<'_>,
    searches: &[(usize, Search<'_>)],
    hear: &mut Hear<'_>,
) -> Result<(), RunError> {
    let mut open: Vec<(usize, &Search<'_>)> = searches.iter().map(|(of, search)| (*of, search)).collect();
    for how_far in [HowFar::ItsFailure, HowFar::InOrder] {
        if open.len() > 1 {
            open = fix_together(lab, trials, &open, how_far, hear)?;
        }
    }
    for (at, &(of, search)) in open.iter().enumerate() {
        hear(lab, Told::Fixing(&[of], open.len() - at - 1));
        to_the_end(lab, trials, of, search, hear)?;
    }
    Ok(())
}

/// Tells of fixes of which each was tried so far by itself and then together with the others. Returns those of which
/// nothing is known yet.
fn fix_together<'a>(
    lab: &mut Lab<'_>,
    trials: &mut Trials<'_>,
    searches: &[(usize, &'a Search<'a>)],
    how_far: HowFar,
    hear: &mut Hear<'_>,
) -> Result<Vec<(usize, &'a Search<'a>)>, RunError> {
    if how_far == HowFar::ItsFailure && !lab.out_of_time() {
        let failing: Vec<_> = searches.iter().filter_map(|(_, search)| search.failing_plan(lab)).collect();
        // Why they cannot be run otherwise is told where each is asked for.
        if let Err(RunError::Interrupted) = trials.control.run_ahead(lab, &failing) {
            return Err(RunError::Interrupted);
        }
    }
    let mut candidates = Vec::new();
    for (at, &(of, search)) in searches.iter().enumerate() {
        hear(lab, Told::Fixing(&[of], searches.len() - at - 1));
        match search.run(lab, &mut trials.control, how_far)? {
            Ok(held) => candidates.push(Candidate { of, search, held }),
            Err(none) => hear(lab, Told::Fixed(of, Err(none))),
        }
    }
    let of: Vec<usize> = candidates.iter().map(|candidate| candidate.of).collect();
    hear(lab, Told::Fixing(&of, 0));
    let tried = together(lab, trials, &candidates, how_far)?;
    let mut unknown = Vec::new();
    for (Candidate { of, search, .. }, tried) in candidates.iter().zip(tried) {
        match tried {
            Together::Holds(held, others) => {
                let fix = held.fix(trials.of(lab.suite), others, how_far);
                hear(lab, Told::Fixed(*of, Ok(fix)));
            }
            Together::NoTime => hear(lab, Told::Fixed(*of, Err(no_time()))),
            Together::Unknown => unknown.push((*of, *search)),
        }
    }
    Ok(unknown)
}

fn to_the_end(
    lab: &mut Lab<'_>,
    trials: &mut Trials<'_>,
    of: usize,
    search: &Search<'_>,
    hear: &mut Hear<'_>,
) -> Result<(), RunError> {
    let found = search.run(lab, &mut trials.control, HowFar::ToTheEnd)?;
    let trials = trials.of(lab.suite);
    hear(lab, Told::Fixed(of, found.map(|held| held.fix(trials, 0, HowFar::ToTheEnd))));
    Ok(())
}

/// Tells of the fix of a finding, or why there is none, and of the finding, if that was the last to be known of it.
fn tell(lab: &mut Lab<'_>, of: usize, fix: &Result<Fix, NoFix>) {
    lab.tell(&Event::Fixed(of, fix));
    complete::tell(lab, |other, _| other == of);
}

/// What is known of each after those that go together were tried so.
fn together(
    lab: &mut Lab<'_>,
    trials: &mut Trials<'_>,
    candidates: &[Candidate<'_>],
    how_far: HowFar,
) -> Result<Vec<Together>, RunError> {
    let (edits, members) = that_go_together(candidates.iter().map(|candidate| &*candidate.held.edits));
    let unknown = || candidates.iter().map(|_| Together::Unknown).collect();
    let others = members.iter().filter(|&&is_member| is_member).count().saturating_sub(1) as u32;
    if others == 0 {
        return Ok(unknown());
    }
    let (_copy, mut engine) = match for_project_copy(lab, trials.rootdir, &edits) {
        Ok(Ok(found)) => found,
        Err(RunError::Interrupted) => return Err(RunError::Interrupted),
        // Each is said by itself why it cannot be tried.
        Ok(Err(_)) | Err(_) => return Ok(unknown()),
    };
    let mut patched = Patched::new(&mut *engine);
    let mut known = Vec::new();
    for (Candidate { search, held, .. }, &is_member) in candidates.iter().zip(&members) {
        if !is_member {
            known.push(Together::Unknown);
            continue;
        }
        known.push(match search.with_others(lab, &mut patched, &mut trials.control, held, how_far)? {
            Tried::Holds { passed, parallel, raced } => {
                Together::Holds(Held { passed, parallel, raced, ..held.clone() }, others)
            }
            Tried::NoTime => Together::NoTime,
            // Whose fault it is, is not known.
            Tried::Doubt(_) => return Ok(unknown()),
        });
    }
    Ok(known)
}

/// The changes of those fixes that go together, in their order, and which of them these are.
fn that_go_together<'a>(fixes: impl Iterator<Item = &'a [Edit]>) -> (Vec<Edit>, Vec<bool>) {
    let (mut all, mut members) = (Vec::new(), Vec::new());
    for edits in fixes {
        let both = joined(&all, edits);
        members.push(both.is_some());
        all = both.unwrap_or(all);
    }
    (all, members)
}
