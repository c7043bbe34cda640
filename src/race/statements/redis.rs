//! Redis' protocol (RESP), as clients speak it: arrays of strings, or lines of words.

use super::{Part, Statement};

/// A longer command is not believed.
const MOST: usize = 1 << 26;

/// What only concerns the connection, or tells nothing of what is kept.
const BESIDE_CONTENT: [&str; 34] = [
    "PING",
    "ECHO",
    "AUTH",
    "HELLO",
    "CLIENT",
    "CONFIG",
    "INFO",
    "COMMAND",
    "MULTI",
    "EXEC",
    "DISCARD",
    "UNWATCH",
    "QUIT",
    "RESET",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "PSUBSCRIBE",
    "PUNSUBSCRIBE",
    "SSUBSCRIBE",
    "SUNSUBSCRIBE",
    "PUBLISH",
    "SPUBLISH",
    "PUBSUB",
    "SCRIPT",
    "WAIT",
    "TIME",
    "READONLY",
    "READWRITE",
    "ASKING",
    "LATENCY",
    "SLOWLOG",
    "ACL",
    "LOLWUT",
    "ROLE",
];
/// What reads the key that it names first.
const READS_ONE: [&str; 60] = [
    "GET",
    "STRLEN",
    "GETRANGE",
    "SUBSTR",
    "GETBIT",
    "BITCOUNT",
    "BITPOS",
    "BITFIELD_RO",
    "TTL",
    "PTTL",
    "EXPIRETIME",
    "PEXPIRETIME",
    "TYPE",
    "DUMP",
    "HGET",
    "HMGET",
    "HGETALL",
    "HKEYS",
    "HVALS",
    "HLEN",
    "HEXISTS",
    "HSTRLEN",
    "HSCAN",
    "HRANDFIELD",
    "HTTL",
    "LRANGE",
    "LLEN",
    "LINDEX",
    "LPOS",
    "SMEMBERS",
    "SISMEMBER",
    "SMISMEMBER",
    "SCARD",
    "SRANDMEMBER",
    "SSCAN",
    "ZRANGE",
    "ZRANGEBYSCORE",
    "ZRANGEBYLEX",
    "ZREVRANGE",
    "ZREVRANGEBYSCORE",
    "ZREVRANGEBYLEX",
    "ZRANK",
    "ZREVRANK",
    "ZSCORE",
    "ZMSCORE",
    "ZCARD",
    "ZCOUNT",
    "ZLEXCOUNT",
    "ZSCAN",
    "ZRANDMEMBER",
    "XLEN",
    "XRANGE",
    "XREVRANGE",
    "XPENDING",
    "GEOPOS",
    "GEODIST",
    "GEOHASH",
    "GEOSEARCH",
    "SORT_RO",
    "GEORADIUS_RO",
];
/// What reads all keys that it names.
const READS_ALL: [&str; 9] =
    ["MGET", "EXISTS", "TOUCH", "SINTER", "SUNION", "SDIFF", "PFCOUNT", "WATCH", "LCS"];
/// What changes all keys that it names.
const CHANGES_ALL: [&str; 2] = ["DEL", "UNLINK"];
/// What changes the first two keys that it names.
const CHANGES_TWO: [&str; 9] =
    ["RENAME", "RENAMENX", "COPY", "SMOVE", "LMOVE", "BLMOVE", "RPOPLPUSH", "BRPOPLPUSH", "ZRANGESTORE"];
/// What changes the key that it names first by what it reads in all others.
const STORES: [&str; 4] = ["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE", "PFMERGE"];
/// What takes an element from one of several keys, and waits for one.
const TAKES: [&str; 4] = ["BLPOP", "BRPOP", "BZPOPMIN", "BZPOPMAX"];

/// The client's side of a connection.
#[derive(Debug, Default)]
pub(super) struct Client {
    /// The number of the database that it is with.
    pub(super) database: u32,
    buffer: Vec<u8>,
}

impl Client {
    /// Hears what it sends next: the commands that are whole by then, as one statement.
    pub(super) fn hears(&mut self, bytes: &[u8]) -> Option<Statement> {
        self.buffer.extend(bytes);
        let mut all: Option<Statement> = None;
        let mut at = 0;
        loop {
            match command(&self.buffer[at..]) {
                Command::Whole(words, length) => {
                    at += length;
                    let statement = self.does(&words);
                    all.get_or_insert_with(Statement::default).and(statement);
                }
                Command::Unfinished => break,
                Command::Garbage => {
                    at = self.buffer.len();
                    let mut unknown = Statement::new("?");
                    unknown.touches(Part::Server, true);
                    all = Some(unknown);
                    break;
                }
            }
        }
        self.buffer.drain(..at);
        all
    }

