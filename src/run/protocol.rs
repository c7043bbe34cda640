//! The protocol between jostle and the harness: JSON lines over a socket. jostle speaks first.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::formats::PROTOCOL_VERSION;
use crate::parse::reason;
use crate::race::{Access, Call, Effect};
use crate::run::RunError;
use crate::run::syscalls::names::Names;
use crate::state::{Changed, Followed, Instructions, Left, NamedPlace, Reading, Written};
use crate::suite::{CollectionError, Test, TestId};
use crate::trial::{Failure, MeasuredTest, Verdict};

/// What jostle says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Request<'a> {
    /// What the process is for; the first message.
    Setup(Box<Setup<'a>>),
    /// The other side of a barrier is there.
    Go,
    /// The turn that was asked for under this number.
    Turn {
        /// The number.
        turn: u32,
    },
    /// To a zygote, or a worker that has stopped: fork a worker. Descriptors come along: its channel, its standard output
    /// and error, and the namespaces it is to enter. It then waits for a [`Setup`] of its own on that channel.
    Fork {
        /// How many descriptors are its own.
        descriptors: u32,
        /// The flag (`CLONE_NEW…`) of each namespace, in the order of their descriptors.
        namespaces: Vec<u32>,
    },
    /// To whoever forks: send a signal to the process group of a fork.
    Kill {
        /// The fork.
        pid: i32,
        /// The signal's number.
        signal: i32,
    },
}

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// To collect, and run nothing.
    Collect,
    /// To collect, and run the tests of the setup.
    Run,
    /// To collect, and fork on request.
    Serve,
}

/// The first message to a process.
#[derive(Debug, Serialize)]
pub struct Setup<'a> {
    /// [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// What the process is for.
    pub purpose: Purpose,
    /// The only files to import, relative to rootdir; nothing for all.
    pub imports: Option<Vec<&'a str>>,
    /// Which xdist worker to look like; nothing for a plain run.
    pub worker: Option<WorkerIdentity>,
    /// What `random` is seeded with where the suite leaves it to chance.
    pub random_seed: u32,
    /// Node id and occurrence of each test to run; of a process that collects, of those to keep, or none for all. Ids and not indices, since what is collected may
    /// change with the hash seed and the imports.
    pub tests: Vec<(&'a str, u32)>,
    /// Positions in `tests` before which to wait for `go`.
    pub barriers: Vec<u32>,
    /// The trial's folder.
    pub folder: &'a str,
    /// What to look at while tests run; nothing for nothing.
    pub watch: Option<WatchSetup<'a>>,
    /// The position in `tests` before which to stop, and to fork on request from then on; nothing to run all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<u32>,
    /// What is to be found out of the state that the tests before the last one leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<&'a Instructions>,
    /// With `explain`, the places that the user has named.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub named_places: &'a [NamedPlace],
    /// With `explain`, the servers of the trial's own whose state is looked at.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub servers: &'a [Server],
}

/// A server of the trial's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// `postgres`, `redis`.
    pub sort: ServerSort,
    /// Its port on the trial's loopback.
    pub port: u16,
    /// Who may do all there; of PostgreSQL.
    pub user: String,
    /// The databases that it was given; of PostgreSQL.
    pub databases: Vec<String>,
    /// Its socket in the file system, if it has one; of Redis.
    #[serde(skip)]
    pub socket: Option<PathBuf>,
    /// How many connections it gives at once, where that is known; of PostgreSQL.
    #[serde(skip)]
    pub connections: Option<u32>,
}

/// A sort of server whose state is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerSort {
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

/// What to look at while tests run.
#[derive(Debug, Serialize)]
pub struct WatchSetup<'a> {
    /// The resources before whose calls to ask for a turn; nothing to tell what tests touch.
    pub at: Option<Vec<&'a str>>,
    /// Whether jostle wants to see system calls.
    pub system_calls: bool,
    /// Whether statements to servers are among them, of which the harness is to keep the line.
    pub statements: bool,
    /// What else than its loopback leads to this machine, by name or number.
    pub hosts: &'a [String],
    /// The filter that has jostle see system calls, as hexadecimal digits; nothing where there is none.
    pub filter: Option<String>,
}

