//! What stands above all else: what was found, by which causes, what was run, and which pairs of tests were tried.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::finding::Kind;
use crate::finding::group::groups;
use crate::plan::coverage::PairSort;
use crate::report::page::finding::{badge, places};
use crate::report::page::frame::{self, table};
use crate::report::page::heat;
use crate::report::page::trials::Trials;
use crate::report::terminal::interpreter;
use crate::report::words;
use crate::session::SessionResult;
use crate::suite::Suite;
use crate::suite::triage::by_cause;

/// The table of findings, with links to their sections.
pub(super) fn findings(outline: &SessionResult) -> Markup {
    let suite = &outline.collected.suite;
    html! {
        @if !outline.findings.is_empty() {
            @let rows = html! {
                @for (number, finding) in (1..).zip(&outline.findings) {
                    tr {
                        td { (number) }
                        td { (badge(finding)) }
                        td {
                            a href={ "#finding-" (number) } {
                                @match finding.test {
                                    Some(test) => code { (suite.test(test).id) },
                                    None => "the suite",
                                }
                            }
                        }
                        td {
                            @for place in places(finding) { code { (place.name) } " " }
                            @if let Some(trace) = &finding.trace { code { (words::raced_on(trace)) } }
                        }
                        td { @if finding.explanation.as_ref().is_some_and(|explanation| explanation.fix.is_some()) { "yes" } }
                    }
                }
            };
            (table("Table of findings", &["#", "Kind", "Test", "Shared state", "Patch"], &rows))
        }
    }
}

