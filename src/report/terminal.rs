//! The report for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::finding::{Finding, Kind};
use crate::limits::DELAY_RUNS;
use crate::report::gitlab::Sections;
use crate::report::tokens::Tokens;
use crate::report::{Manner, Verbosity, account, brief, explanation, given_up, other_victims, words};
use crate::session::SessionResult;
use crate::suite::triage::{Cause, by_cause};
use crate::suite::{CollectionError, Suite, TestIndex};
use crate::trial::Collected;

/// How many errors of one cause, or tests of one fixture, are listed before they are only counted.
const LISTED: usize = 10;

pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// Writes the report of a session, each finding in a section of its own if there are to be some, and at its end what to do
/// `next`.
///
/// # Errors
/// Those of the writer.
pub(crate) fn session(
    out: &mut dyn Write,
    outline: &SessionResult,
    manner: Manner<'_>,
    sections: Option<Sections>,
    next: &[String],
) -> io::Result<()> {
    outline.costs.iter().try_for_each(|cost| self::cost(out, cost, manner.verbosity))?;
    collection_errors(out, &outline.collected.suite, manner.verbosity)?;
    for (number, finding) in (1..).zip(&outline.findings) {
        in_section(out, finding, sections.map(|sections| (sections, number)), |out| {
            self::finding(out, finding, Tokens::of(outline), manner)
        })?;
    }
    account::write(out, outline, manner, next)
}

/// Writes why a session takes much longer than others.
///
/// # Errors
/// Those of the writer.
pub(super) fn cost(out: &mut dyn Write, cost: &str, verbosity: Verbosity) -> io::Result<()> {
    if verbosity > Verbosity::Quiet { writeln!(out, "note: {cost}") } else { Ok(()) }
}

/// Writes a finding in a section with a number, if there is to be one: folded, unless it is a new failure.
///
/// # Errors
/// Those of the writer.
pub(super) fn in_section(
    out: &mut dyn Write,
    finding: &Finding,
    section: Option<(Sections, usize)>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let Some((sections, number)) = section else {
        return write(out);
    };
    let folded = !finding.is_new_failure();
    sections.start(out, number, folded)?;
    write(out)?;
    sections.end(out, number)
}

/// Writes what could not be collected, by cause.
///
/// # Errors
/// Those of the writer.
pub(crate) fn collection_errors(out: &mut dyn Write, suite: &Suite, verbosity: Verbosity) -> io::Result<()> {
    if suite.errors.is_empty() {
        return Ok(());
    }
    let number = words::count(suite.errors.len(), "collection error");
    writeln!(
        out,
        "{BAD}{number}{BAD:#}: the tests in these files never ran, so nothing is known of their isolation"
    )?;
    for (cause, errors) in by_cause(&suite.errors) {
        cause_group(out, &cause, &errors, verbosity)?;
    }
    writeln!(out)
}

fn cause_group(
    out: &mut dyn Write,
    cause: &Cause,
    errors: &[&CollectionError],
    verbosity: Verbosity,
) -> io::Result<()> {
    writeln!(out, "  {cause} ({})", errors.len())?;
    let listed = if verbosity == Verbosity::Verbose { errors.len() } else { LISTED };
    for error in errors.iter().take(listed) {
        let place = match (&error.file, error.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            _ => error.node_id.clone(),
        };
        let also = if place.starts_with(&error.node_id) {
            String::new()
        } else {
            format!(" (while collecting {})", error.node_id)
        };
        let message = error.message.lines().next().unwrap_or_default();
        writeln!(out, "    {place}{also}  {DIM}{}: {message}{DIM:#}", error.exception)?;
        if verbosity == Verbosity::Verbose {
            error.trace.lines().try_for_each(|line| writeln!(out, "        {DIM}{line}{DIM:#}"))?;
        }
    }
    if errors.len() > listed {
        writeln!(out, "    … and {} more (-v lists all)", errors.len() - listed)?;
    }
    Ok(())
}

/// Writes the triage of `jostle collect`.
///
/// # Errors
/// Those of the writer.
pub(crate) fn collected(out: &mut dyn Write, collected: &Collected, verbosity: Verbosity) -> io::Result<()> {
    let suite = &collected.suite;
    collection_errors(out, suite, verbosity)?;
    let deselected =
        if suite.deselected == 0 { String::new() } else { format!(", {} deselected", suite.deselected) };
    writeln!(
        out,
        "{} collected{deselected} by {}",
        words::count(suite.tests.len(), "test"),
        interpreter(collected)
    )?;
    if verbosity == Verbosity::Verbose {
        neutralised(out, collected)?;
        sorted_by(out, suite, false)?;
    }
    Ok(())
}