    fn does(&mut self, words: &[String]) -> Statement {
        let verb = words.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        let arguments = words.get(1..).unwrap_or_default();
        let mut statement = Statement::new(&verb);
        let mut key = |name: Option<&String>, writes: bool| {
            let Some(name) = name else { return };
            statement.touches(Part::Key(name.clone()), writes);
            if writes {
                // Keys come and go by what is written.
                statement.touches(Part::Names, true);
            }
        };
        let one_of = |list: &[&str]| list.contains(&verb.as_str());
        match verb.as_str() {
            "SELECT" => {
                self.database = arguments.first().and_then(|number| number.parse().ok()).unwrap_or_default();
            }
            "KEYS" => {
                statement.touches(Part::Matching(arguments.first().cloned().unwrap_or_default()), false)
            }
            "SCAN" => {
                let pattern = arguments.iter().position(|word| word.eq_ignore_ascii_case("MATCH"));
                let pattern = pattern.and_then(|at| arguments.get(at + 1)).cloned();
                statement.touches(pattern.map_or(Part::Names, Part::Matching), false);
            }
            "DBSIZE" | "RANDOMKEY" => statement.touches(Part::Names, false),
            "FLUSHDB" => {
                statement.touches(Part::Whole, true);
                statement.touches(Part::Names, true);
            }
            "FLUSHALL" | "SWAPDB" | "SHUTDOWN" | "DEBUG" => statement.touches(Part::Server, true),
            "MSET" | "MSETNX" => arguments.iter().step_by(2).for_each(|name| key(Some(name), true)),
            "OBJECT" | "MEMORY" | "XINFO" => key(arguments.get(1), false),
            "XGROUP" => key(arguments.get(1), true),
            "BITOP" => {
                key(arguments.get(1), true);
                arguments.iter().skip(2).for_each(|name| key(Some(name), false));
            }
            "EVAL" | "EVALSHA" | "FCALL" | "EVAL_RO" | "EVALSHA_RO" | "FCALL_RO" => {
                let count = arguments.get(1).and_then(|count| count.parse().ok()).unwrap_or(0);
                if count == 0 {
                    statement.touches(Part::Whole, true);
                    statement.touches(Part::Names, true);
                } else {
                    let writes = !verb.ends_with("_RO");
                    arguments.iter().skip(2).take(count).for_each(|name| key(Some(name), writes));
                }
            }
            "ZUNIONSTORE" | "ZINTERSTORE" | "ZDIFFSTORE" => {
                key(arguments.first(), true);
                let count = arguments.get(1).and_then(|count| count.parse().ok()).unwrap_or(0);
                arguments.iter().skip(2).take(count).for_each(|name| key(Some(name), false));
            }
            "XREAD" | "XREADGROUP" => {
                let from = arguments.iter().position(|word| word.eq_ignore_ascii_case("STREAMS"));
                let rest = from.map(|at| &arguments[at + 1..]).unwrap_or_default();
                rest[..rest.len() / 2].iter().for_each(|name| key(Some(name), verb == "XREADGROUP"));
            }
            _ if one_of(&BESIDE_CONTENT) => {}
            _ if one_of(&READS_ONE) => key(arguments.first(), false),
            _ if one_of(&READS_ALL) => arguments.iter().for_each(|name| key(Some(name), false)),
            _ if one_of(&CHANGES_ALL) => arguments.iter().for_each(|name| key(Some(name), true)),
            _ if one_of(&CHANGES_TWO) => arguments.iter().take(2).for_each(|name| key(Some(name), true)),
            _ if one_of(&TAKES) => {
                let keys = arguments.len().saturating_sub(1);
                arguments[..keys].iter().for_each(|name| key(Some(name), true));
            }
            _ if one_of(&STORES) => {
                key(arguments.first(), true);
                arguments.iter().skip(1).for_each(|name| key(Some(name), false));
            }
            _ => key(arguments.first(), true),
        }
        statement
    }
}

enum Command {
    /// Its words, and how many bytes it takes.
    Whole(Vec<String>, usize),
    Unfinished,
    Garbage,
}

