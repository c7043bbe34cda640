//! `jostle fix` applies what a session found to the working tree, if it is told to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support;

const CHANGED: &str = "tests/test_overrides.py";

/// A specimen in git, after a session whose failures are in `failures`.
struct Stage {
    _folder: TempDir,
    suite: PathBuf,
    /// What the session printed.
    session: String,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let suite = folder.path().join("environ");
        support::copy(&support::root().join("corpus/environ"), &suite);
        let stage = Self { _folder: folder, suite, session: String::new() };
        stage.git(&["init", "--quiet"]);
        stage.commit();
        let stressed = stage
            .jostle("stress --seed 1 --trials 2 -n 1,2 --hash-seeds 1 --schedules 0 --failures failures");
        assert_eq!(stressed.status.code(), Some(1), "{}", said(&stressed));
        Self { session: said(&stressed), ..stage }
    }

    fn git(&self, arguments: &[&str]) {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        support::said(Command::new("git").args(identity).args(arguments).current_dir(&self.suite));
    }

    fn commit(&self) {
        self.git(&["add", "--", "tests", "settings"]);
        self.git(&["commit", "--quiet", "--message", "as it is"]);
    }

    fn command(&self) -> Command {
        let mut command = support::jostle(&self.suite);
        let environment = support::light_python();
        command.env("VIRTUAL_ENV", environment.parent().and_then(Path::parent).expect("an environment"));
        command
    }

    fn jostle(&self, arguments: &str) -> Output {
        self.command().args(arguments.split(' ')).output().expect("jostle runs")
    }

    fn source(&self) -> String {
        fs::read_to_string(self.suite.join(CHANGED)).expect("a file")
    }
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}

#[test]
fn what_to_do_next_does_what_it_says_and_a_fix_is_applied_once_it_is_wanted() {
    let stage = Stage::new();
    let before = stage.source();
    let next: Vec<&str> = stage
        .session
        .lines()
        .skip_while(|line| *line != "next")
        .skip(1)
        .map_while(|line| line.strip_prefix("  "))
        .collect();
    assert_eq!(next, ["jostle fix", "jostle verify failures"], "{}", stage.session);

    let shown = stage.jostle("fix --check");
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
    let patch = "\n    +@pytest.mark.usefixtures(\"_restore_environ_shop_debug\")\n";
    assert!(
        said(&shown).contains("fix 1  victim tests/test_defaults.py::test_debug_is_off"),
        "{}",
        said(&shown)
    );
    assert!(
        said(&shown).contains(patch) && said(&shown).contains("1 fix can be applied, 0 cannot be"),
        "{}",
        said(&shown)
    );
    let unasked = stage.jostle("fix");
    assert_eq!(unasked.status.code(), Some(4), "{}", said(&unasked));
    assert!(said(&unasked).contains("nobody can be asked"), "{}", said(&unasked));
    assert_eq!(stage.source(), before, "nothing is changed unless it is asked for");

    fs::write(stage.suite.join(CHANGED), format!("{before}\n")).expect("a file");
    let changed = stage.jostle("fix --yes");
    assert_eq!(changed.status.code(), Some(1), "{}", said(&changed));
    assert!(
        said(&changed).contains("tests/test_overrides.py is not as it was when the fix was tried"),
        "{}",
        said(&changed)
    );
    fs::write(stage.suite.join(CHANGED), &before).expect("a file");
    stage.git(&["rm", "--quiet", "--cached", CHANGED]);
    let untracked = stage.jostle("fix --yes");
    assert_eq!((untracked.status.code(), stage.source()), (Some(4), before.clone()), "{}", said(&untracked));
    let why =
        "git could not bring tests/test_overrides.py back as it is. Commit it first, or give --allow-dirty";
    assert!(said(&untracked).contains(why), "{}", said(&untracked));
    let checked = stage.jostle("fix --check");
    assert_eq!(checked.status.code(), Some(1), "{}", said(&checked));
    let only = format!("1 fix can be applied with --allow-dirty only, 0 cannot be: {why}");
    assert!(said(&checked).contains(&only), "as jostle fix says: {}", said(&checked));
    let dirty = stage.jostle("fix --check --allow-dirty");
    assert_eq!(dirty.status.code(), Some(0), "{}", said(&dirty));
    stage.git(&["reset", "--quiet"]);

    let fixed = stage.jostle("fix --yes");
    assert_eq!(fixed.status.code(), Some(0), "{}", said(&fixed));
    assert!(said(&fixed).contains("changed tests/test_overrides.py"), "{}", said(&fixed));
    assert!(stage.source().contains("def _restore_environ_shop_debug():"));
    let verified = stage.jostle("verify failures");
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    let again = stage.jostle("fix failures --yes");
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    let counts = "0 fixes can be applied, 0 cannot be, 1 is applied already\n";
    assert!(said(&again).contains(counts), "{}", said(&again));

    // Without git nothing could be brought back.
    fs::write(stage.suite.join(CHANGED), &before).expect("a file");
    fs::remove_dir_all(stage.suite.join(".git")).expect("a repository");
    let no_git = stage.jostle("fix --yes");
    assert_eq!((no_git.status.code(), stage.source()), (Some(4), before), "{}", said(&no_git));
    let nothing = "the project is in no git repository, so that nothing could bring tests/test_overrides.py back as it is. Give";
    assert!(said(&no_git).contains(nothing), "there is nothing to commit to: {}", said(&no_git));
    let insisted = stage.jostle("fix --yes --allow-dirty failures");
    assert_eq!(insisted.status.code(), Some(0), "{}", said(&insisted));
    assert!(stage.source().contains("def _restore_environ_shop_debug():"));
}

