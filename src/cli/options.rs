//! The options of a run, checked, with every default filled in.
//!
//! The command line goes before `[tool.jostle]`, which goes before the defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::args::{
    AxesArgs, ChosenArgs, DistArg, EngineArg, ExplainArg, OrderArg, StressArgs, SuiteArgs, duration,
    session_time,
};
use crate::cli::config::{self, Config};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::result_options::ResultOptions;
use crate::cli::values::{UsageError, distinct, named, named_one, place_for, worker_counts};
use crate::cli::{journal_options, profile, suspicion, tests_file};
use crate::finding::left_unjudged::LeftUnjudged;
use crate::limits::{SUSPECTED_TRIALS, TEST_TIMEOUT, TRIALS};
use crate::plan::{Axes, Mode, Seed};
use crate::record::leaks_report;
use crate::report::Verbosity;
use crate::report::progress::ProgressMode;
use crate::session::lab::journaled::Place;
use crate::session::{Explain, Limits};
use crate::state::NamedPlace;

/// Which suite, and how it is run.
#[derive(Clone, Debug)]
pub struct SuiteOptions {
    /// `--python`, if given.
    pub python: Option<PathBuf>,
    /// `--rootdir` as it was given, if it was.
    pub(crate) rootdir: Option<PathBuf>,
    /// The folder pytest is run in, absolute.
    pub folder: PathBuf,
    /// What pytest is given.
    pub pytest_args: Vec<String>,
    /// `--tests` as it was given, if it was.
    pub(crate) tests_file: Option<PathBuf>,
    /// The node ids that it has; all tests are kept where there are none.
    pub(crate) tests: Vec<String>,
    /// How plans are run.
    pub engine: EngineArg,
    /// When a test has run too long.
    pub test_timeout: Duration,
    /// When a trial has run too long, if it was said.
    pub trial_timeout: Option<Duration>,
    /// Where the JSON goes.
    pub json: Option<JsonTarget>,
    /// The places of state that the user has named.
    pub(crate) named_places: Vec<NamedPlace>,
    /// How much is said.
    pub(crate) verbosity: Verbosity,
    /// How it is shown how far it is.
    pub(crate) progress: ProgressMode,
    /// The folder's configuration.
    pub(super) config: Config,
}

impl SuiteOptions {
    /// The patterns of places that tests may leave changed.
    pub(crate) fn allowed_leaks(&self) -> &[String] {
        self.config.leaks.as_ref().map_or(&[], |leaks| &leaks.allow)
    }
}

/// Where JSON is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonTarget {
    /// In place of the report for people.
    Stdout,
    /// Beside it.
    File(PathBuf),
}

impl SuiteOptions {
    /// Resolves the arguments and reads the suite's configuration.
    ///
    /// # Errors
    /// The folder does not exist, or its configuration is wrong.
    pub fn new(args: &SuiteArgs) -> Result<Self, UsageError> {
        Self::choosing(args, &ChosenArgs::default())
    }

    /// The same, of a command that takes by position which tests to run.
    ///
    /// # Errors
    /// As those of [`SuiteOptions::new`], or there is no such test.
    pub(crate) fn choosing(args: &SuiteArgs, chosen: &ChosenArgs) -> Result<Self, UsageError> {
        let given = args.rootdir.clone().unwrap_or_else(|| PathBuf::from("."));
        let folder = given.canonicalize().map_err(|error| {
            UsageError(format!(
                "--rootdir {}: {error}. Give the folder that pytest is run in",
                given.display()
            ))
        })?;
        if !folder.is_dir() {
            return Err(UsageError(format!(
                "--rootdir {} is not a folder. Give the folder that pytest is run in",
                given.display()
            )));
        }
        let config = profile::chosen(config::read(&folder)?, args.profile.as_deref())?;
        let to_stdout = args.json.as_deref() == Some("-");
        chosen.paths.iter().try_for_each(|test| is_there(test, &folder, to_stdout))?;
        Ok(Self {
            python: args
                .python
                .as_deref()
                .map(of_environment)
                .or_else(|| config.python.as_ref().map(|path| of_environment(&folder.join(path)))),
            pytest_args: for_pytest(args, chosen, config.pytest_args.as_deref()),
            tests: args.tests.as_deref().map(tests_file::read).transpose()?.unwrap_or_default(),
            tests_file: args.tests.clone(),
            engine: match args.engine {
                Some(engine) => engine,
                None => named(config.engine.as_ref().map(std::slice::from_ref), "engine")?
                    .and_then(|engines| engines.first().copied())
                    .unwrap_or_default(),
            },
            test_timeout: or_time(
                args.test_timeout,
                config.test_timeout.as_deref(),
                "test-timeout",
                duration,
            )?
            .unwrap_or(TEST_TIMEOUT),
            trial_timeout: or_time(
                args.trial_timeout,
                config.trial_timeout.as_deref(),
                "trial-timeout",
                duration,
            )?,
            named_places: config.named_places()?,
            json: args.json.as_deref().map(json_target).transpose()?,
            verbosity: match (args.quiet, args.verbose) {
                (true, _) => Verbosity::Quiet,
                (_, true) => Verbosity::Verbose,
                _ => Verbosity::Normal,
            },
            progress: match args.progress {
                Some(progress) => progress.into(),
                None if args.quiet => ProgressMode::None,
                None => ProgressMode::Auto,
            },
            rootdir: args.rootdir.clone(),
            folder,
            config,
        })
    }

