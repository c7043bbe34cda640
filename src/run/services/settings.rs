//! What the user says of a service, and the service that follows from it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::copying::CopyFrom;
use super::{Ready, Service, Step, Stop, postgres, redis};
use crate::plan::schedule::Resource;

/// The table of a service, as it stands in the suite's settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServiceSettings {
    /// `postgres` or `redis`, if the service has another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) preset: Option<String>,
    /// What starts it, in the foreground.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<String>,
    /// `127.0.0.1:1025`, a path, or a command that exits with 0, once it is up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ready: Option<String>,
    /// A folder whose copy its own folder starts with, relative to the file of the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<PathBuf>,
    /// Of PostgreSQL: the URL of a database that it starts with a copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<CopyFrom>,
    /// Commands that are run once, with it up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) prepare: Vec<String>,
    /// What puts a server back that stays outside of the trials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reset: Option<String>,
    /// Of a preset, or of a server that stays outside: the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    /// Of a preset: the folder of its socket for PostgreSQL, the socket for Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) socket: Option<PathBuf>,
    /// Of PostgreSQL: the databases it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) databases: Option<Vec<String>>,
    /// Of PostgreSQL: its only user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
}

impl ServiceSettings {
    /// Whether it is a server that stays outside of the trials.
    pub(crate) fn stays_outside(&self) -> bool {
        self.reset.is_some()
    }
}

/// Services that need no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Preset {
    Postgres,
    Redis,
}

/// Their names.
const PRESETS: [(&str, Preset); 2] = [("postgres", Preset::Postgres), ("redis", Preset::Redis)];

impl Preset {
    /// The preset of a service's settings, or of its name if it has no command.
    ///
    /// # Errors
    /// There is no such preset.
    pub(super) fn of(name: &str, settings: &ServiceSettings) -> Result<Option<Self>, String> {
        let known = |name: &str| PRESETS.iter().find(|(known, _)| *known == name).map(|(_, preset)| *preset);
        match &settings.preset {
            Some(given) => known(given).map(Some).ok_or_else(|| {
                format!("there is no preset `{given}`: give {}, or a command", names_of_presets())
            }),
            None => Ok(known(name).filter(|_| settings.command.is_none())),
        }
    }

    /// Where such a server listens unless it is told otherwise.
    pub(super) fn port(self) -> u16 {
        match self {
            Self::Postgres => postgres::PORT,
            Self::Redis => redis::PORT,
        }
    }
}

fn names_of_presets() -> String {
    PRESETS.map(|(name, _)| name).join(" or ")
}

impl Service {
    /// A service by its settings. `folder` is where relative paths start, and `python` is the suite's, whose packages may
    /// bring a server.
    ///
    /// # Errors
    /// What is wrong with the settings, or which program is not to be found.
    pub fn new(name: &str, settings: &ServiceSettings, folder: &Path, python: &Path) -> Result<Self, String> {
        let preset = Preset::of(name, settings)?;
        let data = settings.data.as_ref().map(|path| existing(&folder.join(path))).transpose()?;
        match preset {
            Some(Preset::Postgres) => postgres::service(name, settings, data, folder, python),
            Some(Preset::Redis) => redis::service(name, settings, data, folder, python),
            None => general(name, settings, data, folder),
        }
    }
}

/// That settings of other services are not given.
pub(super) fn has_none_of(given: &[(&str, bool)], of: &str) -> Result<(), String> {
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((name, _)) => Err(format!("`{name}` means nothing for {of}: leave it out")),
        None => Ok(()),
    }
}

fn existing(path: &Path) -> Result<PathBuf, String> {
    let wrong = |why: &str| format!("data = {}: {why}. Give a folder that exists", path.display());
    let found = path.canonicalize().map_err(|error| wrong(&error.to_string()))?;
    if found.is_dir() { Ok(found) } else { Err(wrong("it is no folder")) }
}

fn general(
    name: &str,
    settings: &ServiceSettings,
    data: Option<PathBuf>,
    folder: &Path,
) -> Result<Service, String> {
    has_none_of(
        &[
            ("databases", settings.databases.is_some()),
            ("user", settings.user.is_some()),
            ("port", settings.port.is_some()),
            ("socket", settings.socket.is_some()),
            ("from", settings.from.is_some()),
        ],
        "a service with a command of its own",
    )?;
    let Some(command) = settings.command.as_deref().filter(|command| !command.trim().is_empty()) else {
        return Err(format!(
            "there is no command: give what starts the server in the foreground, or call the service {}",
            names_of_presets()
        ));
    };
    let Some(ready) = settings.ready.as_deref().filter(|ready| !ready.trim().is_empty()) else {
        return Err("there is no `ready`: give a port like 127.0.0.1:1025, a path that is there once the server is up, or a \
                    command that exits with 0 then"
            .into());
    };
    let (ready, resources) = ready_when(ready);
    let run = Step::shell(&in_the_foreground(command));
    Ok(Service {
        name: name.to_owned(),
        folder: folder.to_owned(),
        make: Vec::new(),
        prepared_by: run.clone(),
        run,
        ready,
        copied: None,
        prepare: settings.prepare.clone(),
        variables: Vec::new(),
        programs: None,
        stop: Stop::Terminate,
        data,
        says_up: None,
        refuses_root: false,
        tells_connections: None,
        socket: None,
        resources,
        server: None,
    })
}

