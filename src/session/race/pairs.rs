//! Races: pairs of tests in conflict are run on two workers under control, schedule by schedule, and what
//! fails is judged, shrunk and confirmed.
//!
//! What is called a race passes alone and with its workers one after the other, in both orders; fails
//! each time under one schedule; does not fail for being held only; and fails each time in fresh
//! processes.

mod tests;

use std::collections::BTreeSet;

use crate::finding::{Finding, Kind, Minimal, Origin};
use crate::judge::observation::{Observation, observe};
use crate::judge::{Signature, Tally};
use crate::limits::{HANGING_CONFIRMATIONS, PAIR_SCHEDULES, RACE_CONFIRMATIONS, RACED_PAIRS};
use crate::plan::schedule::{Resource, Schedule, Switch};
use crate::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
use crate::race::access::{Step, StepKind, recorded};
use crate::race::conflicts::{Conflict, Pair, pairs};
use crate::race::schedules::{Calls, drawn, schedules};
use crate::race::trace::{self, trace};
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::session::race::delays::{self, Measured};
use crate::session::race::probe_effect::{fails_without_overlap, not_a_race};
use crate::session::race::recording::{Recording, record};
use crate::session::race::reruns::{Reruns, hangs, schedule_of, with_schedule};
use crate::session::suspect::{Suspect, suspects};
use crate::suite::TestIndex;
use crate::trial::{Failure, Trial};

/// Where in a race's number the test stands, counted from 1, whose pairs alone are raced.
const VICTIM: u32 = 32;
/// Where in it stands whether the worker that is overtaken is delayed. No session has so many rounds that their
/// numbers come to this.
const DELAYED: u64 = 1 << 31;

/// What a failure under a schedule turned out to be.
pub(crate) enum Judged {
    /// A race.
    Race(Box<Finding>),
    /// It does not pass alone, or not with the workers one after the other.
    Serial,
    /// It passes unless a worker is held in the middle of its calls while the other waits.
    Held,
    /// It fails for being late: a time limit of its own.
    Late,
    /// The same schedule fails at times only.
    Unsteady,
}

/// The race trials of a session: round by round and pair by pair, [`PAIR_SCHEDULES`] numbers for each.
pub(crate) struct Races {
    seed: Seed,
    hash_seed: u32,
    victim: Option<TestIndex>,
    system_calls: bool,
    /// Whether there are more pairs in conflict than are raced.
    pub(crate) more: bool,
    /// The pairs, in the order in which they are raced.
    pub(crate) pairs: Vec<Pair>,
    /// What is in conflict.
    pub(crate) conflicts: Vec<Conflict>,
}

impl Races {
    /// The races that the recorded conflicts allow; only those of one test if one is named.
    pub(crate) fn new(seed: Seed, hash_seed: u32, recording: &Recording, victim: Option<TestIndex>) -> Self {
        let Recording { conflicts, system_calls, touched: _ } = recording;
        let more = pairs(conflicts, RACED_PAIRS + 1, victim).len() > RACED_PAIRS;
        let pairs = pairs(conflicts, RACED_PAIRS, victim);
        let conflicts = conflicts.clone();
        Self { seed, hash_seed, victim, system_calls: *system_calls, more, pairs, conflicts }
    }

    /// What the numbers of these races have in common.
    fn base(&self) -> u64 {
        self.victim.map_or(0, |test| (u64::from(test.0) + 1) << VICTIM)
    }

    /// The plan of a pair's schedule.
    fn plan(&self, pair: usize, (round, number): (u64, usize), schedule: Schedule) -> Plan {
        let (first, second) = self.pairs[pair].tests;
        let index = (round as usize * RACED_PAIRS + pair) * PAIR_SCHEDULES + number;
        Plan {
            seed: self.seed,
            index: TrialIndex(self.base() + index as u64),
            order: OrderKind::Explicit,
            mode: Mode::Load,
            workers: vec![vec![first], vec![second]],
            interleaving: Interleaving::Controlled(Schedule { system_calls: self.system_calls, ..schedule }),
            hash_seed: self.hash_seed,
            random_seed: 0,
            imports: Imports::All,
        }
    }

    /// The undisturbed runs of a pair, from which its schedules follow.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn undisturbed(&self, lab: &mut Lab<'_>, pair: usize) -> Result<Vec<(Plan, Trial)>, RunError> {
        let at = &self.pairs[pair].resources;
        (0..2)
            .map(|first| {
                let schedule = Schedule::undisturbed(WorkerId(first), at.clone());
                let plan = self.plan(pair, (0, first as usize), schedule);
                let trial = lab.trial(Origin::Race(plan.index.0), &plan)?;
                Ok((plan, trial))
            })
            .collect()
    }

    /// The plans of a pair, of which the first two have been run: of round 0 those that its calls suggest, of
    /// others those that are drawn. There are no others if no order of its calls can matter.
    pub(crate) fn plans(&self, pair: usize, round: u64, undisturbed: &[(Plan, Trial)]) -> Vec<Plan> {
        let [(_, first), (_, second)] = undisturbed else {
            return Vec::new();
        };
        let calls = Calls::new(&first.steps, &second.steps);
        if !calls.conflict() {
            let known = undisturbed.iter().map(|(plan, _)| plan.clone());
            return known.take(if round == 0 { undisturbed.len() } else { 0 }).collect();
        }
        let at = &self.pairs[pair].resources;
        let draw = if round == 0 { schedules } else { drawn };
        let found = draw(
            &calls,
            at,
            self.seed,
            self.base() + round * RACED_PAIRS as u64 + pair as u64,
            PAIR_SCHEDULES,
        );
        (0..).zip(found).map(|(number, schedule)| self.plan(pair, (round, number), schedule)).collect()
    }
}

