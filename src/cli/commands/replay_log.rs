//! `jostle replay LOG`: from the log of a run that was not jostle's to the tests that make another fail.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use crate::cli::ExitCode;
use crate::cli::args::PlanAgainArgs;
use crate::cli::commands::page;
use crate::cli::commands::replay::{outline, tell_error};
use crate::cli::commands::suite_run::{engine, write_json};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::cli::values::UsageError;
use crate::limits::LOG_RUNS;
use crate::logs::junit::Reported;
use crate::logs::{Name, ParsedLog, Placed, Ran, Source, junit, place, terminal, unknown};
use crate::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex};
use crate::record::atomic_file;
use crate::report::progress::Progress;
use crate::report::replay::Replay;
use crate::report::{Again, Document, Manner, ReplayDocument, Verbosity, terminal as report, words};
use crate::run::Engine;
use crate::run::engine::{Collect, Surroundings};
use crate::session::agenda::Agenda;
use crate::session::fix::search::Trials;
use crate::session::replay::{Replayed, explain, replay};
use crate::session::{Explain, Lab, Limits, SessionResult};
use crate::suite::TestIndex;
use crate::trial::Collected;

/// A log is text that a person could still look into; what is larger is something else.
const MOST_BYTES: u64 = 256 << 20;

/// The text of a log, if that is what the user named: neither JSON, which a failure file is, nor a token.
///
/// # Errors
/// It tells nothing, or standard input cannot be read.
pub(crate) fn log(named: &str) -> Result<Option<String>, UsageError> {
    let bytes = if named == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().take(MOST_BYTES).read_to_end(&mut bytes);
        read.map_err(|error| UsageError(format!("cannot read standard input: {error}")))?;
        bytes
    } else if let Ok(bytes) = atomic_file::read(Path::new(named), MOST_BYTES) {
        bytes
    } else {
        // A token, or what whoever reads failure files complains of.
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if text.trim_start().starts_with('{') {
        return Ok(None);
    }
    let parsed = read(&text).unwrap_or_else(|_| ParsedLog::nothing(Source::Serial));
    let tells = junit::is(&text) || !parsed.runs.is_empty() || parsed.randomly.is_some();
    if !tells && named == "-" {
        return Err(UsageError(format!("standard input {NOTHING}")));
    }
    Ok(tells.then_some(text))
}

/// What is to be said of a file that is no failure file: nothing if it is JSON, which no log is.
pub(crate) fn as_a_log(named: &Path) -> String {
    match atomic_file::read(named, MOST_BYTES) {
        Ok(bytes) if !bytes.trim_ascii_start().starts_with(b"{") => format!(". As a log, it {NOTHING}"),
        _ => String::new(),
    }
}

/// The token of the failure that a report of `jostle stress --junit` tells; none if the log is another's.
///
/// # Errors
/// It tells none, or several.
pub fn token(named: &str, log: &str) -> Result<Option<String>, UsageError> {
    let reported = if junit::is(log) { junit::reported(log) } else { Ok(None) };
    let Some(mut reported) = reported.map_err(|why| no_xml(named, &why))? else {
        return Ok(None);
    };
    if reported.iter().any(|one| one.failed) {
        reported.retain(|one| one.failed);
    }
    let (with, without): (Vec<_>, Vec<_>) = reported.iter().partition(|one| !one.token.is_empty());
    match with.as_slice() {
        [] => Err(UsageError(format!(
            "{named} is a report of jostle's, and tells no token of a failure: what was seen before the first trial has \
             none. Give a failure file, as --failures writes it"
        ))),
        [one] => {
            if !without.is_empty() {
                anstream::eprintln!("{}", no_token(&without));
            }
            Ok(Some(one.token.clone()))
        }
        several => {
            let of = |one: &&Reported| format!("{} ({})", one.token, named_by(one));
            let tokens: Vec<String> = several.iter().map(of).collect();
            let others = if without.is_empty() { String::new() } else { format!(". {}", no_token(&without)) };
            let tokens = tokens.join(", ");
            Err(UsageError(format!("{named} tells several failures: give one of {tokens}{others}")))
        }
    }
}

fn named_by(reported: &Reported) -> String {
    format!("{}.{}", reported.test.0, reported.test.1)
}

