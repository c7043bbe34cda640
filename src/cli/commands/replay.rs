//! `jostle replay`: one plan again, from a token or a failure file.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use crate::cli::ExitCode;
use crate::cli::args::{AxesArgs, ExplainArgs, PlanAgainArgs, ReplayArgs};
use crate::cli::commands::suite_run::{STDOUT, engine, write_json};
use crate::cli::commands::{last_session, page, replay_log};
use crate::cli::isolation_options::IsolationOptions;
use crate::cli::options::SuiteOptions;
use crate::cli::values::UsageError;
use crate::finding::Kind;
use crate::judge::observation::FailureMatcher;
use crate::plan::coverage::Coverage;
use crate::plan::token::Token;
use crate::plan::{Axes, Plan, Seed, plan_without};
use crate::record::FailureFile;
use crate::report::links::Links;
use crate::report::progress::Progress;
use crate::report::replay::Replay;
use crate::report::{Again, Document, Manner, ReplayDocument, kinds, terminal, words};
use crate::run::engine::Collect;
use crate::run::{Engine, RunError};
use crate::session::agenda::Agenda;
use crate::session::event::Event;
use crate::session::fix::search::Trials;
use crate::session::race::pairs;
use crate::session::replay::{Replayed, explain, replay};
use crate::session::stress::{baseline, collections};
use crate::session::{Explain, Lab, Limits, SessionResult};
use crate::suite::Suite;

/// What the user named.
enum Named {
    Token(Token),
    File(Box<FailureFile>),
}

/// Runs the command.
///
/// # Errors
/// The token, file or options are wrong, or pytest cannot be run.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    again(&args.plan, args.shrink, args.explain.map_or(Explain::Fix, Explain::from), &[])
}

/// Runs `jostle explain`: a replay of which what fails is judged, shrunk and explained, whatever is configured for
/// sessions; or prints what a kind of finding is.
///
/// # Errors
/// As those of [`run`].
pub(crate) fn explained(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let word = &args.plan.token;
    let is_file = Path::new(word).is_file();
    if let Some(section) = kinds::section(word).filter(|_| !is_file) {
        let results = [("--json", args.plan.suite.json.is_some()), ("--html", args.plan.page.html.is_some())];
        if let Some((option, _)) = results.iter().find(|(_, given)| *given) {
            return Err(UsageError(format!(
                "what the book says of `{word}` is text and no results: leave {option} out, or give a token or a failure file"
            ))
            .into());
        }
        let mut out = std::io::stdout();
        out.write_all(section.as_bytes()).and_then(|()| out.flush()).context(STDOUT)?;
        return Ok(ExitCode::Clean);
    }
    if looks_like_a_kind(word) && !Path::new(word).exists() {
        return Err(UsageError(format!(
            "there is no kind of finding `{word}`: give one of {}, a token like 42:7, or a failure file",
            kinds::names().join(", ")
        ))
        .into());
    }
    again(&args.plan, true, args.explain.into(), &args.watch)
}

/// Whether a word has letters only, as neither a token nor a file's name has.
fn looks_like_a_kind(word: &str) -> bool {
    word.starts_with(char::is_alphabetic)
        && word.chars().all(|letter| letter.is_alphabetic() || letter == '-')
}

