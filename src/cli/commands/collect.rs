//! `jostle collect`: triage without running a test.

use serde::Serialize;

use crate::cli::ExitCode;
use crate::cli::args::CollectArgs;
use crate::cli::commands::suite_run::{spawn_engine, write_json};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::formats::COLLECT;
use crate::report::document::{CauseGroup, SuiteSummary, cause_groups};
use crate::report::terminal;
use crate::run::Engine;
use crate::run::engine::Collect;

#[derive(Serialize)]
struct Triage {
    schema: &'static str,
    suite: SuiteSummary,
    collection_errors: Vec<CauseGroup>,
}

/// Runs the command.
///
/// # Errors
/// The options are wrong or pytest cannot be run.
pub fn run(args: &CollectArgs) -> anyhow::Result<ExitCode> {
    let options = SuiteOptions::choosing(&args.suite, &args.chosen)?;
    let collected = spawn_engine(&options, &IsolationOptions::new(&args.isolation, &options)?)?
        .collect(Collect::once(0, 0))?;
    let suite = &collected.suite;
    let triage = Triage {
        schema: COLLECT,
        suite: SuiteSummary::new(&collected),
        collection_errors: cause_groups(suite),
    };
    if !write_json(options.json.as_ref(), &triage)? {
        terminal::collected(&mut anstream::stdout(), &collected, options.verbosity)?;
    }
    Ok(match (suite.errors.is_empty(), suite.tests.is_empty()) {
        (false, _) => ExitCode::Unjudged,
        (true, true) => ExitCode::NothingCollected,
        (true, false) => ExitCode::Clean,
    })
}
