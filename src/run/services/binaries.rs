//! Where the programs of servers are: on `PATH`, at the places where systems keep them, or in a package of the suite's Python.

use std::path::{Path, PathBuf};

/// Where the versions of a program are kept side by side, each in a folder of its number.
const VERSIONED: [(&str, &str); 2] = [("/usr/lib/postgresql", ""), ("/usr", "pgsql-")];
/// Other folders of programs.
const OTHERS: [&str; 3] = ["/usr/local/pgsql/bin", "/usr/local/bin", "/usr/sbin"];

/// The first folder that holds all of these programs.
pub(super) fn folder_of(programs: &[&str], in_packages: &[&str], python: &Path) -> Option<PathBuf> {
    folders_of(programs, in_packages, python).into_iter().next()
}

/// The folders that hold all of these programs, the first of them with its links followed; those that packages of
/// the suite's Python bring come last.
pub(super) fn folders_of(programs: &[&str], in_packages: &[&str], python: &Path) -> Vec<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&on_path).filter(|folder| folder.is_absolute());
    let real = on_path
        .filter_map(|folder| Some(folder.join(programs.first()?).canonicalize().ok()?.parent()?.to_owned()));
    let others = OTHERS.iter().map(PathBuf::from);
    let folders = real.chain(versions()).chain(others).chain(of_packages(in_packages, python));
    folders.filter(|folder| programs.iter().all(|program| folder.join(program).is_file())).collect()
}

/// The folders of all versions, the latest first.
fn versions() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (folder, prefix) in VERSIONED {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse().ok());
            found.extend(number.map(|number| (number, entry.path().join("bin"))));
        }
    }
    found.sort_by(|one, other| other.cmp(one));
    found.into_iter().map(|(_, folder)| folder).collect()
}

/// Folders of the packages of an environment.
fn of_packages(in_packages: &[&str], python: &Path) -> Vec<PathBuf> {
    let Some(environment) = python.parent().and_then(Path::parent) else { return Vec::new() };
    let versions = std::fs::read_dir(environment.join("lib")).into_iter().flatten().flatten();
    let packages = versions.map(|entry| entry.path().join("site-packages")).filter(|folder| folder.is_dir());
    let mut found: Vec<PathBuf> =
        packages.flat_map(|packages| in_packages.iter().map(move |folder| packages.join(folder))).collect();
    found.sort();
    found
}
