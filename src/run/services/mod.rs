//! Servers of the trials' own. Each is made ready once, while jostle starts: what it keeps by then stands in a folder that
//! every sandbox shows, copy-on-write. In each trial's sandbox one is started on that, at the address the suite already uses,
//! and is gone with the sandbox, with all that was written.

pub mod settings;
mod binaries;
mod postgres;
mod redis;
mod copying;
mod on_host;
mod reset;
mod preparing;
mod running;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::process::Signal;

pub(crate) use preparing::{Place, Unready};
pub use reset::Reset;
pub(crate) use running::{Ended, Running};

use copying::Copied;

use crate::plan::schedule::Resource;
use crate::run::protocol::Server;

/// All services of a suite.
#[derive(Debug, Default)]
pub struct Services {
    all: Vec<Service>,
    /// Those whose state can be looked at, as far as they are known before they are ready.
    servers: Vec<Server>,
    /// What they are once they are.
    made: OnceLock<Made>,
}

/// Services that are ready.
#[derive(Debug)]
struct Made {
    /// The folder that holds what each keeps.
    folder: PathBuf,
    /// Those whose state can be looked at.
    servers: Vec<Server>,
}

impl Services {
    /// These, none of which is ready yet.
    pub fn new(all: Vec<Service>) -> Self {
        let servers = all.iter().filter_map(|service| service.server.clone()).collect();
        Self { all, servers, made: OnceLock::new() }
    }

    /// Those whose state can be looked at.
    pub(crate) fn servers(&self) -> &[Server] {
        self.made.get().map_or(&self.servers, |made| &made.servers)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The folder that sandboxes have to show.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.made.get().map(|made| made.folder.as_path())
    }

    /// Where they are, as resources are named.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        self.all.iter().flat_map(|service| service.resources.clone()).collect()
    }
}

/// A server of the trials' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What the settings call it.
    name: String,
    /// The folder of the settings, where it is started.
    folder: PathBuf,
    /// What makes its folder, before it is started for the first time.
    make: Vec<Step>,
    /// What starts it to be made ready, in the foreground.
    prepared_by: Step,
    /// What starts it in a trial, in the foreground.
    run: Step,
    /// When it is up.
    ready: Ready,
    /// A database that it starts with.
    copied: Option<Copied>,
    /// What is run once, with it up.
    prepare: Vec<String>,
    /// Variables of these.
    variables: Vec<(OsString, OsString)>,
    /// Where its programs are, for those that `prepare` names.
    programs: Option<PathBuf>,
    /// How it is told to end in good order.
    stop: Stop,
    /// A folder whose copy its own folder starts with.
    data: Option<PathBuf>,
    /// The file in its folder by which it says that it is up.
    says_up: Option<&'static str>,
    /// Whether it refuses to run as root.
    refuses_root: bool,
    /// What says how many connections it gives at once, where it is not up.
    tells_connections: Option<Step>,
    /// A folder that it makes a socket in.
    socket: Option<PathBuf>,
    /// Where it is, as resources are named.
    resources: Vec<Resource>,
    /// How its state is looked at, if it can be.
    server: Option<Server>,
}

/// How a server is told to end in good order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Interrupt,
    Terminate,
}

impl Stop {
    fn signal(self) -> Signal {
        match self {
            Self::Interrupt => Signal::INT,
            Self::Terminate => Signal::TERM,
        }
    }
}

/// A program to be run, with what it is told on standard input. `{data}` stands for the service's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Step {
    program: OsString,
    arguments: Vec<String>,
    input: String,
}

impl Service {
    /// The names of two services of which one would take the address of the other.
    pub(crate) fn at_one_address(services: &[Self]) -> Option<(&str, &str)> {
        let mut pairs = services
            .iter()
            .enumerate()
            .flat_map(|(at, one)| services[at + 1..].iter().map(move |other| (one, other)));
        let clash = pairs
            .find(|(one, other)| one.resources.iter().any(|resource| other.resources.contains(resource)));
        clash.map(|(one, other)| (one.name.as_str(), other.name.as_str()))
    }
}

impl Step {
    fn new(program: impl Into<OsString>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Self { program: program.into(), arguments, input: String::new() }
    }

    fn shell(line: &str) -> Self {
        Self::new("/bin/sh", &["-c", line])
    }
}

/// When a server is up.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Ready {
    /// A port accepts.
    Port(IpAddr, u16),
    /// What listens on a port answers so to what it is asked.
    Answer(IpAddr, u16, &'static str, &'static str),
    /// A file is there, and holds this word.
    File(String, Option<&'static str>),
    /// A command exits with 0.
    Command(String),
}

fn with_data(text: &str, data: &Path) -> String {
    text.replace("{data}", &data.to_string_lossy())
}
