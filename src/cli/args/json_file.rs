//! `--json FILE` with a space. A bare `--json` writes to standard output, so clap takes a file only as `--json=FILE`; what
//! follows with a space is one if it looks like one, and nothing is lost where it was meant otherwise.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, Parser};
use serde::Deserialize;

use super::Cli;
use crate::formats::REPORTS;
use crate::parse::object;
use crate::plan::document::PlanDocument;

/// The commands that are given what to work on by position: one plan, or any number of files and folders.
const OF_ONE_PLAN: [&str; 2] = ["explain", "replay"];
const OF_FILES: [&str; 2] = ["merge", "verify"];

impl Cli {
    /// The command line that somebody typed.
    ///
    /// # Errors
    /// It cannot be read, would write over a file that may be worth keeping, or asks for help or the version.
    pub fn typed(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let command = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
        match Self::try_parse_from(joined(&words, command)?) {
            // What follows `--json` is all that the command was given to work on.
            Err(error)
                if error.kind() == ErrorKind::MissingRequiredArgument && OF_ONE_PLAN.contains(&command) =>
            {
                Self::try_parse_from(words)
            }
            parsed => parsed,
        }
    }

    /// What clap makes of a command line that was taken before.
    pub(crate) fn matches(words: &[String]) -> Option<ArgMatches> {
        let command = words.get(1).map_or("", String::as_str);
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        Self::command().try_get_matches_from(joined(&words, command).ok()?).ok()
    }
}

/// The words, with the file that follows a `--json` made a part of it.
fn joined(words: &[OsString], command: &str) -> Result<Vec<OsString>, clap::Error> {
    let ours = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (ours, for_pytest) = words.split_at(ours);
    let mut joined: Vec<OsString> = Vec::new();
    for word in ours {
        match joined.last_mut() {
            Some(json) if json == "--json" && is_its_file(word, command)? => {
                json.push("=");
                json.push(word);
            }
            _ => joined.push(word.clone()),
        }
    }
    joined.extend_from_slice(for_pytest);
    Ok(joined)
}

/// Whether results are to be written there. What is there already is written over only if results are all that it
/// holds, and is left to a command that reads files unless it cannot be meant.
fn is_its_file(word: &OsString, command: &str) -> Result<bool, clap::Error> {
    let path = Path::new(word);
    if path.extension().is_none_or(|extension| extension != "json") {
        return Ok(word == "-");
    }
    if path.symlink_metadata().is_err() {
        return Ok(true);
    }
    let reads = OF_ONE_PLAN.contains(&command) || OF_FILES.contains(&command);
    match (reads, holds_results(path)) {
        (false, true) => Ok(true),
        (true, false) => Ok(false),
        _ => Err(clap::Error::raw(
            ErrorKind::ValueValidation,
            format!(
                "{0} is there, and may not be meant to be written over: write `--json={0}` if it is",
                path.display()
            ),
        )),
    }
}

/// Whether a file is what some `--json` wrote.
fn holds_results(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Report {
        schema: String,
    }
    let name = |schema: &str| schema.split('/').next().map(str::to_owned);
    let is_ours = |report: Report| REPORTS.iter().any(|ours| name(ours) == name(&report.schema));
    // What is no regular file may have no end.
    let Some(bytes) = path.is_file().then(|| fs::read(path).ok()).flatten() else { return false };
    object(&bytes).is_ok_and(is_ours) || object::<PlanDocument>(&bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Command;

    /// The words as they are read, or none if they are refused.
    fn read(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        let command = line.split(' ').next().unwrap();
        Some(joined(&words, command).ok()?.join(" ".as_ref()).into_string().unwrap())
    }

    #[test]
    fn what_looks_like_a_file_of_results_is_one() {
        let joined = |line: &str| read(line).unwrap();
        assert_eq!(joined("stress --json a/b.json -v"), "stress --json=a/b.json -v");
        assert_eq!(joined("stress --json -"), "stress --json=-");
        for same in
            ["replay --json 7:12", "stress --json", "stress --json=a b.json", "stress a -- --json b.json"]
        {
            assert_eq!(joined(same), same);
        }
    }

    #[test]
    fn only_results_are_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        let plan = "{\"version\": 1, \"seed\": 1, \"index\": 0, \"fingerprint\": \"0123456789abcdef\", \"order\": \"suite\", \
                    \"mode\": \"no\", \"hash_seed\": 1, \"random_seed\": 0, \"imports\": \"all\", \"interleaving\": \"free\", \
                    \"workers\": [[]]}";
        let results = [
            file("report.json", "{\"schema\": \"jostle.report/1\"}"),
            file("later.json", "{\"schema\": \"jostle.verify/2\", \"runs\": 3}"),
            file("plan.json", plan),
        ];
        let others = [
            file("failure.json", "{\"version\": 99, \"kind\": \"victim\"}"),
            file("night.json", "{\"schema\": \"jostle.night/1\"}"),
            file("conflict.json", "<<<<<<< ours\n{\"schema\": \"jostle.report/1\"}"),
            file("empty.json", ""),
            folder.path().join("broken.json").display().to_string(),
        ];
        std::os::unix::fs::symlink("nowhere", &others[4]).unwrap();
        for command in ["stress", "collect", "history", "plan"] {
            for path in &results {
                assert_eq!(
                    read(&format!("{command} --json {path}")),
                    Some(format!("{command} --json={path}"))
                );
            }
            for path in &others {
                assert_eq!(read(&format!("{command} --json {path}")), None, "{path}");
            }
        }
        for command in ["verify", "replay", "explain", "merge"] {
            for path in &results {
                assert_eq!(read(&format!("{command} --json {path}")), None, "{path}");
            }
            for same in others.iter().map(|path| format!("{command} --json {path}")) {
                assert_eq!(read(&same), Some(same));
            }
        }
    }

    #[test]
    fn what_a_command_works_on_is_left_to_it() {
        let token = |words: &[&str]| match Cli::typed(words.iter().map(OsString::from)).unwrap().command {
            Command::Replay(args) => (args.plan.token, args.plan.suite.json.unwrap()),
            other => panic!("{other:?}"),
        };
        let told = |token: &str, json: &str| (token.to_owned(), json.to_owned());
        assert_eq!(token(&["jostle", "replay", "--json", "7:12"]), told("7:12", "-"));
        assert_eq!(token(&["jostle", "replay", "--json", "-"]), told("-", "-"));
        assert_eq!(token(&["jostle", "replay", "--json", "a.json"]), told("a.json", "-"));
        assert_eq!(token(&["jostle", "replay", "--json", "a.json", "7:12"]), told("7:12", "a.json"));
    }
}
