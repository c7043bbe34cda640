//! The race phase of a session: pairs of tests in conflict take turns, a few schedules each, so that where
//! time is short every pair has had its most promising ones.

mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::finding::{Finding, Origin};
use crate::judge::Signature;
use crate::judge::signature::FailureLocation;
use crate::limits::{HELD_FAILURES, RACED_PAIRS, TURN_SCHEDULES, UNSTEADY_FAILURES};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::event::Event;
use crate::session::lab::Lab;
use crate::session::race::gathering::{self, Loser, gather};
use crate::session::race::pairs::{Judged, Races, fresh_suspects, judge, seems_no_race};
use crate::session::race::waiting::Waits;
use crate::session::suspect::Suspect;
use crate::suite::{Fixture, TestIndex};
use crate::trial::Trial;

/// How far racing goes.
pub(crate) struct Bounds {
    /// How many schedules are tried in all.
    pub(crate) schedules: u64,
    /// Whether others are drawn once those that the calls suggest have been tried.
    pub(crate) draw: bool,
    /// For how long, the time for looking into failures not counted.
    pub(crate) time: Option<Duration>,
    /// Whether one race is enough.
    pub(crate) first_only: bool,
    /// The only test whose failures matter.
    pub(crate) victim: Option<TestIndex>,
}

/// What racing has shown so far.
pub(crate) struct Racing {
    pub(super) bounds: Bounds,
    left: u64,
    end: Option<Instant>,
    /// Failures that are known, or were judged.
    pub(super) seen: BTreeSet<Signature>,
    /// How often failures only showed while a worker was held, or late.
    pub(super) held: BTreeMap<Signature, u32>,
    /// Where tests waited for a worker that was overtaken.
    pub(super) waits: Waits,
    /// What takes a longer delay than counts, as remarks.
    pub(super) long: Vec<String>,
    /// Plans in which a test waited that were not run with a delay.
    pub(super) undelayed: usize,
    /// How often one and the same schedule showed them at times only.
    unsteady: BTreeMap<Signature, u32>,
    /// The races, each of another pair.
    pub(crate) found: Vec<Finding>,
    /// Further ways in which fixtures that were found to lose fail, whichever test they are set up for.
    other_ways: BTreeSet<(Fixture, FailureLocation)>,
    /// Failures that were seen and not looked into, for want of time or since the session ended.
    pub(crate) cut_short: Vec<Suspect>,
    /// Pairs whose schedules were not all tried.
    unraced: usize,
    /// Whether there were more pairs than those.
    more: bool,
    /// How many tests were not tried in the place of one that was found to lose.
    pub(super) ungathered: usize,
}

/// A pair that is raced.
struct Racer {
    pair: usize,
    round: u64,
    plans: Vec<Plan>,
    undisturbed: Vec<(Plan, Trial)>,
    next: usize,
    found: Option<usize>,
    /// Whether each of its tests was found to lose.
    both: bool,
}

impl Racer {
    fn new(lab: &mut Lab<'_>, races: &Races, pair: usize) -> Result<Self, RunError> {
        let undisturbed = races.undisturbed(lab, pair)?;
        let plans = races.plans(pair, 0, &undisturbed);
        Ok(Self { pair, round: 0, plans, undisturbed, next: 0, found: None, both: false })
    }

    /// A pair that there is nothing to try of.
    fn idle(pair: usize) -> Self {
        let (plans, undisturbed) = (Vec::new(), Vec::new());
        Self { pair, round: 0, plans, undisturbed, next: 0, found: None, both: false }
    }

    fn is_done(&self) -> bool {
        self.both || self.next >= self.plans.len()
    }

    /// Draws further schedules; tells whether there are some.
    fn draws(&mut self, races: &Races) -> bool {
        if self.found.is_some() {
            return false;
        }
        self.round += 1;
        self.plans.extend(races.plans(self.pair, self.round, &self.undisturbed));
        !self.is_done()
    }
}

impl Racing {
    /// Races so far. Failures that are known already are nothing new.
    pub(crate) fn new(bounds: Bounds, known: impl Iterator<Item = Signature>) -> Self {
        Self {
            left: bounds.schedules,
            end: bounds.time.map(|time| Instant::now() + time),
            bounds,
            seen: known.collect(),
            held: BTreeMap::new(),
            waits: Waits::default(),
            long: Vec::new(),
            undelayed: 0,
            unsteady: BTreeMap::new(),
            found: Vec::new(),
            other_ways: BTreeSet::new(),
            cut_short: Vec::new(),
            unraced: 0,
            more: false,
            ungathered: 0,
        }
    }

    /// How many schedules were tried.
    pub(crate) fn tried(&self) -> u64 {
        self.bounds.schedules - self.left
    }

