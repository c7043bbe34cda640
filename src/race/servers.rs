//! Servers that none of the tests has started: which tests talk to them. What such a server keeps is there before a trial
//! and after it, for all trials alike, so that it says little of a test that it fails.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::schedule::Resource;
use crate::race::access::Touched;
use crate::race::operation::Operation;
use crate::suite::TestIndex;

/// Sockets of the system's own services, which keep nothing of a test: names of users and hosts, logs, keys, the desktop.
const OF_THE_SYSTEM: [&str; 7] = [
    "/run/systemd/",
    "/run/dbus/",
    "/run/nscd/",
    "/run/user/",
    "/run/avahi-daemon/",
    "/var/lib/sss/",
    "/tmp/.X11-unix/",
];
/// How PostgreSQL names its sockets, before the port.
pub(crate) const POSTGRES_SOCKET: &str = ".s.PGSQL.";
/// Where PostgreSQL listens unless it is told otherwise.
pub(crate) const POSTGRES_PORT: u16 = 5432;
const REDIS_PORT: u16 = 6379;

/// A server of the machine, as it listens when a session starts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listening {
    /// Where: `port:tcp 5432`, `file:/run/postgresql/.s.PGSQL.5432`.
    pub resource: Resource,
    /// The name of its program, if that can be seen.
    pub program: Option<String>,
    /// Whether trials reach it; else tests fail for want of it.
    pub reached: bool,
}

/// A server outside of the trials, and who talks to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideServer {
    /// The server.
    pub(crate) at: Listening,
    /// The tests.
    pub(crate) tests: BTreeSet<TestIndex>,
}

/// Sorts of servers that can be given to trials by a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    /// PostgreSQL.
    Postgres,
    /// Redis, or what speaks its language.
    Redis,
}

impl Listening {
    /// The port it listens on, if on one.
    pub(crate) fn port(&self) -> Option<u16> {
        self.resource.0.strip_prefix("port:tcp ")?.parse().ok()
    }

    /// Where it is, as people write it: `127.0.0.1:5432`, `/run/postgresql/.s.PGSQL.5432`.
    pub(crate) fn address(&self) -> String {
        match self.port() {
            Some(port) => format!("127.0.0.1:{port}"),
            None => self.resource.0.trim_start_matches("file:").to_owned(),
        }
    }

    /// Which sort of server it is, by its program, else by its address.
    pub(crate) fn sort(&self) -> Option<Sort> {
        let program = self.program.as_deref().unwrap_or_default();
        if program.starts_with("postgres") || self.resource.0.contains(POSTGRES_SOCKET) {
            return Some(Sort::Postgres);
        }
        if ["redis-server", "valkey-server", "redis"].contains(&program) {
            return Some(Sort::Redis);
        }
        match self.port()? {
            POSTGRES_PORT => Some(Sort::Postgres),
            REDIS_PORT => Some(Sort::Redis),
            _ => None,
        }
    }
}

/// The servers among these that tests talk to, each with those tests: what a fixture of a wider scope does is done for each
/// test that uses it. A server that a test starts is the trial's own.
pub(crate) fn outside(
    recordings: &[Touched],
    listening: &[Listening],
    rootdir: &str,
) -> Vec<(Listening, BTreeSet<TestIndex>)> {
    let mut of_fixtures: BTreeMap<&str, BTreeSet<&Resource>> = BTreeMap::new();
    let mut of_tests: BTreeMap<TestIndex, BTreeSet<&Resource>> = BTreeMap::new();
    let (mut own, mut used): (BTreeSet<&Resource>, BTreeMap<TestIndex, BTreeSet<&str>>) = Default::default();
    for touched in recordings {
        used.entry(touched.test).or_default().extend(touched.fixtures.iter().map(String::as_str));
        for access in &touched.accesses {
            match (access.call.operation, access.fixture.as_deref()) {
                (Operation::Bind | Operation::Listen, _) => _ = own.insert(&access.call.resource),
                (Operation::ConnectTo, Some(fixture)) => {
                    _ = of_fixtures.entry(fixture).or_default().insert(&access.call.resource);
                }
                (Operation::ConnectTo, None) => {
                    _ = of_tests.entry(touched.test).or_default().insert(&access.call.resource);
                }
                _ => {}
            }
        }
    }
    for (test, fixtures) in used {
        let shared = fixtures.into_iter().filter_map(|name| of_fixtures.get(name)).flatten();
        of_tests.entry(test).or_default().extend(shared);
    }
    let is_of_the_system = |path: &str| OF_THE_SYSTEM.iter().any(|folder| path.starts_with(folder));
    let servers = listening.iter().filter(|server| !is_of_the_system(&plain(&server.resource, rootdir)));
    let users = |server: &Listening| -> BTreeSet<TestIndex> {
        let path = plain(&server.resource, rootdir);
        let is_it = |resource: &&&Resource| plain(resource, rootdir) == path && !own.contains(**resource);
        of_tests.iter().filter(|(_, all)| all.iter().any(|one| is_it(&one))).map(|(&test, _)| test).collect()
    };
    servers.map(|server| (server.clone(), users(server))).filter(|(_, tests)| !tests.is_empty()).collect()
}

