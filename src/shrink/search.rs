//! The search for culprits: which elements of a failing set are needed for it to fail.
//!
//! Block halving, after QuickXplain (Junker 2004) and ddmin (Zeller & Hildebrandt 2002), with fewer
//! questions than either where several elements are needed together. The elements are kept in blocks
//! of which each is believed to hold a culprit. The largest block is halved while the others stay
//! whole: if one half does, the other goes. If it does not, the culprit is taken to be in the other
//! half without asking; a few such deductions are verified by one question, and any failing answer
//! verifies all before it for nothing. A deduction that turns out wrong means that both halves are
//! needed: they become two blocks. Unlike plain bisection this is right for any number of culprits,
//! and unlike ddmin or rspec's bisect it spends one question a level and culprit, not up to two.
//!
//! Nothing is assumed of the predicate: if it is not monotone the answer may be larger than the
//! smallest, but it fails, and it is 1-minimal if it says so.

use crate::limits::{CAREFUL_LEVELS, DEDUCTIONS_OF_ONE, DEDUCTIONS_OF_SEVERAL};
use crate::shrink::Stopped;

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The elements that are left, ascending.
    pub kept: Vec<usize>,
    /// Whether each single removal was tried and makes the set pass.
    pub one_minimal: bool,
}

type Block = Vec<usize>;

/// A half that was taken for the one with the culprit because the other did not do.
struct Deduction {
    before: Vec<Block>,
    block: usize,
    asked: Block,
    deduced: Block,
}

struct Search<'f> {
    fails: &'f mut dyn FnMut(&[usize]) -> Result<bool, Stopped>,
    blocks: Vec<Block>,
    deductions: Vec<Deduction>,
    careful: u32,
    /// Whether any set has been seen to fail.
    seen: bool,
}

/// Searches a set that is believed to fail. `fails` is asked
/// about subsets, ascending. None if the set does not fail after all: the whole of it, the most
/// expensive question, is asked about only once nothing smaller fails.
///
/// # Errors
/// Those of `fails`.
pub(crate) fn search(
    elements: &[usize],
    known_to_fail: bool,
    fails: &mut dyn FnMut(&[usize]) -> Result<bool, Stopped>,
) -> Result<Option<Found>, Stopped> {
    let blocks = if elements.is_empty() { Vec::new() } else { vec![elements.to_vec()] };
    let mut search =
        Search { fails, blocks, deductions: Vec::new(), careful: CAREFUL_LEVELS, seen: known_to_fail };
    loop {
        while let Some(block) = search.largest() {
            if !search.halve(block)? {
                return Ok(None);
            }
        }
        if search.verify()? {
            break;
        }
    }
    let kept = union(&search.blocks);
    if !search.seen && !(search.fails)(&kept)? {
        return Ok(None);
    }
    minimise(kept, search.fails).map(Some)
}

fn union(blocks: &[Block]) -> Block {
    let mut all: Block = blocks.concat();
    all.sort_unstable();
    all
}

impl Search<'_> {
    fn largest(&self) -> Option<usize> {
        let sizes = self.blocks.iter().enumerate().map(|(index, block)| (block.len(), index));
        sizes
            .filter(|&(size, _)| size > 1)
            .max_by_key(|&(size, index)| (size, std::cmp::Reverse(index)))
            .map(|(_, index)| index)
    }

    /// Asks about half of a block with all of the others.
    fn fails_with(&mut self, block: usize, half: &Block) -> Result<bool, Stopped> {
        let mut blocks = self.blocks.clone();
        blocks[block].clone_from(half);
        (self.fails)(&union(&blocks))
    }

    /// Halves a block; tells whether the search may go on.
    fn halve(&mut self, block: usize) -> Result<bool, Stopped> {
        let middle = self.blocks[block].len() / 2;
        let (far, near) = self.blocks[block].split_at(middle);
        let (far, near) = (far.to_vec(), near.to_vec());
        if self.fails_with(block, &near)? {
            self.settle(block, near);
            return Ok(true);
        }
        if self.blocks.len() == 1 && self.careful > 0 {
            self.careful -= 1;
            if self.fails_with(block, &far)? {
                self.settle(block, far);
                return Ok(true);
            }
            self.seen = self.seen || (self.fails)(&union(&self.blocks))?;
            self.blocks.splice(block..=block, [far, near]);
            return Ok(self.seen);
        }
        let before = self.blocks.clone();
        self.blocks[block].clone_from(&far);
        self.deductions.push(Deduction { before, block, asked: near, deduced: far });
        let trust = if self.blocks.len() == 1 { DEDUCTIONS_OF_ONE } else { DEDUCTIONS_OF_SEVERAL };
        if self.deductions.len() >= trust {
            self.verify()?;
        }
        Ok(true)
    }

    fn settle(&mut self, block: usize, half: Block) {
        self.seen = true;
        self.blocks[block] = half;
        self.deductions.clear();
    }

    /// Verifies all deductions, or goes back to the first that was wrong. Tells whether all were right.
    fn verify(&mut self) -> Result<bool, Stopped> {
        if self.deductions.is_empty() || (self.fails)(&union(&self.blocks))? {
            self.deductions.clear();
            return Ok(true);
        }
        let (mut right, mut wrong) = (0, self.deductions.len());
        while wrong - right > 1 {
            let middle = right.midpoint(wrong);
            // The blocks before deduction `middle` are those after the `middle` ones before it.
            if (self.fails)(&union(&self.deductions[middle].before))? {
                right = middle;
            } else {
                wrong = middle;
            }
        }
        let Deduction { before, block, asked, deduced } = self.deductions.swap_remove(right);
        self.blocks = before;
        self.blocks.splice(block..=block, [deduced, asked]);
        self.deductions.clear();
        Ok(false)
    }
}

