//! Servers that stay outside of the trials, and what puts them back before each.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::on_host;
use super::settings::{Preset, ServiceSettings, has_none_of};
use crate::plan::schedule::Resource;
use crate::race::servers::Listening;
use crate::run::RunError;
use crate::run::process::interrupt::Interrupt;

/// A server that trials share, with the command that puts it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// What the settings call it.
    name: String,
    /// The command.
    line: String,
    /// Where it is run.
    folder: PathBuf,
    /// The folder of the suite's Python, whose programs it finds first.
    programs: Option<PathBuf>,
    /// Where the server is, as resources are named, if on this machine.
    at: Option<Resource>,
    /// A socket that trials have to see.
    pub(crate) socket: Option<PathBuf>,
}

impl Reset {
    /// A server by its settings, if these have a command that resets it. `folder` is where that is run, with the programs of
    /// the suite's Python.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(
        name: &str,
        settings: &ServiceSettings,
        folder: &Path,
        python: &Path,
    ) -> Result<Option<Self>, String> {
        let Some(line) = &settings.reset else { return Ok(None) };
        has_none_of(
            &[
                ("command", settings.command.is_some()),
                ("ready", settings.ready.is_some()),
                ("data", settings.data.is_some()),
                ("from", settings.from.is_some()),
                ("prepare", !settings.prepare.is_empty()),
                ("databases", settings.databases.is_some()),
                ("user", settings.user.is_some()),
            ],
            "a server that stays outside of the trials and is put back by `reset`",
        )?;
        if line.trim().is_empty() {
            return Err("reset is empty: give the command that puts the server back".into());
        }
        let preset = Preset::of(name, settings)?;
        let port = settings.port.or(preset.map(Preset::port));
        let socket = settings.socket.as_ref().map(|path| match preset {
            Some(Preset::Postgres) => path.join(format!(".s.PGSQL.{}", port.unwrap_or_default())),
            _ => path.clone(),
        });
        let at = match &socket {
            Some(path) => Some(Resource(format!("file:{}", path.display()))),
            None => port.map(|port| Resource(format!("port:tcp {port}"))),
        };
        let programs = python.parent().map(Path::to_owned).filter(|bin| bin.is_absolute());
        Ok(Some(Self {
            name: name.to_owned(),
            line: line.clone(),
            folder: folder.to_owned(),
            programs,
            at,
            socket,
        }))
    }

    /// Where the server is, as who looks for servers of the machine names it; one that is elsewhere by its name in the settings.
    pub(crate) fn server(&self) -> Listening {
        let named = || Resource(self.named());
        Listening { resource: self.at.clone().unwrap_or_else(named), program: None, reached: true }
    }

    /// The server, as an error calls it.
    pub(crate) fn named(&self) -> String {
        format!("the server of [tool.jostle.services.{}]", self.name)
    }

    /// What the user should know.
    pub(crate) fn remark(&self) -> String {
        format!(
            "trials share {} and run one after the other: that they are kept apart rests on its reset, `{}`, which is run before each",
            self.named(),
            self.line
        )
    }

    /// Puts the server back.
    ///
    /// # Errors
    /// The command fails, does not end, or the user interrupts.
    pub(crate) fn run(&self, interrupt: &Interrupt) -> Result<(), RunError> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.line).current_dir(&self.folder);
        if let Some(programs) = &self.programs {
            let others = std::env::var_os("PATH").unwrap_or_default();
            let all = std::iter::once(programs.clone()).chain(std::env::split_paths(&others));
            command.envs(std::env::join_paths(all).ok().map(|path| ("PATH", path)));
        }
        on_host::run(&mut command, interrupt)?.map_err(|why| {
            RunError::Service(format!(
                "the service {}: its reset `{}` failed: {why}\nTrials cannot be kept apart without it: have it exit with 0 once the \
                 server is as it was at first",
                self.name, self.line
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, toml: &str) -> Result<Option<Reset>, String> {
        let settings: ServiceSettings = toml::from_str(toml).unwrap();
        Reset::new(name, &settings, Path::new("/shop"), Path::new("/env/bin/python"))
    }

    #[test]
    fn a_server_with_a_reset_is_known_by_its_address_and_one_elsewhere_by_its_name() {
        let rows = [
            ("postgres", "", "127.0.0.1:5432"),
            ("postgres", "port = 5433", "127.0.0.1:5433"),
            ("postgres", "socket = \"/run/pg\"", "/run/pg/.s.PGSQL.5432"),
            ("cache", "preset = \"redis\"", "127.0.0.1:6379"),
            ("cache", "preset = \"redis\"\nsocket = \"/run/redis.sock\"", "/run/redis.sock"),
            ("shop", "port = 8080", "127.0.0.1:8080"),
            ("shop", "", "the server of [tool.jostle.services.shop]"),
        ];
        for (name, more, at) in rows {
            let reset = of(name, &format!("reset = \"true\"\n{more}\n")).unwrap().unwrap();
            assert_eq!(reset.server().address(), at);
        }
        assert_eq!(of("postgres", "port = 5433"), Ok(None));
    }

    #[test]
    fn what_means_nothing_for_one_is_told() {
        let wrong = |toml: &str| of("shop", toml).unwrap_err();
        assert!(wrong("reset = \" \"").contains("reset is empty"));
        assert!(wrong("reset = \"true\"\ncommand = \"x\"").contains("`command` means nothing"));
        assert!(wrong("reset = \"true\"\nprepare = [\"x\"]").contains("`prepare` means nothing"));
        assert!(wrong("reset = \"true\"\npreset = \"mysql\"").contains("there is no preset `mysql`"));
    }

    #[test]
    fn a_reset_that_fails_says_what_it_said() {
        let reset = |line: &str| {
            let settings = ServiceSettings { reset: Some(line.into()), ..ServiceSettings::default() };
            let folder = std::env::temp_dir();
            Reset::new("shop", &settings, &folder, Path::new("/env/bin/python")).unwrap().unwrap()
        };
        assert!(reset("true").run(&Interrupt::default()).is_ok());
        let failed =
            reset("echo no such table >&2; exit 3").run(&Interrupt::default()).unwrap_err().to_string();
        assert!(failed.contains("failed: exit status: 3. It said:\n  no such table\n"), "{failed}");
    }
}
