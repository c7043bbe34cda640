//! What the user may type.

mod isolation;
mod axes;
mod explain;
mod json_file;
mod results;
mod suite;
mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

pub use axes::AxesArgs;
pub(crate) use axes::{DistArg, OrderArg};
pub(crate) use explain::{ExplainArg, LeaksExplainArg};
pub use isolation::IsolationArgs;
pub(crate) use isolation::{NetworkArg, SandboxArg};
pub(crate) use results::PageArgs;
pub use results::ResultArgs;
pub(crate) use suite::EngineArg;
pub use suite::{ChosenArgs, SuiteArgs};
use values::whole;
pub(super) use values::{duration, session_time};

use crate::cli::seed::SeedFrom;

/// Jostles a pytest suite until its isolation failures fall out, and shrinks each to the smallest
/// combination of tests that still shows it.
#[derive(Debug, Parser)]
#[command(name = "jostle", version = env!("JOSTLE_VERSION"), max_term_width = 100, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the suite in many orders and partitions, and shrink every isolation failure found
    Stress(Box<StressArgs>),
    /// Run a plan again: by its token, from a failure file, or from another tool's log
    Replay(ReplayArgs),
    /// Run a plan again, and look for the state behind what fails and for a fix; or say what a kind of finding is
    Explain(ExplainArgs),
    /// Show the fixes of the last session, or of failure files, and apply those that you choose
    Fix(FixArgs),
    /// Say whether recorded failures are gone, and how sure that is
    Verify(VerifyArgs),
    /// Say what can and what cannot be collected, and why, without running a test
    Collect(CollectArgs),
    /// Say what engine, sandbox and Python the suite gets here, what that costs, and what to do
    Doctor(DoctorArgs),
    /// List which tests touch files, databases and ports that others change
    Conflicts(ConflictsArgs),
    /// List what each test leaves changed, and which of it hurts
    Leaks(LeaksArgs),
    /// Put the results of a night's shards together, then judge and shrink what failed
    Merge(MergeArgs),
    /// Print the plan of a trial, or write the plan of a night in shards, without running it
    Plan(PlanArgs),
    /// Say what is new and what is gone since the last session, how often tests fail, and since when
    History(HistoryArgs),
    /// Measure what pytest-xdist's workers gain on the suite, and what limits it
    Speedup(SpeedupArgs),
    /// Run the main job on a small suite that jostle carries along
    Demo(DemoArgs),
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print a page of the manual as roff, which `man -l -` shows
    Man(ManArgs),
    /// Ends what is left of a session that died (used by jostle itself)
    #[command(name = "__reaper", hide = true)]
    Reaper,
    /// Holds the sandboxes of a session (used by jostle itself)
    #[command(name = "__sandbox", hide = true)]
    Sandbox,
}

/// The headings of the options that only `jostle stress` has.
const EXTENT: &str = "How far it goes";
const PARTS: &str = "Sessions in parts";

