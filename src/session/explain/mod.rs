//! Explaining a finding with an engine: each experiment is one run of the minimal plan.
//!
//! In forks where that is possible, as they cost next to nothing. The last word has a fresh process.

pub(crate) mod claims;
pub(crate) mod related;
pub(crate) mod details;
pub(crate) mod same_polluter;
mod tests;

use std::collections::BTreeSet;

use crate::explain::{Answer, Cause, Experiment, Explanation, as_a_whole, find, tiers};
use crate::finding::{Finding, Kind};
use crate::judge::Tally;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::{
    CONTROLS, EXPERIMENT_DOUBT, EXPERIMENT_REPETITIONS, EXPERIMENTS_AT_ONCE, EXPLAINING_RUNS,
    HANGING_EXPERIMENTS, SHOWS_AGAINST_CHANCE,
};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::shrink::Stopped;
use crate::state::{Changed, Instructions, Place, RestoreMethod, StateKind};
use crate::suite::{Fixture, TestIndex};
use crate::trial::{Outcome, Trial};

/// Places that are listed where none was shown to be the cause.
const LISTED: usize = 10;

/// Finds the state behind a finding; none for findings that are no question of state between tests.
///
/// # Errors
/// The run was interrupted.
pub(crate) fn explain(lab: &mut Lab<'_>, finding: &Finding) -> Result<Option<Explanation>, RunError> {
    let Some(case) = Case::of(lab, finding) else {
        return Ok(None);
    };
    let mut runner = Runner {
        lab,
        case: &case,
        repetitions: repetitions(finding),
        shows: shows(finding),
        error: None,
        experiments: 0,
        hangs: 0,
        contradicted: false,
        refused: BTreeSet::new(),
    };
    let mut explained = explain_with(&mut runner);
    if runner.contradicted && runner.repetitions == 1 {
        // It had failed each time, and yet does so only at times.
        runner.repetitions = EXPERIMENT_REPETITIONS;
        explained = explain_with(&mut runner);
    }
    match runner.error {
        Some(error @ RunError::Interrupted) => Err(error),
        // That a place cannot be named is no reason to lose what was found.
        Some(error) => Ok(Some(unexplained(&error.to_string(), Vec::new(), runner.experiments))),
        None => Ok(Some(explained)),
    }
}

/// Whether a finding is a question of state between tests, and its causes are known.
pub(crate) fn is_explainable(lab: &Lab<'_>, finding: &Finding) -> bool {
    finding.given_up.is_none() && Case::of(lab, finding).is_some()
}

/// How often what undoes a failure must do so before that is believed. A brittle test fails each time.
fn repetitions(finding: &Finding) -> u32 {
    match finding.kind {
        Kind::Brittle => 1,
        _ => finding.with.runs_to_show(EXPERIMENT_DOUBT).min(EXPERIMENT_REPETITIONS),
    }
}

/// In how many runs what stays as it is must show before that is believed: a test that fails by chance shows it then as
/// well. It passes only where its cause is undone, so that one pass tells.
fn shows(finding: &Finding) -> u32 {
    let chance = if finding.fails_by_chance_too() { finding.without } else { Tally::default() };
    chance.runs_against_chance(EXPERIMENT_DOUBT).min(SHOWS_AGAINST_CHANCE)
}

/// What every experiment of a finding has in common.
struct Case {
    fresh: Plan,
    cheap: Plan,
    wanted: FailureMatcher,
    /// What the last test shows with nothing restored.
    stays: Observation,
    undone: Observation,
    /// The file whose import is the polluter.
    import: Option<String>,
    /// The fixture that fails in its teardown, and the place in the list from which on tests make it do so.
    teardown: Option<(Fixture, u32)>,
}

