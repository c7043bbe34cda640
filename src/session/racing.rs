//! The race phase of a session: pairs of tests in conflict take turns, a few schedules each, so that where
//! time is short every pair has had its most promising ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::judge::Signature;
use crate::judge::finding::{Finding, Origin};
use crate::judge::signature::Crash;
use crate::plan::Plan;
use crate::run::{RunError, Trial};
use crate::session::investigate::Suspect;
use crate::session::lab::Lab;
use crate::session::races::{Judged, Races, fresh_suspects, judge, seems_a_race};
use crate::suite::TestIndex;

/// Schedules of a pair that are tried in one turn.
const TURN: usize = 12;

/// How many schedules that show a failure are looked into, if it shows at times only under them.
const UNSTEADY: u32 = 2;
/// How many are looked into if it shows under them for the time only that a worker was held.
const HELD: u32 = 6;

/// What racing has shown so far.
pub struct Racing {
    end: Instant,
    /// Failures that are known, or were judged.
    seen: BTreeSet<Signature>,
    /// How often failures only showed while a worker was held.
    held: BTreeMap<Signature, u32>,
    /// How often one and the same schedule showed them at times only.
    unsteady: BTreeMap<Signature, u32>,
    /// The races, each of another pair.
    pub found: Vec<Finding>,
    /// Failures that there was no time to look into.
    pub cut_short: Vec<Suspect>,
    /// Pairs whose schedules were not all tried, for want of time.
    unraced: usize,
}

/// A pair that is raced.
struct Racer {
    plans: Vec<Plan>,
    undisturbed: Vec<(Plan, Trial)>,
    next: usize,
    found: Option<usize>,
    /// Whether each of its tests was found to lose.
    both: bool,
}

impl Racer {
    fn is_done(&self) -> bool {
        self.both || self.next >= self.plans.len()
    }
}

impl Racing {
    /// Races for so long, to which the time for looking into failures is added. Failures that are known
    /// already are nothing new.
    pub fn new(time: Duration, known: impl Iterator<Item = Signature>) -> Self {
        Self {
            seen: known.collect(),
            held: BTreeMap::new(),
            unsteady: BTreeMap::new(),
            end: Instant::now() + time,
            found: Vec::new(),
            cut_short: Vec::new(),
            unraced: 0,
        }
    }

    fn is_over(&self, lab: &Lab<'_>) -> bool {
        Instant::now() > self.end || lab.out_of_time()
    }

    /// Races all pairs, as far as time allows, or until a race is found if that is enough.
    ///
    /// # Errors
    /// Those of the engine; what was found before stays.
    pub fn run(&mut self, lab: &mut Lab<'_>, races: &Races, first_only: bool) -> Result<(), RunError> {
        let mut racers: Vec<Racer> = Vec::new();
        loop {
            let mut idle = true;
            for pair in 0..races.pairs.len() {
                if self.is_over(lab) || first_only && !self.found.is_empty() {
                    let left =
                        racers.iter().filter(|racer| racer.found.is_none() && !racer.is_done()).count();
                    self.unraced = left + races.pairs.len() - racers.len();
                    return Ok(());
                }
                if racers.len() == pair {
                    let undisturbed = races.undisturbed(lab, pair)?;
                    let plans = races.plans(pair, &undisturbed);
                    racers.push(Racer { plans, undisturbed, next: 0, found: None, both: false });
                }
                if !racers[pair].is_done() {
                    idle = false;
                    self.turn(lab, &mut racers[pair])?;
                }
            }
            if idle {
                return Ok(());
            }
        }
    }

    /// Tries the next schedules of a pair.
    fn turn(&mut self, lab: &mut Lab<'_>, racer: &mut Racer) -> Result<(), RunError> {
        for _ in 0..TURN {
            if racer.is_done() || self.is_over(lab) {
                return Ok(());
            }
            let plan = racer.plans[racer.next].clone();
            let trial = match racer.undisturbed.get(racer.next) {
                Some((_, trial)) => trial.clone(),
                None => lab.trial(Origin::Race(plan.index.0), &plan)?,
            };
            racer.next += 1;
            for suspect in fresh_suspects(&plan, &trial, |signature| self.seen.contains(signature)) {
                if let Some(finding) = self.same_fixture(&suspect.signature) {
                    finding.also.push(suspect.signature.test);
                    self.seen.insert(suspect.signature);
                    continue;
                }
                let start = Instant::now();
                let looked_into = self.look_into(lab, racer, &suspect);
                if matches!(looked_into, Err(RunError::OutOfTime)) {
                    self.cut_short.push(suspect);
                }
                looked_into?;
                self.end += start.elapsed();
            }
        }
        Ok(())
    }