fn again(
    args: &PlanAgainArgs,
    shrink: bool,
    how_far: Explain,
    watched: &[String],
) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let log = replay_log::log(&args.token)?;
    let reported = log.as_ref().map(|log| replay_log::token(&args.token, log)).transpose()?.flatten();
    if let (Some(log), None) = (&log, &reported) {
        return replay_log::run(args, how_far, watched, log);
    }
    let times = args.times.unwrap_or(1);
    let named = named(reported.as_ref().unwrap_or(&args.token))?;
    if let (Named::File(_), true) = (&named, args.axes != AxesArgs::default()) {
        return Err(UsageError(format!(
            "{} holds the whole plan: leave out --workers, --dist, --order, --hash-seeds and --ignore-rank, which \
             belong to tokens",
            args.token
        ))
        .into());
    }
    let options = SuiteOptions::new(&args.suite)?.watching(watched)?;
    let page = args.page.place()?;
    let axes = options.axes(&args.axes)?;
    let seed = match &named {
        Named::Token(token) => token.seed,
        Named::File(file) => file.failing().seed,
    };
    let mut engine = engine(&options, &IsolationOptions::new(&args.isolation, &options)?)?;
    let mut collected = engine.collect(Collect::kept(axes.hash_seed_values(seed)[0]))?;
    collected.suite = as_named(&named, &collected.suite, &mut *engine, seed, &axes)?;
    let suite = axes.heeded_of(&collected.suite);
    if suite.tests.is_empty() && suite.errors.is_empty() {
        anstream::eprintln!("jostle: cannot replay: no test was collected");
        return Ok(ExitCode::NothingCollected);
    }
    let Some((plan, wanted)) = plan_of(&named, &collected.suite, &axes) else {
        return Ok(ExitCode::Undecided);
    };
    let limits = Limits { trials: Some(u64::from(times)), ..Limits::default() };
    let mut progress = Progress::of_replay(&limits, options.progress);
    let mut kept = page::trials(page.as_deref());
    let mut reporters = page::reporters(&mut progress, kept.as_mut());
    let mut lab = Lab::new(&suite, &mut *engine, &mut reporters, None);
    if let Named::Token(token) = &named {
        lab.tell(&Event::LeftOut(&token.left_out));
    }
    let Some(plan) = raced(&mut lab, &named, plan)? else {
        drop(progress);
        anstream::eprintln!(
            "jostle: cannot replay: the suite has no race trial of that number. If it had one, what its tests touch has changed \
             since; a failure file holds the whole plan"
        );
        return Ok(ExitCode::Undecided);
    };
    let mut replayed = replay(&mut lab, &plan, wanted.as_ref(), times)?;
    if shrink {
        let trials = Trials::new(&collected.interpreter.rootdir, plan.seed, &axes);
        let agenda = Agenda::new(&collected.interpreter, how_far, trials);
        explain(&mut lab, agenda, &plan, &mut replayed);
    }
    let account = lab.close();
    drop(progress);
    let outline = SessionResult {
        duration: start.elapsed(),
        ..outline(account.result(collected, seed, axes), &plan, &replayed)
    };
    last_session::also_keep(&options.folder, &outline);
    tell_error(&outline);
    let code = match (replayed.tally.failed > 0, shrink) {
        _ if replayed.ended.is_some() => ExitCode::of_session(&outline, true),
        (false, _) => ExitCode::Undecided,
        (true, true) => ExitCode::of_session(&outline, true),
        (true, false) => ExitCode::Found,
    };
    let replay = Replay::new(&replayed, &suite, wanted.as_ref());
    page::of_replay(page.as_deref(), &replay, &outline, kept.as_ref())?;
    let runs = ReplayDocument::new(&replayed, wanted.as_ref(), &suite);
    if !write_json(options.json.as_ref(), &Document::new(&outline, code as u8).of_replay(runs))? {
        replay.write(&mut anstream::stdout()).context(STDOUT)?;
        if shrink {
            let manner = Manner::new(options.verbosity, Again::Replayed);
            let manner = manner.linked(Links::of_terminal(&options.folder));
            terminal::session(&mut anstream::stdout(), &outline, manner, None, &[])?;
        }
    }
    Ok(code)
}

/// The suite with its tests named as when the failure was found: by position where their ids are others in each
/// process. A token tells that by its fingerprint alone.
fn as_named(
    named: &Named,
    suite: &Suite,
    engine: &mut dyn Engine,
    seed: Seed,
    axes: &Axes,
) -> Result<Suite, RunError> {
    match named {
        Named::File(file) => Ok(suite.named_as(file.tests())),
        Named::Token(token) if !token.is_of(suite) && !token.is_of_unsorted(suite) => {
            let hash_seeds = axes.hash_seed_values(seed);
            Ok(collections::compare(engine, suite, None, seed, hash_seeds[0], &hash_seeds[1..])?.suite)
        }
        Named::Token(_) => Ok(suite.clone()),
    }
}

/// The plan, once it is known what is raced for if it is that of a race by its token; none if there is no such
/// race.
fn raced(lab: &mut Lab<'_>, named: &Named, plan: Plan) -> Result<Option<Plan>, RunError> {
    match named {
        Named::Token(token) if token.race => {
            pairs::plan_of_token(lab, token.seed, plan.hash_seed, token.index)
        }
        _ => Ok(Some(plan)),
    }
}