/// What a worker shows to the suite.
#[derive(Debug, Serialize)]
pub struct WorkerIdentity {
    /// `gw0`
    pub id: String,
    /// How many workers there are.
    pub count: u32,
    /// The same for all workers of a run.
    pub uid: String,
}

/// What the harness says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Message {
    /// pytest is configured.
    Hello {
        /// Must be [`PROTOCOL_VERSION`].
        protocol: u32,
        /// Python's version.
        python: String,
        /// pytest's version.
        pytest: String,
        /// pytest's rootdir.
        rootdir: String,
        /// Plugins with their versions.
        plugins: Vec<String>,
        /// Flags that were added to undo the suite's own.
        neutralised: Vec<String>,
    },
    /// What was collected, in suite order.
    Collected {
        /// The tests.
        tests: Vec<CollectedTest>,
        /// What could not be collected.
        errors: Vec<CollectionError>,
        /// How many tests were deselected.
        deselected: u32,
        /// What the suite's plugins impose on orders, besides the tests' ranks.
        #[serde(default)]
        orders: Orders,
    },
    /// Positions of tests that are not collected.
    Missing {
        /// In the list of the setup.
        positions: Vec<u32>,
    },
    /// Collection is over and the first test is about to start.
    Running {
        /// The process's own number, if the trial is controlled.
        #[serde(default)]
        pid: Option<i32>,
        /// The namespace in which that is its number.
        #[serde(default)]
        namespace: Option<String>,
        /// Its descriptor for what we say.
        #[serde(default)]
        channel: Option<i32>,
    },
    /// System calls are told of from now on; their listener comes along.
    Listener(Names),
    /// System calls cannot be told of.
    Unseen {
        /// What the system said.
        why: String,
    },
    /// A test waits to meet another.
    Waiting {
        /// In the list of the setup.
        position: u32,
    },
    /// The test that has the turn had nothing to do for a while; comes before it asks, sleeps or ends.
    Rested {
        /// For how long, since it got its turn.
        seconds: f64,
    },
    /// A test's teardown starts.
    Teardown,
    /// An exception is being handled where the test is about to make a call.
    Handling,
    /// A test waits for its turn to make a call.
    Yield {
        /// The question's number.
        turn: u32,
        /// The call.
        #[serde(flatten)]
        call: Call,
    },
    /// What the call that the test asked for last does, where that was not known before.
    Did(Effect),
    /// A test goes to sleep, and does not wait for an answer.
    Asleep {
        /// How long.
        seconds: f64,
        /// Where.
        at: Option<String>,
    },
    /// A worker waits for its turn to start with its first test.
    Comes {
        /// The question's number.
        turn: u32,
    },
    /// A test has slept, and waits for its turn.
    Awake {
        /// The question's number.
        turn: u32,
    },
    /// What a test touched outside of its process.
    Touched {
        /// In the list of the setup.
        position: u32,
        /// What it did.
        accesses: Vec<Access>,
        /// The fixtures of a wider scope that it uses.
        fixtures: Vec<String>,
    },
    /// A test starts.
    Start {
        /// In the list of the setup.
        position: u32,
    },
    /// A test is over.
    Finish {
        /// In the list of the setup.
        position: u32,
        /// What became of it.
        outcome: Verdict,
        /// Seconds.
        duration: f64,
        /// Its first failing phase.
        failure: Option<Failure>,
        /// If a fixture that tests share has failed: for which test it was set up, in the list of the setup.
        #[serde(default)]
        user: Option<u32>,
    },
    /// What the tests before the last one have changed, and what of it was restored.
    Changed(Box<Changed>),
    /// Where the last test has read the place that is watched.
    Read(Written),
    /// What became of the place that is followed.
    Followed(Followed),
    /// What a test, an import or a fixture has left.
    Left(Box<Left>),
    /// Which places a test names.
    Reading(Reading),
    /// pytest is about to end.
    Done {
        /// pytest's exit status.
        status: i32,
    },
    /// A zygote is ready to fork.
    Ready {
        /// The names of threads that a fork would lose and needs, with where each was started.
        threads: Vec<String>,
        /// The names of libraries' threads that a fork would lose; whether it needs them, only tests show.
        native: Vec<String>,
        /// Files it has open for writing, and connections: forks would share them.
        shared: Vec<String>,
        /// `file:line` where the suite asked for its xdist identity while it was imported; a fork
        /// gets its own only later.
        identity_asked_at: Option<String>,
    },
    /// A worker is where it was to stop.
    Stopped {
        /// Why a fork of it would not be what it is itself, so that it goes on; nothing if it has stopped.
        unfit: Option<String>,
    },
    /// A zygote, or a worker that has stopped, has forked.
    Forked {
        /// The fork, which leads a process group of its own.
        pid: i32,
    },
    /// A fork has ended, and all of its group with it.
    Exited {
        /// The fork.
        pid: i32,
        /// Its exit code, if it had one.
        code: Option<i32>,
        /// The signal that ended it, if one did.
        signal: Option<i32>,
    },
    /// A measured run starts its first test.
    First,
    /// A measured run is over.
    Measured {
        /// pytest's exit status.
        status: i32,
        /// Seconds from the start of the first test to the end of the last.
        work: f64,
        /// The tests in the order of their ends.
        tests: Vec<MeasuredTest>,
        /// Node id and error of what could not be collected.
        errors: Vec<(String, String)>,
    },
    /// The harness cannot go on.
    Error {
        /// Why.
        message: String,
    },
}

