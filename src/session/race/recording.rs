//! The recording run: what each test touches outside of its process, and so which tests are in conflict.

use std::ops::ControlFlow;

use crate::finding::Origin;
use crate::plan::{Mode, OrderKind, Plan, Seed};
use crate::race::conflicts::{Conflict, beyond_python, conflicts};
use crate::run::RunError;
use crate::session::lab::Lab;
use crate::session::stress::baseline;

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
}

/// Records, and finds the conflicts.
///
/// # Errors
/// Those of the engine.
pub(crate) fn record(lab: &mut Lab<'_>, seed: Seed, hash_seed: u32) -> Result<Recording, RunError> {
    let mut touched = Vec::new();
    let trials = plans(lab, seed, hash_seed).map(|plan| (Origin::Recording, plan));
    lab.trials(&trials, &mut |_, _, trial| {
        touched.extend(trial.touched);
        ControlFlow::Continue(())
    })?;
    Ok(Recording { conflicts: conflicts(&touched), system_calls: beyond_python(&touched) })
}
