//! Rates with their intervals, side by side: of the nights of a history, or of the stages of a verification.

use maud::{Markup, html};

/// A rate, with the interval that it is in.
pub(super) struct Bar {
    /// What stands below it.
    pub(super) label: String,
    /// What it is, in words.
    pub(super) told: String,
    /// Between 0 and 1, the lower bound first.
    pub(super) interval: (f64, f64),
    /// What was seen; nothing where a bound alone is told.
    pub(super) rate: Option<f64>,
}

const LEFT: f64 = 52.0;
const TOP: f64 = 12.0;
const HEIGHT: f64 = 130.0;
/// The drawing's width, and that of a bar at most.
const WIDTH: f64 = 900.0;
const STEP: f64 = 120.0;
/// Between labels, so that none is over another.
const APART: f64 = 110.0;
/// Highest rates that an axis ends with.
const ENDS: [f64; 7] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];

/// Draws them, with a line at a rate if one is given.
pub(super) fn chart(id: &str, name: &str, bars: &[Bar], line: Option<f64>) -> Markup {
    let highest = bars.iter().map(|bar| bar.interval.1).chain(line).fold(0.0, f64::max);
    let end = ENDS.into_iter().find(|end| highest <= *end).unwrap_or(1.0);
    let step = ((WIDTH - LEFT) / bars.len().max(1) as f64).min(STEP);
    let every = (APART / step).ceil().max(1.0) as usize;
    let width = LEFT + step * bars.len() as f64;
    let y = |rate: f64| TOP + HEIGHT * (1.0 - rate / end);
    let at = |rate: f64| format!("{:.1}", y(rate));
    let middle = |number: usize| LEFT + step * (number as f64 + 0.5);
    html! {
        svg.chart viewBox=(format!("0 0 {width:.0} 172")) width=(format!("{width:.0}")) role="img" aria-labelledby=(id) {
            title id=(id) { (name) }
            @for share in [0.0, 0.5, 1.0] {
                path.grid d=(format!("M{LEFT} {}H{width:.0}", at(share * end))) {}
                text.head x=(LEFT - 6.0) y=(format!("{:.1}", y(share * end) + 4.0)) text-anchor="end" { (percent(share * end)) }
            }
            @if let Some(line) = line { path.limit d=(format!("M{LEFT} {}H{width:.0}", at(line))) {} }
            @for (number, bar) in bars.iter().enumerate() {
                @let x = format!("{:.1}", middle(number));
                g {
                    title { (bar.told) }
                    path.interval d=(format!("M{x} {}V{}", at(bar.interval.0), at(bar.interval.1))) {}
                    @if let Some(rate) = bar.rate { circle.seen cx=(x) cy=(at(rate)) r="4" {} }
                }
                @if number % every == 0 {
                    text.head x=(x) y="160" text-anchor=(if step < APART { "start" } else { "middle" }) { (bar.label) }
                }
            }
        }
    }
}

/// `12 %`, `0.5 %`.
fn percent(rate: f64) -> String {
    let rounded = (rate * 1000.0).round() / 10.0;
    format!("{rounded} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_ends_above_the_highest_bound() {
        let drawn = |high: f64, line| {
            let bar = Bar { label: "a".into(), told: "<b>".into(), interval: (0.0, high), rate: Some(0.0) };
            chart("x", "y", &[bar], line).into_string()
        };
        assert!(drawn(0.04, None).contains(">5 %</text>"), "{}", drawn(0.04, None));
        assert!(drawn(0.04, Some(0.3)).contains(">50 %</text>"));
        assert!(drawn(0.01, None).contains(">0.5 %</text>"));
        // What is seen at the end of the axis is at the top, and nothing is below its foot.
        assert!(drawn(1.0, None).contains("d=\"M112.0 142.0V12.0\""), "{}", drawn(1.0, None));
        assert!(drawn(1.0, None).contains("&lt;b&gt;"));
    }
}