/// `jostle stress`.
#[derive(Debug, Default, Args)]
#[command(after_help = "`jostle stress --help` has all options.", after_long_help = "")]
pub struct StressArgs {
    /// The seed all plans follow from [default: drawn, and printed]
    ///
    /// It is a number, `date` for one that is new each day (UTC), or `run-id` for one of each run of a pipeline
    #[arg(long, allow_negative_numbers = true, help_heading = EXTENT)]
    pub seed: Option<SeedFrom>,
    /// How many trials to run [default: 20]
    ///
    /// With --changed or --last-failed the default is 4, with --time as many as it allows
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1, u64::MAX), allow_negative_numbers = true, help_heading = EXTENT)]
    pub trials: Option<u64>,
    /// How long to go on, shrinking included: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = session_time, allow_negative_numbers = true, help_heading = EXTENT)]
    pub time: Option<Duration>,
    /// How many schedules of tests in conflict to try before the trials, 0 for none [default: those that follow
    /// from their calls, 384 at most, or as many as a quarter of --time allows]
    #[arg(long, value_name = "N", value_parser = whole::<u64>(0, 1_000_000), allow_negative_numbers = true, help_heading = EXTENT, hide_short_help = true)]
    pub schedules: Option<u64>,
    /// Look only for what makes this test fail
    ///
    /// The session stops once that is found
    #[arg(long, value_name = "TEST", help_heading = EXTENT)]
    pub victim: Option<String>,
    /// Suspect the tests whose files have changed since this git revision
    ///
    /// How they go together with all others is tried first
    #[arg(long, value_name = "REV", conflicts_with = "victim", help_heading = EXTENT)]
    pub changed: Option<String>,
    /// Suspect the tests that failed in the session before
    ///
    /// The history knows them. How they go together with all others is tried first
    #[arg(long, conflicts_with = "victim", help_heading = EXTENT)]
    pub last_failed: bool,
    /// Run tests directly after those that leave what they name, as this file of `jostle leaks --json` tells
    ///
    /// That comes before the trials, which stay as they are
    #[arg(long, value_name = "FILE", help_heading = EXTENT, hide_short_help = true)]
    pub(crate) leaks: Option<PathBuf>,
    /// Stop at the first isolation failure
    #[arg(long, overrides_with = "keep_going", help_heading = EXTENT)]
    pub(crate) fail_fast: bool,
    /// Go on after an isolation failure (the default)
    #[arg(long, overrides_with = "fail_fast", help_heading = EXTENT, hide_short_help = true)]
    pub(crate) keep_going: bool,
    /// How far to explain what is found [default: fix]
    #[arg(
        long,
        value_name = "HOW",
        conflicts_with = "no_explain",
        help_heading = "Results",
        hide_short_help = true
    )]
    pub(crate) explain: Option<ExplainArg>,
    /// Short for --explain no
    #[arg(long, conflicts_with = "write_fix", help_heading = "Results", hide_short_help = true)]
    pub(crate) no_explain: bool,
    /// Write the fixes that were found and tried
    ///
    /// A folder gets patches to be applied one after the other, a file one patch with all
    #[arg(long, value_name = "PATH", help_heading = "Results")]
    pub(crate) write_fix: Option<PathBuf>,
    /// Write each run to this file as it ends, for --resume [default: a file in jostle's cache folder]
    #[arg(long, value_name = "FILE", conflicts_with = "resume", help_heading = PARTS, hide_short_help = true)]
    pub journal: Option<PathBuf>,
    /// Go on with a session that was ended, from its journal [default: the newest of this folder, or
    /// that of --seed]
    #[arg(long, value_name = "FILE", num_args = 0..=1, help_heading = PARTS, hide_short_help = true)]
    pub resume: Option<Option<PathBuf>>,
    /// Run a shard of the night with this plan, which `jostle plan --out` wrote, and only write down what
    /// its trials show
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "trials", "time", "schedules", "victim", "changed", "last_failed", "leaks", "fail_fast", "explain", "no_explain", "failures", "known", "strict", "history", "junit", "html", "code_quality", "sarif", "journal", "resume"], help_heading = PARTS, hide_short_help = true)]
    pub plan: Option<PathBuf>,
    /// Which shard, from 1 [default: auto, the one that Slurm, Kubernetes, GitLab, Buildkite, CircleCI or
    /// AWS Batch names]
    #[arg(long, value_name = "K/N", requires = "plan", help_heading = PARTS, hide_short_help = true)]
    pub shard: Option<String>,
    /// The folder for the results of a shard's trials
    #[arg(long, value_name = "DIR", requires = "plan", default_value = "jostle-results", help_heading = PARTS, hide_short_help = true)]
    pub results: PathBuf,
    /// What becomes of the results.
    #[command(flatten)]
    pub kept: ResultArgs,
    /// What to vary.
    #[command(flatten)]
    pub axes: AxesArgs,
    /// How trials are kept apart.
    #[command(flatten)]
    pub isolation: IsolationArgs,
    /// Which tests of it.
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
    /// The suite.
    #[command(flatten)]
    pub suite: SuiteArgs,
}

/// `jostle replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Judge, shrink and explain what fails; for a log that is always done
    #[arg(long)]
    pub shrink: bool,
    /// How far to explain what fails, with --shrink or of a log [default: fix]
    #[arg(long, value_name = "HOW", help_heading = "Results")]
    pub(crate) explain: Option<ExplainArg>,
    /// Which plan, and how it is run; last, as clap has the heading within it go on after it.
    #[command(flatten)]
    pub(crate) plan: PlanAgainArgs,
}

/// `jostle explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// How far to explain what fails
    #[arg(long, value_name = "HOW", help_heading = "Results", default_value = "fix")]
    pub(crate) explain: ExplainArg,
    /// A place of state to watch besides all that is watched anyway, as module:attribute; may be given several times.
    /// [tool.jostle.state] has such places for good, and those behind a getter and a setter
    #[arg(long, value_name = "PLACE")]
    pub(crate) watch: Vec<String>,
    /// Which plan, and how it is run; last, as clap has the heading within it go on after it.
    #[command(flatten)]
    pub(crate) plan: PlanAgainArgs,
}

