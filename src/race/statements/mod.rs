//! What tests say to servers of the trial's own, read off the bytes that they send: statements, and what these touch.

mod postgres;
mod redis;
mod sql;

use std::collections::BTreeMap;

use crate::plan::schedule::Resource;
use crate::race::operation::Operation;
use crate::race::servers::Sort;

/// A part of what a server keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// All of it.
    Server,
    /// A database of this name, as a whole: that it is there.
    Database(String),
    /// All that the connection's database holds.
    Whole,
    /// Which tables or keys there are.
    Names,
    /// Which keys there are that match this.
    Matching(String),
    Table(String),
    AdvisoryLock(String),
    Key(String),
}

/// What one send to a server asks for: a statement, or several of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Statement {
    /// Its first word: `UPDATE`.
    verb: String,
    /// What it reads, and what it changes or keeps others out of.
    parts: BTreeMap<Part, bool>,
}

impl Statement {
    fn new(verb: &str) -> Self {
        Self { verb: verb.to_owned(), parts: BTreeMap::new() }
    }

    fn touches(&mut self, part: Part, writes: bool) {
        *self.parts.entry(part).or_default() |= writes;
    }

    fn and(&mut self, other: Self) {
        if self.verb.is_empty() || self.verb == PREPARE {
            self.verb = other.verb;
        }
        for (part, writes) in other.parts {
            self.touches(part, writes);
        }
    }
}

/// What a statement is called that is made ready and not run.
const PREPARE: &str = "PREPARE";

/// What a send does, in the words of calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// What is done.
    pub(crate) operation: Operation,
    /// The first word of the statement, where the operation does not tell.
    pub(crate) statement: Option<String>,
    /// The resources, the narrowest first, each with whether it is changed or others are kept out of it.
    pub(crate) touches: Vec<(Resource, bool)>,
}

/// A connection to a server, as far as its client has been heard.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// `postgresql://127.0.0.1:5432`
    server: String,
    language: Language,
}

#[derive(Debug)]
enum Language {
    Postgres(postgres::Client),
    Redis(redis::Client),
}

impl Conversation {
    /// One that may have begun before; `database` is then the one it is taken to be with.
    pub(crate) fn new(sort: Sort, port: u16, database: &str) -> Self {
        let (scheme, language) = match sort {
            Sort::Postgres => ("postgresql", Language::Postgres(postgres::Client::new(database))),
            Sort::Redis => ("redis", Language::Redis(redis::Client::default())),
        };
        Self { server: format!("{scheme}://127.0.0.1:{port}"), language }
    }

    /// The connections that its server gives.
    pub(crate) fn connections(&self) -> Resource {
        Resource::connections_of(&self.server)
    }

    /// Hears what the client sends next. Nothing if that is nobody else's business; `is_own` tells what bears a name by
    /// which the worker keeps it apart.
    pub(crate) fn hears(&mut self, bytes: &[u8], is_own: impl Fn(&str) -> bool) -> Option<Said> {
        let (statement, database) = match &mut self.language {
            Language::Postgres(client) => (client.hears(bytes), client.database.clone()),
            Language::Redis(client) => (client.hears(bytes), client.database.to_string()),
        };
        let statement = statement.filter(|statement| !statement.parts.is_empty())?;
        let touches = named(&self.server, &database, &statement.parts, is_own);
        let (operation, verb) = match statement.verb.as_str() {
            "COMMIT" | "END" => (Operation::Commit, None),
            "ROLLBACK" => (Operation::Rollback, None),
            CONNECT => (Operation::ConnectTo, None),
            _ => (Operation::Execute, Some(statement.verb)),
        };
        (!touches.is_empty()).then_some(Said { operation, statement: verb, touches })
    }
}

/// The first message of a connection.
const CONNECT: &str = "CONNECT";

