//! What a user namespace makes necessary: the kernel locks its mounts onto each other, and refuses a
//! folder with a mount below as a lower layer, since that would uncover what lies under the mount. Such a
//! folder is unfolded: a skeleton takes its place, and each of its entries is shown on its own.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, Gid, Mode, Uid, accessat, chmodat, chownat};

use super::Step;
use super::layout::{Found, HostMount, Place, Shown};
use super::protocol::{During, Failed};

/// Files of an unfolded folder up to this size are copied; larger ones are read-only.
const COPIED: u64 = 16 << 20;

/// What is at a path of the host.
pub(crate) fn look(path: &Path) -> Found {
    match fs::symlink_metadata(path).map(|found| found.file_type()) {
        Ok(kind) if kind.is_dir() => Found::Folder,
        Ok(kind) if kind.is_symlink() => Found::Neither,
        Ok(_) => Found::File,
        Err(_) => Found::Neither,
    }
}

/// Unfolds each overlay that has a mount below.
pub(crate) fn split_overlay(places: &mut Vec<Place>, mounts: &[HostMount]) {
    let below = |path: &Path| mounts.iter().any(|mount| mount.at != path && mount.at.starts_with(path));
    let mut next = 0;
    while let Some(place) = places.get_mut(next) {
        if place.shown == Shown::Overlay && below(&place.at) {
            place.shown = Shown::Skeleton;
            let at = place.at.clone();
            for (path, found) in entries(&at) {
                let shown = match found {
                    Found::Folder => Shown::Overlay,
                    Found::File if fs::symlink_metadata(&path).is_ok_and(|file| is_copied(&file)) => continue,
                    Found::File => Shown::ReadOnly,
                    Found::Neither => continue,
                };
                if !places.iter().any(|place| place.at == path) {
                    places.push(Place::new(path, shown));
                }
            }
        }
        next += 1;
    }
    places.sort_by(|one, other| one.at.cmp(&other.at));
}

/// A folder that cannot be listed here cannot be listed outside either, and is left empty.
fn entries(folder: &Path) -> Vec<(PathBuf, Found)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).map(|path| (path.clone(), look(&path))).collect()
}

fn is_copied(file: &fs::Metadata) -> bool {
    file.is_file() && file.len() <= COPIED
}

/// Makes the skeletons, each in a folder of its place's number, with what else is mounted in them.
pub(crate) fn make_skeletons(places: &[Place], folder: &Path) -> Result<(), Failed> {
    for (number, place) in places.iter().enumerate() {
        if place.shown == Shown::Skeleton {
            let skeleton = folder.join(number.to_string());
            let own = ["/tmp", "/var/tmp"].iter().any(|own| place.at == Path::new(own));
            let make = || {
                fs::create_dir(&skeleton)?;
                if !own {
                    fill(&place.at, &skeleton)?;
                }
                like(&place.at, &skeleton)
            };
            make().during(|| Step::other(format!("a copy of the folder {}", place.at.display())))?;
        }
        if let Some((enclosing, owner)) = enclosing(places, number)
            && owner.shown == Shown::Skeleton
        {
            let root = folder.join(enclosing.to_string());
            mount_point(&owner.at, &root, &place.at)
                .during(|| Step::other(format!("a place for {}", place.at.display())))?;
        }
    }
    Ok(())
}

/// The innermost place that a place lies in.
pub(crate) fn enclosing(places: &[Place], number: usize) -> Option<(usize, &Place)> {
    let at = &places.get(number)?.at;
    places[..number].iter().enumerate().rev().find(|(_, place)| at.starts_with(&place.at))
}

/// Copies what is not a folder; the folders are made as mount points.
fn fill(from: &Path, to: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries.flatten() {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        let Ok(found) = entry.metadata() else { continue };
        if found.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path)?, &copy)?;
        } else if is_copied(&found) && fs::copy(&path, &copy).is_ok() {
            let times = fs::FileTimes::new().set_modified(found.modified()?).set_accessed(found.accessed()?);
            // A file without write permission cannot be opened for it; it then has a time of its own.
            let _ = fs::File::options().append(true).open(&copy).and_then(|file| file.set_times(times));
        }
    }
    Ok(())
}

/// Makes what `at` is to be mounted on in `root`, which stands for `folder`; folders between get the
/// attributes they have on the host.
pub(crate) fn mount_point(folder: &Path, root: &Path, at: &Path) -> io::Result<()> {
    let Ok(inner) = at.strip_prefix(folder) else { return Ok(()) };
    let (mut from, mut to) = (folder.to_owned(), root.to_owned());
    for part in inner {
        from.push(part);
        to.push(part);
        if to.symlink_metadata().is_ok() {
            continue;
        }
        if from.is_dir() {
            fs::create_dir(&to)?;
            like(&from, &to)?;
        } else {
            fs::File::create(&to)?;
        }
    }
    Ok(())
}

/// Gives a folder the owner and mode of another. In a user namespace nobody can be made the owner but us;
/// then the owner's bits become what we may do on the host, so that what is forbidden stays so. Whose the
/// folder is cannot be seen there: strangers' are shown as nobody's, and we may be nobody.
pub(crate) fn like(host: &Path, ours: &Path) -> io::Result<()> {
    let Ok(model) = fs::metadata(host) else { return Ok(()) };
    let mut mode = model.permissions().mode() & 0o7777;
    // Our capabilities grant everything where the owner is known, and nothing where he is not.
    let bits = [(Access::READ_OK, 0o400), (Access::WRITE_OK, 0o200), (Access::EXEC_OK, 0o100)];
    let granted =
        bits.into_iter().filter(|(access, _)| accessat(CWD, host, *access, AtFlags::EACCESS).is_ok());
    let granted = granted.fold(0, |mode, (_, bit)| mode | bit);
    if granted == 0o700 {
        let (user, group) = (Uid::from_raw(model.uid()), Gid::from_raw(model.gid()));
        // A stranger's folder in which we may do everything becomes ours.
        let _ = chownat(CWD, ours, Some(user), Some(group), AtFlags::empty());
    } else {
        mode = (mode & !0o700) | granted;
    }
    Ok(chmodat(CWD, ours, Mode::from_raw_mode(mode), AtFlags::empty())?)
}
