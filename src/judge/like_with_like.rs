//! What a trial of a patched copy is compared with, where the same plan without the patch is not like it: there the
//! victim fails, as it should, and what happens after that, or was hidden by it, is another finding's matter.
//!
//! Two things make the difference. A victim that no longer fails for the one reason goes on, and may fail for another
//! that was there all the time: the plan without the tests whose doing the patch changes shows that. A victim that no
//! longer takes its worker with it leaves the tests after it in one process with those before it: the plan without the
//! victim shows what these do to them.

use std::collections::BTreeSet;

use crate::judge::observation::FailureMatcher;
use crate::judge::patched::Harm;
use crate::judge::signature::{FailureLocation, Signature};
use crate::judge::site::{Site, words};
use crate::plan::Plan;
use crate::suite::TestIndex;
use crate::trial::{Execution, Failure, Outcome, Trial};

/// A failure of what a patch is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    /// Where the run of the test stands in the plan, as in [`Harm`].
    pub(crate) position: usize,
    crash: FailureLocation,
    /// What it says, without its values. Lines tell nothing, as a patch moves them.
    words: String,
    /// Whether it is the fixture that the patch is for, which fails under any test.
    of_fixture: bool,
}

/// The failures in a trial of what a patch is for: of the victim, in any way, and of the fixture that it shares.
pub(crate) fn against(victim: TestIndex, wanted: &FailureMatcher, trial: &Trial) -> Vec<Sight> {
    let runs = trial.executions.iter().enumerate();
    runs.filter_map(|(position, run)| sight(position, victim, wanted, run)).collect()
}

fn sight(position: usize, victim: TestIndex, wanted: &FailureMatcher, run: &Execution) -> Option<Sight> {
    let crash = Signature::of(run.test, &run.outcome)?.crash;
    let of_fixture = match (wanted, &run.outcome) {
        (FailureMatcher::Fixture(fixture, _), Outcome::Failed(failure)) => {
            failure.fixture.as_ref() == Some(fixture)
        }
        _ => false,
    };
    let words = Site::of(&run.outcome).words;
    (of_fixture || run.test == victim).then_some(Sight { position, crash, words, of_fixture })
}

impl Sight {
    /// Whether it looks like the failure that a patch is to undo.
    pub(crate) fn is_of(&self, wanted: &FailureMatcher, failure: Option<&Failure>) -> bool {
        let crash = match wanted {
            FailureMatcher::Signature(signature) | FailureMatcher::At(signature, _) => &signature.crash,
            FailureMatcher::Fixture(_, crash) | FailureMatcher::Location(crash) => crash,
            FailureMatcher::Failure(_) => return true,
        };
        self.crash == *crash && failure.is_none_or(|failure| words(&failure.message) == self.words)
    }

    /// Whether the same failure is among those of another trial, of the plan without the runs at some positions.
    pub(crate) fn is_in(&self, others: &[Self], left_out: &BTreeSet<usize>) -> bool {
        others.iter().any(|other| {
            let same_place = moved(self.position, left_out) == Some(other.position);
            let same_look = (&other.crash, &other.words) == (&self.crash, &self.words);
            same_look && (same_place || self.of_fixture && other.of_fixture)
        })
    }
}

/// Where a run stands once those at some positions are left out; nothing if it is one of them.
fn moved(position: usize, left_out: &BTreeSet<usize>) -> Option<usize> {
    (!left_out.contains(&position)).then(|| position - left_out.range(..position).count())
}

/// The same harm in the plan without the runs at some positions; nothing if it is at one of them.
pub(crate) fn harm_moved(harm: Harm, left_out: &BTreeSet<usize>) -> Option<Harm> {
    Some(Harm { position: moved(harm.position, left_out)?, ..harm })
}

/// A plan without the runs at some positions, which are counted as in [`Harm`].
pub(crate) fn without(plan: &Plan, left_out: &BTreeSet<usize>) -> Plan {
    let mut position = 0;
    let mut fewer = plan.clone();
    for list in &mut fewer.workers {
        list.retain(|_| {
            position += 1;
            !left_out.contains(&(position - 1))
        });
    }
    fewer
}

/// The positions of the runs of some tests in a plan.
pub(crate) fn positions(plan: &Plan, tests: &BTreeSet<TestIndex>) -> BTreeSet<usize> {
    let runs = plan.workers.iter().flatten().enumerate();
    runs.filter(|(_, test)| tests.contains(test)).map(|(position, _)| position).collect()
}

