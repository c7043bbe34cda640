//! Whether a test that passes and fails in runs which differ by their random seed alone does so by what it draws: the
//! very plans that showed both are run again.

use crate::finding::{Finding, Kind};
use crate::judge::Tally;
use crate::judge::observation::{FailureMatcher, observe};
use crate::limits::DRAW_RUNS;
use crate::plan::Plan;
use crate::run::{Job, RunError};
use crate::session::lab::Lab;
use crate::trial::Trial;

/// A run of which is known whether the failure that is looked for showed.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What was run.
    pub plan: Plan,
    /// Whether in processes started for it alone.
    pub fresh: bool,
    /// Whether it showed.
    pub failed: bool,
}

/// Tells which of both it is that a finding passes and fails, by what it draws or under one and the same plan, if
/// `runs` hold two that differ by nothing but their random seed. Else no claim is made.
///
/// # Errors
/// Those of the engine.
pub(crate) fn told_apart(
    lab: &mut Lab<'_>,
    finding: Finding,
    wanted: &FailureMatcher,
    runs: &[Seen],
) -> Result<Finding, RunError> {
    let Some((failing, passing)) = pair(runs) else {
        return Ok(Finding { kind: Kind::Unreproduced, ..finding });
    };
    if failing.plan.random_seed == passing.plan.random_seed {
        return Ok(Finding { kind: Kind::Nod, ..finding });
    }
    let again =
        [failing, passing].map(|seen| [Job { fresh: seen.fresh, ..Job::of(&seen.plan) }; DRAW_RUNS as usize]);
    let jobs = again.concat();
    let trials = lab.probes(&jobs)?;
    let (fails, passes) = trials.split_at(DRAW_RUNS as usize);
    let (fails, passes) = (tally(fails, wanted), tally(passes, wanted));
    let seeds = (failing.plan.random_seed, passing.plan.random_seed);
    Ok(match kind(fails, passes) {
        Some(Kind::RandomDraws) => {
            let mut note = format!(
                "fails each time with random seed {} and passes each time with random seed {}, {DRAW_RUNS} more runs of the \
                 same plan each",
                seeds.0, seeds.1
            );
            // The generators are seeded before the first test: that is the one that fails.
            if failing.plan.workers.iter().flatten().copied().eq(finding.test) {
                note += &how_to_see_it(seeds.0);
            }
            Finding { kind: Kind::RandomDraws, note: Some(note), ..finding }
        }
        Some(kind) => Finding { kind, ..finding },
        None => Finding { kind: Kind::Unreproduced, ..finding },
    })
}

/// What these runs did, which anybody can do.
fn how_to_see_it(seed: u32) -> String {
    format!(
        ". To see it fail, call random.seed({seed}) right before the test, or numpy.random.seed({seed}) if it draws from numpy"
    )
}

/// What further runs of a plan that failed and of one that passed, alike but for their random seed, tell.
fn kind(fails: Tally, passes: Tally) -> Option<Kind> {
    if fails.runs < DRAW_RUNS || passes.runs < DRAW_RUNS {
        return None;
    }
    Some(if fails.always() && passes.never() { Kind::RandomDraws } else { Kind::Nod })
}

fn tally(trials: &[Trial], wanted: &FailureMatcher) -> Tally {
    let mut tally = Tally::default();
    trials.iter().filter_map(|trial| observe(trial, wanted).shown()).for_each(|failed| tally.add(failed));
    tally
}

/// The first failing run that has a passing one beside it which differs by its random seed at most.
fn pair(runs: &[Seen]) -> Option<(&Seen, &Seen)> {
    let alike = |one: &Seen, other: &Seen| {
        let plan = Plan { random_seed: other.plan.random_seed, ..one.plan.clone() };
        plan == other.plan && one.fresh == other.fresh
    };
    let failing = runs.iter().filter(|seen| seen.failed);
    failing
        .flat_map(|one| runs.iter().map(move |other| (one, other)))
        .filter(|(one, other)| !other.failed && alike(one, other))
        .min_by_key(|(one, other)| one.plan.random_seed != other.plan.random_seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Origin;
    use crate::plan::{Imports, Interleaving, Mode, OrderKind, Seed, TrialIndex};
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, fails_if, plan, suite};
    use crate::suite::TestIndex;

    fn seen(random_seed: u32, test: u32, failed: bool) -> Seen {
        let plan = Plan {
            seed: Seed(1),
            index: TrialIndex(0),
            order: OrderKind::Explicit,
            mode: Mode::No,
            workers: vec![vec![TestIndex(test)]],
            interleaving: Interleaving::Free,
            hash_seed: 1,
            random_seed,
            imports: Imports::All,
        };
        Seen { plan, fresh: false, failed }
    }

    #[test]
    fn a_test_that_was_run_alone_is_seen_to_fail_again_with_its_seed() {
        let told = |tests: &str| {
            let mut engine = FakeEngine::new(suite(2), |run| fails_if(run.plan.random_seed == 2));
            let (suite, mut nobody) = (suite(2), Reporters::default());
            let mut lab = Lab::new(&suite, &mut engine, &mut nobody, None);
            let runs = [1, 2].map(|random_seed| Seen {
                plan: Plan { random_seed, ..plan(tests) },
                fresh: false,
                failed: random_seed == 2,
            });
            let found = Finding::new(Kind::Nod, Some(TestIndex(0)), Origin::Alone);
            let wanted = FailureMatcher::Failure(TestIndex(0));
            told_apart(&mut lab, found, &wanted, &runs).unwrap().note.unwrap()
        };
        let how = ". To see it fail, call random.seed(2) right before the test";
        assert!(told("a").contains(how), "{}", told("a"));
        assert!(!told("ba").contains("random.seed"), "who drew before it is not known: {}", told("ba"));
    }

    fn seeds(runs: &[Seen]) -> Option<(u32, u32)> {
        pair(runs).map(|(failing, passing)| (failing.plan.random_seed, passing.plan.random_seed))
    }

    #[test]
    fn only_runs_of_one_plan_are_compared_and_those_of_one_seed_first() {
        assert_eq!(seeds(&[seen(1, 0, true), seen(2, 0, true)]), None);
        assert_eq!(seeds(&[seen(1, 0, true), seen(2, 1, false)]), None, "another plan");
        assert_eq!(seeds(&[seen(1, 0, false), seen(2, 0, true), seen(3, 0, true)]), Some((2, 1)));
        assert_eq!(seeds(&[seen(1, 0, false), seen(2, 0, true), seen(2, 0, false)]), Some((2, 2)));
        let fresh = Seen { fresh: true, ..seen(1, 0, false) };
        assert_eq!(seeds(&[fresh, seen(2, 0, true)]), None, "another sort of process");
    }

    #[test]
    fn draws_are_to_blame_only_if_each_seed_decides_each_time() {
        let tally = |failed| Tally { runs: DRAW_RUNS, failed };
        assert_eq!(kind(tally(DRAW_RUNS), tally(0)), Some(Kind::RandomDraws));
        assert_eq!(kind(tally(DRAW_RUNS - 1), tally(0)), Some(Kind::Nod));
        assert_eq!(kind(tally(DRAW_RUNS), tally(1)), Some(Kind::Nod));
        assert_eq!(kind(Tally { runs: 1, failed: 1 }, tally(0)), None, "skipped or not run");
    }
}
