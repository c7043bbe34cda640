//! Where a session's journal is, and what must be as it was for another session to go on from it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::ValueEnum;

use crate::cli::args::StressArgs;
use crate::cli::config::Config;
use crate::cli::options::StressOptions;
use crate::cli::seed::{Resolved, SeedFrom};
use crate::cli::values::{UsageError, place_for};
use crate::leaks::known::KnownLeaks;
use crate::plan::Seed;
use crate::record::{Journal, history_file, journal_file};
use crate::run::site::workspace::cache_dir;
use crate::session::lab::journaled::{Begin, JournalKey, Place};
use crate::state::NamedPlace;

/// The seed of a session, where that is from, and the place of the journal. A session that goes on has the seed
/// of its journal, which may be of yesterday; else a seed is drawn if none is given.
///
/// # Errors
/// There is no journal to go on from, it has another seed, or a new one cannot be where it should.
pub fn place(
    args: &StressArgs,
    configured: Option<SeedFrom>,
    project: &Path,
) -> Result<(Seed, Option<String>, Place), UsageError> {
    if let Some(named) = &args.resume {
        let given = match args.seed.or(configured) {
            Some(SeedFrom::Number(seed)) => Some(seed),
            _ => None,
        };
        let path = match named {
            Some(path) => path.clone(),
            None => kept(given, project)?,
        };
        let header = Journal::header_of(&path).map_err(|error| {
            let name = path.display();
            UsageError(match named {
                // What is there and no journal may be meant for pytest.
                Some(path) if path.exists() => {
                    format!("{error}. For tests write `--resume -- {name}`, or name them before `--resume`")
                }
                _ => error.to_string(),
            })
        })?;
        let (Seed(recorded), night) = (header.seed, header.night);
        return match given {
            Some(given) if given != recorded => Err(UsageError(format!(
                "cannot go on from {} with --seed {given}: its seed is {recorded}. Leave --seed out, or give that",
                path.display()
            ))),
            _ => Ok((Seed(recorded), None, Place { path, begin: Begin::Resume, night })),
        };
    }
    let Resolved { seed, from } = match args.seed.or(configured) {
        Some(given) => given.resolve()?,
        None => Resolved { seed: Seed(rand::random()), from: Some("drawn".into()) },
    };
    let (path, begin) = match &args.journal {
        Some(path) => (vacant(path)?, Begin::New),
        None => (journal_file::place(&cache()?, project, seed.0), Begin::Automatic),
    };
    Ok((seed, from, Place { path, begin, night: history_file::name(SystemTime::now(), seed) }))
}

/// What else than the suite decides the runs of a session.
///
/// # Errors
/// An argument for pytest cannot be written as one of a command line.
pub(crate) fn journal_key(options: &StressOptions) -> Result<JournalKey, UsageError> {
    let (suite, axes, isolation) = (&options.suite, &options.axes, &options.isolation);
    let pytest_args = shlex::try_join(suite.pytest_args.iter().map(String::as_str))
        .map_err(|_| UsageError("an argument for pytest has a NUL character in it: leave it out".into()))?;
    let time = |time| humantime::format_duration(time).to_string();
    let given = |given: bool| if given { "given".to_owned() } else { String::new() };
    let values = [
        ("--workers", listed(&axes.workers, u32::to_string)),
        ("--dist", listed(&axes.modes, |mode| mode.name().to_owned())),
        ("--order", listed(&axes.orders, |order| order.name().to_owned())),
        ("--hash-seeds", axes.hash_seeds.to_string()),
        ("--ignore-rank", given(axes.ignore_rank)),
        ("--engine", word(suite.engine)),
        ("--test-timeout", time(suite.test_timeout)),
        ("--trial-timeout", suite.trial_timeout.map_or_else(String::new, time)),
        ("--sandbox", word(isolation.sandbox)),
        ("--network", word(isolation.network)),
        ("--share", listed(&isolation.share, |path| path.display().to_string())),
        ("--disk", isolation.disk.to_string()),
        ("--memory", isolation.memory.map_or_else(String::new, |bytes| bytes.to_string())),
        ("--report-leftovers", given(isolation.report_leftovers)),
        ("[tool.jostle.state]", listed(&suite.named_places, named_place)),
        ("[tool.jostle.services]", services(&suite.config)?),
        ("--leaks", options.limits.leaks.as_ref().map_or_else(String::new, KnownLeaks::digest)),
        ("pytest's arguments:", pytest_args),
    ];
    let given = values.into_iter().filter(|(_, value)| !value.is_empty());
    let decisive = given.map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(JournalKey { seed: options.seed, options: decisive })
}

/// The servers of the trials' own, as their settings say.
fn services(config: &Config) -> Result<String, UsageError> {
    let Some(services) = config.services.as_ref().filter(|services| !services.is_empty()) else {
        return Ok(String::new());
    };
    serde_json::to_string(services).map_err(|error| UsageError(format!("[tool.jostle.services]: {error}")))
}

fn named_place(place: &NamedPlace) -> String {
    let NamedPlace { name, get, is_getter, set } = place;
    format!("{name}={get}{}{}", if *is_getter { "()" } else { "" }, set.as_deref().unwrap_or_default())
}

fn listed<T>(values: &[T], name: impl Fn(&T) -> String) -> String {
    values.iter().map(name).collect::<Vec<_>>().join(",")
}

fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

fn cache() -> Result<PathBuf, UsageError> {
    cache_dir().map_err(|error| UsageError(error.to_string()))
}

/// The journal of a project in the cache folder.
fn kept(seed: Option<u64>, project: &Path) -> Result<PathBuf, UsageError> {
    let cache = cache()?;
    let found = match seed {
        Some(seed) => Some(journal_file::place(&cache, project, seed)).filter(|path| path.exists()),
        None => journal_file::newest(&cache, project)
            .map_err(|error| UsageError(format!("cannot read {}: {error}", cache.display())))?,
    };
    let with = seed.map_or_else(String::new, |seed| format!(" with seed {seed}"));
    found.ok_or_else(|| {
        UsageError(format!(
            "--resume: no session of {}{with} has a journal in {}. Start one without --resume, or name the file \
             that --journal wrote: --resume FILE",
            project.display(),
            cache.display()
        ))
    })
}

/// A place for a new journal; told before anything is run.
fn vacant(path: &Path) -> Result<PathBuf, UsageError> {
    let path = place_for("--journal", path)?;
    if path.exists() {
        let name = path.display();
        return Err(UsageError(format!(
            "the journal {name} exists: go on from it with --resume {name}, or remove it, or give another file"
        )));
    }
    Ok(path)
}
