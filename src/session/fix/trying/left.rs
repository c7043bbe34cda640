//! The tests that a patch changes are run in the patched copy, and are to leave a place as they found it.

use crate::judge::patched::{Said, all_harms, look, new_harms};
use crate::leaks::{Owner, owner};
use crate::plan::Plan;
use crate::session::fix::trying::{Attempt, End, doubt, harm};
use crate::state::Changed;

/// A place that is left changed, and that a patch is to keep as it was.
#[derive(Clone, Debug)]
pub(crate) struct KeptPlace {
    /// Its name.
    pub(crate) name: String,
    /// Those who leave it whom the patch changes.
    pub(crate) owners: Vec<Owner>,
    /// Runs them.
    pub(crate) plan: Plan,
}

impl KeptPlace {
    /// Whether one of them was told to have left it.
    fn is_left(&self, changed: &Changed) -> bool {
        let list = self.plan.workers.first().map_or(&[][..], Vec::as_slice);
        changed.left.iter().any(|told| {
            let is_theirs =
                || owner(told, list).is_some_and(|found| self.owners.iter().any(|own| own.is_same(&found)));
            told.places.iter().any(|place| place.name == self.name) && is_theirs()
        })
    }
}

impl Attempt<'_, '_, '_, '_> {
    /// Nobody whom the patch changes leaves the place changed, and each does so well as without the patch, where one of
    /// them leaves it.
    pub(super) fn keeps(&mut self, left: &KeptPlace) -> Result<(), End> {
        let (with, changed) = self.patched.left(self.lab.suite, &left.plan)?;
        if let Said::NothingOf(test) = look(&left.plan, self.test, &with) {
            self.collects_the_same(left.plan.hash_seed)?;
            return Err(self.not_run(test));
        }
        if left.is_left(&changed) {
            return Err(doubt("did not keep the place, which is left changed all the same"));
        }
        let (without, changed) = self.control.left(self.lab, &left.plan)?;
        if !left.is_left(&changed) {
            return Err(doubt(
                "could not be seen to keep the place, which is not left changed in a copy of the project",
            ));
        }
        let new = new_harms(&left.plan, &all_harms(&with), &without).map_err(|test| self.not_run(test))?;
        match new.first() {
            None => Ok(()),
            Some(new) => Err(harm(self.says(*new))),
        }
    }
}
