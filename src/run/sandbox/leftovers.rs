//! What was written in a sandbox: the upper layers of its overlays, compared with the lower ones.
//!
//! overlayfs writes a removed entry as a whiteout, a character device 0:0, and marks a folder that hides
//! all that the lower layers have of it as opaque. A file that was only opened for writing is copied up as
//! it was, and is no leftover. A folder that root has renamed is one that is removed and one that is created;
//! what is in it unchanged stays in the lower layer under the old name, and is not listed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};
use std::sync::Arc;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fgetxattr, openat, statat};
use rustix::io::Errno;

use super::layout::{Place, Shown};
use crate::trial::{Change, Leftover, LeftoverKind};

/// Names of the mark of an opaque folder, with privilege and without.
const OPAQUE: [&str; 2] = ["trusted.overlay.opaque", "user.overlay.opaque"];

/// Where the layers of a sandbox are.
#[derive(Debug)]
pub(crate) struct Layers {
    /// Its own tmpfs.
    pub(crate) layer: Arc<OwnedFd>,
    /// Those of what it stands on, for a sandbox on top; the uppermost first.
    pub(crate) below: Vec<Arc<OwnedFd>>,
    /// The skeletons.
    pub(crate) skeletons: OwnedFd,
}

/// What the lower layers show at a path.
enum Lower {
    Nothing,
    File(Stat),
    Folder(Stat, Vec<OwnedFd>),
}

/// Lists what differs at or below an absolute folder, in the order of the paths.
pub(crate) fn leftovers(layers: &Layers, places: &[Place], folder: &Path) -> io::Result<Vec<Leftover>> {
    let mut found = Vec::new();
    let enclosing = places.iter().rposition(|place| folder.starts_with(&place.at));
    for (number, place) in places.iter().enumerate() {
        let is_overlay = matches!(place.shown, Shown::Overlay | Shown::Skeleton);
        let within = place.at.starts_with(folder);
        if is_overlay && (within || Some(number) == enclosing) {
            let start = if within { &place.at } else { folder };
            in_place(layers, number, place, start, &mut found)?;
        }
    }
    found.sort();
    Ok(found)
}

fn in_place(
    layers: &Layers,
    number: usize,
    place: &Place,
    start: &Path,
    found: &mut Vec<Leftover>,
) -> io::Result<()> {
    let name = format!("upper/{number}");
    // An overlay that could not be mounted has no upper layer.
    let Some(mut upper) = open(&*layers.layer, Path::new(&name))? else { return Ok(()) };
    let mut lower: Vec<OwnedFd> = Vec::new();
    for below in &layers.below {
        lower.extend(open(below, Path::new(&name))?);
    }
    lower.extend(match place.shown {
        Shown::Skeleton => open(&layers.skeletons, Path::new(&number.to_string()))?,
        _ => open(CWD, &place.at)?,
    });
    let mut at = place.at.clone();
    for part in start.strip_prefix(&place.at).unwrap_or(Path::new("")).components() {
        let Component::Normal(part) = part else { continue };
        at.push(part);
        let part = Path::new(part);
        let below = look(&lower, part)?;
        match stat(&upper, part)? {
            None => return Ok(()),
            Some(stat) if !is_folder(&stat) => return compare(&upper, part, &stat, below, &at, found),
            Some(stat) => {
                let Some(next) = open(&upper, part)? else { return Ok(()) };
                let hidden = is_opaque(&next);
                lower = match below {
                    Lower::Folder(_, folders) if !hidden => folders,
                    // The folder was removed on the way; what is there now is new.
                    _ if at != start => Vec::new(),
                    _ => return compare(&upper, part, &stat, below, &at, found),
                };
                upper = next;
            }
        }
    }
    within(&upper, &lower, &at, found)
}

/// Compares each entry of an upper folder with what the lower folders have.
fn within(upper: &OwnedFd, lower: &[OwnedFd], at: &Path, found: &mut Vec<Leftover>) -> io::Result<()> {
    for name in names(upper)? {
        let name = Path::new(&name);
        if let Some(stat) = stat(upper, name)? {
            compare(upper, name, &stat, look(lower, name)?, &at.join(name), found)?;
        }
    }
    Ok(())
}

