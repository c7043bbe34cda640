//! Journals on disk: written a line at a time while a session works, and read again by one that goes on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::record::journal_format::{
    Header, Key, Lost, Record, ScanError, digest, header, line, parse, scan,
};
use crate::suite::Suite;

/// How long what was written may stay in the system's memory only. A crash of jostle loses nothing of
/// it, one of the machine does.
const SYNC: Duration = Duration::from_secs(1);
/// How many journals are kept in jostle's own folder.
const KEPT: usize = 32;

/// A journal that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It cannot be read or written.
    #[error("cannot {what} the journal {}: {source}. Give {} FILE", path.display(), remedy(what))]
    Io {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another session writes it.
    #[error("another jostle writes the journal {}: wait for its end, or give another file with --journal FILE", .0.display())]
    InUse(PathBuf),
    /// It exists, and nobody said that it may be overwritten.
    #[error("the journal {path} exists: go on with --resume {path}, or remove it, or give another file with --journal FILE", path = .0.display())]
    Exists(PathBuf),
    /// It holds something else.
    #[error("{} is not a journal of jostle: {why}. Give a file that `jostle stress --journal FILE` wrote, or start anew without --resume", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// What gives a journal that can be.
fn remedy(what: &str) -> &'static str {
    if what == "read" { "a journal that is there with --resume" } else { "another place with --journal" }
}

/// A journal that is read and written. No other session can open it meanwhile.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    header: Header,
    /// Where the records are that were not recalled yet.
    recorded: BTreeMap<Key, VecDeque<std::ops::Range<u64>>>,
    lost: Option<Lost>,
    end: u64,
    synced: Instant,
}

impl Journal {
    /// Starts a journal. One that is there is overwritten if it `may_exist`.
    ///
    /// # Errors
    /// It cannot be written, another session writes it, or it exists.
    pub fn create(path: &Path, header: Header, may_exist: bool) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { what: "write", path: path.to_owned(), source };
        let exists = path.exists();
        if exists && !may_exist {
            return Err(JournalError::Exists(path.to_owned()));
        }
        if exists && !path.is_file() {
            return Err(io(io::Error::other("it is no regular file")));
        }
        if let (true, Some(folder)) = (may_exist, path.parent()) {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let options = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let file = locked(options.map_err(io)?, path)?;
        let start = || {
            file.set_len(0)?;
            let line = line(&header)?;
            file.write_all_at(&line, 0)?;
            file.sync_data()?;
            Ok(line.len() as u64)
        };
        let end = start().map_err(io)?;
        let (path, recorded) = (path.to_owned(), BTreeMap::new());
        Ok(Self { path, file, header, recorded, lost: None, end, synced: Instant::now() })
    }

