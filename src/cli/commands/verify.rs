//! `jostle verify`: whether recorded failures are gone.

use std::path::PathBuf;
use std::time::Instant;

use crate::cli::ExitCode;
use crate::cli::args::VerifyArgs;
use crate::cli::commands::suite_run::{engine, write_json};
use crate::cli::commands::{last_session, page};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::cli::values::UsageError;
use crate::record::FailureFile;
use crate::record::failure_file::each_failure;
use crate::report::page::verify::page as page_of;
use crate::report::progress::Progress;
use crate::report::verify::{Looked, Verification, VerifyDocument, verification};
use crate::session::Lab;
use crate::session::stress::network;
use crate::session::verify::verify;
use crate::verify::{Status, VerifyLimits};

/// Runs the command.
///
/// # Errors
/// The options or a file are wrong, or pytest cannot be run.
pub fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let options = SuiteOptions::new(&args.suite)?;
    if !(50.0..100.0).contains(&args.confidence) {
        return Err(UsageError(format!(
            "--confidence {}: give a percentage from 50 to below 100, like 95 or 99.9",
            args.confidence
        ))
        .into());
    }
    let html = args.page.place()?;
    let files = files(args, &options)?;
    let rigour = VerifyLimits { confidence: args.confidence / 100.0, most_runs: args.runs };
    let mut engine = engine(&options, &IsolationOptions::new(&args.isolation, &options)?)?;
    let mut collected = network::collect(&mut *engine, files[0].1.minimal.hash_seed)?;
    let suite = collected.suite.named_as(files.iter().flat_map(|(_, file)| file.tests()));
    collected.suite = suite.clone();
    let mut progress = Progress::of_verify(options.progress);
    let mut lab = Lab::new(&suite, &mut *engine, &mut progress, None);
    let mut looked = Vec::new();
    let mut ended = None;
    for (path, file) in files {
        match verify(&mut lab, &file, rigour, args.require_fail) {
            Ok(verified) => looked.push(Looked { path: path.display().to_string(), file, verified }),
            // What was told of others stays true.
            Err(error) if error.is_interrupt() || !looked.is_empty() => {
                ended = Some(error);
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    let remarks = lab.close().remarks();
    drop(progress);
    let report = Verification {
        collected,
        looked,
        require_fail: args.require_fail,
        confidence: rigour.confidence,
        remarks,
        interrupted: ended.is_some(),
        seconds: start.elapsed().as_secs_f64(),
    };
    let code = code(&report);
    page::write(html.as_deref(), &options.folder, |about| page_of(&report, about))?;
    if !write_json(options.json.as_ref(), &VerifyDocument::new(&report, code as u8))? {
        verification(&mut anstream::stdout(), &report, options.verbosity)?;
    }
    match ended {
        Some(error) if !error.is_interrupt() => Err(error.into()),
        _ => Ok(code),
    }
}

/// A failure that is not as it should be counts more than one that cannot be told.
fn code(report: &Verification) -> ExitCode {
    let wrong = |looked: &Looked| match looked.verified.status {
        Status::CannotTell => false,
        Status::Holds => report.require_fail,
        Status::StillFails => !report.require_fail || !looked.fails_as_recorded(),
    };
    let undecided = |looked: &Looked| looked.verified.status == Status::CannotTell;
    if report.interrupted {
        ExitCode::Interrupted
    } else if report.looked.iter().any(wrong) {
        ExitCode::Found
    } else if report.looked.iter().any(undecided) {
        ExitCode::Undecided
    } else {
        ExitCode::Clean
    }
}

/// The failures of the files that are named, in the order of their paths within a folder.
fn files(args: &VerifyArgs, options: &SuiteOptions) -> Result<Vec<(PathBuf, FailureFile)>, UsageError> {
    let configured = options.failures_folder();
    let named: Vec<PathBuf> =
        if args.failures.is_empty() { configured.into_iter().collect() } else { args.failures.clone() };
    let mut files = Vec::new();
    if named.is_empty() {
        // Where there is no place for it, nothing is kept there.
        files = last_session::files(&options.folder).map_err(|error| UsageError(error.to_string()))?;
        if files.is_empty() {
            return Err(UsageError(last_session::no_failure(&options.folder)));
        }
    }
    for path in &named {
        files.extend(FailureFile::read_all(path).map_err(|error| UsageError(error.to_string()))?);
    }
    if files.is_empty() {
        let named: Vec<String> = named.iter().map(|path| path.display().to_string()).collect();
        return Err(UsageError(format!(
            "there is no failure file (*.json) in {}: `jostle stress --failures DIR` writes one for each isolation \
             failure",
            named.join(", ")
        )));
    }
    Ok(each_failure(files))
}