fn compare(
    upper: &OwnedFd,
    name: &Path,
    stat: &Stat,
    lower: Lower,
    at: &Path,
    found: &mut Vec<Leftover>,
) -> io::Result<()> {
    let mut say = |path: &Path, change, stat: &Stat| {
        found.push(Leftover { path: path.to_owned(), change, kind: kind_of(stat), size: size_of(stat) });
    };
    if is_whiteout(stat) {
        match lower {
            // What was made and removed again is as it was.
            Lower::Nothing => {}
            Lower::File(stat) | Lower::Folder(stat, _) => say(at, Change::Removed, &stat),
        }
        return Ok(());
    }
    if !is_folder(stat) {
        match lower {
            Lower::Nothing => say(at, Change::Created, stat),
            Lower::File(lower) if is_same(&lower, stat) => {}
            Lower::File(_) | Lower::Folder(..) => say(at, Change::Changed, stat),
        }
        return Ok(());
    }
    let inner = open(upper, name)?;
    let hidden = inner.as_ref().is_some_and(is_opaque);
    let folders = match lower {
        Lower::Nothing => {
            say(at, Change::Created, stat);
            Vec::new()
        }
        Lower::File(_) => {
            say(at, Change::Changed, stat);
            Vec::new()
        }
        Lower::Folder(lower, folders) => {
            if !has_same_attributes(&lower, stat) {
                say(at, Change::Changed, stat);
            }
            folders
        }
    };
    let Some(inner) = inner else { return Ok(()) };
    if hidden {
        for name in merged_names(&folders)? {
            let name = Path::new(&name);
            if self::stat(&inner, name)?.is_none()
                && let Lower::File(stat) | Lower::Folder(stat, _) = look(&folders, name)?
            {
                say(&at.join(name), Change::Removed, &stat);
            }
        }
    }
    within(&inner, &folders, at, found)
}

/// What a list of folders, upper ones first, shows under a name.
fn look(folders: &[OwnedFd], name: &Path) -> io::Result<Lower> {
    let mut merged: Option<(Stat, Vec<OwnedFd>)> = None;
    for folder in folders {
        let Some(stat) = stat(folder, name)? else { continue };
        if !is_folder(&stat) {
            return Ok(match merged {
                Some((stat, folders)) => Lower::Folder(stat, folders),
                None if is_whiteout(&stat) => Lower::Nothing,
                None => Lower::File(stat),
            });
        }
        let inner = open(folder, name)?;
        let hides = inner.as_ref().is_none_or(is_opaque);
        merged.get_or_insert((stat, Vec::new())).1.extend(inner);
        if hides {
            break;
        }
    }
    Ok(merged.map_or(Lower::Nothing, |(stat, folders)| Lower::Folder(stat, folders)))
}

fn merged_names(folders: &[OwnedFd]) -> io::Result<std::collections::BTreeSet<std::ffi::OsString>> {
    let mut all = std::collections::BTreeSet::new();
    for folder in folders {
        all.extend(names(folder)?);
    }
    Ok(all)
}

fn names(folder: &OwnedFd) -> io::Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = std::ffi::OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// A folder that may not be read has nothing to tell: nobody could write in it either, or whoever could
/// has closed it.
fn open(folder: impl AsFd, name: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(folder, name, flags, Mode::empty()) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT | Errno::ACCESS | Errno::PERM | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn stat(folder: &OwnedFd, name: &Path) -> io::Result<Option<Stat>> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT | Errno::ACCESS | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn is_opaque(folder: &OwnedFd) -> bool {
    OPAQUE.iter().any(|name| fgetxattr(folder, *name, &mut [0_u8; 4]).is_ok())
}

fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn is_folder(stat: &Stat) -> bool {
    file_type(stat) == FileType::Directory
}

fn is_whiteout(stat: &Stat) -> bool {
    file_type(stat) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn has_same_attributes(one: &Stat, other: &Stat) -> bool {
    (one.st_mode, one.st_uid, one.st_gid) == (other.st_mode, other.st_uid, other.st_gid)
}

fn is_same(lower: &Stat, upper: &Stat) -> bool {
    has_same_attributes(lower, upper)
        && (lower.st_size, lower.st_mtime, lower.st_mtime_nsec)
            == (upper.st_size, upper.st_mtime, upper.st_mtime_nsec)
}

fn kind_of(stat: &Stat) -> LeftoverKind {
    match file_type(stat) {
        FileType::Directory => LeftoverKind::Folder,
        FileType::Symlink => LeftoverKind::Link,
        FileType::Socket => LeftoverKind::Socket,
        FileType::Fifo => LeftoverKind::Pipe,
        FileType::RegularFile | FileType::Unknown => LeftoverKind::File,
        FileType::CharacterDevice | FileType::BlockDevice => LeftoverKind::Device,
    }
}

fn size_of(stat: &Stat) -> u64 {
    match file_type(stat) {
        FileType::RegularFile | FileType::Symlink => u64::try_from(stat.st_size).unwrap_or(0),
        _ => 0,
    }
}
