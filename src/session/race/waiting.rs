//! The end of the race phase: where a test waited for a worker that was overtaken, and no order of calls broke it,
//! that worker is delayed.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::{Finding, Origin};
use crate::judge::Signature;
use crate::limits::{COMMON_DELAY, WAITING_PLANS};
use crate::plan::Plan;
use crate::race::delay::wait;
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::session::race::campaign::Racing;
use crate::session::race::delays::{Measured, delayed, measure};
use crate::session::race::gathering::{self, Loser, gather};
use crate::session::race::pairs::{Races, delayed_index};
use crate::session::race::reruns::schedule_of;
use crate::session::suspect::{Suspect, suspects};
use crate::suite::TestIndex;
use crate::trial::Trial;

/// Where tests waited for a worker that was overtaken.
#[derive(Default)]
pub(crate) struct Waits {
    /// Where it was: the calls at which they waited.
    places: BTreeSet<String>,
    /// Of each the first plan that showed it, with the number of its pair.
    passed: Vec<(usize, Plan)>,
    /// The plans under which a test failed that passes if nobody is held while it waits.
    held: BTreeMap<Signature, Vec<Plan>>,
}

impl Waits {
    /// Takes in a trial of a pair. It counts if nobody failed.
    pub(crate) fn add(&mut self, pair: usize, plan: &Plan, trial: &Trial) {
        let Some(schedule) = schedule_of(plan) else { return };
        // With several switches it could not be told at which one it was.
        if let [switch] = schedule.switches[..]
            && trial.executions.iter().all(|run| !run.outcome.is_failure())
            && let Some(place) = wait(&trial.steps, switch.worker)
            && self.places.insert(place)
        {
            self.passed.push((pair, plan.clone()));
        }
    }

    /// Takes in a failure that shows only while a worker is held for which its test waits.
    pub(crate) fn add_held(&mut self, suspect: &Suspect) {
        self.held.entry(suspect.signature.clone()).or_default().push(suspect.plan.clone());
    }

    /// The plans that are to be run with a delay: of failures of tests, and of pairs, that are not explained by a
    /// race; and how many there would be besides.
    pub(crate) fn plans(
        &self,
        is_explained: impl Fn(TestIndex) -> bool,
        is_found: impl Fn(usize) -> bool,
    ) -> (Vec<Plan>, usize) {
        let held = self.held.iter().filter(|(signature, _)| !is_explained(signature.test));
        let held = held.flat_map(|(_, plans)| plans);
        let passed = self.passed.iter().filter(|(pair, _)| !is_found(*pair)).map(|(_, plan)| plan);
        let mut plans: Vec<Plan> = Vec::new();
        for plan in held.chain(passed).flat_map(delayed) {
            if !plans
                .iter()
                .any(|known| schedule_of(known) == schedule_of(&plan) && known.workers == plan.workers)
            {
                plans.push(plan);
            }
        }
        let more = plans.len().saturating_sub(WAITING_PLANS);
        plans.truncate(WAITING_PLANS);
        (plans, more)
    }
}

impl Racing {
    /// Where a test waited, and no order of calls broke it, the worker that it waited for takes longer. `found` says of
    /// which pairs a race is known.
    ///
    /// # Errors
    /// Those of the engine; what was found before stays.
    pub(super) fn delay(&mut self, lab: &mut Lab<'_>, races: &Races, found: &[bool]) -> Result<(), RunError> {
        let is_found = |pair: usize| found.get(pair).copied().unwrap_or_default();
        let (plans, more) = self.waits.plans(|test| self.was_found(test), is_found);
        self.undelayed = more;
        if self.is_enough() || self.is_late(lab) {
            self.undelayed += plans.len();
            return Ok(());
        }
        let mut suspects = failing(lab, &plans)?.into_iter();
        while let Some(suspect) = suspects.next() {
            let looked_into = self.look_into_delayed(lab, races, &suspect);
            if looked_into.is_err() {
                self.cut_short.extend(std::iter::once(suspect).chain(suspects));
                return looked_into;
            }
        }
        Ok(())
    }

    fn is_enough(&self) -> bool {
        self.bounds.first_only && !self.found.is_empty()
    }

    fn look_into_delayed(
        &mut self,
        lab: &mut Lab<'_>,
        races: &Races,
        suspect: &Suspect,
    ) -> Result<(), RunError> {
        let signature = &suspect.signature;
        let is_known = self.is_known(signature) && !self.held.contains_key(signature);
        if is_known || self.was_found(signature.test) || self.is_enough() {
            return Ok(());
        }
        match measure(lab, suspect)? {
            Measured::Race(finding) => self.keep_delayed(lab, races, *finding)?,
            Measured::Long(finding) => {
                self.seen.insert(signature.clone());
                self.held.remove(signature);
                self.long.extend(remark(&finding, |test| lab.suite.test(test).id.to_string()));
            }
            Measured::Nothing => {}
        }
        Ok(())
    }

    /// Keeps a race that takes a delay, with the other tests that lose as its test does.
    fn keep_delayed(
        &mut self,
        lab: &mut Lab<'_>,
        races: &Races,
        mut finding: Finding,
    ) -> Result<(), RunError> {
        self.seen.extend(finding.signature.clone());
        let loser = Loser::of(&finding).filter(|_| !self.bounds.first_only && finding.fixture().is_none());
        let gathered = loser.as_ref().map(|loser| gather(lab, races, loser, &mut finding));
        self.seen.extend(loser.iter().flat_map(|loser| gathering::signatures(&finding.also, loser)));
        self.found.push(finding);
        self.ungathered += gathered.unwrap_or(Ok(0))?;
        Ok(())
    }
}

/// Runs plans with delays; returns the failures that they show.
///
/// # Errors
/// Those of the engine.
fn failing(lab: &mut Lab<'_>, plans: &[Plan]) -> Result<Vec<Suspect>, RunError> {
    let plans: Vec<Plan> = plans.iter().map(delayed_index).collect();
    let jobs: Vec<Job<'_>> = plans.iter().map(Job::of).collect();
    let mut failing: Vec<Suspect> = Vec::new();
    for (plan, trial) in plans.iter().zip(lab.probes(&jobs)?) {
        failing.extend(suspects(Origin::Race(plan.index.0), plan, &trial));
    }
    Ok(failing)
}

/// What is to be known of a failure for which another worker has to take longer than a busy machine may make it.
fn remark(finding: &Finding, name: impl Fn(TestIndex) -> String) -> Option<String> {
    let (test, delay) = (finding.test?, finding.trace.as_ref()?.delay.as_ref()?);
    let (culprits, _) = finding.causes();
    let (test, other) = (name(test), name(*culprits.first()?));
    Some(format!(
        "{test} fails if {other} {delay}: more than {COMMON_DELAY} ms, so it is no isolation failure"
    ))
}
