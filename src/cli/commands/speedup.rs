//! `jostle speedup`: what several workers gain, and what limits it.

use crate::cli::ExitCode;
use crate::cli::args::SpeedupArgs;
use crate::cli::commands::page;
use crate::cli::commands::suite_run::{bare_engine, write_json};
use crate::cli::speedup_options::SpeedupOptions;
use crate::cli::values::UsageError;
use crate::plan::Configuration;
use crate::record::SpeedupBaseline;
use crate::report::page::speedup::page as page_of;
use crate::report::progress::RunProgress;
use crate::report::speedup::{Against, Speedup, speedup, xdist};
use crate::report::speedup_document::SpeedupDocument;
use crate::run::Engine;
use crate::run::engine::Collect;
use crate::run::process::python;
use crate::session::speedup::{Measurements, measure};
use crate::speedup::compare::compare;
use crate::speedup::summarise;
use crate::trial::Collected;

/// Runs the command.
///
/// # Errors
/// The options are wrong, pytest or pytest-xdist cannot be run, or the results cannot be written.
pub fn run(args: &SpeedupArgs) -> anyhow::Result<ExitCode> {
    let options = SpeedupOptions::new(args)?;
    let mut engine = bare_engine(&options.suite)?;
    let runs = options.configurations.len() as u64 * u64::from(options.rounds) + 1;
    let mut progress = RunProgress::new(runs, options.suite.progress);
    let collected = engine.collect(Collect::kept(0))?;
    check_xdist(&options, &collected)?;
    let suite = &collected.suite;
    let measured = match suite.tests.len() {
        0 => Measurements::default(),
        _ => measure(&mut engine, suite, &options.configurations, options.rounds, &mut |next| {
            progress.starts(next);
        })?,
    };
    drop(progress);
    let summary = summarise(suite, options.cores, &measured.warm_up, &measured.runs);
    let against = options.baseline.as_ref().map(|(path, baseline)| Against {
        path: path.clone(),
        compared: compare(&baseline.times(), &summary.rows),
        other: baseline.other_circumstances(suite, &collected.interpreter, options.cores),
    });
    let interrupted = measured.interrupted;
    let report = Speedup { collected, summary, rounds: options.rounds, interrupted, against };
    report_all(&options, &report)
}

/// Writes the results to where they are wanted.
fn report_all(options: &SpeedupOptions, report: &Speedup) -> anyhow::Result<ExitCode> {
    let suite = &report.collected.suite;
    let code = match (suite.errors.is_empty(), suite.tests.is_empty()) {
        _ if report.interrupted => ExitCode::Interrupted,
        (false, _) => ExitCode::Unjudged,
        (true, true) => ExitCode::NothingCollected,
        (true, false) => ExitCode::Clean,
    };
    page::write(options.html.as_deref(), &options.suite.folder, |about| page_of(report, about))?;
    if !write_json(options.suite.json.as_ref(), &SpeedupDocument::new(report, code as u8))? {
        speedup(&mut anstream::stdout(), report, options.suite.verbosity)?;
    }
    if let Some(path) = &options.save {
        let baseline = SpeedupBaseline::new(suite, &report.collected.interpreter, &report.summary);
        baseline.write(path).map_err(|error| UsageError(error.to_string()))?;
        anstream::eprintln!("wrote {}", path.display());
    }
    Ok(code)
}

/// Several workers need pytest-xdist.
fn check_xdist(options: &SpeedupOptions, collected: &Collected) -> Result<(), UsageError> {
    let needed = options.configurations.iter().any(|&one| one != Configuration::REFERENCE);
    if !needed || xdist(collected).is_some() {
        return Ok(());
    }
    let python = python::find(options.suite.python.as_deref(), &options.suite.folder)
        .map_or_else(|error| error.to_string(), |python| python.path.display().to_string());
    Err(UsageError(format!(
        "several workers need pytest-xdist, and pytest does not load it in {python}. Install it there \
         ({python} -m pip install pytest-xdist), remove a `-p no:xdist` from the suite's options, or give the Python of \
         another environment with --python PATH"
    )))
}