/// A plan that is run again.
#[derive(Debug, Args)]
pub(crate) struct PlanAgainArgs {
    /// SEED:INDEX, SEED:INDEX:FINGERPRINT, a failure file, or the log of a run that was not jostle's:
    /// what `pytest -v` or `pytest -n 4 -v` printed, a JUnit XML file, or a log with pytest-randomly's
    /// seed; `-` reads it from standard input
    ///
    /// `jostle explain` takes the name of a kind as well, such as victim, and prints what the book says of it
    pub token: String,
    /// How many times to run the plan [default: 1, for a log 3]
    #[arg(long, value_name = "K", value_parser = whole::<u32>(1, 1_000_000), allow_negative_numbers = true)]
    pub times: Option<u32>,
    /// The page.
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// What the session varied; must be as it was.
    #[command(flatten)]
    pub axes: AxesArgs,
    /// How trials are kept apart.
    #[command(flatten)]
    pub isolation: IsolationArgs,
    /// The suite.
    #[command(flatten)]
    pub suite: SuiteArgs,
}

/// `jostle fix`.
#[derive(Debug, Args)]
pub struct FixArgs {
    /// Failure files, or folders of them [default: the fixes of the last session in this folder]
    #[arg(value_name = "FAILURE")]
    pub failures: Vec<PathBuf>,
    /// Only show them, and say whether they can be applied
    #[arg(long, conflicts_with = "yes")]
    pub check: bool,
    /// Apply all of them, without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Change files that git could not bring back as they are
    #[arg(long)]
    pub allow_dirty: bool,
    /// The folder that pytest is run in [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub rootdir: Option<PathBuf>,
}

/// `jostle verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Failure files, or folders of them [default: the folder of `failures` in [tool.jostle], else what the last
    /// session in this folder found]
    #[arg(value_name = "FAILURE")]
    pub failures: Vec<PathBuf>,
    /// How sure the verdict is to be, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0)]
    pub confidence: f64,
    /// How many runs each failure may take in each of its stages: its own plan, the original one and
    /// plans near it, of which at least 12 are run
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Demand that every failure is still there, as a test for the test before the fix
    #[arg(long)]
    pub(crate) require_fail: bool,
    /// The page.
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// How trials are kept apart.
    #[command(flatten)]
    pub isolation: IsolationArgs,
    /// The suite.
    #[command(flatten)]
    pub suite: SuiteArgs,
}

/// `jostle collect`.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// How trials are kept apart.
    #[command(flatten)]
    pub isolation: IsolationArgs,
    /// Which tests of it.
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
    /// The suite.
    #[command(flatten)]
    pub suite: SuiteArgs,
}

/// `jostle doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// How trials are kept apart.
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
    /// Which tests of it.
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
    /// The suite.
    #[command(flatten)]
    pub(crate) suite: SuiteArgs,
}

/// `jostle conflicts`.
#[derive(Debug, Args)]
pub struct ConflictsArgs {
    /// The page.
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// How trials are kept apart.
    #[command(flatten)]
    pub isolation: IsolationArgs,
    /// Which tests of it.
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
    /// The suite.
    #[command(flatten)]
    pub suite: SuiteArgs,
}

/// `jostle leaks`.
#[derive(Debug, Args)]
pub struct LeaksArgs {
    /// Fail only for what is not in this file, which --write-baseline wrote, and say what of it is gone
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) baseline: Option<PathBuf>,
    /// Write who leaves what to a file, for --baseline, and do not fail for it
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) write_baseline: Option<PathBuf>,
    /// How far to explain what hurts [default: fix]
    #[arg(long, value_name = "HOW", help_heading = "Results", hide_short_help = true)]
    pub(crate) explain: Option<LeaksExplainArg>,
    /// Write the fixes that were found and tried
    ///
    /// A folder gets patches to be applied one after the other, a file one patch with all
    #[arg(long, value_name = "PATH", help_heading = "Results")]
    pub(crate) write_fix: Option<PathBuf>,
    /// Write the results as JUnit XML, as Jenkins, GitLab and others show it
    #[arg(long, value_name = "FILE", help_heading = "Results", hide_short_help = true)]
    pub(crate) junit: Option<PathBuf>,
    /// Write what is left as a code quality report of GitLab's
    #[arg(long, value_name = "FILE", help_heading = "Results", hide_short_help = true)]
    pub(crate) code_quality: Option<PathBuf>,
    /// How trials are kept apart.
    #[command(flatten)]
    pub(crate) isolation: IsolationArgs,
    /// Which tests of it.
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
    /// The suite.
    #[command(flatten)]
    pub(crate) suite: SuiteArgs,
}

