//! What somebody typed of how a suite is run, given to another command again.

use clap::parser::ValueSource;
use clap::{Arg, Args, Command};

use crate::cli::args::{Cli, IsolationArgs, SuiteArgs};

/// What decides how a suite is run, besides how its trials are kept apart.
const OF_RUNS: [&str; 4] = ["profile", "engine", "test_timeout", "trial_timeout"];

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