impl Case {
    fn of(lab: &Lab<'_>, finding: &Finding) -> Option<Self> {
        let (minimal, signature) = (finding.shrunk.as_ref()?, finding.signature.as_ref()?);
        let (wanted, stays, undone) = match finding.kind {
            Kind::Victim if finding.fails_by_chance_too() => {
                (FailureMatcher::Failure(signature.test), Observation::Same, Observation::Passed)
            }
            Kind::Victim | Kind::Nio => (finding.wanted()?, Observation::Same, Observation::Passed),
            Kind::Brittle => {
                (FailureMatcher::Failure(signature.test), Observation::Passed, Observation::Same)
            }
            _ => return None,
        };
        let fresh = minimal.plan.clone();
        let [list] = fresh.workers.as_slice() else {
            return None;
        };
        let import = minimal.imports.first().filter(|_| list.len() == 1).cloned();
        if list.len() == 1 && import.is_none() {
            return None;
        }
        let teardown = match &wanted {
            FailureMatcher::Fixture(fixture, _) => {
                let user = list.iter().rposition(|&test| test == signature.test)?;
                // Tests before the one it was set up for do so by what they leave to its setup.
                (user + 1 < list.len()).then(|| (fixture.clone(), user as u32 + 1))
            }
            _ => None,
        };
        Some(Self {
            teardown,
            // Forks have imported everything beforehand.
            cheap: if minimal.imports.is_empty() { lab.in_forks(&fresh) } else { fresh.clone() },
            fresh,
            import,
            wanted,
            stays,
            undone,
        })
    }

    /// Only to watch.
    fn instructions(&self) -> Instructions {
        let (teardown, from) = self.teardown.clone().unzip();
        let from = from.unwrap_or_default();
        Instructions { import: self.import.clone(), from, teardown, ..Instructions::default() }
    }
}

struct Runner<'a, 'b> {
    lab: &'a mut Lab<'b>,
    case: &'a Case,
    /// How often what undoes the failure must do so before that is believed.
    repetitions: u32,
    /// In how many runs what stays must show before that is believed; 1 for what shows for no other reason.
    shows: u32,
    error: Option<RunError>,
    experiments: u32,
    /// Whether the failure did not show when nothing was done against it.
    contradicted: bool,
    /// How many experiments came to no end.
    hangs: u32,
    /// The places that were to be put back by themselves and could not be.
    refused: BTreeSet<String>,
}

impl Runner<'_, '_> {
    /// Why no more experiments are made, if that is so.
    fn is_over(&self) -> Option<String> {
        if self.lab.out_of_time() {
            Some("there was no time".into())
        } else if self.experiments >= EXPLAINING_RUNS {
            Some(format!("no more than {EXPLAINING_RUNS} runs are made"))
        } else if self.hangs >= HANGING_EXPERIMENTS {
            Some(format!("the test hung in {HANGING_EXPERIMENTS} runs, and no more are made"))
        } else {
            None
        }
    }

    /// What is said where not all could be tried.
    fn cut_short(&self, what: &str) -> String {
        format!("{}{what}", self.is_over().unwrap_or_else(|| "there was no time".into()))
    }

    /// Runs the plan with instructions, until what the test shows with nothing restored is seen or
    /// chance alone would have shown it.
    fn run(&mut self, instructions: &Instructions, fresh: bool) -> Result<(Answer, Changed), Stopped> {
        let told = self.run_all(std::slice::from_ref(instructions), fresh)?;
        told.into_iter().next().ok_or(Stopped)
    }

    /// The same with each of several instructions, side by side.
    fn run_all(
        &mut self,
        instructions: &[Instructions],
        fresh: bool,
    ) -> Result<Vec<(Answer, Changed)>, Stopped> {
        let mut told: Vec<Option<(Answer, Changed)>> = vec![None; instructions.len()];
        let mut last = vec![Changed::default(); instructions.len()];
        for run in 0..self.repetitions.max(self.shows) {
            let open: Vec<usize> = (0..told.len()).filter(|&at| told[at].is_none()).collect();
            for open in open.chunks(EXPERIMENTS_AT_ONCE) {
                if self.is_over().is_some() {
                    return Err(Stopped);
                }
                self.experiments += open.len() as u32;
                let base = if fresh { &self.case.fresh } else { &self.case.cheap };
                let plan = base.reseeded(run);
                let asked: Vec<_> = open.iter().map(|&at| (&plan, &instructions[at])).collect();
                let seen = self.lab.probes_explaining(&asked, fresh).map_err(|error| {
                    self.error = Some(error);
                    Stopped
                })?;
                for (&at, (trial, changed)) in open.iter().zip(seen) {
                    let answer = self.answer(run, &instructions[at], &trial, changed.as_ref());
                    last[at] = changed.unwrap_or_default();
                    told[at] = answer.map(|answer| (answer, last[at].clone()));
                }
            }
        }
        Ok(told.into_iter().zip(last).map(|(told, last)| told.unwrap_or((Answer::Undone, last))).collect())
    }

