//! A project, sandboxes for it, and processes in them.

use std::fs;
use std::io::{PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use jostle::run::sandbox::{Base, Exit, Sandbox, SandboxOptions, SandboxedCommand, SandboxedProcess, probe};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::support;

/// Where nobody finds a copy of the binaries, since he may not read root's.
const EXECUTABLE: &str = "JOSTLE_TEST_EXECUTABLE";

pub fn jostle() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        std::env::var_os(EXECUTABLE).map_or_else(|| env!("CARGO_BIN_EXE_jostle").into(), PathBuf::from)
    })
}

/// Runs a test here and, if this is root, once more as nobody.
pub fn as_everybody(name: &str, test: impl FnOnce()) {
    if !is_possible() {
        return;
    }
    test();
    if !geteuid().is_root() {
        return;
    }
    let copies = copies();
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let output = Command::new("setpriv")
        .args(nobody)
        .arg(copies.join("test"))
        .args(["--exact", &named(name), "--nocapture"])
        .env(EXECUTABLE, copies.join("jostle"))
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/")
        .env_remove("TMPDIR")
        .current_dir("/")
        .output()
        .expect("setpriv is there");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "as nobody: {text}");
}

/// Set where another test runs a helper, which is a test for want of another program.
pub const HELPER: &str = "JOSTLE_TEST_HELPER";

/// Whether a helper is run as such.
pub fn is_helper() -> bool {
    std::env::var_os(HELPER).is_some()
}

/// A test of this room by its full name.
pub fn named(name: &str) -> String {
    format!("sandbox::{name}")
}

/// Whether a sandbox can be had here.
pub fn is_possible() -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    *POSSIBLE.get_or_init(|| match probe(jostle()) {
        Ok(()) => true,
        Err(missing) => {
            support::skipped(&missing.to_string());
            false
        }
    })
}

/// Where everybody finds the binaries.
pub fn copies() -> &'static Path {
    static COPIES: OnceLock<TempDir> = OnceLock::new();
    let folder = COPIES.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("its mode");
        let this = std::env::current_exe().expect("this test");
        support::copy_program(&this, &folder.path().join("test"));
        support::copy_program(jostle(), &folder.path().join("jostle"));
        folder
    });
    folder.path()
}

/// A small project with a base for it.
pub struct Project {
    folder: TempDir,
    path: PathBuf,
    pub base: Base,
}

impl Project {
    pub fn new() -> Self {
        Self::with(SandboxOptions::default())
    }

    pub fn with(options: SandboxOptions) -> Self {
        Self::made("project", options)
    }

    pub fn named(name: &str) -> Self {
        Self::made(name, SandboxOptions::default())
    }

    fn made(name: &str, mut options: SandboxOptions) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        fs::create_dir_all(path.join("data")).expect("a folder");
        fs::write(path.join("data/one"), "1").expect("a file");
        fs::write(path.join("two"), "22").expect("a file");
        options.keep.push(path.clone());
        let base = Base::start(jostle(), &options).expect("a base");
        Self { folder, path, base }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that the project's folder is in.
    pub fn around(&self) -> &Path {
        self.folder.path()
    }

    pub fn top(&self) -> Sandbox {
        Sandbox::on(&self.base).expect("a sandbox")
    }

    /// Checks that the host's project is as it was made.
    pub fn is_whole(&self) {
        let names = |path: &Path| {
            let mut names: Vec<_> = fs::read_dir(path)
                .expect("a folder")
                .map(|entry| entry.expect("an entry").file_name())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(self.path()), ["data", "two"]);
        assert_eq!(names(&self.path().join("data")), ["one"]);
        assert_eq!(fs::read_to_string(self.path().join("data/one")).expect("a file"), "1");
        assert_eq!(fs::read_to_string(self.path().join("two")).expect("a file"), "22");
    }
}

pub fn shell(folder: &Path, script: &str) -> SandboxedCommand {
    SandboxedCommand {
        args: vec!["-c".into(), script.into()],
        env: vec![("PATH".into(), std::env::var_os("PATH").expect("a PATH"))],
        cwd: folder.to_owned(),
        ..SandboxedCommand::new("/bin/sh")
    }
}

/// Starts a process with its output in a pipe, which ends when all that hold it have ended.
pub fn start(sandbox: &Sandbox, mut command: SandboxedCommand) -> (SandboxedProcess, PipeReader) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let second = writer.try_clone().expect("a descriptor");
    command.fds.extend([(OwnedFd::from(writer), 1), (OwnedFd::from(second), 2)]);
    (sandbox.start(command).expect("it starts"), reader)
}

/// What a script prints, and how it ended.
pub fn run(sandbox: &Sandbox, folder: &Path, script: &str) -> (String, Exit) {
    let (mut process, mut reader) = start(sandbox, shell(folder, script));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("its output");
    (text.trim_end().to_owned(), process.wait())
}

/// What a script prints that exits with 0.
pub fn says(sandbox: &Sandbox, folder: &Path, script: &str) -> String {
    let (text, exit) = run(sandbox, folder, script);
    assert_eq!(exit, Exit::Code(0), "{text}");
    text
}

/// Reads a line, byte by byte, so that what follows stays in the pipe.
pub fn line(pipe: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while pipe.read(&mut byte).expect("a line") == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text")
}
