//! Throw-away surroundings for processes, made of Linux namespaces.
//!
//! In a sandbox everything can be read as on the host and everything can be written, but what is
//! written is gone with it: each writable file system is the lower layer of an overlay whose upper
//! layer is memory of limited size. `/tmp`, `/var/tmp` and `/dev/shm` are empty and private, and so
//! are the loopback network, System V IPC, the host name and the process numbers.
//!
//! ```text
//! jostle ──socket──▶ keeper            a process of `jostle __sandbox`: the host's files, the host's
//!   │                  │ forks         process numbers, in a mount namespace of its own
//!   │                  ▼
//!   ├──socket──▶ init of the base      PID 1 of the base: starts, signals and reaps its processes
//!   │                  ┆ its process numbers include those of
//!   └──socket──▶ init of a layer       PID 1 of a sandbox on top: the base's files as further lower layer
//! ```
//!
//! A [`Base`] holds what lives long, such as a fork server. A [`Sandbox`] on top of it sees what has
//! been written in the base, and a process that lives in the base may enter it with setns(2), by the
//! descriptors of [`Namespaces`]. Overlays are not stacked on each other, since the kernel allows two
//! at most: a sandbox on top mounts its overlays anew, with one more lower layer.
//!
//! Nothing can outlive jostle. The keeper and each init end when their socket closes or their parent
//! dies, and the kernel then ends every process of the PID namespace, and with the last one its mounts.
//! Not one of these mounts is visible on the host, and nothing is on disk.
//!
//! Root needs nothing else. Anybody else gets a user namespace in which he keeps his own number and has
//! no capability, so tests see no difference, but for two: files of other owners and groups belong to
//! `nobody` and cannot be changed, even where the host would let him (EOVERFLOW); and a folder that comes
//! from the host cannot be renamed (EXDEV), which `shutil.move` and `mv` make good by copying.
//!
//! Not protected: what lies below `/sys` and `/dev` other than `/dev/shm`, folders that are shared on
//! purpose, and, from root, whatever root does to the machine other than by writing files: a sandbox is
//! for tests that are careless, not for such that are hostile.

mod error;
mod options;
#[cfg(target_os = "linux")]
mod protocol;
#[cfg(target_os = "linux")]
mod layout;
#[cfg(target_os = "linux")]
mod split_overlay;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod monitor;
#[cfg(target_os = "linux")]
mod init;
#[cfg(target_os = "linux")]
mod supervise;
#[cfg(target_os = "linux")]
mod handle;
#[cfg(target_os = "linux")]
mod process;
#[cfg(target_os = "linux")]
mod leftovers;
#[cfg(target_os = "linux")]
mod probe;
mod sockets;
#[cfg(not(target_os = "linux"))]
mod unsupported;

pub use error::SandboxError;
pub(crate) use error::{Missing, Step};
#[cfg(target_os = "linux")]
pub use handle::{Base, Sandbox};
#[cfg(target_os = "linux")]
pub(crate) use monitor::sandbox_main;
pub(crate) use options::Awaited;
pub use options::{Exit, Network, SandboxOptions, SandboxedCommand};
#[cfg(target_os = "linux")]
pub use probe::{check_owners, probe};
#[cfg(target_os = "linux")]
pub use process::SandboxedProcess;
pub(crate) use sockets::{listening_sockets, own_addresses, own_hosts, servers};
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::sandbox_main;
#[cfg(not(target_os = "linux"))]
pub use unsupported::{Base, Sandbox, SandboxedProcess, check_owners, probe};
