//! Whether a test that fails in all of jostle's runs fails in plain pytest, as its users run it, too: only that is an
//! ordinary bug.
//!
//! Tests that wait to be looked into are run together, in suite order and the other way round. One that fails both
//! times fails whatever of them comes before it; any other is run alone.

use std::collections::BTreeSet;

use crate::finding::{Elsewhere, Finding, Kind, NoCommand};
use crate::judge::Tally;
use crate::judge::observation::Fate;
use crate::judge::signature::Loss;
use crate::limits::{PLAIN_ALONE, PLAIN_TESTS};
use crate::run::RunError;
use crate::run::engine::Surroundings;
use crate::run::process::plain::PlainRun;
use crate::session::investigate::outside;
use crate::session::lab::Lab;
use crate::suite::{Suite, TestIndex};

/// Runs tests together that are likely to be called broken.
///
/// # Errors
/// Those of the engine.
pub(crate) fn together(lab: &mut Lab<'_>, tests: &BTreeSet<TestIndex>) -> Result<(), RunError> {
    let suite = lab.suite;
    let new = |test: &TestIndex| {
        tests.contains(test) && has_a_name(suite, *test) && !lab.plain_runs.together.contains_key(test)
    };
    let list: Vec<TestIndex> = suite.collected.iter().copied().filter(new).collect();
    if list.len() < 2 {
        return Ok(());
    }
    for tests in list.chunks(PLAIN_TESTS) {
        let backwards: Vec<TestIndex> = tests.iter().rev().copied().collect();
        for order in [tests, &backwards] {
            let fates = run(lab, order, Surroundings::Users)?.map(|run| fates(&run, suite, order));
            for (&test, fate) in order.iter().zip(fates.unwrap_or_default()) {
                lab.plain_runs.together.entry(test).or_default().push(fate);
            }
        }
    }
    Ok(())
}

/// A finding that is called broken, after plain pytest was asked. Where that does not show the failure, no claim
/// is made.
///
/// # Errors
/// Those of the engine.
pub(crate) fn asked(lab: &mut Lab<'_>, finding: Finding) -> Result<Finding, RunError> {
    let finding = outside::doubted(lab, finding);
    let (Kind::Broken, Some(test), Some(signature)) = (finding.kind, finding.test, &finding.signature) else {
        return Ok(finding);
    };
    let plain = of(lab, test, signature.crash.loss())?;
    let alone = lab.plain_runs.alone.get(&test).copied();
    if plain.always() || plain.runs == 0 && alone != Some(Fate::Skipped) {
        return Ok(Finding { plain, ..finding });
    }
    let why = match alone {
        Some(Fate::Passed) => what_differs(lab, test, signature.crash.loss())?,
        Some(Fate::Skipped) => Elsewhere::Skipped,
        _ => Elsewhere::Unknown,
    };
    Ok(Finding {
        kind: Kind::Unreproduced,
        unjudged: true,
        plain,
        no_command: Some(NoCommand::Elsewhere(why)),
        ..finding
    })
}

/// Whether plain pytest makes of a test what it makes of the one of a finding, so that the two may be told together.
///
/// # Errors
/// Those of the engine.
pub(crate) fn alike(
    lab: &mut Lab<'_>,
    finding: &Finding,
    test: TestIndex,
    loss: Option<Loss>,
) -> Result<bool, RunError> {
    let plain = of(lab, test, loss)?;
    let [told, other] = [finding.plain, plain].map(|tally| (tally.always(), tally.never()));
    Ok(told == other)
}

/// The runs of a test in plain pytest that tell: one alone too, unless it fails whatever comes before it.
fn of(lab: &mut Lab<'_>, test: TestIndex, loss: Option<Loss>) -> Result<Tally, RunError> {
    let mut fates = lab.plain_runs.together.get(&test).cloned().unwrap_or_default();
    if !fates.is_empty() && fates.iter().all(|&fate| fate == Fate::Failed) {
        return Ok(tally(&fates));
    }
    if !lab.plain_runs.alone.contains_key(&test)
        && has_a_name(lab.suite, test)
        && lab.plain_runs.alone.len() < PLAIN_ALONE
        && let Some(run) = run(lab, &[test], Surroundings::Users)?
    {
        lab.plain_runs.alone.insert(test, fate_alone(&run, lab.suite, test, loss));
    }
    fates.extend(lab.plain_runs.alone.get(&test));
    Ok(tally(&fates))
}

