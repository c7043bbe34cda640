//! The end of the report for people: a line for each finding, as pytest has one for each failure, and what to do next.

use std::io::{self, Write};

use anstyle::Style;

use crate::finding::{Finding, Kind};
use crate::report::links::Links;
use crate::report::terminal::{BAD, DIM, DOUBTFUL, GOOD, style};
use crate::report::{Manner, Verbosity, words};
use crate::session::SessionResult;
use crate::suite::triage::by_cause;

const HEADING: Style = Style::new().bold();

/// Writes a line for each cause of collection errors and for each finding, what breaks most first.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(
    out: &mut dyn Write,
    outline: &SessionResult,
    Manner { links, verbosity, .. }: Manner<'_>,
) -> io::Result<()> {
    let errors = &outline.collected.suite.errors;
    if outline.findings.is_empty() && outline.unjudged.is_empty() && errors.is_empty() {
        return Ok(());
    }
    // Where little is said, it comes right after the last finding, which ends with an empty line.
    if verbosity > Verbosity::Quiet {
        writeln!(out)?;
    }
    writeln!(out, "{HEADING}short summary{HEADING:#}")?;
    for (cause, errors) in by_cause(errors) {
        writeln!(out, "{BAD}collection error{BAD:#}  {cause} ({})", errors.len())?;
    }
    outline.findings.iter().try_for_each(|finding| self::finding(out, finding, outline, links))?;
    for suspect in &outline.unjudged {
        let test = links.test(&outline.collected.suite, suspect.signature.test);
        writeln!(
            out,
            "{DOUBTFUL}not judged{DOUBTFUL:#}  {test} failed in {}; the session ended before it was looked into",
            words::within(suspect.origin)
        )?;
    }
    Ok(())
}

fn finding(
    out: &mut dyn Write,
    finding: &Finding,
    outline: &SessionResult,
    links: Links<'_>,
) -> io::Result<()> {
    let suite = &outline.collected.suite;
    let style = style(finding);
    write!(out, "{style}{}{style:#}  ", finding.kind.name())?;
    match finding.test {
        Some(test) => write!(out, "{}", links.test(suite, test))?,
        None => write!(out, "the suite")?,
    }
    match finding.broken_tests() {
        0 | 1 => {}
        tests => write!(out, " and {} more", tests - 1)?,
    }
    let (tests, imports) = finding.causes();
    let others = tests.iter().filter(|&&test| Some(test) != finding.test);
    let mut causes: Vec<String> = others.map(|&test| links.test(suite, test)).collect();
    causes.extend(imports.iter().map(|file| format!("import of {file}")));
    // Where a plan was not shrunk, as that of a collection, its tests are no causes.
    if let Some((first, more)) = causes.split_first().filter(|_| finding.kind != Kind::UnstableCollection) {
        let arrow = if finding.kind == Kind::Race { "↔" } else { "←" };
        let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
        write!(out, "  {arrow} {first}{more}")?;
    }
    if let Some(place) = place(finding) {
        write!(out, "  {place}")?;
    }
    let patch = finding.explanation.as_ref().and_then(|explanation| explanation.fix.as_ref());
    if patch.is_some() {
        write!(out, "  {GOOD}patch ready{GOOD:#}")?;
    }
    if finding.known.is_some() {
        write!(out, "  {DIM}known{DIM:#}")?;
    }
    writeln!(out)
}

/// The place of shared state that was shown to be the cause, or what is raced for.
fn place(finding: &Finding) -> Option<String> {
    let confirmed = finding.explanation.as_ref().filter(|explanation| explanation.confirmed);
    let (first, more) = match (confirmed, &finding.trace) {
        (Some(explanation), _) => explanation.places.split_first()?,
        (None, Some(trace)) => return Some(words::raced_on(trace)),
        (None, None) => return None,
    };
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(format!("{}{more}", first.name))
}

/// Writes what to do next, each a command that can be pasted.
///
/// # Errors
/// Those of the writer.
pub(super) fn next(out: &mut dyn Write, commands: &[String]) -> io::Result<()> {
    if commands.is_empty() {
        return Ok(());
    }
    writeln!(out, "{HEADING}next{HEADING:#}")?;
    commands.iter().try_for_each(|command| writeln!(out, "  {command}"))
}