fn named(text: &str) -> anyhow::Result<Named> {
    match text.parse::<Token>() {
        Ok(token) => Ok(Named::Token(token)),
        Err(_) if Path::new(text).is_file() => {
            let path = Path::new(text);
            let file = FailureFile::read(path)
                .map_err(|error| UsageError(format!("{error}{}", replay_log::as_a_log(path))))?;
            if file.kind == Kind::UnstableCollection {
                return Err(UsageError(format!(
                    "{text} records that what is collected is not always the same, which no plan shows: use \
                     `jostle verify {text}`"
                ))
                .into());
            }
            Ok(Named::File(Box::new(file)))
        }
        Err(_) if Path::new(text).is_dir() => Err(UsageError(format!(
            "{text} is a folder: give a failure file in it, or use `jostle verify {text}` for all of them"
        ))
        .into()),
        Err(_) if text.contains("::") => Err(UsageError(format!(
            "{text} is a test: give a token like 42:7 or a failure file (`jostle explain` takes a kind of finding as well, like \
             victim). What makes a test fail is looked for by `jostle stress --victim {}`",
            shlex::try_quote(text).unwrap_or(text.into())
        ))
        .into()),
        Err(error) => Err(UsageError(format!("there is no such file, and {error}")).into()),
    }
}

/// The plan for the suite as it is now, and the failure that is looked for. What has changed is said;
/// none if the plan cannot be followed any more.
fn plan_of(named: &Named, suite: &Suite, axes: &Axes) -> Option<(Plan, Option<FailureMatcher>)> {
    match named {
        Named::Token(token) => {
            if token.is_of_unsorted(suite) && !axes.ignore_rank && !token.race {
                anstream::eprintln!(
                    "the token was made without regard to how {} sorts tests, so that this is another plan, which is now {}. \
                     Give --ignore-rank for the old one, unless tests are classes of django.test, or a failure file",
                    words::listed(&suite.sorting.sorted_by),
                    Token::new(token.seed, token.index, token.race, suite)
                );
            } else if !token.is_of(suite) && !token.is_of_unsorted(suite) {
                anstream::eprintln!(
                    "the token is of another suite, or of this one before it changed: the fingerprint of the {} collected \
                     here is {}. Shuffled tests that are still there keep their relative order, but partitions differ, \
                     so that this may be another plan. Give --rootdir and pytest's arguments as they were, or a failure \
                     file, which holds the whole plan",
                    words::count(suite.tests.len(), "test"),
                    suite.plan_fingerprint()
                );
            }
            let hash_seed = axes.hash_seed_values(token.seed)[0];
            let plan = match token.race {
                // What its tests touch decides it, which is not known before they are run.
                true => baseline::suite_order(suite, token.seed, hash_seed),
                false => plan_without(&token.left_out, token.seed, token.index, suite, axes),
            };
            Some((plan, None))
        }
        Named::File(file) => {
            if file.failing().fingerprint != suite.fingerprint {
                anstream::eprintln!(
                    "the suite has changed since the failure was recorded; its recorded plan is used"
                );
            }
            match file.failing().plan(suite) {
                Ok(plan) => {
                    let wanted = file.wanted(suite);
                    Some((plan, wanted))
                }
                Err(error) => {
                    anstream::eprintln!(
                        "jostle: cannot replay: {error}. If the tests were renamed, record the failure anew"
                    );
                    None
                }
            }
        }
    }
}

/// The result of a replay, but for how long it took, from what its events came to.
pub(super) fn outline(result: SessionResult, plan: &Plan, replayed: &Replayed) -> SessionResult {
    let mut coverage = Coverage::new(&result.collected.suite);
    coverage.add(plan);
    let trials = u64::from(replayed.tally.runs + replayed.silent);
    let unjudged = replayed.unjudged.clone();
    SessionResult { trials, coverage: coverage.shares(), unjudged, ..result }.ended(replayed.ended.clone())
}

/// Says what error ended a session, if one did.
pub(super) fn tell_error(outline: &SessionResult) {
    if let Some(error) = &outline.error {
        anstream::eprintln!("jostle: {error}");
    }
}
