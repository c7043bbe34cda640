//! What the tests share: Python environments of their own, and the corpus.

#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses a part")]

pub mod pages;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use jostle::run::engine::fresh::SpawnEngine;
use jostle::run::host::HostOptions;
use jostle::run::process::interrupt::Interrupt;
use jostle::run::process::python;
use jostle::run::sandbox::{self, Network};
use jostle::run::site::trial_env::Sandboxing;

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A Python environment with exactly these requirements, made once under target/.
///
/// The base is `$JOSTLE_TEST_PYTHON`, else `python3`.
pub fn python_with(name: &str, requirements: &str) -> PathBuf {
    let base = std::env::var("JOSTLE_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    python_with_base(name, requirements, Path::new(&base))
}

/// As [`python_with`], from a given Python.
pub fn python_with_base(name: &str, requirements: &str, base: &Path) -> PathBuf {
    static MADE: Mutex<BTreeMap<(String, PathBuf), PathBuf>> = Mutex::new(BTreeMap::new());
    let key = (name.to_owned(), base.to_owned());
    if let Some(python) = MADE.lock().expect("no panic").get(&key) {
        return python.clone();
    }
    // Others may be made meanwhile, and this one by another process.
    let python = made(name, requirements, base);
    MADE.lock().expect("no panic").insert(key, python.clone());
    python
}

fn made(name: &str, requirements: &str, base: &Path) -> PathBuf {
    let say_version = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
    let version = said(Command::new(base).args(["-c", say_version]));
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("python").join(format!("{name}-{}", version.trim()));
    fs::create_dir_all(&folder).expect("target/ can be written");
    let lock = File::create(folder.join("lock")).expect("target/ can be written");
    lock.lock().expect("the environment's lock");
    let (python, done) = (folder.join("env/bin/python"), folder.join("requirements.txt"));
    if fs::read_to_string(&done).is_ok_and(|installed| installed == requirements) {
        return python;
    }
    said(Command::new(base).args(["-m", "venv", "--clear", "--without-pip"]).arg(folder.join("env")));
    let wanted = folder.join("wanted.txt");
    fs::write(&wanted, requirements).expect("target/ can be written");
    // jostle keeps bytecode in a place of its own, and tests import a part of what is installed.
    let pip = ["install", "--quiet", "--disable-pip-version-check", "--no-compile", "-r"];
    let mut of_base = Command::new(base);
    of_base.args(["-m", "pip", "--python"]).arg(&python).args(pip).arg(&wanted);
    // A pip of its own takes as long as all the rest; a base may have none that installs elsewhere.
    if !of_base.output().is_ok_and(|output| output.status.success()) {
        said(Command::new(&python).args(["-m", "ensurepip"]));
        said(Command::new(&python).args(["-m", "pip"]).args(pip).arg(&wanted));
    }
    fs::rename(wanted, done).expect("target/ can be written");
    python
}

/// The environment of the corpus.
pub fn corpus_python() -> PathBuf {
    let requirements =
        fs::read_to_string(root().join("corpus/requirements.txt")).expect("corpus/requirements.txt");
    of_pytest("corpus", &requirements)
}

/// The environment of specimens that talk to servers. The packages bring these where the machine has none.
pub fn servers_python() -> PathBuf {
    let requirements = fs::read_to_string(root().join("corpus/servers.txt")).expect("corpus/servers.txt");
    of_pytest("servers", &requirements)
}

/// The environment of a specimen that needs these besides pytest.
pub fn python_for(requires: &[String]) -> PathBuf {
    let needs = |wanted: &[&str]| requires.iter().any(|name| wanted.contains(&name.as_str()));
    if needs(&["psycopg", "redis"]) {
        servers_python()
    } else if requires.iter().all(|name| name == "pytest-xdist") {
        light_python()
    } else {
        corpus_python()
    }
}

/// An environment with the pytest that `$JOSTLE_TEST_PYTEST` names (7.4, 8, 9), else with that of the requirements.
fn of_pytest(name: &str, requirements: &str) -> PathBuf {
    match std::env::var("JOSTLE_TEST_PYTEST") {
        Ok(version) => python_with(&format!("{name}-{version}"), &with_pytest(requirements, &version)),
        Err(_) => python_with(name, requirements),
    }
}

/// Requirements with another version of pytest.
pub fn with_pytest(requirements: &str, version: &str) -> String {
    let line = |line: &str| match line.starts_with("pytest==") {
        true => format!("pytest=={version}.*\n"),
        false => format!("{line}\n"),
    };
    requirements.lines().map(line).collect()
}

/// Whether this is the run of the night, which does in full what that of the day does in part: `JOSTLE_TEST_NIGHT=1`.
pub fn night() -> bool {
    std::env::var_os("JOSTLE_TEST_NIGHT").is_some()
}

/// A number that a variable gives, else that of the day or of the night.
pub fn number(variable: &str, by_day: u32, by_night: u32) -> u32 {
    let given = std::env::var(variable).ok();
    given.map_or(if night() { by_night } else { by_day }, |given| given.parse().expect("a number"))
}

/// What is asked for of a specimen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// What each run of the tests does.
    Day,
    /// All there is to it.
    Whole,
    /// Nothing: others are named.
    Nothing,
}

