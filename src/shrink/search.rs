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
