//! The state behind a finding, for people.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::explain::{Explanation, Fix, InTurn, NoFix, RelatedTests};
use crate::finding::group::groups;
use crate::finding::{Finding, Kind};
use crate::report::{Verbosity, other_victims, patch, words};
use crate::state::{NoLine, Place, StateKind, Written};
use crate::suite::{Suite, TestIndex};

/// Candidates that are listed where nothing was confirmed.
const LISTED: usize = 5;

/// Writes what is known of the state behind a finding.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write(
    out: &mut dyn Write,
    finding: &Finding,
    suite: &Suite,
    verbosity: Verbosity,
) -> io::Result<()> {
    match &finding.explanation {
        None => Ok(()),
        Some(explanation) if explanation.confirmed => confirmed(out, finding, explanation, suite, verbosity),
        Some(explanation) => unconfirmed(out, explanation),
    }?;
    same_polluter(out, finding, suite, verbosity)
}

/// The other tests that fail after the polluter.
fn same_polluter(
    out: &mut dyn Write,
    finding: &Finding,
    suite: &Suite,
    verbosity: Verbosity,
) -> io::Result<()> {
    let told = &finding.same_polluter;
    for victim in &told.victims {
        other_victims::one(out, finding, "same polluter", victim, suite, verbosity)?;
    }
    let (all, fresh) = (told.victims.len(), told.fresh.len());
    if all == 0 {
        return Ok(());
    }
    let processes = match all - fresh {
        0 => String::new(),
        _ => format!(" ({fresh} of these {all} tests in a fresh process, the others in forks alone)"),
    };
    writeln!(
        out,
        "  {:<13} each fails after the polluter in two runs{processes} and passes alone; whether for the same state is not known",
        "shown"
    )
}

/// Writes which findings have one cause.
///
/// # Errors
/// Those of the writer.
pub(crate) fn causes(out: &mut dyn Write, findings: &[Finding], suite: &Suite) -> io::Result<()> {
    for group in groups(findings, suite) {
        let [setters, sufferers] = group.sides();
        if setters.len().max(1) + sufferers.len() > 2 || group.findings > 1 {
            writeln!(out, "one cause  {}: {}", group.place, words::group(&group))?;
        }
    }
    Ok(())
}

/// Writes what the user named as state and could not be watched, once for all findings.
///
/// # Errors
/// Those of the writer.
pub(crate) fn unread(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    let explanations = findings.iter().flat_map(|finding| &finding.explanation);
    let unread: BTreeSet<&String> = explanations.flat_map(|explanation| &explanation.unread).collect();
    unread.into_iter().try_for_each(|unread| writeln!(out, "note: cannot watch {unread}"))
}

fn confirmed(
    out: &mut dyn Write,
    finding: &Finding,
    explanation: &Explanation,
    suite: &Suite,
    verbosity: Verbosity,
) -> io::Result<()> {
    for place in &explanation.places {
        let along = place.along.as_ref().map_or_else(String::new, |call| format!(" (with {call})"));
        writeln!(out, "  {:<13} {}{along}  ({})", "shared state", place.name, place.kind)?;
        change(out, place)?;
        if let Some(why) = place.no_line.filter(|_| place.written.is_none()) {
            writeln!(out, "  {:<13} {}", "written at", unknown_line(why))?;
        }
        for (label, line) in [("written at", &place.written), (words::reading(place), &place.read)] {
            if let Some(Written { file, line, function, .. }) = line {
                writeln!(out, "  {label:<13} {file}:{line} in {function}")?;
            }
        }
    }
    let passes = if finding.kind == Kind::Brittle { "fails" } else { "passes" };
    let how = match (explanation.places.as_slice(), explanation.jointly) {
        ([place], _) => format!("{passes} once {}", undone(place.kind)),
        (_, true) => format!("{passes} once all of them are put back"),
        (_, false) => format!("{passes} once any one of them is put back"),
    };
    let others = words::others(explanation).map_or_else(String::new, |others| format!("; {others}"));
    writeln!(out, "  {:<13} {how}{others}", "proof")?;
    related_tests(out, finding, &explanation.related_tests, suite, verbosity)?;
    if let Some(NoFix { says, .. }) = &explanation.no_fix {
        writeln!(out, "  {:<13} {says}", "fix")?;
    }
    explanation.fix.as_ref().map_or(Ok(()), |fix| {
        let tried = tried(fix, "finding");
        let by_itself = if fix.together_with > 0 { " by itself" } else { "" };
        let applied = if fix.git_applied { "" } else { "; whether git applies it could not be tried" };
        writeln!(
            out,
            "  {:<13} tried in a copy: undoes the failure{by_itself}, and holds in {tried}{applied}",
            "fix"
        )?;
        patch::write(out, &fix.diff)?;
        not_shown_as_it_is(&fix.diff).map_or(Ok(()), |what| {
            writeln!(out, "  {:<13} {what}, which does not show here: --write-fix FILE writes it so", "note")
        })
    })
}

/// Why no line is told that wrote a place.
fn unknown_line(why: NoLine) -> &'static str {
    match why {
        NoLine::Elsewhere => "not known: it changed while no line ran that could be looked at",
        NoLine::Threads => "not known: several threads ran when it changed",
        NoLine::Unseen => "not known: it was not seen to change after a line of the project",
        NoLine::Unwatched => "not known: it cannot be looked at after each line",
    }
}

