//! Whether a test that was never seen to pass does so under another `PYTHONHASHSEED`: a session tries few values, and
//! all of them may be such that it fails.

use std::collections::BTreeSet;

use crate::limits::MORE_HASH_SEEDS;
use crate::plan::{Axes, Imports, Plan, Seed};
use crate::run::{Job, RunError};
use crate::session::lab::{Lab, serial};
use crate::suite::TestIndex;

/// Runs tests under other hash seeds, all of them in one process for each; the lab's history keeps what they showed.
/// Nothing is run if the session is to keep to one hash seed.
///
/// # Errors
/// Those of the engine.
pub(crate) fn try_others(
    lab: &mut Lab<'_>,
    axes: &Axes,
    seed: Seed,
    like: &Plan,
    tests: &BTreeSet<TestIndex>,
) -> Result<(), RunError> {
    if axes.hash_seeds < 2 || tests.is_empty() {
        return Ok(());
    }
    let plans: Vec<Plan> =
        others(axes, seed).into_iter().map(|hash_seed| under(lab, like, tests, hash_seed)).collect();
    let jobs: Vec<Job<'_>> = plans.iter().map(Job::of).collect();
    lab.probes(&jobs).map(drop)
}

/// Hash seeds that the session does not use, drawn from its seed.
fn others(axes: &Axes, seed: Seed) -> Vec<u32> {
    let more = Axes { hash_seeds: axes.hash_seeds + MORE_HASH_SEEDS, ..axes.clone() };
    more.hash_seed_values(seed).split_off(axes.hash_seeds as usize)
}

/// The tests in suite order, with nothing imported but their files.
fn under(lab: &Lab<'_>, like: &Plan, tests: &BTreeSet<TestIndex>, hash_seed: u32) -> Plan {
    let list = lab.suite.collected.iter().copied().filter(|test| tests.contains(test)).collect();
    let files = tests.iter().map(|&test| lab.suite.test(test).file.clone()).collect();
    Plan { hash_seed, imports: Imports::Only(files), ..serial(like, list) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Kind;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, lost, suite, test};
    use crate::session::result::{Limits, SessionResult};
    use crate::session::stress::stress;
    use crate::trial::Outcome;

    const SEED: Seed = Seed(3);

    fn axes(hash_seeds: u32) -> Axes {
        Axes { hash_seeds, workers: vec![1], ..Axes::default() }
    }

    /// What a session says of five tests of which `c` becomes so, and the hash seeds that it ran tests under.
    fn session(axes: &Axes, becomes: impl Fn(u32) -> Outcome) -> (SessionResult, BTreeSet<u32>) {
        let one =
            |run: Situation<'_>| if run.is('c') { becomes(run.plan.hash_seed) } else { Outcome::Passed };
        let mut engine = FakeEngine::new(suite(5), one);
        let limits = Limits { trials: Some(2), ..Limits::default() };
        let result = stress(&mut engine, &mut Reporters::default(), SEED, axes, &limits).unwrap();
        (result, engine.ran.iter().map(|(plan, _)| plan.hash_seed).collect())
    }

    fn kinds(result: &SessionResult) -> Vec<(Kind, Option<TestIndex>)> {
        result.findings.iter().map(|finding| (finding.kind, finding.test)).collect()
    }

    #[test]
    fn what_fails_under_all_seeds_of_the_session_is_run_under_others_before_it_is_called_broken() {
        let axes = axes(3);
        let used = axes.hash_seed_values(SEED);
        let last = others(&axes, SEED).pop().unwrap();
        assert_eq!(others(&axes, SEED).len(), MORE_HASH_SEEDS as usize);
        assert!(!used.contains(&last));
        let (by_hash, _) = session(&axes, |hash_seed| fails_if(hash_seed != last));
        assert_eq!(kinds(&by_hash), [(Kind::HashSeed, Some(test('c')))]);
        let (always, ran) = session(&axes, |_| fails_if(true));
        assert_eq!(kinds(&always), [(Kind::Broken, Some(test('c')))]);
        assert!(others(&axes, SEED).iter().all(|seed| ran.contains(seed)), "{ran:?}");
    }

    #[test]
    fn a_test_that_fails_by_its_hash_seed_is_told_with_both_seeds_and_a_command() {
        let three = axes(3);
        let first = three.hash_seed_values(SEED)[0];
        let (by_hash, _) = session(&three, |hash_seed| fails_if(hash_seed == first));
        let [finding] = &by_hash.findings[..] else { panic!("one finding") };
        let note = finding.note.as_deref().unwrap();
        let failed = format!(
            "failed with PYTHONHASHSEED={first} in each of 3 runs alone, passed with PYTHONHASHSEED="
        );
        let passed = note.strip_prefix(&failed).and_then(|rest| rest.strip_suffix(" in each of 3"));
        let passed: u32 = passed.unwrap_or_else(|| panic!("{note}")).parse().unwrap();
        assert_ne!(passed, first);
        let command = format!("PYTHONHASHSEED={first} pytest test_c.py::c");
        assert_eq!(finding.command.as_deref(), Some(&*command));
        let (always, _) = session(&three, |_| fails_if(true));
        assert_eq!((always.findings[0].note.as_deref(), always.findings[0].command.as_deref()), (None, None));
    }

    #[test]
    fn nothing_is_run_under_others_where_that_is_not_wanted_or_says_nothing_new() {
        let one = axes(1);
        let (always, ran) = session(&one, |_| fails_if(true));
        assert_eq!(kinds(&always), [(Kind::Broken, Some(test('c')))]);
        assert_eq!(ran, one.hash_seed_values(SEED).into_iter().collect(), "one hash seed is wanted");
        let three = axes(3);
        let session_seeds: BTreeSet<u32> = three.hash_seed_values(SEED).into_iter().collect();
        let (_, ran) = session(&three, |_| lost());
        assert!(ran.is_subset(&session_seeds), "a lost worker is dear");
        let (_, ran) = session(&three, |_| Outcome::Passed);
        assert!(ran.is_subset(&session_seeds), "nothing fails");
        let first = three.hash_seed_values(SEED)[0];
        let (by_hash, _) = session(&three, |hash_seed| fails_if(hash_seed == first));
        assert_eq!(kinds(&by_hash), [(Kind::HashSeed, Some(test('c')))]);
    }
}
