//! The plain pytest command that shows a failure: made, tried, and kept only if it does.

use crate::finding::{Finding, Kind, NoCommand};
use crate::judge::Signature;
use crate::judge::signature::Loss;
use crate::limits::{COMMAND_DOUBT, COMMAND_RUNS};
use crate::run::RunError;
use crate::run::engine::Surroundings;
use crate::run::process::plain::PlainRun;
use crate::session::lab::Lab;
use crate::suite::{Suite, TestId, TestIndex};
use crate::trial::Interpreter;

/// Finds the simplest command that shows an isolation failure, or one that depends on the hash seed, or why none does.
/// Nothing for other findings, and where plain pytest cannot be run.
///
/// # Errors
/// Those of the engine.
pub fn find(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    finding: &Finding,
) -> Result<Option<Result<String, NoCommand>>, RunError> {
    let Some(signature) = &finding.signature else {
        return Ok(None);
    };
    if lab.suite.argument(signature.test) != lab.suite.test(signature.test).id.node_id {
        // Plain pytest runs it with the others of its function, and does not tell which of them it is.
        return Ok(None);
    }
    if finding.kind == Kind::HashSeed {
        return under_its_hash_seed(lab, interpreter, finding, signature);
    }
    let Some(minimal) = &finding.shrunk else {
        return Ok(None);
    };
    let tests: Vec<TestIndex> = match finding.kind {
        Kind::Victim => minimal.plan.workers.iter().flatten().copied().collect(),
        Kind::Brittle => vec![signature.test],
        Kind::Nio => return Ok(Some(Err(NoCommand::Twice))),
        Kind::Race => return Ok(Some(Err(NoCommand::Workers))),
        _ => return Ok(None),
    };
    let imports = if finding.kind == Kind::Victim { minimal.imports.as_slice() } else { &[] };
    let mut selected: Vec<String> = imports.iter().flat_map(|file| import(lab.suite, file)).collect();
    selected.extend(tests.iter().map(|&test| lab.suite.argument(test).to_owned()));
    // The last test is charged with the teardown of a fixture that tests share.
    let shared = finding.failure.as_ref().is_some_and(|failure| failure.shared_teardown().is_some());
    let charged = tests.last().filter(|_| shared).copied().unwrap_or(signature.test);
    let charged_id = lab.suite.test(charged).id.clone();
    // Flags that happen to be there when it fails at last would be taken for a condition.
    let tries = if finding.kind == Kind::Victim {
        finding.with.runs_to_show(COMMAND_DOUBT).min(COMMAND_RUNS)
    } else {
        1
    };
    let mut runs = 0;
    for hash_seed in [None, Some(minimal.plan.hash_seed)] {
        for flags in variants(interpreter) {
            let arguments: Vec<String> =
                flags.iter().map(|&flag| flag.to_owned()).chain(selected.clone()).collect();
            for _ in 0..tries {
                let Some((command, run)) = lab.plain(&arguments, Surroundings::Trial { hash_seed })? else {
                    return Ok(None);
                };
                if shows(&run, &charged_id, signature.crash.loss()) {
                    return Ok(Some(Ok(command)));
                }
                runs += 1;
            }
        }
    }
    let arguments: Vec<String> = std::iter::once("-v".to_owned()).chain(selected).collect();
    let as_planned = Surroundings::Trial { hash_seed: Some(minimal.plan.hash_seed) };
    let Some((_, run)) = lab.plain(&arguments, as_planned)? else {
        return Ok(None);
    };
    let id = |test: TestIndex| lab.suite.test(test).id.node_id.as_str();
    let late = tests.iter().find(|&&test| is_run_before(&run.output, id(charged), id(test)));
    let order = late.map(|&late| NoCommand::Order(charged, late));
    Ok(Some(Err(order.unwrap_or(NoCommand::Passed(runs)))))
}

/// The command for a test that fails alone under the hash seed of the plan that showed it.
fn under_its_hash_seed(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    finding: &Finding,
    signature: &Signature,
) -> Result<Option<Result<String, NoCommand>>, RunError> {
    let Some(plan) = &finding.plan else {
        return Ok(None);
    };
    let surroundings = Surroundings::Trial { hash_seed: Some(plan.hash_seed) };
    let id = lab.suite.test(signature.test).id.clone();
    let mut runs = 0;
    for flags in variants(interpreter) {
        let arguments: Vec<String> =
            flags.iter().map(|&flag| flag.to_owned()).chain([id.node_id.clone()]).collect();
        let Some((command, run)) = lab.plain(&arguments, surroundings)? else {
            return Ok(None);
        };
        if shows(&run, &id, signature.crash.loss()) {
            return Ok(Some(Ok(command)));
        }
        runs += 1;
    }
    Ok(Some(Err(NoCommand::Passed(runs))))
}

/// The arguments with which pytest imports a file before those that follow, and runs no test of it. It imports the
/// files of tests that are named before files that are.
fn import(suite: &Suite, file: &str) -> [String; 2] {
    let of_file = suite.collected.iter().find(|&&test| suite.test(test).file == file);
    let named = of_file.map_or_else(|| file.to_owned(), |&test| suite.argument(test).to_owned());
    [named, format!("--deselect={file}")]
}

/// Whether the output of `pytest -v` tells of one test before another.
fn is_run_before(output: &str, one: &str, other: &str) -> bool {
    let at = |id: &str| {
        let of = |line: &str| line.strip_prefix(id).is_some_and(|rest| rest.starts_with(' '));
        output.lines().position(of)
    };
    matches!((at(one), at(other)), (Some(one), Some(other)) if one < other)
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
fn shows(run: &PlainRun, victim: &TestId, loss: Option<Loss>) -> bool {
    match loss {
        Some(Loss::Timeout) => run.timed_out,
        Some(Loss::Crash) => run.broke_off(),
        None => run.output.lines().any(|line| {
            let rest = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR "));
            rest.is_some_and(|rest| {
                rest.strip_prefix(&victim.node_id)
                    .is_some_and(|after| after.is_empty() || after.starts_with(" - "))
            })
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_where_both_tests_are_told_of() {
        let output = "collected 2 items\n\na.py::t[1 2] PASSED  [ 50%]\na.py::t PASSED [100%]\n";
        assert!(is_run_before(output, "a.py::t[1 2]", "a.py::t"));
        assert!(!is_run_before(output, "a.py::t", "a.py::t[1 2]"));
        assert!(!is_run_before(output, "a.py::t[1 2]", "a.py::other"));
        assert!(!is_run_before("..  [100%]", "a.py::t[1 2]", "a.py::t"));
    }
}