fn command(bytes: &[u8]) -> Command {
    let Some((line, mut at)) = line(bytes) else {
        return if bytes.len() > MOST { Command::Garbage } else { Command::Unfinished };
    };
    let Some(count) = line.strip_prefix(b"*") else {
        let words = String::from_utf8_lossy(line).split_whitespace().map(str::to_owned).collect();
        return Command::Whole(words, at);
    };
    let Some(count) = number(count) else { return Command::Garbage };
    let mut words = Vec::new();
    for _ in 0..count {
        let Some((length, taken)) = self::line(&bytes[at..]) else { return Command::Unfinished };
        let Some(length) = length.strip_prefix(b"$").and_then(number) else { return Command::Garbage };
        at += taken;
        let Some(word) = bytes.get(at..at + length + 2) else { return Command::Unfinished };
        words.push(String::from_utf8_lossy(&word[..length]).into_owned());
        at += length + 2;
    }
    Command::Whole(words, at)
}

/// The first line without its end, and its length with it.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    Some((&bytes[..end], end + 2))
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|&number| number <= MOST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn array(words: &[&str]) -> Vec<u8> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
        }
        bytes
    }

    fn touched(line: &str) -> Vec<String> {
        let words: Vec<&str> = line.split(' ').collect();
        let parts = Client::default().hears(&array(&words)).unwrap_or_default().parts;
        let shown = |(part, writes): (Part, bool)| match part {
            Part::Key(name) => Some(format!("{name}{}", if writes { "!" } else { "" })),
            Part::Names => None,
            other => Some(format!("{other:?}{}", if writes { "!" } else { "" })),
        };
        parts.into_iter().filter_map(shown).collect()
    }

    #[test]
    fn commands_touch_their_keys() {
        let rows: [(&str, &[&str]); 24] = [
            ("GET a", &["a"]),
            ("set a 1 NX", &["a!"]),
            ("INCR a", &["a!"]),
            ("MGET a b", &["a", "b"]),
            ("MSET a 1 b 2", &["a!", "b!"]),
            ("DEL a b", &["a!", "b!"]),
            ("RENAME a b", &["a!", "b!"]),
            ("HSET h f v", &["h!"]),
            ("HGETALL h", &["h"]),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", &["a", "b", "d!"]),
            ("SINTERSTORE d a b", &["a", "b", "d!"]),
            ("BITOP AND d a b", &["a", "b", "d!"]),
            ("EVAL script 1 a x", &["a!"]),
            ("EVAL script 0", &["Whole!"]),
            ("BLPOP a b 0", &["a!", "b!"]),
            ("XREAD COUNT 2 STREAMS s t 0 0", &["s", "t"]),
            ("OBJECT ENCODING a", &["a"]),
            ("KEYS a*", &["Matching(\"a*\")"]),
            ("SCAN 0 MATCH a* COUNT 10", &["Matching(\"a*\")"]),
            ("FLUSHDB", &["Whole!"]),
            ("FLUSHALL", &["Server!"]),
            ("PING", &[]),
            ("CLIENT SETINFO LIB-NAME redis-py", &[]),
            ("PUBLISH channel a", &[]),
        ];
        for (line, expected) in rows {
            assert_eq!(touched(line), expected, "{line}");
        }
    }

    #[test]
    fn a_client_is_with_the_database_that_it_selected_and_a_pipeline_is_one_statement() {
        let mut client = Client::default();
        assert!(client.hears(&array(&["SELECT", "3"])).unwrap().parts.is_empty());
        assert_eq!(client.database, 3);
        let pipeline =
            [array(&["MULTI"]), array(&["SET", "a", "1"]), array(&["GET", "b"]), array(&["EXEC"])].concat();
        let parts = client.hears(&pipeline).unwrap().parts;
        assert_eq!(parts.len(), 3, "{parts:?}");
        assert_eq!(client.hears(b"*x\r\n").unwrap().parts, [(Part::Server, true)].into());
        assert_eq!(client.hears(b"GET a\r\n").unwrap().parts, [(Part::Key("a".into()), false)].into());
    }

    proptest! {
        #[test]
        fn commands_in_pieces_touch_what_whole_ones_do(
            commands in proptest::collection::vec(("(GET|SET|DEL|KEYS)", "[a-c]{1,3}", "[ -~]{0,6}"), 1..6),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes: Vec<u8> = commands.iter().flat_map(|(verb, key, value)| array(&[verb, key, value])).collect();
            let whole = Client::default().hears(&bytes).unwrap();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut client = Client::default();
            let mut pieces = Statement::default();
            for piece in cuts.windows(2) {
                if let Some(statement) = client.hears(&bytes[piece[0]..piece[1]]) {
                    pieces.and(statement);
                }
            }
            prop_assert_eq!(pieces.parts, whole.parts);
        }

        #[test]
        fn nothing_that_is_sent_breaks_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            Client::default().hears(&bytes);
        }
    }
}
