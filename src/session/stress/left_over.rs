//! What the session before left unjudged: its plans are run right after the baseline, and what shows again is judged
//! before the trials, so that no failure waits from night to night.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::finding::Origin;
use crate::judge::Signature;
use crate::limits::LEFT_PLANS;
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::event::About;
use crate::session::lab::Lab;
use crate::session::stress::Session;
use crate::session::suspect::suspects;
use crate::suite::TestIndex;

impl Session<'_> {
    /// Runs what the session before left unjudged, and judges what shows again.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn judge_left_over(&mut self, lab: &mut Lab<'_>) -> Result<(), RunError> {
        let left = self.limits.left.in_suite(lab.suite);
        let plans = plans(&left, lab.account().left_out());
        if plans.is_empty() || self.would_be_late(lab, 1) {
            return Ok(());
        }
        let trials: Vec<(Origin, Plan)> = (0..).map(Origin::LeftOver).zip(plans).collect();
        let (mut ran, mut shown) = (0, BTreeSet::new());
        lab.trials(&trials, &mut |_, at, trial| {
            let (origin, plan) = &trials[at];
            ran += 1;
            shown.extend(suspects(*origin, plan, &trial).into_iter().map(|suspect| suspect.signature));
            ControlFlow::Continue(())
        })?;
        let wanted: BTreeSet<Signature> = left.into_iter().map(|(signature, _)| signature).collect();
        let again: BTreeSet<Signature> = wanted.intersection(&shown).cloned().collect();
        lab.remark(About::Session, &remark(wanted.len(), (ran, trials.len()), again.len()));
        lab.book_mut().come_first(again);
        self.agenda.judge_first_ones(lab)
    }
}

/// The plans that are run, each once, the first ones if there are many.
fn plans(left: &[(Signature, Plan)], left_out: &BTreeSet<TestIndex>) -> Vec<Plan> {
    let mut plans: Vec<Plan> = Vec::new();
    for (signature, plan) in left.iter().filter(|(signature, _)| !left_out.contains(&signature.test)) {
        let plan = plan.without(left_out);
        let runs_it = plan.workers.iter().flatten().any(|&test| test == signature.test);
        if runs_it && !plans.contains(&plan) && plans.len() < LEFT_PLANS {
            plans.push(plan);
        }
    }
    plans
}

/// What is said of them: how many there were, how many of their plans were run, and how many showed again.
fn remark(left: usize, (ran, plans): (usize, usize), again: usize) -> String {
    format!(
        "failures that the session before did not judge: {left}. Of the {plans} plans that showed them, {ran} were run again \
         before the trials, and {again} of the failures showed again"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::left_unjudged::{LeftFailure, LeftUnjudged};
    use crate::plan::{Axes, Seed};
    use crate::session::event::{Event, Reporter};
    use crate::session::fake_engine::{FakeEngine, Situation, failed, fails_if, name, plan, suite, test};
    use crate::session::{Limits, SessionResult, stress};
    use crate::suite::Suite;
    use crate::trial::Outcome;

    fn left(failures: &[(&str, char)]) -> LeftUnjudged {
        let tests = suite(8).tests.iter().map(|test| test.id.to_string()).collect();
        let crash = |letter| Signature::of(test(letter), &failed("AssertionError")).unwrap().crash;
        let failure = |&(list, letter): &(&str, char)| LeftFailure {
            test: test(letter),
            crash: crash(letter),
            plan: plan(list),
        };
        LeftUnjudged { tests, failures: failures.iter().map(failure).collect() }
    }

    /// What happens, in order: `found g`, `trials`.
    #[derive(Default)]
    struct Done(Vec<String>);

    impl Reporter for Done {
        fn notice(&mut self, _: &Suite, event: &Event<'_>) {
            let told = match event {
                Event::Found(finding) => finding.test.map(|test| format!("found {}", name(test))),
                Event::Started { origin: Origin::Trial(0), .. } => Some("trials".to_owned()),
                _ => None,
            };
            self.0.extend(told);
        }
    }

    /// `g` fails after `b`, and `c` after `e`.
    fn becomes(run: Situation<'_>) -> Outcome {
        fails_if(run.is('g') && run.after('b') || run.is('c') && run.after('e'))
    }

    fn session(left: LeftUnjudged) -> (Vec<String>, SessionResult) {
        let (mut engine, mut done) = (FakeEngine::new(suite(8), becomes), Done::default());
        let limits = Limits { trials: Some(10), left, ..Limits::default() };
        let result = stress(&mut engine, &mut done, Seed(1), &Axes::default(), &limits).unwrap();
        (done.0, result)
    }

    #[test]
    fn what_was_left_unjudged_and_shows_again_is_judged_before_the_trials_and_before_all_else() {
        let (done, result) = session(left(&[("ec", 'c'), ("ed", 'd')]));
        assert_eq!(done, ["found c", "trials", "found g"]);
        let remark = "failures that the session before did not judge: 2. Of the 2 plans that showed them, 2 were run again \
            before the trials, and 1 of the failures showed again";
        assert!(result.remarks.iter().any(|told| told == remark), "{:?}", result.remarks);
        // It is seen in suite order too, where nobody has left it.
        assert_eq!(session(LeftUnjudged::default()).0, ["trials", "found g", "found c"]);
    }

    #[test]
    fn a_plan_that_showed_several_is_run_once_and_what_trials_leave_out_not_at_all() {
        let left = left(&[("ecg", 'c'), ("ecg", 'g'), ("hg", 'g'), ("ah", 'h')]);
        let lists = |left_out: &str| -> Vec<String> {
            let left_out = left_out.chars().map(test).collect();
            let plans = plans(&left.in_suite(&suite(8)), &left_out);
            plans.iter().map(|plan| plan.workers[0].iter().map(|&test| name(test)).collect()).collect()
        };
        assert_eq!(lists(""), ["ecg", "hg", "ah"]);
        assert_eq!(lists("h"), ["ecg", "g"]);
    }
}
