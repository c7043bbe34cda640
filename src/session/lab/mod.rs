//! The lab: runs plans, tells of them, writes down what they showed, watches the clock.

pub(crate) mod seen;
pub(crate) mod deadline;
pub(crate) mod forecast;
mod stream;
pub(crate) mod journaled;

use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::finding::{Finding, Origin};
use crate::limits::RECORDING_FACTOR;
use crate::plan::{Imports, Interleaving, Mode, OrderKind, Plan, WorkerId};
use crate::race::servers::Listening;
use crate::run::engine::{Collect, PlainJob, Surroundings};
use crate::run::process::plain::PlainRun;
use crate::run::{Engine, Job, RunError};
use crate::session::account::Account;
use crate::session::account::finding_book::FindingBook;
use crate::session::event::{About, Event, Reporter};
use crate::session::lab::deadline::Deadline;
use crate::session::lab::forecast::{Forecast, fitting, is_slowed};
use crate::session::lab::seen::{History, PlainRuns};
use crate::session::lab::stream::Stream;
use crate::state::{Changed, Instructions};
use crate::suite::{Suite, TestIndex};
use crate::trial::{Collected, Trial};

/// Runs plans for a session.
pub struct Lab<'a> {
    /// The suite.
    pub suite: &'a Suite,
    /// What was seen so far.
    pub history: History,
    /// What plain pytest made of tests that fail in all of jostle's runs.
    pub(crate) plain_runs: PlainRuns,
    engine: &'a mut dyn Engine,
    stream: Stream<'a>,
    deadline: Option<Deadline>,
    /// Whether nothing is run after the deadline.
    ends_on_time: bool,
    forecast: Forecast,
    /// Whether trials run one after the other, as they slow each other down or share a server.
    one_by_one: bool,
}

impl<'a> Lab<'a> {
    /// A lab for a suite. With a time limit, [`Lab::out_of_time`] says when to come to an end.
    pub fn new(
        suite: &'a Suite,
        engine: &'a mut dyn Engine,
        reporter: &'a mut dyn Reporter,
        deadline: Option<Deadline>,
    ) -> Self {
        let stream = Stream::new(suite, Account::default(), reporter, engine.remarks().clone());
        Self {
            suite,
            history: History::default(),
            plain_runs: PlainRuns::default(),
            engine,
            stream,
            deadline,
            ends_on_time: false,
            forecast: Forecast::default(),
            one_by_one: false,
        }
    }

    /// The same, of a session whose trials look for failures.
    #[must_use]
    pub(crate) fn searching(mut self, book: FindingBook) -> Self {
        self.stream.account = Account::of_search(self.suite, book);
        self
    }

    /// Runs nothing any more that would end after the time limit: from now on [`RunError::OutOfTime`] is said then.
    pub(crate) fn end_on_time(&mut self) {
        self.ends_on_time = true;
    }

    /// What is left of the time, if nothing is run after it.
    fn left(&self) -> Option<Duration> {
        let deadline = self.deadline.filter(|_| self.ends_on_time)?;
        Some(deadline.end.saturating_duration_since(Instant::now()))
    }

    fn in_time(&self) -> Result<(), RunError> {
        if self.left().is_some_and(|left| left.is_zero()) { Err(RunError::OutOfTime) } else { Ok(()) }
    }

    /// How long a run is going to take, from what its tests took before.
    pub(crate) fn forecast(&self, job: Job<'_>) -> Duration {
        let takes = self.forecast.of(job.plan, job.fresh || !self.forks(job.plan));
        let starting = if job.fresh { Duration::ZERO } else { self.engine.capabilities(job.plan).starting };
        starting + if job.recorded { takes * RECORDING_FACTOR } else { takes }
    }

    /// How long a worker is going to take for tests, from what they took before.
    pub(crate) fn forecast_of(&self, list: &[TestIndex]) -> Duration {
        self.forecast.of_list(list)
    }