    /// What is seen with nothing put back, and the places that other tests leave changed after which the last one shows what it
    /// does with none before it: side by side, where one run tells.
    fn look(&mut self) -> Result<((Answer, Changed), Vec<Place>), Stopped> {
        let (controls, instructions) = (self.controls(), self.case.instructions());
        if self.repetitions.max(self.shows) > 1 {
            let own = self.run(&instructions, false)?;
            // What was seen is told without them as well.
            let left = self.watched(&controls, &instructions).map(|seen| self.harmless(seen));
            return Ok((own, left.unwrap_or_default()));
        }
        let plans: Vec<Plan> = std::iter::once(self.case.cheap.reseeded(0)).chain(controls).collect();
        let mut seen = self.watched(&plans, &instructions)?.into_iter();
        let (trial, changed) = seen.next().ok_or(Stopped)?;
        let answer = self.answer(0, &instructions, &trial, changed.as_ref()).unwrap_or(Answer::Undone);
        let left = self.harmless(seen.collect());
        Ok(((answer, changed.unwrap_or_default()), left))
    }

    /// Runs plans once, and tells what they leave.
    fn watched(
        &mut self,
        plans: &[Plan],
        instructions: &Instructions,
    ) -> Result<Vec<(Trial, Option<Changed>)>, Stopped> {
        if self.is_over().is_some() {
            return Err(Stopped);
        }
        self.experiments += plans.len() as u32;
        let asked: Vec<_> = plans.iter().map(|plan| (plan, instructions)).collect();
        self.lab.probes_explaining(&asked, false).map_err(|error| {
            self.error = Some(error);
            Stopped
        })
    }

    /// The places that are left changed in those of some runs in which the failure is undone.
    fn harmless(&self, seen: Vec<(Trial, Option<Changed>)>) -> Vec<Place> {
        let undone =
            seen.into_iter().filter(|(trial, _)| observe(trial, &self.case.wanted) == self.case.undone);
        undone.flat_map(|(_, changed)| changed.unwrap_or_default().places).collect()
    }

    /// Plans with another test before the last one, of those that are likely to use what the polluter uses.
    fn controls(&self) -> Vec<Plan> {
        let list = match self.case.cheap.workers.as_slice() {
            [list] if self.case.import.is_none() && self.case.teardown.is_none() => list,
            _ => return Vec::new(),
        };
        let (Some(&polluter), Some(&last)) = (list.first(), list.last()) else {
            return Vec::new();
        };
        let suite = &self.lab.suite;
        let file = |test: TestIndex| &suite.test(test).file;
        let fails = |test| self.lab.history.failed_alone(test, self.case.cheap.hash_seed) == Some(true);
        let usable = |&test: &TestIndex| !list.contains(&test) && !fails(test) && suite.admits(&[test, last]);
        let mut others: Vec<TestIndex> = suite.collected.iter().copied().filter(usable).collect();
        others.sort_by_key(|&test| (file(test) != file(polluter), file(test) != file(last)));
        let most = if self.lab.forks(&self.case.cheap) { CONTROLS } else { 1 };
        let plan = |test| Plan { workers: vec![vec![test, last]], ..self.case.cheap.clone() };
        others.into_iter().take(most).map(plan).collect()
    }

    /// What one run of several says, if that ends the experiment.
    fn answer(
        &mut self,
        run: u32,
        instructions: &Instructions,
        trial: &Trial,
        changed: Option<&Changed>,
    ) -> Option<Answer> {
        self.hangs += u32::from(hangs(trial));
        if let ([name], Some(changed)) = (instructions.restore.as_slice(), changed) {
            self.refused.extend(changed.failed.contains(name).then(|| name.clone()));
        }
        let is_put_back = changed.is_some_and(|changed| changed.failed.is_empty());
        match observe(trial, &self.case.wanted) {
            _ if !is_put_back => Some(Answer::Unclear),
            sight if sight == self.case.stays => (run + 1 >= self.shows).then_some(Answer::Stays),
            sight if sight == self.case.undone && self.shows > 1 => Some(Answer::Undone),
            sight if sight == self.case.undone => {
                self.contradicted |= instructions.restore.is_empty();
                None
            }
            _ => Some(Answer::Unclear),
        }
    }
}

