//! What a trial of a patched copy says of the patch, compared with the same plan without it.
//!
//! A test that was not run has neither passed nor failed, so a trial counts only if every test of its plan
//! ran and the victim passed. A patch is refuted by a test that fails, or is skipped, with it and is not
//! without it.

use crate::judge::Tally;
use crate::judge::observation::Fate;
use crate::limits::PATCH_DOUBT;
use crate::plan::{Plan, WorkerId};
use crate::suite::{Suite, TestIndex};
use crate::trial::{Outcome, Trial};

/// What one trial says of a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Every test of the plan ran, the victim passed, and no test is worse off than without the patch.
    Holds,
    /// It holds if the same plan without the patch shows these as well; nothing of that is known yet.
    Compare(Vec<Harm>),
    /// The victim failed, for whichever reason.
    VictimFails,
    /// The trial proves nothing, since this test did not run; for the victim, also if it was skipped.
    NothingOf(TestIndex),
}

/// What became of a test that is worse than passing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Harm {
    /// Where the run of the test stands in the plan, all workers' lists one after the other, from 0.
    pub(crate) position: usize,
    /// The test.
    pub(crate) test: TestIndex,
    /// What became of it.
    pub(crate) how: How,
}

/// In which way a test is not passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// It failed, in any way.
    Fails,
    /// It was skipped.
    Skipped,
}

/// What a trial of a patched copy shows by itself.
pub(crate) fn look(plan: &Plan, victim: TestIndex, trial: &Trial) -> Said {
    if let Some(test) = not_run(plan, trial) {
        return Said::NothingOf(test);
    }
    match worst_of(victim, trial) {
        Some(How::Fails) => return Said::VictimFails,
        Some(How::Skipped) => return Said::NothingOf(victim),
        None => {}
    }
    let harms = harms(victim, trial);
    if harms.is_empty() { Said::Holds } else { Said::Compare(harms) }
}

/// What became of the victim where it did not pass, a failure before a skip.
fn worst_of(victim: TestIndex, trial: &Trial) -> Option<How> {
    let runs = trial.executions.iter().filter(|run| run.test == victim);
    runs.filter_map(|run| how(&run.outcome)).min()
}

/// What became of the tests but for the victim that is worse than passing.
pub(crate) fn harms(victim: TestIndex, trial: &Trial) -> Vec<Harm> {
    harms_of(trial, |test| test != victim)
}

/// What became of all tests that is worse than passing.
pub(crate) fn all_harms(trial: &Trial) -> Vec<Harm> {
    harms_of(trial, |_| true)
}

fn harms_of(trial: &Trial, is_meant: impl Fn(TestIndex) -> bool) -> Vec<Harm> {
    let runs = trial.executions.iter().enumerate().filter(|(_, run)| is_meant(run.test));
    runs.filter_map(|(position, run)| how(&run.outcome).map(|how| Harm { position, test: run.test, how }))
        .collect()
}

/// Those harms that the same plan without the patch does not show. A test that fails there is not made worse by
/// whatever becomes of it. An error is a test of the plan that did not run there, so that nothing can be compared.
///
/// # Errors
/// The first test that did not run.
pub(crate) fn new_harms(plan: &Plan, harms: &[Harm], without: &Trial) -> Result<Vec<Harm>, TestIndex> {
    if let Some(test) = not_run(plan, without) {
        return Err(test);
    }
    let is_new = |harm: &&Harm| {
        without.executions.get(harm.position).is_none_or(|run| match (how(&run.outcome), harm.how) {
            (Some(How::Fails), How::Fails) | (Some(How::Skipped), How::Skipped) => false,
            (None | Some(_), _) => true,
        })
    };
    Ok(harms.iter().filter(is_new).copied().collect())
}

/// Whether a trial shows a harm.
pub(crate) fn shows(trial: &Trial, harm: Harm) -> bool {
    trial
        .executions
        .get(harm.position)
        .is_some_and(|run| run.test == harm.test && how(&run.outcome) == Some(harm.how))
}

/// Whether the patch is what does the harm, by how often the same plan shows it with the patch and without.
///
/// It is not if both are seen to show it at times, and the patch no more often than chance explains. What shows
/// with the patch each time, or never without, is always its doing.
pub(crate) fn is_to_blame(with: Tally, without: Tally) -> bool {
    without.failed == 0 || with.always() && !without.always() || with.chance_against(without) < PATCH_DOUBT
}

/// What a patched copy collects other than the project does: a test that is missing, new or elsewhere in the
/// list, or a collector that fails; by its node id.
pub(crate) fn collects_other(before: &Suite, after: &Suite) -> Option<String> {
    let new_error = after
        .errors
        .iter()
        .find(|error| before.errors.iter().all(|known| known.node_id != error.node_id))
        .map(|error| error.node_id.clone());
    let names = |suite: &Suite, at: usize| suite.collected.get(at).map(|&test| suite.test(test).id.clone());
    let most = before.collected.len().max(after.collected.len());
    let other = (0..most).find_map(|at| {
        let (old, new) = (names(before, at), names(after, at));
        (old != new).then(|| old.or(new)).flatten()
    });
    new_error.or_else(|| other.map(|id| id.to_string()))
}

