//! A system call, and what it does to which resources, in the harness's words (`EVENTS` there).

use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use libc::seccomp_data;

use super::filter::Does;
use super::names::Names;
use super::target::Target;
use crate::plan::schedule::Resource;
use crate::race::Operation;
use crate::run::sandbox::own_addresses;

/// What SQLite keeps beside a database while it is changed.
const BESIDE_A_DATABASE: [&str; 3] = ["-journal", "-wal", "-shm"];
const WRITING: i32 = libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND;
/// What [`libc::O_TMPFILE`] has besides the flag for folders: such a file has no name.
const NAMELESS: i32 = libc::O_TMPFILE & !libc::O_DIRECTORY;

/// One thing that is done to one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) resource: Resource,
    pub(super) operation: Operation,
    pub(super) writes: bool,
    /// The first word of a statement that is sent to a server.
    pub(super) statement: Option<String>,
}

/// Reads the calls of one thread.
pub(super) struct Reader<'a> {
    pub(super) target: &'a Target,
    pub(super) names: &'a Names,
}

impl Reader<'_> {
    /// What a call does; nothing if it is nobody else's business, or cannot be read. Who unlocks gives up what
    /// it had, and whatever it does next is heard of again.
    pub(super) fn touches(&self, does: Does, data: &seccomp_data) -> Vec<Touch> {
        self.read(does, &data.args).unwrap_or_default()
    }

    fn read(&self, does: Does, args: &[u64; 6]) -> Option<Vec<Touch>> {
        let here = libc::AT_FDCWD;
        let path = |folder: i32, at: u64| self.path(folder, at);
        let number = |argument: usize| args[argument] as i32;
        Some(match does {
            Does::Open => self.opened(path(here, args[0])?, number(1)),
            Does::OpenAt => self.opened(path(number(0), args[1])?, number(2)),
            Does::OpenAtHow => {
                let flags = u64::from_ne_bytes(self.target.bytes(args[2])?);
                self.opened(path(number(0), args[1])?, flags as i32)
            }
            Does::Create => self.opened(path(here, args[0])?, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC),
            Does::Rename => self.renamed(path(here, args[0])?, path(here, args[1])?),
            Does::RenameAt => self.renamed(path(number(0), args[1])?, path(number(2), args[3])?),
            Does::Remove => self.entry(path(here, args[0])?, Operation::Remove),
            Does::RemoveFolder => self.entry(path(here, args[0])?, Operation::RemoveFolder),
            Does::RemoveAt => {
                let folder = number(2) & libc::AT_REMOVEDIR != 0;
                self.entry(
                    path(number(0), args[1])?,
                    if folder { Operation::RemoveFolder } else { Operation::Remove },
                )
            }
            Does::MakeFolder => self.made(path(here, args[0])?),
            Does::MakeFolderAt => self.made(path(number(0), args[1])?),
            Does::Link => self.entry(path(here, args[1])?, Operation::Link),
            Does::LinkAt => self.entry(path(number(2), args[3])?, Operation::Link),
            Does::SymlinkAt => self.entry(path(number(1), args[2])?, Operation::Link),
            Does::Truncate => self.file(&path(here, args[0])?, Operation::Truncate, true),
            Does::Flock => {
                let operation = number(1);
                if operation & libc::LOCK_UN != 0 {
                    return None;
                }
                self.file(
                    &self.target.descriptor(number(0))?,
                    Operation::Lock,
                    operation & libc::LOCK_SH == 0,
                )
            }
            Does::Fcntl => {
                let kind = i32::from(i16::from_ne_bytes(self.target.bytes(args[2])?));
                let call = match kind {
                    libc::F_RDLCK => Operation::LockToRead,
                    libc::F_WRLCK => Operation::LockToWrite,
                    _ => return None,
                };
                self.file(&self.target.descriptor(number(0))?, call, kind == libc::F_WRLCK)
            }
            Does::Bind => self.port(number(0), args[1], args[2], Operation::Bind, true)?,
            Does::Connect => self.port(number(0), args[1], args[2], Operation::ConnectTo, false)?,
            Does::Send
            | Does::SendMessage
            | Does::SendPieces
            | Does::Sleep
            | Does::SleepOnClock
            | Does::Mark => Vec::new(),
        })
    }

    /// The descriptor by which a call sends something, if it is one that does.
    pub(super) fn sends_by(does: Does, data: &seccomp_data) -> Option<i32> {
        matches!(does, Does::Send | Does::SendMessage | Does::SendPieces).then_some(data.args[0] as i32)
    }

    /// What a call sends. Nothing if it is too much, or cannot be read.
    pub(super) fn sent(&self, does: Does, data: &seccomp_data) -> Option<Vec<u8>> {
        let number = |bytes: [u8; 8]| u64::from_ne_bytes(bytes);
        let (pieces, count) = match does {
            Does::Send => return self.target.memory(data.args[1], data.args[2]),
            Does::SendPieces => (data.args[1], data.args[2]),
            // `struct msghdr`
            Does::SendMessage => {
                let at = |offset: u64| self.target.bytes(data.args[1] + offset).map(number);
                (at(16)?, at(24)?)
            }
            _ => return None,
        };
        let mut all = Vec::new();
        for piece in 0..count.min(MOST_PIECES) {
            // `struct iovec`
            let at = |offset: u64| self.target.bytes(pieces + 16 * piece + offset).map(number);
            all.extend(self.target.memory(at(0)?, at(8)?)?);
        }
        Some(all)
    }

    /// For how long a call sleeps, if it is one that does, on a clock that is known.
    pub(super) fn sleep(&self, does: Does, data: &seccomp_data) -> Option<Duration> {
        let (clock, flags, at) = match does {
            Does::Sleep => (libc::CLOCK_MONOTONIC, 0, data.args[0]),
            Does::SleepOnClock => (data.args[0] as i32, data.args[1] as i32, data.args[2]),
            _ => return None,
        };
        let time: [u8; 16] = self.target.bytes(at)?;
        let (seconds, nanoseconds) = time.split_at(8);
        let seconds = u64::try_from(i64::from_ne_bytes(seconds.try_into().ok()?)).ok()?;
        let nanoseconds = i64::from_ne_bytes(nanoseconds.try_into().ok()?);
        let wanted = Duration::new(seconds, u32::try_from(nanoseconds).ok()?);
        if flags & libc::TIMER_ABSTIME == 0 {
            return Some(wanted);
        }
        let clock = match clock {
            libc::CLOCK_MONOTONIC => rustix::time::ClockId::Monotonic,
            libc::CLOCK_REALTIME => rustix::time::ClockId::Realtime,
            _ => return None,
        };
        let now = Duration::try_from(rustix::time::clock_gettime(clock)).ok()?;
        Some(wanted.saturating_sub(now))
    }

    /// The words that the harness says by a call that has no other use.
    pub(super) fn mark(&self, does: Does, data: &seccomp_data) -> Option<String> {
        if does != Does::Mark {
            return None;
        }
        let said = self.target.text(data.args[1])?.into_string().ok()?;
        said.strip_prefix(MARK).map(str::to_owned)
    }

    fn path(&self, folder: i32, at: u64) -> Option<PathBuf> {
        self.target.absolute(folder, Path::new(&self.target.text(at)?))
    }

    fn opened(&self, path: PathBuf, flags: i32) -> Vec<Touch> {
        if flags & (libc::O_PATH | NAMELESS) != 0 {
            return Vec::new();
        }
        if flags & WRITING == 0 {
            return if flags & libc::O_DIRECTORY != 0 {
                let listing = self.names.of(&path).map(|name| format!("listing:{name}"));
                touch(listing, Operation::List, false)
            } else {
                self.file(&path, Operation::OpenToRead, false)
            };
        }
        if flags & libc::O_EXCL != 0 {
            return self.entry(path, Operation::Create);
        }
        let call = if flags & libc::O_APPEND != 0 { Operation::OpenToAppend } else { Operation::OpenToWrite };
        if flags & libc::O_CREAT != 0 && !self.target.exists(&path) {
            return self.entry(path, call);
        }
        self.file(&path, call, true)
    }

    fn renamed(&self, source: PathBuf, target: PathBuf) -> Vec<Touch> {
        [self.entry(target, Operation::RenameTo), self.entry(source, Operation::Rename)].concat()
    }

    fn made(&self, path: PathBuf) -> Vec<Touch> {
        if self.target.exists(&path) {
            self.file(&path, Operation::MakeFolder, true)
        } else {
            self.entry(path, Operation::MakeFolder)
        }
    }

    fn file(&self, path: &Path, operation: Operation, writes: bool) -> Vec<Touch> {
        let database = self.database(path);
        let name = self.names.of(database.as_deref().unwrap_or(path));
        touch(name.map(|name| format!("file:{name}")), operation, writes)
    }

    /// A change of what a folder lists, too.
    fn entry(&self, path: PathBuf, operation: Operation) -> Vec<Touch> {
        let mut touches = self.file(&path, operation, true);
        if self.database(&path).is_none()
            && let Some(first) = touches.first()
            && let Some((folder, _)) = first.resource.0.trim_start_matches("file:").rsplit_once('/')
        {
            let folder = if folder.is_empty() { "/" } else { folder };
            touches.extend(touch(Some(format!("listing:{folder}")), operation, true));
        }
        touches
    }

    /// The database that a file of SQLite's belongs to.
    fn database(&self, path: &Path) -> Option<PathBuf> {
        let bytes = path.as_os_str().as_bytes();
        let of = |end: &&str| bytes.strip_suffix(end.as_bytes());
        let database =
            PathBuf::from(std::ffi::OsString::from_vec(BESIDE_A_DATABASE.iter().find_map(of)?.to_vec()));
        self.target.exists(&database).then_some(database)
    }

    fn port(
        &self,
        socket: i32,
        at: u64,
        length: u64,
        operation: Operation,
        writes: bool,
    ) -> Option<Vec<Touch>> {
        let family = i32::from(u16::from_ne_bytes(self.target.bytes(at)?));
        if family == libc::AF_UNIX {
            let path = self.target.text(at + 2).filter(|path| length > 2 && !path.is_empty())?;
            let path = self.target.absolute(libc::AT_FDCWD, Path::new(&path))?;
            return Some(if writes {
                self.entry(path, operation)
            } else {
                self.file(&path, operation, writes)
            });
        }
        if family != libc::AF_INET && family != libc::AF_INET6 {
            return None;
        }
        let port = Some(u16::from_be_bytes(self.target.bytes(at + 2)?)).filter(|&port| port != 0)?;
        if operation == Operation::ConnectTo && !self.is_of_this_machine(family, at)? {
            return None;
        }
        let protocol = match self.target.kind_of_socket(socket)? {
            1 => "tcp".to_owned(),
            2 => "udp".to_owned(),
            other => other.to_string(),
        };
        Some(touch(Some(format!("port:{protocol} {port}")), operation, writes))
    }

    /// Whether an address leads to this machine: the ports of others are other resources.
    fn is_of_this_machine(&self, family: i32, at: u64) -> Option<bool> {
        let address = if family == libc::AF_INET {
            IpAddr::from(self.target.bytes::<4>(at + 4)?)
        } else {
            IpAddr::from(self.target.bytes::<16>(at + 8)?).to_canonical()
        };
        Some(address.is_loopback() || address.is_unspecified() || own_addresses().contains(&address))
    }
}

/// More pieces than these no call takes (`IOV_MAX`).
const MOST_PIECES: u64 = 1024;

/// What the harness's words begin with.
const MARK: &str = "jostle:";

fn touch(resource: Option<String>, operation: Operation, writes: bool) -> Vec<Touch> {
    resource
        .map(|resource| Touch { resource: Resource(resource), operation, writes, statement: None })
        .into_iter()
        .collect()
}
