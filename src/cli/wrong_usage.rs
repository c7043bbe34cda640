//! What is said of a command line that cannot be read: one paragraph, as for every other error.

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::args::Cli;

/// How often something is to be done, as other tools call it.
const HOW_OFTEN: &[&str] =
    &["--count", "--iterations", "--repeat", "--runs", "--seeds", "--times", "--trials"];

/// What people type who know pytest and its plugins; the option that a command must have for the advice, and that.
const MEANT: &[(&[&str], &str, &str)] = &[
    (
        &["--timeout"],
        "test-timeout",
        "--test-timeout TIME ends a test that runs longer, --trial-timeout TIME a whole trial",
    ),
    (&["--timeout"], "trial-timeout", "--trial-timeout TIME ends a run of the suite that takes longer"),
    (HOW_OFTEN, "trials", "--trials N says how many trials are run, all of them planned from one --seed"),
    (HOW_OFTEN, "times", "--times K says how many times the plan is run"),
    (HOW_OFTEN, "runs", "--runs N says how many runs each failure may take"),
    (HOW_OFTEN, "rounds", "--rounds N says how many times each combination is run"),
    (&["--duration", "--minutes", "--hours"], "time", "--time TIME says how long to go on, as in --time 30m"),
    (&["-x", "--exitfirst", "--maxfail"], "fail-fast", "--fail-fast stops at the first isolation failure"),
    (&["--lf", "--ff"], "last-failed", "--last-failed suspects the tests that failed in the session before"),
    (&["--randomly-seed", "--random-order-seed"], "seed", "--seed SEED gives the seed of all plans"),
];

/// What other tools call the main job.
const STRESS: &[&str] = &["check", "jostle", "pytest", "run", "start", "test", "tests"];

/// Options that a command's parser has and that are no advice there: the command refuses the one, and has another use
/// for the other.
const NO_ADVICE: &[(&str, &str)] = &[("speedup", "test-timeout"), ("plan", "trials")];

/// An error of clap's on these words, of which the first is the program's name, as a paragraph: what is wrong, what may
/// stand there, where to read on. None if it is no error but help, or the version.
pub fn paragraph(error: &clap::Error, typed_words: &[String]) -> Option<String> {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return None;
    }
    let rendered = error.render().to_string();
    let typed = unknown(error);
    let mut lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut text = String::new();
    for line in lines.by_ref().take_while(|line| !line.starts_with("For more information")) {
        if let Some(usage) = line.strip_prefix("Usage: ") {
            let command = command(usage);
            let advice = match means_stress(error) {
                true => Some("; the main job is `jostle stress`".to_owned()),
                false => typed.and_then(|typed| meant(typed, &command)),
            };
            let advice = advice.unwrap_or_default();
            return Some(format!("{text}{advice}. See `{command} --help`"));
        }
        let tip = line.strip_prefix("tip: ");
        let is_meant_otherwise = means_stress(error) || typed.is_some_and(is_meant_otherwise);
        if tip.is_some_and(|tip| tip.starts_with("to pass") || is_meant_otherwise) {
            continue;
        }
        let values = line.strip_prefix("[possible values: ").and_then(|line| line.strip_suffix(']'));
        let line = match (values, tip) {
            (Some(values), _) => &format!("; give one of {values}"),
            (_, Some(tip)) => &format!("; {tip}"),
            _ if text.is_empty() => line.strip_prefix("error: ").unwrap_or(line),
            _ => &format!(" {line}"),
        };
        text += line;
    }
    let typed = |command: &&clap::Command| typed_words.get(1).is_some_and(|word| word == command.get_name());
    let command =
        Cli::command().get_subcommands().find(typed).map(|command| format!(" {}", command.get_name()));
    Some(format!("{text}. See `jostle{} --help`", command.unwrap_or_default()))
}

/// Whether a command that there is not is what another tool calls the main job.
fn means_stress(error: &clap::Error) -> bool {
    let word = error.get(ContextKind::InvalidSubcommand);
    word.is_some_and(|word| matches!(word, ContextValue::String(word) if STRESS.contains(&word.as_str())))
}

