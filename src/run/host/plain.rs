//! Plain pytest: in the surroundings of a trial, or in its user's.

use std::process::Command;
use std::time::Duration;

use crate::run::RunError;
use crate::run::engine::Surroundings;
use crate::run::host::PytestHost;
use crate::run::process::plain::{self, PlainRun};
use crate::run::sandbox::listening_sockets;
use crate::run::site::trial_env::{BaseEnv, Sandboxing, TrialEnv};

/// What is for the try only: a summary that names what failed and what passed, in plain letters.
const SUMMARY: [&str; 2] = ["-rfEsxXp", "--color=no"];
/// A shell as pytest's parent, as its users have one. In a sandbox there is none else: the first process there ignores
/// signals, and has a number that no user ever sees.
const SHELL: [&str; 4] = ["/bin/sh", "-c", "\"$@\"; exit $?", "sh"];

impl PytestHost {
    /// Runs plain pytest, as [`PlainPytest::plain`](crate::run::engine::PlainPytest::plain) says.
    ///
    /// # Errors
    /// pytest could not be run at all, or the run was interrupted.
    pub(crate) fn plain(
        &self,
        arguments: &[String],
        surroundings: Surroundings,
    ) -> Result<Option<(String, PlainRun)>, RunError> {
        let sandboxing = self.options.sandboxing.as_ref();
        let base = match (surroundings, sandboxing) {
            (Surroundings::UsersVariables, None) => return Ok(None),
            // Servers of the user's own are not for trials that have theirs.
            (Surroundings::Users, Some(_)) if self.has_services() => None,
            (Surroundings::Users, Some(sandboxing)) => match self.users_base(sandboxing) {
                Some(base) => Some(base),
                None => return Ok(None),
            },
            _ => None,
        };
        let site = self.site_on(base.as_ref())?;
        let named = arguments.iter().filter(|argument| !argument.starts_with('-')).count();
        let arguments: Vec<&String> = self.options_of_suite().chain(arguments).collect();
        let (command, prefix) = match surroundings {
            Surroundings::Trial { hash_seed } => self.as_a_trial(&site, &arguments, hash_seed),
            Surroundings::UsersVariables | Surroundings::Users => {
                (self.as_a_user(&site, &arguments), String::new())
            }
        };
        let limit = match surroundings {
            Surroundings::Trial { .. } => self.options.test_timeout * 2,
            _ => self.options.test_timeout * u32::try_from(named.saturating_add(1)).unwrap_or(u32::MAX),
        };
        let run = self.run_plain(command, &site, limit)?;
        self.services_of(&site)?;
        let python = self.options.python.path.to_string_lossy();
        let words = [&*python, "-m", "pytest"].into_iter().chain(arguments.iter().map(|word| word.as_str()));
        Ok(shlex::try_join(words).ok().map(|line| (prefix + &line, run)))
    }

    fn run_plain(&self, command: Command, site: &TrialEnv, limit: Duration) -> Result<PlainRun, RunError> {
        let limit = limit.min(self.limit());
        plain::run(command, site.place(), self.options.memory, limit, &self.options.interrupt)
    }

    /// pytest with the variables of a trial, and what is before the command where a user types it.
    fn as_a_trial(
        &self,
        site: &TrialEnv,
        arguments: &[&String],
        hash_seed: Option<u32>,
    ) -> (Command, String) {
        let mut command = self.plain_command(&site.path);
        command.args(arguments);
        // What is only for the try: a wide summary of what failed, and no cache in the user's project.
        let own = std::env::var("PYTEST_ADDOPTS").unwrap_or_default();
        let cache = site.path.join("cache");
        let added = format!("{own} -rfE --color=no -o cache_dir={}", cache.display());
        command.env("PYTEST_ADDOPTS", added);
        command.env("COLUMNS", "4000");
        let Some(hash_seed) = hash_seed else { return (command, String::new()) };
        command.env("PYTHONHASHSEED", hash_seed.to_string());
        (command, format!("PYTHONHASHSEED={hash_seed} "))
    }

    /// pytest with the user's own variables. Without a sandbox it leaves nothing in his project and home that a
    /// trial would not.
    fn as_a_user(&self, site: &TrialEnv, arguments: &[&String]) -> Command {
        let python = self.options.python.path.as_os_str();
        let mut command = if site.sandbox().is_some() {
            let mut shell = Command::new(SHELL[0]);
            shell.args(&SHELL[1..]).arg(python);
            shell
        } else {
            Command::new(python)
        };
        command
            .args(["-m", "pytest"])
            .args(arguments)
            .args(SUMMARY)
            .current_dir(&self.options.invocation_dir);
        // It is set where jostle itself is run by a test.
        command.env_remove("PYTEST_CURRENT_TEST");
        if site.sandbox().is_none() {
            let cache = format!("cache_dir={}", site.path.join("cache").display());
            command.args(["-o", &cache, "--basetemp"]).arg(site.path.join("base"));
            self.keep_out(&mut command, &site.path);
        }
        command
    }

    /// The machine as its user sees it, with files that are thrown away. Nothing if there can be none.
    fn users_base(&self, sandboxing: &Sandboxing) -> Option<BaseEnv> {
        let open = sandboxing.as_on_the_machine()?;
        let with_sockets =
            Sandboxing { share: [&*open.share, &listening_sockets()].concat(), ..open.clone() };
        // A socket may be gone by the time that it is shown.
        [with_sockets, open].iter().find_map(|open| BaseEnv::new(&self.workspace, Some(open)).ok())
    }
}
