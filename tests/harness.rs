//! The harness's own tests, which run on the Python and the pytest that the specimens run on.

use std::process::Command;

use crate::support;

#[test]
fn the_harness_s_own_tests_pass() {
    let mut command = Command::new(support::corpus_python());
    command.args(["-m", "pytest", "-q"]).current_dir(support::root().join("harness"));
    let said = support::said(&mut command);
    let outcome = said.lines().last().unwrap_or_default();
    assert!(outcome.contains(" passed") && !outcome.contains("skipped"), "{outcome}");
}
