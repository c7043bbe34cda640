//! The pairs of tests that were tried, as a heat map: one path for each level, so that it needs no script and prints.

use maud::{Markup, html};

use crate::plan::coverage::HeatMap;

/// The shares at which a colour begins, with what the legend says of it. The first is of no pair at all.
pub(super) const LEVELS: [(f64, &str); 6] = [
    (0.0, "none"),
    (f64::MIN_POSITIVE, "below 1 %"),
    (0.01, "1 % or more"),
    (0.1, "10 % or more"),
    (0.5, "50 % or more"),
    (1.0, "all"),
];

/// Draws one, with a name.
pub(super) fn map(id: &str, name: &str, heat: &HeatMap) -> Markup {
    let side = heat.cells.len();
    html! {
        figure {
            svg.heat viewBox={ "0 0 " (side) " " (side) } role="img" aria-labelledby=(id) preserveAspectRatio="xMidYMid meet" {
                title id=(id) { (name) }
                @for level in 0..LEVELS.len() {
                    path class={ "level" (level) } d=(path(heat, level)) {}
                }
            }
            figcaption { (name) }
        }
    }
}

/// The legend of all maps.
pub(super) fn legend() -> Markup {
    html! {
        ul.legend {
            @for (level, (_, words)) in LEVELS.iter().enumerate() {
                li { svg.swatch viewBox="0 0 1 1" aria-hidden="true" { path class={ "level" (level) } d="M0 0h1v1h-1z" {} } (words) }
            }
        }
    }
}

fn level(share: f64) -> usize {
    LEVELS.iter().rposition(|(from, _)| share >= *from).unwrap_or(0)
}

/// The squares of a level, those that touch in a row as one.
fn path(heat: &HeatMap, wanted: usize) -> String {
    let mut path = String::new();
    for (y, row) in heat.cells.iter().enumerate() {
        let mut x = 0;
        for same in row.chunk_by(|one, next| one.map(level) == next.map(level)) {
            if same[0].map(level) == Some(wanted) {
                let width = same.len();
                path += &format!("M{x} {y}h{width}v1h-{width}z");
            }
            x += same.len();
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_square_is_in_the_path_of_its_level() {
        let heat = HeatMap {
            cells: vec![vec![Some(0.0), Some(1.0), Some(1.0)], vec![Some(0.3), None, Some(0.005)]],
            tests_each: 1,
        };
        let paths: Vec<String> = (0..LEVELS.len()).map(|level| path(&heat, level)).collect();
        assert_eq!(paths, ["M0 0h1v1h-1z", "M2 1h1v1h-1z", "", "M0 1h1v1h-1z", "", "M1 0h2v1h-2z"]);
    }
}
