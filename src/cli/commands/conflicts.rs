//! `jostle conflicts`: which tests touch what others change.

use crate::cli::ExitCode;
use crate::cli::args::ConflictsArgs;
use crate::cli::commands::page;
use crate::cli::commands::suite_run::{engine, write_json};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::plan::{Axes, Seed};
use crate::report::conflicts::{self, ConflictsDocument};
use crate::report::page::conflicts::page as page_of;
use crate::report::terminal;
use crate::run::engine::Collect;
use crate::session::event::Reporters;
use crate::session::lab::Lab;
use crate::session::race::recording;

/// Runs the command.
///
/// # Errors
/// The options are wrong or pytest cannot be run.
pub fn run(args: &ConflictsArgs) -> anyhow::Result<ExitCode> {
    let options = SuiteOptions::choosing(&args.suite, &args.chosen)?;
    let html = args.page.place()?;
    let mut engine = engine(&options, &IsolationOptions::new(&args.isolation, &options)?)?;
    let seed = Seed(0);
    let hash_seed = Axes::default().hash_seed_values(seed)[0];
    let collected = engine.collect(Collect::kept(hash_seed))?;
    let suite = &collected.suite;
    let found = if suite.tests.is_empty() {
        Vec::new()
    } else {
        // Two runs of the suite: nothing to tell meanwhile.
        let mut nobody = Reporters::default();
        recording::record(&mut Lab::new(suite, &mut *engine, &mut nobody, None), seed, hash_seed, None)?
            .conflicts
    };
    page::write(html.as_deref(), &options.folder, |about| page_of(&collected, &found, about))?;
    if !write_json(options.json.as_ref(), &ConflictsDocument::new(&collected, &found))? {
        let mut out = anstream::stdout();
        terminal::collection_errors(&mut out, suite, options.verbosity)?;
        conflicts::conflicts(&mut out, suite, &found, options.verbosity)?;
    }
    Ok(match (suite.errors.is_empty(), suite.tests.is_empty()) {
        (false, _) => ExitCode::Unjudged,
        (true, true) => ExitCode::NothingCollected,
        (true, false) => ExitCode::Clean,
    })
}