/// A plan in which a worker that is overtaken is delayed, under a number of its own.
pub(crate) fn delayed_index(plan: &Plan) -> Plan {
    Plan { index: TrialIndex(plan.index.0 | DELAYED), ..plan.clone() }
}

/// The plan that a race's token names; nothing if the recording does not lead to one.
///
/// # Errors
/// Those of the engine.
pub(crate) fn plan_of_token(
    lab: &mut Lab<'_>,
    seed: Seed,
    hash_seed: u32,
    index: TrialIndex,
) -> Result<Option<Plan>, RunError> {
    let recording = record(lab, seed, hash_seed, None)?;
    let victim = u32::try_from(index.0 >> VICTIM).ok().and_then(|test| test.checked_sub(1)).map(TestIndex);
    let races = Races::new(seed, hash_seed, &recording, victim);
    let is_delayed = index.0 & DELAYED != 0;
    let index = ((index.0 & !DELAYED) - races.base()) as usize;
    let (round, pair) = (index / PAIR_SCHEDULES / RACED_PAIRS, index / PAIR_SCHEDULES % RACED_PAIRS);
    if pair >= races.pairs.len() {
        return Ok(None);
    }
    let undisturbed = races.undisturbed(lab, pair)?;
    let plan = races.plans(pair, round as u64, &undisturbed).get(index % PAIR_SCHEDULES).cloned();
    if is_delayed {
        Ok(plan.and_then(|plan| delays::delayed(&plan).first().map(delayed_index)))
    } else {
        Ok(plan)
    }
}