/// What is said of failures that no token shows.
fn no_token(failures: &[&Reported]) -> String {
    let named: Vec<String> = failures.iter().map(|&one| named_by(one)).collect();
    format!(
        "there is no token of {}: give the failure file, which jostle stress writes with --failures",
        named.join(", ")
    )
}

fn no_xml(named: &str, why: &str) -> UsageError {
    UsageError(format!("{named} is no JUnit XML: {why}. Give the file as it was written"))
}

const NOTHING: &str = "tells no order of tests: give what `pytest -v` or `pytest -n N -v` printed, a JUnit XML file, \
                       or a log with pytest-randomly's line `Using --randomly-seed=…`";

fn read(text: &str) -> Result<ParsedLog, String> {
    if junit::is(text) { junit::read(text) } else { Ok(terminal::read(text)) }
}

/// Runs the plan of a log, and judges and shrinks what fails.
///
/// # Errors
/// The log or the options are wrong, or pytest cannot be run.
pub(crate) fn run(
    args: &PlanAgainArgs,
    how_far: Explain,
    watched: &[String],
    log: &str,
) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let named = &args.token;
    let mut parsed = read(log).map_err(|why| no_xml(named, &why))?;
    if !parsed.runs.is_empty() && parsed.summary.is_empty() && !parsed.runs.iter().any(|ran| ran.failed) {
        return Err(UsageError(format!(
            "no test failed in this log, {named}: give the log of a run in which one did, or let jostle stress look for \
             failures"
        ))
        .into());
    }
    let options = SuiteOptions::new(&args.suite)?.watching(watched)?;
    let page = args.page.place()?;
    let axes = options.axes(&args.axes)?;
    let seed = Seed(parsed.randomly.unwrap_or(0));
    let hash_seeds = axes.hash_seed_values(seed);
    let mut engine = engine(&options, &IsolationOptions::new(&args.isolation, &options)?)?;
    let collected = engine.collect(Collect::kept(hash_seeds[0]))?;
    if let (true, Some(seed)) = (parsed.runs.is_empty(), parsed.randomly) {
        parsed.runs = order_of_randomly(&mut *engine, &collected, seed, hash_seeds[0])?;
    }
    let placed = place(&parsed, &collected.suite);
    if placed.workers.iter().all(Vec::is_empty) {
        anstream::eprintln!(
            "jostle: cannot replay {named}: none of its tests is collected now, or it {NOTHING}"
        );
        return Ok(ExitCode::Undecided);
    }
    let unknown = unknown(&parsed, &placed);
    let plan = plan(&parsed, &placed, seed, hash_seeds[0]);
    let times = args.times.unwrap_or(LOG_RUNS);
    let limits = Limits { trials: Some(u64::from(times)), ..Limits::default() };
    let mut progress = Progress::of_replay(&limits, options.progress);
    let mut kept = page::trials(page.as_deref());
    let mut reporters = page::reporters(&mut progress, kept.as_mut());
    let suite = collected.suite.clone();
    let mut lab = Lab::new(&suite, &mut *engine, &mut reporters, None);
    let mut replayed = runs(&mut lab, &plan, &placed, times, &hash_seeds)?;
    if !replayed.failures.is_empty() {
        let trials = Trials::new(&collected.interpreter.rootdir, plan.seed, &axes);
        let agenda = Agenda::new(&collected.interpreter, how_far, trials);
        explain(&mut lab, agenda, &plan, &mut replayed);
    }
    let account = lab.close();
    drop(progress);
    let not_known = unknown.iter().map(|what| format!("the log does not tell {what}"));
    let outline = SessionResult {
        remarks: not_known.chain(account.remarks()).collect(),
        duration: start.elapsed(),
        ..outline(account.result(collected, seed, axes), &plan, &replayed)
    };
    tell_error(&outline);
    let code = if replayed.failures.is_empty() && replayed.ended.is_none() {
        ExitCode::Undecided
    } else {
        ExitCode::of_session(&outline, true)
    };
    page::of_replay(page.as_deref(), &Replay::of_log(&replayed, &suite), &outline, kept.as_ref())?;
    let runs = ReplayDocument::new(&replayed, None, &suite);
    if !write_json(options.json.as_ref(), &Document::new(&outline, code as u8).of_replay(runs))? {
        print(&parsed, &placed, &replayed, &outline, options.verbosity)?;
    }
    Ok(code)
}

