//! Writes into release builds which commit they are of.
//!
//! Debug builds are told apart by nothing, so that not every commit compiles everything anew.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=JOSTLE_COMMIT");
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // Whoever builds from an archive may say what is not in it.
    let given = std::env::var("JOSTLE_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = match release {
        true => given.or_else(|| {
            watch(Path::new(&folder));
            commit(Path::new(&folder))
        }),
        false => given,
    };
    let told = commit.map_or_else(|| version.clone(), |commit| format!("{version} ({commit})"));
    println!("cargo::rustc-env=JOSTLE_VERSION={told}");
}

/// Builds anew with each commit, and when what differs from it changes.
fn watch(folder: &Path) {
    for path in ["src", "harness", "corpus/demo", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={path}");
    }
    if let Some(log) = git(folder, &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// The commit of the sources in a folder, with a mark if they differ from it: from git, or from what cargo wrote
/// into a package; none if neither knows. The repository of a folder above, which holds a copy of the
/// sources, is not theirs.
pub fn commit(folder: &Path) -> Option<String> {
    let top = git(folder, &["rev-parse", "--show-toplevel"]);
    let own = top.is_some_and(|top| Path::new(&top).canonicalize().ok() == folder.canonicalize().ok());
    if !own {
        let packaged = std::fs::read_to_string(folder.join(".cargo_vcs_info.json")).ok()?;
        let (_, after) = packaged.split_once("\"sha1\"")?;
        let commit = after.split('"').nth(1)?;
        let plain = commit.len() >= 9 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        return plain.then(|| commit[..9].to_owned());
    }
    let commit = git(folder, &["log", "-1", "--abbrev=9", "--format=%h %cs"])?;
    let changed = git(folder, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { commit } else { format!("{commit}, changed since") })
}

/// What git says; none if there is no git, or it refuses.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
