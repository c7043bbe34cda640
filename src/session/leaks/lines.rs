//! Has those who leave places do so again, by themselves: who does not is settled, and of who does the line is known then.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, Search};
use crate::leaks::alike::{alike, settle, tells_twice};
use crate::leaks::{Owner, owner};
use crate::limits::{LEAK_ROUNDS, LEAK_WATCHED};
use crate::run::RunError;
use crate::session::leaks::Work;
use crate::state::{Changed, Instructions, StateKind, Written};
use crate::suite::TestIndex;
use crate::trial::{Outcome, Trial};

/// Whoever leaves places, asked to do so again.
struct Again {
    /// Which of the leaks.
    at: Vec<usize>,
    owner: Owner,
    /// What is run for it: a test, once or twice.
    list: Vec<TestIndex>,
}

/// What came of that.
enum Said {
    /// It leaves the place, by this line, if that is known.
    Leaves(Option<Written>),
    DoesNot,
    /// A test did not come to its end.
    Nothing,
}

impl Again {
    fn says(&self, place: &str, kind: StateKind, trial: &Trial, changed: &Changed) -> Said {
        let mut outcomes = trial.executions.iter().map(|run| &run.outcome);
        let ended = |outcome: &Outcome| {
            !matches!(outcome, Outcome::Timeout { .. } | Outcome::Crashed { .. } | Outcome::NotRun { .. })
        };
        if !outcomes.next().is_some_and(ended) {
            return Said::Nothing;
        }
        let by = |position: u32| {
            let mut told = changed.left.iter().filter(|left| {
                owner(left, &self.list).as_ref() == Some(&self.owner)
                    && (left.position == Some(position) || matches!(self.owner, Owner::Import(_)))
            });
            told.find(|left| left.places.iter().any(|found| found.name == place))
        };
        let Some(first) = by(0) else { return Said::DoesNot };
        // Who seeds a generator leaves it in one state, and who draws from it in another each time. What else is left each
        // time, and not only the first, is no library's.
        let is_left = match outcomes.next() {
            Some(second) if kind == StateKind::Random => !ended(second) || by(1).is_none(),
            Some(Outcome::Passed) => by(1).is_some(),
            _ => true,
        };
        let written = first.places.iter().position(|found| found.name == place).and_then(|place| {
            first.written.iter().find(|(at, _)| *at as usize == place).map(|(_, written)| written.clone())
        });
        if is_left { Said::Leaves(written) } else { Said::DoesNot }
    }
}

impl Search<'_> {
    /// Has those who leave a place do so again, by themselves, and takes the line that changes it from there. Who does not is
    /// settled: what it changed, only the first use of something in the process has changed. A place that nobody leaves again is
    /// settled. Of places that are alike some are left again, which tells of the others.
    pub(super) fn confirm(&mut self) -> Result<(), RunError> {
        let groups = alike(&self.found.leaks);
        let asked: BTreeSet<usize> = groups.iter().flat_map(|group| &group.asked).copied().collect();
        let of = |at: usize| (at, self.found.leaks[at].owners.clone());
        let mut open: Vec<(usize, Vec<Owner>)> = asked.into_iter().map(of).collect();
        let mut settled: BTreeMap<usize, Vec<Owner>> = BTreeMap::new();
        for _ in 0..LEAK_ROUNDS {
            open.retain(|(at, _)| self.found.leaks[*at].owners.is_empty() || !self.again(*at).is_empty());
            let asked = self.at_once(open.iter().map(|(at, _)| *at));
            if asked.is_empty() {
                break;
            }
            let runs: Vec<_> = asked.iter().map(|again| self.run_of(again)).collect();
            let mut confirmed = BTreeSet::new();
            for (again, (trial, changed)) in asked.iter().zip(self.all(Work::Confirm, &runs)?) {
                for &at in &again.at {
                    let leak = &mut self.found.leaks[at];
                    leak.line_sought = true;
                    match again.says(&leak.place, leak.kind, &trial, &changed) {
                        Said::Leaves(written) => {
                            leak.written = leak.written.take().or(written);
                            confirmed.insert(at);
                        }
                        Said::Nothing => _ = confirmed.insert(at),
                        Said::DoesNot => {
                            leak.owners.retain(|owner| *owner != again.owner);
                            settled.entry(at).or_default().push(again.owner.clone());
                        }
                    }
                }
            }
            open.retain(|(at, _)| !confirmed.contains(at));
        }
        settled.extend(open);
        settle(&mut self.found.leaks, &groups, settled);
        Ok(())
    }

    /// Who is to leave these places again: each with as many of its places at once as are watched in one run.
    fn at_once(&self, places: impl Iterator<Item = usize>) -> Vec<Again> {
        let mut of_one: BTreeMap<(Owner, Vec<TestIndex>), Vec<usize>> = BTreeMap::new();
        for (owner, list, at) in places.flat_map(|at| self.again(at)) {
            of_one.entry((owner, list)).or_default().push(at);
        }
        let runs = of_one.iter().flat_map(|((owner, list), places)| {
            let of_run = |at: &[usize]| Again { at: at.to_vec(), owner: owner.clone(), list: list.clone() };
            places.chunks(LEAK_WATCHED).map(of_run)
        });
        runs.collect()
    }

    /// Who is to leave a place again: the first of those who do or, where a second time by itself tells more, all tests. Each
    /// with what is run for it, and the place.
    fn again(&self, at: usize) -> Vec<(Owner, Vec<TestIndex>, usize)> {
        let leak = &self.found.leaks[at];
        let of = |owner: &Owner| {
            let test = match owner {
                Owner::Test(test) => Some(*test),
                Owner::Fixture(..) => leak.set_up_for.get(owner).copied(),
                Owner::Import(file) => {
                    self.list().iter().copied().find(|&test| self.suite.test(test).file == *file)
                }
            };
            let twice = matches!(owner, Owner::Test(_)) && tells_twice(leak);
            test.map(|test| (owner.clone(), vec![test; if twice { 2 } else { 1 }], at))
        };
        let asked = if tells_twice(leak) { leak.owners.len() } else { 1 };
        leak.owners.iter().take(asked).filter_map(of).collect()
    }

    fn run_of(&self, again: &Again) -> Asked {
        let watch = again.at.iter().map(|&at| self.found.leaks[at].place.clone()).collect();
        let instructions = Some(Instructions { left: true, watch, ..Instructions::default() });
        let fresh = matches!(again.owner, Owner::Import(_));
        // What is noted before the first test is the same for all.
        Asked { instructions, fresh, shared: Some(0), ..self.plain(&again.list) }
    }
}
