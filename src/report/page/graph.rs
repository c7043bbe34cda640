//! Who changes a place of shared state, who fails for it and who resets it, as a small drawing.

use std::collections::BTreeSet;

use maud::{Markup, html};

use crate::finding::{Finding, Kind};
use crate::report::words;
use crate::report::words::cut;
use crate::suite::{Suite, TestIndex};

/// Boxes of one column at most.
const MOST: usize = 6;

const WIDTH: usize = 960;
const BOX: usize = 290;
const MIDDLE: usize = 335;
const RIGHT: usize = WIDTH - BOX;
const STEP: usize = 44;
const HIGH: usize = 32;
const TOP: usize = 26;

/// Characters that a box has room for.
const FITS: usize = 36;

/// A box's text, whole.
type Names = Vec<String>;

/// What is drawn.
struct Drawn {
    /// What the left ones are.
    left_is: &'static str,
    left: Names,
    /// What the middle holds.
    what: &'static str,
    middle: Names,
    is_known: bool,
    /// What the right ones are.
    right_is: &'static str,
    right: Names,
    cleaners: Names,
}

/// Draws a finding that has others to do with it; nothing of one that has none.
pub(super) fn graph(number: usize, finding: &Finding, suite: &Suite) -> Option<Markup> {
    let drawn = drawn(finding, suite)?;
    let Drawn { left, middle, is_known, right, cleaners, .. } = &drawn;
    let below = middle.len().min(MOST) + 1;
    let rows = shown(left)
        .max(shown(right))
        .max(below - 1 + if cleaners.is_empty() { 0 } else { shown(cleaners) + 1 });
    let height = TOP + rows * STEP;
    let label = format!("graph-{number}");
    let middle_y = |at: usize| TOP + at * STEP;
    let centre = middle_y(0) + (middle.len().min(MOST) * STEP - (STEP - HIGH)) / 2;
    Some(html! {
        svg.graph viewBox={ "-1 0 " (WIDTH + 2) " " (height) } role="img" aria-labelledby=(label) {
            title id=(label) { (in_words(&drawn)) }
            text.head x="0" y="14" { (drawn.left_is) }
            text.head x=(MIDDLE) y="14" { (drawn.what) }
            text.head x=(RIGHT) y="14" { (drawn.right_is) }
            @for at in 0..shown(left) {
                (edge(BOX, TOP + at * STEP + HIGH / 2, MIDDLE, centre))
            }
            @for at in 0..shown(right) {
                (edge(MIDDLE + BOX, centre, RIGHT, TOP + at * STEP + HIGH / 2))
            }
            (column(0, TOP, left, "polluter"))
            (column(MIDDLE, TOP, middle, if *is_known { "place" } else { "place unknown" }))
            (column(RIGHT, TOP, right, "victim"))
            @if !cleaners.is_empty() {
                text.head x=(MIDDLE) y=(middle_y(below - 1) + 30) { "cleaner" }
                (column(MIDDLE, middle_y(below), cleaners, "cleaner"))
            }
        }
    })
}

fn shown(names: &Names) -> usize {
    names.len().min(MOST)
}

fn column(x: usize, top: usize, names: &Names, class: &str) -> Markup {
    let more = names.len() > MOST;
    html! {
        @for (at, name) in names.iter().take(MOST).enumerate() {
            @let last = more && at + 1 == MOST;
            @let text = if last { format!("… and {} more", names.len() - at) } else { name.clone() };
            g class=(class) {
                title { (text) }
                rect x=(x) y=(top + at * STEP) width=(BOX) height=(HIGH) rx="5" {}
                text x=(x + 10) y=(top + at * STEP + 21) { (cut(&text, FITS)) }
            }
        }
    }
}

fn edge(x: usize, y: usize, to_x: usize, to_y: usize) -> Markup {
    let (half, tip) = ((x + to_x) / 2, to_x - 7);
    html! {
        path.edge d={ "M" (x) " " (y) "C" (half) " " (y) " " (half) " " (to_y) " " (tip) " " (to_y) } {}
        path.tip d={ "M" (to_x) " " (to_y) "l-8-4v8z" } {}
    }
}

fn in_words(drawn: &Drawn) -> String {
    let named =
        |role: &str, names: &Names| (!names.is_empty()).then(|| format!("{role}: {}", names.join(", ")));
    let parts = [
        named(drawn.left_is, &drawn.left),
        named(drawn.what, &drawn.middle),
        named(drawn.right_is, &drawn.right),
        named("cleaner", &drawn.cleaners),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn drawn(finding: &Finding, suite: &Suite) -> Option<Drawn> {
    let id = |test: &TestIndex| suite.test(*test).id.to_string();
    let explanation = finding.explanation.as_ref().filter(|explanation| explanation.confirmed);
    let related = explanation.map(|explanation| &explanation.related_tests);
    let (tests, imports) = finding.causes();
    let polluters = tests.iter().chain(related.iter().flat_map(|related| &related.polluters)).copied();
    let victims =
        related.iter().flat_map(|related| related.all_victims()).chain(&finding.same_polluter.victims);
    let victims =
        finding.test.into_iter().chain(finding.also.iter().copied()).chain(victims.map(|victim| victim.test));
    let left: Names = once(polluters)
        .iter()
        .map(id)
        .chain(imports.iter().map(|file| format!("import of {file}")))
        .collect();
    if left.is_empty() && explanation.is_none() {
        return None;
    }
    let middle: Names = match (&finding.trace, explanation) {
        (Some(trace), _) => vec![words::raced_on(trace)],
        (None, Some(explanation)) => explanation.places.iter().map(|place| place.name.clone()).collect(),
        (None, None) => Vec::new(),
    };
    let is_known = !middle.is_empty();
    let right: Names = once(victims).iter().map(id).collect();
    // Of a test that has to do with nobody else it is told which of its runs does what.
    let (left_is, right_is) = match finding.kind {
        Kind::Nio if left == right => ("first run", "second run"),
        kind => (words::role(kind), kind.name()),
    };
    Some(Drawn {
        left_is,
        left,
        what: if finding.trace.is_some() { "race on" } else { "shared state" },
        middle: if is_known { middle } else { vec!["unknown".to_owned()] },
        is_known,
        right_is,
        right,
        cleaners: related.iter().flat_map(|related| &related.cleaners).map(id).collect(),
    })
}

/// Each once, in the order in which they come first.
fn once(tests: impl Iterator<Item = TestIndex>) -> Vec<TestIndex> {
    let mut seen = BTreeSet::new();
    tests.filter(|test| seen.insert(*test)).collect()
}
