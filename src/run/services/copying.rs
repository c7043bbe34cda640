//! A database of the user's that a PostgreSQL of the trials' own starts with: copied once, by reading it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize, Serializer};

use super::{Step, on_host};
use crate::run::RunError;
use crate::run::process::interrupt::Interrupt;

/// What a URL begins with that PostgreSQL's programs take.
const SCHEMES: [&str; 2] = ["postgresql", "postgres"];
/// What `pg_dump` says where it is older than the server.
const TOO_OLD: &str = "server version mismatch";

/// What `from` says: a URL, or `$NAME` for the variable that holds one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct CopyFrom(String);

/// Without the password: it is written to journals.
impl Serialize for CopyFrom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = Url::of(&self.0).map(|url| url.shown);
        serializer
            .serialize_str(&shown.unwrap_or_else(|_| self.0.chars().take_while(|c| *c != ':').collect()))
    }
}

/// A database, by its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Url {
    /// Without the password.
    shown: String,
    user: Option<String>,
    password: Option<String>,
    database: String,
}

/// A database that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    url: Url,
    /// The program that reads it.
    dump: PathBuf,
    /// What fills the copy.
    pub(super) restore: Step,
}

impl Copied {
    /// The database that a setting names, copied by programs of a folder.
    ///
    /// # Errors
    /// What is wrong with the setting, or which program is missing.
    pub(super) fn new(from: &CopyFrom, programs: &Path) -> Result<Self, String> {
        let url = match from.0.strip_prefix('$') {
            Some(name) => {
                let value = std::env::var(name).map_err(|_| {
                    format!("from = \"${name}\": there is no such variable. Set it to the URL of a database")
                })?;
                Url::of(&value)?
            }
            None => Url::of(&from.0)?,
        };
        let program = |name: &str| {
            let path = programs.join(name);
            path.is_file().then_some(path).ok_or_else(|| {
                format!(
                    "from: {name} is not in {}, beside the server that trials get. Install PostgreSQL's client programs of the \
                     same version there",
                    programs.display()
                )
            })
        };
        let options =
            ["--no-owner", "--no-privileges", "--exit-on-error", "--dbname", &url.database, "{data}.dump"];
        let restore = Step::new(program("pg_restore")?, &options);
        Ok(Self { dump: program("pg_dump")?, restore, url })
    }

    /// The user that it is read as.
    pub(super) fn user(&self) -> Option<&str> {
        self.url.user.as_deref()
    }

    /// Its name.
    pub(super) fn database(&self) -> &str {
        &self.url.database
    }

    /// Writes all that it holds to a file. Nothing of it is changed: `pg_dump` reads within one transaction that may not write.
    ///
    /// # Errors
    /// It cannot be read, or the user interrupts.
    pub(super) fn write(&self, service: &str, to: &Path, interrupt: &Interrupt) -> Result<(), RunError> {
        let mut command = Command::new(&self.dump);
        command.args(["--format=custom", "--no-owner", "--no-privileges", "--no-password", "--file"]);
        command.arg(to).arg("--dbname").arg(&self.url.shown);
        // Where the process's arguments are, everybody may read.
        command.envs(self.url.password.as_ref().map(|password| ("PGPASSWORD", password)));
        on_host::run(&mut command, interrupt)?.map_err(|why| {
            let advice = if why.contains(TOO_OLD) {
                format!(
                    ". Trials get the PostgreSQL of {}, which is older than that server: put the folder of newer programs on PATH",
                    self.dump.parent().unwrap_or(&self.dump).display()
                )
            } else {
                String::new()
            };
            RunError::Service(format!(
                "the service {service}: {} cannot be copied: pg_dump failed: {why}{advice}",
                self.url.shown
            ))
        })
    }
}

impl Url {
    /// # Errors
    /// It is no URL of a database of PostgreSQL's.
    fn of(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "from: {what}. Give a URL like postgresql://user@localhost:5432/shop, or $NAME for a variable that holds one"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| wrong("that is no URL"))?;
        // SQLAlchemy's URLs name the driver too.
        let scheme = scheme.split('+').next().unwrap_or_default();
        if !SCHEMES.contains(&scheme) {
            return Err(wrong(&format!("a database of {scheme} cannot be copied")));
        }
        let (authority, path) = rest.split_once('/').ok_or_else(|| wrong("the URL names no database"))?;
        let (name, options) = path.split_once('?').unwrap_or((path, ""));
        if options.contains("password=") {
            return Err(wrong(
                "its password stands among the options. Put it before the host, as in user:password@host",
            ));
        }
        if name.is_empty() {
            return Err(wrong("the URL names no database"));
        }
        let (login, host) =
            authority.rsplit_once('@').map_or((None, authority), |(login, host)| (Some(login), host));
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (Some(user), Some(password).filter(|password| !password.is_empty())),
            None => (None, None),
        };
        let at = user.map(|user| format!("{user}@")).unwrap_or_default();
        Ok(Self {
            shown: format!("postgresql://{at}{host}/{path}"),
            user: user.filter(|user| !user.is_empty()).map(decoded),
            password: password.map(decoded),
            database: decoded(name),
        })
    }
}

/// A part of a URL without its `%` escapes.
fn decoded(part: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_shown_without_its_password() {
        let url =
            Url::of("postgresql+psycopg://clerk:a%40b%2@db.example:5433/sh%6fp?sslmode=require").unwrap();
        assert_eq!(url.shown, "postgresql://clerk@db.example:5433/sh%6fp?sslmode=require");
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("clerk"), Some("a@b%2")));
        assert_eq!(url.database, "shop");
        let local = Url::of("postgres:///shop?host=/run/postgresql").unwrap();
        assert_eq!((local.shown.as_str(), local.user), ("postgresql:///shop?host=/run/postgresql", None));
        for (wrong, why) in [
            ("shop", "that is no URL"),
            ("mysql://localhost/shop", "a database of mysql cannot"),
            ("postgresql://localhost", "names no database"),
            ("postgresql://localhost/?x", "names no database"),
        ] {
            assert!(Url::of(wrong).unwrap_err().contains(why), "{wrong}");
        }
        let written = serde_json::to_string(&CopyFrom("postgresql://a:secret@b/c".into())).unwrap();
        assert_eq!(written, "\"postgresql://a@b/c\"");
        assert!(!serde_json::to_string(&CopyFrom("x:secret".into())).unwrap().contains("secret"));
    }

    #[test]
    fn programs_that_are_missing_beside_the_server_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let copied = || Copied::new(&CopyFrom("postgresql://localhost/shop".into()), folder.path());
        assert!(copied().unwrap_err().contains("pg_restore is not in"));
        std::fs::write(folder.path().join("pg_restore"), "").unwrap();
        assert!(copied().unwrap_err().contains("pg_dump is not in"));
        std::fs::write(folder.path().join("pg_dump"), "").unwrap();
        assert_eq!(copied().unwrap().database(), "shop");
        let unset = Copied::new(&CopyFrom("$JOSTLE_NO_SUCH_VARIABLE".into()), folder.path()).unwrap_err();
        assert!(unset.contains("there is no such variable"), "{unset}");
    }
}
