//! An engine that writes every run into a journal, and takes from it what was run before.
//!
//! A session's steps follow from what its runs showed. So a session that is fed the runs of one which died
//! takes the same steps, judging, shrinking, explaining and trying fixes included, up to where that one ended. Only
//! collecting is done again.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::formats::JOURNAL;
use crate::plan::{Plan, Seed};
use crate::race::servers::Listening;
use crate::record::journal_format::{Header, How, Key, Record};
use crate::record::{Journal, journal_file};
use crate::run::engine::{Capabilities, Collect, Isolation, PlainJob, PlainPytest, ProjectCopies};
use crate::run::process::plain::PlainRun;
use crate::run::remarks::Remarks;
use crate::run::{Engine, Job, RunError};
use crate::session::fix::edits;
use crate::suite::Suite;
use crate::trial::{Collected, Interpreter, Trial};

/// Where a session's journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// How it begins.
    pub begin: Begin,
    /// The name of the session in the history.
    pub night: String,
}

/// How a session begins with a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It is started, in place of an older one. Where that cannot be, the session does without.
    Automatic,
    /// It is started, and must not exist.
    New,
    /// The session goes on from it.
    Resume,
}

/// What decides a session's plans and their outcomes, besides the suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JournalKey {
    /// The seed.
    pub(crate) seed: Seed,
    /// Options and their values.
    pub(crate) options: BTreeMap<String, String>,
}

/// The engine.
pub(crate) struct JournaledEngine {
    engine: Box<dyn Engine>,
    terms: JournalKey,
    interpreter: Option<Interpreter>,
    /// Where the journal will be; it is opened at the first run, when the suite is known.
    place: Option<Place>,
    /// Shared with the engines for copies of the project.
    journal: Rc<RefCell<Option<Journal>>>,
    /// What sets the copy of the project apart that this is an engine for; none for the project itself.
    copy: Option<String>,
    tell: fn(&str),
}

impl JournaledEngine {
    /// An engine with a journal. What a person who waits should know of it is told.
    pub(crate) fn new(engine: Box<dyn Engine>, place: Place, terms: JournalKey, tell: fn(&str)) -> Self {
        Self {
            engine,
            terms,
            interpreter: None,
            place: Some(place),
            journal: Rc::default(),
            copy: None,
            tell,
        }
    }

    /// The journal's file, once the session has begun it and as long as it can be written.
    pub(crate) fn journal(&self) -> Option<PathBuf> {
        self.journal.borrow().as_ref().map(|journal| journal.path().to_owned())
    }

    fn open(&mut self, suite: &Suite) -> Result<(), RunError> {
        let (Some(place), Some(interpreter)) = (self.place.take(), &self.interpreter) else {
            return Ok(());
        };
        let header = Header {
            schema: JOURNAL.into(),
            jostle: env!("CARGO_PKG_VERSION").into(),
            night: place.night.clone(),
            seed: self.terms.seed,
            options: self.terms.options.clone(),
            python: interpreter.python.clone(),
            pytest: interpreter.pytest.clone(),
            plugins: interpreter.plugins.clone(),
            fingerprint: suite.fingerprint.clone(),
            sources: journal_file::sources(suite, Path::new(&interpreter.rootdir)),
        };
        let opened = match place.begin {
            Begin::Resume => Journal::open(&place.path),
            Begin::New => Journal::create(&place.path, header.clone(), false),
            Begin::Automatic => Journal::create(&place.path, header.clone(), true),
        };
        match opened {
            Ok(journal) => {
                if place.begin == Begin::Resume {
                    check(&journal, &header)?;
                    self.tell_resumed(&journal);
                }
                if let (Begin::Automatic, Some(folder)) = (place.begin, place.path.parent()) {
                    // What cannot be removed is tried again by the next session.
                    let _ = journal_file::prune(folder);
                }
                *self.journal.borrow_mut() = Some(journal);
                Ok(())
            }
            Err(error) if place.begin == Begin::Automatic => {
                (self.tell)(&format!("{error}. The session goes on without one"));
                Ok(())
            }
            Err(error) => Err(RunError::Pytest(error.to_string())),
        }
    }