    /// Opens a journal to go on with. It stays as it is until something is added.
    ///
    /// # Errors
    /// It cannot be read, another session writes it, or it is no journal.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { what: "read", path: path.to_owned(), source };
        let file = locked(regular(path, true).map_err(io)?, path)?;
        let scan = scan(BufReader::new(&file)).map_err(|error| match error {
            ScanError::Io(source) => io(source),
            ScanError::Header(why) => JournalError::Content { path: path.to_owned(), why },
        })?;
        let mut recorded: BTreeMap<Key, VecDeque<_>> = BTreeMap::new();
        for (key, place) in scan.records {
            recorded.entry(key).or_default().push_back(place);
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            header: scan.header,
            recorded,
            lost: scan.lost,
            end: scan.end,
            synced: Instant::now(),
        })
    }

    /// What a journal's runs depend on, without its runs.
    ///
    /// # Errors
    /// It cannot be read, or is no journal.
    pub(crate) fn header_of(path: &Path) -> Result<Header, JournalError> {
        let io = |source| JournalError::Io { what: "read", path: path.to_owned(), source };
        let mut first = Vec::new();
        BufReader::new(regular(path, false).map_err(io)?).read_until(b'\n', &mut first).map_err(io)?;
        header(&first).map_err(|why| JournalError::Content { path: path.to_owned(), why })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its runs depend on.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What of it could not be read, and will be overwritten.
    pub fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    /// How many records were not recalled yet.
    pub fn len(&self) -> usize {
        self.recorded.values().map(VecDeque::len).sum()
    }

    /// Whether every record was recalled.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a record of these runs was not recalled yet.
    pub fn holds(&self, key: &Key) -> bool {
        self.recorded.get(key).is_some_and(|places| !places.is_empty())
    }

    /// The first record of these runs that was not recalled yet.
    ///
    /// # Errors
    /// The file cannot be read, or was changed meanwhile.
    pub(crate) fn recall(&mut self, key: &Key) -> Result<Option<Record>, JournalError> {
        let Some(place) = self.recorded.get_mut(key).and_then(VecDeque::pop_front) else {
            return Ok(None);
        };
        let mut line = vec![0; (place.end - place.start) as usize];
        self.file.read_exact_at(&mut line, place.start).map_err(|source| JournalError::Io {
            what: "read",
            path: self.path.clone(),
            source,
        })?;
        let content = |why| JournalError::Content { path: self.path.clone(), why };
        parse(&line).map(Some).map_err(content)
    }

    /// Adds a record. What could not be read is cut off.
    ///
    /// # Errors
    /// It cannot be written; the journal then ends with the record before.
    pub fn add(&mut self, record: &Record) -> Result<(), JournalError> {
        let written = self.write(record);
        written.map_err(|source| {
            // Where this fails as well, the reader drops the line that was cut short.
            let _ = self.file.set_len(self.end);
            JournalError::Io { what: "write", path: self.path.clone(), source }
        })
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        if self.lost.take().is_some() {
            self.file.set_len(self.end)?;
        }
        let line = line(record)?;
        self.file.write_all_at(&line, self.end)?;
        if self.synced.elapsed() >= SYNC {
            self.sync()?;
        }
        self.end += line.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.synced = Instant::now();
        self.file.sync_data()
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // What cannot be told any more is told by the reader.
        let _ = self.sync();
    }
}

/// Opens a file that has an end.
fn regular(path: &Path, writable: bool) -> io::Result<File> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::options().read(true).write(writable).open(path)
}

fn locked(file: File, path: &Path) -> Result<File, JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse(path.to_owned())),
        // Some network file systems have no locks; one session at a time is then up to the user.
        Err(TryLockError::Error(_)) => Ok(file),
    }
}

/// The place of a project's journal in jostle's own folder.
pub fn place(cache: &Path, project: &Path, seed: u64) -> PathBuf {
    folder(cache).join(format!("{}{seed}.jsonl", prefix(project)))
}

/// A project's newest journal in jostle's own folder.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn newest(cache: &Path, project: &Path) -> io::Result<Option<PathBuf>> {
    let prefix = prefix(project);
    let ours =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
    Ok(by_age(&folder(cache))?.into_iter().rfind(ours))
}

/// Removes the oldest journals of jostle's own folder, until no more than 32 are left.
///
/// # Errors
/// The folder cannot be read, or a file not removed.
pub(crate) fn prune(folder: &Path) -> io::Result<()> {
    let all = by_age(folder)?;
    all.iter().take(all.len().saturating_sub(KEPT)).try_for_each(std::fs::remove_file)
}

fn folder(cache: &Path) -> PathBuf {
    cache.join("journals")
}

fn prefix(project: &Path) -> String {
    format!("{}-", project_digest(project))
}

/// What a project is called in jostle's own folder.
pub(crate) fn project_digest(project: &Path) -> String {
    digest(project.as_os_str().as_encoded_bytes())
}

/// The journals of a folder, the oldest first.
fn by_age(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match folder.read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            found.push((path.metadata()?.modified()?, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// The digest of the files that hold a suite's tests, and of the conftest files above them.
pub(crate) fn sources(suite: &Suite, rootdir: &Path) -> String {
    let mut files = BTreeSet::new();
    for test in &suite.tests {
        let file = Path::new(&test.file);
        files.insert(file.to_owned());
        files.extend(file.ancestors().skip(1).map(|folder| folder.join("conftest.py")));
    }
    let digests = files.iter().filter_map(|file| {
        let content = std::fs::read(rootdir.join(file)).ok()?;
        Some(format!("{} {}\n", digest(&content), file.display()))
    });
    digest(digests.collect::<String>().as_bytes())
}
