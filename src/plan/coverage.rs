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

/// The pairs of tests that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PairSort {
    /// One ran before the other in one worker.
    Ordered,
    /// One ran directly after the other in one worker.
    Adjacent,
    /// They ran on different workers of one trial.
    CrossWorker,
}

/// The shares of pairs that were tried, scaled down: one for each square of neighbouring tests.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeatMap {
    /// Row by row: of the pairs of a test of the row with one of the column, the share that was tried; nothing where
    /// there are none.
    pub(crate) cells: Vec<Vec<Option<f64>>>,
    /// How many tests stand in each row and column, but for the last ones.
    pub(crate) tests_each: usize,
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

    /// How many columns of a range are set in a row; the ends of the range are places of bits.
    fn count(&self, row: usize, from: usize, to: usize) -> usize {
        let width = self.size.div_ceil(64);
        let words = &self.words[row * width..(row + 1) * width];
        let ones = |word: usize| {
            let (low, high) = (from.max(word * 64) - word * 64, to.min((word + 1) * 64) - word * 64);
            let below = |bits: usize| if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
            (words[word] & below(high) & !below(low)).count_ones() as usize
        };
        (from / 64..to.div_ceil(64)).map(ones).sum()
    }

    fn heat_map(&self, most: usize) -> HeatMap {
        let tests_each = self.size.div_ceil(most.max(1)).max(1);
        let range = |at: usize| at * tests_each..((at + 1) * tests_each).min(self.size);
        let side = self.size.div_ceil(tests_each);
        let cell = |row: usize, column: usize| {
            let (rows, columns) = (range(row), range(column));
            let on_diagonal = if row == column { rows.len() } else { 0 };
            let possible = rows.len() * columns.len() - on_diagonal;
            let is_set = |&test: &usize| self.count(test, test, test + 1) == 1;
            let itself = if row == column { rows.clone().filter(is_set).count() } else { 0 };
            let tried: usize = rows.map(|test| self.count(test, columns.start, columns.end)).sum();
            (possible > 0).then(|| (tried - itself) as f64 / possible as f64)
        };
        HeatMap {
            cells: (0..side).map(|row| (0..side).map(|column| cell(row, column)).collect()).collect(),
            tests_each,
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

    /// The shares so far for squares of tests, at most so many in a row.
    pub(crate) fn heat_map(&self, sort: PairSort, most: usize) -> HeatMap {
        match sort {
            PairSort::Ordered => &self.ordered,
            PairSort::Adjacent => &self.adjacent,
            PairSort::CrossWorker => &self.cross_worker,
        }
        .heat_map(most)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_heat_map_adds_up_to_the_share(
            size in 1_usize..200,
            most in 1_usize..40,
            set in prop::collection::vec((0_usize..200, 0_usize..200), 0..400),
        ) {
            let mut pairs = Pairs::new(size);
            for (row, column) in set {
                super::set(pairs.row(row % size), column % size);
            }
            let HeatMap { cells, tests_each } = pairs.heat_map(most);
            prop_assert!(cells.len() <= most && cells.len() * tests_each >= size);
            let tests = |at: usize| ((at + 1) * tests_each).min(size) - at * tests_each;
            let tried: f64 = cells.iter().enumerate().flat_map(|(row, cells)| {
                cells.iter().enumerate().map(move |(column, share)| {
                    let itself = if row == column { tests(row) } else { 0 };
                    share.unwrap_or(0.0) * (tests(row) * tests(column) - itself) as f64
                })
            }).sum();
            let possible = (size * (size - 1)) as f64;
            prop_assert!(possible == 0.0 || (tried / possible - pairs.share(0)).abs() < 1e-9);
        }
    }
}