/// Judges a failure under a schedule and, if it is a race, shrinks and confirms it.
///
/// # Errors
/// Those of the engine.
pub(crate) fn judge(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Judged, RunError> {
    if schedule_of(&suspect.plan).is_some_and(|schedule| schedule.delay > 0) {
        return Ok(match delays::measure(lab, suspect)? {
            Measured::Race(finding) => Judged::Race(finding),
            Measured::Long(_) | Measured::Nothing => Judged::Held,
        });
    }
    let mut without = Tally::default();
    let mut runs = Reruns::new(suspect);
    if let Some(judged) = not_a_race(lab, suspect, &mut runs, &mut without)? {
        return Ok(judged);
    }
    let mut plan = fewest_switches(lab, &mut runs, suspect.plan.clone())?;
    if !runs.fair_only && plan != suspect.plan && !runs.impatiently(lab, &plan)? {
        plan = suspect.plan.clone();
    }
    let (plan, steps, resource) = one_resource(lab, &mut runs, plan)?;
    let found = resource.and_then(|resource| trace(runs.up_to_failure(&steps), suspect.worker, &resource));
    let Some(mut found) = found else {
        return Ok(Judged::Unsteady);
    };
    let calls = recorded(&steps);
    let schedule = schedule_of(&plan).cloned().unwrap_or_else(|| Schedule::sequential(WorkerId(0)));
    let plan = with_schedule(&plan, Schedule { calls: calls.clone(), ..schedule });
    let mut with = Tally::default();
    let fresh = if hangs(suspect) { HANGING_CONFIRMATIONS } else { RACE_CONFIRMATIONS };
    let mut deadlocks = true;
    for trial in lab.probes(&vec![Job::fresh(&plan); fresh])? {
        with.add(observe(&trial, &runs.wanted) == Observation::Same);
        deadlocks &= trace::is_deadlock(&trial.steps, suspect.worker);
        found.diverged += u32::from(recorded(&trial.steps) != calls);
    }
    if !with.always() {
        return Ok(Judged::Unsteady);
    }
    if fails_without_overlap(lab, suspect, true, &mut without)? {
        return Ok(Judged::Serial);
    }
    let culprits =
        plan.workers.iter().flatten().copied().filter(|&test| test != suspect.signature.test).collect();
    let minimal = Minimal { plan, culprits, imports: Vec::new(), one_minimal: true, calls: runs.count };
    let note = if hangs(suspect) && deadlocks {
        Some("a deadlock: each test waits for what the other has")
    } else if found.resource.is_of_server() && suspect.failure.as_ref().is_some_and(is_broken_deadlock) {
        Some("a deadlock that PostgreSQL broke (40P01): each test waited for a lock that the other had")
    } else {
        None
    };
    Ok(Judged::Race(Box::new(Finding {
        signature: Some(suspect.signature.clone()),
        failure: suspect.failure.clone(),
        plan: Some(suspect.plan.clone()),
        shrunk: Some(minimal),
        with,
        without,
        note: note.map(str::to_owned),
        trace: Some(found),
        ..Finding::new(Kind::Race, Some(suspect.signature.test), suspect.origin)
    })))
}

/// Whether a failure is that PostgreSQL ended a transaction to break a deadlock, by what drivers make of its error 40P01, or
/// by its own words where another exception holds them.
fn is_broken_deadlock(failure: &Failure) -> bool {
    let exception = failure.exception.rsplit('.').next().unwrap_or_default();
    ["DeadlockDetected", "DeadlockDetectedError"].contains(&exception)
        || failure.message.contains("deadlock detected")
}

/// The finding of a failure under a schedule; `unclaimed` with a note if it is no race.
///
/// # Errors
/// Those of the engine.
pub(crate) fn finding(lab: &mut Lab<'_>, suspect: &Suspect, unclaimed: Finding) -> Result<Finding, RunError> {
    let why = match judge(lab, suspect)? {
        Judged::Race(finding) => return Ok(*finding),
        Judged::Serial => "it does not pass alone, or not with the workers one after the other",
        Judged::Held => {
            "it passes unless jostle holds a worker back for longer than the suite waits: no race"
        }
        Judged::Late => "it fails for being late, with nobody in between, as well: no race",
        Judged::Unsteady => "it fails at times only under one and the same schedule",
    };
    Ok(Finding { note: Some(why.into()), ..unclaimed })
}

/// What a failure is that lacks a sign of a race, for one that is not to be looked into any further.
///
/// # Errors
/// Those of the engine.
pub(crate) fn seems_no_race(lab: &mut Lab<'_>, suspect: &Suspect) -> Result<Option<Judged>, RunError> {
    not_a_race(lab, suspect, &mut Reruns::new(suspect), &mut Tally::default())
}

/// Leaves out each switch that is not needed.
fn fewest_switches(lab: &mut Lab<'_>, runs: &mut Reruns, mut plan: Plan) -> Result<Plan, RunError> {
    let mut at = 0;
    while let Some(schedule) = schedule_of(&plan).filter(|schedule| at < schedule.switches.len()) {
        let mut fewer = schedule.clone();
        fewer.switches.remove(at);
        let candidate = with_schedule(&plan, fewer);
        if runs.always(lab, &candidate)? {
            plan = candidate;
            at = 0;
        } else {
            at += 1;
        }
    }
    Ok(plan)
}

/// Lets workers yield at one resource only, if that is enough. Returns what was done as well, and the
/// resource; nothing if the failure did not show any more.
fn one_resource(
    lab: &mut Lab<'_>,
    runs: &mut Reruns,
    plan: Plan,
) -> Result<(Plan, Vec<Step>, Option<Resource>), RunError> {
    let Some(steps) = runs.once(lab, &plan)? else {
        return Ok((plan, Vec::new(), None));
    };
    let candidates = trace::resources(runs.up_to_failure(&steps), runs.worker);
    for resource in &candidates {
        let Some(narrow) = schedule_of(&plan).and_then(|schedule| only_at(schedule, &steps, resource)) else {
            continue;
        };
        let candidate = with_schedule(&plan, narrow);
        if runs.once(lab, &candidate)?.is_some()
            && let Some(steps) = runs.once(lab, &candidate)?
            && trace(runs.up_to_failure(&steps), runs.worker, resource).is_some()
        {
            return Ok((candidate, steps, Some(resource.clone())));
        }
    }
    Ok((plan, steps, candidates.into_iter().next()))
}

/// The schedule with calls on one resource only, if all its switches are at such.
fn only_at(schedule: &Schedule, steps: &[Step], resource: &Resource) -> Option<Schedule> {
    let renumbered = |switch: &Switch| {
        let calls: Vec<&Resource> = steps
            .iter()
            .filter(|step| step.worker == switch.worker)
            .filter_map(|step| match &step.kind {
                StepKind::Calls(call) => Some(&call.resource),
                _ => None,
            })
            .collect();
        let here = calls.get(switch.point as usize).is_none_or(|&call| call == resource);
        let before = calls.iter().take(switch.point as usize).filter(|&&call| call == resource).count();
        here.then_some(Switch { point: before as u32, ..*switch })
    };
    let switches = schedule.switches.iter().map(renumbered).collect::<Option<Vec<_>>>()?;
    Some(Schedule { at: BTreeSet::from([resource.clone()]), switches, ..schedule.clone() })
}

/// The failures of a race trial that were not seen before.
pub(crate) fn fresh_suspects(plan: &Plan, trial: &Trial, known: impl Fn(&Signature) -> bool) -> Vec<Suspect> {
    let all = suspects(Origin::Race(plan.index.0), plan, trial);
    all.into_iter().filter(|suspect| !known(&suspect.signature)).collect()
}
