//! The index over the history's files: an SQLite database that says quickly what takes long to read in them.
//!
//! It holds nothing that is not in the files. Whoever asks takes in first what was written since, in one transaction
//! for each file; several processes may do so at once.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::finding::Origin;
use crate::history::{Failing, Found, Session, Slow};
use crate::judge::Tally;
use crate::limits::INDEX_LOCK;
use crate::record::history_file::{Ended, Entry, HistoryError, Read, TestRun, TrialEntry, files, read};

/// Its file in the folder of the history.
pub const NAME: &str = "index.sqlite3";
/// What each version adds to the one before.
const MIGRATIONS: [&str; 2] = ["
    CREATE TABLE night (
        name TEXT PRIMARY KEY, started INTEGER NOT NULL, seed TEXT NOT NULL, revision TEXT, jostle TEXT NOT NULL,
        fingerprint TEXT NOT NULL, tests INTEGER NOT NULL, ended INTEGER NOT NULL, bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE test (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE trial (
        number INTEGER PRIMARY KEY, night TEXT NOT NULL REFERENCES night ON DELETE CASCADE, origin TEXT NOT NULL,
        seeded INTEGER, plan TEXT NOT NULL, nanoseconds INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX trial_of_night ON trial (night, seeded);
    CREATE TABLE run (
        trial INTEGER NOT NULL REFERENCES trial ON DELETE CASCADE, place INTEGER NOT NULL, worker INTEGER NOT NULL,
        test INTEGER NOT NULL REFERENCES test, verdict TEXT NOT NULL, nanoseconds INTEGER NOT NULL,
        PRIMARY KEY (trial, place)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX run_of_test ON run (test, trial);
    CREATE TABLE finding (
        night TEXT NOT NULL REFERENCES night ON DELETE CASCADE, kind TEXT NOT NULL, test TEXT, told TEXT NOT NULL,
        counts INTEGER NOT NULL, known INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX finding_of_night ON finding (night);
", "
    CREATE TABLE unjudged (night TEXT NOT NULL REFERENCES night ON DELETE CASCADE, test TEXT NOT NULL) STRICT;
    CREATE INDEX unjudged_of_night ON unjudged (night);
"];
/// What whoever uses the index holds a lock on, which the one that puts another in its place holds alone.
const LOCK: &str = "index.lock";
const VERSION: u32 = MIGRATIONS.len() as u32;
const FAILED: &str = "('failed', 'timeout', 'crashed')";

/// The index of a folder.
pub struct HistoryIndex {
    connection: Connection,
    folder: PathBuf,
    path: PathBuf,
    _lock: File,
}

impl HistoryIndex {
    /// Opens the index of a folder; one that is not there is made, one of an earlier version brought up to date.
    ///
    /// # Errors
    /// It cannot be read or written, is damaged, or a later jostle made it.
    pub fn open(folder: &Path) -> Result<Self, HistoryError> {
        let lock = lock(folder)?;
        // Some network file systems have no locks; a rebuild meanwhile is then up to the user.
        let _ = lock.lock_shared();
        Self::at(folder, folder.join(NAME), lock)
    }

    /// Makes the index anew, and puts it in the place of the one that is there.
    ///
    /// # Errors
    /// It cannot be written, or a file of the history cannot be read.
    pub fn rebuild(folder: &Path) -> Result<(Self, Vec<String>), HistoryError> {
        let path = folder.join(NAME);
        let io = |source| HistoryError::Io { what: "write", path: path.clone(), source };
        let new = tempfile::Builder::new().prefix(NAME).tempfile_in(folder).map_err(io)?.into_temp_path();
        let mut made = Self::at(folder, new.to_path_buf(), lock(folder)?)?;
        let remarks = made.sync()?;
        made.sql(|connection| connection.pragma_update(None, "journal_mode", "DELETE"))?;
        drop(made);
        // A log of the old one beside the new one would be taken for its own.
        let alone = lock(folder)?;
        let _ = alone.lock();
        for log in ["-wal", "-shm"] {
            let log = folder.join(format!("{NAME}{log}"));
            if log.exists() {
                std::fs::remove_file(log).map_err(io)?;
            }
        }
        new.persist(&path).map_err(|error| io(error.error))?;
        drop(alone);
        Ok((Self::open(folder)?, remarks))
    }

    fn at(folder: &Path, path: PathBuf, lock: File) -> Result<Self, HistoryError> {
        let wrong =
            |error: rusqlite::Error| HistoryError::Index { path: path.clone(), why: error.to_string() };
        let mut connection = Connection::open(&path).map_err(wrong)?;
        let version = (|| {
            connection.busy_timeout(INDEX_LOCK)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            for migration in MIGRATIONS.iter().skip(version as usize) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", version.max(VERSION))?;
            transaction.commit()?;
            Ok(version)
        })();
        match version.map_err(wrong)? {
            version if version > VERSION => Err(HistoryError::Newer { path, version, known: VERSION }),
            _ => Ok(Self { connection, folder: folder.to_owned(), path, _lock: lock }),
        }
    }

    /// Takes in what was written since, and drops what has no file any more. Returns what the user should know of damaged files.
    ///
    /// # Errors
    /// The index cannot be written, or a file of the history cannot be read.
    pub fn sync(&mut self) -> Result<Vec<String>, HistoryError> {
        let mut remarks = Vec::new();
        let files = files(&self.folder)?;
        let names: Vec<String> = files.iter().map(|file| name(file)).collect();
        self.sql(|connection| {
            let names = serde_json::to_string(&names).unwrap_or_default();
            connection
                .execute("DELETE FROM night WHERE name NOT IN (SELECT value FROM json_each(?1))", [names])
        })?;
        for (file, name) in files.into_iter().zip(names) {
            let size = std::fs::metadata(&file)
                .map_err(|source| HistoryError::Io { what: "read", path: file.clone(), source })?
                .len();
            let path = self.path.clone();
            let wrong =
                |error: rusqlite::Error| HistoryError::Index { path: path.clone(), why: error.to_string() };
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(wrong)?;
            let known: Option<u64> = transaction
                .query_row("SELECT bytes FROM night WHERE name = ?1", [&name], |row| row.get(0))
                .optional()
                .map_err(wrong)?;
            if known == Some(size) {
                continue;
            }
            // A file that is shorter than it was is another one, or was cut back to what could be believed.
            let from = known.filter(|&known| known < size).unwrap_or(0);
            let found = read(&file, from)?;
            if let Some(why) = &found.lost {
                remarks.push(format!("{} is believed up to byte {} only: {why}", file.display(), found.end));
            }
            take_in(&transaction, &name, from, &found).map_err(wrong)?;
            transaction.commit().map_err(wrong)?;
        }
        Ok(remarks)
    }

    /// The sessions, with what each found.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn nights(&self) -> Result<Vec<Session>, HistoryError> {
        self.sql(|connection| {
            let mut of_night = connection.prepare_cached(&format!(
                "SELECT kind, test, told, counts, (
                    SELECT count(*) FROM trial WHERE night = ?1 AND seeded <= (
                        SELECT min(seeded) FROM run JOIN trial ON trial.number = run.trial
                        WHERE trial.night = ?1 AND run.test = (SELECT number FROM test WHERE name = finding.test)
                        AND verdict IN {FAILED}
                    )
                ) FROM finding WHERE night = ?1 ORDER BY rowid"
            ))?;
            let mut nights = connection.prepare_cached(
                "SELECT name, started, seed, revision, tests, ended,
                    (SELECT count(*) FROM trial WHERE night = name AND seeded IS NOT NULL),
                    EXISTS (SELECT 1 FROM trial WHERE night = name AND origin LIKE '{\"race\"%')
                FROM night",
            )?;
            let mut ran = connection.prepare_cached(
                "SELECT test.name FROM test WHERE name IN (SELECT test FROM finding) AND EXISTS (
                    SELECT 1 FROM run JOIN trial ON trial.number = run.trial
                    WHERE run.test = test.number AND trial.night = ?1 AND verdict != 'not-run'
                )",
            )?;
            let mut unjudged =
                connection.prepare_cached("SELECT test FROM unjudged WHERE night = ?1 ORDER BY rowid")?;
            let found = |row: &rusqlite::Row<'_>| {
                let after: u64 = row.get(4)?;
                Ok(Found {
                    kind: row.get(0)?,
                    test: row.get(1)?,
                    summary: row.get(2)?,
                    counts: row.get(3)?,
                    after: Some(after).filter(|&after| after > 0),
                })
            };
            let rows = nights.query_map([], |row| {
                let name: String = row.get(0)?;
                let findings = of_night.query_map([&name], found)?.collect::<Result<_, _>>()?;
                let ran = ran.query_map([&name], |row| row.get(0))?.collect::<Result<_, _>>()?;
                let unjudged = unjudged.query_map([&name], |row| row.get(0))?.collect::<Result<_, _>>()?;
                let seed: String = row.get(2)?;
                Ok(Session {
                    name,
                    started: row.get(1)?,
                    seed: seed.parse().unwrap_or_default(),
                    revision: row.get(3)?,
                    tests: row.get(4)?,
                    trials: row.get(6)?,
                    ended: row.get(5)?,
                    ran,
                    raced: row.get(7)?,
                    findings,
                    unjudged,
                })
            })?;
            rows.collect()
        })
    }

    /// How often tests failed in the seeded trials of each session: the one that is named, or all that failed in any.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn failing(&self, test: Option<&str>) -> Result<Vec<Failing>, HistoryError> {
        self.sql(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "WITH wanted AS (
                    SELECT number FROM test WHERE name = ?1
                    UNION SELECT DISTINCT test FROM run JOIN trial ON trial.number = run.trial
                    WHERE ?1 IS NULL AND seeded IS NOT NULL AND verdict IN {FAILED}
                )
                SELECT test.name, night, count(*), sum(verdict IN {FAILED})
                FROM wanted JOIN run ON run.test = wanted.number JOIN trial ON trial.number = run.trial
                JOIN test ON test.number = run.test
                WHERE seeded IS NOT NULL AND verdict IN ('passed', 'failed', 'timeout', 'crashed')
                GROUP BY run.test, night"
            ))?;
            let rows = statement.query_map([test], |row| {
                let tally = Tally { runs: row.get(2)?, failed: row.get(3)? };
                Ok(Failing { test: row.get(0)?, night: row.get(1)?, tally })
            })?;
            rows.collect()
        })
    }

    /// The tests that take longest, so many at most: the one that is named, or any.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn slowest(&self, test: Option<&str>, most: u32) -> Result<Vec<Slow>, HistoryError> {
        self.sql(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT test.name, count(*), avg(run.nanoseconds) / 1e9 AS mean, max(run.nanoseconds) / 1e9
                FROM run JOIN test ON test.number = run.test JOIN trial ON trial.number = run.trial
                WHERE (?1 IS NULL OR test.name = ?1) AND seeded IS NOT NULL
                    AND verdict IN ('passed', 'failed', 'timeout', 'crashed')
                GROUP BY run.test ORDER BY mean DESC, test.name LIMIT ?2",
            )?;
            let rows = statement.query_map(params![test, most], |row| {
                Ok(Slow { test: row.get(0)?, runs: row.get(1)?, mean: row.get(2)?, longest: row.get(3)? })
            })?;
            rows.collect()
        })
    }

    /// Whether a session has a test of this name.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn knows(&self, test: &str) -> Result<bool, HistoryError> {
        self.sql(|connection| connection.prepare_cached("SELECT 1 FROM test WHERE name = ?1")?.exists([test]))
    }

    fn sql<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, HistoryError> {
        ask(&self.connection)
            .map_err(|error| HistoryError::Index { path: self.path.clone(), why: error.to_string() })
    }
}

