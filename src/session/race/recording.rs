//! The recording run: what each test touches outside of its process, and so which tests are in conflict.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::finding::Origin;
use crate::limits::RECORDING_FACTOR;
use crate::plan::{Mode, OrderKind, Plan, Seed};
use crate::race::Touched;
use crate::race::conflicts::{Conflict, beyond_python, conflicts};
use crate::run::RunError;
use crate::session::event::About;
use crate::session::lab::Lab;
use crate::session::stress::baseline;
use crate::session::stress::sample::fitting;
use crate::suite::TestIndex;

/// The recorded plans: suite order, and backwards. What a process makes once, like a cached connection, is
/// the first test's in each, so that it has two tests to be in conflict. Each is one worker of xdist's: what
/// workers keep apart by their names is then seen to be apart.
pub(crate) fn plans(lab: &Lab<'_>, seed: Seed, hash_seed: u32) -> [Plan; 2] {
    let suite_order = baseline::suite_order(lab.suite, seed, hash_seed).without(lab.account().left_out());
    let suite_order = Plan { mode: Mode::Load, ..suite_order };
    let mut backwards = suite_order.workers.clone();
    backwards.iter_mut().for_each(|list| list.reverse());
    let reversed = Plan { order: OrderKind::Reversed, workers: backwards, ..suite_order.clone() };
    [suite_order, reversed]
}

/// What recording has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recording {
    /// The conflicts.
    pub(crate) conflicts: Vec<Conflict>,
    /// Whether tests do what only system calls tell of; else races need not look at these.
    pub(crate) system_calls: bool,
    /// All that was recorded.
    pub(crate) touched: Vec<Touched>,
}

/// Records, and finds the conflicts: of all tests, or, where they are said to take longer than `most`, of some from all over
/// the suite, which is told.
///
/// # Errors
/// Those of the engine.
pub(crate) fn record(
    lab: &mut Lab<'_>,
    seed: Seed,
    hash_seed: u32,
    most: Option<Duration>,
) -> Result<Recording, RunError> {
    let mut touched = Vec::new();
    let plans = plans(lab, seed, hash_seed);
    let all = &plans[0].workers[0];
    let takes = |list: &[TestIndex]| lab.forecast_of(list) * RECORDING_FACTOR;
    let recorded = most.map_or_else(|| all.clone(), |most| fitting(all, takes, most));
    if let Some(remark) = not_all_recorded(recorded.len(), all.len()) {
        lab.remark(About::Session, &remark);
    }
    if recorded.is_empty() {
        return Ok(Recording::default());
    }
    let recorded: BTreeSet<TestIndex> = recorded.into_iter().collect();
    let others: BTreeSet<TestIndex> = all.iter().copied().filter(|test| !recorded.contains(test)).collect();
    let trials = plans.map(|plan| (Origin::Recording, plan.without(&others)));
    lab.trials(&trials, &mut |_, _, trial| {
        touched.extend(trial.touched);
        ControlFlow::Continue(())
    })?;
    Ok(Recording { conflicts: conflicts(&touched), system_calls: beyond_python(&touched), touched })
}

/// What is said where some tests were recorded and others not.
fn not_all_recorded(recorded: usize, of: usize) -> Option<String> {
    (recorded < of).then(|| {
        format!(
            "there was no time to record what every test touches, so that those in conflict are raced: {recorded} of {of} \
             were recorded"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_that_were_not_recorded_are_told_of() {
        assert_eq!(not_all_recorded(9, 9), None);
        let said = not_all_recorded(3, 9).unwrap();
        assert!(said.starts_with("there was no time to record what every test touches"), "{said}");
        assert!(said.ends_with(": 3 of 9 were recorded"), "{said}");
    }
}
