//! Small files that are read at once, and that appear whole or not at all.

use std::fs::{File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

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
    /// Writes what is to take a file's place beside it, with the file's mode. Of a link it is the file that it leads to.
    ///
    /// # Errors
    /// The file is not there or may not be changed, or there is no room beside it.
    pub(crate) fn new(path: &Path, content: &[u8]) -> io::Result<Self> {
        let place = path.canonicalize()?;
        // Who may not write the file is not to get around that because its folder can be written.
        let metadata = File::options().write(true).open(&place)?.metadata()?;
        let mut new = tempfile::Builder::new().prefix(".jostle-").tempfile_in(folder(&place))?;
        new.write_all(content)?;
        let own = new.as_file().metadata()?;
        if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
            // Who may not give a file away keeps it as his own, as editors do.
            let _ = chown(new.path(), Some(metadata.uid()), Some(metadata.gid()));
        }
        new.as_file().set_permissions(metadata.permissions())?;
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
