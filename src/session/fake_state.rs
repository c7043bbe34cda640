//! A suite whose tests leave places of shared state changed, for the engine without processes.

#![cfg(test)]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::plan::WorkerId;
use crate::session::fake_engine::name;
use crate::state::{Changed, Followed, Instructions, Left, Place};
use crate::suite::TestIndex;
use crate::trial::{Execution, Outcome};

/// A suite whose tests leave places of shared state changed, and fail by these.
#[derive(Clone, Copy)]
pub(crate) struct State {
    /// The places that a test leaves changed, or (`false`) as they were at first. One whose name starts with `hidden`
    /// is not told, one that starts with `fixed` cannot be put back.
    pub(crate) writes: fn(char) -> &'static [(&'static str, bool)],
    /// What becomes of a test where these places are changed; `WATCHED` is one of them where instructions are followed,
    /// and `FORKED` in a fork.
    pub(crate) becomes: fn(char, &BTreeSet<&'static str>) -> Outcome,
}

/// What is changed for a test whose process is watched, and for one whose process is a fork.
pub(crate) const WATCHED: &str = "(watched)";
pub(crate) const FORKED: &str = "(forked)";

impl State {
    /// Runs a list, and does and tells what the harness does by its instructions.
    pub(crate) fn run(
        self,
        worker: WorkerId,
        list: &[TestIndex],
        forked: bool,
        instructions: Option<&Instructions>,
    ) -> (Vec<Execution>, Option<Changed>) {
        let marks = instructions.map(|_| WATCHED).into_iter().chain(forked.then_some(FORKED));
        let mut dirty: BTreeSet<&'static str> = marks.collect();
        let (mut executions, mut process, mut told) = (Vec::new(), 0, None);
        let mut followed = Vec::new();
        for (position, &test) in list.iter().enumerate() {
            let last = position + 1 == list.len();
            let at_last = instructions.filter(|instructions| last && instructions.follow.is_none());
            if let Some(instructions) = at_last {
                told = Some(put_back(&mut dirty, &instructions.restore));
            }
            let outcome = (self.becomes)(name(test), &dirty);
            let lost = matches!(outcome, Outcome::Crashed { .. } | Outcome::Timeout { .. });
            executions.push(Execution { worker, process, test, outcome, duration: Duration::ZERO });
            let before = dirty.clone();
            for &(place, changed) in (self.writes)(name(test)) {
                _ = if changed { dirty.insert(place) } else { dirty.remove(place) };
            }
            if let Some((place, instructions)) =
                instructions.and_then(|instructions| Some((instructions.follow.as_deref()?, instructions)))
            {
                let writes = (self.writes)(name(test)).iter().any(|&(of, changed)| of == place && changed);
                let moved = writes || before.contains(place) != dirty.contains(place);
                followed.push(Followed { position: position as u32, moved, changed: dirty.contains(place) });
                dirty.retain(|dirty| !instructions.restore.iter().any(|restored| restored == dirty));
            }
            if lost {
                dirty.clear();
                process += 1;
            }
        }
        if instructions.is_some_and(|instructions| instructions.left) {
            told = Some(Changed { left: self.left(list), ..Changed::default() });
        }
        if !followed.is_empty() {
            told = Some(Changed { followed, ..Changed::default() });
        }
        (executions, told)
    }
}

impl State {
    /// What is told of each test that leaves something.
    fn left(self, list: &[TestIndex]) -> Vec<Left> {
        let left = |(position, &test): (u32, &TestIndex)| {
            let writes = (self.writes)(name(test)).iter().filter(|(_, changed)| *changed);
            let places: Vec<Place> = writes.map(|(name, _)| place(name)).collect();
            (!places.is_empty()).then_some(Left {
                position: Some(position),
                fixture: None,
                file: None,
                line: None,
                places,
                settled: Vec::new(),
                first_use: Vec::new(),
                written: Vec::new(),
            })
        };
        (0..).zip(list).filter_map(left).collect()
    }
}

/// Puts places back, as far as that can be done.
fn put_back(dirty: &mut BTreeSet<&'static str>, restore: &[String]) -> Changed {
    let told = dirty.iter().filter(|name| !name.starts_with('(') && !name.starts_with("hidden"));
    let places: Vec<Place> = told.map(|name| place(name)).collect();
    let known = |name: &String| places.iter().any(|place| place.name == *name && place.restorable);
    let failed: Vec<String> = restore.iter().filter(|name| !known(name)).cloned().collect();
    dirty.retain(|name| !restore.iter().any(|restored| restored == name && known(restored)));
    Changed { places, failed, ..Changed::default() }
}

fn place(name: &str) -> Place {
    Place { restorable: !name.starts_with("fixed"), ..Place::example(name) }
}
