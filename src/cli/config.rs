//! `[tool.jostle]` in the suite's pyproject.toml, or the same settings at the top of a jostle.toml.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::seed::SeedFrom;
use crate::cli::values::UsageError;
use crate::parse::reason;
use crate::run::services::settings::ServiceSettings;
use crate::run::services::{Reset, Service};
use crate::state::NamedPlace;

/// The settings; each has the name of its command-line option, which overrides it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `--python`, relative to the file.
    pub python: Option<PathBuf>,
    /// `--engine`.
    pub engine: Option<String>,
    /// `--seed`.
    pub seed: Option<SeedFrom>,
    /// `--trials`.
    pub trials: Option<u64>,
    /// `--schedules`.
    pub schedules: Option<u64>,
    /// `--time`, as text.
    pub time: Option<String>,
    /// `--workers`: numbers, or `"auto"`.
    pub workers: Option<Vec<Count>>,
    /// `--dist`.
    pub dist: Option<Vec<String>>,
    /// `--order`.
    pub order: Option<Vec<String>>,
    /// `--hash-seeds`.
    pub hash_seeds: Option<u32>,
    /// `--ignore-rank`.
    pub ignore_rank: Option<bool>,
    /// `--test-timeout`, as text.
    pub test_timeout: Option<String>,
    /// `--trial-timeout`, as text.
    pub trial_timeout: Option<String>,
    /// `--failures`, relative to the file.
    pub failures: Option<PathBuf>,
    /// `--sandbox`.
    pub sandbox: Option<String>,
    /// `--share`, relative to the file.
    pub share: Option<Vec<PathBuf>>,
    /// `--network`.
    pub network: Option<String>,
    /// `--disk`, as text.
    pub disk: Option<String>,
    /// `--memory`, as text.
    pub memory: Option<String>,
    /// `--jobs`.
    pub jobs: Option<u32>,
    /// `--report-leftovers`.
    pub(crate) report_leftovers: Option<bool>,
    /// `--fail-fast`.
    pub(crate) fail_fast: Option<bool>,
    /// `--explain`.
    pub(crate) explain: Option<String>,
    /// `--no-explain`: `explain = "no"`, which goes before it.
    pub(crate) no_explain: Option<bool>,
    /// `--known`, relative to the file.
    pub known: Option<PathBuf>,
    /// `--strict`.
    pub strict: Option<bool>,
    /// `--history`, relative to the file.
    pub history: Option<PathBuf>,
    /// `--junit`, relative to the file.
    pub junit: Option<PathBuf>,
    /// `--html`, relative to the file.
    pub(crate) html: Option<PathBuf>,
    /// `--code-quality`, relative to the file.
    pub(crate) code_quality: Option<PathBuf>,
    /// `--sarif`, relative to the file.
    pub(crate) sarif: Option<PathBuf>,
    /// Places of state to watch, by the names that reports have for them.
    pub(crate) state: Option<BTreeMap<String, NamedState>>,
    /// What `jostle leaks` is told.
    pub(crate) leaks: Option<LeaksSettings>,
    /// Servers that each trial has of its own, by name.
    pub(crate) services: Option<BTreeMap<String, ServiceSettings>>,
    /// What would stand after `--`.
    pub pytest_args: Option<Vec<String>>,
    /// Settings by the name of the `--profile` that puts them in place of those above; a profile has none.
    #[serde(default)]
    pub profile: BTreeMap<String, Config>,
}

/// A number of workers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Count {
    /// So many.
    Number(u32),
    /// `auto`.
    Word(String),
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

/// Settings of `jostle leaks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaksSettings {
    /// Patterns of places that may be left changed.
    #[serde(default)]
    pub(crate) allow: Vec<String>,
}

/// How a place of state is got at.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum NamedState {
    /// `module:attribute`.
    Attribute(String),
    /// By functions.
    Functions(Accessors),
}

/// The functions that give a value, and set it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accessors {
    /// `module:function`, called without arguments.
    get: String,
    /// `module:function`, called with the value that is to be put back.
    set: Option<String>,
}