fn named(
    server: &str,
    database: &str,
    parts: &BTreeMap<Part, bool>,
    is_own: impl Fn(&str) -> bool,
) -> Vec<(Resource, bool)> {
    let within = |rest: &str| format!("{server}/{database}{rest}");
    let mut found: Vec<(Resource, bool)> = Vec::new();
    let mut add = |name: String, writes: bool| match found.iter_mut().find(|(known, _)| known.0 == name) {
        Some((_, known)) => *known |= writes,
        None => found.push((Resource(name), writes)),
    };
    let is_whole = |part: &Part| matches!(part, Part::Server | Part::Database(_));
    // What is narrow stands behind what is wide in their order.
    for (part, &writes) in parts.iter().rev() {
        let own = match part {
            Part::Server => false,
            Part::Database(name) => is_own(name),
            Part::Whole | Part::Names => is_own(database),
            Part::Matching(name) | Part::Table(name) | Part::AdvisoryLock(name) | Part::Key(name) => {
                is_own(database) || is_own(name)
            }
        };
        if own {
            continue;
        }
        let name = match part {
            Part::Server => server.to_owned(),
            Part::Database(name) => format!("{server} database {name}"),
            Part::Whole => within(""),
            Part::Names | Part::Matching(_) => format!("listing:{}", within("")),
            Part::Table(name) => within(&format!(" table {name}")),
            Part::AdvisoryLock(name) => within(&format!(" advisory lock {name}")),
            Part::Key(name) => within(&format!(" key {name}")),
        };
        add(name, writes);
    }
    // Who changes all of a database or of a server is in nobody's way who uses none of it.
    if parts.keys().any(|part| !is_whole(part)) && !is_own(database) {
        add(within(""), false);
    }
    if !parts.is_empty() {
        add(server.to_owned(), false);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(conversation: &mut Conversation, bytes: &[u8]) -> Vec<String> {
        let said = conversation.hears(bytes, |name| name.contains("gw0"));
        let shown = |(resource, writes): (Resource, bool)| {
            format!("{} {}", if writes { "changes" } else { "reads" }, resource.0)
        };
        said.into_iter().flat_map(|said| said.touches).map(shown).collect()
    }

    #[test]
    fn resources_are_named_by_server_database_and_part_and_what_a_worker_has_of_its_own_has_none() {
        let mut redis = Conversation::new(Sort::Redis, 6379, "");
        let key = "redis://127.0.0.1:6379/0 key session:1";
        let (whole, server) = ("reads redis://127.0.0.1:6379/0", "reads redis://127.0.0.1:6379");
        assert_eq!(touched(&mut redis, b"GET session:1\r\n"), [&format!("reads {key}"), whole, server]);
        let names = "changes listing:redis://127.0.0.1:6379/0";
        assert_eq!(
            touched(&mut redis, b"SET session:1 x\r\n"),
            [&format!("changes {key}"), names, whole, server]
        );
        assert_eq!(touched(&mut redis, b"GET gw0:session:1\r\n"), [whole, server]);
        assert_eq!(touched(&mut redis, b"KEYS gw0:*\r\n"), [whole, server]);
        assert_eq!(touched(&mut redis, b"FLUSHDB\r\n"), [names, "changes redis://127.0.0.1:6379/0", server]);
        assert_eq!(touched(&mut redis, b"FLUSHALL\r\n"), ["changes redis://127.0.0.1:6379"]);
        assert_eq!(touched(&mut redis, b"PING\r\n"), [""; 0]);
    }

    #[test]
    fn the_connections_that_a_server_gives_are_told_from_what_it_keeps_under_that_name() {
        let connections = Conversation::new(Sort::Postgres, 5432, "shop").connections();
        assert_eq!(connections.0, "postgresql://127.0.0.1:5432 connections");
        let is = |name: &str| Resource(name.to_owned()).is_connections();
        assert!(connections.is_connections());
        assert!(!is("postgresql://127.0.0.1:5432/shop table connections"));
        assert!(!is("postgresql://127.0.0.1:5432 database connections"));
        assert!(!is("file:/tmp/a connections"));
    }
}