/// Writes the options that undo the suite's own.
///
/// # Errors
/// Those of the writer.
pub(crate) fn neutralised(out: &mut dyn Write, collected: &Collected) -> io::Result<()> {
    writeln!(out, "{DIM}options that undo the suite's own: {}{DIM:#}", collected.neutralised.join(" "))
}

/// Writes whose orders are kept to, or are not, if the suite's plugins sort its tests.
pub(super) fn sorted_by(out: &mut dyn Write, suite: &Suite, ignored: bool) -> io::Result<()> {
    let names = words::listed(&suite.sorting.sorted_by);
    match (names.is_empty(), ignored) {
        (true, _) => Ok(()),
        (false, false) => {
            writeln!(out, "{DIM}orders: kept as sorted by {names} (--ignore-rank mixes them){DIM:#}")
        }
        (false, true) => {
            writeln!(out, "{DIM}orders: mixed, though pytest runs them as sorted by {names}{DIM:#}")
        }
    }
}

/// `pytest 8.4.2 on Python 3.11.7`.
pub(crate) fn interpreter(collected: &Collected) -> String {
    format!("pytest {} on Python {}", collected.interpreter.pytest, collected.interpreter.python)
}

/// How the kind of a finding is coloured: red if the job fails for it.
pub(super) fn style(finding: &Finding) -> Style {
    if finding.is_new_failure() { BAD } else { DOUBTFUL }
}

/// Writes one finding, with an empty line below it.
///
/// # Errors
/// Those of the writer.
pub(super) fn finding(
    out: &mut dyn Write,
    finding: &Finding,
    tokens: Tokens<'_>,
    manner: Manner<'_>,
) -> io::Result<()> {
    let mut lines = Vec::new();
    all_lines(&mut lines, finding, tokens, manner)?;
    let lines = String::from_utf8_lossy(&lines);
    out.write_all(if manner.whole { lines } else { brief::of(&lines).into() }.as_bytes())?;
    writeln!(out)
}

fn all_lines(
    out: &mut dyn Write,
    finding: &Finding,
    tokens: Tokens<'_>,
    manner: Manner<'_>,
) -> io::Result<()> {
    let (suite, verbosity) = (tokens.suite, manner.verbosity);
    let style = style(finding);
    let test = finding.test.map_or_else(|| "the suite".to_owned(), |test| manner.links.test(suite, test));
    let known = if finding.known.is_some() { "known: " } else { "" };
    writeln!(out, "{style}{known}{}{style:#}  {test}", words::heading(finding))?;
    writeln!(out, "  {}", words::meaning(finding))?;
    causes(out, finding, tokens, manner)?;
    if let Some(fixture) = finding.fixture() {
        writeln!(out, "  {:<13} {}, from {}", "fails in", words::fixture(fixture), fixture.file)?;
    }
    // That other tests were collected is no failure of the test at which the lists differ.
    if let Some(signature) = finding.signature.as_ref().filter(|_| finding.kind != Kind::UnstableCollection) {
        let crash = &signature.crash;
        let place = if crash.file.is_empty() {
            crash.function.clone()
        } else {
            format!("in {} ({})", crash.function, crash.file)
        };
        let message =
            finding.failure.as_ref().and_then(|failure| failure.message.lines().next()).unwrap_or_default();
        writeln!(
            out,
            "  {:<13} {} {place}{}{message}",
            "fails with",
            crash.exception,
            if message.is_empty() { "" } else { ": " }
        )?;
    }
    trace(out, finding, suite)?;
    explanation::write(out, finding, suite, verbosity)?;
    if let Some(failed) = words::how_often(finding) {
        writeln!(out, "  {:<13} {failed}", "failed")?;
    }
    also(out, &finding.also, suite)?;
    if let Some(note) = &finding.note {
        writeln!(out, "  {:<13} {note}", "note")?;
    }
    if let Some(known) = &finding.known {
        writeln!(out, "  {:<13} {}", "known", words::known(known))?;
    }
    seen_in(out, finding, tokens, manner)?;
    if let Some(command) = &finding.command {
        let at_times = if finding.fails_at_times() { "  fails at times" } else { "" };
        writeln!(out, "  {:<13} {command}{DIM}{at_times}{DIM:#}", "pytest")?;
        explanation::left_by_the_command(out, finding)?;
        other_victims::commands(out, finding, suite)?;
    }
    if let Some(why) = finding.no_command {
        writeln!(out, "  {:<13} {}", "pytest", words::no_command(why, suite))?;
    }
    if let (Verbosity::Verbose, Some(failure)) = (verbosity, &finding.failure) {
        failure.trace.lines().try_for_each(|line| writeln!(out, "    {DIM}{line}{DIM:#}"))?;
    }
    Ok(())
}

