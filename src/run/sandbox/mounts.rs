//! The root of a sandbox: overlays and binds put together on a stage, which then becomes the root.
//!
//! The stage is a tmpfs over a folder of the host's proc that nobody in a sandbox can miss, since each
//! sandbox has a proc of its own. The mount exists in the keeper's mount namespace and those copied from
//! it, and is out of reach once the root has been changed.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, StatVfsMountFlags, fstatvfs, openat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    unmount,
};
use rustix::process::{chdir, pivot_root};

use super::Step;
use super::layout::{Place, SHARED_MEMORY, Shown};
use super::protocol::{During, Failed};
use super::split_overlay::{enclosing, like, mount_point};

/// Where the stage is mounted.
pub(crate) const STAGE: &str = "/proc/fs";
/// A sandbox's own upper layers, or those of the base as its lower ones.
pub(crate) const LAYER: &str = "/proc/fs/layer";
/// The base's upper layers.
pub(crate) const BASE: &str = "/proc/fs/base";
/// The upper layers of sandboxes that others are made on top of, each in a folder of its number.
const KEPT: &str = "/proc/fs/kept";
/// The skeletons.
pub(crate) const SKELETONS: &str = "/proc/fs/skeletons";
/// The root of the sandbox to be.
const ROOT: &str = "/proc/fs/root";

/// Makes the stage, seen by nobody but this process and those it forks.
pub(crate) fn make_stage() -> Result<(), Failed> {
    let root = || Step::Mount { folder: "/".into() };
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).during(root)?;
    mount_tmpfs(Path::new(STAGE), None)?;
    for folder in [LAYER, BASE, KEPT, SKELETONS, ROOT] {
        fs::create_dir(folder).during(|| Step::Mount { folder: folder.into() })?;
    }
    Ok(())
}

/// Mounts a tmpfs that holds so many bytes, or what the kernel thinks right.
pub(crate) fn mount_tmpfs(at: &Path, bytes: Option<u64>) -> Result<(), Failed> {
    let size = bytes.map(|bytes| format!(",size={}", bytes.max(1 << 20))).unwrap_or_default();
    let data = CString::new(format!("mode=0755{size}")).unwrap_or_default();
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("jostle", at, "tmpfs", flags, data.as_c_str()).during(|| Step::Mount { folder: at.to_owned() })
}

/// Where the upper layers are of the sandbox that is kept under a number.
pub(crate) fn kept_layer(number: u32) -> PathBuf {
    Path::new(KEPT).join(number.to_string())
}

/// Makes room for these layers, where all that are made on top will see them.
pub(crate) fn make_kept_layer(number: u32, bytes: u64) -> Result<(), Failed> {
    let folder = kept_layer(number);
    fs::create_dir(&folder).during(|| Step::Mount { folder: folder.clone() })?;
    mount_tmpfs(&folder, Some(bytes))
}

/// Lets go of them; they are gone once no sandbox uses them any more.
pub(crate) fn forget_kept_layer(number: u32) {
    let folder = kept_layer(number);
    // What is left goes with the keeper.
    let _ = unmount(&folder, UnmountFlags::DETACH);
    let _ = fs::remove_dir(&folder);
}

/// What a sandbox's root is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build<'a> {
    /// What is shown where, enclosing places first.
    pub(crate) places: &'a [Place],
    /// The tmpfs that takes what is written.
    pub(crate) layer: &'a Path,
    /// Those of what it stands on, for a sandbox on top; the uppermost first.
    pub(crate) below: &'a [PathBuf],
    /// Whether overlayfs has to keep its attributes under `user.`, as in a user namespace.
    pub(crate) user_attributes: bool,
}