    /// How many of the first of these runs end within the time limit.
    pub(crate) fn fitting(&self, jobs: &[Job<'_>]) -> usize {
        let (Some(left), Some(first)) = (self.left().filter(|left| !left.is_zero()), jobs.first()) else {
            return if self.in_time().is_ok() { jobs.len() } else { 0 };
        };
        let room = self.at_once(&serial(first.plan, Vec::new()));
        let run = |&job: &Job<'_>| (self.forecast(job), room / self.at_once(job.plan).max(1));
        let runs: Vec<(Duration, u32)> = jobs.iter().map(run).collect();
        fitting(&runs, room, left)
    }

    /// Whether these runs end within the time limit.
    ///
    /// # Errors
    /// They do not.
    fn all_in_time(&self, jobs: &[Job<'_>]) -> Result<(), RunError> {
        if self.fitting(jobs) < jobs.len() { Err(RunError::OutOfTime) } else { Ok(()) }
    }

    /// Runs a trial of the session.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn trial(&mut self, origin: Origin, plan: &Plan) -> Result<Trial, RunError> {
        let mut only = None;
        self.trials(&[(origin, plan.clone())], &mut |_, _, trial| {
            only = Some(trial);
            ControlFlow::Continue(())
        })?;
        only.ok_or(RunError::OutOfTime)
    }

    /// Runs trials of the session, side by side where they do not disturb each other. Each is told and given to
    /// `finished`, in this order, with what is known by then, until that says to stop, there are no more, or the next would
    /// end after the time limit. Of those that are to record it, what their tests touch outside of their process is noted.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn trials(
        &mut self,
        trials: &[(Origin, Plan)],
        finished: &mut dyn FnMut(&Account, usize, Trial) -> ControlFlow<()>,
    ) -> Result<(), RunError> {
        self.in_time()?;
        let jobs = trials.iter().map(|(origin, plan)| {
            let recorded = *origin == Origin::Recording;
            Job { recorded, ..Job::of(plan) }
        });
        let jobs: Vec<Job<'_>> = jobs.collect();
        let mut done = 0;
        while done < jobs.len() {
            // The next ones begin before those under way have told how long they took: near the end, few at a time do.
            let fit = self.fitting(&jobs[done..]);
            if fit == 0 {
                break;
            }
            let end = if self.one_by_one { done + 1 } else { done + fit };
            let before = done;
            let flow =
                self.trials_that_fit(&trials[before..end], &jobs[before..end], &mut |account, at, trial| {
                    done += 1;
                    finished(account, before + at, trial)
                })?;
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn trials_that_fit(
        &mut self,
        trials: &[(Origin, Plan)],
        jobs: &[Job<'_>],
        finished: &mut dyn FnMut(&Account, usize, Trial) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RunError> {
        let forks: Vec<bool> = jobs.iter().map(|job| self.forks(job.plan)).collect();
        let beside_others = |job: &Job<'_>| jobs.len() > 1 && self.at_once(job.plan) > 1;
        // What is expected of those that run beside others, before any of them has told how long it took.
        let expected: Vec<Option<Duration>> =
            jobs.iter().map(|job| beside_others(job).then(|| self.forecast(*job))).collect();
        let Self { suite, history, engine, stream, forecast, one_by_one, .. } = self;
        let start = |stream: &mut Stream<'_>, at: usize| {
            if let Some((origin, plan)) = trials.get(at) {
                stream.tell(&Event::Started { origin: *origin, plan });
            }
        };
        start(stream, 0);
        let mut flow = ControlFlow::Continue(());
        engine.run_all(suite, jobs, &mut |at, trial| {
            let (origin, plan) = &trials[at];
            history.add(plan, &trial);
            forecast.learn(&trial, !forks[at]);
            stream.tell(&Event::Finished { origin: *origin, plan, trial: &trial });
            if let Some(expected) = expected[at].filter(|_| !*one_by_one)
                && is_slowed(expected, trial.duration)
            {
                *one_by_one = true;
                stream.tell(&Event::Remark(About::Session, &one_by_one_from_here(expected, trial.duration)));
            }
            flow = finished(&stream.account, at, trial);
            if flow.is_continue() {
                start(stream, at + 1);
            }
            flow
        })?;
        Ok(flow)
    }

    /// Runs a plan that helps to judge, shrink or confirm.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn probe(&mut self, plan: &Plan) -> Result<Trial, RunError> {
        self.probes(&[Job::of(plan)])?.pop().ok_or(RunError::OutOfTime)
    }

    /// Runs plans of which it is not known yet whether they will be asked about; nothing is learnt from
    /// one before [`Lab::probed`] is told of it. The first is run, the others only as far as they can be
    /// at the same time.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn run_ahead(&mut self, plans: &[Plan]) -> Result<Vec<Trial>, RunError> {
        let mut jobs: Vec<Job<'_>> = plans.iter().map(Job::of).collect();
        self.all_in_time(&jobs[..1.min(jobs.len())])?;
        jobs.truncate(self.fitting(&jobs).max(1));
        let mut trials = Vec::new();
        self.engine.run_all(self.suite, &jobs, &mut |_, trial| {
            trials.push(trial);
            ControlFlow::Continue(())
        })?;
        Ok(trials)
    }

    /// Learns from a trial that was run ahead.
    pub(crate) fn probed(&mut self, plan: &Plan, trial: &Trial) {
        self.history.add(plan, trial);
        self.tell(&Event::Probed);
    }

    /// How many trials of a plan like this can run at the same time.
    pub(crate) fn at_once(&self, plan: &Plan) -> u32 {
        self.engine.capabilities(plan).at_once
    }

    /// Runs plans that help to judge, shrink or confirm; the trials are in the plans' order.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn probes(&mut self, jobs: &[Job<'_>]) -> Result<Vec<Trial>, RunError> {
        self.all_in_time(jobs)?;
        let end = self.deadline.filter(|_| self.ends_on_time).map(|deadline| deadline.end);
        let fresh: Vec<bool> = jobs.iter().map(|job| job.fresh || !self.forks(job.plan)).collect();
        let Self { suite, history, engine, stream, forecast, .. } = self;
        let mut trials = Vec::new();
        engine.run_all(suite, jobs, &mut |at, trial| {
            history.add(jobs[at].plan, &trial);
            forecast.learn(&trial, fresh[at]);
            stream.tell(&Event::Probed);
            trials.push(trial);
            let over = end.is_some_and(|end| Instant::now() >= end);
            if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if trials.len() < jobs.len() { Err(RunError::OutOfTime) } else { Ok(trials) }
    }

    /// Runs a plan as [`Lab::probe`] does, but in processes started for it alone.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn probe_fresh(&mut self, plan: &Plan) -> Result<Trial, RunError> {
        self.probes(&[Job::fresh(plan)])?.pop().ok_or(RunError::OutOfTime)
    }

    /// Runs plans whose workers tell what the tests before their last have changed, and restore what the instructions say,
    /// side by side where they do not disturb each other; in their order. Nothing is kept of them: they say little of the
    /// suite as it is. No changes where the last test was not reached.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn probes_explaining(
        &mut self,
        asked: &[(&Plan, &Instructions)],
        fresh: bool,
    ) -> Result<Vec<(Trial, Option<Changed>)>, RunError> {
        let job = |&(plan, instructions)| Job {
            fresh,
            instructions: Some(instructions),
            // A list in which a place is followed is run once.
            shared: all_but_last(plan).filter(|_| instructions.follow.is_none()),
            ..Job::of(plan)
        };
        let jobs: Vec<Job<'_>> = asked.iter().map(job).collect();
        self.all_in_time(&jobs)?;
        let Self { suite, engine, stream, .. } = self;
        let mut seen = Vec::new();
        engine.run_all(suite, &jobs, &mut |_, mut trial| {
            stream.tell(&Event::Probed);
            let changed = trial.changed.take();
            seen.push((trial, changed));
            ControlFlow::Continue(())
        })?;
        Ok(seen)
    }