/// What `JOSTLE_TEST_SPECIMENS` and the time of day ask for of a specimen.
pub fn asked_for(name: &str) -> Asked {
    match std::env::var("JOSTLE_TEST_SPECIMENS") {
        Err(_) if !night() => Asked::Day,
        Ok(names) if names != "all" && names.split(',').all(|named| named != name) => Asked::Nothing,
        _ => Asked::Whole,
    }
}

/// The names of all specimens, in order.
pub fn specimens() -> Vec<String> {
    let folders = fs::read_dir(root().join("corpus")).expect("the corpus");
    let folders = folders.map(|entry| entry.expect("an entry"));
    let specimens = folders.filter(|folder| folder.path().join("specimen.toml").is_file());
    let mut names: Vec<String> =
        specimens.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Says that a test cannot be made here, which `JOSTLE_TEST_NO_SKIPS=1` makes an error.
pub fn skipped(why: &str) {
    let allowed = std::env::var_os("JOSTLE_TEST_NO_SKIPS").is_none_or(|value| value.is_empty());
    assert!(allowed, "not tested: {why}");
    not_for_us(why);
}

/// Says that a test is none for this user or system.
pub fn not_for_us(why: &str) {
    // Past the capture of a test that passes: it is to be seen.
    writeln!(std::io::stderr(), "NOT TESTED: {why}").expect("standard error");
}

/// What [`light_python`] has.
pub const LIGHT: &str = "pytest==8.4.2\npytest-xdist==3.8.0\n";

/// pytest and pytest-xdist alone, for suites that need no more: it starts in half the time.
pub fn light_python() -> PathBuf {
    of_pytest("light", LIGHT)
}

/// [`light_python`] with the plugins that jostle has to come to terms with.
pub fn python_with_plugins() -> PathBuf {
    python_with("plugins", PLUGINS)
}

/// What [`python_with_plugins`] has.
const PLUGINS: &str = "pytest==8.4.2\npytest-xdist==3.8.0\npytest-cov==7.0.0\npytest-randomly==3.16.0\n\
    pytest-rerunfailures==16.0.1\npytest-random-order==1.2.0\npytest-timeout==2.4.0\npytest-subtests==0.14.2\n";

/// Every file below a folder with its content, in order.
pub fn listing(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.clone(), fs::read(&path).expect("a file")));
            }
        }
    }
    files.sort();
    files
}

/// Checks a report against the schema in the repository.
pub fn validate_report(report: &serde_json::Value) -> Result<(), String> {
    let schema = fs::read_to_string(root().join("src/report/report.schema.json")).expect("the schema");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    validator.validate(report).map_err(|error| format!("{error} at {}", error.instance_path()))
}

/// Runs a command that must succeed; returns what it printed.
pub fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