impl Config {
    /// The places of state that are named, in the order of their names.
    ///
    /// # Errors
    /// What leads to one is not of the form `module:attribute`.
    pub(crate) fn named_places(&self) -> Result<Vec<NamedPlace>, UsageError> {
        let place = |(name, state): (&String, &NamedState)| {
            let (get, is_getter, set) = match state {
                NamedState::Attribute(get) => (get.clone(), false, None),
                NamedState::Functions(Accessors { get, set }) => (get.clone(), true, set.clone()),
            };
            let place = NamedPlace { name: name.clone(), get, is_getter, set };
            place.checked().map_err(|why| UsageError(format!("[tool.jostle.state] {name}: {why}")))
        };
        self.state.iter().flatten().map(place).collect()
    }

    /// The servers that each trial has of its own. Relative paths start at `folder`; `python` is the suite's.
    ///
    /// # Errors
    /// The settings of one are wrong, a program is not to be found, or two are at one address.
    pub(crate) fn services(&self, folder: &Path, python: &Path) -> Result<Vec<Service>, UsageError> {
        let service = |(name, settings): (&String, &ServiceSettings)| {
            Service::new(name, settings, folder, python)
                .map_err(|why| UsageError(format!("[tool.jostle.services.{name}] {why}")))
        };
        let own = self.services.iter().flatten().filter(|(_, settings)| !settings.stays_outside());
        let services: Vec<Service> = own.map(service).collect::<Result<_, _>>()?;
        match Service::at_one_address(&services) {
            Some((one, other)) => Err(UsageError(format!(
                "[tool.jostle.services.{other}] is at the address of [tool.jostle.services.{one}]: give it another"
            ))),
            None => Ok(services),
        }
    }
}

impl Config {
    /// The servers that stay outside of the trials, with what puts them back. It is run in `folder`, with the programs of the
    /// suite's Python.
    ///
    /// # Errors
    /// The settings of one are wrong.
    pub(crate) fn resets(&self, folder: &Path, python: &Path) -> Result<Vec<Reset>, UsageError> {
        let reset = |(name, settings): (&String, &ServiceSettings)| {
            Reset::new(name, settings, folder, python)
                .map_err(|why| UsageError(format!("[tool.jostle.services.{name}] {why}")))
                .transpose()
        };
        self.services.iter().flatten().filter_map(reset).collect()
    }
}

#[derive(Deserialize)]
struct Pyproject {
    tool: Option<Tool>,
}

#[derive(Default, Deserialize)]
struct Tool {
    jostle: Option<Config>,
}

/// The file that can stand beside pyproject.toml.
const OWN: &str = "jostle.toml";
const SHARED: &str = "pyproject.toml";

/// Reads the configuration of a folder; an absent file or table is an empty one.
///
/// # Errors
/// A file cannot be read or parsed, has settings that do not exist, or both files have some.
pub fn read(folder: &Path) -> Result<Config, UsageError> {
    let own = read_as(folder, OWN, parse_own)?;
    let shared = read_as(folder, SHARED, parse)?.flatten();
    match (own, shared) {
        (Some(_), Some(_)) => Err(UsageError(format!(
            "{} has settings in {OWN} and in [tool.jostle] of {SHARED}: keep them in one of the two",
            folder.display()
        ))),
        (own, shared) => Ok(own.or(shared).unwrap_or_default()),
    }
}

/// Reads and parses a file; none if there is none.
fn read_as<T>(
    folder: &Path,
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, UsageError> {
    let path = folder.join(name);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let path = path.display();
            return Err(UsageError(format!(
                "cannot read {path}: {error}. Make it a readable UTF-8 file, or remove it"
            )));
        }
    };
    let parsed = parse(&text);
    parsed.map(Some).map_err(|why| UsageError(format!("{}: {why}. Mend it there", path.display())))
}

/// Reads the text of a pyproject.toml; none if it has no table for jostle.
///
/// # Errors
/// It is no TOML, or its table has settings that do not exist or are of another type.
pub fn parse(text: &str) -> Result<Option<Config>, String> {
    let file: Pyproject = toml::from_str(text).map_err(|error| wrong(text, &error))?;
    file.tool.and_then(|tool| tool.jostle).map(flat).transpose()
}

/// Reads the text of a jostle.toml.
///
/// # Errors
/// As those of [`parse`].
pub fn parse_own(text: &str) -> Result<Config, String> {
    flat(toml::from_str(text).map_err(|error| wrong(text, &error))?)
}

/// Refuses profiles within profiles.
fn flat(config: Config) -> Result<Config, String> {
    match config.profile.iter().find(|(_, profile)| !profile.profile.is_empty()) {
        Some((name, _)) => Err(format!("the profile `{name}` has profiles: put them beside it")),
        None => Ok(config),
    }
}