/// An experiment over named places.
struct Places<'r, 'a, 'b> {
    runner: &'r mut Runner<'a, 'b>,
    places: &'r [Place],
}

impl Places<'_, '_, '_> {
    /// To put back a set of places.
    fn restoring(&self, set: &[usize]) -> Instructions {
        let restore = set.iter().map(|&at| self.places[at].name.clone()).collect();
        Instructions { restore, ..self.runner.case.instructions() }
    }
}

impl Experiment for Places<'_, '_, '_> {
    fn answers(&mut self, sets: &[Vec<usize>]) -> Result<Vec<Answer>, Stopped> {
        let instructions: Vec<Instructions> = sets.iter().map(|set| self.restoring(set)).collect();
        Ok(self.runner.run_all(&instructions, false)?.into_iter().map(|(answer, _)| answer).collect())
    }
}

fn explain_with(runner: &mut Runner<'_, '_>) -> Explanation {
    let Ok(((as_it_was, seen), left)) = runner.look() else {
        return unexplained(&runner.cut_short(" to look into it"), Vec::new(), runner.experiments);
    };
    let (cut_off, unread, places) = (seen.cut_off, seen.unread, seen.places);
    let settled = settled(&places, &left);
    let suspected = suspected(&places, &settled);
    let unexplained = |why: &str, experiments: u32| Explanation {
        changed: suspected.len(),
        cut_off,
        unread: unread.clone(),
        ..unexplained(why, suspected.iter().take(LISTED).map(|&at| places[at].clone()).collect(), experiments)
    };
    if as_it_was != Answer::Stays {
        return unexplained("the failure did not show while its state was watched", runner.experiments);
    }
    let mut experiment = Places { runner: &mut *runner, places: &places };
    let cause = match find(&tiers(&places, &settled), &mut experiment) {
        Ok(Some(cause)) => as_a_whole(&places, cause, &mut experiment).map(Some),
        other => other,
    };
    let cause = match cause {
        Err(Stopped) => return unexplained(&runner.cut_short(" to try every place"), runner.experiments),
        Ok(None) => return unexplained(&nothing_helped(&places, &runner.refused), runner.experiments),
        Ok(Some(cause)) => cause,
    };
    let cause = match in_fresh_processes(runner, &places, cause) {
        Err(Stopped) => {
            let why = runner.cut_short(" to confirm what undid the failure in a fresh process");
            return unexplained(&why, runner.experiments);
        }
        Ok(None) => {
            let why = "what undid the failure in forks did not do so in a fresh process";
            return unexplained(why, runner.experiments);
        }
        Ok(Some(cause)) => cause,
    };
    let is_told = |&at: &usize| {
        let told = places[at].kind != StateKind::Uncollected && !places[at].told_by_items;
        told || cause.places.contains(&at)
    };
    let changed = (0..places.len()).filter(is_told).count();
    let named = cause.places.iter().map(|&at| written_and_read(runner, &places[at]));
    Explanation {
        confirmed: true,
        places: named.collect(),
        jointly: cause.jointly,
        alone: cause.others > 0,
        others: cause.others,
        changed,
        cut_off,
        unread: unread.clone(),
        fixtures: places.iter().filter(|place| is_fixture(place)).cloned().collect(),
        experiments: runner.experiments,
        ..Explanation::default()
    }
}

/// Which of the places are among those that were left in the same way where that did not matter: none matters by itself.
fn settled(places: &[Place], left: &[Place]) -> Vec<bool> {
    // The states of generators of random numbers have all one text.
    let alike = |place: &Place, other: &Place| {
        place.kind != StateKind::Random
            && (&place.name, &place.old, &place.new) == (&other.name, &other.old, &other.new)
    };
    places.iter().map(|place| left.iter().any(|other| alike(place, other))).collect()
}

