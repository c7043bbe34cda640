//! Which part of the host is shown where, and how: a pure function of the mounts of the host.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Folders that are empty at first, and the sandbox's own.
const PRIVATE: [&str; 2] = ["/tmp", "/var/tmp"];
/// The folder of POSIX shared memory. It is a tmpfs and not an overlay, since the C library looks.
pub(crate) const SHARED_MEMORY: &str = "/dev/shm";
/// Where POSIX message queues may be mounted; they belong to the IPC namespace.
const MESSAGE_QUEUES: &str = "/dev/mqueue";
/// Folders shown as they are, with all that is mounted below.
const AS_THEY_ARE: [&str; 2] = ["/dev", "/sys"];
/// File systems that hold no files of users, and are no good as lower layers.
const PSEUDO: [&str; 19] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "securityfs",
    "sysfs",
    "tracefs",
];

/// A mount, as `/proc/self/mountinfo` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostMount {
    /// Its number.
    id: u32,
    /// The number of the mount it is mounted on.
    parent: u32,
    /// Where.
    pub(crate) at: PathBuf,
    /// The type of its file system.
    kind: String,
    /// Whether it, or its file system, cannot be written.
    read_only: bool,
}

/// What is shown at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shown {
    /// The host's files, copy-on-write.
    Overlay,
    /// A folder that was made for it, copy-on-write.
    Skeleton,
    /// The host's files as they are, with what is mounted below.
    Bind,
    /// A file of the host, read-only.
    ReadOnly,
    /// A proc of the sandbox's own.
    Proc,
    /// A tmpfs of the sandbox's own.
    SharedMemory,
    /// The queues of the sandbox's own IPC namespace.
    MessageQueues,
}

/// A path and what is shown there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The absolute path.
    pub at: PathBuf,
    /// What is there.
    pub shown: Shown,
}

impl Place {
    /// What is shown at a path.
    pub fn new(at: impl Into<PathBuf>, shown: Shown) -> Self {
        Self { at: at.into(), shown }
    }
}

/// Reads `/proc/self/mountinfo`; lines that make no sense are left out.
pub(crate) fn parse_mounts(text: &str) -> Vec<HostMount> {
    text.lines().filter_map(parse_mount).collect()
}

fn parse_mount(line: &str) -> Option<HostMount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut mount = mount.split(' ');
    let (id, parent) = (mount.next()?.parse().ok()?, mount.next()?.parse().ok()?);
    let at = unescape(mount.nth(2)?);
    let own_options = mount.next()?;
    let mut file_system = file_system.split(' ');
    let kind = file_system.next()?.to_owned();
    let options = file_system.nth(1).unwrap_or_default();
    let read_only = own_options.split(',').chain(options.split(',')).any(|option| option == "ro");
    Some(HostMount { id, parent, at, kind, read_only })
}

/// The kernel writes blanks, newlines and backslashes as `\` and three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| first == b'\\').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        bytes.push(octal.unwrap_or(first));
        rest = if octal.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// What is at a path of the host, links not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A folder.
    Folder,
    /// A file, socket, pipe or device.
    File,
    /// A link, or nothing.
    Neither,
}

/// What is shown where, enclosing places first.
///
/// `keep` and `share` are absolute; `look` tells what a path is.
pub(crate) fn places(
    mounts: &[HostMount],
    keep: &[PathBuf],
    share: &[PathBuf],
    look: &dyn Fn(&Path) -> Found,
) -> Vec<Place> {
    let own: Vec<PathBuf> =
        PRIVATE.iter().map(PathBuf::from).filter(|path| look(path) == Found::Folder).collect();
    let kept: BTreeSet<&PathBuf> = keep
        .iter()
        .filter(|path| path.starts_with(SHARED_MEMORY) || own.iter().any(|own| path.starts_with(own)))
        .filter(|path| look(path) != Found::Neither)
        .collect();
    let mut places = vec![Place::new("/", Shown::Overlay), Place::new("/proc", Shown::Proc)];
    for path in AS_THEY_ARE.iter().map(PathBuf::from).filter(|path| look(path) == Found::Folder) {
        places.push(Place::new(path, Shown::Bind));
    }
    if look(Path::new(SHARED_MEMORY)) == Found::Folder {
        places.push(Place::new(SHARED_MEMORY, Shown::SharedMemory));
    }
    for path in own.iter().filter(|own| !kept.contains(own)) {
        places.push(Place::new(path, Shown::Skeleton));
    }
    for path in &kept {
        let shown = if look(path) == Found::Folder { Shown::Overlay } else { Shown::ReadOnly };
        places.push(Place::new(*path, shown));
    }
    for mount in mounts.iter().filter(|mount| is_visible(mount, mounts)) {
        let hidden = own.iter().any(|own| mount.at.starts_with(own));
        if !hidden || kept.iter().any(|kept| mount.at.starts_with(kept)) {
            places.extend(of_mount(mount, look));
        }
    }
    for path in share {
        places.retain(|place| !place.at.starts_with(path));
        places.push(Place::new(path, Shown::Bind));
    }
    places.sort_by(|one, other| one.at.cmp(&other.at));
    places.dedup_by(|later, earlier| later.at == earlier.at);
    places
}

