//! The plain pytest command that shows a failure: made, tried, and kept only if it does.

use std::collections::BTreeSet;

use crate::finding::{Finding, Kind, NoCommand};
use crate::judge::signature::Loss;
use crate::judge::{Signature, Tally};
use crate::limits::{COMMAND_DOUBT, COMMAND_RUNS, COMMAND_SHOWS};
use crate::plan::Plan;
use crate::run::RunError;
use crate::run::engine::{PlainJob, Surroundings};
use crate::run::process::plain::PlainRun;
use crate::session::lab::Lab;
use crate::suite::{Suite, TestId, TestIndex, function};
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
        Kind::Victim if repeats(&minimal.plan) => return Ok(Some(Err(NoCommand::Twice))),
        Kind::Victim => minimal.plan.workers.iter().flatten().copied().collect(),
        Kind::Brittle => vec![signature.test],
        Kind::Nio => vec![signature.test],
        _ => return Ok(None),
    };
    let imports = if finding.kind == Kind::Victim { minimal.imports.as_slice() } else { &[] };
    let mut selected: Vec<String> = imports.iter().flat_map(|file| import(lab.suite, file)).collect();
    match finding.kind {
        Kind::Nio => selected.extend(twice(lab.suite, signature.test)),
        _ => selected.extend(tests.iter().map(|&test| lab.suite.argument(test).to_owned())),
    }
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
    let under_others = match (finding.kind, tests.split_last()) {
        (Kind::Victim, Some((_, before))) => {
            lab.history.failed_after(before, signature.test, minimal.plan.hash_seed)
        }
        _ => 0,
    };
    let commands = Commands {
        interpreter,
        hash_seeds: &[None, Some(minimal.plan.hash_seed)],
        selected: &selected,
        tries,
        // Whether it fails under one hash seed and in one order only, a single run does not tell; trials under others do.
        needed: if tries == 1 { COMMAND_SHOWS.saturating_sub(under_others).max(1) } else { 1 },
    };
    let shows = |run: &PlainRun| shows(run, &charged_id, signature.crash.loss());
    let tally = match commands.first_to_show(lab, shows)? {
        None => return Ok(None),
        Some(Ok(command)) => return Ok(Some(Ok(command))),
        Some(Err(tally)) => tally,
    };
    if tally.failed > 0 {
        return Ok(Some(Err(NoCommand::AtTimes(tally))));
    }
    let arguments: Vec<String> = std::iter::once("-v".to_owned()).chain(selected).collect();
    let as_planned = Surroundings::Trial { hash_seed: Some(minimal.plan.hash_seed) };
    let Some((_, run)) = lab.plain(&arguments, as_planned)? else {
        return Ok(None);
    };
    let id = |test: TestIndex| lab.suite.test(test).id.node_id.as_str();
    let late = tests.iter().find(|&&test| is_run_before(&run.output, id(charged), id(test)));
    let order = late.map(|&late| NoCommand::Order(charged, late));
    Ok(Some(Err(order.unwrap_or(NoCommand::Passed(tally.runs)))))
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
    let id = lab.suite.test(signature.test).id.clone();
    let commands = Commands {
        interpreter,
        hash_seeds: &[Some(plan.hash_seed)],
        selected: std::slice::from_ref(&id.node_id),
        tries: 1,
        needed: 1,
    };
    let found = commands.first_to_show(lab, |run| shows(run, &id, signature.crash.loss()))?;
    Ok(found.map(|found| found.map_err(|tally| NoCommand::Passed(tally.runs))))
}

/// Commands of which one is looked for, the simplest first.
struct Commands<'a> {
    /// Whose plugins may have to be kept from changing the order.
    interpreter: &'a Interpreter,
    /// `PYTHONHASHSEED`, if it is to be set.
    hash_seeds: &'a [Option<u32>],
    /// The arguments that select the tests.
    selected: &'a [String],
    /// How many runs of one command have to miss the failure before the next is tried.
    tries: u32,
    /// How many have to show it before the command is taken.
    needed: u32,
}

