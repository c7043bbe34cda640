//! The report of `jostle history`: as text, and as JSON in the form of `history.schema.json` beside this file.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::formats::HISTORY_REPORT;
use crate::history::{Rate, Seen, Session, Share, Status, Summary};
use crate::report::words;

const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const DIM: Style = Style::new().dimmed();
/// Failing tests that are listed.
pub(super) const LISTED: usize = 20;
/// What is told where there is nothing to compare.
const NO_END: &str = "no session came to its end";
/// Characters of a commit that are shown.
const SHORT: usize = 10;

/// The report for programs.
#[derive(Debug, Serialize)]
pub(crate) struct HistoryDocument<'a> {
    schema: &'static str,
    jostle: &'static str,
    test: Option<&'a str>,
    last: Option<&'a str>,
    #[serde(flatten)]
    summary: &'a Summary,
    remarks: &'a [String],
}

impl<'a> HistoryDocument<'a> {
    /// The document, of one test if that was asked for.
    pub(crate) fn new(summary: &'a Summary, test: Option<&'a str>, remarks: &'a [String]) -> Self {
        Self {
            schema: HISTORY_REPORT,
            jostle: env!("CARGO_PKG_VERSION"),
            test,
            last: summary.last().map(|night| night.name.as_str()),
            summary,
            remarks,
        }
    }
}

/// `2026-11-24 02:00`, in UTC.
pub(super) fn time(night: &Session) -> String {
    words::minute(night.started)
}

/// `, commit 1a2b3c4d5e`, or nothing.
pub(super) fn commit(night: &Session) -> String {
    let short = |revision: &String| format!(", commit {}", revision.get(..SHORT).unwrap_or(revision));
    night.revision.as_ref().map_or_else(String::new, short)
}

/// `12 of 400 runs, 3.0 % (1.6–5.2 %)`.
pub(super) fn share(share: Share) -> String {
    let (low, high) = share.interval;
    let percent = [share.rate, low, high].map(|rate| rate * 100.0);
    format!("{}, {:.1} % ({:.1}–{:.1} %)", words::tally(share.tally), percent[0], percent[1], percent[2])
}

/// Writes the report for people.
///
/// # Errors
/// Those of the writer.
pub(crate) fn history(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    let names: BTreeMap<&str, &Session> =
        summary.nights.iter().map(|night| (night.name.as_str(), night)).collect();
    findings(out, summary, &names)?;
    rates(out, &summary.rates)?;
    slowest(out, summary)?;
    let (Some(first), Some(newest)) = (summary.nights.first(), summary.nights.last()) else {
        return writeln!(out, "no session is kept here");
    };
    let nights = words::count(summary.nights.len(), "session");
    writeln!(out, "{DIM}{nights} from {} to {} (UTC){DIM:#}", time(first), time(newest))?;
    if !newest.ended {
        writeln!(
            out,
            "note: the session of {} did not come to its end, and is left out of what is new",
            time(newest)
        )?;
    }
    if let unjudged @ 1.. = newest.unjudged.len() {
        let names = newest.unjudged.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
        let more = if unjudged > LISTED { ", …" } else { "" };
        writeln!(
            out,
            "note: {} of the session of {} not judged; the next one that is kept here looks into that first: {names}{more}",
            words::count(unjudged, "failure"),
            time(newest)
        )?;
    }
    let Some(last) = summary.last() else {
        return writeln!(out, "{NO_END}");
    };
    writeln!(
        out,
        "{DIM}the last: {}, seed {}{}, {} of {}{DIM:#}",
        time(last),
        last.seed,
        commit(last),
        words::count(last.trials as usize, "trial"),
        words::count(last.tests as usize, "test")
    )?;
    let style = if shown(summary, Status::New) > 0 { BAD } else { GOOD };
    let text = became(summary);
    let (new, rest) = text.split_once(',').unwrap_or((&text, ""));
    writeln!(out, "{style}{new}{style:#},{rest}")
}

/// How many findings are so.
fn shown(summary: &Summary, status: Status) -> usize {
    summary.findings.iter().filter(|seen| seen.status == status).count()
}

/// What became of the findings, in one line.
pub(super) fn became(summary: &Summary) -> String {
    if summary.last().is_none() {
        return NO_END.into();
    }
    let shown = |status| shown(summary, status);
    format!(
        "{} new, {} back, {} still there, {} gone since the session before{}",
        shown(Status::New),
        shown(Status::Back),
        shown(Status::Still),
        shown(Status::Gone),
        match shown(Status::NotRun) {
            0 => String::new(),
            unknown => format!("; {unknown} it did not run (?)"),
        }
    )
}

