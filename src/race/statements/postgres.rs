//! PostgreSQL's wire protocol, as clients speak it unencrypted (version 3).

use std::collections::{BTreeMap, BTreeSet};

use super::sql::{Does, does};
use super::{CONNECT, PREPARE, Part, Statement};

/// A longer message is not believed.
const MOST: usize = 1 << 26;
/// The types of messages that clients send.
const KNOWN: &[u8] = b"QPBECDHSFXpdcf";
const VERSION_3: u32 = 3;
const ASKS_FOR_TLS: u32 = 80_877_103;
const ASKS_FOR_GSS: u32 = 80_877_104;
const CANCELS: u32 = 80_877_102;
/// The first byte of a TLS record that shakes hands.
const SHAKES_HANDS: u8 = 0x16;

/// The client's side of a connection.
#[derive(Debug)]
pub(super) struct Client {
    /// The database that it is with.
    pub(super) database: String,
    buffer: Vec<u8>,
    /// How many bytes are left of a message that says nothing.
    skips: usize,
    /// Whether its first message has been heard, or was sent before anybody listened.
    has_begun: bool,
    is_encrypted: bool,
    /// Of the statements that were made ready, what they do.
    statements: BTreeMap<String, Vec<Does>>,
    /// Of the portals.
    portals: BTreeMap<String, Vec<Does>>,
    /// The schema in which it looks for tables, if that is not everybody's.
    schema: Option<String>,
    /// What the transaction that is open has changed.
    changed: Option<BTreeSet<Part>>,
}

impl Client {
    pub(super) fn new(database: &str) -> Self {
        Self {
            database: database.to_owned(),
            buffer: Vec::new(),
            skips: 0,
            has_begun: false,
            is_encrypted: false,
            statements: BTreeMap::new(),
            portals: BTreeMap::new(),
            schema: None,
            changed: None,
        }
    }

    /// Hears what it sends next: the messages that are whole by then, as one statement.
    pub(super) fn hears(&mut self, mut bytes: &[u8]) -> Option<Statement> {
        let skipped = self.skips.min(bytes.len());
        (self.skips, bytes) = (self.skips - skipped, &bytes[skipped..]);
        self.buffer.extend(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let (mut rest, mut all) = (&buffer[..], None::<Statement>);
        while let Some((first, _)) = rest.split_first() {
            if self.is_encrypted || !self.has_begun && *first == SHAKES_HANDS {
                self.is_encrypted = true;
                return Some(unknown());
            }
            let is_start = !self.has_begun && *first == 0;
            let head = usize::from(!is_start);
            let Some(length) = rest.get(head..head + 4).and_then(|four| four.try_into().ok()) else { break };
            let length = u32::from_be_bytes(length) as usize;
            if !(4..=MOST).contains(&length) || !is_start && !KNOWN.contains(first) {
                // Where the next message begins is not known: with what is sent next.
                return Some(unknown());
            }
            self.has_begun |= !is_start;
            let whole = head + length;
            if *first == b'd' && rest.len() < whole {
                self.skips = whole - rest.len();
                rest = &[];
                break;
            }
            let Some(body) = rest.get(head + 4..whole) else { break };
            let said = if is_start { self.starts(body) } else { self.says(*first, body) };
            rest = &rest[whole..];
            if let Some(said) = said {
                all.get_or_insert_with(Statement::default).and(said);
            }
        }
        self.buffer = rest.to_vec();
        all
    }

    fn starts(&mut self, body: &[u8]) -> Option<Statement> {
        let code = u32::from_be_bytes(body.get(..4)?.try_into().ok()?);
        if [ASKS_FOR_TLS, ASKS_FOR_GSS, CANCELS].contains(&code) || code >> 16 != VERSION_3 {
            return None;
        }
        self.has_begun = true;
        let mut words = body[4..].split(|&byte| byte == 0).map(String::from_utf8_lossy);
        let mut given = BTreeMap::new();
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            given.insert(name.into_owned(), value.into_owned());
        }
        if let Some(database) = given.get("database").or(given.get("user")) {
            self.database.clone_from(database);
        }
        let options = given.get("options").and_then(|options| options.split_once("search_path="));
        if let Some((_, path)) = options {
            self.looks_in(path.split([',', ' ']).next().unwrap_or_default());
        }
        let mut connects = Statement::new(CONNECT);
        connects.touches(Part::Database(self.database.clone()), false);
        Some(connects)
    }

