//! Tries tests after those that leave what they name, each pair once for all the places that it is about.

use std::collections::{BTreeMap, BTreeSet};

use super::{Asked, Search};
use crate::leaks::Leak;
use crate::limits::{LEAK_READERS, LEAK_TRIED};
use crate::run::RunError;
use crate::session::leaks::Work;
use crate::state::Instructions;
use crate::suite::TestIndex;
use crate::trial::{Outcome, Trial};

/// A test that leaves places, and one that is tried after it.
type Pair = (TestIndex, TestIndex);

/// Pairs, each once, with all the leaks that it is given for: the first [`LEAK_TRIED`].
fn paired(given: impl IntoIterator<Item = (usize, Pair)>) -> Vec<(Pair, Vec<usize>)> {
    let mut pairs: Vec<(Pair, Vec<usize>)> = Vec::new();
    let mut known: BTreeMap<Pair, usize> = BTreeMap::new();
    for (leak, pair) in given {
        if !known.contains_key(&pair) && pairs.len() < LEAK_TRIED {
            known.insert(pair, pairs.len());
            pairs.push((pair, Vec::new()));
        }
        let Some((_, leaks)) = known.get(&pair).map(|&at| &mut pairs[at]) else { continue };
        if !leaks.contains(&leak) {
            leaks.push(leak);
        }
    }
    pairs
}

/// Which leaks are put back between which pairs: the first of each pair before the second of any, [`LEAK_TRIED`] in all.
fn put_back(pairs: Vec<(Pair, Vec<usize>)>) -> Vec<(usize, Pair)> {
    let ranked = pairs
        .into_iter()
        .flat_map(|(pair, leaks)| leaks.into_iter().enumerate().map(move |(rank, leak)| (rank, leak, pair)));
    let mut ranked: Vec<_> = ranked.collect();
    ranked.sort_by_key(|(rank, ..)| *rank);
    ranked.into_iter().map(|(_, leak, pair)| (leak, pair)).take(LEAK_TRIED).collect()
}

impl Search<'_> {
    /// The pairs that are tried, with the leaks that each is about: of each leak the first test that leaves it, with those that
    /// name it.
    fn tried(&self) -> Vec<(Pair, Vec<usize>)> {
        let of_leak = |(at, leak): (usize, &Leak)| {
            let test = leak.test().filter(|_| !leak.settled);
            let pairs = leak.readers.iter().filter_map(move |&reader| Some((test?, reader)));
            let admitted = pairs.filter(|(owner, reader)| self.suite.admits(&[*owner, *reader]));
            admitted.take(LEAK_READERS).map(|pair| (at, pair)).collect::<Vec<_>>()
        };
        paired(self.found.leaks.iter().enumerate().flat_map(of_leak).chain(self.by_suspicion()))
    }

    /// The leaks, each with a test that leaves it and one that was seen to fail after that, for whatever it was.
    fn by_suspicion(&self) -> impl Iterator<Item = (usize, Pair)> {
        let unsettled = self.found.leaks.iter().enumerate().filter(|(_, leak)| !leak.settled);
        unsettled.flat_map(move |(at, leak)| {
            let after = move |(victim, before): &(TestIndex, BTreeSet<TestIndex>)| {
                let owner = leak.tests().find(|test| before.contains(test))?;
                self.suite.admits(&[owner, *victim]).then_some((at, (owner, *victim)))
            };
            self.suspected.iter().filter_map(after)
        })
    }

    /// Tries the tests that name a place: a victim fails after the test that leaves it, and neither alone nor with the
    /// place put back.
    pub(super) fn victims(&mut self) -> Result<(), RunError> {
        let tried = self.tried();
        let after: Vec<Asked> =
            tried.iter().map(|&((owner, reader), _)| self.plain(&[owner, reader])).collect();
        let seen = self.all(Work::Try, &after)?;
        let failed = tried.into_iter().zip(seen).filter(|(_, (trial, _))| last_failed(trial));
        let put_back = put_back(failed.map(|(tried, _)| tried).collect());
        let readers: BTreeSet<TestIndex> = put_back.iter().map(|(_, (_, reader))| *reader).collect();
        let alone = readers.iter().map(|&reader| self.plain(&[reader]));
        let without = put_back.iter().map(|&(at, (owner, reader))| {
            let restore = vec![self.found.leaks[at].place.clone()];
            let instructions = Some(Instructions { restore, ..Instructions::default() });
            Asked { instructions, ..self.plain(&[owner, reader]) }
        });
        let asked: Vec<Asked> = alone.chain(without).collect();
        let mut seen = self.all(Work::Try, &asked)?.into_iter();
        let passing: BTreeSet<TestIndex> = readers
            .into_iter()
            .zip(seen.by_ref())
            .filter(|(_, (trial, _))| last_passed(trial))
            .map(|(reader, _)| reader)
            .collect();
        for ((at, (_, reader)), (trial, changed)) in put_back.into_iter().zip(seen) {
            if passing.contains(&reader) && last_passed(&trial) && changed.failed.is_empty() {
                let victims = &mut self.found.leaks[at].victims;
                // Two who leave the place may have been tried.
                if !victims.contains(&reader) {
                    victims.push(reader);
                }
            }
        }
        Ok(())
    }
}

fn last_failed(trial: &Trial) -> bool {
    trial.executions.last().is_some_and(|run| run.outcome.is_failure())
}

fn last_passed(trial: &Trial) -> bool {
    trial.executions.last().is_some_and(|run| run.outcome == Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(owner: u32, reader: u32) -> Pair {
        (TestIndex(owner), TestIndex(reader))
    }

    #[test]
    fn a_pair_is_tried_once_for_all_that_it_is_about() {
        let given = [(0, pair(1, 2)), (0, pair(1, 3)), (4, pair(1, 2)), (0, pair(1, 2)), (5, pair(2, 1))];
        let expected = [(pair(1, 2), vec![0, 4]), (pair(1, 3), vec![0]), (pair(2, 1), vec![5])];
        assert_eq!(paired(given), expected);
    }

    #[test]
    fn no_more_pairs_are_tried_than_may_be_and_those_are_for_all_their_leaks() {
        let most = LEAK_TRIED as u32;
        let given = (0..most + 5).map(|test| (test as usize, pair(test, 0)));
        let pairs = paired(given.chain([(7777, pair(3, 0)), (8888, pair(most + 1, 0))]));
        assert_eq!(pairs.len(), LEAK_TRIED);
        assert_eq!(pairs[3].1, [3, 7777]);
        assert!(pairs.iter().all(|(_, leaks)| !leaks.contains(&8888)));
    }

    #[test]
    fn of_each_pair_a_place_is_put_back_however_many_another_is_about() {
        let all: Vec<usize> = (0..LEAK_TRIED + 9).collect();
        let put_back = put_back(vec![(pair(1, 2), all), (pair(3, 4), vec![5, 6])]);
        assert_eq!(put_back.len(), LEAK_TRIED);
        assert_eq!(put_back[..4], [(0, pair(1, 2)), (5, pair(3, 4)), (1, pair(1, 2)), (6, pair(3, 4))]);
    }
}
