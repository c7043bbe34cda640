//! The commands that the README and the book show, and what they say these print.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use jostle::cli::args::Cli;
use jostle::cli::options::StressOptions;
use tempfile::TempDir;

use crate::support::{self, pages};

/// A command of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Typed {
    at: String,
    line: String,
    words: Vec<String>,
}

/// The commands of the blocks that show some.
fn typed() -> Vec<Typed> {
    let mut commands: Vec<Typed> = Vec::new();
    for page in pages::pages() {
        for block in page.blocks().into_iter().filter(|block| ["console", "sh"].contains(&&*block.language)) {
            for line in block.body.iter().filter(|line| !line.is_empty()) {
                let at = format!("{}:{}", page.path, block.line);
                let line = if block.language == "sh" { Some(line.as_str()) } else { line.strip_prefix("$ ") };
                let line = line.unwrap_or_else(|| panic!("{at}: a line of a console that is no command"));
                let words = shlex::split(line).unwrap_or_else(|| panic!("{at}: {line}"));
                let line = shlex::try_join(words.iter().map(String::as_str)).expect("words");
                commands.push(Typed { at, line, words });
            }
        }
    }
    assert!(!commands.is_empty());
    commands
}

/// The arguments of jostle, if a command is one of it.
fn of_jostle(words: &[String]) -> Option<&[String]> {
    match words {
        [program, rest @ ..] if program == "jostle" => Some(rest),
        [cargo, run, release, dashes, rest @ ..]
            if [&**cargo, run, release, dashes] == ["cargo", "run", "--release", "--"] =>
        {
            Some(rest)
        }
        _ => None,
    }
}

/// Other commands: what the test knows of them is that they name what there is.
fn knows(words: &[String]) -> bool {
    let root = support::root();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match &*words {
        // This is run by it.
        ["cargo", "test"] => true,
        ["cargo", "bench", "--bench", name] => root.join(format!("benches/{name}.rs")).is_file(),
        // tests/wheel.sh does the second.
        ["cargo", "install", "--locked", "--path", "."] => root.join("Cargo.toml").is_file(),
        ["pip", "install", "."] | ["pip", "wheel", "--no-deps", "-w", "wheels", "."] => {
            root.join("pyproject.toml").is_file()
        }
        ["python3", script, ..] if script.ends_with(".py") => compiles(script),
        // These fetch what is not ours.
        ["python3", "-m", "venv", "target/kubernetes", "&&", "target/kubernetes/bin/pip", ..] => true,
        ["target/kubernetes/bin/kubernetes-validate", "--strict", manifest] => root.join(manifest).is_file(),
        _ => false,
    }
}

fn compiles(script: &str) -> bool {
    let compile = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')";
    let mut python = Command::new(support::light_python());
    python.args(["-c", compile]).arg(support::root().join(script)).output().expect("Python").status.success()
}

/// Where the commands of jostle are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    /// In a suite with a victim.
    Failing,
    /// In that suite, fixed.
    Fixed,
    /// In a folder with no tests: what is asked for is handed to pytest.
    Empty,
    /// In that folder, without pytest: options, settings and what they name are resolved.
    Resolved,
    /// Nowhere, as it takes minutes, or has a test of its own: the program's own parser takes it.
    Nowhere,
}

/// Options of sessions that do without a failure, and with what is in the suite's folder.
const SHOWN_FIXED: [&str; 7] =
    ["--plan", "--victim", "--history", "--report-leftovers", "--changed", "--tests", "--leaks"];

fn place(arguments: &[String]) -> Where {
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    match arguments.first().map(String::as_str) {
        Some("speedup" | "fix" | "leaks") => Where::Nowhere,
        Some("history" | "merge") => Where::Fixed,
        // Without a name it looks for what the last session found, which has to have found something.
        Some("verify") if arguments.len() > 1 && !has("--require-fail") => Where::Fixed,
        Some("explain") => Where::Fixed,
        Some("replay") if has("ci.log") || has("--shrink") => Where::Fixed,
        Some("plan") if has("--out") => Where::Fixed,
        Some("stress") if SHOWN_FIXED.iter().any(|option| has(option)) => Where::Fixed,
        Some("stress") if has("failures/") => Where::Failing,
        Some("stress") if arguments.len() == 1 || has("--") => Where::Empty,
        Some("stress") if !has("--resume") => Where::Resolved,
        _ => Where::Failing,
    }
}

