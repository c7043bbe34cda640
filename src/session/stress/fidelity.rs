//! Whether forks can be trusted: a sample of the suite is run in a fork and in a fresh process.

use crate::judge::Signature;
use crate::judge::observation::Fate;
use crate::limits::{FORK_ROUNDS, FORKED_SAMPLE, SAMPLE_WITHOUT_THREADS};
use crate::plan::{OrderKind, Plan};
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::session::stress::sample::evenly;
use crate::suite::TestIndex;
use crate::trial::Trial;

/// Compares a sample of a plan in suite order; gives up forks if a test shows one thing in each fresh process and
/// something else in each fork.
///
/// # Errors
/// Those of the engine, or the user insists on forks.
pub(crate) fn check(lab: &mut Lab<'_>, suite_order: &Plan) -> Result<(), RunError> {
    let most = if lab.lacks_threads(suite_order) { SAMPLE_WITHOUT_THREADS } else { FORKED_SAMPLE };
    let plan = sample(suite_order, most);
    let mut differing = plan.workers[0].clone();
    let mut first: Option<Trial> = None;
    for _ in 0..FORK_ROUNDS {
        let trials = lab.probes(&[Job::fresh(&plan), Job::of(&plan)])?;
        let [fresh, forked] = trials.as_slice() else { break };
        let first = first.get_or_insert_with(|| fresh.clone());
        differing.retain(|&test| {
            // What differs between two fresh processes as well says nothing of forks.
            match (seen(first, test), seen(fresh, test), seen(forked, test)) {
                (Some(first), Some(fresh), Some(forked)) => first == fresh && forked != fresh,
                _ => false,
            }
        });
        if differing.is_empty() {
            break;
        }
    }
    let Some(&test) = differing.first() else {
        return Ok(());
    };
    let id = &lab.suite.test(test).id;
    lab.refuse_forks(&format!(
        "of {} tests, each run in {FORK_ROUNDS} fresh processes and {FORK_ROUNDS} forks, {} did the same in all of the \
         first and something else in each of the others, {id} the first",
        plan.len(),
        differing.len()
    ))
}

/// Tests from all over a serial plan, in its order.
fn sample(plan: &Plan, most: usize) -> Plan {
    let list = evenly(&plan.workers[0], most);
    Plan { order: OrderKind::Explicit, workers: vec![list], ..plan.clone() }
}

/// How a test failed, if it did; nothing if it was not run, which tells nothing of forks.
fn seen(trial: &Trial, test: TestIndex) -> Option<Option<Signature>> {
    let run = trial.executions.iter().find(|run| run.test == test)?;
    (Fate::of(&run.outcome) != Fate::NotRun).then(|| Signature::of(test, &run.outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, plan, suite};
    use crate::trial::Outcome;

    /// Whether forks are given up after a suite of 120 tests was checked, of which the second does something else in forks.
    fn finds_the_second_of_many(lacks_threads: bool) -> bool {
        let engine = FakeEngine::new(suite(120), |run| fails_if(!run.fresh && run.test == TestIndex(1)));
        let mut engine = if lacks_threads { engine.without_threads() } else { engine };
        let whole = Plan { workers: vec![(0..120).map(TestIndex).collect()], ..plan("a") };
        let (suite, mut nobody) = (suite(120), Reporters::default());
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        check(&mut lab, &whole).unwrap();
        !lab.forks(&whole)
    }

    #[test]
    fn all_tests_of_a_suite_of_this_size_are_compared_where_forks_lack_threads() {
        assert!(finds_the_second_of_many(true));
        assert!(!finds_the_second_of_many(false));
    }

    /// Whether forks are still used after the check, and how many runs it took.
    fn checked(becomes: impl FnMut(Situation<'_>) -> Outcome) -> (bool, usize) {
        let (suite, mut engine, mut nobody) =
            (suite(4), FakeEngine::new(suite(4), becomes), Reporters::default());
        let whole = plan("abcd");
        let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
        check(&mut lab, &whole).unwrap();
        let forks = lab.forks(&whole);
        drop(lab);
        (forks, engine.ran.len())
    }

    #[test]
    fn only_what_is_constant_in_fresh_processes_and_never_so_in_forks_speaks_against_forks() {
        assert_eq!(checked(|run| fails_if(!run.fresh && run.is('b'))), (false, 2 * FORK_ROUNDS as usize));
        assert_eq!(checked(|_| fails_if(false)), (true, 2), "one round is enough where nothing differs");
        // It fails in each second fresh process, and does the other thing in each fork.
        let mut fresh = 0;
        let by_chance = |run: Situation<'_>| {
            fresh += u32::from(run.is('b') && run.fresh);
            fails_if(run.is('b') && run.fresh == (fresh % 2 == 1))
        };
        assert_eq!(checked(by_chance), (true, 4));
        // One fork that does what fresh processes do is enough.
        let mut forked = 0;
        let late = |run: Situation<'_>| {
            forked += u32::from(run.is('b') && !run.fresh);
            fails_if(run.is('b') && !run.fresh && forked < FORK_ROUNDS)
        };
        assert_eq!(checked(late), (true, 2 * FORK_ROUNDS as usize));
    }
}
