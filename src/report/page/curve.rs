//! Speedups by numbers of workers, a line for each mode, with what no run can exceed.

use maud::{Markup, html};

/// What was measured with so many workers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    /// How many workers.
    pub(super) workers: f64,
    /// How many times as fast as one worker; nothing if it did not do the same.
    pub(super) speedup: Option<f64>,
    /// The speedups that the spreads of both medians allow, the lower first.
    pub(super) spread: Option<(f64, f64)>,
    /// What no run exceeds.
    pub(super) most: f64,
}

/// A line, with its name and its points in the order of their workers.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<Point>,
}

const LEFT: f64 = 46.0;
const RIGHT: f64 = 714.0;
const TOP: f64 = 12.0;
const FOOT: f64 = 292.0;

/// Draws lines, of which there are colours for six, and the legend.
pub(super) fn chart(id: &str, name: &str, lines: &[Line]) -> Markup {
    let all = || lines.iter().flat_map(|line| &line.points);
    let widest = all().map(|point| point.workers).fold(2.0, f64::max);
    let reached = |point: &Point| {
        point.most.max(point.spread.map_or(0.0, |spread| spread.1)).max(point.speedup.unwrap_or_default())
    };
    let highest = all().map(reached).fold(1.0, f64::max).min(widest * 1.5).max(1.0);
    let x = |workers: f64| LEFT + (RIGHT - LEFT) * (workers - 1.0) / (widest - 1.0);
    let y = |speedup: f64| FOOT - (FOOT - TOP) * (speedup.min(highest) / highest);
    let path = |points: Vec<(f64, f64)>| {
        let steps = points.iter().enumerate().map(|(at, &(workers, speedup))| {
            format!("{}{:.1} {:.1}", if at == 0 { "M" } else { "L" }, x(workers), y(speedup))
        });
        steps.collect::<String>()
    };
    let mut counts: Vec<u64> = all().map(|point| point.workers as u64).collect();
    counts.sort_unstable();
    counts.dedup();
    let step = (highest / 6.0).ceil().max(1.0) as usize;
    html! {
        div.wide {
            svg.chart viewBox="0 0 730 330" width="730" role="img" aria-labelledby=(id) {
                title id=(id) { (name) }
                @for speedup in (0..=highest as usize).step_by(step) {
                    path.grid d=(format!("M{LEFT} {:.1}H{RIGHT}", y(speedup as f64))) {}
                    text.head x=(LEFT - 8.0) y=(format!("{:.1}", y(speedup as f64) + 4.0)) text-anchor="end" { (speedup) "×" }
                }
                @for &count in &counts {
                    text.head x=(format!("{:.1}", x(count as f64))) y=(FOOT + 18.0) text-anchor="middle" { (count) }
                }
                text.head x=(RIGHT) y=(FOOT + 34.0) text-anchor="end" { "workers" }
                path.ideal d=(path(vec![(1.0, 1.0), (widest.min(highest), widest.min(highest))])) {}
                @for (number, line) in lines.iter().enumerate() {
                    @let measured = line.points.iter().filter_map(|point| Some((point.workers, point.speedup?)));
                    g class={ "line" (number % 6) } {
                        path.most d=(path(line.points.iter().map(|point| (point.workers, point.most)).collect())) {}
                        path.measured d=(path(measured.clone().collect())) {}
                        @for point in &line.points {
                            @if let Some((low, high)) = point.spread {
                                path.measured d=(path(vec![(point.workers, low), (point.workers, high)])) {}
                            }
                            @if let Some(speedup) = point.speedup {
                                circle cx=(format!("{:.1}", x(point.workers))) cy=(format!("{:.1}", y(speedup))) r="4" {
                                    title { (line.name) ": " (format!("{speedup:.2}")) }
                                }
                            }
                        }
                    }
                }
            }
        }
        ul.legend {
            @for (number, line) in lines.iter().enumerate() {
                li { svg.swatch viewBox="0 0 1 1" aria-hidden="true" { g class={ "line" (number % 6) } { circle cx=".5" cy=".5" r=".5" {} } } (line.name) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_do_the_same_has_a_bound_and_no_point() {
        let point = |workers, speedup| Point { workers, speedup, spread: None, most: workers };
        let line = Line {
            name: "load",
            points: vec![point(1.0, Some(1.0)), point(2.0, None), point(4.0, Some(3.0))],
        };
        let drawn = chart("x", "y", &[line]).into_string();
        assert_eq!(drawn.matches("r=\"4\"").count(), 2, "{drawn}");
        assert!(drawn.contains("class=\"most\" d=\"M46.0 222.0L268.7 152.0L714.0 12.0\""), "{drawn}");
        assert!(drawn.contains("class=\"measured\" d=\"M46.0 222.0L714.0 82.0\""), "{drawn}");
        assert!(!chart("x", "y", &[]).into_string().contains("NaN"));
    }
}
