//! The section of one finding.

use maud::{Markup, html};

use crate::explain::Explanation;
use crate::finding::Finding;
use crate::race::trace::Trace;
use crate::report::entry::plain;
use crate::report::page::sources::{self, Sources};
use crate::report::page::{command, graph, patch, timeline};
use crate::report::tokens::Tokens;
use crate::report::{Again, words};
use crate::session::SessionResult;
use crate::state::Place;

/// What the sections of findings are made of.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    /// The session.
    pub(super) outline: &'a SessionResult,
    /// Lines of the project.
    pub(super) sources: &'a Sources,
    /// How a finding is seen again.
    pub(super) again: Again<'a>,
}

/// Writes a section; `whole` is one with all that is known, and not the report's text alone.
pub(super) fn section(number: usize, finding: &Finding, told: Told<'_>, whole: bool) -> Markup {
    let outline = told.outline;
    let suite = &outline.collected.suite;
    let test = finding.test.map(|test| suite.test(test));
    html! {
        section.finding id={ "finding-" (number) } aria-labelledby={ "finding-" (number) "-name" } {
            h3 id={ "finding-" (number) "-name" } {
                (badge(finding)) " "
                @match test {
                    Some(test) => code { (test.id) },
                    None => "the suite",
                }
            }
            p { (words::meaning(finding)) }
            @if let Some(evidence) = words::how_often(finding) { p { "Failed: " b { (evidence) } } }
            @if let Some(note) = &finding.note { p { "Note: " (note) } }
            @if let Some(test) = test {
                p.where { code { (test.file) @if let Some(line) = test.line { ":" (line) } } }
            }
            @if whole {
                @if let Some(drawing) = graph::graph(number, finding, suite) { div.wide { (drawing) } }
                @for place in places(finding) { (of_place(place, told.sources)) }
                (failure(finding, told.sources))
                (race(number, finding, told))
                (fix(number, finding))
                (commands(number, finding, told))
            }
            details open[!whole] {
                summary { "The report's text" }
                pre tabindex="0" role="region" aria-label={ "The report's text of finding " (number) } {
                    (plain(finding, outline, told.again))
                }
            }
        }
    }
}

/// The kind, and whether it is known.
pub(super) fn badge(finding: &Finding) -> Markup {
    let class = match finding.kind.is_isolation_failure() {
        _ if finding.known.is_some() => "known",
        true => "bad",
        false => "doubtful",
    };
    html! {
        span class={ "badge " (class) } { @if finding.known.is_some() { "known " } (finding.kind.name()) }
    }
}

/// The places that were shown to be the cause.
pub(super) fn places(finding: &Finding) -> &[Place] {
    let confirmed = |explanation: &&Explanation| explanation.confirmed;
    finding.explanation.as_ref().filter(confirmed).map_or(&[], |explanation| &explanation.places)
}

fn of_place(place: &Place, sources: &Sources) -> Markup {
    let lines = [("written at", &place.written), (words::reading(place), &place.read)];
    html! {
        h4 { "Shared state: " code { (place.name) } }
        dl.facts {
            dt { "kind" } dd { (place.kind) }
            dt { "old value" } dd { code { (place.old) } }
            dt { "new value" } dd { code { (place.new) } }
            @for (label, written) in lines {
                @if let Some(at) = written {
                    dt { (label) }
                    dd {
                        code { (at.file) ":" (at.line) } " in " code { (at.function) }
                        (sources.code(&at.file, at.line))
                    }
                }
            }
        }
    }
}

fn failure(finding: &Finding, sources: &Sources) -> Markup {
    let reads = places(finding).iter().filter_map(|place| place.read.as_ref());
    html! {
        @if let Some(failure) = &finding.failure {
            h4 { "Failure" }
            dl.facts {
                dt { "exception" } dd { code { (failure.exception) } }
                @if !failure.message.is_empty() {
                    dt { "message" } dd { pre tabindex="0" role="region" aria-label="Message" { (failure.message) } }
                }
                dt { "raised at" }
                dd {
                    code { (failure.file) ":" (failure.line) } " in " code { (failure.function) }
                    // What reads the place is shown with it.
                    @if !reads.clone().any(|read| (&read.file, read.line) == (&failure.file, failure.line)) {
                        (sources.code(&failure.file, failure.line))
                    }
                }
            }
        }
    }
}

fn race(number: usize, finding: &Finding, told: Told<'_>) -> Markup {
    html! {
        @if let Some(trace) = &finding.trace {
            h4 { "Race on " code { (words::raced_on(trace)) } }
            div.wide { (timeline::timeline(number, trace, &told.outline.collected.suite)) }
            @for ((file, line), workers) in lines_of(trace) {
                p.where { (workers) " at " code { (file) ":" (line) } }
                (told.sources.code(&file, line))
            }
        }
    }
}

/// The lines that make the calls of a race, in their order, with the workers that do: `A, B`.
fn lines_of(trace: &Trace) -> Vec<((String, u32), String)> {
    let mut lines: Vec<((String, u32), String)> = Vec::new();
    for made in &trace.calls {
        let Some(line) = made.call.at.as_deref().and_then(sources::place) else { continue };
        let worker = made.worker.to_string();
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, workers)) if workers.split(", ").any(|known| known == worker) => {}
            Some((_, workers)) => *workers = format!("{workers}, {worker}"),
            None => lines.push((line, worker)),
        }
    }
    lines
}

/// The patch, or why there is none.
fn fix(number: usize, finding: &Finding) -> Markup {
    let explanation = finding.explanation.as_ref();
    let none = explanation.and_then(|explanation| explanation.no_fix.as_ref()).map(|none| none.says.as_str());
    html! {
        @if let Some(fix) = explanation.and_then(|explanation| explanation.fix.as_ref()) {
            h4 { "Patch" }
            (patch::patch(number, &fix.diff))
        } @else if let Some(says) = none.or(finding.trace.as_ref().map(words::against_race)) {
            h4 { "Fix" }
            p { (says) }
        }
    }
}

fn commands(number: usize, finding: &Finding, told: Told<'_>) -> Markup {
    let tokens = Tokens::of(told.outline);
    let again = [
        ("replay", "Replays it where the same suite is", told.again.of_token(finding, tokens)),
        ("file", "Replays its failure file", told.again.of_file(finding, tokens)),
    ];
    let again: Vec<_> = again.into_iter().filter_map(|(id, what, line)| Some((id, what, line?))).collect();
    let shows = if finding.fails_at_times() {
        "Shows it at times in plain pytest"
    } else {
        "Shows it in plain pytest"
    };
    html! {
        @if finding.command.is_some() || !again.is_empty() {
            h4 { "Commands" }
            @if let Some(line) = &finding.command {
                (command::command(&format!("pytest-{number}"), shows, &words::elsewhere(line)))
            }
            @for (id, what, line) in again {
                (command::command(&format!("{id}-{number}"), what, &line))
            }
        }
    }
}
