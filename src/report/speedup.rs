//! The report of `jostle speedup` for people.

use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};

use crate::plan::{Configuration, Mode};
use crate::report::words::count;
use crate::report::{Verbosity, terminal};
use crate::speedup::compare::Compared;
use crate::speedup::limits::Limit;
use crate::speedup::outcomes::Difference;
use crate::speedup::statistics::{Change, Estimate};
use crate::speedup::{Row, Summary};
use crate::suite::Suite;
use crate::trial::{Collected, Verdict};

/// How many tests that differ are listed before they are only counted.
const LISTED: usize = 5;
/// The longest bar, in characters.
const BAR: f64 = 40.0;
/// What stands where there is nothing to say.
const NONE: &str = "–";
/// The columns of the table.
pub(super) const HEAD: [&str; 8] =
    ["workers", "mode", "median", "spread", "speedup", "efficiency", "bound", "limited by"];
/// What these are.
pub(super) const MEANING: &str = "spread: median absolute deviation; speedup: median on 1 worker / median; efficiency: \
                                  speedup / workers, whatever the cores;\nbound: start-up and the longest unit, or an \
                                  even share of all tests";

const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// What is reported.
#[derive(Clone, Debug)]
pub(crate) struct Speedup {
    /// The suite.
    pub(crate) collected: Collected,
    /// What the runs say.
    pub(crate) summary: Summary,
    /// How often each configuration was to be run.
    pub(crate) rounds: u32,
    /// Whether not all rounds were run.
    pub(crate) interrupted: bool,
    /// The comparison with a baseline.
    pub(crate) against: Option<Against>,
}

/// A comparison with a baseline.
#[derive(Clone, Debug)]
pub(crate) struct Against {
    /// Its file.
    pub(crate) path: PathBuf,
    /// What both have.
    pub(crate) compared: Vec<Compared>,
    /// What else is different now.
    pub(crate) other: Vec<String>,
}

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub(crate) fn speedup(out: &mut dyn Write, report: &Speedup, verbosity: Verbosity) -> io::Result<()> {
    let summary = &report.summary;
    terminal::collection_errors(out, &report.collected.suite, verbosity)?;
    if report.collected.suite.tests.is_empty() {
        return writeln!(out, "{DOUBTFUL}{}{DOUBTFUL:#}", conclusion(report));
    }
    if verbosity > Verbosity::Quiet {
        head(out, report)?;
    }
    table(out, summary)?;
    if verbosity > Verbosity::Quiet {
        chart(out, summary)?;
        limits(out, summary)?;
    }
    differing(out, summary, &report.collected.suite, verbosity)?;
    if let Some(against) = &report.against {
        comparison(out, against)?;
    }
    if verbosity == Verbosity::Verbose {
        terminal::neutralised(out, &report.collected)?;
    }
    verdict(out, report)
}

fn head(out: &mut dyn Write, report: &Speedup) -> io::Result<()> {
    let xdist =
        xdist(&report.collected).map_or_else(String::new, |version| format!(", pytest-xdist {version}"));
    writeln!(
        out,
        "{DIM}{} ({}{xdist}), {}, {} after a run to warm up{DIM:#}\n",
        count(report.collected.suite.tests.len(), "test"),
        terminal::interpreter(&report.collected),
        count(report.summary.cores as usize, "core"),
        count(report.rounds as usize, "round"),
    )
}

/// The version of pytest-xdist, if pytest has loaded it.
pub(crate) fn xdist(collected: &Collected) -> Option<&str> {
    collected.interpreter.plugins.iter().find_map(|plugin| {
        let (name, version) = plugin.rsplit_once('-')?;
        name.replace('_', "-").eq_ignore_ascii_case("pytest-xdist").then_some(version)
    })
}

