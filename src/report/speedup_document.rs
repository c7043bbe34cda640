//! `jostle speedup --json`. Its shape is fixed by `speedup.schema.json` beside this file.

use serde::Serialize;

use crate::formats::SPEEDUP;
use crate::plan::Configuration;
use crate::report::document::{CauseGroup, SuiteSummary, cause_groups};
use crate::report::speedup::{Speedup, xdist};
use crate::speedup::Row;
use crate::speedup::limits::{Limit, Parts, Unit};
use crate::speedup::outcomes::Difference;
use crate::speedup::statistics::{Change, Estimate};
use crate::suite::{Suite, TestId};
use crate::trial::Verdict;

/// The document.
#[derive(Debug, Serialize)]
pub(crate) struct SpeedupDocument {
    schema: &'static str,
    jostle: &'static str,
    suite: SuiteSummary,
    xdist: Option<String>,
    collection_errors: Vec<CauseGroup>,
    cores: u32,
    rounds: u32,
    total: f64,
    start_up: f64,
    configurations: Vec<ConfigurationDocument>,
    fastest: Option<Configuration>,
    stops_paying: Option<Configuration>,
    failing: usize,
    unsteady: Vec<TestId>,
    baseline: Option<BaselineDocument>,
    interrupted: bool,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct ConfigurationDocument {
    #[serde(flatten)]
    configuration: Configuration,
    seconds: Vec<f64>,
    median: Option<f64>,
    spread: Option<f64>,
    speedup: Option<f64>,
    efficiency: Option<f64>,
    bound: f64,
    longest_unit: Option<Unit>,
    parts: Option<Parts>,
    limit: Option<Limit>,
    differing: DifferingDocument,
}

#[derive(Debug, Serialize)]
struct DifferingDocument {
    runs: usize,
    tests: Vec<DifferenceDocument>,
    trouble: Option<String>,
}

#[derive(Debug, Serialize)]
struct DifferenceDocument {
    test: TestId,
    outcome: Option<Verdict>,
    expected: Option<Verdict>,
}

#[derive(Debug, Serialize)]
struct BaselineDocument {
    file: String,
    circumstances: Vec<String>,
    compared: Vec<ComparedDocument>,
}

#[derive(Debug, Serialize)]
struct ComparedDocument {
    #[serde(flatten)]
    configuration: Configuration,
    before: Estimate,
    now: Estimate,
    ratio: f64,
    change: Change,
}

impl SpeedupDocument {
    /// The document of a measurement that ends with an exit code.
    pub(crate) fn new(report: &Speedup, exit_code: u8) -> Self {
        let (suite, summary) = (&report.collected.suite, &report.summary);
        Self {
            schema: SPEEDUP,
            jostle: env!("CARGO_PKG_VERSION"),
            suite: SuiteSummary::new(&report.collected),
            xdist: xdist(&report.collected).map(str::to_owned),
            collection_errors: cause_groups(suite),
            cores: summary.cores,
            rounds: report.rounds,
            total: summary.total,
            start_up: summary.start_up,
            configurations: summary.rows.iter().map(|row| ConfigurationDocument::new(row, suite)).collect(),
            fastest: summary.best,
            stops_paying: summary.enough,
            failing: summary.failing,
            unsteady: summary.unsteady.iter().map(|&test| suite.test(test).id.clone()).collect(),
            baseline: baseline(report),
            interrupted: report.interrupted,
            exit_code,
        }
    }
}

impl ConfigurationDocument {
    fn new(row: &Row, suite: &Suite) -> Self {
        let difference = |found: &Difference| DifferenceDocument {
            test: suite.test(found.test).id.clone(),
            outcome: found.seen,
            expected: found.expected,
        };
        Self {
            configuration: row.configuration,
            seconds: row.seconds.clone(),
            median: row.estimate.map(|estimate| estimate.median),
            spread: row.estimate.and_then(|estimate| estimate.spread),
            speedup: row.speedup,
            efficiency: row.efficiency,
            bound: row.bound,
            longest_unit: row.unit.clone(),
            parts: row.parts,
            limit: row.limit,
            differing: DifferingDocument {
                runs: row.differing.runs,
                tests: row.differing.differences.iter().map(difference).collect(),
                trouble: row.differing.trouble.clone(),
            },
        }
    }
}

fn baseline(report: &Speedup) -> Option<BaselineDocument> {
    let against = report.against.as_ref()?;
    let compared = against.compared.iter().map(|compared| ComparedDocument {
        configuration: compared.configuration,
        before: compared.before,
        now: compared.now,
        ratio: compared.ratio,
        change: compared.change,
    });
    Some(BaselineDocument {
        file: against.path.display().to_string(),
        circumstances: against.other.clone(),
        compared: compared.collect(),
    })
}