    fn tell_resumed(&self, journal: &Journal) {
        let name = journal.path().display();
        (self.tell)(&format!("going on from {name}, which has {} runs", journal.len()));
        if let Some(lost) = journal.lost() {
            (self.tell)(&format!("{name} is damaged: {lost}. Those runs are run again"));
        }
    }

    fn key(&self, job: Job<'_>) -> Key {
        Key::new(job.plan, how(job)).besides(self.copy.as_deref(), job.instructions)
    }

    /// The record of a run that was made before.
    fn recall(&self, key: &Key) -> Result<Option<Record>, RunError> {
        match &mut *self.journal.borrow_mut() {
            Some(journal) => journal.recall(key).map_err(|error| RunError::Pytest(error.to_string())),
            None => Ok(None),
        }
    }

    fn recall_trial(&mut self, job: Job<'_>) -> Result<Option<Trial>, RunError> {
        let record = self.recall(&self.key(job))?;
        let trial = record.and_then(|record| record.trial(job.plan));
        if let Some(trial) = &trial {
            self.engine.took(trial.duration);
        }
        Ok(trial)
    }

    fn holds(&self, job: Job<'_>) -> bool {
        self.journal.borrow().as_ref().is_some_and(|journal| journal.holds(&self.key(job)))
    }
}

/// Writes a run down. A journal that cannot be written costs no more than itself.
fn keep(journal: &RefCell<Option<Journal>>, record: &Record, tell: fn(&str)) {
    let mut journal = journal.borrow_mut();
    if let Some(Err(error)) = journal.as_mut().map(|journal| journal.add(record)) {
        *journal = None;
        tell(&format!("{error}. The session goes on; the journal ends here"));
    }
}

fn how(job: Job<'_>) -> How {
    match job {
        Job { host_network: true, .. } => How::HostNetwork,
        Job { recorded: true, .. } => How::Recorded,
        Job { fresh: true, .. } => How::Fresh,
        _ => How::Plain,
    }
}

