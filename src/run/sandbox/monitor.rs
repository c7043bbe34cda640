//! The keeper: makes the stage, and forks an init for the base and for each sandbox on top.
//!
//! It has a single thread, so that it may fork without exec and change its namespaces. It sees the host's
//! files and is seen by nobody in a sandbox: it has the host's process numbers, and a sandbox shows only
//! its own. An init that is to be on top must get its PID namespace from a process that is in the base's,
//! and that is a fork which lives only for this.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, WaitOptions, getegid, geteuid, getpid, getppid, pidfd_open, waitpid};
use rustix::thread::{
    CapabilitySet, LinkNameSpaceType, UnshareFlags, capabilities, move_into_link_name_space,
};

use super::init::{self, Calling};
use super::layout::{Place, parse_mounts, places};
use super::mounts::{
    BASE, LAYER, SKELETONS, check_attributes, forget_kept_layer, kept_layer, make_kept_layer, make_stage,
    mount_tmpfs,
};
use super::protocol::{Birth, During, Failed, ToMonitor, receive, send};
use super::split_overlay::{look, make_skeletons, split_overlay};
use super::{Network, Step};

/// The descriptor of jostle's socket in the keeper.
pub(crate) const CHANNEL: i32 = 3;

/// What all sandboxes of a session have in common.
#[derive(Debug)]
pub(crate) struct Ground {
    /// What is shown where.
    pub(crate) places: Vec<Place>,
    /// Whether each has a network of its own.
    pub(crate) network: Network,
    /// How much may be written in each, in bytes.
    pub(crate) disk: u64,
    /// Whether the keeper made a user namespace.
    pub(crate) user: bool,
    /// Whether overlayfs has to keep its attributes under `user.`.
    pub(crate) user_attributes: bool,
    /// Readable when the keeper has ended.
    pub(crate) keeper: OwnedFd,
}

/// `jostle __sandbox`: serves the jostle at the other end of descriptor 3, and ends with it.
pub(crate) fn sandbox_main() {
    let socket = inherited_socket();
    let jostle = getppid().and_then(|parent| pidfd_open(parent, PidfdFlags::empty()).ok());
    let Ok(Some((ToMonitor::Base { keep, share, network, disk }, mut fds))) = receive(&socket) else {
        return;
    };
    let Some(control) = fds.pop().map(UnixStream::from) else { return };
    let ground = match make_ground(&keep, &share, network, disk) {
        Ok(ground) => ground,
        Err(failed) => return refuse(&control, failed),
    };
    if let Err(failed) = start_base(&ground, &control) {
        return refuse(&control, failed);
    }
    drop(control);
    while is_spoken_to(&socket, jostle.as_ref()) {
        let Ok(Some((message, fds))) = receive(&socket) else { return };
        let mut fds = fds.into_iter();
        match message {
            ToMonitor::Layer { on, kept } => {
                let Some(control) = fds.next().map(UnixStream::from) else { return };
                let on = on.zip(fds.next());
                if let Err(failed) = start_layer(&ground, &control, on, kept) {
                    refuse(&control, failed);
                }
            }
            ToMonitor::Forget { kept } => forget_kept_layer(kept),
            ToMonitor::Base { .. } => return,
        }
    }
}

/// Takes the socket over and closes whatever else jostle's own parents left open, since a descriptor is
/// a way out of the sandbox.
#[expect(unsafe_code, reason = "an inherited descriptor, and a system call that has no wrapper")]
fn inherited_socket() -> UnixStream {
    // SAFETY: nothing in this process has opened a descriptor above the socket's yet. An older kernel
    // refuses the call, which is then without effect.
    unsafe { libc::syscall(libc::SYS_close_range, CHANNEL + 1, u32::MAX, 0) };
    // SAFETY: whoever starts the hidden command gives it this descriptor, and nothing else here uses it.
    let socket = unsafe { OwnedFd::from_raw_fd(CHANNEL) };
    // Without the flag, each process in a sandbox would hold the socket open.
    let _ = rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC);
    socket.into()
}

fn refuse(control: &UnixStream, failed: Failed) {
    // Whoever closed the other end does not want to know.
    let _ = send(control, &Birth::Failed(failed), &[]);
}

/// Waits for a message; false if jostle has died. Its end need not close the socket, of which a process
/// that it was about to start may hold a copy.
fn is_spoken_to(socket: &UnixStream, jostle: Option<&OwnedFd>) -> bool {
    loop {
        let mut fds = vec![PollFd::new(socket, PollFlags::IN)];
        fds.extend(jostle.map(|jostle| PollFd::new(jostle, PollFlags::IN)));
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
            Ok(_) if fds.get(1).is_some_and(|jostle| !jostle.revents().is_empty()) => return false,
            Ok(_) => return true,
        }
    }
}