    /// An engine for a copy of the project; see [`ProjectCopies::for_project_copy`].
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn for_project_copy(
        &self,
        rootdir: &Path,
        copy: &Path,
    ) -> Result<Option<Box<dyn Engine>>, RunError> {
        self.engine.for_project_copy(rootdir, copy)
    }

    /// The Python that runs the suite.
    pub fn python(&self) -> &Path {
        self.engine.python()
    }

    /// Whether a trial finds the project as it was before every other.
    pub(crate) fn keeps_apart(&self) -> bool {
        self.engine.isolation().project
    }

    /// Whether a plan would be run in forks.
    pub fn forks(&self, plan: &Plan) -> bool {
        self.engine.capabilities(plan).forks
    }

    /// Whether forks lack threads of libraries, which tests may need.
    pub(crate) fn lacks_threads(&self, plan: &Plan) -> bool {
        self.engine.capabilities(plan).lacks_threads
    }

    /// Gives up forks; see [`Engine::refuse_forks`].
    ///
    /// # Errors
    /// The user insists on forks.
    pub(crate) fn refuse_forks(&mut self, why: &str) -> Result<(), RunError> {
        self.engine.refuse_forks(why)
    }

    /// Whether trials are kept from the machine's network, and could be let use it.
    pub(crate) fn may_use_host_network(&self) -> bool {
        self.engine.isolation().network
    }

