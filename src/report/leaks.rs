//! What tests leave changed: for people, and as entries for what other programs show.

use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};

use crate::explain::NoFix;
use crate::leaks::{Harm, Leak, Owner, Pairs, is_known};
use crate::limits::{LEAK_ALIKE, LEAK_LINES};
use crate::report::entry::{Entry, Weight};
use crate::report::explanation::{not_shown_as_it_is, tried};
use crate::report::words::count;
use crate::report::{Verbosity, patch, terminal};
use crate::state::Written;
use crate::suite::{Suite, TestIndex};
use crate::trial::Collected;

/// How many tests of a place are listed before they are only counted.
const LISTED: usize = 6;

const NAME: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// What a session of `jostle leaks` came to.
#[derive(Clone, Debug)]
pub(crate) struct Leaks {
    /// The suite.
    pub(crate) collected: Collected,
    /// The places, in the order in which they are told, those that are allowed left out.
    pub(crate) leaks: Vec<Leak>,
    /// How many were left out, as they are allowed.
    pub(crate) allowed: usize,
    /// Tests that did not come to their end.
    pub(crate) unseen: Vec<TestIndex>,
    /// Tests that failed or were skipped in the run that tells what is left.
    pub(crate) not_passed: Vec<TestIndex>,
    /// How many runs were made.
    pub(crate) runs: usize,
    /// What was compared with, if anything was.
    pub(crate) against: Option<Against>,
    /// Whether it was interrupted while fixes were tried.
    pub(crate) interrupted: bool,
    /// Whether all of it was written down as a baseline, so that it is known from now on.
    pub(crate) is_written_down: bool,
}

/// A comparison with a baseline.
#[derive(Clone, Debug)]
pub(crate) struct Against {
    /// The baseline's file.
    pub(crate) path: PathBuf,
    /// Who leaves what, of what it knows.
    pub(crate) known: Pairs,
    /// What of it is gone.
    pub(crate) gone: Pairs,
}

impl Leaks {
    fn suite(&self) -> &Suite {
        &self.collected.suite
    }

    /// Whether somebody's leaving a place is known.
    pub(crate) fn is_known(&self, leak: &Leak, owner: &Owner) -> bool {
        self.against.as_ref().is_some_and(|against| is_known(&against.known, leak, owner, self.suite()))
    }

    /// Whether somebody's leaving a place is none for which a job fails.
    pub(crate) fn is_let_pass(&self, leak: &Leak, owner: &Owner) -> bool {
        self.is_written_down || self.is_known(leak, owner)
    }

    /// Those who leave a place and are not known for it.
    pub(crate) fn new_owners<'a>(&'a self, leak: &'a Leak) -> impl Iterator<Item = &'a Owner> {
        leak.owners.iter().filter(|owner| !leak.settled && !self.is_known(leak, owner))
    }