/// Refuses a journal whose runs are not those of this session.
fn check(journal: &Journal, now: &Header) -> Result<(), RunError> {
    let then = journal.header();
    let mut other = Vec::new();
    let mut differs = |what: &str, then: &str, now: &str| {
        if then != now {
            other.push(format!("{what} {} then, {} now", or_none(then), or_none(now)));
        }
    };
    differs("jostle", &then.jostle, &now.jostle);
    differs("--seed", &then.seed.0.to_string(), &now.seed.0.to_string());
    let none = String::new();
    for name in then.options.keys().chain(now.options.keys().filter(|name| !then.options.contains_key(*name)))
    {
        let [then, now] = [then, now].map(|header| header.options.get(name).unwrap_or(&none));
        differs(name, then, now);
    }
    differs("Python", &then.python, &now.python);
    differs("pytest", &then.pytest, &now.pytest);
    differs("plugins", &then.plugins.join(" "), &now.plugins.join(" "));
    if then.fingerprint != now.fingerprint {
        other.push("other tests are collected".into());
    } else if then.sources != now.sources {
        other.push("the files of the tests have been changed".into());
    }
    if other.is_empty() {
        return Ok(());
    }
    Err(RunError::Pytest(format!(
        "cannot go on from {}, since its runs were of other plans or another suite: {}. Make them as they were, or start \
         anew without --resume",
        journal.path().display(),
        other.join("; ")
    )))
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

impl Engine for JournaledEngine {
    fn collect_all(&mut self, requests: &[Collect]) -> Result<Vec<Collected>, RunError> {
        let collected = self.engine.collect_all(requests)?;
        let first = collected.first().map(|first| first.interpreter.clone());
        self.interpreter = self.interpreter.take().or(first);
        Ok(collected)
    }

    fn run_all(
        &mut self,
        suite: &Suite,
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(usize, Trial) -> ControlFlow<()>,
    ) -> Result<(), RunError> {
        self.open(suite)?;
        let mut at = 0;
        while let Some(&job) = jobs.get(at) {
            if let Some(trial) = self.recall_trial(job)? {
                if finished(at, trial).is_break() {
                    return Ok(());
                }
                at += 1;
                continue;
            }
            let unknown = 1 + jobs[at + 1..].iter().take_while(|&&job| !self.holds(job)).count();
            let mut flow = ControlFlow::Continue(());
            let keys: Vec<Key> = jobs[at..at + unknown].iter().map(|&job| self.key(job)).collect();
            let Self { engine, journal, tell, .. } = self;
            engine.run_all(suite, &jobs[at..at + unknown], &mut |offset, trial| {
                let plan = jobs[at + offset].plan;
                keep(journal, &Record::of(keys[offset].clone(), plan, &trial), *tell);
                flow = finished(at + offset, trial);
                flow
            })?;
            if flow.is_break() {
                return Ok(());
            }
            at += unknown;
        }
        Ok(())
    }

    fn capabilities(&self, plan: &Plan) -> Capabilities {
        self.engine.capabilities(plan)
    }

    fn isolation(&self) -> Isolation {
        self.engine.isolation()
    }

    fn servers(&self) -> Vec<Listening> {
        self.engine.servers()
    }

    fn resets(&self) -> Vec<Listening> {
        self.engine.resets()
    }

    fn refuse_forks(&mut self, why: &str) -> Result<(), RunError> {
        self.engine.refuse_forks(why)
    }

    fn use_host_network(&mut self) -> Result<(), RunError> {
        self.engine.use_host_network()
    }

    fn took(&mut self, duration: Duration) {
        self.engine.took(duration);
    }

    fn remarks(&self) -> &Remarks {
        self.engine.remarks()
    }
}

impl PlainPytest for JournaledEngine {
    fn python(&self) -> &Path {
        self.engine.python()
    }

    fn plain_all(&mut self, jobs: &[PlainJob<'_>]) -> Result<Vec<Option<(String, PlainRun)>>, RunError> {
        let key = |job: &PlainJob<'_>| {
            Key::of_command(job.arguments, job.surroundings).besides(self.copy.as_deref(), None)
        };
        let keys: Vec<Key> = jobs.iter().map(key).collect();
        let recalled = keys.iter().map(|key| Ok(self.recall(key)?.and_then(|record| record.command)));
        let mut ran = recalled.collect::<Result<Vec<_>, RunError>>()?;
        let unknown: Vec<usize> = (0..jobs.len()).filter(|&at| ran[at].is_none()).collect();
        let asked: Vec<PlainJob<'_>> = unknown.iter().map(|&at| jobs[at]).collect();
        for (at, one) in unknown.into_iter().zip(self.engine.plain_all(&asked)?) {
            if let Some((line, run)) = &one {
                keep(&self.journal, &Record::of_command(keys[at].clone(), line, run), self.tell);
            }
            ran[at] = one;
        }
        Ok(ran)
    }
}

impl ProjectCopies for JournaledEngine {
    fn for_project_copy(&self, rootdir: &Path, copy: &Path) -> Result<Option<Box<dyn Engine>>, RunError> {
        let Some(engine) = self.engine.for_project_copy(rootdir, copy)? else {
            return Ok(None);
        };
        // A copy that cannot be told from others has no part in the journal.
        let Ok(edits) = edits::name(rootdir, copy) else {
            return Ok(Some(engine));
        };
        Ok(Some(Box::new(Self {
            engine,
            terms: self.terms.clone(),
            interpreter: None,
            place: None,
            journal: Rc::clone(&self.journal),
            copy: Some(edits),
            tell: self.tell,
        })))
    }
}