impl Build<'_> {
    /// Mounts everything and makes it the root. Returns the folders that can only be shown read-only,
    /// since their file systems are no good as lower layers.
    pub(crate) fn enter(&self) -> Result<Vec<PathBuf>, Failed> {
        let mut read_only = Vec::new();
        for part in ["upper", "work", "shm"] {
            let folder = self.layer.join(part);
            fs::create_dir(&folder).during(|| Step::Mount { folder })?;
        }
        let shm = self.layer.join("shm");
        fs::set_permissions(&shm, fs::Permissions::from_mode(0o1777)).during(|| Step::other("/dev/shm"))?;
        for (number, place) in self.places.iter().enumerate() {
            let target = on_stage(&place.at);
            let bound = || Step::Bind { folder: place.at.clone() };
            if let Some((_, Place { shown: Shown::SharedMemory, at })) = enclosing(self.places, number) {
                mount_point(at, &shm, &place.at).during(bound)?;
            }
            match place.shown {
                Shown::Overlay | Shown::Skeleton => match self.overlay(number, place, &target) {
                    Err(error) if error == Errno::INVAL && place.at != Path::new("/") => {
                        bind_read_only(&place.at, &target).during(bound)?;
                        read_only.push(place.at.clone());
                    }
                    other => other.during(|| Step::Overlay { folder: place.at.clone() })?,
                },
                Shown::Bind => bind(&place.at, &target).during(bound)?,
                Shown::ReadOnly => bind_read_only(&place.at, &target).during(bound)?,
                Shown::Proc => mount_proc(&target)?,
                Shown::SharedMemory => mount_bind(&shm, &target).during(bound)?,
                Shown::MessageQueues => mount_queues(&target).during(bound)?,
            }
        }
        enter_root()?;
        Ok(read_only)
    }

    fn overlay(&self, number: usize, place: &Place, target: &Path) -> rustix::io::Result<()> {
        let name = number.to_string();
        let upper = self.layer.join("upper").join(&name);
        let work = self.layer.join("work").join(&name);
        let skeleton = Path::new(SKELETONS).join(&name);
        let host = if place.shown == Shown::Skeleton { &skeleton } else { &place.at };
        let below = self.below.iter().map(|layer| layer.join("upper").join(&name));
        let below: Vec<PathBuf> = below.filter(|below| below.is_dir()).collect();
        let model = below.first().unwrap_or(host);
        let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        fs::create_dir(&upper).and_then(|()| like(model, &upper)).map_err(errno)?;
        fs::create_dir(&work).map_err(errno)?;
        // A path may hold what separates mount options; a descriptor's does not.
        let host: OwnedFd =
            openat(CWD, host, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // An empty layer would cost time and, as it is in use by the base, a line in the kernel's log.
        let written = below.iter().filter(|below| !is_empty(below)).map(|below| below.display().to_string());
        let host_layer = format!("/proc/self/fd/{}", host.as_raw_fd());
        let lower = written.chain([host_layer]).collect::<Vec<_>>().join(":");
        let options = match self.user_attributes {
            true => "userxattr,index=off",
            false => "redirect_dir=on,metacopy=off,index=off",
        };
        let data =
            format!("lowerdir={lower},upperdir={},workdir={},{options}", upper.display(), work.display());
        let data = CString::new(data).map_err(|_| Errno::INVAL)?;
        mount("overlay", target, "overlay", flags_of(&host)?, data.as_c_str())
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// What a mount forbids is forbidden in the overlay over it.
fn flags_of(folder: &OwnedFd) -> rustix::io::Result<MountFlags> {
    let given = fstatvfs(folder)?.f_flag;
    let pairs = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
    ];
    let set = pairs.into_iter().filter(|(host, _)| given.contains(*host)).map(|(_, ours)| ours);
    Ok(set.fold(MountFlags::empty(), |flags, flag| flags | flag))
}

/// Where on the stage a path of the sandbox is.
fn on_stage(path: &Path) -> PathBuf {
    Path::new(ROOT).join(path.strip_prefix("/").unwrap_or(path))
}

fn bind(from: &Path, to: &Path) -> rustix::io::Result<()> {
    mount_bind_recursive(from, to)?;
    if from == Path::new("/dev") {
        // A test that unmounts its shared memory must not find the host's below. In a user namespace this
        // fails, and so would the test.
        let shm = on_stage(Path::new(SHARED_MEMORY));
        while unmount(&shm, UnmountFlags::DETACH).is_ok() {}
    }
    Ok(())
}

fn bind_read_only(from: &Path, to: &Path) -> io::Result<()> {
    mount_bind_recursive(from, to)?;
    set_read_only(to)
}

/// rustix has no mount_setattr(2); a remount would have to name all flags that the mount is locked to.
#[expect(unsafe_code, reason = "a system call that has no wrapper")]
fn set_read_only(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_encoded_bytes())?;
    let attributes =
        libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is a string that ends with a zero byte, and the structure has the size that is told.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn mount_proc(target: &Path) -> Result<(), Failed> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", target, "proc", flags, None).during(|| Step::Proc)
}

fn mount_queues(target: &Path) -> rustix::io::Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("mqueue", target, "mqueue", flags, None)
}

/// Makes the stage's root the root; the host's is then mounted nowhere in this namespace.
fn enter_root() -> Result<(), Failed> {
    let enter = || {
        chdir(ROOT)?;
        // With one folder for both, the old root ends up mounted over the new one, and goes at once.
        pivot_root(".", ".")?;
        unmount(".", UnmountFlags::DETACH)?;
        chdir("/")
    };
    enter().during(|| Step::Root)
}

/// Whether a tmpfs keeps the attributes that overlayfs needs to remember removed folders.
pub(crate) fn check_attributes(user_attributes: bool) -> Result<(), Failed> {
    let name = if user_attributes { "user.overlay.opaque" } else { "trusted.overlay.opaque" };
    rustix::fs::setxattr(SKELETONS, name, b"y", rustix::fs::XattrFlags::empty())
        .and_then(|()| rustix::fs::removexattr(SKELETONS, name))
        .during(|| Step::Attributes)
}
