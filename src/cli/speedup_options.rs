//! The options of `jostle speedup`, checked, with every default filled in.

use std::path::PathBuf;

use crate::cli::args::{DistArg, SpeedupArgs, SuiteArgs};
use crate::cli::options::SuiteOptions;
use crate::cli::values::{UsageError, cores, distinct, named, place_for, worker_counts};
use crate::plan::{Configuration, Mode};
use crate::record::SpeedupBaseline;

/// `--workers`.
const WORKERS: [&str; 4] = ["1", "2", "4", "auto"];
/// `--dist`: `loadgroup` does what `load` does unless tests are marked for it.
const MODES: [Mode; 4] = [Mode::Load, Mode::Loadscope, Mode::Loadfile, Mode::Worksteal];

/// What `jostle speedup` does.
#[derive(Clone, Debug)]
pub(crate) struct SpeedupOptions {
    /// The suite.
    pub(crate) suite: SuiteOptions,
    /// What is measured, the reference first.
    pub(crate) configurations: Vec<Configuration>,
    /// How often.
    pub(crate) rounds: u32,
    /// The cores that this process may use.
    pub(crate) cores: u32,
    /// Where the times are written.
    pub(crate) save: Option<PathBuf>,
    /// What is compared with, and its file.
    pub(crate) baseline: Option<(PathBuf, SpeedupBaseline)>,
    /// Where the page for a browser is written.
    pub(crate) html: Option<PathBuf>,
}

impl SpeedupOptions {
    /// Resolves the arguments, and reads the baseline: it is told before anything is measured if it
    /// cannot be used.
    ///
    /// # Errors
    /// An option, the configuration or the baseline is wrong.
    pub(crate) fn new(args: &SpeedupArgs) -> Result<Self, UsageError> {
        if let Some(option) = without_effect(&args.suite) {
            return Err(UsageError(format!(
                "{option} has no effect on `jostle speedup`, which times plain runs of pytest. Leave it out"
            )));
        }
        let suite = SuiteOptions::choosing(&args.suite, &args.chosen)?;
        let configured = suite.config.workers.as_ref();
        let words = match (&args.workers, configured) {
            (Some(words), _) => words.clone(),
            (None, Some(counts)) => counts.iter().map(ToString::to_string).collect(),
            (None, None) => WORKERS.map(str::to_owned).to_vec(),
        };
        let workers = worker_counts(&words)?;
        let modes = match &args.dist {
            Some(modes) => given(modes)?,
            None => configured_modes(&suite)?,
        };
        let save = args.save.as_deref().map(|path| place_for("--save", path)).transpose()?;
        let baseline = args.baseline.as_ref().map(|path| {
            let baseline = SpeedupBaseline::read(path).map_err(|error| UsageError(error.to_string()));
            Ok::<_, UsageError>((path.clone(), baseline?))
        });
        Ok(Self {
            configurations: Configuration::all(&workers, &modes),
            rounds: args.rounds,
            cores: cores(),
            save,
            baseline: baseline.transpose()?,
            html: args.page.place()?,
            suite,
        })
    }
}

/// The modes of the command line. Two of xdist's have no speedup.
fn given(modes: &[DistArg]) -> Result<Vec<Mode>, UsageError> {
    let why = match modes.iter().find(|&&mode| matches!(mode, DistArg::No | DistArg::Each)) {
        None => return Ok(distinct(modes.iter().map(|&mode| Mode::from(mode)))),
        Some(DistArg::No) => "no: a run on 1 worker is without distribution, and is always measured",
        Some(_) => "each: every worker runs every test, so there is nothing to gain",
    };
    Err(UsageError(format!(
        "--dist {why}. Give one or more of load, loadscope, loadfile, loadgroup, worksteal"
    )))
}

/// The modes of `[tool.jostle]`, which are also those of `jostle stress`, without the two.
fn configured_modes(suite: &SuiteOptions) -> Result<Vec<Mode>, UsageError> {
    let configured = named::<DistArg>(suite.config.dist.as_deref(), "dist")?.unwrap_or_default();
    let modes = configured.into_iter().map(Mode::from).filter(|mode| !matches!(mode, Mode::No | Mode::Each));
    let modes = distinct(modes);
    Ok(if modes.is_empty() { MODES.to_vec() } else { modes })
}

/// An option that every command takes and that means nothing to this one.
fn without_effect(args: &SuiteArgs) -> Option<&'static str> {
    let engine = args.engine.map(|_| "--engine");
    engine.or(args.test_timeout.map(|_| "--test-timeout"))
}
