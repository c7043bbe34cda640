//! The last word: a shrunk failure is run again, with and without what is said to cause it, in fresh
//! pytest processes and each time under another random seed.

use crate::finding::{Finding, Kind, Origin};
use crate::judge::Tally;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::{
    BROKEN_RUNS, CONFIRMED_DOUBT, CONSTANT_RUNS, FRESH_CONFIRMATIONS, OPEN_RUNS, VARYING_RUNS,
};
use crate::plan::Plan;
use crate::run::{Job, RunError};
use crate::session::lab::{Lab, alone};
use crate::session::stress::draws::{Seen, told_apart};
use crate::session::suspect::{Suspect, minimal, suspects};
use crate::shrink::Shrunk;
use crate::suite::Phase;
use crate::trial::Trial;

/// Confirms a victim or a race. `varies` if it is known to fail only at times, so that a few runs that agree
/// prove nothing.
///
/// # Errors
/// Those of the engine.
pub(crate) fn victim(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    wanted: &FailureMatcher,
    shrunk: Shrunk,
    finding: Finding,
    varies: bool,
) -> Result<Finding, RunError> {
    let test = suspect.signature.test;
    let shrunk = minimal(lab.suite, &shrunk, test);
    if let Some(finding) = broken_elsewhere(lab, suspect, &shrunk.plan)? {
        return Ok(finding);
    }
    let alone = alone(&shrunk.plan, lab.suite, test, 0);
    let mut with = Side::new(shrunk.plan.clone(), lab.in_forks(&shrunk.plan), wanted.clone(), Tally::always);
    if !shrunk.imports.is_empty() || finding.kind == Kind::Race {
        // With everything imported it proves nothing of an import, and forks collide more often.
        with.cheap = with.fresh.clone();
    }
    let without =
        Side::new(alone, lab.alone(&shrunk.plan, test, 0), FailureMatcher::Failure(test), Tally::never);
    let (with, without) = compare(lab, with, without.known(finding.without), varies)?;
    let note = (with.fresh_runs.never() && with.all.failed > 0).then(|| {
        format!(
            "shows in forks of a process that has imported the whole suite, but in none of {} fresh processes",
            with.fresh_runs.runs
        )
    });
    let shown_without = without.commonest_failure().cloned();
    let (fresh, runs_without) = (with.fresh_runs, without.seen);
    let (with, without) = (with.all, without.all);
    let kind = match () {
        () if fresh.failed == 0 => Kind::Unreproduced,
        () if without.failed > 0 => Kind::Nod,
        () if with.chance_against(without) > CONFIRMED_DOUBT => Kind::Unreproduced,
        () if finding.kind == Kind::Victim && with.always() && shrunk.culprits == [test] => Kind::Nio,
        () => finding.kind,
    };
    let shrunk = kind.is_isolation_failure().then_some(shrunk);
    let found = Finding { kind, with, without, shrunk, note: note.or(finding.note), ..finding };
    if kind == Kind::Nod {
        let found = found.showing(shown_without.as_ref());
        told_apart(lab, found, &FailureMatcher::Failure(test), &runs_without)
    } else {
        Ok(found)
    }
}

/// Confirms a brittle test: it passes with its state-setter, and fails without.
///
/// # Errors
/// Those of the engine.
pub(crate) fn brittle(
    lab: &mut Lab<'_>,
    suspect: &Suspect,
    shrunk: Shrunk,
    finding: Finding,
) -> Result<Finding, RunError> {
    let test = suspect.signature.test;
    let shrunk = minimal(lab.suite, &shrunk, test);
    let any = FailureMatcher::any(&suspect.signature, suspect.failure.as_ref());
    let with = Side::new(shrunk.plan.clone(), lab.in_forks(&shrunk.plan), any.clone(), Tally::never);
    let without = alone(&shrunk.plan, lab.suite, test, 0);
    let without = Side::new(without.clone(), without, any, Tally::always).known(finding.without);
    let (with, without) = compare(lab, with, without, false)?;
    let runs = [without.seen, with.seen].concat();
    let (with, without) = (with.all, without.all);
    let kind = if with.never() && without.always() { Kind::Brittle } else { Kind::Nod };
    let shrunk = kind.is_isolation_failure().then_some(shrunk);
    let found = Finding { kind, with, without, shrunk, ..finding };
    if kind == Kind::Nod { told_apart(lab, found, &FailureMatcher::Failure(test), &runs) } else { Ok(found) }
}

