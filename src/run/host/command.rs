//! The command that starts pytest, in the surroundings of a trial.

use std::path::Path;
use std::process::Command;

use crate::run::host::PytestHost;

/// Variables of other tools that would make pytest print, measure or record.
const REMOVED: [&str; 7] = [
    "GITHUB_ACTIONS",
    "COV_CORE_SOURCE",
    "COV_CORE_CONFIG",
    "COV_CORE_DATAFILE",
    "COVERAGE_PROCESS_START",
    "PYTHONDONTWRITEBYTECODE",
    "PYTEST_CURRENT_TEST",
];

impl PytestHost {
    /// The command that runs pytest for a trial.
    pub(crate) fn command(&self, folder: &Path, hash_seed: u32) -> Command {
        self.command_with("jostle_harness.plugin", folder, hash_seed)
    }

    /// The command that runs pytest with a plugin of the harness.
    pub(crate) fn command_with(&self, plugin: &str, folder: &Path, hash_seed: u32) -> Command {
        let mut command = self.plain_command(folder);
        // An ini option can be overridden on the command line only: later than that it has been read.
        let cache = format!("cache_dir={}", folder.join("cache").display());
        command.args(["-p", plugin, "-o", &cache]).args(&self.options.pytest_args);
        command.env("PYTHONHASHSEED", hash_seed.to_string());
        let mut path = self.harness.clone().into_os_string();
        if let Some(rest) = std::env::var_os("PYTHONPATH").filter(|rest| !rest.is_empty()) {
            path.push(":");
            path.push(rest);
        }
        command.env("PYTHONPATH", path);
        command
    }

    /// `python -m pytest` in the suite's folder, in the surroundings of a trial.
    pub(crate) fn plain_command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.options.python.path);
        command.args(["-m", "pytest"]).current_dir(&self.options.invocation_dir);
        for name in REMOVED {
            command.env_remove(name);
        }
        command.env("TMPDIR", folder.join("tmp"));
        self.keep_out(&mut command, folder);
        command
    }

    /// Keeps what tools write for themselves out of the user's project, and without a sandbox out of his home.
    pub(crate) fn keep_out(&self, command: &mut Command, folder: &Path) {
        if self.options.sandboxing.is_none() && folder.join("home").is_dir() {
            command.env("HOME", folder.join("home"));
        }
        // Examples that failed are tried first the next time: no trial may learn from another.
        command.env("HYPOTHESIS_STORAGE_DIRECTORY", folder.join("hypothesis"));
        // Bytecode is kept between trials.
        command.env("PYTHONPYCACHEPREFIX", &self.pycache);
    }

    /// The suite's own options: what the user gave to pytest, without the paths.
    pub(crate) fn options_of_suite(&self) -> impl Iterator<Item = &String> {
        let is_path = |argument: &str| {
            let path = argument.split("::").next().unwrap_or(argument);
            !argument.starts_with('-') && self.options.invocation_dir.join(path).exists()
        };
        self.options.pytest_args.iter().filter(move |argument| !is_path(argument))
    }
}