/// What the test fails for in jostle's runs that is not there for its users: it is run in a trial's sandbox, as they
/// run it.
fn what_differs(lab: &mut Lab<'_>, test: TestIndex, loss: Option<Loss>) -> Result<Elsewhere, RunError> {
    let Some(run) = run(lab, &[test], Surroundings::UsersVariables)? else {
        return Ok(Elsewhere::Jostle);
    };
    Ok(match fate_alone(&run, lab.suite, test, loss) {
        Fate::Failed => Elsewhere::Sandbox,
        Fate::Passed => Elsewhere::Jostle,
        Fate::Skipped | Fate::Xfailed | Fate::NotRun => Elsewhere::Unknown,
    })
}

/// Whether plain pytest can be asked for this test and no other, and tells which it is.
fn has_a_name(suite: &Suite, test: TestIndex) -> bool {
    let id = &suite.test(test).id;
    id.occurrence == 0 && suite.argument(test) == id.node_id
}

fn run(
    lab: &mut Lab<'_>,
    tests: &[TestIndex],
    surroundings: Surroundings,
) -> Result<Option<PlainRun>, RunError> {
    // The suite's own -x would keep the others from being run.
    let names = tests.iter().map(|&test| lab.suite.argument(test).to_owned());
    let arguments: Vec<String> = std::iter::once("--maxfail=0".to_owned()).chain(names).collect();
    Ok(lab.plain(&arguments, surroundings)?.map(|(_, run)| run))
}

fn tally(fates: &[Fate]) -> Tally {
    let mut tally = Tally::default();
    fates.iter().filter_map(|fate| fate.failed()).for_each(|failed| tally.add(failed));
    tally
}

/// What became of a test that was run alone.
fn fate_alone(run: &PlainRun, suite: &Suite, test: TestIndex, loss: Option<Loss>) -> Fate {
    match (loss, fates(run, suite, &[test]).as_slice()) {
        (Some(Loss::Timeout), _) if run.timed_out => Fate::Failed,
        (Some(Loss::Crash), [Fate::NotRun]) if run.broke_off() => Fate::Failed,
        // That something else failed in that run may be why it did not.
        (_, [Fate::Passed]) if run.code != Some(0) => Fate::NotRun,
        (_, [fate]) => *fate,
        _ => Fate::NotRun,
    }
}

/// What pytest's summary says of tests, each once.
fn fates(run: &PlainRun, suite: &Suite, tests: &[TestIndex]) -> Vec<Fate> {
    let fate = |&test: &TestIndex| {
        let id = &suite.test(test).id.node_id;
        let told: Vec<Fate> = run.output.lines().filter_map(|line| told_of(line, id)).collect();
        // A teardown may fail after a pass, a subtest in a test that passes.
        let most = [Fate::Failed, Fate::Skipped, Fate::Passed];
        most.into_iter().find(|fate| told.contains(fate)).unwrap_or(Fate::NotRun)
    };
    // Which test is skipped is not told, but that one was.
    let skipped = tests.len() == 1 && run.output.lines().any(|line| line.starts_with("SKIPPED ["));
    let fates = tests.iter().map(fate);
    fates.map(|fate| if skipped && fate == Fate::NotRun { Fate::Skipped } else { fate }).collect()
}

