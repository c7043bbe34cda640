//! The progress of `jostle leaks`.

use std::sync::{Arc, Mutex, PoisonError};

use super::{ProgressMode, Shown};
use crate::report::words;
use crate::session::leaks::{Step, Work};

/// What is done, and how far it is.
pub(crate) struct LeaksProgress {
    shown: Shown,
    step: Arc<Mutex<Option<Step>>>,
}

impl LeaksProgress {
    /// Before the first step.
    pub(crate) fn new(mode: ProgressMode) -> Self {
        let step = Arc::new(Mutex::new(None));
        let shown = Arc::clone(&step);
        let text = move |columns: Option<usize>| {
            let line = line(*shown.lock().unwrap_or_else(PoisonError::into_inner));
            columns.map_or_else(|| line.clone(), |columns| words::cut(&line, columns))
        };
        Self { shown: Shown::new(mode, text), step }
    }

    /// A step has come so far.
    pub(crate) fn notice(&mut self, step: Step) {
        *self.step.lock().unwrap_or_else(PoisonError::into_inner) = Some(step);
        self.shown.bar.set_message(line(Some(step)));
    }
}

/// `looking for the lines: run 3 of 60`.
fn line(step: Option<Step>) -> String {
    let Some(step) = step else { return "collecting".into() };
    let what = match step.work {
        Work::Look => "looking at what each test leaves",
        Work::UseAgain => "looking at what tests leave in a second run",
        Work::Confirm => "looking for the lines",
        Work::Read => "asking which tests name the places",
        Work::Try => "trying tests after those that leave what they name",
        Work::Fix => "trying fixes in copies of the project",
    };
    let unit = if step.work == Work::Fix { "place" } else { "run" };
    match step.of {
        1 => what.into(),
        of => format!("{what}: {unit} {} of {of}", (step.ended + 1).min(of)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_says_how_many_of_its_runs_are_left() {
        let step = |work, ended, of| line(Some(Step { work, ended, of }));
        assert_eq!(line(None), "collecting");
        assert_eq!(step(Work::Look, 0, 1), "looking at what each test leaves");
        assert_eq!(step(Work::Fix, 1, 3), "trying fixes in copies of the project: place 2 of 3");
        assert_eq!(step(Work::Confirm, 2, 60), "looking for the lines: run 3 of 60");
        assert_eq!(step(Work::Confirm, 60, 60), "looking for the lines: run 60 of 60");
    }
}