    /// Resolves what a session varies.
    ///
    /// # Errors
    /// A value is unknown, given twice, or leaves nothing to run.
    pub fn axes(&self, args: &AxesArgs) -> Result<Axes, UsageError> {
        let config = &self.config;
        let workers = match (&args.workers, &config.workers) {
            (Some(words), _) => Some(words.clone()),
            (None, Some(counts)) => Some(counts.iter().map(ToString::to_string).collect()),
            (None, None) => None,
        };
        let modes = match &args.dist {
            Some(modes) => Some(modes.clone()),
            None => named::<DistArg>(config.dist.as_deref(), "dist")?,
        };
        let orders = match &args.order {
            Some(orders) => Some(orders.clone()),
            None => named::<OrderArg>(config.order.as_deref(), "order")?,
        };
        if let (Some(words), Some(modes)) = (&args.workers, &args.dist) {
            each_has_a_use(&worker_counts(words)?, modes)?;
        }
        let default = Axes::default();
        let hash_seeds = args.hash_seeds.or(config.hash_seeds).unwrap_or(default.hash_seeds);
        if !(1..=64).contains(&hash_seeds) {
            return Err(UsageError(format!("hash-seeds = {hash_seeds}: give a number from 1 to 64")));
        }
        let axes = Axes {
            workers: workers.map_or(Ok(default.workers), |words| worker_counts(&words))?,
            modes: modes.map_or(default.modes, |modes| distinct(modes.into_iter().map(Mode::from))),
            orders: orders.map_or(default.orders, |orders| distinct(orders.into_iter().map(Into::into))),
            hash_seeds,
            ignore_rank: args.ignore_rank || config.ignore_rank.unwrap_or(false),
        };
        check(&axes)?;
        Ok(axes)
    }

    /// The same with places of state to watch besides, each `module:attribute`.
    ///
    /// # Errors
    /// One is not of that form.
    pub(super) fn watching(mut self, places: &[String]) -> Result<Self, UsageError> {
        for place in places {
            let named = NamedPlace::attribute(place);
            self.named_places.push(named.map_err(|why| UsageError(format!("--watch: {why}")))?);
        }
        Ok(self)
    }

    /// The Python that the configuration names.
    pub(super) fn config_python(&self) -> Option<PathBuf> {
        self.configured(self.config.python.as_deref())
    }

    /// The folder of failure files that the configuration names.
    pub(super) fn failures_folder(&self) -> Option<PathBuf> {
        self.configured(self.config.failures.as_deref())
    }

    /// Where relative paths of the configuration start.
    pub(super) fn configured(&self, path: Option<&Path>) -> Option<PathBuf> {
        path.map(|path| self.folder.join(path))
    }
}

/// What `jostle stress` does.
#[derive(Clone, Debug)]
pub struct StressOptions {
    /// The suite.
    pub suite: SuiteOptions,
    /// The seed.
    pub seed: Seed,
    /// Where it is from, if nobody gave it as a number.
    pub(crate) seed_from: Option<String>,
    /// Where every run is written, or taken from.
    pub journal: Place,
    /// What is varied.
    pub axes: Axes,
    /// How far it goes.
    pub limits: Limits,
    /// What becomes of the results.
    pub kept: ResultOptions,
    /// Where fixes are written.
    pub(crate) write_fix: Option<PathBuf>,
    /// How trials are kept apart.
    pub isolation: IsolationOptions,
    /// Whether the suite is still there when the report is read.
    pub(crate) suite_stays: bool,
    /// The words of the command, if somebody typed it.
    pub(crate) typed: Option<Vec<String>>,
}