/// A shell's line in which the server takes the shell's place, if it is one command: a shell that waits would take the signals
/// that are meant for the server.
fn in_the_foreground(line: &str) -> String {
    let sets_variable = line.split_whitespace().next().is_some_and(|first| first.contains('='));
    let is_one_command = !sets_variable && !line.contains([';', '&', '|', '(', '{', '\n']);
    if is_one_command { format!("exec {line}") } else { line.to_owned() }
}

/// What `ready` says, and the resource that it names.
fn ready_when(text: &str) -> (Ready, Vec<Resource>) {
    let text = text.trim();
    let address = text.rsplit_once(':').and_then(|(host, port)| {
        let host = match host.trim_matches(['[', ']']) {
            "" | "localhost" => IpAddr::from(Ipv4Addr::LOCALHOST),
            host => host.parse().ok()?,
        };
        Some((host, port.parse::<u16>().ok()?))
    });
    if let Some((host, port)) = address {
        return (Ready::Port(host, port), vec![Resource(format!("port:tcp {port}"))]);
    }
    if !text.contains(char::is_whitespace) && (text.starts_with('/') || text.starts_with("{data}/")) {
        return (Ready::File(text.to_owned(), None), vec![Resource(format!("file:{text}"))]);
    }
    (Ready::Command(text.to_owned()), Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, toml: &str) -> Result<Service, String> {
        let settings: ServiceSettings = toml::from_str(toml).map_err(|error| error.message().to_owned())?;
        Service::new(name, &settings, Path::new("/nowhere"), Path::new("/nowhere/bin/python"))
    }

    fn wrong(name: &str, toml: &str) -> String {
        of(name, toml).unwrap_err()
    }

    #[test]
    fn a_server_is_up_when_its_port_accepts_its_file_is_there_or_its_command_says_so() {
        let ready = |text: &str| ready_when(text).0;
        assert_eq!(ready("127.0.0.1:1025"), Ready::Port(Ipv4Addr::LOCALHOST.into(), 1025));
        assert_eq!(ready("localhost:1025"), Ready::Port(Ipv4Addr::LOCALHOST.into(), 1025));
        assert_eq!(ready("[::1]:1025"), Ready::Port("::1".parse().unwrap(), 1025));
        assert_eq!(ready("{data}/up"), Ready::File("{data}/up".into(), None));
        assert_eq!(ready("/run/x.sock"), Ready::File("/run/x.sock".into(), None));
        assert_eq!(ready("curl -f localhost:80/"), Ready::Command("curl -f localhost:80/".into()));
        let service = of("mail", "command = \"mailpit\"\nready = \"127.0.0.1:1025\"").unwrap();
        assert_eq!(service.run.arguments, ["-c", "exec mailpit"]);
        assert_eq!(service.resources, [Resource("port:tcp 1025".into())]);
    }

    #[test]
    fn what_is_wrong_with_a_service_is_told() {
        assert!(wrong("mail", "").contains("there is no command"));
        assert!(wrong("mail", "command = \"x\"").contains("there is no `ready`"));
        assert!(wrong("mail", "command = \"x\"\nready = \"y z\"\nport = 1").contains("`port` means nothing"));
        assert!(wrong("mail", "preset = \"mysql\"").contains("there is no preset `mysql`"));
        assert!(wrong("mail", "commands = \"x\"").contains("unknown field"));
        assert!(wrong("postgres", "databases = [\"a\\u0000b\"]").contains("no name of a database"));
        assert!(wrong("postgres", "databases = [\"a\"]\nready = \"x y\"").contains("`ready` means nothing"));
        assert!(
            wrong("mail", "command = \"x\"\nready = \"y z\"\ndata = \"missing\"")
                .contains("Give a folder that exists")
        );
    }

    #[test]
    fn a_server_takes_the_place_of_its_shell_where_its_line_is_one_command() {
        let rows = [
            ("mailpit --smtp 127.0.0.1:1025", "exec mailpit --smtp 127.0.0.1:1025"),
            ("DEBUG=1 mailpit", "DEBUG=1 mailpit"),
            ("cd srv && ./run", "cd srv && ./run"),
            ("make data; serve", "make data; serve"),
            ("serve --title a=b", "exec serve --title a=b"),
        ];
        for (line, shell) in rows {
            assert_eq!(in_the_foreground(line), shell);
        }
    }
}