#[test]
fn where_there_is_no_fix_it_is_said_how_to_get_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let fix = |arguments: &[&str]| {
        let mut command = support::jostle(folder.path());
        command.arg("fix").args(arguments).output().expect("jostle runs")
    };
    for (arguments, advice) in [
        (&[][..], "run jostle stress there"),
        (&["--rootdir", "nowhere"], "Give the folder that pytest is run in"),
        (&["nowhere.json"], "there is no nowhere.json: give a failure file, or a folder of them"),
        (&["."], "`jostle explain FILE` looks for one"),
    ] {
        let told = fix(arguments);
        assert_eq!(told.status.code(), Some(4), "{}", said(&told));
        assert!(said(&told).contains(advice), "{}", said(&told));
    }
}

#[test]
fn fixes_of_one_file_can_be_applied_one_after_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("test_state.py");
    let source = "\
A = []
B = {}


def test_sets_a():
    A.append(1)


def test_sets_b():
    B['b'] = 1


def test_reads_a():
    assert A == []


def test_reads_b():
    assert B == {}
";
    fs::write(&path, source).expect("a file");
    let jostle = |arguments: &str| {
        let mut command = support::jostle(folder.path());
        command.args(arguments.split(' ')).output().expect("jostle runs")
    };
    let python = support::light_python().display().to_string();
    let session = "stress --seed 1 --trials 2 -n 1 --hash-seeds 1 --schedules 0 --python";
    let stressed = jostle(&format!("{session} {python}"));
    let next = format!("\nnext\n  jostle fix --allow-dirty\n  jostle verify --python {python}\n");
    assert!(said(&stressed).contains(&next), "there is no git, and no folder: {}", said(&stressed));
    jostle(&format!("{session} {python} --failures failures"));
    let files = fs::read_dir(folder.path().join("failures")).expect("a folder");
    let mut files: Vec<String> =
        files.map(|file| file.expect("a file").file_name().into_string().expect("text")).collect();
    files.sort();
    assert_eq!(files.len(), 2, "{files:?}");
    for (number, file) in files.iter().enumerate() {
        let applied = jostle(&format!("fix failures/{file} --yes --allow-dirty"));
        // The second alone does not know of the first.
        assert_eq!(applied.status.code(), Some(i32::from(number == 1)), "{}", said(&applied));
    }
    let checked = jostle("fix failures --check --allow-dirty");
    assert_eq!(checked.status.code(), Some(0), "{}", said(&checked));
    assert!(said(&checked).contains("is applied already"), "{}", said(&checked));
    assert!(said(&checked).contains("1 fix can be applied, 0 cannot be"), "{}", said(&checked));
    let applied = jostle("fix --yes --allow-dirty");
    assert_eq!(applied.status.code(), Some(0), "{}", said(&applied));
    let verify = said(&applied).lines().find(|line| line.contains("jostle verify ")).map(str::to_owned);
    let ending = format!(" --python {python}");
    let whole = format!("see whether the failures are gone: jostle verify{ending}");
    assert_eq!(verify, Some(whole), "as the session was run: {}", said(&applied));
    let checked = jostle("fix --check");
    assert_eq!(said(&checked).matches("is applied already").count(), 2, "{}", said(&checked));
    let verified = jostle(&format!("verify --python {python}"));
    assert_eq!(verified.status.code(), Some(0), "{}", said(&verified));
    assert!(said(&verified).contains("2 recorded failures: 2 gone"), "{}", said(&verified));
}

#[test]
fn what_the_last_session_was_is_said_where_it_has_left_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let source =
        "A = []\n\n\ndef test_sets_a():\n    A.append(1)\n\n\ndef test_reads_a():\n    assert A == []\n";
    fs::write(folder.path().join("test_state.py"), source).expect("a file");
    let python = support::light_python().display().to_string();
    let jostle = |arguments: &str| {
        let mut command = support::jostle(folder.path());
        let words = shlex::split(arguments).expect("words");
        said(&command.args(words).output().expect("jostle runs"))
    };
    let session = |more: &str| {
        jostle(&format!(
            "stress --seed 1 --trials 2 -n 1 --hash-seeds 1 --schedules 0 --python {python} {more}"
        ))
    };
    session("--explain no");
    let unfixed = jostle("fix --check");
    assert!(
        unfixed.contains("--explain no`, has left no fix of 1 failure: its report says why"),
        "{unfixed}"
    );
    session("");
    session("--explain no");
    let kept = jostle("fix --check --allow-dirty");
    assert!(
        kept.contains("1 fix can be applied, 0 cannot be"),
        "found before, for what was found again: {kept}"
    );
    for others in ["-k nothing_of_this_name", "-k reads"] {
        session(others);
        let still = jostle("fix --check --allow-dirty");
        assert!(still.contains("1 fix can be applied"), "{others} says nothing of both tests: {still}");
    }
    fs::write(folder.path().join("test_state.py"), source.replace("A == []", "A != [2]")).expect("a file");
    session("-v");
    let clean = jostle("fix --check");
    assert!(clean.contains("-v`, found no new failure, and no failure of a session before"), "{clean}");
    let verified = jostle(&format!("verify --python {python}"));
    assert!(verified.contains("the last session in this folder, 20"), "{verified}");
    assert!(verified.contains("-v`, found no new failure, and none of before"), "{verified}");
}
