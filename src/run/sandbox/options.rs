//! What a sandbox is asked for, and what it tells.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a base, and every sandbox on top of it, is like.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Absolute paths below `/tmp`, `/var/tmp` or `/dev/shm` that must be visible, copy-on-write, though
    /// these folders are private. Others are ignored, since they are visible anyway.
    pub keep: Vec<PathBuf>,
    /// Absolute paths that are the host's own: what is written there stays.
    pub share: Vec<PathBuf>,
    /// Whose network it is.
    pub network: Network,
    /// How many bytes may be written in the base, and again in each sandbox on top, before ENOSPC. They
    /// are memory.
    pub disk: u64,
}

/// Which network a sandbox has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// A loopback interface of its own with 127.0.0.1 and ::1, and nothing else.
    Private,
    /// The host's.
    Host,
}

/// A process to start in a sandbox.
#[derive(Debug)]
pub struct SandboxedCommand {
    /// An absolute path, or a name to be looked up in the `PATH` of `env`.
    pub program: OsString,
    /// Its arguments, the program's name not among them.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
    /// Where it starts, as seen in the sandbox.
    pub cwd: PathBuf,
    /// What is to become which of its descriptors. Standard input, output and error are `/dev/null` if
    /// they are not named. A descriptor of a folder is a way out of the sandbox.
    pub fds: Vec<(OwnedFd, i32)>,
    /// How many bytes of private, writable memory each of its processes may have. It is `RLIMIT_DATA`:
    /// `RLIMIT_AS` would also count libraries, files mapped for reading and the address space that
    /// allocators merely reserve, and a control group, which would count resident memory, is not to be
    /// had without privilege.
    pub memory: Option<u64>,
    /// Whether it may enter the sandboxes on top of the base it lives in. Without privilege that takes
    /// `CAP_SYS_ADMIN` and `CAP_SYS_CHROOT` of the base's user namespace, which let it read or change no
    /// file it could not anyway. Whoever has entered should give them up.
    pub enters_layers: bool,
    /// The user and group it runs as, if not jostle's own. Only root may choose.
    pub user: Option<(u32, u32)>,
}

/// What a process of a sandbox's own waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Awaited {
    /// That a port accepts.
    Port(SocketAddr),
    /// That what listens on a port answers.
    Answer {
        /// The port.
        at: SocketAddr,
        /// What it is sent.
        asked: String,
        /// How its answer begins.
        answer: String,
    },
    /// That a file is there and, if a word is given, holds that.
    File {
        /// Its absolute path.
        path: PathBuf,
        /// The word.
        word: Option<String>,
    },
    /// That who listens on these ports has closed each connection whose other end is gone.
    Closed(Vec<u16>),
}

/// How a process in a sandbox ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It exited.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// Its sandbox ended, and so did it.
    SandboxEnded,
}

impl Default for SandboxOptions {
    /// Nothing kept or shared, a private network and one gibibyte.
    fn default() -> Self {
        Self { keep: Vec::new(), share: Vec::new(), network: Network::Private, disk: 1 << 30 }
    }
}

impl SandboxedCommand {
    /// A program without arguments, environment, descriptors or limit, started in `/`.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: PathBuf::from("/"),
            fds: Vec::new(),
            memory: None,
            enters_layers: false,
            user: None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(out, "exited with code {code}"),
            Self::Signal(signal) => match signal_hook::low_level::signal_name(*signal) {
                Some(name) => write!(out, "killed by signal {signal} ({name})"),
                None => write!(out, "killed by signal {signal}"),
            },
            Self::SandboxEnded => write!(out, "ended with its sandbox"),
        }
    }
}
