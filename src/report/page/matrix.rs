//! Tests by trials: a table of those that failed, which needs no script, and the data of all for the script to draw.

use std::collections::BTreeMap;

use data_encoding::BASE64;
use maud::{Markup, PreEscaped, html};
use serde::Serialize;

use crate::report::page::packed::{ALL, Shown, shown};
use crate::report::page::trials::{How, Kept, Trials};
use crate::report::words;
use crate::report::words::cut;
use crate::session::SessionResult;
use crate::suite::{Suite, TestIndex};

/// Tests and trials that the table has at most.
const ROWS: usize = 40;
const COLUMNS: usize = 60;

/// Characters of a column's heading at most.
const HEADING: usize = 22;

/// Failures that are listed one by one.
const LISTED: usize = 100;

/// Bytes for the names of tests.
const NAMES_BYTES: usize = 600_000;

/// What the script draws.
#[derive(Serialize)]
struct Data {
    /// Each test's name: how many characters it shares with the one before, and the rest. Fewer than there are if there is no room.
    names: Vec<(usize, String)>,
    tests: usize,
    outcomes: [&'static str; 7],
    trials: Vec<TrialData>,
}

#[derive(Serialize)]
struct TrialData {
    name: String,
    how: String,
    row: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<String>,
}

/// Writes the section.
pub(super) fn section(outline: &SessionResult, trials: &Trials) -> Markup {
    let suite = &outline.collected.suite;
    let kept = trials.kept(suite.tests.len());
    html! {
        @if trials.left_out > 0 {
            p { "The first " (words::count(kept.len(), "run")) " of the whole suite are shown; " (trials.left_out) " more had no room here." }
        }
        (chart())
        (table(suite, &kept, trials))
        (failures(suite, &kept, trials))
        script type="application/json" id="data" { (PreEscaped(data(suite, &kept))) }
    }
}

/// Where the script draws.
fn chart() -> Markup {
    html! {
        div #drawn hidden {
            h3 { "Tests on workers" }
            p { "Each worker's tests from left to right, as wide as they took. The time between tests is not known and not shown." }
            div.controls {
                label for="trial" { "Run " } select #trial {}
                button type="button" data-move="in" { "Zoom in" }
                button type="button" data-move="out" { "Zoom out" }
                button type="button" data-move="left" { "Earlier" }
                button type="button" data-move="right" { "Later" }
                button type="button" data-move="next" { "Next failure" }
            }
            canvas #gantt role="img" aria-label="Tests on workers over time" {}
            p.status #gantt-status role="status" {}
            h3 { "All tests by all runs" }
            p { "One column for each run, one row for each test, or for several where they are many: a failure of one of them is shown then." }
            canvas #matrix role="img" aria-label="What each test came to in each run" {}
            p.status #matrix-status role="status" {}
            ul.legend {
                @for shown in ALL { li { span class={ "key shown" (shown as u8) } aria-hidden="true" {} (shown.name()) } }
            }
        }
    }
}