/// The runs that took their process with them without the patch, and did not with it. What follows them in their list
/// ran in a new process, and so is not like what runs with the patch.
pub(crate) fn lost_without(with: &Trial, without: &Trial) -> BTreeSet<usize> {
    let lost = |run: &Execution| matches!(run.outcome, Outcome::Crashed { .. } | Outcome::Timeout { .. });
    let both = with.executions.iter().zip(&without.executions).enumerate();
    both.filter(|(_, (with, without))| lost(without) && !lost(with)).map(|(position, _)| position).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::session::fake_engine::{failed, lost, plan, test};
    use crate::suite::{Fixture, Phase};

    fn trial(plan: &Plan, becomes: impl Fn(char) -> Outcome) -> Trial {
        let lists = (0..).zip(&plan.workers);
        let runs = lists.flat_map(|(worker, list)| list.iter().map(move |&test| (worker, test)));
        Trial::of(runs.map(|(worker, test)| Execution {
            worker: crate::plan::WorkerId(worker),
            process: 0,
            test,
            outcome: becomes(crate::session::fake_engine::name(test)),
            duration: std::time::Duration::ZERO,
        }))
    }

    fn only(letter: char, outcome: Outcome) -> impl Fn(char) -> Outcome {
        move |of| if of == letter { outcome.clone() } else { Outcome::Passed }
    }

    fn wanted() -> FailureMatcher {
        FailureMatcher::Signature(Signature::of(test('f'), &failed("KeyError")).unwrap())
    }

    fn sights(plan: &Plan, becomes: impl Fn(char) -> Outcome) -> Vec<Sight> {
        against(test('f'), &wanted(), &trial(plan, becomes))
    }

    #[test]
    fn a_failure_is_the_same_by_its_crash_and_its_words_at_its_place() {
        let (whole, none) = (plan("abf"), BTreeSet::new());
        let of = |exception: &str| sights(&whole, only('f', failed(exception)));
        let key = of("KeyError").remove(0);
        assert!(key.is_in(&of("KeyError"), &none));
        assert!(!key.is_in(&of("ValueError"), &none));
        assert!(!key.is_in(&sights(&whole, |_| Outcome::Passed), &none));
        assert_eq!(sights(&whole, only('a', failed("KeyError"))), []);
        let Outcome::Failed(failure) = failed("KeyError") else { panic!("a failure") };
        assert!(key.is_of(&wanted(), Some(&failure)));
        assert!(!of("ValueError")[0].is_of(&wanted(), Some(&failure)));
        let says = Failure { message: "the server is down".into(), ..failure };
        assert!(!key.is_of(&wanted(), Some(&says)), "other words");
        assert!(!key.is_in(&sights(&whole, only('f', Outcome::Failed(says))), &none), "other words");
    }

    #[test]
    fn what_is_left_out_moves_what_follows() {
        let whole = plan("abfc|dbe");
        let left_out = positions(&whole, &[test('b')].into());
        assert_eq!(left_out, [1, 5].into());
        let fewer = without(&whole, &left_out);
        assert_eq!(fewer.workers, plan("afc|de").workers);
        let (with, others) =
            (sights(&whole, only('f', failed("KeyError"))), sights(&fewer, only('f', failed("KeyError"))));
        assert!(with[0].is_in(&others, &left_out));
        assert!(!with[0].is_in(&with, &left_out), "it stands elsewhere there");
        assert!(!with[0].is_in(&others, &[2].into()), "it was left out itself");
        let harm = |position| Harm { position, test: test('e'), how: crate::judge::patched::How::Fails };
        assert_eq!(harm_moved(harm(6), &left_out), Some(harm(4)));
        assert_eq!(harm_moved(harm(5), &left_out), None);
    }

    #[test]
    fn a_fixture_is_the_same_under_any_test() {
        let fixture = Fixture {
            name: "db".into(),
            scope: "module".into(),
            file: "test_a.py".into(),
            phase: Phase::Teardown,
        };
        let torn = |fixture: &Fixture| match failed("OSError") {
            Outcome::Failed(failure) => {
                let fixture = Some(fixture.clone());
                Outcome::Failed(Failure { fixture, phase: Phase::Teardown, ..failure })
            }
            other => other,
        };
        let crash = Signature::of(test('f'), &torn(&fixture)).unwrap().crash;
        let wanted = FailureMatcher::Fixture(fixture.clone(), crash);
        let under = |letter, fixture: &Fixture| {
            against(test('f'), &wanted, &trial(&plan("abf"), only(letter, torn(fixture))))
        };
        let other = Fixture { name: "app".into(), ..fixture.clone() };
        assert!(under('a', &fixture)[0].is_in(&under('b', &fixture), &BTreeSet::new()));
        assert_eq!(under('a', &other), []);
        assert!(!under('f', &other)[0].is_in(&under('a', &fixture), &BTreeSet::new()));
    }

    #[test]
    fn a_process_counts_as_lost_if_the_patch_has_kept_it() {
        let whole = plan("abf");
        let (dies, lives) = (trial(&whole, only('b', lost())), trial(&whole, only('b', failed("KeyError"))));
        assert_eq!(lost_without(&lives, &dies), [1].into());
        assert_eq!(lost_without(&dies, &dies), [].into());
        assert_eq!(lost_without(&dies, &lives), [].into());
    }

    proptest! {
        #[test]
        fn a_run_is_found_again_where_it_was_moved_to(
            order in Just("abcdefgh".chars().collect::<Vec<_>>()).prop_shuffle(), cut in 0_usize..8, left in 0_u32..256,
        ) {
            let lists: String = order.iter().enumerate().map(|(at, letter)| match at {
                at if at == cut => format!("|{letter}"),
                _ => letter.to_string(),
            }).collect();
            let whole = plan(&lists);
            let left_out: BTreeSet<usize> = (0..8).filter(|at| left >> at & 1 == 1).collect();
            let fewer = without(&whole, &left_out);
            let at = |plan: &Plan, position: usize| plan.workers.iter().flatten().nth(position).copied();
            for position in 0..8 {
                match moved(position, &left_out) {
                    Some(moved) => prop_assert_eq!(at(&fewer, moved), at(&whole, position)),
                    None => prop_assert!(left_out.contains(&position)),
                }
            }
            prop_assert_eq!(fewer.len(), 8 - left_out.len());
        }
    }
}