fn findings(out: &mut dyn Write, summary: &Summary, names: &BTreeMap<&str, &Session>) -> io::Result<()> {
    let ended = summary.nights.iter().filter(|night| night.ended).count();
    for seen in &summary.findings {
        let (style, word) = match seen.status {
            Status::New => (BAD, "new"),
            Status::Back => (BAD, "back"),
            Status::Still => (DOUBTFUL, "still"),
            Status::Gone => (GOOD, "gone"),
            Status::NotRun => (DIM, "?"),
            Status::Past => (DIM, "past"),
        };
        writeln!(out, "{style}{word:<6}{style:#} {}", seen.found.summary)?;
        let of = |name: &str| {
            names.get(name).map_or_else(|| name.to_owned(), |night| time(night) + &commit(night))
        };
        writeln!(
            out,
            "       in {} of {}, first {}",
            seen.nights,
            words::count(ended, "session"),
            of(&seen.first)
        )?;
        if matches!(seen.status, Status::Gone | Status::NotRun | Status::Past) {
            writeln!(out, "       last {}", of(&seen.last))?;
        }
        found_after(out, seen)?;
    }
    if summary.findings.is_empty() { Ok(()) } else { writeln!(out) }
}

fn found_after(out: &mut dyn Write, seen: &Seen) -> io::Result<()> {
    match seen.found.after {
        Some(after) => {
            let trials = words::count(after as usize, "seeded trial");
            writeln!(out, "       it took {trials} until the test failed")
        }
        None => Ok(()),
    }
}

fn rates(out: &mut dyn Write, rates: &[Rate]) -> io::Result<()> {
    if rates.is_empty() {
        return Ok(());
    }
    writeln!(out, "failing in seeded trials (95 % interval)")?;
    for rate in rates.iter().take(LISTED) {
        writeln!(out, "  {}  {}", rate.test, share(rate.all))?;
        if let [.., before, last] = rate.nights.as_slice() {
            let tally = |share: Share| words::tally(share.tally);
            writeln!(
                out,
                "    {DIM}in the last session that ran it {}, in the one before {}{DIM:#}",
                tally(last.share),
                tally(before.share)
            )?;
        }
    }
    if rates.len() > LISTED {
        writeln!(out, "  … and {} more", rates.len() - LISTED)?;
    }
    writeln!(out)
}

fn slowest(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    if summary.slowest.is_empty() {
        return Ok(());
    }
    writeln!(out, "slowest tests, by their mean time in seeded trials")?;
    for slow in &summary.slowest {
        writeln!(
            out,
            "  {:>9.3} s  {}  {DIM}longest {:.3} s, {}{DIM:#}",
            slow.mean,
            slow.test,
            slow.longest,
            words::count(slow.runs as usize, "run")
        )?;
    }
    writeln!(out)
}

/// Writes what is known of one test, session by session.
///
/// # Errors
/// Those of the writer.
pub(crate) fn of_test(out: &mut dyn Write, summary: &Summary, test: &str) -> io::Result<()> {
    let rate = summary.rates.first();
    let shares: BTreeMap<&str, Share> =
        rate.iter().flat_map(|rate| &rate.nights).map(|night| (night.night.as_str(), night.share)).collect();
    writeln!(out, "{test}")?;
    for night in &summary.nights {
        let (style, ended) = match shares.get(night.name.as_str()) {
            Some(&of_night) if of_night.tally.failed > 0 => (BAD, format!("failed in {}", share(of_night))),
            Some(&of_night) => (GOOD, format!("failed in {}", share(of_night))),
            None if night.findings.is_empty() => continue,
            None => (DIM, "not run in a seeded trial".into()),
        };
        writeln!(out, "  {}  {style}{ended}{style:#}{DIM}{}{DIM:#}", time(night), commit(night))?;
        for found in &night.findings {
            writeln!(out, "    {}", found.summary)?;
        }
    }
    if let Some(rate) = rate {
        writeln!(out, "in all: failed in {}", share(rate.all))?;
    }
    if let Some(slow) = summary.slowest.first() {
        writeln!(out, "takes {:.3} s in the mean, {:.3} s at most", slow.mean, slow.longest)?;
    }
    Ok(())
}
