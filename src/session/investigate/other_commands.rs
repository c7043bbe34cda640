//! The commands for the other victims of a finding: of a sample it is tried which of them shows the failure.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::finding::other_victims::OtherVictim;
use crate::judge::signature::Loss;
use crate::limits::RELATED_SAMPLE;
use crate::run::RunError;
use crate::run::engine::PlainJob;
use crate::session::investigate::command::{forms, import, shows};
use crate::session::lab::Lab;
use crate::suite::TestIndex;
use crate::trial::Interpreter;

/// The simplest command that shows each of a sample of a finding's other victims, or that none does. Those come first that
/// fail otherwise than its own. Nothing where there is no command for that.
///
/// # Errors
/// Those of the engine.
pub(crate) fn find(
    lab: &mut Lab<'_>,
    interpreter: &Interpreter,
    finding: &Finding,
) -> Result<BTreeMap<TestIndex, Option<String>>, RunError> {
    let mut found = BTreeMap::new();
    let Some(minimal) = finding.shrunk.as_ref().filter(|_| finding.command.is_some()) else {
        return Ok(found);
    };
    let mut others = sample(lab, finding);
    for form in forms(interpreter, &[None, Some(minimal.plan.hash_seed)]) {
        let arguments = |other: &OtherVictim<'_>| {
            let imported = if other.after.is_none() { minimal.imports.as_slice() } else { &[] };
            let imported = imported.iter().flat_map(|file| import(lab.suite, file));
            let tests = other.after.iter().chain([&other.signature.test]);
            let named = tests.map(|&test| lab.suite.argument(test).to_owned());
            form.arguments(&imported.chain(named).collect::<Vec<_>>())
        };
        let arguments: Vec<Vec<String>> = others.iter().map(arguments).collect();
        let job = |arguments| PlainJob { arguments, surroundings: form.surroundings() };
        let jobs: Vec<PlainJob<'_>> = arguments.iter().map(|arguments| job(arguments.as_slice())).collect();
        let mut missed = Vec::new();
        for (other, ran) in others.into_iter().zip(lab.plain_all(&jobs)?) {
            // One that cannot be written as a command has none, and says nothing of the others.
            let Some((command, run)) = ran else { continue };
            let test = other.signature.test;
            let shown = shows(&run, &lab.suite.test(test).id, other.signature.crash.loss());
            found.insert(test, shown.then_some(command));
            missed.extend((!shown).then_some(other));
        }
        if missed.is_empty() {
            break;
        }
        others = missed;
    }
    Ok(found)
}

/// Those that are tried: no hang, as that takes its whole time limit.
fn sample<'f>(lab: &Lab<'_>, finding: &'f Finding) -> Vec<OtherVictim<'f>> {
    let is_cheap = |other: &OtherVictim<'_>| {
        let test = other.signature.test;
        let is_named = lab.suite.argument(test) == lab.suite.test(test).id.node_id;
        is_named && other.signature.crash.loss() != Some(Loss::Timeout)
    };
    let mut others: Vec<OtherVictim<'_>> = finding.other_victims().filter(is_cheap).collect();
    others.sort_by_key(|other| !finding.is_otherwise(other.signature, lab.suite));
    others.truncate(RELATED_SAMPLE);
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::same_polluter::SamePolluter;
    use crate::finding::{Kind, Minimal, Origin};
    use crate::judge::{Signature, Tally};
    use crate::run::Engine;
    use crate::run::engine::{Collect, Surroundings};
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, name, plan, suite, test};
    use crate::trial::Outcome;

    /// What is found for tests that fail after `b` as `h` does, and after how many runs.
    fn found(
        others: &[(char, &str)],
        command: Option<&str>,
        mut becomes: impl FnMut(Situation<'_>) -> Outcome,
    ) -> (Vec<(char, Option<String>)>, usize) {
        let mut runs = 0;
        let counted = |run: Situation<'_>| {
            runs += usize::from(run.plain.is_some() && run.is('b'));
            becomes(run)
        };
        let (suite, mut nobody) = (suite(8), Reporters::default());
        let mut engine = FakeEngine::new(suite.clone(), counted);
        let interpreter = engine.collect(Collect::kept(1)).unwrap().interpreter;
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        let fails = |letter, exception: &str| Signature::of(test(letter), &failed(exception)).unwrap();
        let victims = others.iter().map(|&(letter, exception)| fails(letter, exception)).collect();
        let (culprits, imports) = (vec![test('b')], Vec::new());
        let finding = Finding {
            signature: Some(fails('h', "KeyError")),
            shrunk: Some(Minimal { plan: plan("bh"), culprits, imports, one_minimal: true, calls: 1 }),
            with: Tally { runs: 8, failed: 8 },
            command: command.map(str::to_owned),
            same_polluter: SamePolluter { victims, ..SamePolluter::default() },
            ..Finding::new(Kind::Victim, Some(test('h')), Origin::Baseline)
        };
        let found = find(&mut lab, &interpreter, &finding).unwrap();
        drop(lab);
        drop(engine);
        (found.into_iter().map(|(test, command)| (name(test), command)).collect(), runs)
    }

    const OWN: Option<&str> = Some("pytest test_b.py::b test_h.py::h");

    #[test]
    fn a_sample_is_tried_and_first_what_fails_otherwise() {
        let others =
            [('c', "KeyError"), ('d', "KeyError"), ('e', "KeyError"), ('f', "OSError"), ('g', "KeyError")];
        let (tried, runs) = found(&others, OWN, |run| fails_if(run.after('b')));
        let command = |letter| (letter, Some(format!("pytest test_b.py::b test_{letter}.py::{letter}")));
        assert_eq!((tried, runs), (['c', 'f'].map(command).to_vec(), RELATED_SAMPLE));
    }

    #[test]
    fn what_no_run_shows_has_none_and_what_takes_the_hash_seed_has_that() {
        let seeded =
            |run: &Situation<'_>| matches!(run.plain, Some(Surroundings::Trial { hash_seed: Some(_) }));
        let becomes = |run: Situation<'_>| fails_if(run.is('d') && run.after('b') && seeded(&run));
        let (tried, _) = found(&[('c', "KeyError"), ('d', "KeyError")], OWN, becomes);
        let command = "PYTHONHASHSEED=1 pytest test_b.py::b test_d.py::d".to_owned();
        assert_eq!(tried, [('c', None), ('d', Some(command))]);
    }

    #[test]
    fn where_the_finding_has_no_command_none_is_tried() {
        assert_eq!(found(&[('c', "KeyError")], None, |_| fails_if(false)), (Vec::new(), 0));
    }
}
