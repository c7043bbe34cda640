//! What is said of a command line that cannot be read: one paragraph, as for every other error.

use clap::error::ErrorKind;

/// An error of clap's as a paragraph: what is wrong, what may stand there, where to read on. None if it
/// is no error but help, or the version.
pub fn paragraph(error: &clap::Error) -> Option<String> {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return None;
    }
    let rendered = error.render().to_string();
    let mut lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut text = String::new();
    for line in lines.by_ref().take_while(|line| !line.starts_with("For more information")) {
        if let Some(usage) = line.strip_prefix("Usage: ") {
            let for_pytest = error.kind() == ErrorKind::UnknownArgument && usage.contains("PYTEST_ARGS");
            let advice = if for_pytest { "; what is meant for pytest goes after `--`" } else { "" };
            return Some(format!("{text}{advice}. See `{} --help`", command(usage)));
        }
        let tip = line.strip_prefix("tip: ");
        if tip.is_some_and(|tip| tip.starts_with("to pass")) {
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
    Some(format!("{text}. See --help"))
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
        let arguments = ["jostle"].iter().chain(arguments);
        paragraph(&Cli::try_parse_from(arguments).unwrap_err()).unwrap()
    }

    #[test]
    fn a_paragraph_tells_what_is_wrong_and_where_to_read_on() {
        assert_eq!(
            said(&["stres"]),
            "unrecognized subcommand 'stres'; a similar subcommand exists: 'stress'. See `jostle --help`"
        );
        assert_eq!(
            said(&["replay"]),
            "the following required arguments were not provided: <TOKEN>. See `jostle replay --help`"
        );
        assert_eq!(
            said(&["collect", "--engine", "cold"]),
            "invalid value 'cold' for '--engine <ENGINE>'; give one of auto, warm, spawn. See --help"
        );
        assert_eq!(
            said(&["stress", "extra"]),
            "unexpected argument 'extra' found; what is meant for pytest goes after `--`. See `jostle stress --help`"
        );
        assert_eq!(
            said(&["completions", "bash", "-k"]),
            "unexpected argument '-k' found. See `jostle completions --help`"
        );
    }
}
