//! Logs of runs that were not jostle's, as far as they tell a plan: which tests ran, on which worker, in
//! which order, and which of them failed.
//!
//! Pure: text in, [`ParsedLog`] out. No text makes a reader panic.

pub(crate) mod terminal;
pub(crate) mod junit;

use std::collections::BTreeMap;

use crate::plan::Mode;
use crate::suite::{Suite, TestIndex};

/// How a test is named in a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// A node id, relative to the folder that pytest was run in.
    Node(String),
    /// A `classname` and a `name` of JUnit XML.
    Junit(String, String),
}

/// One line about a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    /// The worker; 0 where the log has none.
    pub(crate) worker: u32,
    /// The test.
    pub(crate) name: Name,
    /// Whether it failed, in any phase.
    pub(crate) failed: bool,
}

/// Where a log's order comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The lines of pytest-xdist's workers.
    Workers,
    /// The lines of one process.
    Serial,
    /// A JUnit file, in which all workers' tests stand in one list.
    Junit,
}

/// What a log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParsedLog {
    /// Where the order comes from.
    pub(crate) source: Source,
    /// The tests in the order of the log.
    pub(crate) runs: Vec<Ran>,
    /// How xdist distributed them, if the log says so.
    pub(crate) mode: Option<Mode>,
    /// How many workers there were, if the log says so.
    pub(crate) workers: Option<u32>,
    /// pytest-randomly's seed.
    pub(crate) randomly: Option<u64>,
    /// How many tests there were, if the log says so.
    pub(crate) tests: Option<u64>,
    /// Tests that the summary at the end says failed.
    pub(crate) summary: Vec<Name>,
    /// Workers that were lost and replaced.
    pub(crate) lost: u32,
}

impl ParsedLog {
    /// A log that tells nothing.
    pub(crate) fn nothing(source: Source) -> Self {
        Self {
            source,
            runs: Vec::new(),
            mode: None,
            workers: None,
            randomly: None,
            tests: None,
            summary: Vec::new(),
            lost: 0,
        }
    }
}

/// Lists for workers, of a suite as it is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Placed {
    /// What each worker ran.
    pub(crate) workers: Vec<Vec<TestIndex>>,
    /// The tests that failed, in the order of the log.
    pub(crate) failed: Vec<TestIndex>,
    /// Names of the log that no test of the suite has.
    pub(crate) unknown: Vec<Name>,
}

/// Finds a log's tests in a suite. Names that several tests share are taken in turn.
pub fn place(parsed: &ParsedLog, suite: &Suite) -> Placed {
    let index = Index::new(suite);
    let mut placed = Placed::default();
    let mut taken: BTreeMap<(u32, &Name), usize> = BTreeMap::new();
    for ran in &parsed.runs {
        let found = index.find(&ran.name);
        let turn = taken.entry((ran.worker, &ran.name)).or_default();
        let Some(&test) = found.get(*turn).or(found.last()) else {
            placed.unknown.push(ran.name.clone());
            continue;
        };
        *turn += 1;
        let worker = ran.worker as usize;
        if placed.workers.len() <= worker {
            placed.workers.resize(worker + 1, Vec::new());
        }
        placed.workers[worker].push(test);
        if ran.failed && !placed.failed.contains(&test) {
            placed.failed.push(test);
        }
    }
    for name in &parsed.summary {
        if let Some(&test) = index.find(name).first().filter(|test| !placed.failed.contains(test)) {
            placed.failed.push(test);
        }
    }
    placed
}

/// What a log does not tell of the plan it is of, and what is done in its place.
pub(crate) fn unknown(parsed: &ParsedLog, placed: &Placed) -> Vec<String> {
    let mut unknown = vec!["PYTHONHASHSEED: several are tried".to_owned()];
    let known: usize = placed.workers.iter().map(Vec::len).sum();
    if let Some(all) = parsed.tests.filter(|&all| all > known as u64) {
        unknown.push(format!("{} of {all} tests: it names {known}", all - known as u64));
    }
    if !placed.unknown.is_empty() {
        let (Name::Node(first) | Name::Junit(_, first)) = &placed.unknown[0];
        unknown.push(format!(
            "what {} of its names mean: they are not collected now, {first} the first",
            placed.unknown.len()
        ));
    }
    match parsed.source {
        Source::Workers => {
            unknown.push("when tests of different workers overlapped: the workers run freely".into());
            if parsed.mode.is_none() {
                unknown.push("how tests were distributed: `load` is taken".into());
            }
            if parsed.lost > 0 {
                unknown.push("what a worker that was lost ran last".into());
            }
        }
        Source::Junit => {
            unknown.push("which worker ran what: all run in one process, in the order of the file".into());
        }
        Source::Serial => {}
    }
    unknown
}

/// The tests of a suite by the names that logs have for them.
struct Index<'a> {
    nodes: BTreeMap<&'a str, Vec<TestIndex>>,
    junit: BTreeMap<(String, String), Vec<TestIndex>>,
}

impl<'a> Index<'a> {
    fn new(suite: &'a Suite) -> Self {
        let mut nodes: BTreeMap<&str, Vec<TestIndex>> = BTreeMap::new();
        let mut junit: BTreeMap<(String, String), Vec<TestIndex>> = BTreeMap::new();
        for (at, test) in suite.tests.iter().enumerate() {
            let index = TestIndex(at as u32);
            nodes.entry(&test.id.node_id).or_default().push(index);
            junit.entry(junit::names(&test.id.node_id)).or_default().push(index);
        }
        Self { nodes, junit }
    }

    /// The tests that a name may mean: none if it means several that are not of one node id.
    fn find(&self, name: &Name) -> Vec<TestIndex> {
        match name {
            Name::Node(id) => match self.nodes.get(id.as_str()) {
                Some(found) => found.clone(),
                None => self.below_or_above(id),
            },
            Name::Junit(class, name) => {
                self.junit.get(&(class.clone(), name.clone())).cloned().unwrap_or_default()
            }
        }
    }

    /// Node ids are relative to pytest's rootdir, and the log may have been written in another folder.
    fn below_or_above(&self, id: &str) -> Vec<TestIndex> {
        let ends = |long: &str, short: &str| {
            long.strip_suffix(short).is_some_and(|before| before.ends_with('/')) && !short.is_empty()
        };
        let is = |known: &str| ends(known, id) || ends(id, known);
        let mut found = self.nodes.iter().filter(|(known, _)| is(known)).map(|(_, tests)| tests);
        match (found.next(), found.next()) {
            (Some(tests), None) => tests.clone(),
            _ => Vec::new(),
        }
    }
}
