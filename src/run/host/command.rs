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

    /// The suite's own options: what the user gave to pytest, without the paths and modules that name tests.
    pub(crate) fn options_of_suite(&self) -> impl Iterator<Item = &String> {
        let is_path = |argument: &str| {
            let path = argument.split("::").next().unwrap_or(argument);
            !argument.starts_with('-') && self.options.invocation_dir.join(path).exists()
        };
        let arguments = &self.options.pytest_args;
        let modules = named_modules(arguments);
        let is_expression = |at: usize| at > 0 && ["-k", "-m"].contains(&arguments[at - 1].as_str());
        let names_tests =
            move |at: usize| modules.contains(&at) || is_path(&arguments[at]) && !is_expression(at);
        let kept = move |(at, _): &(usize, &String)| !names_tests(*at);
        arguments.iter().enumerate().filter(kept).map(|(_, argument)| argument)
    }
}

/// The places of arguments that name modules whose tests are to be run, as they may with `--pyargs`. What follows an
/// option that may take it as its value is none.
fn named_modules(arguments: &[String]) -> Vec<usize> {
    if !arguments.iter().any(|argument| argument == "--pyargs") {
        return Vec::new();
    }
    let takes_no_value = |option: &str| {
        let letters = option.strip_prefix('-').unwrap_or_default();
        option == "--pyargs" || option.contains('=') || letters.chars().all(|letter| "qvsxl".contains(letter))
    };
    let is_value = |at: usize| {
        let before = at.checked_sub(1).map(|before| &arguments[before]);
        before.is_some_and(|before| before.starts_with('-') && !takes_no_value(before))
    };
    let is_module = |argument: &str| {
        let name = argument.split("::").next().unwrap_or_default();
        let is_name = |part: &str| {
            part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_')
        };
        name.split('.').all(is_name)
    };
    (0..arguments.len()).filter(|&at| is_module(&arguments[at]) && !is_value(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_told_from_values_of_options() {
        let modules = |line: &str| -> Vec<String> {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            named_modules(&words).into_iter().map(|at| words[at].clone()).collect()
        };
        assert_eq!(
            modules("-q --pyargs sympy.logic sympy.sets::test_a"),
            ["sympy.logic", "sympy.sets::test_a"]
        );
        assert_eq!(modules("--pyargs -p plugin -k expr --ds=a.b numpy -x scipy"), ["numpy", "scipy"]);
        assert_eq!(modules("tests --pyargs"), ["tests"]);
        assert_eq!(modules("numpy"), [""; 0], "a path without --pyargs");
    }
}
