//! What the tests share: Python environments of their own, and the corpus.

#![allow(dead_code, clippy::allow_attributes, reason = "each test binary uses a part")]

pub mod pages;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
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
    said(Command::new(base).args(["-m", "venv", "--clear"]).arg(folder.join("env")));
    let wanted = folder.join("wanted.txt");
    fs::write(&wanted, requirements).expect("target/ can be written");
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    said(Command::new(&python).args(pip).arg(&wanted));
    fs::rename(wanted, done).expect("target/ can be written");
    python
}

/// The environment of the corpus.
pub fn corpus_python() -> PathBuf {
    let requirements =
        fs::read_to_string(root().join("corpus/requirements.txt")).expect("corpus/requirements.txt");
    of_pytest("corpus", &requirements)
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

/// What [`light_python`] has.
pub const LIGHT: &str = "pytest==8.4.2\npytest-xdist==3.8.0\n";

/// pytest and pytest-xdist alone, for suites that need no more: it starts in half the time.
pub fn light_python() -> PathBuf {
    of_pytest("light", LIGHT)
}

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
        test_timeout,
        trial_timeout: None,
        interrupt: Interrupt::default(),
        reaper: Some(env!("CARGO_BIN_EXE_jostle").into()),
        sandboxing: None,
        memory: None,
        jobs: 1,
        tells_leftovers: false,
        remarks: jostle::run::remarks::Remarks::default(),
    }
}

/// The spawn engine for a folder, on the machine as it is.
pub fn engine(python: PathBuf, folder: &Path, test_timeout: Duration) -> SpawnEngine {
    SpawnEngine::new(options(python, folder, test_timeout)).expect("an engine")
}

/// Sandboxes for trials, which show these paths. None if none can be had here, unless
/// `JOSTLE_TEST_SANDBOX=required` is set.
pub fn sandboxing(keep: &[PathBuf]) -> Option<Sandboxing> {
    let executable = PathBuf::from(env!("CARGO_BIN_EXE_jostle"));
    if let Err(missing) = sandbox::probe(&executable) {
        assert!(std::env::var_os("JOSTLE_TEST_SANDBOX").is_none(), "{missing}");
        return None;
    }
    Some(Sandboxing {
        executable,
        share: Vec::new(),
        keep: keep.to_owned(),
        network: Network::Private,
        network_may_change: false,
        disk: 256 << 20,
    })
}

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
