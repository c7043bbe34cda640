//! The first process of a sandbox: makes its namespaces and its root, tells jostle, and then supervises.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use super::monitor::{Ground, unshare};
use super::mounts::{Build, SKELETONS, mount_tmpfs};
use super::protocol::{Birth, During, Failed, Ready, send};
use super::supervise::supervise;
use super::{Network, Step};

/// What an init is born to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calling<'a> {
    /// What it has in common with other sandboxes.
    pub(crate) ground: &'a Ground,
    /// Its socket to jostle.
    pub(crate) control: &'a UnixStream,
    /// Where its upper layers are, or are to be mounted.
    pub(crate) layer: &'a Path,
    /// Whether they are to be mounted there.
    pub(crate) mounts_layer: bool,
    /// Where the upper layers are of what it stands on, if it is on top; the uppermost first.
    pub(crate) below: &'a [PathBuf],
}

/// The whole life of an init, in a process that has just been forked.
pub(crate) fn live(calling: Calling<'_>) -> ! {
    let birth = match be_born(calling) {
        Ok((ready, fds)) => {
            let fds: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
            send(calling.control, &Birth::Ready(ready), &fds).is_ok()
        }
        Err(failed) => {
            // Without jostle at the other end there is nobody to tell.
            let _ = send(calling.control, &Birth::Failed(failed), &[]);
            false
        }
    };
    if birth {
        supervise(calling.control, &calling.ground.keeper, calling.ground.user);
    }
    leave(0)
}

/// Ends a forked process without the parent's exit handlers.
#[expect(unsafe_code, reason = "_exit(2) has no wrapper in this world of forks")]
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: it has no preconditions and does not return.
    unsafe { libc::_exit(code) }
}

fn be_born(calling: Calling<'_>) -> Result<(Ready, Vec<OwnedFd>), Failed> {
    let Calling { ground, layer, mounts_layer, below, .. } = calling;
    let is_base = below.is_empty();
    if is_base {
        // The parent is the keeper. That of an init on top is about to end; such an init dies with the
        // base's PID namespace, which holds its own.
        set_parent_process_death_signal(Some(Signal::KILL)).during(|| Step::other("prctl(2)"))?;
    }
    let process = Pid::from_raw(1).ok_or_else(|| Failed { step: Step::other("a process"), errno: 0 })?;
    let init =
        pidfd_open(process, PidfdFlags::empty()).during(|| Step::other("a descriptor of a process"))?;
    let network = ground.network == Network::Private;
    leave_the_host(network)?;
    if mounts_layer {
        mount_tmpfs(layer, Some(ground.disk))?;
    }
    let folder = |path: &Path| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, path, flags, Mode::empty()).during(|| Step::other(format!("opening {}", path.display())))
    };
    let mut fds = vec![init, folder(layer)?, folder(Path::new(SKELETONS))?];
    let build = Build { places: &ground.places, layer, below, user_attributes: ground.user_attributes };
    let read_only = build.enter()?;
    if network {
        loopback_up().during(|| Step::Loopback)?;
    }
    let optional = [("net", network), ("user", ground.user)];
    let kinds = ["mnt", "pid", "ipc", "uts"].into_iter();
    for kind in kinds.chain(optional.into_iter().filter_map(|(kind, is)| is.then_some(kind))) {
        let path = Path::new("/proc/self/ns").join(kind);
        let open = openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
        fds.push(open.during(|| Step::Namespace { kind: kind.to_owned() })?);
    }
    // jostle knows the places from the base, which is made first.
    let places = if is_base { ground.places.clone() } else { Vec::new() };
    Ok((Ready { places, read_only, network, user: ground.user }, fds))
}

/// All namespaces in one call; one by one only to tell which of them is refused.
fn leave_the_host(network: bool) -> Result<(), Failed> {
    let mut kinds = vec![
        (UnshareFlags::NEWNS, "mount"),
        (UnshareFlags::NEWIPC, "ipc"),
        (UnshareFlags::NEWUTS, "uts"),
        (UnshareFlags::NEWNET, "net"),
    ];
    if !network {
        kinds.pop();
    }
    let all = kinds.iter().fold(UnshareFlags::empty(), |all, (kind, _)| all | *kind);
    unshare(all, "").or_else(|_| kinds.iter().try_for_each(|(kind, name)| unshare(*kind, name)))
}

/// The kernel gives the interface its addresses, 127.0.0.1 and ::1, when it comes up.
#[expect(unsafe_code, reason = "ioctl(2) on a network interface has no wrapper")]
fn loopback_up() -> std::io::Result<()> {
    const NAME: &CStr = c"lo";
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    let mut name = [0; libc::IFNAMSIZ];
    for (to, from) in name.iter_mut().zip(NAME.to_bytes()) {
        *to = libc::c_char::try_from(*from).unwrap_or(0);
    }
    let flags = libc::c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
    let request =
        libc::ifreq { ifr_name: name, ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags } };
    // SAFETY: the request is a whole ifreq with a name that ends with a zero byte, and outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
