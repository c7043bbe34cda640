//! `jostle stress`: the main job.

use std::path::Path;

use anyhow::Context;

use crate::cli::args::StressArgs;
use crate::cli::commands::history_recorder::{HistoryRecorder, Keep, make_folder};
use crate::cli::commands::replay::tell_error;
use crate::cli::commands::suite_run::{STDOUT, engine, write_json};
use crate::cli::commands::{ci, last_session, next, page, shard};
use crate::cli::options::{JsonTarget, StressOptions, SuiteOptions};
use crate::cli::revision::revision;
use crate::cli::typed_again::how_it_is_run;
use crate::cli::values::UsageError;
use crate::cli::{ExitCode, journal_options};
use crate::finding::Finding;
use crate::finding::left_unjudged::LeftUnjudged;
use crate::plan::Axes;
use crate::record::{FailureFile, fix_files, history_file};
use crate::report::links::Links;
use crate::report::progress::{Aside, Progress};
use crate::report::streamed::Streamed;
use crate::report::{Again, Document, Manner, Verbosity};
use crate::run::Engine;
use crate::session::event::{Reporter, Reporters};
use crate::session::lab::journaled::JournaledEngine;
use crate::session::{self, Limits, SessionResult};

/// Runs the command.
///
/// # Errors
/// The options are wrong, the suite cannot be collected, or the results cannot be written.
pub fn run(args: &StressArgs) -> anyhow::Result<ExitCode> {
    if let Some(plan) = &args.plan {
        return shard::run(args, plan);
    }
    let typed = std::env::args_os().map(|word| word.into_string().ok()).collect();
    run_with(&StressOptions { typed, ..StressOptions::new(args)? })
}

/// As [`run`], with options that are checked.
///
/// # Errors
/// As [`run`].
pub(super) fn run_with(options: &StressOptions) -> anyhow::Result<ExitCode> {
    let terms = journal_options::journal_key(options)?;
    let engine = engine(&options.suite, &options.isolation)?;
    make_failures_folder(options)?;
    let tell = |text: &str| anstream::eprintln!("{text}");
    let mut engine = JournaledEngine::new(engine, options.journal.clone(), terms, tell);
    let ended = stress(options, &mut engine);
    let whole = matches!(ended, Ok(code) if !matches!(code, ExitCode::Interrupted | ExitCode::Internal | ExitCode::Usage));
    if let (false, Some(journal)) = (whole, engine.journal()) {
        anstream::eprintln!(
            "what was run is kept: go on with the same options and --resume {}",
            journal.display()
        );
    }
    ended
}

/// Runs a session with an engine and reports it.
///
/// # Errors
/// As [`run`].
pub(crate) fn stress(options: &StressOptions, engine: &mut dyn Engine) -> anyhow::Result<ExitCode> {
    let quiet = options.suite.verbosity == Verbosity::Quiet;
    if let Some(from) = options.seed_from.as_ref().filter(|_| !quiet) {
        // Told first, so that it is known even if the session does not come to its end.
        anstream::eprintln!("seed {} ({from})", options.seed.0);
    }
    options.kept.remark.iter().for_each(|remark| anstream::eprintln!("{remark}"));
    let mut progress = Progress::new(&options.limits, options.suite.progress, quiet);
    let keep = keep(options)?;
    let left = keep.as_ref().map(left).unwrap_or_default();
    let mut recorder = HistoryRecorder::new(keep, left.clone(), |text| anstream::eprintln!("{text}"));
    let replay = replay_options(options, Machine::This);
    let of_file = of_file_options(options, Machine::This);
    let failures = options.kept.failures.as_deref();
    let again = match options.suite_stays {
        true => Again::Replay { options: &replay, of_file: &of_file, failures },
        false => Again::Gone,
    };
    let json_on_stdout = options.suite.json == Some(JsonTarget::Stdout);
    let mut streamed = (!json_on_stdout).then(|| streamed(options, again, progress.aside()));
    let mut reporters = Reporters(vec![&mut recorder, &mut progress]);
    let mut trials = page::trials(options.kept.html.as_deref());
    reporters.0.extend(trials.as_mut().map(|trials| trials as &mut dyn Reporter));
    reporters.0.extend(streamed.as_mut().map(|streamed| streamed as &mut dyn Reporter));
    let limits = Limits { left, ..options.limits.clone() };
    let outline = session::stress(engine, &mut reporters, options.seed, &options.axes, &limits)?;
    drop(progress);
    tell_error(&outline);
    let code = ExitCode::of_session(&outline, options.kept.strict);
    let kept = options.suite_stays
        && last_session::keep(
            &options.suite.folder,
            &outline,
            besides_rootdir(options),
            command(options),
            !options.suite.pytest_args.is_empty() || !options.suite.tests.is_empty(),
        );
    let next = next::commands(options, &outline, kept);
    let shown = streamed.map_or(Ok(()), |streamed| streamed.end(&outline, &next).context(STDOUT));
    let json = write_json(options.suite.json.as_ref(), &Document::new(&outline, code as u8));
    let [replay, of_file] =
        [replay_options(options, Machine::Another), of_file_options(options, Machine::Another)];
    let elsewhere = match again {
        Again::Replay { .. } => Again::Replay { options: &replay, of_file: &of_file, failures },
        other => other,
    };
    // Each is tried, so that a full disk costs no more than what does not fit.
    let page = page::of_session(options.kept.html.as_deref(), &outline, trials.as_ref(), elsewhere);
    let kept = [keep_failures(options, &outline), write_fixes(options, &outline), page];
    let kept = kept.into_iter().chain(ci::write(&options.kept, &outline, elsewhere));
    let results = [json.map(drop), shown].into_iter().chain(kept);
    let mut errors = results.filter_map(Result::err);
    let Some(first) = errors.next() else {
        return Ok(code);
    };
    errors.for_each(|error| anstream::eprintln!("jostle: {error:#}"));
    Err(first)
}

