//! What the report for people has after the findings: which of them have one cause, what was not judged, notes, and the
//! account of what was run.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::report::terminal::{BAD, DIM, DOUBTFUL, GOOD, interpreter, neutralised, sorted_by};
use crate::report::{Again, Manner, Verbosity, explanation, summary, words};
use crate::session::SessionResult;
use crate::suite::TestIndex;

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
    for suspect in &outline.unjudged {
        let test = manner.links.test(suite, suspect.signature.test);
        writeln!(
            out,
            "{DOUBTFUL}not judged{DOUBTFUL:#}  {test} failed in {}; the session ended before it was looked into",
            words::origin(suspect.origin)
        )?;
    }
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
    summary::write(out, outline, manner.links)?;
    if verbosity > Verbosity::Quiet {
        summary::next(out, next)?;
    }
    verdict(out, outline)
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

fn verdict(out: &mut dyn Write, outline: &SessionResult) -> io::Result<()> {
    let failures = || outline.findings.iter().filter(|finding| finding.kind.is_isolation_failure());
    let (found, known) = (failures().count(), failures().filter(|finding| finding.known.is_some()).count());
    let errors = outline.collected.suite.errors.len();
    let not = outline.findings.iter().filter(|finding| finding.unjudged);
    let not: usize = not.map(|finding| 1 + finding.also.len()).sum();
    let talking: BTreeSet<TestIndex> =
        outline.outside.iter().flat_map(|server| &server.tests).copied().collect();
    let talking = talking.len();
    let stopped = match &outline.error {
        _ if outline.interrupted => "; interrupted, so this is not all",
        Some(_) => "; ended by an error, so this is not all",
        None => "",
    };
    let (style, text) = match (found, errors) {
        (0, 0) if outline.collected.suite.tests.is_empty() => (DOUBTFUL, "no test was collected".to_owned()),
        (0, 0) if !outline.unjudged.is_empty() => (
            DOUBTFUL,
            format!(
                "no isolation failure in what was looked into; {} not",
                match outline.unjudged.len() {
                    1 => "1 failure was".to_owned(),
                    more => format!("{more} failures were"),
                }
            ),
        ),
        (0, 0) if not > 0 => (
            DOUBTFUL,
            format!(
                "no isolation failure in what could be judged; {} not",
                if not == 1 {
                    "1 failing test could".to_owned()
                } else {
                    format!("{not} failing tests could")
                }
            ),
        ),
        (0, 0) if talking > 0 => (
            DOUBTFUL,
            format!(
                "no isolation failure in what could be judged; {} to a server outside of the trials",
                if talking == 1 { "1 test talks".to_owned() } else { format!("{talking} tests talk") }
            ),
        ),
        (0, 0) => (GOOD, "no isolation failure".to_owned()),
        (0, _) => (
            DOUBTFUL,
            format!(
                "no isolation failure in what could be collected; the rest is hidden by {}",
                words::count(errors, "collection error")
            ),
        ),
        _ => (if known == found { DOUBTFUL } else { BAD }, words::failures(found, known)),
    };
    writeln!(out, "{style}{text}{style:#}{stopped}")
}