/// serde's words for types, and those of people who write TOML.
const TYPES: &[(&str, &str)] = &[
    ("invalid type: ", "it is "),
    ("invalid value: ", "it is "),
    ("expected a u64,", "a whole number of 0 or more is needed, or"),
    ("expected u64", "a whole number of 0 or more is needed"),
    ("expected u32", "a whole number from 0 to 4294967295 is needed"),
    ("expected a sequence", "a list is needed"),
    ("expected a string", "a text in quotes is needed"),
    ("expected path string", "a path in quotes is needed"),
    ("expected a boolean", "true or false is needed"),
    ("floating point `", "the number `"),
    ("integer `", "the number `"),
    ("string \"", "the text \""),
    ("sequence,", "a list,"),
    ("map,", "a table,"),
    ("data did not match any variant of untagged enum Count", "a number of workers or \"auto\" is needed"),
    (
        "data did not match any variant of untagged enum NamedState",
        "\"module:attribute\", or a table with get and perhaps set, is needed",
    ),
    ("expected struct Config", "a table is needed"),
    ("expected struct Tool", "a table is needed"),
    ("unknown field", "there is no setting"),
];

/// What is wrong, and where.
fn wrong(text: &str, error: &toml::de::Error) -> String {
    let said = error.message();
    // serde names all settings there are, which is too much to read.
    let said = match said.split_once(", expected one of") {
        Some((unknown, known)) if known.contains("`databases`") => {
            format!("{unknown}: a service has {known}")
        }
        Some((unknown, _)) => format!("{unknown}: each has the name of an option of `jostle stress`"),
        None => said.to_owned(),
    };
    let said = TYPES.iter().fold(said, |said, (rust, toml)| said.replace(rust, toml));
    let what = said.lines().map(reason).collect::<Vec<_>>().join(", ");
    let before = error.span().and_then(|span| text.get(..span.start));
    match before {
        Some(before) => format!("line {}: {what}", before.matches('\n').count() + 1),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::schedule::Resource;
    use crate::race::servers::Listening;
    use crate::session::stress::servers::settings;

    #[test]
    fn settings_are_read_and_unknown_ones_refused() {
        let config = parse("[tool.jostle]\nworkers = [1, \"auto\"]\ntime = \"30m\"\n").unwrap().unwrap();
        assert_eq!(config.workers, Some(vec![Count::Number(1), Count::Word("auto".into())]));
        assert_eq!(parse("[tool.other]\nx = 1\n"), Ok(None));
        assert_eq!(parse_own("trials = 3\n").unwrap().trials, Some(3));
        assert!(parse("[tool.jostle]\nworker = 3\n").unwrap_err().contains("no setting `worker`"));
        assert!(parse("[tool.jostle]\ntrials = \"many\"\n").is_err());
    }

    #[test]
    fn the_lines_that_are_advised_are_settings() {
        let rows: [(&str, Option<&str>, &[&str]); 7] = [
            ("port:tcp 5432", None, &["port = 5432"]),
            ("port:tcp 6379", None, &["port = 6379"]),
            ("port:tcp 80", None, &["ready = \"127.0.0.1:80\""]),
            ("file:/run/x/.s.PGSQL.5432", None, &["socket = \"/run/x\""]),
            ("file:/run/x/.s.PGSQL.5433", None, &["socket = \"/run/x\"", "port = 5433"]),
            ("file:/run/x.sock", Some("redis-server"), &["socket = \"/run/x.sock\""]),
            ("file:/run/x.sock", None, &["ready = \"/run/x.sock\""]),
        ];
        for (resource, program, told) in rows {
            let program = program.map(str::to_owned);
            let at = Listening { resource: Resource(resource.into()), program, reached: true };
            let lines = settings(&at).join("\n").replace("NAME]", "name]");
            let config = parse(&lines).unwrap().unwrap();
            assert_eq!(config.services.unwrap().len(), 1, "{lines}");
            assert!(told.iter().all(|told| lines.lines().any(|line| line == *told)), "{lines}");
        }
    }

    proptest! {
        #[test]
        fn no_file_makes_the_parser_panic(text in any::<String>()) {
            if let Err(why) = parse(&text) {
                prop_assert!(!why.is_empty());
            }
        }
    }
}