/// What the session before left unjudged. A history that cannot be read costs no more than that.
fn left(keep: &Keep) -> LeftUnjudged {
    history_file::left_unjudged(&keep.folder, &keep.night).unwrap_or_else(|error| {
        anstream::eprintln!("{error}. What the session before left unjudged is not known");
        LeftUnjudged::default()
    })
}

/// How the session is kept in the history, if it is.
fn keep(options: &StressOptions) -> Result<Option<Keep>, UsageError> {
    let Some(folder) = &options.kept.history else {
        return Ok(None);
    };
    make_folder(folder).map_err(|error| UsageError(error.to_string()))?;
    Ok(Some(Keep {
        folder: folder.clone(),
        night: options.journal.night.clone(),
        seed: options.seed,
        revision: revision(&options.suite.folder),
    }))
}

/// Makes the folder now, so that it is not found out after an hour of trials that it cannot be made.
fn make_failures_folder(options: &StressOptions) -> Result<(), UsageError> {
    let Some(folder) = &options.kept.failures else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).map_err(|error| {
        UsageError(format!(
            "cannot make the folder for failure files, {}: {error}. Give one that can be written with --failures",
            folder.display()
        ))
    })
}

/// The report for people, written to standard output while the session goes on.
fn streamed<'a>(options: &'a StressOptions, again: Again<'a>, aside: Aside) -> Streamed<'a> {
    let stdout = std::io::stdout();
    let out = match ci::sections() {
        // The marks are escape sequences, which would be left out where there is no terminal.
        Some(_) => anstream::AutoStream::always(stdout),
        None => anstream::AutoStream::auto(stdout),
    };
    let manner = Manner::new(options.suite.verbosity, again);
    let manner = manner.linked(Links::of_terminal(&options.suite.folder));
    Streamed::new(Box::new(out), manner, ci::sections, options.seed, aside)
}

fn write_fixes(options: &StressOptions, outline: &SessionResult) -> anyhow::Result<()> {
    let Some(path) = &options.write_fix else {
        return Ok(());
    };
    let written = fix_files::write(&outline.findings, path).map_err(|error| UsageError(error.to_string()))?;
    if written.fixes == 0 {
        anstream::eprintln!("{}", no_fix(&outline.findings));
    }
    written.files.iter().for_each(|file| anstream::eprintln!("wrote {}", file.display()));
    if written.fixes > 1 {
        let order = if written.files.len() > 1 { "apply them in this order; " } else { "" };
        let fixes = outline.findings.iter().flat_map(|finding| &finding.explanation);
        let together = fixes.flat_map(|explanation| &explanation.fix).any(|fix| fix.together_with > 0);
        let trials = if together { "; in trials of the suite several were applied at once" } else { "" };
        anstream::eprintln!(
            "{order}each of the {} fixes undoes its own failure without the others{trials}",
            written.fixes
        );
    }
    for &test in &written.left_out {
        let id = &outline.collected.suite.test(test).id;
        anstream::eprintln!("the fix of {id} is not written, as it does not go together with one that is");
    }
    Ok(())
}