    fn is_over(&self, lab: &Lab<'_>) -> bool {
        self.left == 0 || self.is_late(lab) || self.bounds.first_only && !self.found.is_empty()
    }

    pub(super) fn is_late(&self, lab: &Lab<'_>) -> bool {
        self.end.is_some_and(|end| Instant::now() > end) || lab.out_of_time()
    }

    /// Races all pairs, as far as the bounds allow, and then delays those that others waited for.
    ///
    /// # Errors
    /// Those of the engine; what was found before stays.
    pub(crate) fn run(&mut self, lab: &mut Lab<'_>, races: &Races) -> Result<(), RunError> {
        self.more = races.more;
        let mut racers: Vec<Racer> = Vec::new();
        self.race(lab, races, &mut racers)?;
        let found: Vec<bool> = racers.iter().map(|racer| racer.found.is_some()).collect();
        self.delay(lab, races, &found)
    }

    fn race(&mut self, lab: &mut Lab<'_>, races: &Races, racers: &mut Vec<Racer>) -> Result<(), RunError> {
        loop {
            for pair in 0..races.pairs.len() {
                if self.is_over(lab) {
                    self.unraced = self.unraced(races, racers);
                    return Ok(());
                }
                if racers.len() == pair {
                    let settled = self.is_settled(races, racers, pair);
                    racers.push(if settled { Racer::idle(pair) } else { Racer::new(lab, races, pair)? });
                } else if racers[pair].found.is_none() && self.is_settled(races, racers, pair) {
                    racers[pair] = Racer::idle(pair);
                }
                lab.tell(&Event::Racing { left: self.to_try(races, racers) });
                self.turn(lab, races, &mut racers[pair])?;
            }
            let mut goes_on = racers.iter().any(|racer| !racer.is_done());
            if !goes_on && self.bounds.draw && self.left > 0 {
                for racer in racers.iter_mut() {
                    goes_on |= racer.draws(races);
                }
            }
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// About how many schedules are left to be tried.
    fn to_try(&self, races: &Races, racers: &[Racer]) -> u64 {
        let known: usize = racers.iter().map(|racer| racer.plans.len()).sum();
        let left: usize = racers
            .iter()
            .filter(|racer| !racer.is_done())
            .map(|racer| racer.plans.len().saturating_sub(racer.next.max(racer.undisturbed.len())))
            .sum();
        let to_come = races.pairs.len().saturating_sub(racers.len());
        ((left + to_come * known / racers.len().max(1)) as u64).min(self.left)
    }

    /// How many pairs are still to be raced, of which nothing is known.
    fn unraced(&self, races: &Races, racers: &[Racer]) -> usize {
        let is_open = |pair: &usize| match racers.get(*pair) {
            Some(racer) => racer.found.is_none() && racer.round == 0 && !racer.is_done(),
            None => true,
        };
        (0..races.pairs.len()).filter(is_open).filter(|&pair| !self.is_settled(races, racers, pair)).count()
    }

    /// Whether a pair reaches what it shares by the same lines as one that was found to race, so that its race is
    /// known: in a fixture, which says the same of all tests that use it, or as its tests were shown to lose as
    /// those of that one do.
    fn is_settled(&self, races: &Races, racers: &[Racer], pair: usize) -> bool {
        let raced = &races.pairs[pair];
        let like = |racer: &&Racer| racer.pair != pair && races.pairs[racer.pair].like == raced.like;
        racers.iter().filter(like).any(|racer| {
            let Some(found) = racer.found.map(|at| &self.found[at]) else { return false };
            let lose = |(one, other): (TestIndex, TestIndex)| {
                [one, other].into_iter().filter(|&test| is_duplicate(found, test)).count()
            };
            found.fixture().is_some() || lose(raced.tests) >= lose(races.pairs[racer.pair].tests).max(1)
        })
    }

    /// Tries the next schedules of a pair.
    fn turn(&mut self, lab: &mut Lab<'_>, races: &Races, racer: &mut Racer) -> Result<(), RunError> {
        for _ in 0..TURN_SCHEDULES {
            if racer.is_done() || self.is_over(lab) {
                return Ok(());
            }
            let plan = racer.plans[racer.next].clone();
            let trial = match racer.undisturbed.get(racer.next) {
                Some((_, trial)) => trial.clone(),
                None => lab.trial(Origin::Race(plan.index.0), &plan)?,
            };
            racer.next += 1;
            self.left -= 1;
            self.waits.add(racer.pair, &plan, &trial);
            let mut suspects =
                fresh_suspects(&plan, &trial, |signature| self.is_known(signature)).into_iter();
            while let Some(suspect) = suspects.next() {
                let start = Instant::now();
                let looked_into = self.look_into(lab, races, racer, &suspect);
                if looked_into.is_err() {
                    self.cut_short.extend(std::iter::once(suspect).chain(suspects));
                    return looked_into;
                }
                self.end = self.end.map(|end| end + start.elapsed());
            }
        }
        Ok(())
    }

    pub(super) fn is_known(&self, signature: &Signature) -> bool {
        self.seen.contains(signature) || self.bounds.victim.is_some_and(|victim| victim != signature.test)
    }

    fn look_into(
        &mut self,
        lab: &mut Lab<'_>,
        races: &Races,
        racer: &mut Racer,
        suspect: &Suspect,
    ) -> Result<(), RunError> {
        let signature = &suspect.signature;
        if let Some(at) = self.same_fixture(suspect) {
            gathering::also_loses(&mut self.found[at], signature.test);
            self.seen.insert(signature.clone());
            return Ok(());
        }
        let Some(found) = racer.found else {
            lab.tell(&Event::Investigating { test: suspect.signature.test, waiting: 0 });
            match judge(lab, suspect)? {
                Judged::Race(finding) => {
                    self.seen.insert(signature.clone());
                    racer.found = Some(self.add(races, racer.pair, *finding));
                }
                judged => self.is_no_race(&judged, suspect),
            }
            return self.gather(lab, races, racer, None);
        };
        match seems_no_race(lab, suspect)? {
            Some(judged) => self.is_no_race(&judged, suspect),
            None => return self.other_test(lab, races, racer, found, suspect),
        }
        Ok(())
    }

    /// Takes in that a test of a pair that was found to race fails under a schedule as well: it loses the same race if
    /// it does so on the same resource and in the same way, or for the same fixture in whichever way: which of two that make
    /// something at once is refused, and in which words, depends on how far the other is. Else that is looked into by itself.
    fn other_test(
        &mut self,
        lab: &mut Lab<'_>,
        races: &Races,
        racer: &mut Racer,
        found: usize,
        suspect: &Suspect,
    ) -> Result<(), RunError> {
        let signature = &suspect.signature;
        let fixture = suspect.fixture().filter(|fixture| self.found[found].fixture() == Some(fixture));
        let is_told = is_duplicate(&self.found[found], signature.test);
        if is_told && fixture.is_none() {
            self.seen.insert(signature.clone());
            return Ok(());
        }
        let known = self.found[found].signature.as_ref();
        let how = |crash: &FailureLocation| (crash.phase, crash.exception.clone());
        let alike =
            fixture.is_some() || known.is_some_and(|known| how(&known.crash) == how(&signature.crash));
        let loser = match self.found[found].trace.as_ref().filter(|_| alike) {
            Some(trace) => Loser::under(lab, suspect, trace)?,
            None => None,
        };
        if let Some(fixture) = fixture.filter(|_| is_told || loser.is_some()) {
            if loser.is_some() {
                self.other_ways.insert((fixture.clone(), signature.crash.clone()));
            }
            gathering::also_loses(&mut self.found[found], signature.test);
            self.seen.insert(signature.clone());
            let (one, two) = races.pairs[racer.pair].tests;
            racer.both = self.was_found(one) && self.was_found(two);
            return Ok(());
        }
        if loser.is_some() {
            self.seen.insert(signature.clone());
            self.found[found].also.push(signature.test);
            return self.gather(lab, races, racer, loser);
        }
        lab.tell(&Event::Investigating { test: suspect.signature.test, waiting: 0 });
        match judge(lab, suspect)? {
            Judged::Race(finding) => {
                self.seen.insert(signature.clone());
                self.add(races, racer.pair, *finding);
            }
            judged => self.is_no_race(&judged, suspect),
        }
        let (one, two) = races.pairs[racer.pair].tests;
        racer.both = self.was_found(one) && self.was_found(two);
        Ok(())
    }

    /// Keeps a race of a pair: by itself, or with one that has the same cause. Tells where.
    fn add(&mut self, races: &Races, pair: usize, mut finding: Finding) -> usize {
        if let Some(trace) = &mut finding.trace {
            trace.folder = gathering::shared_folder(&races.pairs[pair], &trace.resource);
        }
        if let Some(at) = self.found.iter().position(|known| gathering::is_of(known, &finding)) {
            gathering::join(&mut self.found[at], &finding);
            let way = finding.fixture().cloned().zip(finding.signature);
            self.other_ways.extend(way.map(|(fixture, signature)| (fixture, signature.crash)));
            return at;
        }
        self.found.push(finding);
        self.found.len() - 1
    }

    /// Looks for the other tests of a race: those that lose as the one does that was found first, or as one that
    /// was found to lose to it.
    fn gather(
        &mut self,
        lab: &mut Lab<'_>,
        races: &Races,
        racer: &mut Racer,
        other: Option<Loser>,
    ) -> Result<(), RunError> {
        let Some(finding) = racer.found.and_then(|at| self.found.get_mut(at)) else {
            return Ok(());
        };
        let loser = other.or_else(|| Loser::of(finding));
        let alone = self.bounds.first_only || finding.fixture().is_some();
        if let Some(loser) = loser.filter(|_| !alone) {
            let before = finding.also.len();
            let gathered = gather(lab, races, &loser, finding);
            self.seen.extend(gathering::signatures(&finding.also[before..], &loser));
            self.ungathered += gathered?;
        }
        let (one, two) = races.pairs[racer.pair].tests;
        racer.both = is_duplicate(finding, one) && is_duplicate(finding, two);
        Ok(())
    }

    /// The race of a fixture that fails in this way under another test: which one is charged is an
    /// accident.
    fn same_fixture(&self, suspect: &Suspect) -> Option<usize> {
        let fixture = suspect.fixture()?;
        let crash = &suspect.signature.crash;
        let otherwise = self.other_ways.contains(&(fixture.clone(), crash.clone()));
        let same = |finding: &Finding| {
            finding.fixture() == Some(fixture)
                && (otherwise || finding.signature.as_ref().is_some_and(|known| known.crash == *crash))
        };
        self.found.iter().position(same)
    }

    /// Takes in that a failure is no race under its schedule. Another one may show it better.
    fn is_no_race(&mut self, judged: &Judged, suspect: &Suspect) {
        let signature = &suspect.signature;
        if matches!(judged, Judged::Held) {
            self.waits.add_held(suspect);
        }
        let enough = match judged {
            Judged::Unsteady => count(&mut self.unsteady, signature) >= UNSTEADY_FAILURES,
            Judged::Held | Judged::Late => count(&mut self.held, signature) >= HELD_FAILURES,
            Judged::Serial | Judged::Race(_) => true,
        };
        if enough {
            self.seen.insert(signature.clone());
        }
    }

    /// The failures that the rest of the session need not look into: of a test, or of a fixture under
    /// whichever test.
    pub(crate) fn explained(&self) -> impl Iterator<Item = (Option<TestIndex>, FailureLocation)> {
        let of_fixture = |crash: &FailureLocation| {
            let same =
                |finding: &Finding| finding.signature.as_ref().is_some_and(|known| known.crash == *crash);
            self.found.iter().any(|finding| finding.fixture().is_some() && same(finding))
                || self.other_ways.iter().any(|(_, otherwise)| otherwise == crash)
        };
        let of = move |Signature { test, crash }: &Signature| {
            ((!of_fixture(crash)).then_some(*test), crash.clone())
        };
        self.seen.iter().filter(move |signature| self.was_found(signature.test)).map(of)
    }

    /// Whether a test was found to lose a race.
    pub(super) fn was_found(&self, test: TestIndex) -> bool {
        self.found.iter().any(|finding| is_duplicate(finding, test))
    }

    /// What the user should know besides.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let unclaimed = |failures: &BTreeMap<Signature, u32>| {
            failures.keys().filter(|signature| !self.was_found(signature.test)).count()
        };
        let why = if self.left == 0 { "--schedules N allows more" } else { "there was no more time" };
        let some = |number: usize, one: &str, more: &str| match number {
            0 => None,
            1 => Some(one.to_owned()),
            number => Some(format!("{number} {more}")),
        };
        [
            some(
                self.unraced,
                &format!("1 pair of tests in conflict was not raced to the end: {why}"),
                &format!("pairs of tests in conflict were not raced to the end: {why}"),
            ),
            self.more.then(|| {
                format!("more than {RACED_PAIRS} pairs of tests are in conflict: {RACED_PAIRS} were chosen to be raced")
            }),
            some(
                self.ungathered,
                "1 more test reaches what is raced on by the same lines, and was not tried",
                "more tests reach what is raced on by the same lines, and were not tried",
            ),
            some(
                self.undelayed,
                "1 more schedule under which a test waited for another worker was not tried with a delay of that",
                "more schedules under which a test waited for another worker were not tried with a delay of that",
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
        .chain(self.long.iter().cloned())
        .collect()
    }
}

/// Whether a race is one that a test was found to lose.
fn is_duplicate(finding: &Finding, test: TestIndex) -> bool {
    finding.test == Some(test) || finding.also.contains(&test)
}

/// Counts one more failure; tells how many there are.
fn count(failures: &mut BTreeMap<Signature, u32>, signature: &Signature) -> u32 {
    let times = failures.entry(signature.clone()).or_default();
    *times += 1;
    *times
}