/// A resource's own name, without the words that stand for a folder. `/var/run` has long been another name of `/run`.
fn plain(resource: &Resource, rootdir: &str) -> String {
    let name = resource.0.trim_start_matches("file:").replacen("$ROOTDIR", rootdir, 1);
    name.strip_prefix("/var/run/").map(|rest| format!("/run/{rest}")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::race::access::{Access, Call};

    fn access(resource: &str, operation: Operation, fixture: Option<&str>) -> Access {
        let call = Call {
            resource: Resource(resource.into()),
            operation,
            writes: false,
            idle: false,
            statement: None,
            at: None,
            by: None,
        };
        Access { call, fixture: fixture.map(str::to_owned) }
    }

    fn touched(test: u32, accesses: Vec<Access>, fixtures: &[&str]) -> Touched {
        let fixtures = fixtures.iter().map(|&name| name.to_owned()).collect();
        Touched { test: TestIndex(test), accesses, fixtures }
    }

    fn server(resource: &str, program: Option<&str>) -> Listening {
        Listening { resource: Resource(resource.into()), program: program.map(str::to_owned), reached: true }
    }

    #[test]
    fn tests_that_talk_to_a_server_are_told_and_what_they_start_themselves_is_not() {
        let port = "port:tcp 5432";
        let connects = |resource| access(resource, Operation::ConnectTo, None);
        let recordings = [
            touched(0, vec![access(port, Operation::ConnectTo, Some("::schema"))], &["::schema"]),
            touched(1, vec![], &["::schema"]),
            touched(2, vec![connects(port)], &[]),
            touched(3, vec![connects("port:tcp 80"), connects("file:/var/run/nscd/socket")], &[]),
            touched(4, vec![connects("port:tcp 9"), access("port:tcp 9", Operation::Bind, None)], &[]),
            touched(5, vec![connects("file:/var/run/pg/.s.PGSQL.1"), connects("file:$ROOTDIR/x.sock")], &[]),
        ];
        let listening = [
            server(port, None),
            server("port:tcp 9", None),
            server("file:/run/nscd/socket", None),
            server("file:/run/pg/.s.PGSQL.1", None),
            server("file:/shop/x.sock", None),
        ];
        let found: Vec<(String, Vec<u32>)> = outside(&recordings, &listening, "/shop")
            .into_iter()
            .map(|(at, tests)| (at.address(), tests.into_iter().map(|test| test.0).collect()))
            .collect();
        let expected =
            [("127.0.0.1:5432", vec![0, 1, 2]), ("/run/pg/.s.PGSQL.1", vec![5]), ("/shop/x.sock", vec![5])];
        assert_eq!(found, expected.map(|(address, tests)| (address.to_owned(), tests)));
    }

    #[test]
    fn the_sort_of_a_server_is_told_by_its_program_or_else_by_its_address() {
        let sort = |resource, program| server(resource, program).sort();
        assert_eq!(sort("port:tcp 55432", Some("postgres")), Some(Sort::Postgres));
        assert_eq!(sort("port:tcp 5432", Some("docker-proxy")), Some(Sort::Postgres));
        assert_eq!(sort("file:/tmp/.s.PGSQL.5433", None), Some(Sort::Postgres));
        assert_eq!(sort("port:tcp 6379", None), Some(Sort::Redis));
        assert_eq!(sort("port:tcp 7000", Some("valkey-server")), Some(Sort::Redis));
        assert_eq!(sort("port:tcp 8080", Some("nginx")), None);
    }
}
