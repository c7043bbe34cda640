//! The reference of options and settings, which is made from the code.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use clap::{Arg, Args, Command, CommandFactory};
use jostle::cli::args::{AxesArgs, ChosenArgs, Cli, IsolationArgs, ResultArgs, SuiteArgs};
use jostle::cli::config::{self, Config};

use crate::support::{self, pages};

const PAGE: &str = "docs/src/configuration.md";
/// Writes the page anew.
const WRITE: &str = "JOSTLE_TEST_WRITE";

/// The options that a type of arguments has.
fn options<A: Args>() -> Command {
    A::augment_args(Command::new("jostle").disable_help_flag(true))
}

fn names(command: &Command) -> BTreeSet<String> {
    command.get_arguments().map(|argument| argument.get_id().to_string()).collect()
}

/// What is said of one of the page's parts.
fn part(name: &str) -> String {
    match name {
        "settings" => settings(),
        "commands" => commands(),
        "suite" => table(options::<SuiteArgs>().get_arguments()),
        "chosen" => table(options::<ChosenArgs>().get_arguments()),
        "axes" => table(options::<AxesArgs>().get_arguments()),
        "apart" => table(options::<IsolationArgs>().get_arguments()),
        "results" => table(options::<ResultArgs>().get_arguments()),
        command => of_command(command),
    }
}

/// A command's options, but for those that it shares with others.
fn of_command(name: &str) -> String {
    let all = Cli::command();
    let command = all.find_subcommand(name).unwrap_or_else(|| panic!("{PAGE}: there is no command {name}"));
    let has = names(command);
    let groups = [
        options::<SuiteArgs>(),
        options::<ChosenArgs>(),
        options::<AxesArgs>(),
        options::<IsolationArgs>(),
        options::<ResultArgs>(),
    ];
    // A command that has a few options of a group has them for itself.
    let shared: BTreeSet<String> =
        groups.iter().map(names).filter(|group| group.is_subset(&has)).flatten().collect();
    let own = command.get_arguments().filter(|argument| !shared.contains(argument.get_id().as_str()));
    table(own)
}

fn commands() -> String {
    let mut text = String::from("| command | what it does |\n|---|---|\n");
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(text, "| `jostle {}` | {} |", command.get_name(), cell(&about)).expect("text");
    }
    text
}

fn table<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let mut text = String::from("| option | what it does |\n|---|---|\n");
    for argument in arguments.filter(|argument| argument.get_id() != "help") {
        writeln!(text, "| `{}` | {} |", usage(argument), cell(&help(argument))).expect("text");
    }
    text
}

/// `-n`, `--workers N,…`.
fn usage(argument: &Arg) -> String {
    let takes = argument.get_action().takes_values();
    let value = argument.get_value_names().filter(|_| takes).and_then(|names| names.first());
    let value = value.map_or_else(|| argument.get_id().as_str().to_uppercase(), ToString::to_string);
    let short = argument.get_short().map(|short| format!("-{short}"));
    let Some(long) = argument.get_long() else {
        return match short {
            _ if argument.is_last_set() => format!("-- {value}"),
            Some(short) => format!("{short} {value}"),
            None => value,
        };
    };
    let short = short.map_or_else(String::new, |short| format!("{short}, "));
    let may_lack = argument.get_num_args().is_some_and(|count| count.min_values() == 0);
    match (takes, may_lack, argument.is_require_equals_set()) {
        (false, ..) => format!("{short}--{long}"),
        (true, false, _) => format!("{short}--{long} {value}"),
        (true, true, false) => format!("{short}--{long} [{value}]"),
        (true, true, true) => format!("{short}--{long}[={value}]"),
    }
}