    /// How many of these places no line was looked for of, but for what is settled.
    pub(crate) fn lines_not_sought<'a>(leaks: impl IntoIterator<Item = &'a Leak>) -> usize {
        leaks.into_iter().filter(|leak| !leak.settled && !leak.line_sought).count()
    }

    /// How many places are left by somebody who is not known for it.
    pub(crate) fn new_places(&self) -> usize {
        self.leaks.iter().filter(|leak| self.new_owners(leak).next().is_some()).count()
    }
}

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub(crate) fn leaks(out: &mut dyn Write, report: &Leaks, verbosity: Verbosity) -> io::Result<()> {
    let suite = report.suite();
    terminal::collection_errors(out, suite, verbosity)?;
    if suite.tests.is_empty() {
        return writeln!(out, "no test was collected");
    }
    let verbose = verbosity == Verbosity::Verbose;
    let unsettled = report.leaks.iter().filter(|leak| !leak.settled);
    let told: Vec<&Leak> =
        unsettled.filter(|leak| verbose || report.new_owners(leak).next().is_some()).collect();
    for leak in &told {
        place(out, report, leak, verbose)?;
    }
    if verbose {
        settled(out, report)?;
    }
    for (place, owner) in report.against.iter().flat_map(|against| &against.gone) {
        writeln!(out, "{GOOD}gone{GOOD:#}  {place}: {owner}")?;
    }
    if verbosity > Verbosity::Quiet && !report.unseen.is_empty() {
        let first = suite.test(report.unseen[0]).id.to_string();
        writeln!(
            out,
            "{} did not come to an end, so that nothing is known of what is left: {first}",
            count(report.unseen.len(), "test")
        )?;
    }
    if verbosity > Verbosity::Quiet && !report.not_passed.is_empty() {
        let first = suite.test(report.not_passed[0]).id.to_string();
        let tests = count(report.not_passed.len(), "test");
        writeln!(out, "{tests} did not pass, and may leave more when passing: {first}")?;
    }
    let not_sought = Leaks::lines_not_sought(told);
    if verbosity > Verbosity::Quiet && not_sought > 0 {
        writeln!(
            out,
            "no line was looked for of {}; it is of {LEAK_LINES} at most, and of {LEAK_ALIKE} that the same leave and only \
             numbers tell apart",
            count(not_sought, "place")
        )?;
    }
    if report.interrupted {
        writeln!(
            out,
            "interrupted while fixes were tried, so not all of them were; what is left changed is all told"
        )?;
    }
    conclusion(out, report)
}

fn place(out: &mut dyn Write, report: &Leaks, leak: &Leak, verbose: bool) -> io::Result<()> {
    let suite = report.suite();
    let owners: Vec<&Owner> = match verbose {
        true => leak.owners.iter().collect(),
        false => report.new_owners(leak).collect(),
    };
    let style = if leak.harm() == Harm::Victim { BAD } else { NAME };
    writeln!(out, "{style}{}{style:#}  {}, {}", leak.place, who(&owners), harm(leak))?;
    writeln!(out, "  {DIM}{}{DIM:#}: {} → {}", leak.kind, leak.old, leak.new)?;
    if let Some(written) = &leak.written {
        writeln!(out, "  changed at {}", line(written))?;
    }
    let listed = if verbose { owners.len() } else { LISTED };
    for owner in owners.iter().take(listed) {
        let known = if report.is_known(leak, owner) { "  (known)" } else { "" };
        writeln!(out, "  {}{known}", owner.name(suite))?;
    }
    more(out, owners.len(), listed)?;
    tests(out, suite, "  fails after it, and passes alone and with it put back: ", &leak.victims, listed)?;
    if leak.victims.is_empty() {
        tests(
            out,
            suite,
            "  runs a line that names it: ",
            &leak.readers,
            if verbose { leak.readers.len() } else { 3 },
        )?;
    }
    fix(out, leak)?;
    writeln!(out)
}

/// Writes the fix that was tried, or why there is none.
fn fix(out: &mut dyn Write, leak: &Leak) -> io::Result<()> {
    let fix = match &leak.fix {
        None => return Ok(()),
        Some(Err(NoFix { says, .. })) => return writeln!(out, "  fix: {says}"),
        Some(Ok(fix)) => fix,
    };
    let by_itself = if fix.together_with > 0 { " by itself" } else { "" };
    let applied = if fix.git_applied { "" } else { "; whether git applies it could not be tried" };
    writeln!(
        out,
        "  fix: tried in a copy: keeps the place{by_itself}, and holds in {}{applied}",
        tried(fix, "place")
    )?;
    patch::write(out, &fix.diff)?;
    not_shown_as_it_is(&fix.diff).map_or(Ok(()), |what| {
        writeln!(out, "  note: {what}, which does not show here: --write-fix FILE writes it so")
    })
}

fn tests(
    out: &mut dyn Write,
    suite: &Suite,
    what: &str,
    tests: &[TestIndex],
    listed: usize,
) -> io::Result<()> {
    for &test in tests.iter().take(listed) {
        writeln!(out, "{what}{}", suite.test(test).id)?;
    }
    more(out, tests.len(), listed)
}