/// Places of state, and what is raced for, with all tests that have to do with each.
pub(super) fn causes(outline: &SessionResult) -> Markup {
    let suite = &outline.collected.suite;
    let groups = groups(&outline.findings, suite);
    let races =
        || (1..).zip(&outline.findings).filter_map(|(number, it)| Some((number, it, it.trace.as_ref()?)));
    html! {
        @if !groups.is_empty() || races().next().is_some() {
            h3 { "Causes" }
            ul.causes {
                @for (number, finding, trace) in races() {
                    @let mut tests = finding.also_broken();
                    ({ tests.extend(finding.test); tests.extend(finding.causes().0); html! {} })
                    li {
                        code { (words::raced_on(trace)) } ": raced for by " (words::count(tests.len(), "test"))
                        " " a href={ "#finding-" (number) } { "finding " (number) }
                    }
                }
                @for group in &groups {
                    li {
                        code { (group.place) } ": " (words::group(group))
                        @for (number, finding) in (1..).zip(&outline.findings) {
                            @if places(finding).iter().any(|place| place.name == group.place) {
                                " " a href={ "#finding-" (number) } { "finding " (number) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// How many of each kind were found.
pub(super) fn kinds(outline: &SessionResult) -> Markup {
    let mut seen = BTreeSet::new();
    let kinds = outline.findings.iter().map(|finding| finding.kind);
    let kinds: Vec<Kind> = kinds.filter(|&kind| seen.insert(kind)).collect();
    html! {
        @if !kinds.is_empty() {
            ul.kinds {
                @for kind in kinds {
                    @let number = outline.findings.iter().filter(|finding| finding.kind == kind).count();
                    li { b { (number) } " " (kind.name()) }
                }
            }
        }
    }
}

/// What could not be collected or judged, and what the reader should know besides.
pub(super) fn notes(outline: &SessionResult) -> Markup {
    let suite = &outline.collected.suite;
    html! {
        (collection_errors(suite))
        @if !outline.unjudged.is_empty() {
            h3 { "Not judged" }
            ul {
                @for suspect in &outline.unjudged {
                    li { code { (suite.test(suspect.signature.test).id) } " failed in " (words::within(suspect.origin)) "; the session ended before it was looked into" }
                }
            }
        }
        @if !outline.unseen.is_empty() {
            h3 { "Known failures that did not show" }
            ul { @for file in &outline.unseen { li { code { (file) } } } }
        }
        @let notes: Vec<&String> = outline.costs.iter().chain(&outline.remarks).collect();
        @if !notes.is_empty() {
            h3 { "Notes" }
            ul { @for note in notes { li { (note) } } }
        }
    }
}

/// What could not be collected.
pub(super) fn collection_errors(suite: &Suite) -> Markup {
    html! {
        @if !suite.errors.is_empty() {
            h3 { (words::count(suite.errors.len(), "collection error")) }
            p { "The tests in these files never ran, so nothing is known of their isolation." }
            ul {
                @for (cause, errors) in by_cause(&suite.errors) {
                    li {
                        (cause)
                        ul { @for error in errors { li { code { (error.node_id) } " " (error.exception) ": " (error.message) } } }
                    }
                }
            }
        }
    }
}

/// What was run, and for how long.
pub(super) fn numbers(outline: &SessionResult, trials: &Trials) -> Markup {
    let figures = [
        ("tests", outline.collected.suite.tests.len().to_string()),
        ("run by", interpreter(&outline.collected)),
        ("seed", outline.seed.0.to_string()),
        ("trials", outline.trials.to_string()),
        ("schedules of races", outline.schedules.to_string()),
        ("probes", outline.probes.to_string()),
        ("session", format!("{:.1} s", outline.duration.as_secs_f64())),
    ];
    html! {
        (frame::figures(&figures))
        @if !trials.spent.is_empty() {
            h3 { "Time spent" }
            p { "Runs that look for failures, with the sum of their times. Runs side by side overlap, and what judges, shrinks and explains comes besides." }
            @let most = trials.spent.values().map(|(_, time)| time.as_secs_f64()).fold(f64::MIN_POSITIVE, f64::max);
            div.scroll tabindex="0" role="region" aria-label="Time spent" {
                table.spent {
                    thead { tr { th scope="col" { "For" } th scope="col" { "Runs" } th scope="col" { "Time" } td {} } }
                    tbody {
                        @for (purpose, (runs, time)) in &trials.spent {
                            tr {
                                td { (purpose) } td.number { (runs) } td.number { (format!("{:.1} s", time.as_secs_f64())) }
                                td.bar { svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                                    rect width=(format!("{:.1}", time.as_secs_f64() / most * 100.0)) height="8" {}
                                } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Which pairs of tests were tried.
pub(super) fn coverage(outline: &SessionResult, trials: &Trials) -> Markup {
    let shares = outline.coverage;
    let percent = |share: f64| format!("{:.0} %", (share * 100.0).floor());
    let sorts = [
        (PairSort::Ordered, "the row's test before the column's, on one worker"),
        (PairSort::Adjacent, "the column's test directly after the row's"),
        (PairSort::CrossWorker, "both on two workers of one trial"),
    ];
    let maps: Vec<_> =
        sorts.iter().filter_map(|&(sort, name)| Some((name, trials.heat_map(sort)?))).collect();
    html! {
        (frame::figures(&[
            ("in both orders", percent(shares.ordered)),
            ("directly after each other", percent(shares.adjacent)),
            ("on the same worker of several", percent(shares.same_worker)),
            ("on two workers", percent(shares.cross_worker)),
        ]))
        @if let Some((_, first)) = maps.first() {
            p {
                "A pair that was not tried may still hold a failure. "
                @if first.tests_each > 1 {
                    "Each square stands for " (first.tests_each) " by " (first.tests_each)
                    " tests, in the order of their names, and its colour for the share of their pairs that was tried."
                } @else {
                    "Each square stands for a pair of tests, in the order of their names."
                }
                @if outline.collected.suite.is_sorted() && !outline.axes.ignore_rank { " Orders that the suite's plugins do not admit are not tried." }
            }
            div.maps {
                @for (at, (name, map)) in maps.iter().enumerate() { (heat::map(&format!("heat-{at}"), name, map)) }
            }
            (heat::legend())
        }
    }
}
