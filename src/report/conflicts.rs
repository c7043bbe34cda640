//! Conflicts: a table for people, and JSON for programs.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::formats::CONFLICTS;
use crate::plan::schedule::Resource;
use crate::race::conflicts::Conflict;
use crate::race::operation::Operation;
use crate::report::document::SuiteSummary;
use crate::report::{Verbosity, words};
use crate::suite::{Suite, TestId};
use crate::trial::Collected;

/// How many tests of a resource are listed before they are only counted.
const LISTED: usize = 6;

const NAME: Style = AnsiColor::Yellow.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// The conflicts of a suite.
#[derive(Debug, Serialize)]
pub(crate) struct ConflictsDocument {
    schema: &'static str,
    suite: SuiteSummary,
    conflicts: Vec<ConflictDocument>,
}

#[derive(Debug, Serialize)]
struct ConflictDocument {
    resource: Resource,
    pairs: usize,
    tests: Vec<UseDocument>,
}

#[derive(Debug, Serialize)]
struct UseDocument {
    #[serde(flatten)]
    test: TestId,
    writes: bool,
    calls: Vec<CallDocument>,
}

#[derive(Debug, Serialize)]
struct CallDocument {
    call: Operation,
    writes: bool,
    at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

impl ConflictsDocument {
    /// What is told of the conflicts of a collected suite.
    pub(crate) fn new(collected: &Collected, conflicts: &[Conflict]) -> Self {
        let calls = |calls: &BTreeSet<crate::race::Call>| {
            let call = |call: &crate::race::Call| CallDocument {
                call: call.operation,
                writes: call.writes,
                at: call.at.clone(),
                by: call.by.clone(),
            };
            calls.iter().map(call).collect()
        };
        let conflict = |conflict: &Conflict| ConflictDocument {
            resource: conflict.resource.clone(),
            pairs: conflict.pairs(),
            tests: conflict
                .uses
                .iter()
                .map(|(&test, used)| UseDocument {
                    test: collected.suite.test(test).id.clone(),
                    writes: used.iter().any(|call| call.writes),
                    calls: calls(used),
                })
                .collect(),
        };
        Self {
            schema: CONFLICTS,
            suite: SuiteSummary::new(collected),
            conflicts: conflicts.iter().map(conflict).collect(),
        }
    }
}

/// Writes the table.
///
/// # Errors
/// Those of the writer.
pub(crate) fn conflicts(
    out: &mut dyn Write,
    suite: &Suite,
    conflicts: &[Conflict],
    verbosity: Verbosity,
) -> io::Result<()> {
    for conflict in conflicts {
        let pairs = words::count(conflict.pairs(), "pair");
        writeln!(
            out,
            "{NAME}{}{NAME:#}  {} in conflict, {pairs}",
            conflict.resource,
            words::count(conflict.uses.len(), "test")
        )?;
        let listed = if verbosity == Verbosity::Verbose { conflict.uses.len() } else { LISTED };
        for (&test, calls) in conflict.uses.iter().take(listed) {
            writeln!(out, "  {}", suite.test(test).id)?;
            for call in calls {
                writeln!(out, "    {:<18} {DIM}{}{DIM:#}", call.operation, call.place())?;
            }
        }
        if conflict.uses.len() > listed {
            writeln!(out, "  … and {} more (-v lists all)", conflict.uses.len() - listed)?;
        }
        writeln!(out)?;
    }
    if conflicts.is_empty() {
        return writeln!(out, "{}", conclusion(suite, conflicts));
    }
    if verbosity > Verbosity::Quiet {
        writeln!(out, "{}. `jostle stress` tries whether they do", conclusion(suite, conflicts))?;
    }
    Ok(())
}

/// What was found, in one line.
pub(super) fn conclusion(suite: &Suite, conflicts: &[Conflict]) -> String {
    match (suite.tests.len(), conflicts.len()) {
        (0, _) => "no test was collected".into(),
        (tests, 0) => format!(
            "{}: none touches a file, a database or a port that another changes, but for those that each worker has of \
             its own",
            words::count(tests, "test")
        ),
        (_, found) => format!(
            "{} in conflict: tests that may disturb each other on two workers",
            words::count(found, "resource")
        ),
    }
}
