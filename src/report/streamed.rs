//! The report for people, written while the session goes on: each finding as soon as it is complete, and the rest at the
//! end. What was written is never taken back, and nothing is written twice.

use std::collections::BTreeSet;
use std::io::{self, Write};

use crate::plan::Seed;
use crate::report::gitlab::Sections;
use crate::report::progress::Aside;
use crate::report::tokens::Tokens;
use crate::report::{Manner, account, terminal};
use crate::session::event::About;
use crate::session::{Event, Reporter, SessionResult};
use crate::suite::{Suite, TestIndex};

/// A report that is written by and by.
pub(crate) struct Streamed<'a> {
    out: Box<dyn Write + 'a>,
    manner: Manner<'a>,
    /// The sections of a job's log that begin now, if it has some.
    sections: fn() -> Option<Sections>,
    /// Clears the way where progress is shown on the same screen.
    aside: Aside,
    seed: Seed,
    /// The collected suite, once it is known.
    suite: Option<Suite>,
    left_out: BTreeSet<TestIndex>,
    /// How many findings were written; none before the report has begun.
    findings: Option<usize>,
    /// What kept it from being written. Nothing is written after that.
    failed: Option<io::Error>,
}

impl<'a> Streamed<'a> {
    /// A report of a session with a seed, of which nothing is known yet.
    pub(crate) fn new(
        out: Box<dyn Write + 'a>,
        manner: Manner<'a>,
        sections: fn() -> Option<Sections>,
        seed: Seed,
        aside: Aside,
    ) -> Self {
        let (suite, left_out, findings, failed) = Default::default();
        Self { out, manner, sections, aside, seed, suite, left_out, findings, failed }
    }

    /// Writes what is left once the session is over, and what to do next.
    ///
    /// # Errors
    /// Those of the writer, now or earlier.
    pub(crate) fn end(mut self, outline: &SessionResult, next: &[String]) -> io::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.findings.is_none() {
            terminal::collection_errors(&mut self.out, &outline.collected.suite, self.manner.verbosity)?;
        }
        account::write(&mut self.out, outline, self.manner, next)?;
        self.out.flush()
    }
}

impl Reporter for Streamed<'_> {
    fn notice(&mut self, suite: &Suite, event: &Event<'_>) {
        match event {
            Event::Collected | Event::Compared => self.suite = Some(suite.clone()),
            Event::LeftOut(tests) => self.left_out.extend(*tests),
            Event::Remark(About::Costs, cost) if self.failed.is_none() => {
                let Self { out, aside, manner, .. } = self;
                let written = aside.while_away(|| {
                    terminal::cost(out, cost, manner.verbosity)?;
                    out.flush()
                });
                self.failed = written.err();
            }
            Event::Complete(_, finding) if self.failed.is_none() => {
                let Self { out, manner, sections, aside, seed, suite: collected, left_out, findings, .. } =
                    self;
                let tokens = Tokens { suite: collected.as_ref().unwrap_or(suite), seed: *seed, left_out };
                let written = aside.while_away(|| {
                    if findings.is_none() {
                        terminal::collection_errors(out, tokens.suite, manner.verbosity)?;
                    }
                    let number = findings.insert(findings.map_or(1, |before| before + 1));
                    let section = sections().map(|sections| (sections, *number));
                    terminal::in_section(out, finding, section, |out| {
                        terminal::finding(out, finding, tokens, *manner)
                    })?;
                    // It may be a file or a pipe that someone watches.
                    out.flush()
                });
                self.failed = written.err();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::finding::Finding;
    use crate::report::samples::everything;
    use crate::report::{Again, Verbosity};

    /// What was written, as it was when it was flushed.
    #[derive(Default)]
    struct Written {
        text: Vec<u8>,
        flushed: Vec<usize>,
        /// After so many bytes the disk is full.
        room: Option<usize>,
    }

    struct Out<'a>(&'a RefCell<Written>);

    impl Write for Out<'_> {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            let mut written = self.0.borrow_mut();
            if written.room.is_some_and(|room| written.text.len() + text.len() > room) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            written.text.extend(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            let mut written = self.0.borrow_mut();
            let length = written.text.len();
            written.flushed.push(length);
            Ok(())
        }
    }

    const AGAIN: Again<'_> = Again::Replay { options: " -n 2", of_file: "", failures: None };

    fn stream(
        written: &RefCell<Written>,
        sections: fn() -> Option<Sections>,
        told: impl Fn(&Finding) -> bool,
    ) -> io::Result<()> {
        let result = everything();
        let manner = Manner::new(Verbosity::Verbose, AGAIN);
        let mut streamed =
            Streamed::new(Box::new(Out(written)), manner, sections, result.seed, Aside::nothing());
        let suite = &result.collected.suite;
        streamed.notice(suite, &Event::Collected);
        for cost in &result.costs {
            streamed.notice(suite, &Event::Remark(About::Costs, cost));
        }
        streamed.notice(suite, &Event::LeftOut(&result.left_out));
        for (number, finding) in result.findings.iter().enumerate().filter(|(_, finding)| told(finding)) {
            streamed.notice(suite, &Event::Complete(number, finding));
        }
        streamed.end(&result, &next())
    }

    fn next() -> Vec<String> {
        vec!["jostle verify failures".into()]
    }

    fn at_once(sections: Option<Sections>) -> Vec<u8> {
        let mut text = Vec::new();
        let manner = Manner::new(Verbosity::Verbose, AGAIN);
        terminal::session(&mut text, &everything(), manner, sections, &next()).unwrap();
        text
    }

    #[test]
    fn what_is_written_by_and_by_is_what_is_written_at_once() {
        let marked = || Some(Sections { time: 1_700_000_000 });
        for (sections, at) in [(marked as fn() -> _, marked()), (|| None, None)] {
            let written = RefCell::default();
            stream(&written, sections, |_| true).unwrap();
            assert_eq!(written.into_inner().text, at_once(at));
        }
    }

    #[test]
    fn each_finding_is_there_whole_once_it_is_complete() {
        let written = RefCell::default();
        stream(&written, || None, |_| true).unwrap();
        let Written { text, flushed, .. } = written.into_inner();
        let (findings, end) = (everything().findings.len(), text.len());
        assert_eq!(
            (flushed.len(), flushed.last()),
            (findings + 2, Some(&end)),
            "the note on what it costs comes first"
        );
        for &length in &flushed[1..=findings] {
            assert!(text[..length].ends_with(b"\n\n"), "an empty line ends a finding");
        }
    }

    #[test]
    fn where_nothing_was_found_the_report_begins_at_its_end() {
        let written = RefCell::default();
        stream(&written, || None, |_| false).unwrap();
        let text = String::from_utf8(written.into_inner().text).unwrap();
        assert!(text.contains("1 collection error"), "{text}");
    }

    #[test]
    fn after_an_error_nothing_is_written_and_the_error_is_told_at_the_end() {
        let room = at_once(None).len() / 2;
        let written = RefCell::new(Written { room: Some(room), ..Written::default() });
        let error = stream(&written, || None, |_| true).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let text = written.into_inner().text;
        assert_eq!(text, at_once(None)[..text.len()]);
    }
}