/// The runs of two plans, if one fails and the other passes each time, in fresh processes too.
///
/// # Errors
/// Those of the engine.
pub(crate) fn constant(lab: &mut Lab<'_>, with: Side, without: Side) -> Result<Option<[Tally; 2]>, RunError> {
    let (with, without) = compare(lab, with, without, false)?;
    let fails = with.all.always() && with.fresh_runs.always() && with.all.runs >= CONSTANT_RUNS;
    let passes = without.all.never() && without.fresh_runs.never() && without.all.runs >= CONSTANT_RUNS;
    Ok((fails && passes).then_some([with.all, without.all]))
}

/// One side of a comparison: a plan in its two forms, and what its runs showed.
pub(crate) struct Side {
    /// As it is run in fresh processes.
    fresh: Plan,
    /// As it is run where that costs least.
    cheap: Plan,
    wanted: FailureMatcher,
    /// What its runs show if the finding is as simple as can be; if not, more of them are needed.
    expected: fn(Tally) -> bool,
    /// All runs.
    pub(crate) all: Tally,
    /// Those in fresh processes.
    pub(crate) fresh_runs: Tally,
    /// The runs that are none of the judging's.
    pub(crate) seen: Vec<Seen>,
    /// The failures that they showed.
    failures: Vec<Suspect>,
}

