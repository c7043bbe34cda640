//! The page of a session, and of a replay.

use maud::{Markup, html};

use crate::report::Again;
use crate::report::conclusion::Conclusion;
use crate::report::page::finding::{self, Told};
use crate::report::page::frame::{About, Part, framed, table};
use crate::report::page::sources::Sources;
use crate::report::page::trials::Trials;
use crate::report::page::{matrix, overview};
use crate::report::replay::Replay;
use crate::report::words;
use crate::session::SessionResult;

/// Bytes for the sections of findings; each that has no room is shown with the report's text alone, as far as twice that goes.
const FINDINGS_BYTES: usize = 750_000;

/// The page of a session.
pub(crate) fn page(
    outline: &SessionResult,
    trials: &Trials,
    sources: &Sources,
    again: Again<'_>,
    about: &About,
) -> String {
    let told = Told { outline, sources, again };
    let mut parts = vec![Part::new("overview", "Overview", overview(outline, trials))];
    parts.extend(found(told));
    if outline.trials > 0 {
        let name = "Pairs of tests that were tried";
        let pairs = Part::new("coverage", name, overview::coverage(outline, trials));
        parts.push(Part { name: "Pairs tried", ..pairs });
    }
    parts.extend(runs(outline, trials));
    framed(about, &Conclusion::of(outline).to_string(), &parts)
}

/// The page of a replay, with the session that its runs and their judging came to.
pub(crate) fn of_replay(
    replay: &Replay<'_>,
    outline: &SessionResult,
    trials: &Trials,
    sources: &Sources,
    about: &About,
) -> String {
    let told = Told { outline, sources, again: Again::Replayed };
    let lead = html! { (showed(replay)) (overview(outline, trials)) };
    let mut parts = vec![Part::new("overview", "Overview", lead)];
    parts.extend(found(told));
    parts.extend(runs(outline, trials));
    framed(about, &replay.headline, &parts)
}

fn overview(outline: &SessionResult, trials: &Trials) -> Markup {
    html! {
        (overview::kinds(outline))
        (overview::findings(outline))
        (overview::causes(outline))
        (overview::notes(outline))
        (overview::numbers(outline, trials))
    }
}

/// The failures that the runs of a replay showed.
fn showed(replay: &Replay<'_>) -> Markup {
    let Replay { replayed, suite, .. } = replay;
    html! {
        @for note in replay.notes() { p { (note) } }
        @if !replayed.failures.is_empty() {
            h3 { "What failed" }
            @let rows = html! {
                @for (suspect, runs) in &replayed.failures {
                    @let crash = &suspect.signature.crash;
                    tr {
                        td { code { (suite.test(suspect.signature.test).id) } }
                        td { code { (crash.exception) } }
                        td { code { (crash.function) } " " (crash.file) }
                        td.number { (words::count(*runs as usize, "run")) }
                    }
                }
            };
            (table("What failed", &["Test", "Exception", "In", "Failed in"], &rows))
        }
    }
}

fn found(told: Told<'_>) -> Option<Part> {
    (!told.outline.findings.is_empty()).then(|| Part::new("findings", "Findings", findings(told)))
}

fn runs(outline: &SessionResult, trials: &Trials) -> Option<Part> {
    (!trials.is_empty()).then(|| Part::new("trials", "Trials", matrix::section(outline, trials)))
}

fn findings(told: Told<'_>) -> Markup {
    let mut written = 0;
    let mut left_out = 0;
    html! {
        @for (number, finding) in (1..).zip(&told.outline.findings) {
            @let section = finding::section(number, finding, told, written < FINDINGS_BYTES);
            @if written + section.0.len() <= 2 * FINDINGS_BYTES {
                ({ written += section.0.len(); section })
            } @else {
                ({ left_out += 1; html! {} })
            }
        }
        @if left_out > 0 { p { (left_out) " more findings had no room here: the report has them." } }
    }
}
