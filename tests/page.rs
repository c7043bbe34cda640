//! `--html` in a browser: a page opens, does nothing but what it should, and can be read by all.
//!
//! It needs Chromium and its driver (`/usr/bin/chromium` and `/usr/bin/chromedriver`, or what `$CHROMIUM` and
//! `$CHROMEDRIVER` name), and a registry for selenium and axe-core. `JOSTLE_TEST_SHOTS` is a folder for screenshots;
//! with `JOSTLE_TEST_WRITE` those of the book are made anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support;

/// What drives the browser, and the package that carries axe-core.
const BROWSER: &str = "selenium==4.51.0\naxe-playwright-python==0.1.8\npillow==11.3.0\n";

/// A suite in which the names of tests, a value of state and a failure's message are markup that would change the title.
const MARKUP: &str = r#"import os

import pytest

SCRIPT = "</script><script>document.title='pwned'</script>"


@pytest.mark.parametrize("text", [SCRIPT, "<img src=x onerror=\"document.title='pwned'\">", "plain"])
def test_shown(text):
    assert "MARKUP" not in os.environ, text


def test_sets_it():
    os.environ["MARKUP"] = SCRIPT
"#;

/// A hundred tests, of which one may be a victim, for each of 70 files: 7,001 with the polluter.
const MANY: &str = r#"import os

import pytest


@pytest.mark.parametrize("number", range(100))
def test_of_a_usual_length(number):
    assert number != 7 or "MANY" not in os.environ or not __file__.endswith("_7.py")
"#;

/// Tests that wait, so that several workers gain something.
const SLOW: &str = r#"import time

import pytest


@pytest.mark.parametrize("number", range(4))
def test_waits(number):
    time.sleep(0.4)
"#;

/// Runs a session that writes a page.
fn page(folder: &Path, name: &str, code: i32, options: &[&str]) -> PathBuf {
    let words = [&["stress", "--seed", "1", "--progress", "none"], options].concat();
    page_of(folder, name, code, &words)
}