/// Writes the failure file that other commands of the book name.
const KEEPS: &str = "jostle stress --failures failures/";

/// A session that a test has time for.
const SHORT: &str = "seed = 1\nworkers = [1]\nhash-seeds = 1\nschedules = 0\nno-explain = true\ntrials = 2\n[profile.nightly]\ntrials = 2\n";

/// The specimen in which the commands are run, and a folder without tests.
struct Rooms {
    _folder: TempDir,
    suite: PathBuf,
    empty: PathBuf,
    python: PathBuf,
}

impl Rooms {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (suite, empty) = (folder.path().join("environ"), folder.path().join("empty"));
        support::copy(&support::root().join("corpus/environ"), &suite);
        fs::create_dir_all(empty.join("tests")).expect("a folder");
        for room in [&suite, &empty] {
            fs::write(room.join("jostle.toml"), SHORT).expect("a file");
            fs::create_dir(room.join(".cache")).expect("a folder");
        }
        fs::write(suite.join("tests.txt"), "tests/test_defaults.py::test_debug_is_off\n").expect("a file");
        let leaks = r#"{"schema": "jostle.leaks/1", "leaks": []}"#;
        fs::write(suite.join("leaks-report.json"), leaks).expect("a file");
        let rooms = Self { _folder: folder, suite, empty, python: support::light_python() };
        let log = rooms.pytest(&["-v", "tests/test_overrides.py", "tests/test_defaults.py"]);
        fs::write(rooms.suite.join("ci.log"), log).expect("a file");
        rooms
    }

    fn pytest(&self, arguments: &[&str]) -> Vec<u8> {
        let mut python = Command::new(&self.python);
        let output = python.args(["-m", "pytest"]).args(arguments).current_dir(&self.suite).output();
        output.expect("pytest").stdout
    }

    /// Puts the suite into git, as it is.
    fn commit(&self) {
        let git = |arguments: &[&str]| {
            let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
            support::said(Command::new("git").args(identity).args(arguments).current_dir(&self.suite));
        };
        git(&["init", "--quiet", "--initial-branch", "main"]);
        git(&["add", "."]);
        git(&["commit", "--quiet", "--message", "as it was"]);
    }

    /// Undoes the failure, and has a test leave a file behind.
    fn fix(&self) {
        support::said(Command::new("git").args(["apply", "fix.patch"]).current_dir(&self.suite));
        let leaves = "def test_export_is_written():\n    open(\"export.csv\", \"w\").close()\n";
        fs::write(self.suite.join("tests/test_export.py"), leaves).expect("a file");
    }

    fn run(&self, typed: &Typed, place: Where) {
        let arguments = of_jostle(&typed.words).expect("a command of jostle");
        // What is printed in other places of the book is of a project without a commit.
        let in_git = arguments.iter().any(|argument| argument == "--changed");
        if in_git {
            self.commit();
        }
        let environment = self.python.parent().and_then(Path::parent).expect("an environment");
        let mut command = support::jostle(if place == Where::Empty { &self.empty } else { &self.suite });
        // A night of a thousand trials is a matter of hours.
        command.args(arguments.iter().map(|argument| if argument == "1000" { "4" } else { argument }));
        if typed.line == KEEPS {
            // The first session of the history that is asked for later.
            command.args(["--history", ".jostle-history"]);
        }
        let output = command.env("VIRTUAL_ENV", environment).output().expect("jostle runs");
        if in_git {
            fs::remove_dir_all(self.suite.join(".git")).expect("a repository");
        }
        judge(typed, place, &output, &self.python);
    }

    /// Has the options of a session resolved, as the program does before it starts anything.
    fn resolve(&self, typed: &Typed) {
        let Ok(Cli { command: jostle::cli::args::Command::Stress(mut args) }) =
            Cli::try_parse_from(&typed.words)
        else {
            panic!("{}: {} is no jostle stress", typed.at, typed.line);
        };
        args.suite.rootdir = Some(self.empty.clone());
        args.isolation.share.iter_mut().for_each(|path| *path = self.empty.join(&path));
        let resolved = StressOptions::new(&args);
        assert!(resolved.is_ok(), "{}: {}: {resolved:?}", typed.at, typed.line);
    }
}