/// Where the harness is, which it says by a system call, so that it comes in order with those of the tests.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Whereabouts {
    /// The test that runs, by its position in the setup.
    pub position: Option<u32>,
    /// The fixture of a wider scope that is set up or torn down.
    pub fixture: Option<String>,
    /// `file:line` from which the last subprocess was started.
    pub started: Option<String>,
    /// Whether it sleeps, which jostle knows.
    pub(crate) asleep: bool,
    /// Whether the test's teardown starts here.
    pub teardown: bool,
}

/// What the suite's plugins impose on orders, besides ranks.
#[derive(Debug, Default, Deserialize)]
pub struct Orders {
    /// Pairs of places in the collected list; the test at the first comes before that at the second.
    pub(crate) edges: Vec<(u32, u32)>,
    /// Who sorts.
    pub sorted_by: Vec<String>,
    /// Why the rules of a plugin are not known, or only in part.
    pub doubts: Vec<String>,
}

/// A collected test.
#[derive(Debug, Deserialize)]
pub struct CollectedTest {
    id: String,
    occurrence: u32,
    file: String,
    line: Option<u32>,
    group: Option<String>,
    rank: u32,
}

impl From<CollectedTest> for Test {
    fn from(test: CollectedTest) -> Self {
        Self {
            id: TestId { node_id: test.id, occurrence: test.occurrence },
            file: test.file,
            line: test.line,
            group: test.group,
            rank: test.rank,
        }
    }
}

/// Reads a line of the harness.
///
/// # Errors
/// It is no message; the text says why.
pub fn parse(line: &[u8]) -> Result<Message, String> {
    serde_json::from_slice(line).map_err(|error| {
        let start = String::from_utf8_lossy(&line[..line.len().min(200)]).escape_debug().to_string();
        format!("the harness sent what is no message ({}): {start}", reason(&error.to_string()))
    })
}

pub(crate) fn check_protocol(version: u32) -> Result<(), RunError> {
    if version == PROTOCOL_VERSION {
        return Ok(());
    }
    Err(RunError::Pytest(format!(
        "the harness speaks protocol {version} and jostle {}: another `jostle_harness` stands before ours on the path",
        PROTOCOL_VERSION
    )))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(parse(&line).is_err());
        }

        #[test]
        fn no_damaged_message_makes_the_parser_panic(cut in 0_usize..120, byte: u8) {
            let mut line = br#"{"type":"finish","position":3,"outcome":"passed","duration":0.25,"failure":null}"#.to_vec();
            let at = cut % line.len();
            line[at] = byte;
            let _ = parse(&line);
            prop_assert!(parse(&line[..at]).is_err());
        }
    }
}
