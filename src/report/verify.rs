//! The report of `jostle verify`: as text, and as JSON in the form of `verify.schema.json` beside this file.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::finding::Kind;
use crate::formats::VERIFY;
use crate::judge::signature::FailureLocation;
use crate::judge::statistics::Tally;
use crate::record::FailureFile;
use crate::report::document::SuiteSummary;
use crate::report::{Verbosity, words};
use crate::session::verify::{Stage, Verified};
use crate::suite::TestId;
use crate::trial::Collected;
use crate::verify::Status;

const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// A failure file and what became of it.
pub(crate) struct Looked {
    /// Where the file is, as it was named.
    pub(crate) path: String,
    /// The file.
    pub(crate) file: FailureFile,
    /// What became of it.
    pub(crate) verified: Verified,
}

impl Looked {
    /// Whether it failed in the way that was recorded.
    pub(crate) fn fails_as_recorded(&self) -> bool {
        self.verified.status == Status::StillFails
            && self.verified.failed.as_ref().is_some_and(|(_, crash)| *crash == self.file.crash)
    }
}

/// All that `jostle verify` has to say.
pub(crate) struct Verification {
    /// The suite.
    pub(crate) collected: Collected,
    /// The failures, in their order.
    pub(crate) looked: Vec<Looked>,
    /// Whether the failures are expected to be there.
    pub(crate) require_fail: bool,
    /// Between 0 and 1.
    pub(crate) confidence: f64,
    /// What the user should know of how plans were run.
    pub(crate) remarks: Vec<String>,
    /// Whether the user stopped it, so that not all files were looked at.
    pub(crate) interrupted: bool,
    /// Seconds it took.
    pub(crate) seconds: f64,
}

/// The words for a status: before a fix, what does not fail is gone, and nobody fixed it.
pub(super) fn status(status: Status, before_fix: bool) -> &'static str {
    match status {
        Status::Holds if before_fix => "gone",
        Status::Holds => "fixed",
        Status::StillFails => "still fails",
        Status::CannotTell => "cannot tell",
    }
}

/// All runs that were made of a failure: `: 0 of 17 runs failed (before: 8 of 8)`.
pub(super) fn all_runs(looked: &Looked) -> String {
    let Looked { file, verified, .. } = looked;
    let stages = [verified.minimal, verified.original, verified.neighbourhood];
    let sum = |count: fn(Tally) -> u32| stages.into_iter().map(count).sum();
    let all = Tally { runs: sum(|tally| tally.runs), failed: sum(|tally| tally.failed) };
    if all.runs == 0 {
        return String::new();
    }
    let before = file
        .failed
        .map_or_else(String::new, |before| format!(" (before: {} of {})", before.failed, before.runs));
    format!(": {} failed{before}", words::tally(all))
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Minimal => "its minimal plan",
        Stage::Original => "the plan that first showed it",
        Stage::Neighbourhood => "a plan near the minimal one",
    }
}

/// Writes the report for people.
///
/// # Errors
/// Those of the writer.
pub(crate) fn verification(
    out: &mut dyn Write,
    report: &Verification,
    verbosity: Verbosity,
) -> io::Result<()> {
    for looked in &report.looked {
        failure(out, looked, report, verbosity)?;
    }
    if verbosity > Verbosity::Quiet {
        report.remarks.iter().try_for_each(|remark| writeln!(out, "note: {remark}"))?;
    }
    writeln!(out, "{}", conclusion(report))?;
    let hidden = report.looked.iter().filter(|one| !one.fails_as_recorded()).count();
    if report.require_fail && hidden > 0 {
        writeln!(out, "{BAD}{hidden} did not fail as recorded{BAD:#}, which --require-fail asks for")?;
    }
    Ok(())
}

/// What became of all of them, in one line.
pub(super) fn conclusion(report: &Verification) -> String {
    let of = |wanted| report.looked.iter().filter(|one| one.verified.status == wanted).count();
    let stopped = if report.interrupted { "; interrupted, so this is not all" } else { "" };
    format!(
        "{}: {} gone, {} still there, {} cannot be told{stopped}",
        words::count(report.looked.len(), "recorded failure"),
        of(Status::Holds),
        of(Status::StillFails),
        of(Status::CannotTell)
    )
}

/// How it fails now, if it does.
pub(super) fn fails_with(Looked { file, verified, .. }: &Looked) -> Option<String> {
    let (at, crash) = verified.failed.as_ref()?;
    let way = if *crash == file.crash { "as recorded" } else { "in another way than recorded" };
    let place = if crash.file.is_empty() { String::new() } else { format!(" ({})", crash.file) };
    Some(format!("{} in {}{place}, {way}, in {}", crash.exception, crash.function, stage(*at)))
}

/// The stages in which it was run, and how often it failed in each.
pub(super) fn stages(Looked { verified, .. }: &Looked) -> Vec<(&'static str, Tally)> {
    let stages = [
        ("minimal plan", verified.minimal),
        ("original", verified.original),
        ("near it", verified.neighbourhood),
    ];
    stages.into_iter().filter(|(_, tally)| tally.runs > 0).collect()
}