/// Nothing is asked of what a command finds, but that it comes to a result.
fn judge(typed: &Typed, place: Where, output: &Output, python: &Path) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    let results: &[i32] = match (place, typed.words.get(1).map(String::as_str)) {
        (Where::Empty, _) => &[5],
        (_, Some("merge")) => &[0, 12],
        (_, Some("replay" | "explain" | "verify")) => &[0, 1, 11],
        _ => &[0, 1],
    };
    let code = output.status.code().unwrap_or(-1);
    assert!(results.contains(&code), "{}: {} ends with {code}:\n{out}{err}", typed.at, typed.line);
    let wrong = pages::not_printed(&typed.line, &out, python, false);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_is_known() {
    let commands = typed();
    for command in &commands {
        let Typed { at, line, words } = command;
        match of_jostle(words) {
            Some(arguments) => {
                let parsed =
                    Cli::try_parse_from(["jostle"].into_iter().chain(arguments.iter().map(String::as_str)));
                let told = parsed.err().filter(|error| error.kind() != ErrorKind::DisplayVersion);
                assert!(
                    told.is_none(),
                    "{at}: {line}: {}",
                    told.map_or_else(String::new, |error| error.to_string())
                );
            }
            None => assert!(knows(words), "{at}: nothing is known of the command {line}"),
        }
    }
    for page in pages::pages() {
        for block in page.blocks() {
            let what = block.mark.as_deref().and_then(|mark| mark.strip_prefix("printed by: "));
            let known = |what: &str| {
                let specimen = what.split_once(" with ").map_or(what, |(specimen, _)| specimen);
                commands.iter().any(|command| command.line == what)
                    || support::root().join("corpus").join(specimen).is_dir()
            };
            assert!(what.is_none_or(known), "{}:{}: nothing prints {what:?}", page.path, block.line);
        }
    }
}

#[test]
fn what_nobody_knows_is_told() {
    let words = |line: &str| shlex::split(line).expect("words");
    for line in ["make install", "cargo bench --bench none", "python3 benches/none.py", "cargo run -- demo"] {
        assert!(of_jostle(&words(line)).is_none() && !knows(&words(line)), "{line}");
    }
}

/// Whether a command would do if more stood after it.
fn lacks_only(error: &clap::Error) -> bool {
    let value = error.get(ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::MissingRequiredArgument | ErrorKind::DisplayVersion => true,
        // An option that stands without its value.
        ErrorKind::InvalidValue => value == Some(&ContextValue::String(String::new())),
        _ => false,
    }
}

/// Commands within sentences may lack what they need, and hold nothing that there is not.
#[test]
fn commands_within_sentences_are_ones() {
    let mut parsed = 0;
    for page in pages::pages() {
        for span in page.spans().into_iter().filter(|span| span.starts_with("jostle ")) {
            let words = shlex::split(&span).unwrap_or_else(|| panic!("{}: {span}", page.path));
            let wrong = Cli::try_parse_from(words).err().filter(|error| !lacks_only(error));
            assert!(
                wrong.is_none(),
                "{}: {span}: {}",
                page.path,
                wrong.map_or_else(String::new, |error| error.to_string())
            );
            parsed += 1;
        }
    }
    assert!(parsed > 0);
}