fn table(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let rows: Vec<[String; 8]> = summary.rows.iter().map(|row| cells(row, summary.cores)).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([HEAD[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    writeln!(out, "{DIM}{}{DIM:#}", line(&HEAD, &widths))?;
    for (row, cells) in summary.rows.iter().zip(&rows) {
        let style = if row.differing.runs > 0 { DOUBTFUL } else { Style::new() };
        writeln!(out, "{style}{}{style:#}", line(&cells.each_ref().map(String::as_str), &widths))?;
    }
    Ok(())
}

/// The words stand left in their columns, the numbers right.
fn line(cells: &[&str], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
        1 | 7 => format!("{cell:<width$}"),
        _ => format!("{cell:>width$}"),
    });
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

pub(super) fn cells(row: &Row, cores: u32) -> [String; 8] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
    let limited = match row.differing.runs {
        0 => row.limit.and_then(|limit| limited_by(row, limit, cores)),
        runs => Some(format!("{runs} of {} differ, see below", count(row.seconds.len(), "run"))),
    };
    [
        row.configuration.workers.to_string(),
        row.configuration.mode.name().to_owned(),
        or_none(row.estimate.map(|estimate| seconds(estimate.median))),
        or_none(
            row.estimate.and_then(|estimate| estimate.spread).map(|spread| format!("±{}", seconds(spread))),
        ),
        or_none(row.speedup.map(|speedup| format!("{speedup:.2}"))),
        or_none(row.efficiency.map(|efficiency| format!("{:.0} %", efficiency * 100.0))),
        seconds(row.bound),
        or_none(limited),
    ]
}

/// `1.23 s`, `45 ms`.
fn seconds(seconds: f64) -> String {
    if seconds >= 0.1 { format!("{seconds:.2} s") } else { format!("{:.0} ms", seconds * 1000.0) }
}

/// What limits a row, and how much time that takes.
fn limited_by(row: &Row, limit: Limit, cores: u32) -> Option<String> {
    let parts = row.parts?;
    let named = |what: &str, part: f64| Some(format!("{what}, {}", seconds(part)));
    match limit {
        Limit::Workers => Some("the number of workers".to_owned()),
        Limit::LongestUnit => {
            named(&format!("longest {}", unit_noun(row.configuration.mode)), row.unit.as_ref()?.seconds)
        }
        Limit::Cores => named(&format!("{}, tests wait", count(cores as usize, "core")), parts.slowdown),
        Limit::Slowdown => named("tests slow each other down", parts.slowdown),
        Limit::Fixtures => named("fixtures once a worker", parts.fixtures),
        Limit::Distribution => named("uneven distribution", parts.idle),
        Limit::StartUp => named("start-up and end", parts.start_up),
    }
}

fn unit_noun(mode: Mode) -> &'static str {
    match mode {
        Mode::Loadscope => "scope",
        Mode::Loadfile => "file",
        Mode::Loadgroup => "group",
        Mode::No | Mode::Load | Mode::Worksteal | Mode::Each => "test",
    }
}

fn name(configuration: Configuration) -> String {
    let workers = count(configuration.workers as usize, "worker");
    if configuration.mode == Mode::No {
        workers
    } else {
        format!("{workers} ({})", configuration.mode.name())
    }
}

/// A bar for each median, to one scale.
fn chart(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let timed = summary.rows.iter().filter_map(|row| Some((row, row.estimate?.median)));
    let longest = timed.clone().map(|(_, median)| median).fold(f64::MIN_POSITIVE, f64::max);
    writeln!(out)?;
    for (row, median) in timed {
        let eighths = (median / longest * BAR * 8.0).round() as usize;
        let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
        let mark = if row.differing.runs > 0 { " differs" } else { "" };
        let Configuration { workers, mode } = row.configuration;
        let bar = "█".repeat(eighths / 8) + rest;
        writeln!(out, "{workers:>7}  {:<9}  {bar} {}{mark}", mode.name(), seconds(median))?;
    }
    writeln!(out)
}

fn limits(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    writeln!(
        out,
        "{:<14} {} on one worker; starting, collecting and ending take {} more",
        "all tests",
        seconds(summary.total),
        seconds(summary.start_up)
    )?;
    let mut named = Vec::new();
    for row in &summary.rows {
        let noun = unit_noun(row.configuration.mode);
        let Some(unit) = row.unit.as_ref().filter(|_| !named.contains(&noun)) else {
            continue;
        };
        named.push(noun);
        let tests = if unit.tests > 1 { format!(", {} tests", unit.tests) } else { String::new() };
        writeln!(
            out,
            "{:<14} {}  {}{tests}: no run takes less than {}",
            format!("longest {noun}"),
            seconds(unit.seconds),
            unit.name,
            seconds(unit.seconds + summary.start_up)
        )?;
    }
    writeln!(out, "{DIM}{MEANING}{DIM:#}\n")
}

fn differing(out: &mut dyn Write, summary: &Summary, suite: &Suite, verbosity: Verbosity) -> io::Result<()> {
    for row in summary.rows.iter().filter(|row| row.differing.runs > 0) {
        differing_row(out, row, suite, verbosity)?;
    }
    if summary.failing > 0 {
        let tests = count(summary.failing, "test");
        writeln!(out, "{DOUBTFUL}{tests} failed on 1 worker{DOUBTFUL:#}: times of failing tests say little")?;
    }
    if let Some(&first) = summary.unsteady.first() {
        let tests = count(summary.unsteady.len(), "test");
        let first = &suite.test(first).id;
        writeln!(
            out,
            "{DOUBTFUL}{tests} did not always come to the same on 1 worker{DOUBTFUL:#}, {first} for one: not compared"
        )?;
    }
    Ok(())
}

