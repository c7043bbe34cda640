//! Collecting: what a pytest process says until it has told all that it collected.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use crate::formats::PROTOCOL_VERSION;
use crate::limits::{CLOSED, COLLECT, ENDING, TICK};
use crate::run::RunError;
use crate::run::error::with_output;
use crate::run::host::PytestHost;
use crate::run::process::interrupt::Interrupt;
use crate::run::process::pytest::{Heard, Process};
use crate::run::protocol::{Message, Orders, Purpose, Setup, check_protocol};
use crate::run::site::trial_env::{SpawnTarget, TrialEnv};
use crate::suite::{Suite, Test};
use crate::trial::{Collected, Interpreter};

const NODE_IDS: &str =
    "Give node ids as `pytest --collect-only -q` prints them, relative to pytest's rootdir";
const ENDED_EARLY: &str = "pytest ended before it had collected the suite";

/// What decides what is drawn and hashed while a suite is imported.
#[derive(Clone, Copy)]
pub(crate) struct Seeds {
    pub(crate) hash_seed: u32,
    pub(crate) random_seed: u32,
}

impl PytestHost {
    /// Collects in a fresh process.
    pub(crate) fn collect_at(
        &self,
        site: &TrialEnv,
        hash_seed: u32,
        random_seed: u32,
    ) -> Result<Collected, RunError> {
        let (sender, receiver) = channel();
        let seeds = Seeds { hash_seed, random_seed };
        let mut process =
            self.start_collecting(&site.path, site.place(), seeds, Purpose::Collect, &sender)?;
        let collected =
            self.hear(&mut process, |interrupt| hear_collection(&receiver, interrupt, self.collecting()))?;
        self.ended(&mut process, ENDING);
        self.services_of(site)?;
        self.narrowed(collected)
    }

    /// What was collected, unless none of the tests is in it that are to be kept. Of those that are not it is told.
    pub(crate) fn narrowed(&self, collected: Collected) -> Result<Collected, RunError> {
        let kept: BTreeSet<&str> =
            collected.suite.tests.iter().map(|test| test.id.node_id.as_str()).collect();
        let wanted: BTreeSet<&str> = self.options.tests.iter().map(String::as_str).collect();
        match not_collected(&wanted, &kept) {
            Some(why) if kept.is_empty() => Err(RunError::Pytest(why)),
            Some(why) => {
                self.options.remarks.add(why);
                Ok(collected)
            }
            None => Ok(collected),
        }
    }

    /// How long pytest may take to start and collect.
    pub(crate) fn collecting(&self) -> Duration {
        self.options.trial_timeout.unwrap_or(COLLECT)
    }

    /// Starts a process that is to collect the whole suite, and perhaps to do more afterwards.
    pub(crate) fn start_collecting(
        &self,
        folder: &Path,
        place: SpawnTarget<'_>,
        seeds: Seeds,
        purpose: Purpose,
        sender: &Sender<((), Heard)>,
    ) -> Result<Process, RunError> {
        let path = folder.to_string_lossy();
        let setup = Setup {
            protocol: PROTOCOL_VERSION,
            purpose,
            imports: None,
            worker: None,
            random_seed: seeds.random_seed,
            tests: self.options.tests.iter().map(|id| (id.as_str(), 0)).collect(),
            barriers: Vec::new(),
            folder: &path,
            watch: None,
            stop: None,
            explain: None,
            named_places: &[],
            servers: &[],
        };
        self.start(self.command(folder, seeds.hash_seed), place, (), sender, setup)
    }

    /// Hears a process out; if that fails, ends it and adds what it printed.
    pub(crate) fn hear<T>(
        &self,
        process: &mut Process,
        listen: impl FnOnce(&Interrupt) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        listen(&self.options.interrupt.clone()).map_err(|error| {
            let pytest = matches!(error, RunError::Pytest(_));
            let how = self.ended(process, if pytest { CLOSED } else { Duration::ZERO });
            match (error, how) {
                (RunError::Pytest(why), Some(how)) if why == ENDED_EARLY => {
                    let output = process.output();
                    if let Some(test) = not_found(&output) {
                        return RunError::Pytest(format!("there is no test {test}. {NODE_IDS}"));
                    }
                    RunError::Pytest(with_output(&format!("{why} ({how})"), &output))
                }
                (RunError::Pytest(why), _) => RunError::Pytest(with_output(&why, &process.output())),
                (other, _) => other,
            }
        })
    }
}

/// The test that pytest was given and has not found.
fn not_found(output: &str) -> Option<&str> {
    let test = output.lines().find_map(|line| line.strip_prefix("ERROR: not found: "))?;
    test.contains("::").then_some(test)
}

/// What is said of tests that are to be kept and are not collected.
fn not_collected(wanted: &BTreeSet<&str>, kept: &BTreeSet<&str>) -> Option<String> {
    let missing: Vec<&&str> = wanted.difference(kept).collect();
    let first = missing.first()?;
    Some(format!(
        "{} of {} tests that --tests names are not collected, {first} the first. {NODE_IDS}",
        missing.len(),
        wanted.len()
    ))
}

pub(crate) fn hear_collection(
    receiver: &Receiver<((), Heard)>,
    interrupt: &Interrupt,
    limit: Duration,
) -> Result<Collected, RunError> {
    let deadline = Instant::now() + limit;
    let mut hello = None;
    loop {
        if interrupt.is_set() {
            return Err(RunError::Interrupted);
        }
        match receiver.recv_timeout(TICK) {
            Ok((
                _,
                Heard::Message(Message::Hello { protocol, python, pytest, rootdir, plugins, neutralised }),
            )) => {
                check_protocol(protocol)?;
                hello = Some((Interpreter { python, pytest, rootdir, plugins }, neutralised));
            }
            Ok((_, Heard::Message(Message::Collected { tests, errors, deselected, orders }))) => {
                let (interpreter, neutralised) =
                    hello.ok_or_else(|| RunError::Pytest("the harness did not introduce itself".into()))?;
                let tests: Vec<Test> = tests.into_iter().map(Test::from).collect();
                let Orders { edges, sorted_by, doubts } = orders;
                let suite = Suite::new(tests, errors, deselected).with_sorting(&edges, sorted_by, doubts);
                return Ok(Collected { suite, interpreter, neutralised });
            }
            Ok((_, Heard::Message(Message::Error { message }) | Heard::Garbage(message))) => {
                return Err(RunError::Pytest(message));
            }
            Ok((_, Heard::Closed)) | Err(RecvTimeoutError::Disconnected) => {
                return Err(RunError::Pytest(ENDED_EARLY.into()));
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                return Err(RunError::Pytest(format!(
                    "pytest did not collect the suite within {} s; give it longer with --trial-timeout",
                    limit.as_secs()
                )));
            }
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
