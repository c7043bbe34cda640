//! Tests that take their process along wherever they run: they hang, or end it. A trial with one waits for its time
//! limit, and what the tests before it in its process left is gone for those after it, so that they are judged before
//! the trials, which then leave them out.
//!
//! Each is run as a polluter and as a victim of all others before: in suite order, alone, in a run in which all such
//! come before the others, and in one in which it comes after these, the last two under other hash seeds. What passes
//! in any of these, or fails in another way, stays in the trials.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::finding::{Kind, Origin};
use crate::judge::signature::Loss;
use crate::limits::APART_TESTS;
use crate::plan::{Axes, OrderKind, Plan, order};
use crate::run::RunError;
use crate::session::event::{About, Event};
use crate::session::investigate::investigate;
use crate::session::lab::Lab;
use crate::session::stress::Session;
use crate::session::suspect::Suspect;
use crate::suite::{Suite, TestIndex};
use crate::trial::{Outcome, Trial};

impl Session<'_> {
    /// Judges the tests that took their process along in the baseline and alone, and leaves out of the trials those
    /// that are ordinary bugs.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn set_apart(
        &self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        baseline: &Trial,
    ) -> Result<(), RunError> {
        let fails_alone = |test| lab.history.failed_alone(test, suite_order.hash_seed) != Some(false);
        let lost = lost_in(lab.suite, baseline).into_iter();
        let candidates: Vec<TestIndex> =
            lost.filter(|&test| fails_alone(test) && is_always_lost(lab, test)).take(APART_TESTS).collect();
        let runs = 1 + candidates.len() as u32;
        if self.limits.whole_trials || candidates.is_empty() || self.would_be_late(lab, runs) {
            return Ok(());
        }
        let plans = plans(lab.suite, suite_order, &candidates, self.axes);
        let trials: Vec<_> = (0..).map(Origin::Apart).zip(plans).collect();
        let (suite, mut lost) = (lab.suite, Vec::new());
        lab.trials(&trials, &mut |_, _, trial| {
            lost.push(lost_in(suite, &trial));
            ControlFlow::Continue(())
        })?;
        let mut left_out = Vec::new();
        for (at, &test) in candidates.iter().enumerate() {
            let was_lost = |run: usize| lost.get(run).is_some_and(|lost| lost.contains(&test));
            if was_lost(0)
                && was_lost(1 + at)
                && is_always_lost(lab, test)
                && let Some(loss) = self.is_an_ordinary_bug(lab, test)?
            {
                left_out.push((test, loss));
            }
        }
        if let Some(remark) = remark(lab.suite, &left_out) {
            lab.tell(&Event::LeftOut(&left_out.iter().map(|(test, _)| *test).collect()));
            lab.remark(About::Session, &remark);
        }
        Ok(())
    }

    /// How a test takes its process along, if it was judged to be broken. It is told then.
    fn is_an_ordinary_bug(&self, lab: &mut Lab<'_>, test: TestIndex) -> Result<Option<Loss>, RunError> {
        let waits = |suspect: &&Suspect| suspect.signature.test == test;
        let Some(suspect) = lab.book().waiting.iter().find(waits).cloned() else {
            return Ok(None);
        };
        let waiting = lab.book().waiting.len() - 1;
        lab.tell(&Event::Investigating { test, waiting });
        let finding = investigate(lab, &suspect)?;
        if finding.kind != Kind::Broken {
            // It is looked into with all others, when more is known.
            return Ok(None);
        }
        lab.book_mut().waiting.retain(|other| other.signature != suspect.signature);
        self.found(lab, &finding);
        Ok(finding.signature.and_then(|signature| signature.crash.loss()))
    }
}

/// The tests that took their process along in a trial, in suite order.
fn lost_in(suite: &Suite, trial: &Trial) -> Vec<TestIndex> {
    let is_lost = |outcome: &Outcome| matches!(outcome, Outcome::Timeout { .. } | Outcome::Crashed { .. });
    let lost: BTreeSet<TestIndex> =
        trial.executions.iter().filter(|run| is_lost(&run.outcome)).map(|run| run.test).collect();
    suite.collected.iter().copied().filter(|test| lost.contains(test)).collect()
}

