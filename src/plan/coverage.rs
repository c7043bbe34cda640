//! How much of what could be tried a session has tried.

use serde::{Deserialize, Serialize};

use crate::plan::{Mode, Plan};
use crate::suite::{Suite, TestIndex};

/// Pairs are counted among at most this many tests, for each of four bits a pair: 32 MiB in all.
const MOST: usize = 8192;

/// The share of pairs of different tests that were tried, each from 0 to 1. An order of two tests that the
/// suite's plugins do not admit is not counted among those that could be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Ordered pairs (a, b) where a ran before b in one worker.
    pub ordered: f64,
    /// Ordered pairs (a, b) where b ran directly after a in one worker.
    pub adjacent: f64,
    /// Unordered pairs that ran on the same worker of a trial with several workers.
    pub same_worker: f64,
    /// Unordered pairs that ran on different workers of one trial.
    pub cross_worker: f64,
    /// Among how many tests the pairs were counted: all of them, or the first 8,192 in canonical
    /// order of a larger suite.
    pub tests: usize,
}

/// A square table of bits.
struct Pairs {
    size: usize,
    words: Vec<u64>,
}

impl Pairs {
    fn new(size: usize) -> Self {
        Self { size, words: vec![0; size * size.div_ceil(64)] }
    }

    fn row(&mut self, row: usize) -> &mut [u64] {
        let width = self.size.div_ceil(64);
        &mut self.words[row * width..(row + 1) * width]
    }

    fn include(&mut self, row: usize, columns: &[u64]) {
        for (word, more) in self.row(row).iter_mut().zip(columns) {
            *word |= more;
        }
    }

    /// The share of all ordered pairs, of which so many cannot be.
    fn share(&self, excluded: usize) -> f64 {
        let width = self.size.div_ceil(64);
        let on_diagonal =
            (0..self.size).filter(|&i| self.words[i * width + i / 64] >> (i % 64) & 1 == 1).count() as u64;
        let set: u64 = self.words.iter().map(|word| u64::from(word.count_ones())).sum();
        let possible = (self.size * self.size.saturating_sub(1) - excluded) as f64;
        // Suite order may hold a pair that is not admitted otherwise.
        if possible == 0.0 { 1.0 } else { ((set - on_diagonal) as f64 / possible).min(1.0) }
    }
}

/// The account of what was covered.
pub struct Coverage {
    ordered: Pairs,
    adjacent: Pairs,
    same_worker: Pairs,
    cross_worker: Pairs,
    /// Ordered pairs of tests that the suite's plugins never run so.
    excluded: usize,
}

fn set(bits: &mut [u64], at: usize) {
    bits[at / 64] |= 1 << (at % 64);
}

impl Coverage {
    /// An empty account for a suite.
    pub fn new(suite: &Suite) -> Self {
        let size = suite.tests.len().min(MOST);
        let pairs = || Pairs::new(size);
        Self {
            ordered: pairs(),
            adjacent: pairs(),
            same_worker: pairs(),
            cross_worker: pairs(),
            excluded: excluded(suite, size),
        }
    }

    /// Counts a plan in as tried.
    pub fn add(&mut self, plan: &Plan) {
        let words = self.ordered.size.div_ceil(64);
        let mut everyone = vec![0; words];
        let lists: Vec<Vec<usize>> = plan.workers.iter().map(|list| self.counted(list)).collect();
        let members: Vec<Vec<u64>> = lists.iter().map(|list| bits(list, words)).collect();
        for member in &members {
            everyone.iter_mut().zip(member).for_each(|(all, some)| *all |= some);
        }
        for (list, member) in lists.iter().zip(&members) {
            let mut after = vec![0; words];
            for (place, &test) in list.iter().enumerate().rev() {
                self.ordered.include(test, &after);
                if let Some(&next) = list.get(place + 1) {
                    set(self.adjacent.row(test), next);
                }
                set(&mut after, test);
                if plan.mode != Mode::No {
                    self.same_worker.include(test, member);
                    let others: Vec<u64> = everyone.iter().zip(member).map(|(all, own)| all & !own).collect();
                    self.cross_worker.include(test, &others);
                }
            }
        }
    }

    fn counted(&self, list: &[TestIndex]) -> Vec<usize> {
        list.iter().map(|test| test.get()).filter(|&test| test < self.ordered.size).collect()
    }

    /// The shares so far.
    pub fn shares(&self) -> Shares {
        Shares {
            ordered: self.ordered.share(self.excluded),
            adjacent: self.adjacent.share(self.excluded),
            same_worker: self.same_worker.share(0),
            cross_worker: self.cross_worker.share(0),
            tests: self.ordered.size,
        }
    }
}

/// How many ordered pairs of the first tests are never run so, as the other order is imposed.
fn excluded(suite: &Suite, size: usize) -> usize {
    if !suite.is_sorted() {
        return 0;
    }
    let tests = || (0..size as u32).map(TestIndex);
    tests().map(|first| suite.imposed_after(first).iter().filter(|test| test.get() < size).count()).sum()
}

fn bits(list: &[usize], words: usize) -> Vec<u64> {
    let mut bits = vec![0; words];
    list.iter().for_each(|&test| set(&mut bits, test));
    bits
}