impl Side {
    /// A plan as it is run in fresh processes, and where that costs least; what is looked for, and what its runs show
    /// if the finding is as simple as can be.
    pub(crate) fn new(fresh: Plan, cheap: Plan, wanted: FailureMatcher, expected: fn(Tally) -> bool) -> Self {
        Self {
            fresh,
            cheap,
            wanted,
            expected,
            all: Tally::default(),
            fresh_runs: Tally::default(),
            seen: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// How the test failed most often, and of what came as often the first.
    pub(crate) fn commonest_failure(&self) -> Option<&Suspect> {
        let alike = |one: &Suspect| {
            let same = |other: &&Suspect| other.signature == one.signature && other.site == one.site;
            self.failures.iter().filter(same).count()
        };
        self.failures.iter().rev().max_by_key(|&failure| alike(failure))
    }

    /// With runs from before.
    fn known(self, all: Tally) -> Self {
        Self { all, ..self }
    }

    /// Whether chance may explain that only forks failed.
    fn fresh_may_have_passed_by_luck(&self) -> bool {
        let Tally { runs, failed } = self.fresh_runs;
        let forks = Tally { runs: self.all.runs - runs, failed: self.all.failed - failed };
        failed == 0 && forks.chance_against(self.fresh_runs) > CONFIRMED_DOUBT
    }

    fn is_as_expected(&self) -> bool {
        (self.expected)(self.all)
    }

    /// The runs it takes until there are so many answers in all, at least so many of them in fresh
    /// processes, each under another random seed; and for each whether it is fresh.
    fn runs_until(&self, runs: u32, fresh: u32) -> Vec<(Plan, bool)> {
        let missing = fresh.saturating_sub(self.fresh_runs.runs);
        let run = |number: u32| {
            let is_fresh = number - self.all.runs < missing;
            let plan = if is_fresh { &self.fresh } else { &self.cheap };
            (plan.reseeded(number), is_fresh)
        };
        (self.all.runs..runs.max(self.all.runs + missing)).map(run).collect()
    }

    fn add(&mut self, plan: &Plan, trial: &Trial, is_fresh: bool) {
        let Some(failed) = observe(trial, &self.wanted).shown() else {
            return;
        };
        if failed {
            let tests = plan.workers.iter().flatten().copied().collect::<Vec<_>>();
            let last = |suspect: &Suspect| tests.last() == Some(&suspect.signature.test);
            self.failures.extend(suspects(Origin::Alone, plan, trial).into_iter().filter(last));
        }
        self.all.add(failed);
        self.seen.push(Seen { plan: plan.clone(), fresh: is_fresh, failed });
        if is_fresh {
            self.fresh_runs.add(failed);
        }
    }
}

/// So many runs of each of two plans, half of them in fresh processes.
///
/// # Errors
/// Those of the engine.
pub(crate) fn tallied(
    lab: &mut Lab<'_>,
    mut with: Side,
    mut without: Side,
    runs: u32,
) -> Result<(Side, Side), RunError> {
    measure(lab, &mut [(&mut with, runs, runs / 2), (&mut without, runs, runs / 2)])?;
    Ok((with, without))
}

/// Runs two plans until their tallies tell them apart or do not.
fn compare(
    lab: &mut Lab<'_>,
    mut with: Side,
    mut without: Side,
    varies: bool,
) -> Result<(Side, Side), RunError> {
    measure(
        lab,
        &mut [
            (&mut with, CONSTANT_RUNS, FRESH_CONFIRMATIONS),
            (&mut without, CONSTANT_RUNS, FRESH_CONFIRMATIONS),
        ],
    )?;
    if varies || !with.is_as_expected() || !without.is_as_expected() {
        let (runs, fresh) = (VARYING_RUNS, VARYING_RUNS / 2);
        measure(lab, &mut [(&mut with, runs, fresh), (&mut without, runs, fresh)])?;
    }
    let open = with.all.chance_against(without.all) > CONFIRMED_DOUBT || with.fresh_may_have_passed_by_luck();
    if with.all.failed > 0 && without.all.never() && open {
        measure(lab, &mut [(&mut with, OPEN_RUNS, OPEN_RUNS / 2), (&mut without, OPEN_RUNS, 0)])?;
    }
    Ok((with, without))
}

/// Runs sides until each gave so many answers in all, and so many of them in fresh processes.
fn measure(lab: &mut Lab<'_>, sides: &mut [(&mut Side, u32, u32)]) -> Result<(), RunError> {
    let runs: Vec<(usize, Plan, bool)> = sides
        .iter()
        .enumerate()
        .flat_map(|(side, (of, runs, fresh))| {
            of.runs_until(*runs, *fresh).into_iter().map(move |(plan, is_fresh)| (side, plan, is_fresh))
        })
        .collect();
    // Fresh ones first: they take longest.
    let (fresh, cheap): (Vec<_>, Vec<_>) = runs.into_iter().partition(|(_, _, is_fresh)| *is_fresh);
    let runs = [fresh, cheap].concat();
    let jobs: Vec<Job<'_>> =
        runs.iter().map(|(_, plan, fresh)| Job { fresh: *fresh, ..Job::of(plan) }).collect();
    for ((side, plan, is_fresh), trial) in runs.iter().zip(lab.probes(&jobs)?) {
        sides[*side].0.add(plan, &trial, *is_fresh);
    }
    Ok(())
}

/// A teardown that fails whatever comes before it is charged to whichever test runs last: if another test of the
/// shrunk plan shows the failure alone, that one is broken, and no order is to blame.
fn broken_elsewhere(lab: &mut Lab<'_>, suspect: &Suspect, plan: &Plan) -> Result<Option<Finding>, RunError> {
    let crash = &suspect.signature.crash;
    if crash.phase != Phase::Teardown {
        return Ok(None);
    }
    let wanted = match suspect.fixture() {
        Some(fixture) => FailureMatcher::Fixture(fixture.clone(), crash.clone()),
        None => FailureMatcher::Location(crash.clone()),
    };
    let others: Vec<_> = plan.workers.iter().flatten().copied().collect();
    for other in others.into_iter().filter(|&test| test != suspect.signature.test) {
        let alone = lab.alone(plan, other, plan.random_seed);
        let trial = lab.probe(&alone)?;
        if observe(&trial, &wanted) != Observation::Same {
            continue;
        }
        let seen = suspects(Origin::Alone, &alone, &trial).into_iter().next();
        let mut without = Tally::default();
        without.add(true);
        for run in 1..BROKEN_RUNS {
            without.add(observe(&lab.probe(&alone.reseeded(run))?, &wanted) == Observation::Same);
        }
        let Some(seen) = seen.filter(|_| without.always()) else {
            continue;
        };
        return Ok(Some(Finding {
            signature: Some(seen.signature),
            failure: seen.failure,
            plan: Some(alone),
            without,
            ..Finding::new(Kind::Broken, Some(other), Origin::Alone)
        }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, plan, suite, test};
    use crate::session::investigate::investigate;
    use crate::trial::Outcome;

    /// The sides of a comparison of `f` after `b` with `f` alone: how often each failed, and of the first in fresh
    /// processes.
    fn compared(becomes: impl FnMut(Situation<'_>) -> Outcome, varies: bool) -> [Tally; 3] {
        let (suite, mut nobody) = (suite(8), Reporters::default());
        let mut engine = FakeEngine::new(suite.clone(), becomes);
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        let any = FailureMatcher::Failure(test('f'));
        let with = Side::new(plan("bf"), plan("bf"), any.clone(), Tally::always);
        let without = Side::new(plan("f"), plan("f"), any, Tally::never);
        let (with, without) = compare(&mut lab, with, without, varies).unwrap();
        [with.all, without.all, with.fresh_runs]
    }

    fn tally(failed: u32, runs: u32) -> Tally {
        Tally { runs, failed }
    }

    #[test]
    fn as_many_runs_are_made_as_the_answers_ask_for() {
        let victim = |run: Situation<'_>| fails_if(run.is('f') && run.after('b'));
        assert_eq!(compared(victim, false), [tally(8, 8), tally(0, 8), tally(1, 1)]);
        assert_eq!(compared(victim, true), [tally(16, 16), tally(0, 16), tally(8, 8)]);
        let nobody = |_: Situation<'_>| fails_if(false);
        assert_eq!(compared(nobody, false), [tally(0, 16), tally(0, 16), tally(0, 8)]);
        let rarely = |run: Situation<'_>| fails_if(victim_under(run, |seed| seed % 5 == 0));
        assert_eq!(compared(rarely, false)[0].runs, OPEN_RUNS);
        let in_forks = |run: Situation<'_>| fails_if(!run.fresh && victim_under(run, |seed| seed % 5 == 0));
        assert_eq!(
            compared(in_forks, false)[2],
            tally(0, OPEN_RUNS / 2),
            "bad luck of few fresh runs is no proof"
        );
    }

    fn victim_under(run: Situation<'_>, seeds: fn(u32) -> bool) -> bool {
        run.is('f') && run.after('b') && seeds(run.plan.random_seed)
    }

    #[test]
    fn runs_that_give_no_answer_are_not_counted() {
        let skipped = |run: Situation<'_>| {
            if run.plan.random_seed.is_multiple_of(2) { Outcome::Skipped } else { fails_if(run.after('b')) }
        };
        let [with, without, _] = compared(skipped, false);
        assert!(with.always() && without.never() && with.runs < OPEN_RUNS, "{with:?} {without:?}");
    }

    #[test]
    fn a_teardown_that_fails_under_whichever_test_comes_last_is_that_of_the_test_which_fails_alone() {
        let torn_down = |run: Situation<'_>| {
            let last = run.plan.workers[0].last() == Some(&run.test);
            match failed("OSError") {
                Outcome::Failed(failure) if last && (run.is('d') || run.after('d')) => {
                    Outcome::Failed(crate::trial::Failure { phase: Phase::Teardown, ..failure })
                }
                _ => Outcome::Passed,
            }
        };
        let (suite, mut nobody) = (suite(8), Reporters::default());
        let mut engine = FakeEngine::new(suite.clone(), torn_down);
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        let whole = plan("abcdef");
        let trial = lab.trial(Origin::Trial(0), &whole).unwrap();
        let suspect = suspects(Origin::Trial(0), &whole, &trial).remove(0);
        assert_eq!(suspect.signature.test, test('f'));
        let finding = investigate(&mut lab, &suspect).unwrap();
        assert_eq!((finding.kind, finding.test), (Kind::Broken, Some(test('d'))));
        assert_eq!(finding.without, tally(BROKEN_RUNS, BROKEN_RUNS));
    }
}
