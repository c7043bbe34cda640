//! What the report for people has after the findings: which of them have one cause, what was not judged, notes, and the
//! account of what was run.

use std::io::{self, Write};

use crate::report::conclusion::{Conclusion, Tone};
use crate::report::terminal::{BAD, DIM, DOUBTFUL, GOOD, interpreter, neutralised, sorted_by};
use crate::report::{Again, Manner, Verbosity, explanation, summary, words};
use crate::session::SessionResult;

/// Writes what stands after the findings.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(
    out: &mut dyn Write,
    outline: &SessionResult,
    manner: Manner<'_>,
    next: &[String],
) -> io::Result<()> {
    let (suite, verbosity) = (&outline.collected.suite, manner.verbosity);
    explanation::causes(out, &outline.findings, suite)?;
    if verbosity == Verbosity::Verbose {
        neutralised(out, &outline.collected)?;
        sorted_by(out, suite, outline.axes.ignore_rank)?;
    }
    if verbosity > Verbosity::Quiet {
        explanation::unread(out, &outline.findings)?;
        outline.remarks.iter().try_for_each(|remark| writeln!(out, "note: {remark}"))?;
        unseen(out, &outline.unseen)?;
        runs(out, outline)?;
        // One plan that was run again has tried what it holds.
        if manner.again != Again::Replayed {
            pairs(out, outline)?;
        }
    }
    summary::write(out, outline, manner)?;
    if verbosity > Verbosity::Quiet {
        summary::next(out, next)?;
    }
    conclusion(out, outline)
}

fn runs(out: &mut dyn Write, outline: &SessionResult) -> io::Result<()> {
    let suite = &outline.collected.suite;
    let raced = match outline.schedules {
        0 => String::new(),
        schedules => format!(", {}", words::count(schedules as usize, "schedule")),
    };
    writeln!(
        out,
        "{DIM}{} ({}), seed {}: {}{raced} and {} in {:.1} s{DIM:#}",
        words::count(suite.tests.len(), "test"),
        interpreter(&outline.collected),
        outline.seed.0,
        words::count(outline.trials as usize, "trial"),
        words::count(outline.probes as usize, "probe"),
        outline.duration.as_secs_f64(),
    )
}

/// Which pairs of tests were tried: of a suite that has some, and on several workers where there were to be several.
fn pairs(out: &mut dyn Write, outline: &SessionResult) -> io::Result<()> {
    let (suite, shares) = (&outline.collected.suite, outline.coverage);
    if outline.trials == 0 || suite.tests.len() < 2 {
        return Ok(());
    }
    let percent = |share: f64| format!("{:.0} %", (share * 100.0).floor());
    let [ordered, adjacent, same, cross] =
        [shares.ordered, shares.adjacent, shares.same_worker, shares.cross_worker].map(percent);
    let on_several = if outline.axes.workers.iter().any(|&workers| workers > 1) {
        format!("; of several workers, {same} on the same one, {cross} on two")
    } else {
        String::new()
    };
    let mut of = String::new();
    if suite.is_sorted() && !outline.axes.ignore_rank {
        of += &format!(", as far as {} admits them", words::listed(&suite.sorting.sorted_by));
    }
    if shares.tests < suite.tests.len() {
        of += &format!(", counted among {} tests", shares.tests);
    }
    writeln!(
        out,
        "{DIM}pairs of tests tried: {ordered} in both orders, {adjacent} directly after each other{on_several}{of}{DIM:#}"
    )
}

/// Known failures that did not show are not therefore gone.
fn unseen(out: &mut dyn Write, files: &[String]) -> io::Result<()> {
    let Some(first) = files.first() else {
        return Ok(());
    };
    let more = if files.len() > 1 { ", …" } else { "" };
    let gone = if files.len() > 1 { "they are" } else { "it is" };
    let number = words::count(files.len(), "known failure");
    writeln!(out, "note: {number} did not show ({first}{more}); jostle verify tells whether {gone} gone")
}

fn conclusion(out: &mut dyn Write, outline: &SessionResult) -> io::Result<()> {
    let Conclusion { tone, found, ended } = Conclusion::of(outline);
    let style = match tone {
        Tone::Good => GOOD,
        Tone::Doubtful => DOUBTFUL,
        Tone::Bad => BAD,
    };
    writeln!(out, "{style}{found}{style:#}{ended}")
}