fn differing_row(out: &mut dyn Write, row: &Row, suite: &Suite, verbosity: Verbosity) -> io::Result<()> {
    let (what, found) = (name(row.configuration), &row.differing);
    let runs = format!("{} of {}", found.runs, count(row.seconds.len(), "run"));
    writeln!(
        out,
        "{BAD}{what}{BAD:#}: {runs} did not do what 1 worker does, so there is no speedup; the first of them:"
    )?;
    let number = found.differences.len();
    let listed = match (verbosity, &found.trouble) {
        (Verbosity::Verbose, _) => number,
        // The tests that a run broken off did not come to say no more than that.
        (_, Some(_)) => 0,
        (_, None) => LISTED.min(number),
    };
    if let Some(trouble) = &found.trouble {
        trouble.lines().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    for difference in &found.differences[..listed] {
        writeln!(out, "  {}  {}", suite.test(difference.test).id, differs(difference))?;
    }
    if number > listed {
        let more = if listed == 0 { "test" } else { "more test" };
        writeln!(out, "  … and {} came to something else (-v lists all)", count(number - listed, more))?;
    }
    if found.trouble.is_none() {
        writeln!(out, "  {DIM}`jostle stress` finds out why{DIM:#}")?;
    }
    writeln!(out)
}

fn differs(difference: &Difference) -> String {
    let word = |verdict: Option<Verdict>| match verdict {
        Some(Verdict::Passed | Verdict::Xfailed) => "passed",
        Some(Verdict::Failed) => "failed",
        Some(Verdict::Skipped) => "was skipped",
        None => "did not run",
    };
    format!("{}, and {} on 1 worker", word(difference.seen), word(difference.expected))
}

fn comparison(out: &mut dyn Write, against: &Against) -> io::Result<()> {
    writeln!(out, "against {}", against.path.display())?;
    for other in &against.other {
        writeln!(out, "  {DOUBTFUL}{other}{DOUBTFUL:#}")?;
    }
    let time = |estimate: Estimate| {
        let spread = estimate.spread.map_or_else(String::new, |spread| format!(" ±{}", seconds(spread)));
        format!("{}{spread}", seconds(estimate.median))
    };
    for compared in &against.compared {
        let (style, word) = match compared.change {
            Change::Faster => (GOOD, "faster"),
            Change::Slower => (BAD, "slower"),
            Change::Same => (DIM, "no change beyond the spreads"),
            Change::Unknown => (DIM, "no telling: one run has no spread"),
        };
        writeln!(
            out,
            "  {:<24} {} then, {} now, ratio {:.2}: {style}{word}{style:#}",
            name(compared.configuration),
            time(compared.before),
            time(compared.now),
            compared.ratio
        )?;
    }
    if against.compared.is_empty() {
        writeln!(out, "  {DOUBTFUL}no combination is in both{DOUBTFUL:#}")?;
    }
    writeln!(out)
}

fn verdict(out: &mut dyn Write, report: &Speedup) -> io::Result<()> {
    if report.interrupted {
        writeln!(out, "{DOUBTFUL}interrupted, so not all rounds were run{DOUBTFUL:#}")?;
    }
    let text = conclusion(report);
    let pays = report.summary.enough.is_some_and(|enough| enough != Configuration::REFERENCE);
    let style = if pays { GOOD } else { DOUBTFUL };
    let (first, rest) = text.split_once(':').unwrap_or((&text, ""));
    let rest = if rest.is_empty() { String::new() } else { format!(":{rest}") };
    writeln!(out, "{style}{first}{style:#}{rest}")
}

/// What the runs come to, in one line.
pub(super) fn conclusion(report: &Speedup) -> String {
    let summary = &report.summary;
    if report.collected.suite.tests.is_empty() {
        return "no test was collected".into();
    }
    let (Some(best), Some(enough)) = (summary.best, summary.enough) else {
        return "there is nothing to compare".into();
    };
    let speedup = |wanted: Configuration| {
        let row = summary.rows.iter().find(|row| row.configuration == wanted);
        row.and_then(|row| row.speedup).unwrap_or(1.0)
    };
    if enough == Configuration::REFERENCE {
        return "several workers do not pay: 1 worker is as fast".into();
    }
    let most = summary.rows.iter().map(|row| row.configuration.workers).max().unwrap_or_default();
    let text = match (enough.workers == most, enough == best) {
        (true, _) => format!("fastest with {}", name(enough)),
        (false, true) => format!("it stops paying at {}, the fastest", name(enough)),
        (false, false) => {
            format!("it stops paying at {}; the fastest, {}, is within its spread", name(enough), name(best))
        }
    };
    format!("{text}: {:.2} times as fast as 1 worker", speedup(enough))
}

/// The report without colours.
pub(super) fn plain(report: &Speedup) -> String {
    let mut text = Vec::new();
    match speedup(&mut text, report, Verbosity::Normal) {
        Ok(()) => anstream::adapter::strip_str(&String::from_utf8_lossy(&text)).to_string(),
        Err(error) => error.to_string(),
    }
}
