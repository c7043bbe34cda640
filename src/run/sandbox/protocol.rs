//! What jostle, the keeper and the inits say to each other: a length and JSON over a stream socket,
//! with the descriptors beside the length.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layout::Place;
use super::{Awaited, Exit, Network, Step};

/// The kernel's own limit (`SCM_MAX_FD`).
const MOST_DESCRIPTORS: usize = 253;
/// More than any environment and argument list the kernel would take.
const LONGEST_MESSAGE: usize = 64 << 20;

/// What jostle tells the keeper. A message that has a sandbox made carries the socket of the init to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToMonitor {
    /// The first message: make the base.
    Base {
        /// As in [`super::SandboxOptions`].
        keep: Vec<PathBuf>,
        /// As in [`super::SandboxOptions`].
        share: Vec<PathBuf>,
        /// As in [`super::SandboxOptions`].
        network: Network,
        /// As in [`super::SandboxOptions`].
        disk: u64,
    },
    /// Make a sandbox on top.
    Layer {
        /// The number of the sandbox it is to stand on, if that is not the base itself; the descriptor of that one's
        /// PID namespace comes along, after the socket.
        on: Option<u32>,
        /// The number under which others may be made on top of it.
        kept: Option<u32>,
    },
    /// Nothing more will be made on top of the sandbox of this number. No socket comes along.
    Forget {
        /// The number.
        kept: u32,
    },
}

/// What an init, or the keeper in its stead, tells jostle first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Birth {
    /// The sandbox is there.
    Ready(Ready),
    /// It is not.
    Failed(Failed),
}

/// A sandbox that is there. Its descriptors are the init, the folder of upper layers, that of skeletons,
/// the namespaces mnt, pid, ipc and uts, and then net and user, if these are its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// What is mounted where.
    pub(crate) places: Vec<Place>,
    /// Folders that could only be shown read-only.
    pub(crate) read_only: Vec<PathBuf>,
    /// Whether it has a network of its own.
    pub(crate) network: bool,
    /// Whether it has a user namespace.
    pub(crate) user: bool,
}

/// The step that failed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// Which.
    pub step: Step,
    /// The system's error number.
    pub(crate) errno: i32,
}

/// What jostle asks of an init. The first descriptor is the new process's own socket.
#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    /// As in [`super::SandboxedCommand`].
    pub program: OsString,
    /// As in [`super::SandboxedCommand`].
    pub args: Vec<OsString>,
    /// As in [`super::SandboxedCommand`].
    pub env: Vec<(OsString, OsString)>,
    /// As in [`super::SandboxedCommand`], but for non-UTF-8 names.
    pub cwd: OsString,
    /// What the further descriptors are to become.
    pub targets: Vec<i32>,
    /// As in [`super::SandboxedCommand`].
    pub memory: Option<u64>,
    /// As in [`super::SandboxedCommand`].
    pub enters_layers: bool,
    /// As in [`super::SandboxedCommand`].
    pub user: Option<(u32, u32)>,
    /// What a process of the init's own waits for, and ends with 0 then, in place of all that.
    pub(crate) awaits: Option<Awaited>,
}

/// What an init says on a process's own socket. Its end without a word is the sandbox's.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// It runs.
    Started {
        /// Its number in the sandbox.
        pid: i32,
    },
    /// It does not.
    Refused {
        /// The system's error number, if it was the system.
        errno: i32,
    },
    /// It has ended.
    Exited(Exit),
}

/// What jostle says on a process's own socket: signal its group. Its end means SIGKILL.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Signalled(pub(crate) i32);

/// Sends a message with descriptors.
pub(crate) fn send(socket: &UnixStream, message: &impl Serialize, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).map_err(|_| io::ErrorKind::InvalidInput)?.to_le_bytes();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors"));
    }
    sendmsg(socket, &[IoSlice::new(&length)], &mut control, SendFlags::NOSIGNAL)?;
    (&*socket).write_all(&body)
}

/// Receives a message and its descriptors; nothing at the end of the socket.
pub(crate) fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut length = [0; 4];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = rustix::io::retry_on_intr(|| {
        recvmsg(
            socket.as_fd(),
            &mut [IoSliceMut::new(&mut length)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL,
        )
    })?;
    match got.bytes {
        0 => return Ok(None),
        4 => {}
        _ => return Err(io::ErrorKind::UnexpectedEof.into()),
    }
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > LONGEST_MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    (&*socket).read_exact(&mut body)?;
    Ok(Some((serde_json::from_slice(&body)?, fds)))
}

impl Failed {
    /// A step, and what the system said.
    pub fn new(step: Step, error: &io::Error) -> Self {
        Self { step, errno: error.raw_os_error().unwrap_or(0) }
    }
}

/// Gives a failed call the step it was part of.
pub(crate) trait During<T> {
    /// As the failure of a step.
    fn during(self, step: impl FnOnce() -> Step) -> Result<T, Failed>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, step: impl FnOnce() -> Step) -> Result<T, Failed> {
        self.map_err(|error| Failed::new(step(), &error.into()))
    }
}

impl Step {
    /// A step that no setting is known to forbid.
    pub fn other(what: impl Into<String>) -> Self {
        Self::Other { what: what.into() }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_arrives_whole_with_its_descriptors_in_order() {
        let (one, other) = UnixStream::pair().unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        let word = Said::Exited(Exit::Signal(9));
        let sender = std::thread::spawn(move || {
            send(&one, &word, &[writer.as_fd(), one.as_fd()]).unwrap();
        });
        let (said, fds) = receive::<Said>(&other).unwrap().unwrap();
        sender.join().unwrap();
        assert!(matches!(said, Said::Exited(Exit::Signal(9))));
        let mut fds = fds.into_iter();
        std::io::PipeWriter::from(fds.next().unwrap()).write_all(b"through").unwrap();
        drop(fds);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        assert!(receive::<Said>(&other).unwrap().is_none(), "the end of the socket");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let (one, other) = UnixStream::pair().unwrap();
            (&one).write_all(&bytes).unwrap();
            drop(one);
            let _ = receive::<Start>(&other);
        }
    }
}