    /// The servers of the machine, and whether trials reach them, but for those that these have of their own.
    pub(crate) fn servers(&self) -> Vec<Listening> {
        self.engine.servers()
    }

    /// The servers that all trials share and that are put back before each.
    pub(crate) fn resets(&self) -> Vec<Listening> {
        self.engine.resets()
    }

    /// From now on trials run one after the other, as they share what they change.
    pub(crate) fn run_one_by_one(&mut self) {
        self.one_by_one = true;
    }

    /// Runs a plan in processes started for it alone, with the machine's network. Nothing is kept of it,
    /// as other runs are without.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn probe_on_host_network(&mut self, plan: &Plan) -> Result<Trial, RunError> {
        let trial = self.engine.run(self.suite, Job { host_network: true, ..Job::fresh(plan) })?;
        self.tell(&Event::Probed);
        Ok(trial)
    }

    /// Collects the suite under other seeds; see [`Engine::collect`].
    ///
    /// # Errors
    /// Those of the engine.
    pub fn collect(&mut self, hash_seed: u32, random_seed: u32) -> Result<Collected, RunError> {
        self.engine.collect(Collect::once(hash_seed, random_seed))
    }

    /// Lets trials use the machine's network from now on.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn use_host_network(&mut self) -> Result<(), RunError> {
        self.engine.use_host_network()
    }

    /// Tells what the user should know.
    pub(crate) fn remark(&mut self, about: About, remark: &str) {
        self.tell(&Event::Remark(about, remark));
    }

    /// A plan with the whole suite imported, if it can then be run in forks; else as it is.
    pub(crate) fn in_forks(&self, plan: &Plan) -> Plan {
        let whole = Plan { imports: Imports::All, ..plan.clone() };
        if self.forks(&whole) { whole } else { plan.clone() }
    }

    /// A plan in which a test runs alone. In a fork only if it is known to pass there: where it fails,
    /// the import of some other file may be to blame, so that its own is the only one.
    pub fn alone(&self, of: &Plan, test: TestIndex, random_seed: u32) -> Plan {
        let only = alone(of, self.suite, test, random_seed);
        let passes = self.history.failed_alone(test, of.hash_seed) == Some(false);
        if passes { self.in_forks(&only) } else { only }
    }

    /// Runs plain pytest; see [`PlainPytest::plain`].
    ///
    /// # Errors
    /// Those of the engine.
    pub fn plain(
        &mut self,
        arguments: &[String],
        surroundings: Surroundings,
    ) -> Result<Option<(String, PlainRun)>, RunError> {
        Ok(self.plain_all(&[PlainJob { arguments, surroundings }])?.into_iter().next().flatten())
    }

    /// Runs plain pytest several times; see [`PlainPytest::plain_all`].
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn plain_all(
        &mut self,
        jobs: &[PlainJob<'_>],
    ) -> Result<Vec<Option<(String, PlainRun)>>, RunError> {
        self.in_time()?;
        let ran = self.engine.plain_all(jobs)?;
        ran.iter().for_each(|_| self.tell(&Event::Probed));
        Ok(ran)
    }

    /// Tells an event.
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        self.stream.tell(event);
    }

    /// Tells of a finding, and says which it is.
    pub(crate) fn found(&mut self, finding: &Finding) -> usize {
        self.tell(&Event::Found(finding));
        self.book().findings().len() - 1
    }

    /// What the events have come to so far.
    pub(crate) fn account(&self) -> &Account {
        &self.stream.account
    }

    /// What was seen to fail and what was found so far.
    pub(crate) fn book(&self) -> &FindingBook {
        &self.stream.account.book
    }

    /// The same, to see to what waits.
    pub(crate) fn book_mut(&mut self) -> &mut FindingBook {
        &mut self.stream.account.book
    }

    /// Ends the work; returns what all events have come to.
    #[must_use]
    pub(crate) fn close(mut self) -> Account {
        self.stream.tell_remarks();
        self.stream.account
    }

    /// When the session's time is used up.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// What is left of a time limit to look for failures, if anything is.
    pub(crate) fn left_to_find(&self) -> Option<Duration> {
        let left = self.deadline?.finish.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Whether the session's time is used up, but for what it takes to confirm what was found.
    pub(crate) fn out_of_time(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline.finish)
    }
}

