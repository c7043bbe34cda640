//! `--json FILE` with a space. A bare `--json` writes to standard output, so clap takes a file only as `--json=FILE`; what
//! follows with a space is one if it looks like one.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;
use clap::error::ErrorKind;

use super::Cli;
use crate::record::FailureFile;

impl Cli {
    /// The command line that somebody typed.
    ///
    /// # Errors
    /// It cannot be read, or asks for help or the version.
    pub fn typed(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        match Self::try_parse_from(joined(&words)) {
            // What follows `--json` is all that the command was given to work on.
            Err(error) if error.kind() == ErrorKind::MissingRequiredArgument => Self::try_parse_from(words),
            parsed => parsed,
        }
    }
}

/// The words, with the file that follows a `--json` made a part of it.
fn joined(words: &[OsString]) -> Vec<OsString> {
    let ours = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let (ours, for_pytest) = words.split_at(ours);
    let mut joined: Vec<OsString> = Vec::new();
    for word in ours {
        match joined.last_mut() {
            Some(json) if json == "--json" && is_its_file(word) => {
                json.push("=");
                json.push(word);
            }
            _ => joined.push(word.clone()),
        }
    }
    joined.extend_from_slice(for_pytest);
    joined
}

/// Whether results are to be written there. A failure file is there to be read.
fn is_its_file(word: &OsString) -> bool {
    let path = Path::new(word);
    word == "-"
        || path.extension().is_some_and(|extension| extension == "json") && FailureFile::read(path).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::Command;

    #[test]
    fn what_looks_like_a_file_of_results_is_one() {
        let joined = |line: &str| {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            joined(&words).join(" ".as_ref()).into_string().unwrap()
        };
        assert_eq!(joined("stress --json a/b.json -v"), "stress --json=a/b.json -v");
        assert_eq!(joined("stress --json -"), "stress --json=-");
        for same in
            ["replay --json 7:12", "stress --json", "stress --json=a b.json", "stress a -- --json b.json"]
        {
            assert_eq!(joined(same), same);
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