/// An option that a command does not have.
fn unknown(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(typed)) if error.kind() == ErrorKind::UnknownArgument => Some(typed),
        _ => None,
    }
}

/// What is to be typed in place of an option that a command does not have.
fn meant(typed: &str, command: &str) -> Option<String> {
    let all = Cli::command();
    if command == "jostle" {
        let is_it = |argument: &clap::Arg| {
            argument.get_long().is_some_and(|long| typed == format!("--{long}"))
                || argument.get_short().is_some_and(|short| typed == format!("-{short}"))
        };
        let takes = all.get_subcommands().find(|command| command.get_arguments().any(is_it))?;
        return Some(format!("; it goes after the command, as in `jostle {} {typed}`", takes.get_name()));
    }
    let command = all.find_subcommand(command.strip_prefix("jostle ")?)?;
    let has = |name: &str| {
        !NO_ADVICE.contains(&(command.get_name(), name))
            && command.get_arguments().any(|argument| argument.get_long() == Some(name))
    };
    let ours = MEANT.iter().find(|(words, option, _)| words.contains(&typed) && has(option));
    let takes_pytests = command.get_arguments().any(clap::Arg::is_last_set);
    let for_pytest = || match typed {
        "-p" => format!(
            "; what is meant for pytest goes after `--`, as in `jostle {} -- -p …`",
            command.get_name()
        ),
        _ => "; what is meant for pytest goes after `--`".to_owned(),
    };
    ours.map(|(.., advice)| format!("; {advice}")).or_else(|| takes_pytests.then(for_pytest))
}

/// Whether an option is one of [`MEANT`], so that one that is merely written like it is no help.
fn is_meant_otherwise(typed: &str) -> bool {
    MEANT.iter().any(|(words, ..)| words.contains(&typed))
}

/// The command of a line that tells its usage.
fn command(usage: &str) -> String {
    let words = usage.split(' ').take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::Cli;

    fn said(arguments: &[&str]) -> String {
        let words: Vec<String> = ["jostle"].iter().chain(arguments).map(ToString::to_string).collect();
        paragraph(&Cli::try_parse_from(&words).unwrap_err(), &words).unwrap()
    }

    #[test]
    fn what_is_advised_is_there() {
        let all = Cli::command();
        for (_, option, advice) in MEANT {
            let has =
                |command: &clap::Command| command.get_arguments().any(|it| it.get_long() == Some(option));
            assert!(all.get_subcommands().any(has), "--{option}");
            assert!(advice.starts_with(&format!("--{option} ")), "{advice}");
        }
    }

    #[test]
    fn a_paragraph_tells_what_is_wrong_and_where_to_read_on() {
        assert_eq!(
            said(&["stres"]),
            "unrecognized subcommand 'stres'; a similar subcommand exists: 'stress'. See `jostle --help`"
        );
        for word in STRESS {
            assert_eq!(
                said(&[word]),
                format!(
                    "unrecognized subcommand '{word}'; the main job is `jostle stress`. See `jostle --help`"
                )
            );
        }
        let before = said(&["-vv", "stress"]);
        assert!(before.contains("'-v'"), "{before}");
        assert!(before.contains("; it goes after the command, as in `jostle stress -v`. See"), "{before}");
        assert!(!said(&["--nothing", "stress"]).contains("after the command"));
        assert_eq!(
            said(&["replay"]),
            "the following required arguments were not provided: <TOKEN>. See `jostle replay --help`"
        );
        assert_eq!(
            said(&["collect", "--engine", "cold"]),
            "invalid value 'cold' for '--engine <ENGINE>'; give one of auto, warm, spawn. See `jostle collect --help`"
        );
        assert_eq!(
            said(&["stress", "--cov"]),
            "unexpected argument '--cov' found; what is meant for pytest goes after `--`. See `jostle stress --help`"
        );
        assert_eq!(
            said(&["stress", "--timeout=3"]),
            "unexpected argument '--timeout' found; --test-timeout TIME ends a test that runs longer, --trial-timeout TIME \
             a whole trial. See `jostle stress --help`"
        );
        assert_eq!(
            said(&["completions", "bash", "-k"]),
            "unexpected argument '-k' found. See `jostle completions --help`"
        );
    }
}