/// `jostle plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The seed: a number, `date` or `run-id`
    #[arg(long, allow_negative_numbers = true)]
    pub seed: SeedFrom,
    /// The trial, from 0
    #[arg(long, value_parser = whole::<u64>(0, u64::MAX), allow_negative_numbers = true, required_unless_present = "out")]
    pub index: Option<u64>,
    /// Write the plan of a night to this file, for `jostle stress --plan FILE --shard K/N`
    #[arg(long, value_name = "FILE", conflicts_with = "index", requires = "trials")]
    pub out: Option<PathBuf>,
    /// How many trials the night has
    #[arg(long, value_name = "N", value_parser = whole::<u64>(1, 1_000_000), requires = "out", conflicts_with = "index")]
    pub trials: Option<u64>,
    /// How many shards it is to be split into, for engines that do not tell their jobs
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 100_000), requires = "out", conflicts_with = "index")]
    pub shards: Option<u32>,
    /// What to vary.
    #[command(flatten)]
    pub axes: AxesArgs,
    /// How trials are kept apart.
    #[command(flatten)]
    pub isolation: IsolationArgs,
    /// Which tests of it.
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
    /// The suite.
    #[command(flatten)]
    pub suite: SuiteArgs,
}

/// `jostle merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Folders of results that `jostle stress --plan FILE --shard K/N` wrote
    #[arg(value_name = "DIR", required = true)]
    pub results: Vec<PathBuf>,
    /// The plan of the night
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// How far to explain what is found [default: fix]
    #[arg(long, value_name = "HOW", help_heading = "Results")]
    pub(crate) explain: Option<ExplainArg>,
    /// What becomes of the results.
    #[command(flatten)]
    pub kept: ResultArgs,
    /// How trials are kept apart.
    #[command(flatten)]
    pub isolation: IsolationArgs,
    /// The suite.
    #[command(flatten)]
    pub suite: SuiteArgs,
}

/// `jostle history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Say of this test only how often it failed in each session
    #[arg(value_name = "TEST")]
    pub test: Option<String>,
    /// The folder that `jostle stress --history DIR` keeps its sessions in
    #[arg(long, value_name = "DIR")]
    pub history: Option<PathBuf>,
    /// Make the index over the sessions anew, from their files
    #[arg(long)]
    pub rebuild: bool,
    /// How many of the slowest tests to list
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = whole::<u32>(0, 100_000), allow_negative_numbers = true)]
    pub slowest: u32,
    /// The folder of the suite, whose configuration is read [default: the current one]
    #[arg(long, value_name = "DIR", help_heading = "The suite")]
    pub rootdir: Option<PathBuf>,
    /// Take the settings of [tool.jostle.profile.NAME]
    #[arg(long, value_name = "NAME", help_heading = "The suite")]
    pub profile: Option<String>,
    /// Write the results as JSON, to a file or (-) to standard output
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-", require_equals = true, help_heading = "Results")]
    pub json: Option<String>,
    /// The page.
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

/// `jostle speedup`.
#[derive(Debug, Args)]
pub struct SpeedupArgs {
    /// Numbers of workers; `auto` is the number of cores; 1 is always measured, without pytest-xdist
    /// [default: 1,2,4,auto]
    #[arg(
        short = 'n',
        long,
        alias = "numprocesses",
        value_name = "N,…",
        value_delimiter = ',',
        allow_negative_numbers = true,
        help_heading = "What is varied"
    )]
    pub workers: Option<Vec<String>>,
    /// pytest-xdist's modes [default: load,loadscope,loadfile,worksteal]
    #[arg(long, value_name = "MODE,…", value_delimiter = ',', help_heading = "What is varied")]
    pub dist: Option<Vec<DistArg>>,
    /// How many times to run each combination; they take turns
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = whole::<u32>(1, 1000), allow_negative_numbers = true)]
    pub rounds: u32,
    /// Write the times to a file, for --baseline
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Compare with the times in a file written by --save
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The page.
    #[command(flatten)]
    pub(crate) page: PageArgs,
    /// Which tests of it.
    #[command(flatten)]
    pub(crate) chosen: ChosenArgs,
    /// The suite. A run counts as a trial for --trial-timeout; --test-timeout does not apply.
    #[command(flatten)]
    pub suite: SuiteArgs,
}

/// `jostle demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The seed
    #[arg(long, default_value_t = 1, value_parser = whole::<u64>(0, u64::MAX), allow_negative_numbers = true)]
    pub seed: u64,
    /// The Python to use [default: $VIRTUAL_ENV, else .venv, else jostle's own environment, else python3]
    #[arg(long, value_name = "PATH")]
    pub python: Option<PathBuf>,
    /// Keep the suite in a new folder, to replay what was found, or to mend it and run jostle on it again
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// `jostle completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    pub shell: clap_complete::Shell,
}

/// `jostle man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Of which command [default: of all]
    pub command: Option<String>,
}