    /// Looks into a failure of a pair.
    fn look_into(&mut self, lab: &mut Lab<'_>, racer: &mut Racer, suspect: &Suspect) -> Result<(), RunError> {
        match racer.found {
            None if self.is_race(judge(lab, suspect)?, &suspect.signature) => {
                racer.found = Some(self.found.len() - 1);
            }
            None => {}
            Some(found) => {
                self.seen.insert(suspect.signature.clone());
                let test = suspect.signature.test;
                let finding = &self.found[found];
                let told = finding.test == Some(test) || finding.also.contains(&test);
                if seems_a_race(lab, suspect)? && !told {
                    self.found[found].also.push(test);
                    racer.both = true;
                }
            }
        }
        Ok(())
    }

    /// The race of a fixture that fails in this way under another test: which one is charged is an
    /// accident.
    fn same_fixture(&mut self, signature: &Signature) -> Option<&mut Finding> {
        let crash = &signature.crash;
        let same = |finding: &&mut Finding| {
            finding.signature.as_ref().is_some_and(|known| known.crash == *crash && crash.is_of_a_fixture())
        };
        self.found.iter_mut().find(same)
    }

    /// Takes in what a failure was judged to be; tells whether it is a race.
    fn is_race(&mut self, judged: Judged, signature: &Signature) -> bool {
        let enough = match judged {
            Judged::Race(finding) => {
                self.seen.insert(signature.clone());
                self.found.push(*finding);
                return true;
            }
            // Another schedule may show it better.
            Judged::Unsteady => count(&mut self.unsteady, signature) >= UNSTEADY,
            Judged::Held => count(&mut self.held, signature) >= HELD,
            Judged::Serial => true,
        };
        if enough {
            self.seen.insert(signature.clone());
        }
        false
    }

    /// The failures that the rest of the session need not look into: of a test, or of a fixture under
    /// whichever test.
    pub fn explained(&self) -> impl Iterator<Item = (Option<TestIndex>, Crash)> {
        let of = |Signature { test, crash }: &Signature| {
            ((!crash.is_of_a_fixture()).then_some(*test), crash.clone())
        };
        self.seen.iter().filter(move |signature| self.was_found(signature.test)).map(of)
    }

    /// Whether a test was found to lose a race.
    fn was_found(&self, test: TestIndex) -> bool {
        self.found.iter().any(|finding| finding.test == Some(test) || finding.also.contains(&test))
    }

    /// What the user should know besides.
    pub fn remarks(&self) -> Vec<String> {
        let unclaimed = |failures: &BTreeMap<Signature, u32>| {
            failures.keys().filter(|signature| !self.was_found(signature.test)).count()
        };
        let some = |number: usize, one: &str, more: &str| match number {
            0 => None,
            1 => Some(one.to_owned()),
            number => Some(format!("{number} {more}")),
        };
        [
            some(
                self.unraced,
                "1 pair of tests in conflict was not raced to the end for want of time",
                "pairs of tests in conflict were not raced to the end for want of time",
            ),
            some(
                unclaimed(&self.held),
                "1 failure only showed while jostle held a worker back for longer than the suite waits: no race",
                "failures only showed while jostle held a worker back for longer than the suite waits: no race",
            ),
            some(
                unclaimed(&self.unsteady),
                "1 failure of tests in conflict showed at times only under its schedule: no claim is made",
                "failures of tests in conflict showed at times only under their schedules: no claim is made",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Counts one more failure; tells how many there are.
fn count(failures: &mut BTreeMap<Signature, u32>, signature: &Signature) -> u32 {
    let times = failures.entry(signature.clone()).or_default();
    *times += 1;
    *times
}