    fn says(&mut self, kind: u8, body: &[u8]) -> Option<Statement> {
        let mut words = body.split(|&byte| byte == 0);
        let mut word = || String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned();
        match kind {
            b'Q' => {
                let text = word();
                Some(self.runs(&does(&text)))
            }
            b'P' => {
                let (name, text) = (word(), word());
                let does = does(&text);
                let mut prepares = Statement::new(PREPARE);
                for part in does.iter().filter_map(tables).flatten() {
                    prepares.touches(self.within(part), false);
                }
                self.statements.insert(name, does);
                Some(prepares)
            }
            b'B' => {
                let (portal, name) = (word(), word());
                let does = self.statements.get(&name).cloned().unwrap_or_else(not_heard);
                self.portals.insert(portal, does);
                None
            }
            b'E' => {
                let does = self.portals.get(&word()).cloned().unwrap_or_else(not_heard);
                Some(self.runs(&does))
            }
            // A call of a function, as clients made them once.
            b'F' => Some(unknown()),
            _ => None,
        }
    }

    fn runs(&mut self, all: &[Does]) -> Statement {
        let mut found = Statement::default();
        for does in all {
            match does {
                Does::Begins => _ = self.changed.get_or_insert_default(),
                Does::Ends(how) => {
                    let mut ends = Statement::new(how);
                    for part in self.changed.take().into_iter().flatten() {
                        ends.touches(part, true);
                    }
                    found.and(ends);
                }
                Does::LooksIn(schema) => self.looks_in(schema),
                Does::Runs(statement) => {
                    let mut here = Statement::new(&statement.verb);
                    for (part, &writes) in &statement.parts {
                        let part = self.within(part.clone());
                        if let Some(changed) = self.changed.as_mut().filter(|_| writes) {
                            changed.insert(part.clone());
                        }
                        here.touches(part, writes);
                    }
                    found.and(here);
                }
            }
        }
        found
    }

    fn looks_in(&mut self, schema: &str) {
        let is_usual = ["public", "default", ""].contains(&schema) || schema.contains('$');
        self.schema = (!is_usual).then(|| schema.to_owned());
    }

    /// A part, a table of which the schema is not said with that in which it is looked for.
    fn within(&self, part: Part) -> Part {
        match (part, &self.schema) {
            (Part::Table(name), Some(schema)) if !name.contains('.') => {
                Part::Table(format!("{schema}.{name}"))
            }
            (part, _) => part,
        }
    }
}

/// The tables of a statement, which have to be there when it is made ready.
fn tables(does: &Does) -> Option<impl Iterator<Item = Part>> {
    let Does::Runs(statement) = does else { return None };
    Some(statement.parts.keys().filter(|part| matches!(part, Part::Table(_))).cloned())
}

/// A statement that was made ready before anybody listened.
fn not_heard() -> Vec<Does> {
    let mut statement = Statement::new("EXECUTE");
    statement.touches(Part::Whole, true);
    statement.touches(Part::Names, true);
    vec![Does::Runs(statement)]
}