impl Commands<'_> {
    /// The first that shows the failure often enough, or how often it showed in all runs of all of them. None if plain
    /// pytest cannot be run so.
    ///
    /// # Errors
    /// Those of the engine.
    fn first_to_show(
        &self,
        lab: &mut Lab<'_>,
        shows: impl Fn(&PlainRun) -> bool,
    ) -> Result<Option<Result<String, Tally>>, RunError> {
        let mut all = Tally::default();
        let forms = forms(self.interpreter, self.hash_seeds);
        // Where a plugin may change the order, the first form may well miss it, and is not run again in vain.
        let in_order = forms.len() == self.hash_seeds.len();
        for form in forms {
            let arguments = form.arguments(self.selected);
            let job = PlainJob { arguments: &arguments, surroundings: form.surroundings() };
            let mut tally = Tally::default();
            while tally.runs - tally.failed < self.tries {
                // Those that are to agree go side by side.
                let agree = self.tries == 1 && (in_order || tally.failed > 0);
                let times = if agree { self.needed - tally.failed } else { 1 };
                for ran in lab.plain_all(&vec![job; times as usize])? {
                    let Some((command, run)) = ran else {
                        return Ok(None);
                    };
                    let shown = shows(&run);
                    all.add(shown);
                    tally.add(shown);
                    if tally.failed == self.needed {
                        return Ok(Some(Ok(command)));
                    }
                }
            }
        }
        Ok(Some(Err(all)))
    }
}

/// What a command has besides the tests it selects.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// `PYTHONHASHSEED`, if it is set.
    hash_seed: Option<u32>,
    flags: Vec<&'static str>,
}

impl Form {
    /// The arguments of a command that selects these tests.
    pub(super) fn arguments(&self, selected: &[String]) -> Vec<String> {
        let flags = self.flags.iter().map(|&flag| flag.to_owned());
        flags.chain(selected.iter().cloned()).collect()
    }

    /// What surrounds it.
    pub(super) fn surroundings(&self) -> Surroundings {
        Surroundings::Trial { hash_seed: self.hash_seed }
    }
}

/// The forms a command may have, the simplest first.
pub(super) fn forms(interpreter: &Interpreter, hash_seeds: &[Option<u32>]) -> Vec<Form> {
    let under = |&hash_seed: &Option<u32>| {
        variants(interpreter).into_iter().map(move |flags| Form { hash_seed, flags })
    };
    hash_seeds.iter().flat_map(under).collect()
}

/// The arguments with which pytest imports a file before those that follow, and runs no test of it. It imports the
/// files of tests that are named before files that are.
pub(super) fn import(suite: &Suite, file: &str) -> [String; 2] {
    let of_file = suite.collected.iter().find(|&&test| suite.test(test).file == file);
    let named = of_file.map_or_else(|| file.to_owned(), |&test| suite.argument(test).to_owned());
    [named, format!("--deselect={file}")]
}

