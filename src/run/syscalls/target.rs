//! A thread that has made a call and waits: its memory, its folders and its descriptors.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_type;
use rustix::net::{SocketAddrUnix, getpeername};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// Longer paths the kernel does not take; what the harness says may be as long.
const MOST: usize = 1 << 14;
/// Memory is read up to the end of such a page at first, as the next may not be there.
const PAGE: u64 = 4096;
/// What is sent at once and is longer is not looked at.
const MOST_SENT: u64 = 1 << 24;

/// Where a socket is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Port(IpAddr, u16),
    Socket(PathBuf),
}

/// A thread, by its number on the host.
#[derive(Debug)]
pub(super) struct Target {
    /// Its number.
    pub(super) thread: i32,
}

impl Target {
    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.thread))
    }

    /// So many bytes of its memory.
    pub(super) fn bytes<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        File::open(self.proc("mem")).ok()?.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }

    /// A stretch of its memory.
    pub(super) fn memory(&self, at: u64, length: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).ok().filter(|_| length <= MOST_SENT)?];
        File::open(self.proc("mem")).ok()?.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }

    /// The bytes of its memory up to a zero.
    pub(super) fn text(&self, at: u64) -> Option<OsString> {
        let memory = File::open(self.proc("mem")).ok()?;
        let mut text = Vec::new();
        while text.len() < MOST {
            let from = at + text.len() as u64;
            let mut piece = vec![0; (PAGE - from % PAGE) as usize];
            memory.read_exact_at(&mut piece, from).ok()?;
            if let Some(end) = piece.iter().position(|&byte| byte == 0) {
                text.extend(&piece[..end]);
                return Some(OsString::from_vec(text));
            }
            text.extend(piece);
        }
        None
    }

    /// What one of its descriptors leads to.
    pub(super) fn descriptor(&self, number: i32) -> Option<PathBuf> {
        let path = fs::read_link(self.proc(&format!("fd/{number}"))).ok()?;
        path.is_absolute().then_some(path)
    }

    /// A path as it stands for this thread, made absolute; relative to an open folder, or to its own.
    pub(super) fn absolute(&self, folder: i32, path: &Path) -> Option<PathBuf> {
        if path.is_absolute() {
            return Some(path.to_owned());
        }
        let folder = if folder == libc::AT_FDCWD {
            fs::read_link(self.proc("cwd")).ok()
        } else {
            self.descriptor(folder)
        };
        if path.as_os_str().is_empty() { folder } else { Some(folder?.join(path)) }
    }

    /// Whether there is something at an absolute path, as this thread sees it.
    pub(super) fn exists(&self, path: &Path) -> bool {
        let inside = path.strip_prefix("/").unwrap_or(path);
        self.proc("root").join(inside).symlink_metadata().is_ok()
    }

    /// The process it belongs to.
    pub(super) fn process(&self) -> Option<i32> {
        let status = fs::read_to_string(self.proc("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
    }

    /// The name of its program, or what that calls itself.
    pub(super) fn program(&self) -> Option<String> {
        Some(fs::read_to_string(self.proc("comm")).ok()?.trim_end().to_owned())
    }

    /// The kind of one of its sockets, as the kernel numbers them: 1 for a stream, 2 for datagrams.
    pub(super) fn kind_of_socket(&self, number: i32) -> Option<u32> {
        socket_type(self.opened(number)?).ok().map(|kind| kind.as_raw())
    }

    /// What tells a descriptor's socket from all others that are open, if it is one.
    pub(super) fn socket(&self, number: i32) -> Option<OsString> {
        let name = fs::read_link(self.proc(&format!("fd/{number}"))).ok()?.into_os_string();
        name.as_bytes().starts_with(b"socket:").then_some(name)
    }

    /// All that it has open, by what tells sockets from each other.
    pub(super) fn opens(&self) -> BTreeSet<OsString> {
        let listed = fs::read_dir(self.proc("fd")).into_iter().flatten().flatten();
        listed.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.into_os_string())).collect()
    }

    /// Where one of its sockets is connected to.
    pub(super) fn peer(&self, number: i32) -> Option<Peer> {
        let address = getpeername(self.opened(number)?).ok()??;
        if let Ok(address) = SocketAddr::try_from(address.clone()) {
            return Some(Peer::Port(address.ip().to_canonical(), address.port()));
        }
        let address = SocketAddrUnix::try_from(address).ok()?;
        Some(Peer::Socket(PathBuf::from(OsStr::from_bytes(address.path_bytes()?))))
    }

    /// A descriptor of ours for one of its own.
    fn opened(&self, number: i32) -> Option<OwnedFd> {
        let process = pidfd_open(Pid::from_raw(self.process()?)?, PidfdFlags::empty()).ok()?;
        pidfd_getfd(process.as_fd(), number, PidfdGetfdFlags::empty()).ok()
    }
}