/// Takes single elements away until none can go.
fn minimise(
    mut kept: Block,
    fails: &mut dyn FnMut(&[usize]) -> Result<bool, Stopped>,
) -> Result<Found, Stopped> {
    let mut tried = 0;
    let mut at = 0;
    while tried < kept.len() {
        at %= kept.len();
        let mut without = kept.clone();
        without.remove(at);
        if fails(&without)? {
            kept = without;
            tried = 0;
        } else {
            tried += 1;
            at += 1;
        }
    }
    Ok(Found { kept, one_minimal: true })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// More questions than any of these searches may ask.
    const TOO_MANY: u32 = 1000;

    /// What a search finds, and how many questions it asks.
    fn ask(elements: usize, known: bool, fails: impl Fn(&[usize]) -> bool) -> (Option<Found>, u32) {
        let mut questions = 0;
        let elements: Vec<usize> = (0..elements).collect();
        let found = search(&elements, known, &mut |subset| {
            questions += 1;
            assert!(subset.is_sorted(), "{subset:?}");
            if questions > TOO_MANY { Err(Stopped) } else { Ok(fails(subset)) }
        });
        (found.expect("an end"), questions)
    }

    fn minimal(kept: &[usize]) -> Option<Found> {
        Some(Found { kept: kept.to_vec(), one_minimal: true })
    }

    #[test]
    fn what_is_known_to_fail_is_not_asked_about_and_what_is_not_may_pass() {
        assert_eq!(ask(1, false, |set| set == [0]), (minimal(&[0]), 2));
        assert_eq!(ask(1, true, |set| set == [0]), (minimal(&[0]), 1));
        assert_eq!(ask(1, false, |_| false), (None, 1));
        assert_eq!(ask(0, false, |_| true), (minimal(&[]), 1));
        assert_eq!(ask(0, true, |_| true), (minimal(&[]), 0));
        assert_eq!(ask(0, false, |_| false), (None, 1));
        assert_eq!(ask(8, false, |_| false).0, None);
        assert_eq!(ask(8, true, |_| true).0, minimal(&[]));
    }

    #[test]
    fn a_culprit_costs_a_question_a_level_and_little_more() {
        // The levels at which both halves are asked about, the end, and one deduction of each few.
        let most = 10 + CAREFUL_LEVELS + 1 + 10_u32.div_ceil(DEDUCTIONS_OF_ONE as u32);
        for culprit in [0, 1, 511, 512, 700, 1023] {
            let (found, questions) = ask(1024, false, |set| set.contains(&culprit));
            assert_eq!(found, minimal(&[culprit]));
            assert!(questions <= most, "{questions} questions for {culprit}");
        }
    }

    proptest! {
        /// Of any predicate at all, by a table: bit `b` of `fails` is the answer to the set whose bits `b` has.
        #[test]
        fn what_is_found_fails_and_each_single_removal_passes(tests in 0_usize..7, fails: u64, known: bool) {
            let answer = |set: &[usize]| fails >> set.iter().map(|&at| 1 << at).sum::<u32>() & 1 == 1;
            let all: Vec<usize> = (0..tests).collect();
            prop_assume!(!known || answer(&all));
            let (found, _) = ask(tests, known, answer);
            let Some(Found { kept, one_minimal }) = found else {
                prop_assert!(!answer(&all), "what fails is not given up");
                return Ok(());
            };
            prop_assert!(answer(&kept) && one_minimal && kept.is_sorted());
            for at in 0..kept.len() {
                let mut fewer = kept.clone();
                fewer.remove(at);
                prop_assert!(!answer(&fewer), "{kept:?} without {}", kept[at]);
            }
        }

        #[test]
        fn tests_that_are_needed_together_are_all_found(all in proptest::collection::btree_set(0_usize..200, 1..4)) {
            let (found, questions) = ask(200, false, |set| all.iter().all(|test| set.contains(test)));
            prop_assert_eq!(found, minimal(&all.iter().copied().collect::<Vec<_>>()));
            // ddmin and plain bisection ask up to two a level and culprit.
            prop_assert!(questions as usize <= [17, 35, 50][all.len() - 1], "{questions} questions for {all:?}");
        }
    }
}