/// What is said where trials slow each other down.
fn one_by_one_from_here(expected: Duration, took: Duration) -> String {
    let [expected, took] = [expected, took].map(|time| time.as_secs());
    format!(
        "trials run one after the other, as side by side they slow each other down: one took {took} s, of which {expected} s \
         were expected"
    )
}

/// With how many tests experiments begin alike: they differ in what is done before the last, or in that itself.
fn all_but_last(plan: &Plan) -> Option<u32> {
    let [list] = plan.workers.as_slice() else { return None };
    u32::try_from(list.len().checked_sub(1)?).ok()
}

/// A plan with one worker and no sign of xdist, under the seeds of another.
pub(crate) fn serial(of: &Plan, list: Vec<TestIndex>) -> Plan {
    Plan {
        order: OrderKind::Explicit,
        mode: Mode::No,
        workers: vec![list],
        interleaving: Interleaving::Free,
        imports: of.imports.clone(),
        ..*of
    }
}

/// The list of one worker of a plan, as a plan of its own.
pub(crate) fn serial_of_worker(plan: &Plan, worker: WorkerId) -> Plan {
    serial(plan, plan.workers.get(worker.0 as usize).cloned().unwrap_or_default())
}

/// A plan in which only a test's own file is imported and it runs alone.
pub(crate) fn alone(of: &Plan, suite: &Suite, test: TestIndex, random_seed: u32) -> Plan {
    let file = suite.test(test).file.clone();
    Plan { random_seed, imports: Imports::Only([file].into()), ..serial(of, vec![test]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, plan, suite};
    use crate::trial::Outcome;

    #[test]
    fn a_plan_with_a_hash_seed_of_its_own_is_forecast_with_the_start_that_it_takes() {
        let second = Duration::from_secs(1);
        let (whole, mut nobody) = (suite(3), Reporters::default());
        let mut engine =
            FakeEngine::new(suite(3), |_| Outcome::Passed).taking(second).starting_in(second * 20);
        let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
        lab.probes(&[Job::of(&plan("abc"))]).unwrap();
        let (known, other) = (plan("abc"), Plan { hash_seed: 7, ..plan("abc") });
        let takes = lab.forecast(Job::of(&known));
        assert!(takes > Duration::ZERO && takes < second * 20, "{takes:?}");
        assert_eq!(lab.forecast(Job::of(&other)), takes + second * 20);
        assert_eq!(
            lab.forecast(Job { fresh: true, ..Job::of(&other) }),
            lab.forecast(Job { fresh: true, ..Job::of(&known) })
        );
    }
}
