//! `jostle leaks`: what each test leaves changed.

use std::path::Path;

use crate::cli::ExitCode;
use crate::cli::args::{LeaksArgs, LeaksExplainArg};
use crate::cli::commands::ci;
use crate::cli::commands::suite_run::{engine, write_json};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::{SuiteOptions, place_for_fixes};
use crate::cli::values::{UsageError, place_for};
use crate::leaks::{Leak, Owner, gone, is_allowed, is_known, pairs};
use crate::plan::{Axes, Seed};
use crate::record::{LeaksBaseline, fix_files};
use crate::report::leaks::{Against, Leaks, entries, leaks};
use crate::report::leaks_document::LeaksDocument;
use crate::report::progress::LeaksProgress;
use crate::run::RunError;
use crate::run::engine::Collect;
use crate::session::leaks::{LeaksFound, find, fix};

/// Runs the command.
///
/// # Errors
/// The options or the baseline are wrong, pytest cannot be run, or the results cannot be written.
pub fn run(args: &LeaksArgs) -> anyhow::Result<ExitCode> {
    let options = SuiteOptions::choosing(&args.suite, &args.chosen)?;
    let isolation = IsolationOptions::new(&args.isolation, &options)?;
    let places = [
        ("--write-baseline", &args.write_baseline),
        ("--junit", &args.junit),
        ("--code-quality", &args.code_quality),
    ];
    for (option, path) in places {
        path.as_deref().map(|path| place_for(option, path)).transpose()?;
    }
    let write_fix = args.write_fix.as_deref().map(place_for_fixes).transpose()?;
    let explain = args.explain.unwrap_or(LeaksExplainArg::Fix);
    if write_fix.is_some() && explain != LeaksExplainArg::Fix {
        let says = "--write-fix needs --explain fix: leave --explain out, or --write-fix";
        return Err(UsageError(says.into()).into());
    }
    let read = |path: &Path| LeaksBaseline::read(path).map_err(|error| UsageError(error.to_string()));
    let baseline = args.baseline.as_deref().map(|path| Ok::<_, UsageError>((path, read(path)?.pairs())));
    let baseline = baseline.transpose()?;
    let mut engine = engine(&options, &isolation)?;
    let mut progress = LeaksProgress::new(options.progress);
    let hash_seed = Axes::default().hash_seed_values(Seed(0))[0];
    let collected = engine.collect(Collect::kept(hash_seed))?;
    let suite = &collected.suite;
    let found = match suite.tests.len() {
        0 => LeaksFound::default(),
        _ => find(suite, &mut *engine, hash_seed, &mut |step| progress.notice(step))?,
    };
    let allow = options.allowed_leaks();
    let (allowed, mut told): (Vec<_>, Vec<_>) =
        found.leaks.into_iter().partition(|leak| is_allowed(allow, &leak.place));
    let mut interrupted = false;
    if explain == LeaksExplainArg::Fix {
        let known = baseline.as_ref().map(|(_, known)| known);
        let is_new = |leak: &Leak| {
            let is_new = |owner: &Owner| known.is_none_or(|known| !is_known(known, leak, owner, suite));
            leak.owners.iter().any(is_new)
        };
        let of = (suite, collected.interpreter.rootdir.as_str());
        match fix(of, &mut *engine, hash_seed, &mut told, is_new, &mut |step| progress.notice(step)) {
            // What is left behind is all known by then.
            Err(RunError::Interrupted) => interrupted = true,
            tried => tried?,
        }
    }
    drop(progress);
    let now = pairs(&told, suite);
    let against = baseline.map(|(path, known)| {
        let gone = gone(&known, &now, suite);
        Against { path: path.to_owned(), known, gone }
    });
    let allowed = allowed.iter().filter(|leak| !leak.settled).count();
    let report = Leaks {
        leaks: told,
        allowed,
        unseen: found.unseen,
        not_passed: found.not_passed,
        runs: found.runs,
        against,
        interrupted,
        is_written_down: args.write_baseline.is_some(),
        collected,
    };
    if let Some(path) = write_fix {
        write_fixes(&report.leaks, &path)?;
    }
    if let Some(path) = &args.write_baseline {
        LeaksBaseline::new(&now).write(path).map_err(|error| UsageError(error.to_string()))?;
        anstream::eprintln!("wrote {}", path.display());
    }
    report_all(args, &options, &report)
}

/// Writes the fixes that were tried.
fn write_fixes(leaks: &[Leak], path: &Path) -> Result<(), UsageError> {
    let fixes = leaks
        .iter()
        .filter_map(|leak| Some((leak.place.as_str(), leak.fix.as_ref()?.as_ref().ok()?.edits.as_slice())));
    let written = fix_files::write_all(fixes, path).map_err(|error| UsageError(error.to_string()))?;
    if written.fixes == 0 {
        anstream::eprintln!("no fix to write: none was found that holds");
    }
    written.files.iter().for_each(|file| anstream::eprintln!("wrote {}", file.display()));
    if written.files.len() > 1 {
        anstream::eprintln!(
            "apply them in this order; each of the {} fixes keeps its own place without the others",
            written.fixes
        );
    }
    for place in written.left_out {
        anstream::eprintln!("the fix of {place} is not written, as it does not go together with one that is");
    }
    Ok(())
}

/// Writes the results to where they are wanted.
fn report_all(args: &LeaksArgs, options: &SuiteOptions, report: &Leaks) -> anyhow::Result<ExitCode> {
    let suite = &report.collected.suite;
    // What was just written down is known from now on.
    let new = if args.write_baseline.is_some() { 0 } else { report.new_places() };
    let code = match (suite.errors.is_empty(), suite.tests.is_empty()) {
        _ if report.interrupted => ExitCode::Interrupted,
        _ if new > 0 => ExitCode::Found,
        (false, _) => ExitCode::Unjudged,
        (true, true) => ExitCode::NothingCollected,
        (true, false) if !report.unseen.is_empty() => ExitCode::Unjudged,
        (true, false) => ExitCode::Clean,
    };
    if !write_json(options.json.as_ref(), &LeaksDocument::new(report, code as u8))? {
        leaks(&mut anstream::stdout(), report, options.verbosity)?;
    }
    ci::write_leaks(
        args.junit.as_deref(),
        args.code_quality.as_deref(),
        &report.collected,
        &entries(report),
    )?;
    Ok(code)
}