/// An option's help, with its values and its default.
fn help(argument: &Arg) -> String {
    let whole = argument.get_long_help().or_else(|| argument.get_help());
    let mut text = whole.map(ToString::to_string).unwrap_or_default().replace("\n\n", ". ");
    let values = argument.get_possible_values();
    let values: Vec<String> = values
        .iter()
        .map(|value| {
            let name = format!("`{}`", value.get_name());
            value.get_help().map_or(name.clone(), |help| format!("{name} ({help})"))
        })
        .collect();
    if !values.is_empty() && argument.get_action().takes_values() {
        write!(text, ": {}", values.join(", ")).expect("text");
    }
    let defaults: Vec<&str> =
        argument.get_default_values().iter().filter_map(|value| value.to_str()).collect();
    if !defaults.is_empty() && argument.get_action().takes_values() {
        write!(text, " [default: {}]", defaults.join(",")).expect("text");
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// The settings there are, as the parser tells whoever gives one that there is not.
fn setting_names() -> Vec<String> {
    let error =
        toml::from_str::<Config>("none = 1").expect_err("there is no such setting").message().to_owned();
    let (_, names) = error.split_once("expected one of").expect("the settings there are");
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What a setting takes, as the parser does.
fn takes(name: &str) -> String {
    let kinds = [
        ("true", "true or false"),
        ("1", "a number"),
        ("\"date\"", "a text"),
        ("[1]", "a list of numbers"),
        ("[\"a\"]", "a list of texts"),
    ];
    let taken = kinds.iter().filter(|(value, _)| config::parse_own(&format!("{name} = {value}")).is_ok());
    let taken: Vec<&str> = taken.map(|(_, kind)| *kind).collect();
    assert!(!taken.is_empty(), "nothing is known that {name} takes");
    taken.join(" or ")
}

fn settings() -> String {
    let stress = Cli::command().find_subcommand("stress").expect("a command").clone();
    let mut text = String::from("| setting | takes | option |\n|---|---|---|\n");
    for name in setting_names()
        .into_iter()
        .filter(|name| !["profile", "services", "state", "leaks"].contains(&name.as_str()))
    {
        let option = stress.get_arguments().find(|argument| argument.get_long() == Some(&name));
        let option = match option {
            Some(argument) => usage(argument),
            None if name == "pytest-args" => "-- PYTEST_ARGS".into(),
            None => panic!("{name} is no option of jostle stress"),
        };
        writeln!(text, "| `{name}` | {} | `{option}` |", takes(&name)).expect("text");
    }
    text
}

/// The page with its parts made anew, and the names of these.
fn made_anew(text: &str) -> (String, Vec<String>) {
    let mut made = String::new();
    let mut parts = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        writeln!(made, "{line}").expect("text");
        if let Some(name) =
            line.strip_prefix("<!-- from the code: ").and_then(|rest| rest.strip_suffix(" -->"))
        {
            assert!(lines.by_ref().any(|line| line == "<!-- end -->"), "{PAGE}: {name} has no end");
            writeln!(made, "\n{}\n<!-- end -->", part(name)).expect("text");
            parts.push(name.to_owned());
        }
    }
    (made, parts)
}

#[test]
fn the_reference_says_what_the_code_does() {
    let page = pages::read(PAGE).text;
    let (made, parts) = made_anew(&page);
    if std::env::var_os(WRITE).is_some() {
        fs::write(support::root().join(PAGE), &made).expect("the page");
        return;
    }
    let differs = page.lines().zip(made.lines()).find(|(written, made)| written != made);
    assert!(
        page == made,
        "{PAGE} is not what the code says, first at {differs:?}. Refresh it: {WRITE}=1 cargo test --test main the_reference"
    );
    let all = Cli::command();
    let with_options = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && !of_command(command.get_name()).ends_with("|---|---|\n"));
    for command in with_options.map(Command::get_name) {
        assert!(parts.iter().any(|part| part == command), "{PAGE} says nothing of jostle {command}");
    }
}

#[test]
fn settings_that_are_shown_are_taken() {
    let mut taken = 0;
    for page in pages::pages() {
        for block in page.blocks().into_iter().filter(|block| block.language == "toml") {
            let text = block.body.join("\n");
            let config =
                config::parse(&text).unwrap_or_else(|why| panic!("{}:{}: {why}", page.path, block.line));
            assert!(config.is_some(), "{}:{}: no settings of jostle", page.path, block.line);
            taken += 1;
        }
    }
    assert!(taken > 0);
}

#[test]
fn every_setting_is_in_the_reference() {
    let names = setting_names();
    assert!(names.iter().any(|name| name == "trials") && names.len() > 20, "{names:?}");
    assert_eq!(takes("workers"), "a list of numbers or a list of texts");
    assert_eq!(takes("seed"), "a number or a text");
    assert_eq!(takes("strict"), "true or false");
}