/// The tests that failed at times, by runs.
fn table(suite: &Suite, kept: &[Kept], trials: &Trials) -> Markup {
    let mut failed: BTreeMap<TestIndex, usize> = BTreeMap::new();
    trials.failures.iter().for_each(|failure| *failed.entry(failure.test).or_default() += 1);
    let mut worst: Vec<(TestIndex, usize)> = failed.into_iter().collect();
    worst.sort_by_key(|&(test, times)| (std::cmp::Reverse(times), test));
    let columns = &kept[..kept.len().min(COLUMNS)];
    let rows: Vec<Vec<Shown>> = columns.iter().map(|column| shown(&column.row)).collect();
    let of = |column: &Vec<Shown>, test: TestIndex| column.get(test.get()).copied().unwrap_or_default();
    html! {
        @if !worst.is_empty() {
            h3 { "Tests that failed, by runs" }
            ul.legend { @for shown in ALL { @if shown != Shown::NotRun { li { b { (shown.letter()) } " " (shown.name()) } } } }
            p {
                "An empty square: not run. "
                @if worst.len() > ROWS { "The " (ROWS) " that failed most of " (worst.len()) " are listed. " }
                @if kept.len() > COLUMNS { "Of " (kept.len()) " runs the first " (COLUMNS) " are." }
            }
            div.scroll tabindex="0" role="region" aria-label="Tests that failed, by runs" {
                table.matrix {
                    thead { tr {
                        th scope="col" { "Test" }
                        @for column in columns { th scope="col" { span { (cut(&words::origin(column.origin), HEADING)) } } }
                    } }
                    tbody {
                        @for &(test, _) in worst.iter().take(ROWS) {
                            tr {
                                th scope="row" { code { (suite.test(test).id) } }
                                @for column in &rows {
                                    @let shown = of(column, test);
                                    td class={ "shown" (shown as u8) } { (shown.letter()) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn failures(suite: &Suite, kept: &[Kept], trials: &Trials) -> Markup {
    let all = &trials.failures;
    html! {
        @if !all.is_empty() {
            details {
                summary { "Failures in runs, one by one" }
                @if all.len() > LISTED {
                    p { "The first " (LISTED) " of " (all.len()) @if trials.has_more_failures() { " or more" } "." }
                }
                ul {
                    @for failure in all.iter().take(LISTED) {
                        li {
                            @if let Some(kept) = kept.get(failure.trial) { (words::origin(kept.origin)) }
                            ", gw" (failure.worker) ": " code { (suite.test(failure.test).id) } " " (failure.shown.name())
                        }
                    }
                }
            }
        }
    }
}

fn data(suite: &Suite, kept: &[Kept]) -> String {
    let trials = kept.iter().map(|trial| TrialData {
        name: words::origin(trial.origin),
        how: trial.how.map_or_else(String::new, how),
        row: BASE64.encode(&trial.row),
        runs: trial.runs.as_ref().map(|runs| BASE64.encode(runs)),
    });
    let data = Data {
        names: names(suite.tests.iter().map(|test| test.id.to_string())),
        tests: suite.tests.len(),
        outcomes: ALL.map(Shown::name),
        trials: trials.collect(),
    };
    // In a script element nothing but its end has a meaning, and a text of JSON may hold any character by its number.
    serde_json::to_string(&data).unwrap_or_default().replace('<', "\\u003c").replace('>', "\\u003e")
}

fn how(how: How) -> String {
    let hash_seed = how.hash_seed;
    format!(
        "{} order, mode {}, {}, PYTHONHASHSEED={hash_seed}, {:.1} s, {} failed",
        how.order.name(),
        how.mode.name(),
        words::count(how.workers, "worker"),
        how.time.as_secs_f64(),
        how.failed
    )
}

/// The names, each without what it shares with the one before.
fn names(all: impl Iterator<Item = String>) -> Vec<(usize, String)> {
    let (mut before, mut room) = (Vec::new(), NAMES_BYTES);
    let mut names = Vec::new();
    for name in all {
        // The script counts in UTF-16.
        let now: Vec<u16> = name.encode_utf16().collect();
        let shared = before.iter().zip(&now).take_while(|(one, other)| one == other).count();
        let whole = !shared_ends_in_a_pair(&now, shared);
        let shared = if whole { shared } else { shared - 1 };
        let rest = String::from_utf16_lossy(&now[shared..]);
        // Quotes, a comma, brackets and the number; what JSON and this page escape takes up to six characters.
        let needed =
            10 + rest.chars().map(|letter| if letter.is_ascii_alphanumeric() { 1 } else { 6 }).sum::<usize>();
        let Some(left) = room.checked_sub(needed) else { break };
        room = left;
        names.push((shared, rest));
        before = now;
    }
    names
}

/// Whether a text of UTF-16 is cut there within a character.
fn shared_ends_in_a_pair(text: &[u16], at: usize) -> bool {
    at > 0 && (0xD800..0xDC00).contains(&text[at - 1]) && at < text.len()
}