/// What cannot be read.
fn unknown() -> Statement {
    let mut statement = Statement::new("?");
    statement.touches(Part::Server, true);
    statement
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: &str, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [kind.as_bytes(), &length.to_be_bytes(), body].concat()
    }

    fn start(words: &str) -> Vec<u8> {
        message("", &[&196_608_u32.to_be_bytes(), words.replace(' ', "\0").as_bytes(), b"\0\0"].concat())
    }

    fn query(text: &str) -> Vec<u8> {
        message("Q", format!("{text}\0").as_bytes())
    }

    fn parse(name: &str, text: &str) -> Vec<u8> {
        message("P", format!("{name}\0{text}\0\0\0").as_bytes())
    }

    fn bind_and_execute(name: &str) -> Vec<u8> {
        let bind = message("B", format!("\0{name}\0\0\0\0\0\0\0").as_bytes());
        [bind, message("E", b"\0\0\0\0\0"), message("S", b"")].concat()
    }

    fn shown(statement: Option<Statement>) -> String {
        let Some(statement) = statement else { return String::new() };
        let part = |(part, writes): (Part, bool)| format!(" {part:?}{}", if writes { "!" } else { "" });
        let parts: String = statement.parts.into_iter().map(part).collect();
        format!("{}{parts}", statement.verb)
    }

    fn heard(sends: &[Vec<u8>]) -> Vec<String> {
        let mut client = Client::new("shop");
        sends.iter().map(|bytes| shown(client.hears(bytes))).collect()
    }

    #[test]
    fn simple_and_prepared_statements_are_told() {
        let tls = message("", &ASKS_FOR_TLS.to_be_bytes());
        let sends = [
            tls,
            start("user clerk database stock"),
            query("SELECT * FROM a"),
            [parse("", "UPDATE a SET x = $1"), bind_and_execute("")].concat(),
            parse("s1", "INSERT INTO b VALUES ($1)"),
            bind_and_execute("s1"),
            bind_and_execute("s2"),
            message("X", b""),
        ];
        let expected = [
            "",
            "CONNECT Database(\"stock\")",
            "SELECT Table(\"a\")",
            "UPDATE Table(\"a\")!",
            "PREPARE Table(\"b\")",
            "INSERT Table(\"b\")!",
            "EXECUTE Whole! Names!",
            "",
        ];
        assert_eq!(heard(&sends), expected);
    }

    #[test]
    fn the_end_of_a_transaction_is_one_of_what_it_changed() {
        let sends = ["BEGIN", "SELECT * FROM a", "UPDATE b SET x = 1", "COMMIT", "ROLLBACK"].map(query);
        let expected =
            ["", "SELECT Table(\"a\")", "UPDATE Table(\"b\")!", "COMMIT Table(\"b\")!", "ROLLBACK"];
        assert_eq!(heard(&sends), expected);
    }

    #[test]
    fn tables_are_those_of_the_schema_that_the_connection_looks_in() {
        let sends = [
            "SET search_path TO gw0",
            "SELECT * FROM a, other.b",
            "SET search_path TO public",
            "SELECT * FROM a",
        ];
        let expected = ["", "SELECT Table(\"gw0.a\") Table(\"other.b\")", "", "SELECT Table(\"a\")"];
        assert_eq!(heard(&sends.map(query)), expected);
        let sends = [start("user me options -csearch_path=gw0,public"), query("SELECT * FROM a")];
        assert_eq!(heard(&sends)[1], "SELECT Table(\"gw0.a\")");
    }

    #[test]
    fn what_cannot_be_read_touches_all_and_the_next_message_is_read_again() {
        let sends = [query("SELECT 1"), b"garbage that is no message".to_vec(), query("SELECT * FROM a")];
        assert_eq!(heard(&sends), ["SELECT", "? Server!", "SELECT Table(\"a\")"]);
        let tls = message("", &ASKS_FOR_TLS.to_be_bytes());
        assert_eq!(heard(&[tls, vec![0x16, 3, 1, 0, 5], vec![0x17, 3, 3]]), ["", "? Server!", "? Server!"]);
    }

    #[test]
    fn copied_data_is_passed_over() {
        let data = message("d", &[b'x'; 1000]);
        let sends = [
            query("COPY a FROM STDIN"),
            data[..10].to_vec(),
            data[10..700].to_vec(),
            [&data[700..], &message("c", b"")].concat(),
            query("SELECT * FROM a"),
        ];
        assert_eq!(heard(&sends), ["COPY Table(\"a\")!", "", "", "", "SELECT Table(\"a\")"]);
    }

    proptest! {
        #[test]
        fn messages_in_pieces_touch_what_whole_ones_do(
            statements in proptest::collection::vec(("[a-c]", any::<bool>(), any::<bool>()), 1..6),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..10),
        ) {
            let mut bytes = start("user me database shop");
            for (table, writes, is_simple) in &statements {
                let text = if *writes { format!("DELETE FROM {table}") } else { format!("SELECT * FROM {table}") };
                let sent = if *is_simple { query(&text) } else { [parse("", &text), bind_and_execute("")].concat() };
                bytes.extend(sent);
                bytes.extend(message("d", b"copied"));
            }
            let whole = Client::new("").hears(&bytes).unwrap();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let (mut client, mut pieces) = (Client::new(""), Statement::default());
            for piece in cuts.windows(2) {
                if let Some(statement) = client.hears(&bytes[piece[0]..piece[1]]) {
                    pieces.and(statement);
                }
            }
            prop_assert_eq!(pieces.parts, whole.parts);
        }

        #[test]
        fn nothing_that_is_sent_breaks_it(sends in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6)) {
            let mut client = Client::new("");
            for bytes in sends {
                client.hears(&bytes);
            }
        }
    }
}