fn failure(
    out: &mut dyn Write,
    looked: &Looked,
    report: &Verification,
    verbosity: Verbosity,
) -> io::Result<()> {
    let Looked { path, file, verified } = looked;
    let suite = &report.collected.suite;
    let test = suite.find(&file.test).map_or_else(|| file.test.to_string(), |test| words::test(suite, test));
    let style = match (verified.status, report.require_fail) {
        (Status::CannotTell, _) => DOUBTFUL,
        (Status::Holds, false) | (Status::StillFails, true) => GOOD,
        _ => BAD,
    };
    writeln!(
        out,
        "{style}{}{style:#}{}  {} {test}  {DIM}{path}{DIM:#}",
        status(verified.status, report.require_fail),
        all_runs(looked),
        file.kind.name(),
    )?;
    if let Some(why) = &verified.why {
        writeln!(out, "  {:<13} {why}", "because")?;
    }
    if let Some(fails) = fails_with(looked) {
        writeln!(out, "  {:<13} {fails}", "fails with")?;
    }
    if verbosity == Verbosity::Verbose {
        bounds(out, looked, report.confidence)?;
    }
    verified.notes.iter().try_for_each(|note| writeln!(out, "  {:<13} {note}", "note"))
}

/// How often it failed in each stage, with the bounds that the verdict rests on.
fn bounds(out: &mut dyn Write, looked: &Looked, confidence: f64) -> io::Result<()> {
    let Looked { file, verified, .. } = looked;
    for (name, tally) in stages(looked) {
        let below = match tally.rate_at_most(confidence) {
            below if below < 1.0 => format!(": at most {:.1} %", below * 100.0),
            _ => String::new(),
        };
        writeln!(out, "  {name:<13} failed in {}{below}", words::tally(tally))?;
    }
    let claim = verified.claim;
    writeln!(
        out,
        "  {:<13} failed in {}: at least {:.1} % (each at {} % confidence)",
        if file.failed.is_some() { "recorded" } else { "assumed" },
        words::tally(claim.recorded),
        claim.threshold() * 100.0,
        confidence * 100.0
    )
}

/// The report for programs.
#[derive(Debug, Serialize)]
pub(crate) struct VerifyDocument {
    schema: &'static str,
    jostle: &'static str,
    suite: SuiteSummary,
    require_fail: bool,
    confidence: f64,
    failures: Vec<FailureDocument>,
    remarks: Vec<String>,
    interrupted: bool,
    exit_code: u8,
    times: Times,
}

#[derive(Debug, Serialize)]
struct Times {
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct FailureDocument {
    path: String,
    kind: Kind,
    test: TestId,
    status: Status,
    why: Option<String>,
    recorded: Rate,
    minimal: Rate,
    original: Rate,
    neighbourhood: Rate,
    failed_in: Option<&'static str>,
    crash: Option<FailureLocation>,
    as_recorded: bool,
    notes: Vec<String>,
}

/// A tally with the bound that is claimed of it: at least for what was recorded, at most for what was run.
#[derive(Debug, Serialize)]
struct Rate {
    runs: u32,
    failed: u32,
    bound: f64,
}

impl VerifyDocument {
    /// The report of a verification that ends with an exit code.
    pub(crate) fn new(report: &Verification, exit_code: u8) -> Self {
        Self {
            schema: VERIFY,
            jostle: env!("CARGO_PKG_VERSION"),
            suite: SuiteSummary::new(&report.collected),
            require_fail: report.require_fail,
            confidence: report.confidence,
            failures: report
                .looked
                .iter()
                .map(|looked| FailureDocument::new(looked, report.confidence))
                .collect(),
            remarks: report.remarks.clone(),
            interrupted: report.interrupted,
            exit_code,
            times: Times { seconds: report.seconds },
        }
    }
}

impl FailureDocument {
    fn new(looked: &Looked, confidence: f64) -> Self {
        let Looked { path, file, verified } = looked;
        let rounded = |value: f64| (value * 1e6).round() / 1e6;
        let rate =
            |tally: Tally, bound: f64| Rate { runs: tally.runs, failed: tally.failed, bound: rounded(bound) };
        let at_most = |tally: Tally| rate(tally, tally.rate_at_most(confidence));
        Self {
            path: path.clone(),
            kind: file.kind,
            test: file.test.clone(),
            status: verified.status,
            why: verified.why.clone(),
            recorded: rate(verified.claim.recorded, verified.claim.threshold()),
            minimal: at_most(verified.minimal),
            original: at_most(verified.original),
            neighbourhood: at_most(verified.neighbourhood),
            failed_in: verified.failed.as_ref().map(|(stage, _)| match stage {
                Stage::Minimal => "minimal",
                Stage::Original => "original",
                Stage::Neighbourhood => "neighbourhood",
            }),
            crash: verified.failed.as_ref().map(|(_, crash)| crash.clone()),
            as_recorded: looked.fails_as_recorded(),
            notes: verified.notes.clone(),
        }
    }
}
