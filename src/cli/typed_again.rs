//! What somebody typed, given again: with other options, or to another command.

use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, Args, Command};

use crate::cli::args::{Cli, IsolationArgs, SuiteArgs};
use crate::plan::Seed;

/// What decides how a suite is run, besides how its trials are kept apart.
const OF_RUNS: [&str; 4] = ["profile", "engine", "test_timeout", "trial_timeout"];

/// The words of a command with the seed that it had, its journal and more options, before what is for pytest.
pub(super) fn with_more(
    typed: &[String],
    seed: Seed,
    journal: Option<&Path>,
    more: &[&str],
) -> Option<Vec<String>> {
    let dashes = typed.iter().position(|word| word == "--").unwrap_or(typed.len());
    let (own, of_pytest) = typed.split_at(dashes);
    let mut words = vec!["jostle".to_owned()];
    let mut own = own.iter().skip(1).peekable();
    while let Some(word) = own.next() {
        let (name, value) =
            word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        match name {
            "--seed" | "--journal" if value.is_none() => drop(own.next()),
            "--resume" if value.is_none() => drop(own.next_if(|next| !next.starts_with('-'))),
            "--seed" | "--journal" | "--resume" => {}
            _ => words.push(word.clone()),
        }
    }
    words.extend(["--seed".to_owned(), seed.0.to_string(), "--resume".to_owned()]);
    words.extend(
        journal.map(|path| path.to_str().map(str::to_owned)).into_iter().collect::<Option<Vec<_>>>()?,
    );
    words.extend(more.iter().map(|&word| word.to_owned()));
    words.extend_from_slice(of_pytest);
    Some(words)
}

/// The options of a command line that decide how a suite is run, each with a space before it, as far as another command
/// has them too.
pub(super) fn how_it_is_run(typed: &[String]) -> String {
    let Some(matches) = Cli::matches(typed) else {
        return String::new();
    };
    let Some((_, matches)) = matches.subcommand() else {
        return String::new();
    };
    let mut text = String::new();
    for arg in of_runs() {
        let id = arg.get_id().as_str();
        // The ids are those of the command that was typed, unless it is one without a suite.
        let given = matches.try_contains_id(id).is_ok_and(|given| given)
            && matches.value_source(id) == Some(ValueSource::CommandLine);
        let Some(name) = arg.get_long().filter(|_| given) else {
            continue;
        };
        if !arg.get_action().takes_values() {
            text += &format!(" --{name}");
            continue;
        }
        for value in matches.get_raw(id).into_iter().flatten() {
            if let Some(quoted) = value.to_str().and_then(|value| shlex::try_quote(value).ok()) {
                text += &format!(" --{name} {quoted}");
            }
        }
    }
    text
}

fn of_runs() -> Vec<Arg> {
    let apart = IsolationArgs::augment_args(Command::new("jostle"));
    let suite = SuiteArgs::augment_args(Command::new("jostle"));
    let of_suite = suite.get_arguments().filter(|arg| OF_RUNS.contains(&arg.get_id().as_str()));
    apart.get_arguments().chain(of_suite).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_given_again_with_its_seed_and_from_its_journal() {
        let again = |typed: &str, journal: Option<&str>| {
            let typed = shlex::split(typed).unwrap();
            let more = ["--failures", "failures"];
            let words = with_more(&typed, Seed(7), journal.map(Path::new), &more).unwrap();
            shlex::try_join(words.iter().map(String::as_str)).unwrap()
        };
        let more = "--failures failures";
        assert_eq!(again("jostle stress", None), format!("jostle stress --seed 7 --resume {more}"));
        assert_eq!(
            again("/bin/jostle stress --seed date -n 2 -- -k 'a b'", None),
            format!("jostle stress -n 2 --seed 7 --resume {more} -- -k 'a b'")
        );
        assert_eq!(
            again("jostle stress --seed=7 tests --journal j", Some("j")),
            format!("jostle stress tests --seed 7 --resume j {more}")
        );
        for resumed in ["--resume j", "--resume=j", "--resume"] {
            let typed = format!("jostle stress {resumed} --json");
            assert_eq!(again(&typed, Some("j")), format!("jostle stress --json --seed 7 --resume j {more}"));
        }
    }

    #[test]
    fn how_a_suite_is_run_is_told_to_another_command_as_it_was_typed() {
        let told = |typed: &str| how_it_is_run(&shlex::split(typed).unwrap());
        assert_eq!(told("jostle stress --seed 7 tests -v --json -- -x"), "");
        assert_eq!(
            told(
                "jostle stress --report-leftovers --share a --share 'b c' --profile=nightly --sandbox on -- --engine"
            ),
            " --sandbox on --share a --share 'b c' --report-leftovers --profile nightly"
        );
        assert_eq!(told("jostle stress --memory 1GiB --test-timeout 5s"), " --memory 1GiB --test-timeout 5s");
        assert_eq!(told("jostle no such"), "");
    }
}
