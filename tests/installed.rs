//! What goes with the program where it is installed: completions, manual, version.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support;

#[path = "../build.rs"]
#[expect(dead_code, reason = "its main is cargo's")]
mod build;

fn jostle(arguments: &[&str]) -> Output {
    support::jostle(Path::new(".")).args(arguments).output().expect("jostle runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A script's shell reads it without complaint, where that shell is installed.
#[test]
fn shells_take_their_completions() {
    let mut tried = 0;
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let script = jostle(&["completions", shell]);
        assert_eq!(script.status.code(), Some(0));
        assert!(out(&script).contains("--code-quality") || out(&script).contains("code-quality"), "{shell}");
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), &script.stdout).expect("a file");
        let read = Command::new(shell).arg(check).arg(file.path()).stdin(Stdio::null()).output();
        if let Ok(read) = read {
            tried += 1;
            assert!(read.status.success(), "{shell}: {}", String::from_utf8_lossy(&read.stderr));
        }
    }
    assert!(tried > 0, "there is a bash");
}

#[test]
fn bash_completes_an_option() {
    let script = out(&jostle(&["completions", "bash"]));
    let ask = "\nCOMP_WORDS=(jostle stress --jun); COMP_CWORD=2; _jostle jostle --jun stress; echo \"${COMPREPLY[@]}\"";
    let said = support::said(Command::new("bash").args(["-c", &(script + ask)]));
    assert_eq!(said.trim(), "--junit");
}

#[test]
fn each_command_has_a_page() {
    let all = out(&jostle(&["man"]));
    assert!(all.contains(".TH jostle 1") && all.contains("stress") && !all.contains("__reaper"), "{all}");
    let stress = out(&jostle(&["man", "stress"]));
    assert!(stress.contains(".TH jostle-stress 1") && stress.contains("\\-\\-junit"), "{stress}");
    for name in ["stresss", "__reaper"] {
        let none = jostle(&["man", name]);
        assert_eq!(none.status.code(), Some(4));
        assert!(String::from_utf8_lossy(&none.stderr).contains(&format!("no command `{name}`")));
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
    support::said(Command::new("git").arg("-C").arg(folder).args(identity).args(arguments))
}

#[test]
fn the_commit_is_that_of_the_sources_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let sources = folder.path().join("sources");
    fs::create_dir(&sources).expect("a folder");
    assert_eq!(build::commit(&sources), None, "no repository");
    let info = "{\n  \"git\": {\n    \"sha1\": \"0123456789abcdef0123456789abcdef01234567\"\n  }\n}";
    fs::write(sources.join(".cargo_vcs_info.json"), info).expect("a file");
    assert_eq!(build::commit(&sources).as_deref(), Some("012345678"), "a package");

    git(folder.path(), &["init", "--quiet"]);
    fs::write(folder.path().join("a"), "").expect("a file");
    git(folder.path(), &["add", "a"]);
    git(folder.path(), &["commit", "--quiet", "-m", "a"]);
    assert_eq!(build::commit(&sources).as_deref(), Some("012345678"), "the repository above is another's");
    let of_itself = build::commit(folder.path()).expect("a commit");
    assert!(
        of_itself.starts_with(git(folder.path(), &["rev-parse", "--short=9", "HEAD"]).trim()),
        "{of_itself}"
    );
    assert!(!of_itself.contains("changed"), "{of_itself}");
    fs::write(folder.path().join("a"), "other").expect("a file");
    assert!(build::commit(folder.path()).is_some_and(|commit| commit.ends_with(", changed since")));
}

#[test]
fn the_version_is_told() {
    let version = out(&jostle(&["--version"]));
    assert!(version.starts_with(concat!("jostle ", env!("CARGO_PKG_VERSION"))), "{version}");
}

/// What pip installs beside pytest, with the program on the path.
fn pytest(folder: &Path, path: &Path, arguments: &[&str]) -> Output {
    let mut python = support::jostle_at(&support::light_python(), folder);
    python.args(["-m", "pytest", "-p", "pytest_jostle"]).args(arguments);
    python.env("PYTHONPATH", support::root().join("harness")).env("PATH", path).output().expect("pytest runs")
}

#[test]
fn pytest_becomes_jostle_where_it_is_asked_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let tests = "import os\n\ndef test_one():\n    assert 'SET' not in os.environ\n\ndef test_two():\n    os.environ['SET'] = ''\n";
    fs::write(folder.path().join("test_all.py"), tests).expect("a file");
    let settings = "[tool.jostle]\ntrials = 2\nexplain = \"no\"\n";
    fs::write(folder.path().join("pyproject.toml"), settings).expect("a file");
    let program = Path::new(env!("CARGO_BIN_EXE_jostle")).parent().expect("its folder");
    let path = format!("{}:/usr/bin:/bin", program.display());
    let plain = pytest(folder.path(), Path::new(&path), &["-q"]);
    assert_eq!(plain.status.code(), Some(0), "{}", out(&plain));
    let stressed = pytest(folder.path(), Path::new(&path), &["--jostle", "-k", "one or two"]);
    assert_eq!(stressed.status.code(), Some(1), "{}", out(&stressed));
    assert!(
        out(&stressed).contains("\nvictim  test_all.py:3 test_one  ← test_all.py:6 test_two"),
        "{}",
        out(&stressed)
    );
    let chosen = pytest(folder.path(), Path::new(&path), &["--jostle", "test_all.py::test_one"]);
    assert_eq!(chosen.status.code(), Some(0), "{}", out(&chosen));
    let lone = "test_all.py::test_one is the only test here, and no other can break it";
    assert!(out(&chosen).contains(lone), "{}", out(&chosen));
    let nowhere = pytest(folder.path(), folder.path(), &["--jostle"]);
    assert_eq!(nowhere.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("no program `jostle`"));
    fs::write(folder.path().join("pytest.ini"), "[pytest]\naddopts = --jostle\n").expect("a file");
    let always = pytest(folder.path(), Path::new(&path), &[]);
    assert_eq!(always.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&always.stderr).contains("belongs on the command line"));
}