impl StressOptions {
    /// Resolves the arguments; draws a seed if none is given.
    ///
    /// # Errors
    /// An option or the configuration is wrong.
    pub fn new(args: &StressArgs) -> Result<Self, UsageError> {
        let suite = SuiteOptions::choosing(&args.suite, &args.chosen)?;
        let config = &suite.config;
        let time = or_time(args.time, config.time.as_deref(), "time", session_time)?;
        let suspects = args.changed.is_some() || args.last_failed;
        let usual = if suspects { SUSPECTED_TRIALS } else { TRIALS };
        let trials = args.trials.or(config.trials).or(if time.is_none() { Some(usual) } else { None });
        if trials == Some(0) {
            return Err(UsageError("[tool.jostle] trials = 0 leaves nothing to do: give 1 or more".into()));
        }
        let axes = suite.axes(&args.axes)?;
        let isolation = IsolationOptions::new(&args.isolation, &suite)?;
        let kept = ResultOptions::new(&args.kept, &suite)?;
        let (seed, seed_from, journal) = journal_options::place(args, config.seed, &suite.folder)?;
        let own: Vec<&Path> = kept.history.as_deref().into_iter().chain([journal.path.as_path()]).collect();
        let isolation = isolation.writing_to(own);
        let explain = explain(args, config)?;
        let suspicion = suspicion::of(args, &suite.folder, kept.history.as_deref())?;
        let leaks = args.leaks.as_deref().map(leaks_report::read).transpose();
        let leaks = leaks.map_err(|error| UsageError(format!("--leaks: {error}")))?;
        Ok(Self {
            seed,
            seed_from,
            journal,
            axes,
            limits: Limits {
                trials,
                time,
                victim: args.victim.clone(),
                schedules: args.schedules.or(config.schedules),
                known: kept.known.clone(),
                fail_fast: !args.keep_going && (args.fail_fast || config.fail_fast.unwrap_or(false)),
                explain,
                left: LeftUnjudged::default(),
                suspicion,
                leaks,
                whole_trials: false,
            },
            kept,
            write_fix: args.write_fix.as_deref().map(place_for_fixes).transpose()?,
            isolation,
            suite_stays: true,
            typed: None,
            suite,
        })
    }
}

/// What pytest is given. Tests, and what stands after `--`, take the place of what is configured; expressions that
/// narrow the suite do not. What stands after `--` comes last: an option there may take the next word for itself.
fn for_pytest(args: &SuiteArgs, chosen: &ChosenArgs, configured: Option<&[String]>) -> Vec<String> {
    let replaced = !chosen.paths.is_empty() || !args.pytest_args.is_empty();
    let configured = configured.filter(|_| !replaced).unwrap_or_default();
    [configured, &chosen.for_pytest(), &args.pytest_args].concat()
}

/// The Python of an environment, if its folder was given.
fn of_environment(path: &Path) -> PathBuf {
    let python = path.join("bin/python");
    if path.is_dir() && python.exists() { python } else { path.to_owned() }
}

/// Whether what was typed without `--` is a test of the suite: a folder, a file, or a node id of one. After a bare `--json`
/// it may have been meant for the results.
fn is_there(test: &str, folder: &Path, to_stdout: bool) -> Result<(), UsageError> {
    let path = test.split_once("::").map_or(test, |(path, _)| path);
    if folder.join(path).exists() {
        return Ok(());
    }
    Err(UsageError(format!(
        "there is no `{path}` in {}: give a folder, a file or a node id like tests/test_a.py::test_b{}. What else is meant \
         for pytest goes after `--`",
        folder.display(),
        if to_stdout { ", and a file for the results as `--json=FILE`" } else { "" }
    )))
}

/// Where `--json` goes; what cannot be written is told before anything is run.
fn json_target(given: &str) -> Result<JsonTarget, UsageError> {
    if given == "-" {
        return Ok(JsonTarget::Stdout);
    }
    place_for("--json", Path::new(given)).map(JsonTarget::File)
}

/// Where fixes go: a folder that exists, or a file; what cannot be written is told before anything is run.
pub(crate) fn place_for_fixes(path: &Path) -> Result<PathBuf, UsageError> {
    if path.is_dir() { Ok(path.to_owned()) } else { place_for("--write-fix", path) }
}

/// How far findings are explained. A fix that is to be written is looked for, whatever is configured.
fn explain(args: &StressArgs, config: &Config) -> Result<Explain, UsageError> {
    let configured: Option<ExplainArg> = named_one(config.explain.as_ref(), "explain")?;
    let no = |no: bool| no.then_some(ExplainArg::No);
    let configured = configured.or(config.no_explain.and_then(no)).filter(|_| args.write_fix.is_none());
    let explain = args.explain.or(no(args.no_explain)).or(configured).map_or(Explain::Fix, Explain::from);
    if args.write_fix.is_some() && explain != Explain::Fix {
        return Err(UsageError(
            "--write-fix needs --explain fix: leave --explain out, or --write-fix".into(),
        ));
    }
    Ok(explain)
}

