//! The page: a session as one file for a browser, for who gets a link from continuous integration.
//!
//! It fetches nothing: styles and script stand in it, and its Content-Security-Policy admits these two by their hashes and
//! nothing else. All text goes through maud, which escapes it. What is told without the script is whole; the script draws
//! runs in full and copies commands.

mod command;
mod finding;
mod graph;
mod heat;
mod matrix;
mod overview;
mod packed;
mod patch;
pub(crate) mod sources;
mod tests;
mod timeline;
pub(crate) mod trials;

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::report::Again;
use crate::report::conclusion::Conclusion;
use crate::report::page::finding::Told;
use crate::report::page::sources::Sources;
use crate::report::page::trials::Trials;
use crate::session::SessionResult;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// How each page begins, by which one is known that may be written over.
pub(crate) const MARK: &str = "<!DOCTYPE html><html lang=\"en\" data-jostle=\"page\">";

/// Bytes for the sections of findings; each that has no room is shown with the report's text alone, as far as twice that goes.
const FINDINGS_BYTES: usize = 750_000;

/// The page of a session.
pub(crate) fn page(outline: &SessionResult, trials: &Trials, sources: &Sources, again: Again<'_>) -> String {
    let verdict = Conclusion::of(outline).to_string();
    let told = Told { outline, sources, again };
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" data-jostle="page" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "jostle " (env!("CARGO_PKG_VERSION")) };
                title { "jostle: " (verdict) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the findings" }
                header {
                    p.product { "jostle " (env!("CARGO_PKG_VERSION")) }
                    h1 { (verdict) }
                    nav aria-label="Sections" {
                        ul {
                            li { a href="#main" { "Overview" } }
                            @if !outline.findings.is_empty() { li { a href="#findings" { "Findings" } } }
                            @if outline.trials > 0 { li { a href="#coverage" { "Pairs tried" } } }
                            @if !trials.is_empty() { li { a href="#trials" { "Trials" } } }
                        }
                    }
                }
                main #main tabindex="-1" {
                    section aria-label="Overview" {
                        h2 { "Overview" }
                        (overview::kinds(outline))
                        (overview::findings(outline))
                        (overview::causes(outline))
                        (overview::notes(outline))
                        (overview::numbers(outline, trials))
                    }
                    @if !outline.findings.is_empty() {
                        section aria-label="Findings" {
                            h2 id="findings" { "Findings" }
                            (findings(told))
                        }
                    }
                    section aria-label="Pairs of tests" { (overview::coverage(outline, trials)) }
                    @if !trials.is_empty() {
                        section aria-label="Trials" { (matrix::section(outline, trials)) }
                    }
                }
                p.status #copied role="status" {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
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

/// As a policy names a text.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text)))
}

/// A text of no more than so many characters: its middle is left out.
fn cut(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let (before, after) = ((most - 1) / 2, most - 1 - (most - 1) / 2);
    text.chars().take(before).chain(['…']).chain(text.chars().skip(length - after)).collect()
}