/// What was done against the state of a place: not all can be given its old value.
fn undone(kind: StateKind) -> &'static str {
    match kind {
        StateKind::Thread => "it was waited for until it ended",
        StateKind::ChildProcess => "it is ended",
        StateKind::Descriptor => "it is closed",
        StateKind::Uncollected => "the garbage collector has run before it",
        _ => "it is put back",
    }
}

/// Why nothing was shown of a place by itself.
fn not_shown(place: &Place) -> &'static str {
    match place.kind {
        _ if !place.restorable => "; it cannot be put back",
        StateKind::Thread => "; it was waited for, without effect",
        _ => "",
    }
}

/// What of a diff is lost where it is printed.
pub(super) fn not_shown_as_it_is(diff: &str) -> Option<&'static str> {
    match (diff.contains('\r'), diff.contains(char::REPLACEMENT_CHARACTER)) {
        (true, true) => Some("the file has lines that end in CR LF, and characters that are not UTF-8"),
        (true, false) => Some("the file has lines that end in CR LF"),
        (false, true) => Some("the file has characters that are not UTF-8"),
        (false, false) => None,
    }
}

/// Says of a finding's pytest command that the files it was shown to leave stay, as the user runs it in no sandbox.
///
/// # Errors
/// Those of the writer.
pub fn left_by_the_command(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    let confirmed = finding.explanation.as_ref().filter(|explanation| explanation.confirmed);
    let outside = |place: &&Place| matches!(place.kind, StateKind::FileSystem | StateKind::Database);
    let mut places = confirmed.iter().flat_map(|explanation| &explanation.places).filter(outside);
    match places.next().filter(|_| finding.kind == Kind::Victim) {
        None => Ok(()),
        Some(place) => writeln!(
            out,
            "  {:<13} no sandbox puts {} back after this command: do so before you run it again",
            "note", place.name
        ),
    }
}

/// The other tests that have to do with the place.
fn related_tests(
    out: &mut dyn Write,
    finding: &Finding,
    related_tests: &RelatedTests,
    suite: &Suite,
    verbosity: Verbosity,
) -> io::Result<()> {
    let named = |out: &mut dyn Write, label: &str, tests: &BTreeSet<TestIndex>| {
        tests.iter().try_for_each(|&test| writeln!(out, "  {label:<13} {}", words::test(suite, test)))
    };
    named(out, "also polluter", &related_tests.polluters)?;
    for victim in &related_tests.victims {
        other_victims::one(out, finding, "also victim", victim, suite, verbosity)?;
    }
    named(out, "cleaner", &related_tests.cleaners)?;
    if let Some(InTurn { victim, .. }) = &related_tests.in_turn {
        other_victims::one(out, finding, "also victim", victim, suite, verbosity)?;
    }
    let (all, fresh) = (related_tests.tests().len(), related_tests.fresh.len());
    if fresh < all {
        writeln!(
            out,
            "  {:<13} in two runs each; {fresh} of these {all} tests in a fresh process, the others in forks alone",
            "shown"
        )?;
    }
    if all > 0 && related_tests.whole {
        writeln!(
            out,
            "  {:<13} every test of the suite, right after the polluter and with the place put back after it",
            "looked at"
        )?;
    }
    Ok(())
}

/// In what a fix holds: `20 of 20 trials, 5 of them on two workers`. `other` is what it is for, and what others are for.
pub(super) fn tried(fix: &Fix, other: &str) -> String {
    let workers = match fix.parallel {
        0 => " on one worker".to_owned(),
        parallel => format!(", {parallel} of them on two workers"),
    };
    let raced = match fix.raced as usize {
        0 => String::new(),
        tests => format!("; raced with {} in conflict", words::count(tests, "test")),
    };
    let trials = format!("{} of {} trials", fix.trials - fix.fails_anyway, fix.trials);
    let anyway = match fix.fails_anyway {
        0 => String::new(),
        1 => "; in the other one the test fails for a reason that is there without the change as well"
            .to_owned(),
        more => format!(
            "; in the other {more} the test fails for a reason that is there without the change as well"
        ),
    };
    let those = if fix.order_apart { "all but suite order and its reverse" } else { "all" };
    let together = match fix.together_with as usize {
        0 => String::new(),
        1 => format!("; in {those} the fix of another {other} was applied too, to try both at once"),
        others => {
            format!("; in {those} the fixes of {others} other {other}s were applied too, to try all at once")
        }
    };
    format!("{trials}{workers}{together}{anyway}{raced}")
}

fn unconfirmed(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
    let why = explanation.why.as_deref().unwrap_or("not confirmed");
    writeln!(out, "  {:<13} unknown: {why}", "shared state")?;
    for place in explanation.places.iter().take(LISTED) {
        writeln!(out, "  {:<13} {}  ({}{})", "changed", place.name, place.kind, not_shown(place))?;
        change(out, place)?;
    }
    let listed = explanation.places.len().min(LISTED);
    if listed > 0 && explanation.changed > listed {
        writeln!(out, "  {:<13} … and {} more places", "changed", explanation.changed - listed)?;
    }
    if explanation.cut_off {
        writeln!(out, "  {:<13} there is more state than is looked at", "note")?;
    }
    Ok(())
}

fn change(out: &mut dyn Write, place: &Place) -> io::Result<()> {
    writeln!(out, "  {:<13} {} → {}", "", place.old, place.new)
}
