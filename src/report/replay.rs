//! What the runs of a replay showed, for people.

use std::io::{self, Write};

use crate::judge::observation::FailureMatcher;
use crate::report::words;
use crate::session::replay::Replayed;
use crate::suite::Suite;

/// The runs of a replay and what they come to.
pub(crate) struct Replay<'a> {
    /// One line that says what was looked for and how often it showed.
    pub(crate) headline: String,
    /// The runs.
    pub(crate) replayed: &'a Replayed,
    /// The suite they are of.
    pub(crate) suite: &'a Suite,
    /// Whether one failure was looked for, and no other.
    wanted: bool,
}

impl<'a> Replay<'a> {
    /// Of a plan of this suite; any failure was looked for where none is wanted.
    pub(crate) fn new(replayed: &'a Replayed, suite: &'a Suite, wanted: Option<&FailureMatcher>) -> Self {
        let tally = words::tally(replayed.tally);
        let headline = match wanted {
            Some(wanted) => format!("{} failed as recorded in {tally}", words::wanted(wanted, suite)),
            None => format!("tests failed in {tally}"),
        };
        Self { headline, replayed, suite, wanted: wanted.is_some() }
    }

    /// Of the plan of another tool's log.
    pub(crate) fn of_log(replayed: &'a Replayed, suite: &'a Suite) -> Self {
        let headline =
            format!("what failed in the log failed in {} of its plan", words::tally(replayed.tally));
        Self { headline, replayed, suite, wanted: false }
    }

    /// What is to be known of the runs besides.
    pub(crate) fn notes(&self) -> Vec<String> {
        let replayed = self.replayed;
        let mut notes = Vec::new();
        if self.wanted && replayed.silent > 0 {
            let runs = words::count(replayed.silent as usize, "run");
            notes.push(format!(
                "it was skipped, expected to fail (xfail), or not run in {runs}: these tell nothing"
            ));
        }
        if let Some(error) = &replayed.ended {
            let how = if error.is_interrupt() { "interrupted" } else { "ended by an error" };
            notes.push(format!("{how}, so not all was run that was to be"));
        }
        if replayed.diverged > 0 {
            notes.push(format!(
                "{} of {} made other calls than recorded, or in another order",
                replayed.diverged,
                words::count((replayed.tally.runs + replayed.silent) as usize, "run")
            ));
        }
        notes
    }

    /// Writes the report.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.headline)?;
        self.notes().iter().try_for_each(|note| writeln!(out, "{note}"))?;
        for (suspect, runs) in &self.replayed.failures {
            let crash = &suspect.signature.crash;
            let test = &self.suite.test(suspect.signature.test).id;
            let times = words::count(*runs as usize, "time");
            writeln!(out, "  {test}  {} in {} ({times})", crash.exception, crash.function)?;
        }
        Ok(())
    }
}
