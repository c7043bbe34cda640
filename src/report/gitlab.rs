//! What GitLab's job log shows: sections that fold. The line that follows the mark of a section's start is what is
//! left of it when it is folded.
//!
//! <https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections>

use std::io::{self, Write};

/// The sections of a report, marked with the time at which it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sections {
    /// Seconds since 1970.
    pub(crate) time: u64,
}

impl Sections {
    /// Starts a section.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn start(self, out: &mut dyn Write, number: usize, folded: bool) -> io::Result<()> {
        let folded = if folded { "[collapsed=true]" } else { "" };
        write!(out, "\x1b[0Ksection_start:{}:jostle_{number}{folded}\r\x1b[0K", self.time)
    }

    /// Ends it.
    ///
    /// # Errors
    /// Those of the writer.
    pub(crate) fn end(self, out: &mut dyn Write, number: usize) -> io::Result<()> {
        writeln!(out, "\x1b[0Ksection_end:{}:jostle_{number}\r\x1b[0K", self.time)
    }
}
