//! The plain pytest command that shows a failure: made, tried, and kept only if it does.

use crate::judge::finding::{Finding, Kind};
use crate::run::plain::PlainRun;
use crate::run::{Interpreter, RunError};
use crate::session::lab::Lab;
use crate::suite::{TestId, TestIndex};

/// What chance may explain at most where a command did not show a failure.
const DOUBT: f64 = 0.01;
/// How often a command is tried at most.
const MOST_TRIES: u32 = 20;

/// Finds the simplest command that shows a finding. None if plain pytest cannot express it (a test run
/// twice, workers that overlap) or no variant shows it.
///
/// # Errors
/// Those of the engine.
pub fn find(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    finding: &Finding,
) -> Result<Option<String>, RunError> {
    let (Some(minimal), Some(signature)) = (&finding.shrunk, &finding.signature) else {
        return Ok(None);
    };
    let tests: Vec<TestIndex> = match finding.kind {
        Kind::Victim => minimal.plan.workers.iter().flatten().copied().collect(),
        Kind::Brittle => vec![signature.test],
        _ => return Ok(None),
    };
    let mut selected: Vec<String> = Vec::new();
    if finding.kind == Kind::Victim {
        for file in &minimal.imports {
            selected.extend([file.clone(), format!("--deselect={file}")]);
        }
    }
    selected.extend(tests.iter().map(|&test| lab.suite.argument(test).to_owned()));
    // The last test is charged with the teardown of a fixture that tests share.
    let shared = finding.failure.as_ref().is_some_and(|failure| failure.shared_teardown().is_some());
    let charged = tests.last().filter(|_| shared).map_or(signature.test, |&last| last);
    let charged = lab.suite.test(charged).id.clone();
    // Flags that happen to be there when it fails at last would be taken for a condition.
    let tries =
        if finding.kind == Kind::Victim { finding.with.runs_to_show(DOUBT).min(MOST_TRIES) } else { 1 };
    for hash_seed in [None, Some(minimal.plan.hash_seed)] {
        for flags in variants(interpreter) {
            let arguments: Vec<String> =
                flags.iter().map(|&flag| flag.to_owned()).chain(selected.clone()).collect();
            for _ in 0..tries {
                let Some((command, run)) = lab.plain(&arguments, hash_seed)? else {
                    return Ok(None);
                };
                if shows(&run, &charged, &signature.crash.exception) {
                    return Ok(Some(command));
                }
            }
        }
    }
    Ok(None)
}

/// Flags that keep the suite's own plugins from changing the order, the fewest first.
fn variants(interpreter: &Interpreter) -> Vec<Vec<&'static str>> {
    let has = |name: &str| interpreter.plugins.iter().any(|plugin| plugin.starts_with(name));
    let mut variants = vec![Vec::new()];
    if has("pytest-randomly") {
        variants.push(vec!["-p", "no:randomly"]);
    }
    if has("pytest-xdist") {
        let mut flags = vec!["-n0"];
        if has("pytest-randomly") {
            flags.extend(["-p", "no:randomly"]);
        }
        variants.push(flags);
    }
    variants
}

/// Whether a run shows the failure: pytest's summary names the test, or the run broke off as it should.
fn shows(run: &PlainRun, victim: &TestId, exception: &str) -> bool {
    match exception {
        "timeout" => run.timed_out,
        "crash" => {
            !run.timed_out && !matches!(run.code, Some(0..=6)) || run.code.is_some_and(|code| code > 6)
        }
        _ => run.output.lines().any(|line| {
            let rest = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR "));
            rest.is_some_and(|rest| {
                rest.strip_prefix(&victim.node_id)
                    .is_some_and(|after| after.is_empty() || after.starts_with(" - "))
            })
        }),
    }
}
