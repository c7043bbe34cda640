//! `jostle leaks --json`. Its shape is fixed by `leaks.schema.json` beside this file.

use serde::Serialize;

use crate::explain::{Fix, NoFix};
use crate::formats::LEAKS;
use crate::leaks::{Harm, Leak, Pairs};
use crate::report::document::{CauseGroup, SuiteSummary, cause_groups};
use crate::report::leaks::Leaks;
use crate::state::{StateKind, Written};
use crate::suite::{Suite, TestId, TestIndex};

/// What is written.
#[derive(Debug, Serialize)]
pub(crate) struct LeaksDocument<'a> {
    schema: &'static str,
    jostle: &'static str,
    suite: SuiteSummary,
    collection_errors: Vec<CauseGroup>,
    runs: usize,
    allowed: usize,
    unseen: Vec<TestId>,
    not_passed: Vec<TestId>,
    lines_not_sought: usize,
    interrupted: bool,
    leaks: Vec<LeakDocument<'a>>,
    settled: Vec<LeakDocument<'a>>,
    baseline: Option<BaselineDocument>,
    exit_code: u8,
}

#[derive(Debug, Serialize)]
struct LeakDocument<'a> {
    place: &'a str,
    kind: StateKind,
    old: &'a str,
    new: &'a str,
    harm: Harm,
    by: Vec<OwnerDocument>,
    written: Option<&'a Written>,
    readers: Vec<TestId>,
    victims: Vec<TestId>,
    fix: Option<&'a Fix>,
    no_fix: Option<&'a NoFix>,
}

#[derive(Debug, Serialize)]
struct OwnerDocument {
    name: String,
    file: String,
    line: Option<u32>,
    known: bool,
}

#[derive(Debug, Serialize)]
struct BaselineDocument {
    file: String,
    gone: Vec<GoneDocument>,
}

#[derive(Debug, Serialize)]
struct GoneDocument {
    place: String,
    by: String,
}

impl<'a> LeaksDocument<'a> {
    /// The document of a session that ends with an exit code.
    pub(crate) fn new(report: &'a Leaks, exit_code: u8) -> Self {
        let suite = &report.collected.suite;
        let (settled, leaks): (Vec<&Leak>, Vec<&Leak>) = report.leaks.iter().partition(|leak| leak.settled);
        let documents = |leaks: Vec<&'a Leak>| leaks.into_iter().map(|leak| document(report, leak)).collect();
        Self {
            schema: LEAKS,
            jostle: env!("CARGO_PKG_VERSION"),
            suite: SuiteSummary::new(&report.collected),
            collection_errors: cause_groups(suite),
            runs: report.runs,
            allowed: report.allowed,
            unseen: ids(suite, &report.unseen),
            not_passed: ids(suite, &report.not_passed),
            lines_not_sought: Leaks::lines_not_sought(&report.leaks),
            interrupted: report.interrupted,
            leaks: documents(leaks),
            settled: documents(settled),
            baseline: report.against.as_ref().map(|against| BaselineDocument {
                file: against.path.display().to_string(),
                gone: gone(&against.gone),
            }),
            exit_code,
        }
    }
}

fn document<'a>(report: &Leaks, leak: &'a Leak) -> LeakDocument<'a> {
    let suite = &report.collected.suite;
    let owner = |owner| {
        let (file, line) = crate::leaks::Owner::at(owner, suite);
        OwnerDocument {
            name: owner.name(suite),
            file: file.to_owned(),
            line,
            known: report.is_let_pass(leak, owner),
        }
    };
    LeakDocument {
        place: &leak.place,
        kind: leak.kind,
        old: &leak.old,
        new: &leak.new,
        harm: leak.harm(),
        by: leak.owners.iter().map(owner).collect(),
        written: leak.written.as_ref(),
        readers: ids(suite, &leak.readers),
        victims: ids(suite, &leak.victims),
        fix: leak.fix.as_ref().and_then(|fix| fix.as_ref().ok()),
        no_fix: leak.fix.as_ref().and_then(|fix| fix.as_ref().err()),
    }
}

fn ids(suite: &Suite, tests: &[TestIndex]) -> Vec<TestId> {
    tests.iter().map(|&test| suite.test(test).id.clone()).collect()
}

fn gone(pairs: &Pairs) -> Vec<GoneDocument> {
    pairs.iter().map(|(place, by)| GoneDocument { place: place.clone(), by: by.clone() }).collect()
}
