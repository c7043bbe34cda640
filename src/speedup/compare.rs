//! Two measurements of a suite: what has changed beyond what the runs of each differ by.

use crate::plan::Configuration;
use crate::speedup::Row;
use crate::speedup::statistics::{Change, Estimate};

/// A configuration then and now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compared {
    /// Which.
    pub(crate) configuration: Configuration,
    /// Then.
    pub(crate) before: Estimate,
    /// Now.
    pub(crate) now: Estimate,
    /// The median now over the median then.
    pub(crate) ratio: f64,
    /// Which way it has gone.
    pub(crate) change: Change,
}

/// Compares the configurations that both measurements have and that did the same as their reference.
pub(crate) fn compare(before: &[(Configuration, Vec<f64>)], rows: &[Row]) -> Vec<Compared> {
    let compared = |row: &Row| {
        let (_, seconds) = before.iter().find(|(configuration, _)| *configuration == row.configuration)?;
        let before = Estimate::of(seconds).filter(|before| before.median > 0.0)?;
        let now = row.estimate.filter(|_| row.differing.runs == 0)?;
        let change = before.change_to(&now);
        Some(Compared {
            configuration: row.configuration,
            before,
            now,
            ratio: now.median / before.median,
            change,
        })
    };
    rows.iter().filter_map(compared).collect()
}
