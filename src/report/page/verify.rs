//! The page of `jostle verify`: what became of each recorded failure, and how sure that is.

use maud::{Markup, html};

use crate::report::page::frame::{About, Part, framed, table};
use crate::report::page::rates::{Bar, chart};
use crate::report::verify::{Looked, Verification, all_runs, conclusion, fails_with, stages, status};
use crate::report::words;
use crate::verify::Status;

/// The page.
pub(crate) fn page(report: &Verification, about: &About) -> String {
    let mut parts = vec![Part::new("overview", "Overview", overview(report))];
    if !report.looked.is_empty() {
        let each = html! { @for (number, looked) in (1..).zip(&report.looked) { (section(number, looked, report)) } };
        parts.push(Part::new("failures", "Recorded failures", each));
    }
    framed(about, &conclusion(report), &parts)
}

fn overview(report: &Verification) -> Markup {
    let rows = html! {
        @for (number, looked) in (1..).zip(&report.looked) {
            tr {
                td { (badge(looked, report)) }
                td { (looked.file.kind.name()) }
                td { a href={ "#failure-" (number) } { code { (looked.file.test) } } }
                td { (all_runs(looked).trim_start_matches(": ")) }
            }
        }
    };
    html! {
        (table("Recorded failures", &["Now", "Kind", "Test", "Runs"], &rows))
        @if report.require_fail { p { "Each was to fail as recorded, as before a fix." } }
        @if !report.remarks.is_empty() {
            h3 { "Notes" }
            ul { @for remark in &report.remarks { li { (remark) } } }
        }
    }
}

fn badge(looked: &Looked, report: &Verification) -> Markup {
    let class = match (looked.verified.status, report.require_fail) {
        (Status::CannotTell, _) => "doubtful",
        (Status::Holds, false) | (Status::StillFails, true) => "good",
        _ => "bad",
    };
    html! { span class={ "badge " (class) } { (status(looked.verified.status, report.require_fail)) } }
}

fn section(number: usize, looked: &Looked, report: &Verification) -> Markup {
    let Looked { path, file, verified } = looked;
    let suite = &report.collected.suite;
    let test = suite.find(&file.test).map(|test| suite.test(test));
    html! {
        section.finding id={ "failure-" (number) } aria-labelledby={ "failure-" (number) "-name" } {
            h3 id={ "failure-" (number) "-name" } { (badge(looked, report)) " " code { (file.test) } }
            @if let Some(test) = test {
                p.where { code { (test.file) @if let Some(line) = test.line { ":" (line) } } }
            }
            dl.facts {
                dt { "kind" } dd { (file.kind.name()) }
                dt { "recorded in" } dd { code { (path) } }
                @if let Some(why) = &verified.why { dt { "because" } dd { (why) } }
                @if let Some(fails) = fails_with(looked) { dt { "fails with" } dd { (fails) } }
                @for note in &verified.notes { dt { "note" } dd { (note) } }
            }
            (bounds(number, looked, report.confidence))
        }
    }
}

/// How often it failed in each stage, with the bounds that the verdict rests on.
fn bounds(number: usize, looked: &Looked, confidence: f64) -> Markup {
    let claim = looked.verified.claim;
    let ran: Vec<Bar> = stages(looked)
        .into_iter()
        .map(|(name, tally)| Bar {
            label: name.into(),
            told: format!("{name}: failed in {}", words::tally(tally)),
            interval: (0.0, tally.rate_at_most(confidence)),
            rate: Some(tally.rate()),
        })
        .collect();
    if ran.is_empty() {
        return html! {};
    }
    let name = if looked.file.failed.is_some() { "recorded" } else { "assumed" };
    let recorded = Bar {
        label: name.into(),
        told: format!("{name}: failed in {}", words::tally(claim.recorded)),
        interval: (claim.threshold(), 1.0),
        rate: Some(claim.recorded.rate()),
    };
    let bars: Vec<Bar> = [recorded].into_iter().chain(ran).collect();
    let rows = html! {
        @for (at, bar) in bars.iter().enumerate() {
            tr {
                td { (bar.told) }
                td.number {
                    @if at == 0 { "at least " (percent(bar.interval.0)) } @else { "at most " (percent(bar.interval.1)) }
                }
            }
        }
    };
    html! {
        h4 { "How often it fails" }
        div.wide { (chart(&format!("bounds-{number}"), "How often it fails, with bounds", &bars, Some(claim.threshold()))) }
        p { "A bound below the dashed line shows that it fails less often than it did. Each holds at " (format!("{} %", confidence * 100.0)) " confidence." }
        (table("Bounds", &["Runs", "Bound"], &rows))
    }
}

fn percent(rate: f64) -> String {
    format!("{:.1} %", rate * 100.0)
}