/// The arguments with which pytest runs a test's file twice, and of that what bears the test's name: it runs a test once whose
/// id is named twice.
fn twice(suite: &Suite, test: TestIndex) -> [String; 5] {
    let test = suite.test(test);
    let name = function(&test.id).rsplit("::").next().unwrap_or_default().to_owned();
    ["--keep-duplicates".into(), "-k".into(), name, test.file.clone(), test.file.clone()]
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
pub(super) fn shows(run: &PlainRun, victim: &TestId, loss: Option<Loss>) -> bool {
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

/// Whether a plan runs a test more than once, be it the one that fails or one before it.
fn repeats(plan: &Plan) -> bool {
    let mut seen = BTreeSet::new();
    !plan.workers.iter().flatten().all(|test| seen.insert(test))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Minimal, Origin};
    use crate::run::engine::{Collect, Engine};
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, plan, suite, test};
    use crate::trial::Outcome;

    /// The command for `f`, which fails after `b` each time in jostle's runs and so in plain pytest.
    fn command(becomes: impl FnMut(Situation<'_>) -> Outcome) -> Result<String, NoCommand> {
        asked("bf", "b", becomes)
    }

    /// The same for what fails in a plan after these tests.
    fn asked(
        list: &str,
        culprits: &str,
        becomes: impl FnMut(Situation<'_>) -> Outcome,
    ) -> Result<String, NoCommand> {
        asked_after(&[], list, culprits, becomes)
    }

    /// The same, once the plan was run under these hash seeds.
    fn asked_after(
        hash_seeds: &[u32],
        list: &str,
        culprits: &str,
        becomes: impl FnMut(Situation<'_>) -> Outcome,
    ) -> Result<String, NoCommand> {
        let (suite, mut engine, mut nobody) =
            (suite(8), FakeEngine::new(suite(8), becomes), Reporters::default());
        let interpreter = engine.collect(Collect::kept(1)).unwrap().interpreter;
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        for &hash_seed in hash_seeds {
            lab.probe(&Plan { hash_seed, ..plan(list) }).unwrap();
        }
        let (imports, culprits) = (Vec::new(), culprits.chars().map(test).collect());
        let shrunk = Minimal { plan: plan(list), culprits, imports, one_minimal: true, calls: 0 };
        let finding = Finding {
            signature: Signature::of(test('f'), &failed("AssertionError")),
            shrunk: Some(shrunk),
            with: Tally { runs: 8, failed: 8 },
            ..Finding::new(Kind::Victim, Some(test('f')), Origin::Baseline)
        };
        find(&mut lab, &interpreter, &finding).unwrap().expect("plain pytest is asked")
    }

    #[test]
    fn a_command_without_a_hash_seed_has_shown_the_failure_several_times_in_a_row() {
        let plain = "pytest test_b.py::b test_f.py::f";
        let mut runs = 0;
        let always = command(|run| {
            runs += u32::from(run.is('f'));
            fails_if(run.after('b'))
        });
        assert_eq!((always, runs), (Ok(plain.to_owned()), COMMAND_SHOWS));
        // It fails under the seed of its plan, and by luck twice under others.
        let mut runs = 0;
        let by_seed = command(|run| {
            let seeded = matches!(run.plain, Some(Surroundings::Trial { hash_seed: Some(_) }));
            runs += u32::from(run.is('f'));
            fails_if(run.after('b') && (seeded || runs < COMMAND_SHOWS))
        });
        assert_eq!(by_seed, Ok(format!("PYTHONHASHSEED=1 {plain}")));
        // What else decides is not known: no command shows it each time.
        let mut runs = 0;
        let at_times = command(|run| {
            runs += u32::from(run.is('f'));
            fails_if(run.after('b') && runs == 1)
        });
        assert_eq!(at_times, Err(NoCommand::AtTimes(Tally { runs: 2 * COMMAND_SHOWS, failed: 1 })));
        assert_eq!(command(|_| fails_if(false)), Err(NoCommand::Passed(2 * COMMAND_SHOWS)));
    }

    #[test]
    fn what_trials_under_other_hash_seeds_have_shown_a_command_need_not() {
        for (hash_seeds, needed) in [(vec![1], 4), (vec![1, 2, 3], 2), ((1..9).collect(), 1)] {
            let mut runs = 0;
            let found = asked_after(&hash_seeds, "bf", "b", |run| {
                runs += u32::from(run.is('f') && run.plain.is_some());
                fails_if(run.after('b'))
            });
            assert_eq!((found, runs), (Ok("pytest test_b.py::b test_f.py::f".to_owned()), needed));
        }
    }

    #[test]
    fn what_takes_a_test_of_several_to_run_twice_is_not_asked_of_plain_pytest() {
        for list in ["bff", "bbf"] {
            let mut runs = 0;
            let twice = asked(list, "bf", |_| {
                runs += 1;
                fails_if(true)
            });
            assert_eq!((twice, runs), (Err(NoCommand::Twice), 0), "{list}");
        }
    }

    #[test]
    fn a_file_is_run_twice_for_what_bears_the_name_of_a_test() {
        assert_eq!(twice(&suite(3), test('b')), ["--keep-duplicates", "-k", "b", "test_b.py", "test_b.py"]);
    }

    #[test]
    fn an_order_is_read_where_both_tests_are_told_of() {
        let output = "collected 2 items\n\na.py::t[1 2] PASSED  [ 50%]\na.py::t PASSED [100%]\n";
        assert!(is_run_before(output, "a.py::t[1 2]", "a.py::t"));
        assert!(!is_run_before(output, "a.py::t", "a.py::t[1 2]"));
        assert!(!is_run_before(output, "a.py::t[1 2]", "a.py::other"));
        assert!(!is_run_before("..  [100%]", "a.py::t[1 2]", "a.py::t"));
    }
}