/// The token of the plan that showed a finding, or where it was seen, and how that is seen again.
fn seen_in(out: &mut dyn Write, finding: &Finding, tokens: Tokens<'_>, manner: Manner<'_>) -> io::Result<()> {
    let again = manner.again;
    let of_file = again.of_file(finding, tokens);
    match tokens.token(finding.origin) {
        Some(token) => {
            let command = again.of_token(finding, tokens);
            let command = command.map_or_else(String::new, |command| format!("  {DIM}{command}{DIM:#}"));
            writeln!(out, "  {:<13} {token}{command}", "token")?;
            of_file.map_or(Ok(()), |command| writeln!(out, "  {:<13} {DIM}{command}{DIM:#}", "file"))
        }
        None if finding.kind == Kind::Leftover => Ok(()),
        None => {
            let keeps = finding.is_new_failure() && again.could_be_kept();
            let keeps = if keeps { "  --failures DIR keeps a file for jostle replay" } else { "" };
            let file = of_file.map_or_else(|| keeps.to_owned(), |command| format!("  {command}"));
            writeln!(out, "  {:<13} {}{DIM}{file}{DIM:#}", "seen in", words::within(finding.origin))
        }
    }
}

fn causes(
    out: &mut dyn Write,
    finding: &Finding,
    Tokens { suite, .. }: Tokens<'_>,
    manner: Manner<'_>,
) -> io::Result<()> {
    if let Some(search) = &finding.given_up {
        return given_up::write(out, search, finding.shrunk.as_ref(), suite);
    }
    let Some(minimal) = &finding.shrunk else {
        return Ok(());
    };
    let role = words::role(finding.kind);
    for &test in finding.passes_after.iter().flatten() {
        writeln!(out, "  {:<13} {}", "passes after", manner.links.test(suite, test))?;
    }
    if finding.kind != Kind::Nio {
        for &test in &minimal.culprits {
            writeln!(out, "  {role:<13} {}", manner.links.test(suite, test))?;
        }
    }
    for file in &minimal.imports {
        writeln!(out, "  {role:<13} import of {file}")?;
    }
    if !minimal.one_minimal {
        writeln!(out, "  {:<13} not every removal could be tried, so fewer tests may do", "note")?;
    }
    Ok(())
}

/// The calls that race, in the order that breaks.
fn trace(out: &mut dyn Write, finding: &Finding, suite: &Suite) -> io::Result<()> {
    let Some(trace) = &finding.trace else {
        return Ok(());
    };
    writeln!(out, "  {:<13} {}", "race on", words::raced_on(trace))?;
    for (number, turn) in (1..).zip(&trace.calls) {
        writeln!(
            out,
            "    {number}. {}  {:<18} {}  {DIM}{}{DIM:#}",
            turn.worker,
            turn.call.words(),
            turn.call.place(),
            words::test(suite, turn.test)
        )?;
    }
    if trace.diverged > 0 {
        writeln!(
            out,
            "  {:<13} {} of {} confirming runs made other calls, or in another order, and failed as well",
            "diverged", trace.diverged, finding.with.runs
        )?;
    }
    if let Some(delay) = &trace.delay {
        writeln!(
            out,
            "  {:<13} {DELAY_RUNS} of {DELAY_RUNS} runs in which it takes {} ms there",
            "passed", delay.passes
        )?;
    }
    writeln!(out, "  {:<13} {}", "fix", words::against_race(trace))
}

fn also(out: &mut dyn Write, tests: &[TestIndex], suite: &Suite) -> io::Result<()> {
    for &test in tests.iter().take(LISTED) {
        writeln!(out, "  {:<13} {}", "also", words::test(suite, test))?;
    }
    if tests.len() > LISTED {
        writeln!(out, "  {:<13} … and {} more tests in the same way", "also", tests.len() - LISTED)?;
    }
    Ok(())
}