fn or_time(
    given: Option<Duration>,
    configured: Option<&str>,
    name: &str,
    read: fn(&str) -> Result<Duration, String>,
) -> Result<Option<Duration>, UsageError> {
    match (given, configured) {
        (Some(time), _) => Ok(Some(time)),
        (None, None) => Ok(None),
        (None, Some(text)) => match read(text) {
            Ok(time) => Ok(Some(time)),
            Err(why) => Err(UsageError(format!("[tool.jostle] {name} = {text:?}: {why}"))),
        },
    }
}

/// Numbers of workers and modes that are both on the command line: none of them is left out silently.
fn each_has_a_use(workers: &[u32], modes: &[DistArg]) -> Result<(), UsageError> {
    let serial = modes.contains(&DistArg::No);
    let parallel = modes.iter().any(|&mode| mode != DistArg::No);
    let (one, several) = (workers.contains(&1), workers.iter().any(|&count| count > 1));
    let unused = match () {
        () if serial && !one => {
            "the mode `no` runs on 1 worker: add 1 to --workers, or leave `no` out of --dist"
        }
        () if serial && several && !parallel => {
            "more than 1 worker needs another mode than `no`: add one to --dist"
        }
        () if serial && parallel && !several => {
            "with the mode `no` among them the other modes run on 2 workers or more: add a number to --workers, or leave \
             `no` out of --dist"
        }
        () => return Ok(()),
    };
    Err(UsageError(format!("--dist and --workers leave no trial to run with some of their values: {unused}")))
}

fn check(axes: &Axes) -> Result<(), UsageError> {
    let parallel = !axes.parallel_workers().is_empty() && axes.modes.iter().any(|&mode| mode != Mode::No);
    if axes.workers.is_empty() || axes.modes.is_empty() || axes.orders.is_empty() {
        Err(UsageError("workers, dist and order each need at least one value".into()))
    } else if !axes.serial() && !parallel {
        Err(UsageError(
            "--dist and --workers leave no trial to run: the mode `no` goes with 1 worker, the others with 2 or more"
                .into(),
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_what_stands_after_hyphens_take_the_place_of_what_is_configured_and_come_in_that_order() {
        let given = |paths: &str, keyword: &str, after: &str| {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            let keyword = (keyword != "none").then(|| keyword.to_owned());
            let chosen = ChosenArgs { paths: words(paths), keyword, markers: Some("slow or b".into()) };
            let args = SuiteArgs { pytest_args: words(after), ..SuiteArgs::default() };
            for_pytest(&args, &chosen, Some(&words("tests/unit -x")))
        };
        assert_eq!(given("", "none", ""), ["tests/unit", "-x", "-mslow or b"]);
        assert_eq!(given("", "tests", ""), ["tests/unit", "-x", "-ktests", "-mslow or b"]);
        assert_eq!(given("", "", ""), ["tests/unit", "-x", "-mslow or b"]);
        assert_eq!(given("", "a", "--cov"), ["-ka", "-mslow or b", "--cov"]);
        assert_eq!(given("tests", "a", "--cov"), ["tests", "-ka", "-mslow or b", "--cov"]);
        assert_eq!(given("tests", "none", ""), ["tests", "-mslow or b"]);
    }

    #[test]
    fn the_command_line_goes_before_what_is_configured_of_explaining() {
        let stress = |no_explain, explain, fix: bool| StressArgs {
            no_explain,
            explain,
            write_fix: fix.then(|| "fixes".into()),
            ..StressArgs::default()
        };
        let cases = [
            ("", stress(false, None, false), Some(Explain::Fix)),
            ("", stress(true, None, false), Some(Explain::No)),
            ("explain = \"state\"", stress(false, None, false), Some(Explain::State)),
            ("no-explain = true", stress(false, None, false), Some(Explain::No)),
            ("no-explain = false", stress(false, None, false), Some(Explain::Fix)),
            ("explain = \"state\"\nno-explain = true", stress(false, None, false), Some(Explain::State)),
            ("explain = \"no\"", stress(false, Some(ExplainArg::State), false), Some(Explain::State)),
            ("explain = \"fix\"", stress(true, None, false), Some(Explain::No)),
            ("explain = \"no\"", stress(false, None, true), Some(Explain::Fix)),
            ("no-explain = true", stress(false, None, true), Some(Explain::Fix)),
            ("", stress(false, Some(ExplainArg::State), true), None),
            ("explain = \"all\"", stress(false, None, false), None),
        ];
        for (settings, args, expected) in cases {
            let config = config::parse_own(settings).unwrap();
            assert_eq!(explain(&args, &config).ok(), expected, "{settings} {args:?}");
        }
    }
}