fn more(out: &mut dyn Write, of: usize, listed: usize) -> io::Result<()> {
    match of.saturating_sub(listed) {
        0 => Ok(()),
        more => writeln!(out, "  … and {more} more (-v lists all)"),
    }
}

fn who(owners: &[&Owner]) -> String {
    let number = |is: fn(&Owner) -> bool| owners.iter().filter(|owner| is(owner)).count();
    let parts = [
        (number(|owner| matches!(owner, Owner::Test(_))), "test"),
        (number(|owner| matches!(owner, Owner::Fixture(..))), "fixture"),
        (number(|owner| matches!(owner, Owner::Import(_))), "import"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    parts.map(|(number, what)| count(number, what)).collect::<Vec<_>>().join(", ")
}

/// Whether a leak hurts, in words.
fn harm(leak: &Leak) -> &'static str {
    match leak.harm() {
        Harm::Victim => "a test fails for it",
        Harm::Reader => "other tests name it",
        Harm::Unread => "no other test names it",
    }
}

fn line(written: &Written) -> String {
    format!("{}:{} in {}", written.file, written.line, written.function)
}

fn settled(out: &mut dyn Write, report: &Leaks) -> io::Result<()> {
    for leak in report.leaks.iter().filter(|leak| leak.settled) {
        let first = leak.owners.first().map_or_else(String::new, |owner| owner.name(report.suite()));
        let why = if leak.first_use { ", and not in its second run" } else { "" };
        writeln!(out, "{DIM}settled  {}: first changed by {first}{why}{DIM:#}", leak.place)?;
    }
    Ok(())
}

fn conclusion(out: &mut dyn Write, report: &Leaks) -> io::Result<()> {
    let all = report.leaks.iter().filter(|leak| !leak.settled).count();
    let new = report.new_places();
    let tests = count(report.suite().tests.len(), "test");
    let allowed = match report.allowed {
        0 => String::new(),
        allowed => format!(", {} allowed", count(allowed, "place")),
    };
    match &report.against {
        Some(against) => {
            let gone = against.gone.len();
            let known = all - new;
            writeln!(
                out,
                "{tests}: {} newly left changed, {known} known, {gone} gone{allowed}",
                count(new, "place")
            )
        }
        None => writeln!(out, "{tests}: {} left changed{allowed}", count(all, "place")),
    }
}

/// The leaks as other programs show them: one entry for each who leaves a place.
pub(crate) fn entries(report: &Leaks) -> Vec<Entry> {
    let suite = report.suite();
    let unsettled = report.leaks.iter().filter(|leak| !leak.settled);
    let of_leak =
        |leak: &Leak| leak.owners.iter().map(|owner| entry(report, leak, owner, suite)).collect::<Vec<_>>();
    let mut all: Vec<Entry> = unsettled.flat_map(of_leak).collect();
    all.sort_by_key(|entry| entry.weight);
    all
}

fn entry(report: &Leaks, leak: &Leak, owner: &Owner, suite: &Suite) -> Entry {
    let (file, line) = owner.at(suite);
    let known = report.is_let_pass(leak, owner);
    let written = leak.written.as_ref().filter(|_| leak.owners.first() == Some(owner));
    let at = written.map_or_else(String::new, |written| format!("\nchanged at {}", self::line(written)));
    let victims: String =
        leak.victims.iter().map(|&test| format!("\nfails after it: {}", suite.test(test).id)).collect();
    let fix = match &leak.fix {
        Some(Ok(fix)) => format!("\nfix, tried in a copy:\n{}", patch::plain_lines(&fix.diff)),
        _ => String::new(),
    };
    Entry {
        weight: if known { Weight::Known } else { Weight::Fails },
        kind: "leak",
        test: owner.name(suite),
        identity: leak.place.clone(),
        file: Some(file.to_owned()),
        line: written.filter(|written| written.file == file).map(|written| written.line).or(line),
        headline: format!("leaves {} changed; {}", leak.place, harm(leak)),
        text: format!("{}: {} → {}{at}{victims}{fix}", leak.kind, leak.old, leak.new),
        token: None,
        also: Vec::new(),
        role: "",
        causes: Vec::new(),
    }
}