fn make_ground(keep: &[PathBuf], share: &[PathBuf], network: Network, disk: u64) -> Result<Ground, Failed> {
    let privileged = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
    let mounts = || -> Result<_, Failed> {
        let text = std::fs::read("/proc/self/mountinfo").during(|| Step::other("/proc/self/mountinfo"))?;
        Ok(parse_mounts(&String::from_utf8_lossy(&text)))
    };
    let keeper =
        pidfd_open(getpid(), PidfdFlags::empty()).during(|| Step::other("a descriptor of a process"))?;
    if !privileged {
        enter_user_namespace()?;
    }
    unshare(UnshareFlags::NEWNS, "mount")?;
    let mounts = mounts()?;
    make_stage()?;
    // Elsewhere than in the first user namespace, `trusted.` is not for us and mounts may be locked.
    let user_attributes = !privileged || !is_first_user_namespace();
    check_attributes(user_attributes)?;
    let mut places = places(&mounts, keep, share, &look);
    if user_attributes {
        split_overlay(&mut places, &mounts);
    }
    make_skeletons(&places, Path::new(SKELETONS))?;
    mount_tmpfs(Path::new(BASE), Some(disk))?;
    Ok(Ground { places, network, disk, user: !privileged, user_attributes, keeper })
}

fn is_first_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// A user namespace in which we are who we are, so that tests see the numbers they always see.
fn enter_user_namespace() -> Result<(), Failed> {
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    unshare(UnshareFlags::NEWUSER, "user")?;
    let write = |file: &str, text: String| {
        std::fs::write(Path::new("/proc/self").join(file), text).during(|| Step::UserNamespace)
    };
    // Kernels want this before the groups' map, since a process could else leave a group that bars it.
    write("setgroups", "deny".into())?;
    write("uid_map", format!("{user} {user} 1"))?;
    write("gid_map", format!("{group} {group} 1"))
}

/// Leaves a namespace for a new one.
#[expect(unsafe_code, reason = "unshare(2) is unsafe where descriptors or memory are shared")]
pub(crate) fn unshare(flags: UnshareFlags, kind: &str) -> Result<(), Failed> {
    // SAFETY: only namespaces are unshared, and this process has one thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }.during(|| match flags {
        UnshareFlags::NEWUSER => Step::UserNamespace,
        _ => Step::Namespace { kind: kind.to_owned() },
    })
}

/// The init of the base gets the first PID namespace, and all that the keeper forks from then on is in it.
fn start_base(ground: &Ground, control: &UnixStream) -> Result<(), Failed> {
    unshare(UnshareFlags::NEWPID, "pid")?;
    match fork()? {
        Some(_) => Ok(()),
        None => {
            init::live(Calling { ground, control, layer: Path::new(BASE), mounts_layer: false, below: &[] })
        }
    }
}

/// Starts the init of a sandbox on top: of the base, or of a sandbox of this number, whose processes its own are to be
/// among. Others can be made on top of it if it has a number itself.
fn start_layer(
    ground: &Ground,
    control: &UnixStream,
    on: Option<(u32, OwnedFd)>,
    kept: Option<u32>,
) -> Result<(), Failed> {
    if let Some(number) = kept {
        make_kept_layer(number, ground.disk)?;
    }
    let Some(helper) = fork()? else {
        let (number, processes) = on.unzip();
        let born = enter_processes(processes)
            .and_then(|()| unshare(UnshareFlags::NEWPID, "pid"))
            .and_then(|()| fork());
        match born {
            Ok(Some(_)) => {}
            Ok(None) => {
                let below: Vec<PathBuf> =
                    number.map(kept_layer).into_iter().chain([PathBuf::from(BASE)]).collect();
                let layer = kept.map_or_else(|| PathBuf::from(LAYER), kept_layer);
                let mounts_layer = kept.is_none();
                init::live(Calling { ground, control, layer: &layer, mounts_layer, below: &below })
            }
            Err(failed) => refuse(control, failed),
        }
        init::leave(0)
    };
    // The helper's child now belongs to the init of what it stands on, which reaps it.
    let _ = rustix::io::retry_on_intr(|| waitpid(Some(helper), WaitOptions::empty()));
    Ok(())
}

/// Goes on among the processes of another sandbox, if one is given: in a child, as who enters such a namespace stays
/// where he is.
fn enter_processes(namespace: Option<OwnedFd>) -> Result<(), Failed> {
    let Some(namespace) = namespace else { return Ok(()) };
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::ProcessID))
        .during(|| Step::Namespace { kind: "pid".into() })?;
    match fork()? {
        None => Ok(()),
        Some(child) => {
            let _ = rustix::io::retry_on_intr(|| waitpid(Some(child), WaitOptions::empty()));
            init::leave(0)
        }
    }
}

/// The child's number in the parent, nothing in the child.
#[expect(unsafe_code, reason = "fork(2) has no wrapper")]
fn fork() -> Result<Option<Pid>, Failed> {
    // SAFETY: this process has one thread, so its copy finds no lock taken.
    match unsafe { libc::fork() } {
        -1 => Err(std::io::Error::last_os_error()).during(|| Step::other("a process")),
        child => Ok(Pid::from_raw(child)),
    }
}