/// The first test of a plan of which a trial has no outcome in its place.
fn not_run(plan: &Plan, trial: &Trial) -> Option<TestIndex> {
    let lists = plan.workers.iter().enumerate();
    let wanted =
        lists.flat_map(|(worker, list)| list.iter().map(move |&test| (WorkerId(worker as u32), test)));
    let mut runs = trial.executions.iter();
    wanted
        .into_iter()
        .find(|&(worker, test)| {
            runs.next().is_none_or(|run| {
                (run.worker, run.test) != (worker, test) || Fate::of(&run.outcome) == Fate::NotRun
            })
        })
        .map(|(_, test)| test)
}

fn how(outcome: &Outcome) -> Option<How> {
    match Fate::of(outcome) {
        Fate::Passed | Fate::Xfailed => None,
        Fate::Skipped => Some(How::Skipped),
        // Where a test did not run nothing is compared; as what breaks it would be, it is never let through.
        Fate::Failed | Fate::NotRun => Some(How::Fails),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::plan::{Imports, Interleaving, Mode, OrderKind, Seed, TrialIndex};
    use crate::suite::{CollectionError, Test, TestId};
    use crate::trial::Execution;

    const VICTIM: TestIndex = TestIndex(0);

    fn plan(workers: &[&[u32]]) -> Plan {
        Plan {
            seed: Seed(1),
            index: TrialIndex(0),
            order: OrderKind::Explicit,
            mode: Mode::No,
            workers: workers.iter().map(|list| list.iter().map(|&test| TestIndex(test)).collect()).collect(),
            interleaving: Interleaving::Free,
            hash_seed: 1,
            random_seed: 0,
            imports: Imports::All,
        }
    }

    /// One letter a test: passed, skipped, failed (a timeout), crashed, not run.
    fn trial(plan: &Plan, outcomes: &str) -> Trial {
        let outcome = |letter: char| match letter {
            'p' => Outcome::Passed,
            's' => Outcome::Skipped,
            'f' => Outcome::Timeout { limit: Duration::ZERO },
            'c' => Outcome::Crashed { how: String::new() },
            _ => Outcome::NotRun { why: "not collected".into() },
        };
        let lists = plan.workers.iter().enumerate();
        let runs = lists.flat_map(|(worker, list)| list.iter().map(move |&test| (worker, test)));
        let executions = runs.zip(outcomes.chars()).map(|((worker, test), letter)| Execution {
            worker: WorkerId(worker as u32),
            process: 0,
            test,
            outcome: outcome(letter),
            duration: Duration::ZERO,
        });
        Trial::of(executions)
    }

    fn harms(plan: &Plan, outcomes: &str) -> Vec<Harm> {
        match look(plan, VICTIM, &trial(plan, outcomes)) {
            Said::Compare(harms) => harms,
            Said::Holds => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_trial_counts_only_if_all_ran_and_the_victim_passed() {
        let three = plan(&[&[1, 2, 0]]);
        let said = |outcomes: &str| look(&three, VICTIM, &trial(&three, outcomes));
        assert_eq!(said("ppp"), Said::Holds);
        // The tests of a file that cannot be compiled.
        assert_eq!(said("nnn"), Said::NothingOf(TestIndex(1)));
        assert_eq!(said("ppn"), Said::NothingOf(VICTIM));
        assert_eq!(said("pps"), Said::NothingOf(VICTIM));
        assert_eq!(said("pnp"), Said::NothingOf(TestIndex(2)));
        assert_eq!(said("fnp"), Said::NothingOf(TestIndex(2)), "a crash that ends the rest proves nothing");
        for failed in ["ppf", "ppc", "fpf"] {
            assert_eq!(said(failed), Said::VictimFails, "{failed}");
        }
        // A trial that was cut short.
        assert_eq!(said("pp"), Said::NothingOf(VICTIM));
        assert_eq!(said(""), Said::NothingOf(TestIndex(1)));
        // A test that pollutes itself has to pass both times.
        let twice = plan(&[&[0, 0]]);
        assert_eq!(look(&twice, VICTIM, &trial(&twice, "pf")), Said::VictimFails);
        assert_eq!(look(&twice, VICTIM, &trial(&twice, "pp")), Said::Holds);
        // Tests of another plan are no tests of this one.
        let two = plan(&[&[2], &[0]]);
        assert_eq!(look(&two, VICTIM, &trial(&plan(&[&[2, 0]]), "pp")), Said::NothingOf(VICTIM));
    }

    #[test]
    fn only_what_the_same_plan_does_not_show_without_the_patch_is_its_doing() {
        let three = plan(&[&[1, 2, 0]]);
        let new = |with: &str, without: &str| {
            new_harms(&three, &harms(&three, with), &trial(&three, without))
                .map(|harms| harms.iter().map(|harm| (harm.test.0, harm.how)).collect::<Vec<_>>())
        };
        assert_eq!(
            new("fpp", "ppf"),
            Ok(vec![(1, How::Fails)]),
            "it has failed elsewhere in the session, perhaps"
        );
        assert_eq!(new("fpp", "fpf"), Ok(vec![]));
        assert_eq!(new("fpp", "cpf"), Ok(vec![]));
        assert_eq!(new("fpp", "spf"), Ok(vec![(1, How::Fails)]));
        assert_eq!(new("spp", "spf"), Ok(vec![]));
        assert_eq!(new("spp", "ppf"), Ok(vec![(1, How::Skipped)]));
        assert_eq!(new("spp", "fpf"), Ok(vec![(1, How::Skipped)]), "a failure is not mended by a skip");
        assert_eq!(new("fsp", "psf"), Ok(vec![(1, How::Fails)]));
        assert_eq!(new("fpp", "npf"), Err(TestIndex(1)));
    }

    #[test]
    fn a_harm_is_shown_again_by_the_same_test_in_the_same_way_alone() {
        let three = plan(&[&[1, 2, 0]]);
        let harm = harms(&three, "psp")[0];
        assert_eq!(harm, Harm { position: 1, test: TestIndex(2), how: How::Skipped });
        for (outcomes, shown) in [("psp", true), ("fsf", true), ("pfp", false), ("ppp", false), ("p", false)]
        {
            assert_eq!(shows(&trial(&three, outcomes), harm), shown, "{outcomes}");
        }
        assert!(!shows(&trial(&plan(&[&[2, 1, 0]]), "psp"), harm), "another test is there");
    }

    #[test]
    fn a_patch_is_to_blame_unless_chance_is() {
        let tally = |failed: u32, runs: u32| Tally { runs, failed };
        assert!(is_to_blame(tally(1, 13), tally(0, 13)));
        assert!(is_to_blame(tally(13, 13), tally(12, 13)), "it fails each time now");
        assert!(is_to_blame(tally(11, 13), tally(3, 13)));
        assert!(!is_to_blame(tally(4, 13), tally(3, 13)));
        assert!(!is_to_blame(tally(1, 13), tally(6, 13)));
        assert!(!is_to_blame(tally(13, 13), tally(13, 13)), "it fails without the patch as well");
    }

    #[test]
    fn a_copy_has_to_collect_the_same() {
        let suite = |ids: &[&str], errors: &[&str]| {
            let test = |id: &&str| Test {
                id: TestId { node_id: (*id).to_owned(), occurrence: 0 },
                file: "test_a.py".into(),
                line: Some(1),
                group: None,
                rank: 0,
            };
            let error = |id: &&str| CollectionError {
                node_id: (*id).to_owned(),
                exception: "SyntaxError".into(),
                message: String::new(),
                file: None,
                line: None,
                trace: String::new(),
            };
            Suite::new(ids.iter().map(test).collect(), errors.iter().map(error).collect(), 0)
        };
        let before = suite(&["a", "b"], &["old.py"]);
        let other = |ids: &[&str], errors: &[&str]| collects_other(&before, &suite(ids, errors));
        assert_eq!(other(&["a", "b"], &["old.py"]), None);
        assert_eq!(other(&["a", "b"], &[]), None);
        assert_eq!(other(&["a", "b"], &["old.py", "new.py"]).as_deref(), Some("new.py"));
        assert_eq!(other(&["a"], &[]).as_deref(), Some("b"));
        assert_eq!(other(&["a", "b", "c"], &[]).as_deref(), Some("c"));
        assert_eq!(other(&["b", "a"], &[]).as_deref(), Some("a"), "in another order");
        assert_eq!(other(&[], &["test_a.py"]).as_deref(), Some("test_a.py"));
    }

    proptest! {
        /// What is shown to hold has no test that is worse off, however the outcomes fall.
        #[test]
        fn nothing_that_holds_makes_a_test_worse(with in "[psfcn]{4}", without in "[psfcn]{4}") {
            let plan = plan(&[&[1, 2], &[3, 0]]);
            let (patched, original) = (trial(&plan, &with), trial(&plan, &without));
            let holds = match look(&plan, VICTIM, &patched) {
                Said::Holds => true,
                Said::Compare(harms) => new_harms(&plan, &harms, &original).is_ok_and(|new| new.is_empty()),
                Said::VictimFails | Said::NothingOf(_) => false,
            };
            let pairs = with.chars().zip(without.chars());
            let worse = |(with, without): (char, char)| match with {
                'p' => false,
                's' => without != 's',
                'f' | 'c' => !matches!(without, 'f' | 'c'),
                _ => true,
            };
            let mut expected = with.ends_with('p') && !pairs.clone().any(worse);
            expected &= with == "pppp" || !without.contains('n');
            prop_assert_eq!(holds, expected);
        }

        #[test]
        fn a_break_is_never_let_through(runs in 1_u32..40, failed in 0_u32..40, more in 1_u32..40) {
            let without = Tally { runs, failed: failed.min(runs) };
            let with = Tally { runs: more, failed: more };
            prop_assert!(without.always() || is_to_blame(with, without));
        }
    }
}