/// The last word: with nothing restored the failure shows, and with the cause restored it does not. Of places
/// that each undo it, those that do so here as well.
fn in_fresh_processes(
    runner: &mut Runner<'_, '_>,
    places: &[Place],
    cause: Cause,
) -> Result<Option<Cause>, Stopped> {
    let sets: Vec<Vec<usize>> = if cause.jointly {
        vec![cause.places.clone()]
    } else {
        cause.places.iter().map(|&at| vec![at]).collect()
    };
    let experiment = Places { runner: &mut *runner, places };
    let restoring = sets.iter().map(|set| experiment.restoring(set));
    let asked: Vec<Instructions> =
        std::iter::once(experiment.runner.case.instructions()).chain(restoring).collect();
    let told = runner.run_all(&asked, true)?;
    let undone = told[1..].iter().map(|(answer, _)| *answer == Answer::Undone);
    let held: Vec<usize> =
        sets.iter().zip(undone).filter(|(_, undone)| *undone).flat_map(|(set, _)| set.clone()).collect();
    Ok((told[0].0 == Answer::Stays && !held.is_empty()).then_some(Cause { places: held, ..cause }))
}

/// A place with where it is written and read, in a run made for that alone.
fn written_and_read(runner: &mut Runner<'_, '_>, place: &Place) -> Place {
    let instructions = Instructions { watch: vec![place.name.clone()], ..runner.case.instructions() };
    let (repetitions, shows, contradicted) = (runner.repetitions, runner.shows, runner.contradicted);
    if place.kind == StateKind::Uncollected {
        // To look at them is to collect them, so that the failure does not show.
        (runner.repetitions, runner.shows) = (1, 1);
    }
    let seen = runner.run(&instructions, false);
    (runner.repetitions, runner.shows, runner.contradicted) = (repetitions, shows, contradicted);
    let Ok((_, changed)) = seen else {
        return place.clone();
    };
    let looked_at = changed.places.into_iter().find(|seen| seen.name == place.name);
    let new = looked_at.filter(|_| place.kind == StateKind::Uncollected).map(|seen| seen.new);
    let new = new.unwrap_or_else(|| place.new.clone());
    Place { new, written: changed.written, no_line: changed.no_line, read: changed.read, ..place.clone() }
}

/// The places that may be the cause where none was shown to be it, the likeliest first: what runs on does more than
/// what merely is another.
fn suspected(places: &[Place], settled: &[bool]) -> Vec<usize> {
    // That the collector has something to do is so after most tests.
    let tells =
        |&at: &usize| !settled[at] && places[at].kind != StateKind::Uncollected && !places[at].told_by_items;
    let mut listed: Vec<usize> = (0..places.len()).filter(tells).collect();
    listed.sort_by_key(|&at| {
        let place = &places[at];
        let runs = matches!(place.kind, StateKind::Thread | StateKind::ChildProcess);
        (!runs, place.in_library, place.low_confidence)
    });
    listed
}

/// Why no place is named; `refused` are those that could not be put back when that was tried.
fn nothing_helped(places: &[Place], refused: &BTreeSet<String>) -> String {
    // The collector can always be made to run.
    let mut told = places.iter().filter(|place| place.kind != StateKind::Uncollected).peekable();
    if told.peek().is_none() {
        return "nothing that is watched had changed".into();
    }
    if told.all(|place| !place.restorable) {
        return "nothing that had changed could be put back to try whether it matters".into();
    }
    let helped = "restoring what had changed did not undo the failure";
    match refused.first() {
        Some(name) => format!("{helped}; {name} could not be put back"),
        None => helped.into(),
    }
}

/// Whether a test of a trial came to no end.
fn hangs(trial: &Trial) -> bool {
    trial.executions.iter().any(|run| matches!(run.outcome, Outcome::Timeout { .. }))
}

fn is_fixture(place: &Place) -> bool {
    place.recipe.as_ref().is_some_and(|recipe| recipe.how == RestoreMethod::Fixture)
}

fn unexplained(why: &str, places: Vec<Place>, experiments: u32) -> Explanation {
    Explanation {
        changed: places.len(),
        places,
        experiments,
        why: Some(why.to_owned()),
        ..Explanation::default()
    }
}