#[test]
fn every_command_is_run() {
    let mut commands = typed();
    commands.retain(|command| of_jostle(&command.words).is_some_and(|arguments| arguments != ["demo"]));
    commands.sort_by(|a, b| a.line.cmp(&b.line));
    commands.dedup_by(|a, b| a.line == b.line);
    let of = |place: Where| {
        let fits = move |command: &&Typed| self::place(&command.words[1..]) == place;
        commands.iter().filter(fits)
    };
    let rooms = Rooms::new();
    let keeps = commands.iter().find(|command| command.line == KEEPS).expect("the book keeps failures");
    rooms.run(keeps, Where::Failing);
    let mut failing: Vec<&Typed> = of(Where::Failing).filter(|command| command.line != KEEPS).collect();
    // Resumed at once: the cache that all tests share keeps the newest journals only.
    failing.sort_by_key(|command| !command.words.iter().any(|word| word == "--resume"));
    failing.into_iter().for_each(|command| rooms.run(command, Where::Failing));
    of(Where::Empty).for_each(|command| rooms.run(command, Where::Empty));
    of(Where::Resolved).for_each(|command| rooms.resolve(command));
    rooms.fix();
    // Plans are made before they are run, and their shards before they are merged.
    let rank = |command: &&Typed| {
        ["plan", "stress", "history", "merge"].iter().position(|first| command.words[1] == *first)
    };
    let mut fixed: Vec<&Typed> = of(Where::Fixed).collect();
    fixed.sort_by_key(rank);
    fixed.into_iter().for_each(|command| rooms.run(command, Where::Fixed));
}

/// The two commands of the README: this is the first, and what runs this the second.
#[test]
fn the_demo_prints_what_the_readme_shows() {
    let python = support::light_python();
    let folder = tempfile::tempdir().expect("a folder");
    let output =
        support::jostle(folder.path()).args(["demo", "--python"]).arg(&python).output().expect("jostle runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(pages::printed_by("cargo run --release -- demo").len(), 1, "the README shows it");
    let wrong = pages::not_printed("cargo run --release -- demo", &printed, &python, false);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "at night: by day `report::evidence` tells what is advised where the suite stays"]
fn what_the_demo_keeps_is_replayed_as_it_says() {
    let python = support::light_python();
    let folder = tempfile::tempdir().expect("a folder");
    let mut demo = support::jostle(folder.path());
    demo.current_dir(folder.path()).args(["demo", "--keep", "shop", "--python"]).arg(&python);
    let printed = String::from_utf8_lossy(&demo.output().expect("jostle runs").stdout).into_owned();
    let advice = printed.lines().find_map(|line| line.split("  jostle replay ").nth(1)).expect("a token");
    let words = shlex::split(advice).expect("words of a shell");
    let mut replay = support::jostle(folder.path());
    let output = replay.current_dir(folder.path()).arg("replay").args(&words).output().expect("jostle runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{advice}: {said}{}", String::from_utf8_lossy(&output.stderr));
}

/// What is shown of a specimen with other options than tests/specimens.rs gives it.
#[test]
fn specimens_print_what_is_shown_of_them_with_options() {
    let python = support::light_python();
    let mut marks: Vec<String> =
        pages::pages().iter().flat_map(pages::Page::blocks).filter_map(|block| block.mark).collect();
    marks.retain(|mark| mark.contains(" with "));
    assert!(!marks.is_empty());
    for mark in marks {
        let what = mark.strip_prefix("printed by: ").expect("what prints it");
        let (specimen, options) = what.split_once(" with ").expect("options");
        let folder = tempfile::tempdir().expect("a folder");
        let suite = folder.path().join(specimen);
        support::copy(&support::root().join("corpus").join(specimen), &suite);
        let mut command = support::jostle(&suite);
        command.arg("stress").args(options.split(' ')).arg("--python").arg(&python);
        let output = command.output().expect("jostle runs");
        let wrong = pages::not_printed(what, &String::from_utf8_lossy(&output.stdout), &python, false);
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