/// The name of the session that a file is of.
fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn lock(folder: &Path) -> Result<File, HistoryError> {
    let path = folder.join(LOCK);
    let opened = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    opened.map_err(|source| HistoryError::Io { what: "write", path, source })
}

fn take_in(to: &Transaction<'_>, name: &str, from: u64, found: &Read) -> rusqlite::Result<()> {
    if from == 0 {
        to.execute("DELETE FROM night WHERE name = ?1", [name])?;
    }
    let Some(head) = &found.head else {
        return Ok(());
    };
    if from == 0 {
        let mut add = to.prepare_cached(
            "INSERT INTO night (name, started, seed, revision, jostle, fingerprint, tests, ended, bytes)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0)",
        )?;
        let (seed, fingerprint, tests) = (head.seed.0.to_string(), &head.fingerprint.0, head.tests.len());
        add.execute(params![name, head.started, seed, head.revision, head.jostle, fingerprint, tests])?;
    }
    let tests = head.tests.iter().map(|test| number(to, test)).collect::<rusqlite::Result<Vec<i64>>>()?;
    for entry in &found.entries {
        match entry {
            Entry::Trial(trial) => add_trial(to, name, &tests, trial)?,
            Entry::Ended(ended) => add_end(to, name, &head.tests, ended)?,
        }
    }
    to.execute("UPDATE night SET bytes = ?2 WHERE name = ?1", params![name, found.end])?;
    Ok(())
}

