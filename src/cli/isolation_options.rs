//! How trials are kept apart: from the command line, `[tool.jostle]` and the defaults.

use std::path::{Path, PathBuf};

use bytesize::ByteSize;

use crate::cli::args::{IsolationArgs, NetworkArg, SandboxArg};
use crate::cli::options::SuiteOptions;
use crate::cli::values::{UsageError, cores, named_one};

/// `--disk`.
const DISK: ByteSize = ByteSize::gib(1);
/// The least memory that Python and pytest come up with.
const LEAST_MEMORY: ByteSize = ByteSize::mib(32);
/// The least that pytest's own files need.
const LEAST_DISK: ByteSize = ByteSize::mib(1);
/// More trials at once than any machine takes.
const MOST_JOBS: u32 = 256;

/// How trials are kept apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IsolationOptions {
    /// Whether sandboxes are used.
    pub sandbox: SandboxArg,
    /// Absolute paths that trials write to for good.
    pub share: Vec<PathBuf>,
    /// Whose network they use.
    pub network: NetworkArg,
    /// How many bytes each may write.
    pub disk: u64,
    /// How many bytes of memory each worker may use.
    pub memory: Option<u64>,
    /// How many workers run at once, over all trials.
    pub jobs: u32,
    /// Whether it is told what they leave behind in the project.
    pub(crate) report_leftovers: bool,
    /// Files and folders that jostle itself writes to while trials run, as absolute paths.
    pub(crate) own_files: Vec<PathBuf>,
}

impl IsolationOptions {
    /// Resolves the arguments.
    ///
    /// # Errors
    /// A value is wrong, or a path does not exist.
    pub fn new(args: &IsolationArgs, suite: &SuiteOptions) -> Result<Self, UsageError> {
        let config = &suite.config;
        let word = |word: &Option<String>, name| named_one(word.as_ref(), name);
        let given = if args.share.is_empty() {
            config.share.iter().flatten().map(|path| suite.folder.join(path)).collect()
        } else {
            args.share.clone()
        };
        let share = given.iter().map(|path| existing(path)).collect::<Result<_, _>>()?;
        let jobs = args.jobs.or(config.jobs).unwrap_or_else(cores);
        if !(1..=MOST_JOBS).contains(&jobs) {
            return Err(UsageError(format!("jobs = {jobs}: give a number from 1 to {MOST_JOBS}")));
        }
        let sandbox =
            args.sandbox.map_or_else(|| word(&config.sandbox, "sandbox"), |given| Ok(Some(given)))?;
        if let (Some(SandboxArg::Off), Some(option)) = (args.sandbox, of_sandboxes_only(args)) {
            return Err(UsageError(format!(
                "{option} has no effect with --sandbox off: leave one of the two out"
            )));
        }
        let network: Option<NetworkArg> = match args.network {
            Some(network) => Some(network),
            None => named_one(config.network.as_ref(), "network")?,
        };
        Ok(Self {
            sandbox: sandbox.unwrap_or_default(),
            share,
            network: network.unwrap_or_default(),
            disk: size(args.disk.as_ref().or(config.disk.as_ref()), "disk", LEAST_DISK)?
                .unwrap_or(DISK.as_u64()),
            memory: size(args.memory.as_ref().or(config.memory.as_ref()), "memory", LEAST_MEMORY)?,
            jobs,
            report_leftovers: args.report_leftovers || config.report_leftovers.unwrap_or(false),
            own_files: Vec::new(),
        })
    }

    /// The same, where jostle itself writes to these while trials run.
    #[must_use]
    pub(crate) fn writing_to<'a>(self, paths: impl IntoIterator<Item = &'a Path>) -> Self {
        // Without a working folder there is no project either.
        let own_files = paths.into_iter().filter_map(|path| std::path::absolute(path).ok()).collect();
        Self { own_files, ..self }
    }
}

/// An option that means nothing without sandboxes.
fn of_sandboxes_only(args: &IsolationArgs) -> Option<&'static str> {
    let share = (!args.share.is_empty()).then_some("--share");
    let others = [
        args.network.map(|_| "--network"),
        args.disk.as_ref().map(|_| "--disk"),
        args.jobs.map(|_| "--jobs"),
    ];
    share.or(others.into_iter().flatten().next())
}

fn existing(path: &Path) -> Result<PathBuf, UsageError> {
    path.canonicalize().map_err(|error| {
        UsageError(format!("--share {}: {error}. Give a file or folder that exists", path.display()))
    })
}

fn size(text: Option<&String>, name: &str, least: ByteSize) -> Result<Option<u64>, UsageError> {
    let Some(text) = text else {
        return Ok(None);
    };
    match text.parse::<ByteSize>() {
        Ok(size) if size >= least => Ok(Some(size.as_u64())),
        Ok(_) => Err(UsageError(format!("{name} = {text}: pytest needs {least} at least. Give more"))),
        Err(_) => Err(UsageError(format!("{name} = {text}: write a size like 512MiB or 2GiB"))),
    }
}