/// Why no fix is written.
fn no_fix(findings: &[Finding]) -> String {
    let confirmed =
        |finding: &&Finding| finding.explanation.as_ref().is_some_and(|explanation| explanation.confirmed);
    match findings.iter().filter(confirmed).count() {
        0 if findings.iter().any(|finding| finding.kind.is_isolation_failure()) => {
            "no fix to write: none is looked for where no shared state is shown to be the cause".into()
        }
        0 => "no fix to write: no isolation failure was found".into(),
        _ => "no fix to write: none was found that holds".into(),
    }
}

fn keep_failures(options: &StressOptions, outline: &SessionResult) -> anyhow::Result<()> {
    let Some(folder) = &options.kept.failures else {
        return Ok(());
    };
    for finding in outline.findings.iter().filter(|finding| finding.known.is_none()) {
        if let Some(file) = FailureFile::new(finding, &outline.collected) {
            let path = file.write(folder).map_err(|error| UsageError(error.to_string()))?;
            anstream::eprintln!("wrote {}", path.display());
        }
    }
    Ok(())
}

/// Where a command is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    /// Where the session ran.
    This,
    /// Where the same project is, in another folder and with another Python.
    Another,
}

/// The options that `jostle replay` needs for a failure file.
fn of_file_options(options: &StressOptions, machine: Machine) -> String {
    of_the_suite_on(options, machine) + &pytest_args(&options.suite)
}

/// The options that `jostle replay` needs to make the same plans.
fn replay_options(options: &StressOptions, machine: Machine) -> String {
    let (axes, default) = (&options.axes, Axes::default());
    let joined = |words: Vec<String>| words.join(",");
    let mut text = of_the_suite_on(options, machine);
    if axes.workers != default.workers {
        text += &format!(" -n {}", joined(axes.workers.iter().map(u32::to_string).collect()));
    }
    if axes.modes != default.modes {
        text +=
            &format!(" --dist {}", joined(axes.modes.iter().map(|mode| mode.name().to_owned()).collect()));
    }
    if axes.orders != default.orders {
        text += &format!(
            " --order {}",
            joined(axes.orders.iter().map(|order| order.name().to_owned()).collect())
        );
    }
    if axes.hash_seeds != default.hash_seeds {
        text += &format!(" --hash-seeds {}", axes.hash_seeds);
    }
    if axes.ignore_rank {
        text += " --ignore-rank";
    }
    text + &pytest_args(&options.suite)
}

/// The options that say which suite it is and how it is run, each with a space before it.
pub(super) fn of_the_suite(options: &StressOptions) -> String {
    of_the_suite_on(options, Machine::This)
}

fn of_the_suite_on(options: &StressOptions, machine: Machine) -> String {
    let rootdir =
        options.suite.rootdir.as_ref().filter(|path| machine == Machine::This || path.is_relative());
    let rootdir = rootdir.and_then(|path| shlex::try_quote(path.to_str()?).ok());
    rootdir.map_or_else(String::new, |path| format!(" --rootdir {path}"))
        + &besides(options, options.suite.tests_file.as_deref(), machine)
}

/// The command as it was typed, if it was.
fn command(options: &StressOptions) -> Option<String> {
    let words = options.typed.as_ref()?.iter().skip(1).map(String::as_str);
    shlex::try_join(["jostle"].into_iter().chain(words)).ok()
}

/// How the suite is run, for a command that is told by itself where it is.
fn besides_rootdir(options: &StressOptions) -> String {
    // What was read from standard input is not read again.
    let tests = options.suite.tests_file.as_deref().filter(|path| path.as_os_str() != "-");
    besides(options, tests, Machine::This) + &pytest_args(&options.suite)
}

fn besides(options: &StressOptions, tests: Option<&Path>, machine: Machine) -> String {
    let python = if machine == Machine::This { python_option(&options.suite) } else { String::new() };
    let tests = tests.and_then(|path| shlex::try_quote(path.to_str()?).ok());
    let tests = tests.map_or_else(String::new, |path| format!(" --tests {path}"));
    let how = options.typed.as_deref().map_or_else(String::new, how_it_is_run);
    python + &tests + &how
}

/// The Python that was chosen, unless it is configured, with a space before it.
pub(super) fn python_option(suite: &SuiteOptions) -> String {
    let configured = suite.config_python();
    let python = suite.python.as_ref().filter(|&path| configured.as_ref() != Some(path));
    let quoted = python.and_then(|path| shlex::try_quote(path.to_str()?).ok());
    quoted.map_or_else(String::new, |path| format!(" --python {path}"))
}

/// What pytest is given, after the dashes that set it apart.
pub(super) fn pytest_args(suite: &SuiteOptions) -> String {
    match shlex::try_join(suite.pytest_args.iter().map(String::as_str)) {
        Ok(quoted) if !quoted.is_empty() => format!(" -- {quoted}"),
        _ => String::new(),
    }
}
