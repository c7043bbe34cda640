//! The page of `jostle speedup`: what several workers gain, as a curve with what no run exceeds.

use maud::{Markup, html};

use crate::plan::{Configuration, Mode};
use crate::report::page::curve::{Line, Point, chart};
use crate::report::page::frame::{About, Part, figures, framed, table};
use crate::report::speedup::{HEAD, MEANING, Speedup, cells, conclusion, plain};
use crate::report::terminal;
use crate::speedup::Row;

/// The page.
pub(crate) fn page(report: &Speedup, about: &About) -> String {
    let summary = &report.summary;
    let mut parts = Vec::new();
    if !summary.rows.is_empty() {
        let chart = chart("curve", "Speedup by numbers of workers", &lines(report));
        let curve = html! {
            (chart)
            p { "Points are medians with their spreads, and the solid line joins them." }
            p { "Dashed, in the colour of its mode: what no run exceeds, whatever the cores. Dotted: a speedup of one for each worker." }
        };
        parts.push(Part::new("speedup", "Speedup", curve));
        let rows = html! { @for row in &summary.rows { (of_row(row, summary.cores)) } };
        let all = html! { (table("Measured", &HEAD, &rows)) p { (MEANING) } };
        parts.push(Part::new("measured", "Measured", all));
    }
    let text = html! {
        (figures(&[
            ("tests", report.collected.suite.tests.len().to_string()),
            ("run by", terminal::interpreter(&report.collected)),
            ("cores", summary.cores.to_string()),
            ("rounds", report.rounds.to_string()),
            ("all tests on one worker", format!("{:.2} s", summary.total)),
        ]))
        pre tabindex="0" role="region" aria-label="The report's text" { (plain(report)) }
    };
    parts.push(Part::new("text", "The report's text", text));
    framed(about, &conclusion(report), &parts)
}

fn of_row(row: &Row, cores: u32) -> Markup {
    html! { tr { @for cell in cells(row, cores) { td { (cell) } } } }
}

/// A line for each mode. All begin with the run on one worker.
fn lines(report: &Speedup) -> Vec<Line> {
    let rows = &report.summary.rows;
    let one = rows.iter().find(|row| row.configuration == Configuration::REFERENCE);
    let mut modes: Vec<Mode> = Vec::new();
    for mode in rows.iter().map(|row| row.configuration.mode).filter(|&mode| mode != Mode::No) {
        if !modes.contains(&mode) {
            modes.push(mode);
        }
    }
    let line = |mode: Mode| {
        let own = rows.iter().filter(move |row| row.configuration.mode == mode);
        let mut points: Vec<Point> = one.into_iter().chain(own).filter_map(|row| point(row, one?)).collect();
        points.sort_by(|one, other| one.workers.total_cmp(&other.workers));
        Line { name: mode.name(), points }
    };
    modes.into_iter().map(line).collect()
}

/// A row, compared with that of one worker.
fn point(row: &Row, one: &Row) -> Option<Point> {
    let reference = one.estimate?;
    let spread = row.speedup.and(row.estimate).and_then(|estimate| {
        let (own, other) = (estimate.spread?, reference.spread?);
        let slow = (reference.median - other).max(0.0) / (estimate.median + own);
        let fast = (reference.median + other) / (estimate.median - own);
        (estimate.median > own).then_some((slow, fast))
    });
    Some(Point {
        workers: f64::from(row.configuration.workers),
        speedup: row.speedup,
        // One worker is what all is compared with.
        spread: spread.filter(|_| row.configuration != one.configuration),
        most: if row.bound > 0.0 {
            reference.median / row.bound
        } else {
            f64::from(row.configuration.workers)
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::speedup;

    #[test]
    fn a_speedup_is_drawn_with_its_bound_and_told_as_in_the_report() {
        let report = speedup();
        let lines = lines(&report);
        assert_eq!(lines.iter().map(|line| line.name).collect::<Vec<_>>(), ["load", "loadscope"]);
        let point = lines[0].points[1];
        assert_eq!((point.workers, point.speedup), (2.0, Some(1.6)));
        let (low, high) = point.spread.expect("it was run more than once");
        assert!(low < 1.6 && 1.6 < high && point.most >= 1.6, "{point:?}");
        assert_eq!(lines[1].points[1].speedup, None, "its runs did something else");
        let page = page(&report, &About::default());
        for words in
            ["<title>jostle: fastest with 2 workers (load): 1.60 times", "id=\"curve\"", "differ, see below"]
        {
            assert!(page.contains(words), "{words}: {page}");
        }
        let mut nothing = report;
        nothing.collected.suite.tests.clear();
        nothing.summary.rows.clear();
        assert!(super::page(&nothing, &About::default()).contains("<h1>no test was collected</h1>"));
    }
}