/// How the spawn engine runs a folder's suite, ended by the `jostle` under test if the tests die.
pub fn options(python: PathBuf, folder: &Path, test_timeout: Duration) -> HostOptions {
    HostOptions {
        python: python::find(Some(&python), folder).expect("a Python with pytest"),
        invocation_dir: folder.to_owned(),
        pytest_args: Vec::new(),
        tests: Vec::new(),
        test_timeout,
        trial_timeout: None,
        interrupt: Interrupt::default(),
        reaper: Some(env!("CARGO_BIN_EXE_jostle").into()),
        sandboxing: None,
        resets: Vec::new(),
        memory: None,
        jobs: 1,
        tells_leftovers: false,
        own_files: Vec::new(),
        named_places: Vec::new(),
        remarks: jostle::run::remarks::Remarks::default(),
    }
}

/// The spawn engine for a folder, on the machine as it is.
pub fn engine(python: PathBuf, folder: &Path, test_timeout: Duration) -> SpawnEngine {
    SpawnEngine::new(options(python, folder, test_timeout)).expect("an engine")
}

/// Sandboxes for trials, which show these paths. None if none can be had here, which is said.
pub fn sandboxing(keep: &[PathBuf]) -> Option<Sandboxing> {
    let executable = PathBuf::from(env!("CARGO_BIN_EXE_jostle"));
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let missing =
        MISSING.get_or_init(|| sandbox::probe(&executable).err().map(|missing| missing.to_string()));
    if let Some(missing) = missing {
        skipped(missing);
        return None;
    }
    Some(Sandboxing {
        executable,
        share: Vec::new(),
        keep: keep.to_owned(),
        network: Network::Private,
        network_may_change: false,
        disk: 256 << 20,
        services: std::sync::Arc::default(),
    })
}

/// What a session varies where that is not what is tested: one worker and one hash seed take the fewest starts of pytest.
pub const NARROW: [&str; 4] = ["-n", "1", "--hash-seeds", "1"];

/// [`NARROW`], for what is about the state behind a failure and not about a fix: trying one takes a quarter of the time.
pub const UNFIXED: [&str; 6] = ["-n", "1", "--hash-seeds", "1", "--explain", "state"];

/// [`NARROW`], for what is not about explaining: it takes half of the runs of a session that finds something.
pub const UNEXPLAINED: [&str; 5] = ["-n", "1", "--hash-seeds", "1", "--no-explain"];

/// [`UNEXPLAINED`], for what is not about sandboxes either: they take a fifth of what is left.
pub const PLAIN: [&str; 7] = ["-n", "1", "--hash-seeds", "1", "--no-explain", "--sandbox", "off"];

/// A command that runs the `jostle` under test in a folder, with a cache of the tests' own.
pub fn jostle(folder: &Path) -> Command {
    jostle_at(Path::new(env!("CARGO_BIN_EXE_jostle")), folder)
}

/// As [`jostle`], of a copy of the program.
pub fn jostle_at(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder);
    command.env("JOSTLE_CACHE_DIR", root().join("target/jostle-cache"));
    // What the tests themselves are run in is none of its business.
    for variable in [
        "VIRTUAL_ENV",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_WORKSPACE",
        "GITLAB_CI",
        "CI_PROJECT_DIR",
    ] {
        command.env_remove(variable);
    }
    command
}

/// A copy of a program that can be run at once. Another process writes it: what this one has open for writing, a process
/// that another test starts meanwhile would hold open for a moment, and no system runs what is written.
pub fn copy_program(from: &Path, to: &Path) {
    let status = Command::new("cp").arg(from).arg(to).status().expect("cp runs");
    assert!(status.success(), "{} was not copied", from.display());
}

/// A copy of a folder, without what Python leaves behind.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the copy's folder");
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("an entry");
        let (path, name) = (entry.path(), entry.file_name());
        if name == "__pycache__" || name == ".pytest_cache" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            fs::copy(&path, to.join(name)).expect("a copied file");
        }
    }
}

/// Waits until something that was started makes this file.
pub fn wait_for(file: &Path) {
    while !file.exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
}