/// Whether all that is known of a test is that it took its process along.
fn is_always_lost(lab: &Lab<'_>, test: TestIndex) -> bool {
    let mut sights = lab.book().waiting.iter().filter(|suspect| suspect.signature.test == test).peekable();
    let recorded = |suspect: &Suspect| !lab.book().recorded(suspect, lab.suite).is_empty();
    sights.peek().is_some()
        && sights.all(|suspect| suspect.signature.crash.loss().is_some() && !recorded(suspect))
        && lab.history.prefixes(test).iter().all(|(_, failed)| *failed)
}

/// One plan in which these tests come before all others, and for each one in which it comes after them, as far as the
/// suite's plugins admit it. What the others leave takes them in two orders, under two hash seeds.
fn plans(suite: &Suite, suite_order: &Plan, tests: &[TestIndex], axes: &Axes) -> Vec<Plan> {
    let hash_seeds = axes.hash_seed_values(suite_order.seed);
    let of = |list: Vec<TestIndex>, nth: usize| {
        let list = if axes.ignore_rank { list } else { order::admitted(suite, list) };
        let hash_seed = hash_seeds[nth % hash_seeds.len()];
        Plan { order: OrderKind::Explicit, workers: vec![list], hash_seed, ..suite_order.clone() }
    };
    let others = || suite.collected.iter().copied().filter(|test| !tests.contains(test));
    let first = of(tests.iter().copied().chain(others()).collect(), 1);
    let last = |&test: &TestIndex| of(others().rev().chain([test]).collect(), 2);
    std::iter::once(first).chain(tests.iter().map(last)).collect()
}

