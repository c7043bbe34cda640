//! Small files that are read at once, and that appear whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr};
use rustix::io::Errno;
use tempfile::NamedTempFile;

/// What Linux admits of names and of a value.
const ATTRIBUTES_BYTES: usize = 65_536;

/// Writes a file in place of one that may be there. What is no regular file is written as it is.
///
/// # Errors
/// It cannot be written; what was there is then as it was.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return File::options().write(true).open(path)?.write_all(content);
    }
    // As for any new file, the user's mask decides what is left of these.
    let mut builder = tempfile::Builder::new();
    let mut file = builder.permissions(Permissions::from_mode(0o666)).tempfile_in(folder(path))?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

/// What takes the place of a file once all of it is written, so that a full disk is known before the file is touched.
#[derive(Debug)]
pub(crate) struct Replacement {
    place: PathBuf,
    new: NamedTempFile,
}

impl Replacement {
    /// Writes what is to take a file's place beside it, with the file's mode, owner and attributes, access control
    /// lists among them. Of a link it is the file that it leads to.
    ///
    /// # Errors
    /// The file is not there or may not be changed, or there is no room beside it.
    pub(crate) fn new(path: &Path, content: &[u8]) -> io::Result<Self> {
        let place = path.canonicalize()?;
        // Who may not write the file is not to get around that because its folder can be written.
        let old = File::options().write(true).open(&place)?;
        let metadata = old.metadata()?;
        let mut new = tempfile::Builder::new().prefix(".jostle-").tempfile_in(folder(&place))?;
        new.write_all(content)?;
        let own = new.as_file().metadata()?;
        if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
            // Who may not give a file away keeps it as his own, as editors do.
            let _ = chown(new.path(), Some(metadata.uid()), Some(metadata.gid()));
        }
        new.as_file().set_permissions(metadata.permissions())?;
        copy_attributes(&old, new.as_file())?;
        new.as_file().sync_all()?;
        Ok(Self { place, new })
    }

    /// Puts it there.
    ///
    /// # Errors
    /// It cannot be put there; the file is then as it was.
    pub(crate) fn put(self) -> io::Result<()> {
        self.new.persist(self.place)?;
        Ok(())
    }
}

/// Gives a file the extended attributes of another. Those that only the system may set are left to it.
fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    let mut names = vec![0; ATTRIBUTES_BYTES];
    let length = match flistxattr(from, names.as_mut_slice()) {
        // The file system has none.
        Err(Errno::NOTSUP) => return Ok(()),
        length => length?,
    };
    let mut value = vec![0; ATTRIBUTES_BYTES];
    for name in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let length = fgetxattr(from, name, value.as_mut_slice())?;
        let set = fsetxattr(to, name, &value[..length], XattrFlags::empty());
        let is_the_systems = [&b"security."[..], b"trusted."].iter().any(|start| name.starts_with(start));
        if !is_the_systems {
            set?;
        }
    }
    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Reads a file of no more than so many bytes.
///
/// # Errors
/// It cannot be read, has no end, or is larger.
pub fn read(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(most_bytes + 1).read_to_end(&mut content)?;
    if content.len() as u64 > most_bytes {
        return Err(io::Error::other(format!("it is larger than {} MiB", most_bytes >> 20)));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replacement_has_the_attributes_of_what_it_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.py");
        std::fs::write(&path, "a\n").unwrap();
        let file = File::open(&path).unwrap();
        // One that lets a group read and write, in the kernel's form.
        let list = [
            &2_u32.to_le_bytes()[..],
            &entry(0x01, 6, u32::MAX),
            &entry(0x04, 4, u32::MAX),
            &entry(0x08, 6, 4242),
            &entry(0x10, 6, u32::MAX),
            &entry(0x20, 0, u32::MAX),
        ]
        .concat();
        let name = "system.posix_acl_access";
        if fsetxattr(&file, name, &list, XattrFlags::empty()).is_err() {
            // The file system has none.
            return;
        }
        Replacement::new(&path, b"b\n").unwrap().put().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"b\n");
        let mut value = vec![0; ATTRIBUTES_BYTES];
        let length = fgetxattr(File::open(&path).unwrap(), name, value.as_mut_slice()).unwrap();
        assert_eq!(value[..length], list);
    }

    fn entry(tag: u16, rights: u16, id: u32) -> Vec<u8> {
        [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
    }
}