/// Runs a command that writes a page. That shows how it was typed: no path of this machine stands there.
fn page_of(folder: &Path, name: &str, code: i32, words: &[&str]) -> PathBuf {
    let path = folder.parent().expect("a folder").join(name);
    let mut command = support::jostle(folder);
    command.args(words).arg("--html").arg(Path::new("..").join(name));
    command.env("VIRTUAL_ENV", support::light_python().ancestors().nth(2).expect("its environment"));
    let output = command.output().expect("jostle runs");
    assert_eq!(output.status.code(), Some(code), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    path
}

/// The pages of all commands, on the suite that `jostle demo` runs, as the book shows them.
fn pages_of_all_commands(folder: &Path) -> Vec<PathBuf> {
    let suite = folder.join("shop");
    support::copy(&support::root().join("corpus/demo"), &suite);
    let race = folder.join("shelf");
    support::copy(&support::root().join("corpus/race-one-folder"), &race);
    let slow = folder.join("slow");
    fs::create_dir(&slow).expect("a folder");
    for file in ["test_a.py", "test_b.py", "test_c.py"] {
        fs::write(slow.join(file), SLOW).expect("a file");
    }
    let kept = ["--trials", "6", "--history", "kept", "--failures", "failures"];
    let session = page(&suite, "session.html", 1, &kept);
    let again = ["stress", "--seed", "2", "--trials", "3", "--history", "kept", "--no-explain"];
    page_of(&suite, "again.html", 1, &again);
    let failure =
        fs::read_dir(suite.join("failures")).expect("a folder").next().expect("one").expect("a file");
    let failure = format!("failures/{}", failure.file_name().display());
    vec![
        session,
        page_of(&suite, "replay.html", 1, &["replay", &failure, "--times", "3"]),
        page_of(&suite, "verify.html", 1, &["verify", "failures", "--progress", "none"]),
        page_of(&suite, "history.html", 0, &["history", "--history", "kept"]),
        page_of(&race, "conflicts.html", 0, &["conflicts"]),
        page_of(
            &slow,
            "speedup.html",
            0,
            &["speedup", "-n", "2,3,4", "--dist", "load,loadfile", "--rounds", "2"],
        ),
    ]
}

/// Looks at pages in the browser; gives what is wrong with each.
fn looked_at(pages: &[PathBuf], shots: &Path) -> Value {
    let python = support::python_with("browser", BROWSER);
    let find = "import axe_playwright_python as axe; print(axe.__path__[0])";
    let package = support::said(Command::new(&python).args(["-c", find]));
    let mut command = Command::new(&python);
    command.arg(support::root().join("tests/browser.py")).arg(Path::new(package.trim()).join("axe.min.js"));
    serde_json::from_str(&support::said(command.arg(shots).args(pages))).expect("JSON")
}

fn browser_is_there() -> bool {
    let there = |variable: &str, usual: &str| {
        Path::new(&std::env::var(variable).unwrap_or_else(|_| usual.into())).is_file()
    };
    there("CHROMIUM", "/usr/bin/chromium") && there("CHROMEDRIVER", "/usr/bin/chromedriver")
}

#[test]
#[ignore = "at night: by day `report::page` tells that all of a session is in its page, as text, and how large it gets"]
fn a_browser_opens_pages_without_a_fault() {
    if !browser_is_there() {
        support::skipped(
            "pages in a browser: there is no Chromium with its driver; $CHROMIUM and $CHROMEDRIVER name them",
        );
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let suite = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir(&path).expect("a folder");
        path
    };
    let (markup, many, race) = (suite("markup"), suite("many"), suite("race"));
    fs::write(markup.join("test_markup.py"), MARKUP).expect("a file");
    for number in 0..70 {
        fs::write(many.join(format!("test_area_{number}.py")), MANY).expect("a file");
    }
    fs::write(many.join("test_sets.py"), "import os\n\n\ndef test_sets():\n    os.environ['MANY'] = '1'\n")
        .expect("a file");
    support::copy(&support::root().join("corpus/race-one-folder"), &race);
    // Fresh processes run no test by itself, which here would take longer than all trials.
    let trials_of_many = [&["--trials", "40", "--engine", "spawn"][..], &support::PLAIN].concat();
    let pages = [
        page(&markup, "markup.html", 1, &["--trials", "6"]),
        page(&race, "race.html", 1, &["--trials", "6"]),
        page(&many, "many.html", 1, &trials_of_many),
    ];
    let pages = [&pages[..], &pages_of_all_commands(folder.path())].concat();
    let shots =
        std::env::var_os("JOSTLE_TEST_SHOTS").map_or_else(|| folder.path().join("shots"), PathBuf::from);
    let looked = looked_at(&pages, &shots);
    if std::env::var_os("JOSTLE_TEST_WRITE").is_some() {
        let images = support::root().join("docs/src/images");
        fs::create_dir_all(&images).expect("a folder");
        for file in
            SHOWN.iter().flat_map(|name| ["light", "dark"].map(|scheme| format!("{name}-{scheme}.png")))
        {
            fs::copy(shots.join("book").join(&file), images.join(&file)).expect("a screenshot");
        }
    }
    for (page, said) in looked.as_object().expect("pages") {
        assert_eq!(said["wrong"], serde_json::json!([]), "{page}: {said:#}");
        assert!(said["bytes"].as_u64().expect("a number") < 5_000_000, "{page}: {said:#}");
    }
    assert_eq!(looked.as_object().map(|pages| pages.len()), Some(pages.len()));
}

/// The screenshots that the book shows, one in light and one in dark of each page.
const SHOWN: [&str; 6] = ["session", "replay", "verify", "history", "conflicts", "speedup"];

#[test]
fn the_book_shows_a_page_of_each_command_and_what_it_shows_is_small() {
    for name in SHOWN {
        for scheme in ["light", "dark"] {
            let path = support::root().join(format!("docs/src/images/{name}-{scheme}.png"));
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(
                bytes.starts_with(b"\x89PNG") && bytes.len() < 90_000,
                "{}: {}",
                path.display(),
                bytes.len()
            );
        }
    }
}

#[test]
fn a_page_is_written_and_one_that_cannot_be_costs_no_other_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("suite");
    fs::create_dir(&suite).expect("a folder");
    fs::write(suite.join("test_markup.py"), MARKUP).expect("a file");
    let options = [&["--trials", "2"][..], &support::PLAIN].concat();
    let page = fs::read_to_string(page(&suite, "page.html", 1, &options)).expect("the page");
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"), "{page}");
    assert!(page.contains("1 isolation failure") && !page.contains("<script>document"), "{page}");
    let mut command = support::jostle(&suite);
    command.args([
        "stress",
        "--seed",
        "1",
        "--progress",
        "none",
        "--html",
        "/dev/full",
        "--junit",
        "junit.xml",
        "--json",
    ]);
    let output =
        command.args(&options).arg("--python").arg(support::light_python()).output().expect("jostle runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.contains("cannot write --html /dev/full") && said.contains("Give a file that can be written"),
        "{said}"
    );
    let report: Value = serde_json::from_slice(&output.stdout).expect("the report");
    assert_eq!(report["exit_code"], 1);
    assert!(suite.join("junit.xml").is_file(), "{said}");
}
