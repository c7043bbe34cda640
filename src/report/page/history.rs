//! The page of `jostle history`: what is new and gone, and how often tests fail, night by night.

use std::collections::BTreeMap;

use maud::{Markup, html};

use crate::history::{Rate, Session, Share, Status, Summary};
use crate::report::history::{LISTED, became, commit, share, time};
use crate::report::page::frame::{About, Part, framed, table};
use crate::report::page::rates::{Bar, chart};
use crate::report::words;

/// Nights that a row of squares has at most, the newest of all.
const SQUARES: usize = 90;

/// The page, of one test if that was asked for.
pub(crate) fn page(summary: &Summary, test: Option<&str>, remarks: &[String], about: &About) -> String {
    let mut parts = Vec::new();
    if !summary.findings.is_empty() {
        parts.push(Part::new("findings", "Findings", findings(summary)));
    }
    if !summary.rates.is_empty() {
        parts.push(Part::new("rates", "Failing in seeded trials", rates(summary)));
    }
    if !summary.slowest.is_empty() {
        parts.push(Part::new("slowest", "Slowest tests", slowest(summary)));
    }
    parts.push(Part::new("sessions", "Sessions", sessions(summary, remarks)));
    let headline = became(summary);
    framed(about, &test.map_or(headline.clone(), |test| format!("{test}: {headline}")), &parts)
}

fn findings(summary: &Summary) -> Markup {
    let nights = last(&summary.nights, SQUARES);
    let rows = html! {
        @for seen in &summary.findings {
            tr {
                td { (badge(seen.status)) }
                td { (seen.found.summary) }
                td.number { "in " (seen.nights) " of " (summary.nights.iter().filter(|night| night.ended).count()) }
                td {
                    svg.nights viewBox={ "0 0 " (nights.len() * 10) " 12" } width=(nights.len() * 10) height="12" role="img" aria-label="Found, night by night" {
                        @for (at, night) in nights.iter().enumerate() {
                            @let (class, told) = square(night, seen);
                            rect class=(class) x=(at * 10 + 1) y="2" width="8" height="8" { title { (time(night)) ": " (told) } }
                        }
                    }
                }
            }
        }
    };
    html! {
        (table("Findings", &["Now", "Finding", "Sessions", "Night by night"], &rows))
        ul.legend {
            @for (class, told) in SORTS {
                li { svg.swatch viewBox="0 0 1 1" aria-hidden="true" { rect class=(class) width="1" height="1" {} } (told) }
            }
        }
    }
}

const SORTS: [(&str, &str); 3] =
    [("found", "found"), ("passed", "not found"), ("silent", "not run, or not to its end")];

fn square(night: &Session, seen: &crate::history::Seen) -> (&'static str, &'static str) {
    match night.has_found(&seen.found) {
        Some(true) => SORTS[0],
        Some(false) => SORTS[1],
        None => SORTS[2],
    }
}

fn badge(status: Status) -> Markup {
    let (class, word) = match status {
        Status::New => ("bad", "new"),
        Status::Back => ("bad", "back"),
        Status::Still => ("doubtful", "still there"),
        Status::Gone => ("good", "gone"),
        Status::NotRun => ("quiet", "not run"),
        Status::Past => ("quiet", "past"),
    };
    html! { span class={ "badge " (class) } { (word) } }
}

fn rates(summary: &Summary) -> Markup {
    let names: BTreeMap<&str, &Session> =
        summary.nights.iter().map(|night| (night.name.as_str(), night)).collect();
    html! {
        p { "A point is the share of a test's runs in a session's seeded trials that failed, and the line through it the 95 % interval of its rate." }
        @for (number, rate) in (1..).zip(summary.rates.iter().take(LISTED)) {
            h3 { code { (rate.test) } }
            p { "In all: failed in " (share(rate.all)) }
            (of_test(number, rate, &names))
        }
        @if summary.rates.len() > LISTED {
            p { (summary.rates.len() - LISTED) " more tests failed less often." }
        }
    }
}

fn of_test(number: usize, rate: &Rate, names: &BTreeMap<&str, &Session>) -> Markup {
    let nights: Vec<(&Session, Share)> =
        rate.nights.iter().filter_map(|of| Some((*names.get(of.night.as_str())?, of.share))).collect();
    let bars: Vec<Bar> = nights
        .iter()
        .map(|(night, of_night)| Bar {
            label: time(night).chars().take(10).collect(),
            told: format!("{}: failed in {}", time(night), share(*of_night)),
            interval: of_night.interval,
            rate: Some(of_night.rate),
        })
        .collect();
    let rows = html! {
        @for (night, of_night) in nights.iter().rev() {
            tr { td { (time(night)) (commit(night)) } td { (share(*of_night)) } }
        }
    };
    html! {
        div.wide { (chart(&format!("rate-{number}"), "Share of failing runs, night by night", &bars, None)) }
        details { summary { "As a table" } (table("Rates, night by night", &["Session (UTC)", "Failed in"], &rows)) }
    }
}

fn slowest(summary: &Summary) -> Markup {
    let rows = html! {
        @for slow in &summary.slowest {
            tr {
                td { code { (slow.test) } }
                td.number { (format!("{:.3} s", slow.mean)) }
                td.number { (format!("{:.3} s", slow.longest)) }
                td.number { (slow.runs) }
            }
        }
    };
    table("Slowest tests", &["Test", "Mean", "Longest", "Runs"], &rows)
}

fn sessions(summary: &Summary, remarks: &[String]) -> Markup {
    let rows = html! {
        @for night in summary.nights.iter().rev() {
            tr {
                td { (time(night)) }
                td { (commit(night).trim_start_matches(", commit ")) }
                td.number { (night.seed) }
                td.number { (night.tests) }
                td.number { (night.trials) }
                td.number { (night.findings.iter().filter(|found| found.counts).count()) }
                td { @if !night.ended { "did not come to its end" } }
            }
        }
    };
    html! {
        p { (words::count(summary.nights.len(), "session")) ", the newest first." }
        (table("Sessions", &["Started (UTC)", "Commit", "Seed", "Tests", "Trials", "Isolation failures", ""], &rows))
        @if !remarks.is_empty() { ul { @for remark in remarks { li { (remark) } } } }
    }
}

fn last<T>(all: &[T], most: usize) -> &[T] {
    &all[all.len().saturating_sub(most)..]
}