/// What is said of the tests that trials leave out, each with how it takes its process along.
fn remark(suite: &Suite, left_out: &[(TestIndex, Loss)]) -> Option<String> {
    let named = |(test, loss): &(TestIndex, Loss)| {
        let how = match loss {
            Loss::Timeout => "did not end",
            Loss::Crash => "ended its process",
        };
        format!("{} ({how})", suite.test(*test).id)
    };
    let names: Vec<String> = left_out.iter().map(named).collect();
    let each = if names.len() > 1 { "each" } else { "it" };
    (!names.is_empty()).then(|| {
        format!(
            "left out of the trials, as {each} took its process along in every run before: {}",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Seed;
    use crate::session::event::Reporters;
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, lost, name, suite, test};
    use crate::session::{Limits, SessionResult, stress};
    use crate::trial::Outcome;

    const TESTS: u32 = 8;

    fn session(
        becomes: impl FnMut(Situation<'_>) -> Outcome,
        limits: Limits,
    ) -> (SessionResult, Vec<(Plan, bool)>) {
        let mut engine = FakeEngine::new(suite(TESTS), becomes);
        let limits = Limits { trials: Some(20), ..limits };
        let result =
            stress(&mut engine, &mut Reporters::default(), Seed(1), &Axes::default(), &limits).unwrap();
        (result, engine.ran)
    }

    fn left_out(result: &SessionResult) -> String {
        result.left_out.iter().map(|&test| name(test)).collect()
    }

    fn hung() -> Outcome {
        Outcome::Timeout { limit: std::time::Duration::from_secs(60) }
    }

    #[test]
    fn plans_put_them_before_all_others_and_each_after_them() {
        let suite = suite(4);
        let like = crate::session::fake_engine::plan("abcd");
        let lists = plans(&suite, &like, &[test('b'), test('c')], &Axes::default());
        let lists: Vec<String> =
            lists.iter().map(|plan| plan.workers[0].iter().map(|&test| name(test)).collect()).collect();
        assert_eq!(lists, ["bcad", "dab", "dac"]);
    }

    #[test]
    fn what_always_takes_its_process_along_is_judged_first_and_left_out_of_the_trials() {
        let becomes = |run: Situation<'_>| match name(run.test) {
            'c' => hung(),
            'e' => lost(),
            'g' => fails_if(run.after('b')),
            'h' => fails_if(true),
            _ => Outcome::Passed,
        };
        let (result, ran) = session(becomes, Limits::default());
        assert_eq!(left_out(&result), "ce");
        let remark = "left out of the trials, as each took its process along in every run before: \
            test_c.py::c (did not end), test_e.py::e (ended its process)";
        assert!(result.remarks.iter().any(|told| told == remark), "{:?}", result.remarks);
        let kinds: Vec<(Kind, Option<char>)> =
            result.findings.iter().map(|finding| (finding.kind, finding.test.map(name))).collect();
        let broken = |letter| (Kind::Broken, Some(letter));
        assert_eq!(kinds, [(Kind::Victim, Some('g')), broken('c'), broken('e'), broken('h')]);
        let hanging =
            ran.iter().filter(|(plan, _)| plan.workers.iter().flatten().any(|&run| run == test('c')));
        assert!(hanging.count() < 12, "it runs in no trial");
        let token = crate::report::tokens::Tokens::of(&result).token(Origin::Trial(3)).unwrap();
        assert!(token.to_string().ends_with(":x2,4"), "{token}");
        let replayed = crate::plan::plan_without(
            &token.left_out,
            token.seed,
            token.index,
            &result.collected.suite,
            &result.axes,
        );
        assert!(ran.iter().any(|(plan, _)| *plan == replayed), "the token names the plan that was run");
    }

    #[test]
    fn what_hangs_or_ends_its_process_for_what_is_before_it_stays_in_the_trials() {
        let after_b =
            |run: Situation<'_>| if run.is('d') && run.after('b') { hung() } else { Outcome::Passed };
        let (result, _) = session(after_b, Limits::default());
        assert_eq!(left_out(&result), "");
        assert_eq!(result.findings[0].kind, Kind::Victim);
        // It needs what a test after it in suite order sets.
        let before_g =
            |run: Situation<'_>| if run.is('d') && !run.after('g') { lost() } else { Outcome::Passed };
        let (result, _) = session(before_g, Limits::default());
        assert_eq!(left_out(&result), "");
        assert_eq!(result.findings[0].kind, Kind::Brittle);
        // It passes under other hash seeds.
        let first = Axes::default().hash_seed_values(Seed(1))[0];
        let seed = |run: Situation<'_>| {
            if run.is('d') && run.plan.hash_seed == first { lost() } else { Outcome::Passed }
        };
        let (result, _) = session(seed, Limits::default());
        assert_eq!((left_out(&result), result.findings[0].kind), (String::new(), Kind::HashSeed));
    }

    #[test]
    fn where_no_test_was_run_alone_before_judging_does_so() {
        let crashes = |run: Situation<'_>| if run.is('c') { lost() } else { Outcome::Passed };
        let mut engine = FakeEngine::new(suite(TESTS), crashes).without_forks();
        let limits = Limits { trials: Some(4), ..Limits::default() };
        let mut nobody = Reporters::default();
        let result = stress(&mut engine, &mut nobody, Seed(1), &Axes::default(), &limits).unwrap();
        assert_eq!((left_out(&result), result.findings[0].kind), ("c".to_owned(), Kind::Broken));
        let alone = engine.ran.iter().filter(|(plan, _)| plan.workers == [[test('c')]]);
        assert!(alone.count() >= 3, "it ended its process in each");
    }

    #[test]
    fn who_planned_whole_trials_has_them() {
        let crashes = |run: Situation<'_>| if run.is('c') { lost() } else { Outcome::Passed };
        let (result, _) = session(crashes, Limits { whole_trials: true, ..Limits::default() });
        assert_eq!(left_out(&result), "");
        assert_eq!(result.findings[0].kind, Kind::Broken);
        assert_eq!(left_out(&session(crashes, Limits::default()).0), "c");
    }
}
