//! `jostle stress`: the main job.

use crate::cli::ExitCode;
use crate::cli::args::StressArgs;
use crate::cli::commands::suite_run::{engine, write_json};
use crate::cli::options::{StressOptions, UsageError};
use crate::plan::Axes;
use crate::record::{FailureFile, fix_files};
use crate::report::Verbosity;
use crate::report::progress::Progress;
use crate::report::{Document, terminal};
use crate::run::Engine;
use crate::session::{self, Outline};

/// Runs the command.
///
/// # Errors
/// The options are wrong, the suite cannot be collected, or the results cannot be written.
pub fn run(args: &StressArgs) -> anyhow::Result<ExitCode> {
    let options = StressOptions::new(args)?;
    let mut engine = engine(&options.suite, &options.apart)?;
    stress(&options, &mut *engine)
}

/// Runs a session with an engine and reports it.
///
/// # Errors
/// As [`run`].
pub fn stress(options: &StressOptions, engine: &mut dyn Engine) -> anyhow::Result<ExitCode> {
    let quiet = options.suite.verbosity == Verbosity::Quiet;
    if options.seed_was_drawn {
        // Told first, so that it is known even if the session does not come to its end.
        anstream::eprintln!("seed {}", options.seed.0);
    }
    let mut progress = Progress::new(&options.limits, quiet);
    let outline = session::stress(engine, &mut progress, options.seed, &options.axes, &options.limits)?;
    drop(progress);
    if !write_json(
        options.suite.json.as_ref(),
        &Document::new(&outline, ExitCode::of_session(&outline) as u8),
    )? {
        let replay = replay_options(options);
        terminal::session(&mut anstream::stdout(), &outline, options.suite.verbosity, &replay)?;
    }
    // Last, so that a full disk costs no more than the files.
    keep_failures(options, &outline)?;
    write_fixes(options, &outline)?;
    Ok(ExitCode::of_session(&outline))
}

fn write_fixes(options: &StressOptions, outline: &Outline) -> anyhow::Result<()> {
    let Some(path) = &options.write_fix else {
        return Ok(());
    };
    let written = fix_files::write(&outline.findings, path).map_err(|error| UsageError(error.to_string()))?;
    if written.is_empty() {
        anstream::eprintln!("no fix to write: none was found that holds");
    }
    written.iter().for_each(|file| anstream::eprintln!("wrote {}", file.display()));
    Ok(())
}

fn keep_failures(options: &StressOptions, outline: &Outline) -> anyhow::Result<()> {
    let Some(folder) = &options.failures else {
        return Ok(());
    };
    for finding in &outline.findings {
        if let Some(file) = FailureFile::new(finding, &outline.collected) {
            let path = file.write(folder).map_err(|error| UsageError(error.to_string()))?;
            anstream::eprintln!("wrote {}", path.display());
        }
    }
    Ok(())
}

/// The options that `jostle replay` needs to make the same plans.
fn replay_options(options: &StressOptions) -> String {
    let (axes, default) = (&options.axes, Axes::default());
    let joined = |words: Vec<String>| words.join(",");
    let mut text = String::new();
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
    let pytest_args = &options.suite.pytest_args;
    if let (false, Ok(quoted)) =
        (pytest_args.is_empty(), shlex::try_join(pytest_args.iter().map(String::as_str)))
    {
        text += &format!(" -- {quoted}");
    }
    text
}
