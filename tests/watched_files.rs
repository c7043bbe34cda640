//! What is told of a project's files where there are more than are looked at.

use std::path::Path;
use std::process::Command;

use crate::support;

/// What was done to the project, and what may be said of it.
const DONE: [(&str, &str); 6] = [
    ("+0.txt", "file 0.txt|(absent)|'another'"),
    ("-2.txt", "file 2.txt|'as it was'|(absent)"),
    ("+a/new.txt", "file a/new.txt|(absent)|'another'"),
    ("+b/6.txt", "file b/6.txt|'as it was'|'another'"),
    ("+b/8.txt", "file b/8.txt|(absent)|'another'"),
    ("+zz.txt", "file zz.txt|(absent)|'another'"),
];

/// What is told where so many files and folders are looked at.
fn told(entries: u32) -> Vec<String> {
    let script = Path::new("tests/watched_files.py");
    let mut command = Command::new(support::light_python());
    command.env("PYTHONPATH", support::root().join("harness")).arg(support::root().join(script));
    command.arg(entries.to_string()).args(DONE.map(|(done, _)| done));
    support::said(&mut command).lines().map(str::to_owned).collect()
}

#[test]
fn what_was_not_looked_at_is_neither_created_nor_removed() {
    let truth = DONE.map(|(_, told)| told.to_owned());
    let mut most = 0;
    for entries in 1..=16 {
        let mut told = told(entries);
        let whole = told.pop();
        assert!(told.iter().all(|claim| truth.contains(claim)), "{entries}: {told:?}");
        assert!(told.len() >= most, "{entries}: {told:?}");
        most = told.len();
        // In the end there are two folders that are looked at, three in them, and ten files.
        assert_eq!(whole.as_deref(), Some(if entries < 15 { "cut off" } else { "all" }), "{entries}");
    }
    assert_eq!(most, truth.len());
}