/// What a line of the summary says of a test, if it is about it.
fn told_of(line: &str, id: &str) -> Option<Fate> {
    let (word, rest) = line.split_once(' ')?;
    let after = rest.strip_prefix(id)?;
    let fate = match word {
        "PASSED" | "XPASS" => Fate::Passed,
        "FAILED" | "ERROR" => Fate::Failed,
        "XFAIL" => Fate::Skipped,
        _ if word.starts_with("SUBFAIL") => Fate::Failed,
        _ => return None,
    };
    (after.is_empty() || after.starts_with(" - ")).then_some(fate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Origin;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, plan, suite, test};
    use crate::session::investigate::investigate;
    use crate::session::suspect::suspects;
    use crate::trial::Outcome;

    /// What is found of `f`, the only one of eight tests that fails in a trial.
    fn found(becomes: impl Fn(Situation<'_>) -> Outcome) -> Finding {
        let one = |run: Situation<'_>| if run.is('f') { becomes(run) } else { Outcome::Passed };
        let (suite, mut engine, mut nobody) =
            (suite(8), FakeEngine::new(suite(8), one), Reporters::default());
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        let whole = plan("abcdefgh");
        let trial = lab.trial(Origin::Trial(0), &whole).unwrap();
        investigate(&mut lab, &suspects(Origin::Trial(0), &whole, &trial)[0]).unwrap()
    }

    fn runs(failed: u32, runs: u32) -> Tally {
        Tally { runs, failed }
    }

    #[test]
    fn only_what_fails_in_plain_pytest_too_is_an_ordinary_bug() {
        let kind = |becomes: fn(Situation<'_>) -> Outcome| {
            let finding = found(becomes);
            (finding.kind, finding.plain, finding.no_command)
        };
        let not_judged = |plain, why| (Kind::Unreproduced, plain, Some(NoCommand::Elsewhere(why)));
        assert_eq!(kind(|_| failed("KeyError")), (Kind::Broken, runs(1, 1), None));
        let in_sandbox = |run: Situation<'_>| fails_if(run.plain != Some(Surroundings::Users));
        assert_eq!(kind(in_sandbox), not_judged(runs(0, 1), Elsewhere::Sandbox));
        assert_eq!(
            kind(|run| fails_if(run.plain.is_none())),
            not_judged(runs(0, 1), Elsewhere::Jostle),
            "it takes jostle's own plugin"
        );
        let skipped = |run: Situation<'_>| {
            if run.plain.is_some() { Outcome::Skipped } else { failed("KeyError") }
        };
        assert_eq!(kind(skipped), not_judged(Tally::default(), Elsewhere::Skipped));
    }

    #[test]
    fn many_tests_are_asked_for_in_two_runs_and_those_that_pass_in_one_of_them_alone() {
        // `c` fails after `a`, in plain pytest only then; `d` in trials only; the others always.
        let mut starts = Vec::new();
        let mut engine = FakeEngine::new(suite(6), |run| {
            if run.plain == Some(Surroundings::Users) && run.before.is_empty() {
                starts.push(run.test);
            }
            fails_if(match (run.plain, run.is('c'), run.is('d')) {
                (None, ..) => true,
                (_, true, _) => run.after('a'),
                (_, _, is_d) => !is_d,
            })
        });
        let (whole, mut nobody) = (suite(6), Reporters::default());
        let mut lab = Lab::new(&whole, &mut engine, &mut nobody, None);
        together(&mut lab, &"abcdef".chars().map(test).collect()).unwrap();
        together(&mut lab, &"abcdef".chars().map(test).collect()).unwrap();
        let mut of = |letter| of(&mut lab, test(letter), None).unwrap();
        assert_eq!(of('a'), runs(2, 2));
        assert_eq!(of('c'), runs(1, 3), "it passes before a, and alone");
        assert_eq!(of('d'), runs(0, 3));
        assert_eq!(of('d'), runs(0, 3), "it is asked for once");
        drop(lab);
        drop(engine);
        assert_eq!(starts, ['a', 'f', 'c', 'd'].map(test));
    }

    #[test]
    fn a_summary_tells_of_a_test_what_it_says_and_no_more() {
        let suite = suite(3);
        let of = |output: &str, code, loss| {
            let run = PlainRun { code, timed_out: code == Some(-1), output: output.into() };
            fate_alone(&run, &suite, test('a'), loss)
        };
        let ended = |output: &str| of(output, Some(1), None);
        assert_eq!(ended("FAILED test_a.py::a - assert 1 == 2"), Fate::Failed);
        assert_eq!(ended("ERROR test_a.py::a"), Fate::Failed);
        assert_eq!(ended("PASSED test_a.py::a\nERROR test_a.py::a - in its teardown"), Fate::Failed);
        assert_eq!(ended("FAILED test_a.py::a[1] - assert 1 == 2"), Fate::NotRun, "another test");
        assert_eq!(ended("PASSED test_a.py::a"), Fate::NotRun, "but something failed");
        assert_eq!(of("PASSED test_a.py::a", Some(0), None), Fate::Passed);
        assert_eq!(of("XFAIL test_a.py::a - reason: later", Some(0), None), Fate::Skipped);
        assert_eq!(of("SKIPPED [1] test_a.py:3: no server", Some(0), None), Fate::Skipped);
        assert_eq!(of("", Some(4), None), Fate::NotRun, "pytest refused to run it");
        assert_eq!(of("", Some(139), Some(Loss::Crash)), Fate::Failed);
        assert_eq!(of("", Some(0), Some(Loss::Crash)), Fate::NotRun);
        assert_eq!(of("", Some(-1), Some(Loss::Timeout)), Fate::Failed);
        assert_eq!(of("", Some(-1), Some(Loss::Crash)), Fate::NotRun);
    }
}