fn of_mount(mount: &HostMount, look: &dyn Fn(&Path) -> Found) -> Option<Place> {
    let at = &mount.at;
    if mount.kind == "mqueue" && at == Path::new(MESSAGE_QUEUES) {
        return Some(Place::new(at, Shown::MessageQueues));
    }
    if at == Path::new("/") || ["/proc", "/dev", "/sys"].iter().any(|folder| at.starts_with(folder)) {
        return None;
    }
    let shown = match look(at) {
        Found::Neither => return None,
        Found::File => Shown::ReadOnly,
        Found::Folder if mount.read_only || PSEUDO.contains(&mount.kind.as_str()) => Shown::Bind,
        Found::Folder => Shown::Overlay,
    };
    Some(Place::new(at, shown))
}

/// Whether no later mount, there or at a folder above, covers a mount.
fn is_visible(mount: &HostMount, mounts: &[HostMount]) -> bool {
    let root = mounts.iter().find(|root| {
        root.at == Path::new("/")
            && !mounts.iter().any(|other| other.id == root.parent && other.id != root.id)
    });
    let Some(mut current) = root.map(|root| root.id) else { return true };
    let mut ancestors: Vec<&Path> = mount.at.ancestors().collect();
    ancestors.reverse();
    for (depth, path) in ancestors.into_iter().enumerate() {
        // What covers the root is not met: processes still have the root below it.
        while let Some(next) = mounts
            .iter()
            .find(|next| depth > 0 && next.parent == current && next.at == path && next.id != current)
        {
            current = next.id;
        }
    }
    current == mount.id
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=1k
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
28 27 0:25 / /opt/tool\\040box ro,nosuid - tmpfs none ro
30 27 254:1 / /home rw,relatime shared:3 - ext4 /dev/vdb rw
31 30 0:30 / /home/me/ram rw - tmpfs none rw
32 30 254:2 / /home rw - xfs /dev/vdc rw
33 27 0:31 / /run rw - tmpfs none rw
34 27 254:0 /etc/h /etc/hosts rw - ext4 /dev/vda rw
35 27 0:32 / /srv/cgroup rw - cgroup2 none rw
36 27 0:33 / /tmp rw - tmpfs none rw
37 36 0:34 / /tmp/work/data rw - tmpfs none rw
nonsense
";

    fn shown(keep: &[&str], share: &[&str]) -> Vec<(String, Shown)> {
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
        let look = |path: &Path| if path.ends_with("hosts") { Found::File } else { Found::Folder };
        places(&parse_mounts(MOUNTS), &paths(keep), &paths(share), &look)
            .into_iter()
            .map(|place| (place.at.display().to_string(), place.shown))
            .collect()
    }

    #[test]
    fn what_is_writable_is_an_overlay_and_what_is_covered_is_left_out() {
        let expected = [
            ("/", Shown::Overlay),
            ("/dev", Shown::Bind),
            ("/dev/shm", Shown::SharedMemory),
            ("/etc/hosts", Shown::ReadOnly),
            ("/home", Shown::Overlay),
            ("/opt/tool box", Shown::Bind),
            ("/proc", Shown::Proc),
            ("/run", Shown::Overlay),
            ("/srv/cgroup", Shown::Bind),
            ("/sys", Shown::Bind),
            ("/tmp", Shown::Skeleton),
            ("/var/tmp", Shown::Skeleton),
        ];
        assert_eq!(shown(&[], &[]), expected.map(|(path, shown)| (path.to_owned(), shown)));
    }

    #[test]
    fn kept_paths_in_private_folders_come_back_with_what_is_mounted_below() {
        let places = shown(&["/tmp/work", "/home/me"], &[]);
        let below: Vec<_> = places.iter().filter(|(path, _)| path.starts_with("/tmp")).collect();
        assert_eq!(
            below,
            [
                &("/tmp".to_owned(), Shown::Skeleton),
                &("/tmp/work".to_owned(), Shown::Overlay),
                &("/tmp/work/data".to_owned(), Shown::Overlay)
            ]
        );
        assert!(!places.iter().any(|(path, _)| path == "/home/me"), "it is visible anyway");
    }

    #[test]
    fn a_shared_path_hides_whatever_else_was_to_be_there() {
        let places = shown(&["/tmp/work"], &["/tmp/work"]);
        assert!(places.contains(&("/tmp/work".to_owned(), Shown::Bind)));
        assert!(!places.iter().any(|(path, _)| path == "/tmp/work/data"));
    }
}
