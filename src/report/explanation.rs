//! The state behind a finding, for people.

use std::io::{self, Write};

use crate::explain::group::groups;
use crate::explain::{Explanation, Place, Written};
use crate::judge::finding::{Finding, Kind};
use crate::report::words;

/// Candidates that are listed where nothing was confirmed.
const LISTED: usize = 5;

/// Writes what is known of the state behind a finding.
///
/// # Errors
/// Those of the writer.
pub fn write(out: &mut dyn Write, finding: &Finding) -> io::Result<()> {
    match &finding.explanation {
        None => Ok(()),
        Some(explanation) if explanation.confirmed => confirmed(out, explanation, finding.kind),
        Some(explanation) => unconfirmed(out, explanation),
    }
}

/// Writes which findings have one cause.
///
/// # Errors
/// Those of the writer.
pub fn causes(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    for group in groups(findings).iter().filter(|group| group.polluters.len() + group.victims.len() > 2) {
        writeln!(
            out,
            "one cause  {}: {}, {}",
            group.place,
            words::count(group.polluters.len(), "polluter"),
            words::count(group.victims.len(), "victim")
        )?;
    }
    Ok(())
}

fn confirmed(out: &mut dyn Write, explanation: &Explanation, kind: Kind) -> io::Result<()> {
    for place in &explanation.places {
        writeln!(out, "  {:<13} {}  ({})", "shared state", place.name, place.kind)?;
        change(out, place)?;
        if let Some(written) = &place.written {
            let Written { file, line, function } = written;
            writeln!(out, "  {:<13} {file}:{line} in {function}", "written at")?;
        }
    }
    let passes = if kind == Kind::Brittle { "fails" } else { "passes" };
    let how = match (explanation.places.len(), explanation.jointly) {
        (1, _) => format!("{passes} once it is put back"),
        (_, true) => format!("{passes} once all of them are put back"),
        (_, false) => format!("{passes} once any one of them is put back"),
    };
    let others = if explanation.alone { "; putting back all else does not help" } else { "" };
    writeln!(out, "  {:<13} {how}{others}", "proof")?;
    explanation.fix.as_ref().map_or(Ok(()), |fix| {
        writeln!(
            out,
            "  {:<13} tried in a copy: undoes the failure, and holds in {} of {} trials on one worker",
            "fix", fix.trials, fix.trials
        )?;
        fix.diff.lines().try_for_each(|line| writeln!(out, "    {line}"))
    })
}

fn unconfirmed(out: &mut dyn Write, explanation: &Explanation) -> io::Result<()> {
    let why = explanation.why.as_deref().unwrap_or("not confirmed");
    writeln!(out, "  {:<13} unknown: {why}", "shared state")?;
    for place in explanation.places.iter().take(LISTED) {
        writeln!(out, "  {:<13} {}  ({})", "changed", place.name, place.kind)?;
        change(out, place)?;
    }
    if explanation.changed > LISTED {
        writeln!(out, "  {:<13} … and {} more places", "changed", explanation.changed - LISTED)?;
    }
    Ok(())
}

fn change(out: &mut dyn Write, place: &Place) -> io::Result<()> {
    writeln!(out, "  {:<13} {} → {}", "", place.old, place.new)
}
