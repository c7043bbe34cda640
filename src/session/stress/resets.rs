//! Whether what trials share is put back before each: two runs of one order, with another between them, agree then.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::RECORDING_SHARE;
use crate::plan::{OrderKind, Plan, order};
use crate::race::servers::{Listening, OutsideServer, outside};
use crate::run::{Job, RunError};
use crate::session::event::{About, Event};
use crate::session::lab::Lab;
use crate::session::race::recording;
use crate::session::stress::Session;
use crate::suite::TestIndex;
use crate::trial::Trial;

/// A run of the reverse of suite order, before all others.
pub(crate) struct FirstRun {
    plan: Plan,
    trial: Trial,
}

impl Session<'_> {
    /// Runs the reverse of suite order if trials share a server that is put back before each: what an earlier session has left
    /// there says least by now.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn run_before_all(
        &self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
    ) -> Result<Option<FirstRun>, RunError> {
        if lab.resets().is_empty() {
            return Ok(None);
        }
        lab.run_one_by_one();
        let list = order::reversed(lab.suite, &lab.suite.collected, self.axes.ignore_rank);
        let plan = Plan { order: OrderKind::Explicit, workers: vec![list], ..suite_order.clone() };
        let trial = fresh(lab, &plan)?;
        Ok(Some(FirstRun { plan, trial }))
    }

    /// Runs the same again once other orders were run. If a test comes to another outcome, nothing is claimed any more of tests
    /// that talk to these servers, and why is told.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn look_at_resets(
        &mut self,
        lab: &mut Lab<'_>,
        first: Option<FirstRun>,
    ) -> Result<(), RunError> {
        let Some(FirstRun { plan, trial }) = first else { return Ok(()) };
        let again = fresh(lab, &plan)?;
        let different = different(&trial, &again);
        let Some(&test) = different.first() else { return Ok(()) };
        let servers = self.who_talks_to(lab, plan.hash_seed)?;
        lab.tell(&Event::Outside(&servers));
        let addresses: Vec<String> = servers.iter().map(|server| server.at.address()).collect();
        let id = &lab.suite.test(test).id;
        let others = match different.len() {
            1 => String::new(),
            more => format!(", as {} others did", more - 1),
        };
        lab.remark(
            About::Costs,
            &format!(
                "the reset of {} does not put all back, or tests fail by chance: {id} came to another outcome in a second run of one \
                 order{others}. So nothing is claimed of tests that fail for what is left there. Have `reset` put back all that tests \
                 change",
                addresses.join(" and ")
            ),
        );
        Ok(())
    }

    /// The servers that are put back, with who talks to them: to one that is not on this machine all may.
    fn who_talks_to(&mut self, lab: &mut Lab<'_>, hash_seed: u32) -> Result<Vec<OutsideServer>, RunError> {
        let (here, elsewhere): (Vec<Listening>, Vec<Listening>) =
            lab.resets().into_iter().partition(is_of_this_machine);
        let mut found: Vec<(Listening, BTreeSet<TestIndex>)> =
            elsewhere.into_iter().map(|at| (at, lab.suite.collected.iter().copied().collect())).collect();
        if !here.is_empty() {
            let recording = recording::record(lab, self.seed, hash_seed, self.share(RECORDING_SHARE))?;
            found.extend(outside(&recording.touched, &here, self.rootdir));
            self.recording = Some(recording);
        }
        Ok(found.into_iter().map(|(at, tests)| OutsideServer { at, tests }).collect())
    }
}

/// Whether it is known where on this machine a server is.
fn is_of_this_machine(server: &Listening) -> bool {
    ["port:", "file:"].iter().any(|sort| server.resource.0.starts_with(sort))
}

/// Runs a plan in processes of its own, as what a fork knows of the server is from before it was put back.
fn fresh(lab: &mut Lab<'_>, plan: &Plan) -> Result<Trial, RunError> {
    lab.probes(&[Job::fresh(plan)])?.pop().ok_or(RunError::OutOfTime)
}

/// The tests that failed in one of two trials and not in the other.
fn different(one: &Trial, other: &Trial) -> Vec<TestIndex> {
    let outcomes = |trial: &Trial| -> BTreeMap<TestIndex, Vec<bool>> {
        let mut all: BTreeMap<TestIndex, Vec<bool>> = BTreeMap::new();
        trial
            .executions
            .iter()
            .for_each(|run| all.entry(run.test).or_default().push(run.outcome.is_failure()));
        all
    };
    let (one, other) = (outcomes(one), outcomes(other));
    one.iter()
        .filter(|(test, failed)| other.get(test).is_some_and(|again| again != *failed))
        .map(|(&test, _)| test)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::finding::Kind;
    use crate::plan::schedule::Resource;
    use crate::plan::{Axes, Seed};
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, name, suite};
    use crate::session::result::{Limits, SessionResult};
    use crate::session::stress::stress;

    /// Test `a` leaves what `b` fails for, in the server; `is_whole` says whether that is put back before each run.
    fn session(resource: &str, is_whole: bool) -> SessionResult {
        let left = Cell::new(false);
        let becomes = |run: Situation<'_>| {
            if run.before.is_empty() && is_whole {
                left.set(false);
            }
            let fails = run.is('b') && left.get();
            left.set(left.get() || run.is('a'));
            fails_if(fails)
        };
        let server = Listening { resource: Resource(resource.into()), program: None, reached: true };
        let mut engine = FakeEngine::new(suite(4), becomes).talking_to(server, "ab").put_back();
        let limits = Limits { trials: Some(4), schedules: Some(0), ..Limits::default() };
        stress(&mut engine, &mut Reporters::default(), Seed(1), &Axes::default(), &limits).unwrap()
    }

    #[test]
    fn a_server_that_is_put_back_is_as_good_as_one_of_a_trials_own() {
        let result = session("port:tcp 5432", true);
        assert!(result.outside.is_empty() && result.costs.is_empty(), "{:?}", result.costs);
        let found: Vec<_> = result.findings.iter().map(|found| (found.kind, found.unjudged)).collect();
        assert_eq!(found, [(Kind::Victim, false)]);
    }

    #[test]
    fn one_that_is_not_is_told_and_nothing_is_claimed_of_who_talks_to_it() {
        for (resource, told, tests) in [
            ("port:tcp 5432", "the reset of 127.0.0.1:5432 does not put all back", "ab"),
            ("the server of X", "the reset of the server of X does not put all back", "abcd"),
        ] {
            let result = session(resource, false);
            let remark = &result.costs[0];
            assert!(remark.starts_with(told) && remark.contains("::b came to another outcome"), "{remark}");
            let talk: String = result.outside[0].tests.iter().map(|&test| name(test)).collect();
            assert_eq!(talk, tests);
            assert!(result.findings.iter().all(|found| found.kind != Kind::Broken), "{:?}", result.findings);
        }
    }
}