/// The plan that a log tells.
fn plan(parsed: &ParsedLog, placed: &Placed, seed: Seed, hash_seed: u32) -> Plan {
    let several = parsed.source == Source::Workers;
    Plan {
        seed,
        index: TrialIndex(0),
        order: OrderKind::Explicit,
        mode: if several { parsed.mode.unwrap_or(Mode::Load) } else { Mode::No },
        workers: placed.workers.clone(),
        interleaving: Interleaving::Free,
        hash_seed,
        random_seed: seed.0 as u32,
        imports: Imports::All,
    }
}

/// Runs the plan some times, and then under other hash seeds until what failed in the log fails.
fn runs(
    lab: &mut Lab<'_>,
    plan: &Plan,
    placed: &Placed,
    times: u32,
    hash_seeds: &[u32],
) -> anyhow::Result<Replayed> {
    let mut all = Replayed::default();
    for (turn, &hash_seed) in hash_seeds.iter().enumerate() {
        let plan = Plan { hash_seed, ..plan.clone() };
        let mut replayed = replay(lab, &plan, None, if turn == 0 { times } else { 1 })?;
        // What did not fail in the log is not what is looked for.
        let wanted = |test: &TestIndex| placed.failed.is_empty() || placed.failed.contains(test);
        replayed.failures.retain(|(suspect, _)| wanted(&suspect.signature.test));
        all.tally.runs += replayed.tally.runs;
        all.tally.failed += replayed.failures.iter().map(|(_, runs)| *runs).max().unwrap_or(0);
        all.failures = replayed.failures;
        all.ended = replayed.ended;
        if !all.failures.is_empty() || all.ended.is_some() {
            break;
        }
    }
    Ok(all)
}

/// Asks pytest-randomly for the order of a seed, by a real run of pytest that only collects.
fn order_of_randomly(
    engine: &mut dyn Engine,
    collected: &Collected,
    seed: u64,
    hash_seed: u32,
) -> anyhow::Result<Vec<Ran>> {
    let has = |name: &str| collected.interpreter.plugins.iter().any(|plugin| plugin.starts_with(name));
    if !has("pytest-randomly") {
        return Err(UsageError(format!(
            "the log has pytest-randomly's seed {seed} and no other order, and this Python has no pytest-randomly to \
             ask: install it, or give the Python of the suite's environment with --python PATH"
        ))
        .into());
    }
    let mut arguments =
        vec!["--collect-only".to_owned(), "--verbosity=-1".to_owned(), format!("--randomly-seed={seed}")];
    if has("pytest-xdist") {
        arguments.push("-n0".into());
    }
    let Some((_, run)) = engine.plain(&arguments, Surroundings::Trial { hash_seed: Some(hash_seed) })? else {
        return Ok(Vec::new());
    };
    let ids = run.output.lines().filter(|line| line.contains("::"));
    let ran = |id: &str| Ran { worker: 0, name: Name::Node(id.trim_end().to_owned()), failed: false };
    Ok(ids.map(ran).collect())
}

fn print(
    parsed: &ParsedLog,
    placed: &Placed,
    replayed: &Replayed,
    outline: &SessionResult,
    verbosity: Verbosity,
) -> std::io::Result<()> {
    use std::io::Write;
    let mut out = anstream::stdout();
    let tests: usize = placed.workers.iter().map(Vec::len).sum();
    let how = match parsed.source {
        Source::Workers => words::count(placed.workers.len(), "worker"),
        Source::Serial | Source::Junit => "one process".into(),
    };
    writeln!(
        out,
        "the log tells the order of {} on {how}, {} of which failed; what failed there failed in {} of this plan\n",
        words::count(tests, "test"),
        placed.failed.len(),
        words::tally(replayed.tally)
    )?;
    if replayed.failures.is_empty() {
        outline.remarks.iter().try_for_each(|remark| writeln!(out, "note: {remark}"))?;
        let suite = &outline.collected.suite;
        return match placed.failed.first() {
            Some(&test) => writeln!(
                out,
                "it did not show; look further with jostle stress --victim '{}'",
                suite.test(test).id.node_id
            ),
            None => writeln!(out, "nothing failed"),
        };
    }
    report::session(&mut out, outline, Manner::new(verbosity, Again::Replayed), None, &[])
}