fn number(to: &Transaction<'_>, test: &str) -> rusqlite::Result<i64> {
    let known = to
        .prepare_cached("SELECT number FROM test WHERE name = ?1")?
        .query_row([test], |row| row.get(0))
        .optional()?;
    match known {
        Some(number) => Ok(number),
        None => to.prepare_cached("INSERT INTO test (name) VALUES (?1)")?.insert([test]),
    }
}

fn add_trial(to: &Transaction<'_>, night: &str, tests: &[i64], trial: &TrialEntry) -> rusqlite::Result<()> {
    let seeded = match trial.origin {
        Origin::Trial(index) => Some(index),
        _ => None,
    };
    let origin = serde_json::to_string(&trial.origin).unwrap_or_default();
    let number = to
        .prepare_cached(
            "INSERT INTO trial (night, origin, seeded, plan, nanoseconds) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .insert(params![night, origin, seeded, trial.plan, trial.nanoseconds])?;
    let mut add = to.prepare_cached(
        "INSERT INTO run (trial, place, worker, test, verdict, nanoseconds) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (place, TestRun(worker, test, verdict, nanoseconds)) in (0_i64..).zip(&trial.runs) {
        // A number that the head has no name for is of no test that could be asked for.
        if let Some(test) = tests.get(*test as usize) {
            add.execute(params![number, place, worker, test, verdict.name(), nanoseconds])?;
        }
    }
    Ok(())
}

/// A session that went on after an end comes to another, which says all that the first did.
fn add_end(to: &Transaction<'_>, night: &str, tests: &[String], ended: &Ended) -> rusqlite::Result<()> {
    to.execute("DELETE FROM finding WHERE night = ?1", [night])?;
    to.execute("UPDATE night SET ended = ?2 WHERE name = ?1", params![night, ended.whole])?;
    let mut add = to.prepare_cached(
        "INSERT INTO finding (night, kind, test, told, counts, known) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for found in &ended.findings {
        add.execute(params![night, found.kind, found.test, found.summary, found.counts, found.known])?;
    }
    to.execute("DELETE FROM unjudged WHERE night = ?1", [night])?;
    let mut add = to.prepare_cached("INSERT INTO unjudged (night, test) VALUES (?1, ?2)")?;
    // A number that the head has no name for is of no test that could be told.
    for test in ended.unjudged.iter().filter_map(|failure| tests.get(failure.test.get())) {
        add.execute(params![night, test])?;
    }
    Ok(())
}
