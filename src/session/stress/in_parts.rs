//! A named test after parts of what comes before it in suite order: where one test makes it fail, one of these runs shows it
//! in a fraction of the time that the whole suite takes, and what is to be shrunk is that much shorter.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::finding::Origin;
use crate::judge::observation::{FailureMatcher, Observation, observe};
use crate::limits::{VICTIM_PART, VICTIM_PARTS};
use crate::plan::Plan;
use crate::run::RunError;
use crate::session::lab::{Lab, serial};
use crate::session::stress::Session;
use crate::suite::TestIndex;

impl Session<'_> {
    /// Runs parts of what comes before the victim, each with it, up to the first after which it fails or until this time is
    /// over, where forks make that cheap and it passes alone. Who talks to a server that trials share is asked in suite order,
    /// which is run first then.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn victim_in_parts(
        &self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        most: Option<Duration>,
    ) -> Result<(), RunError> {
        let Some(victim) = self.victim else { return Ok(()) };
        let parts = parts(&suite_order.workers[0], victim);
        if parts.is_empty()
            || !lab.forks(suite_order)
            || lab.servers().iter().any(|server| server.reached)
            || !lab.resets().is_empty()
        {
            return Ok(());
        }
        let alone = lab.probe(&serial(suite_order, vec![victim]))?;
        if observe(&alone, &FailureMatcher::Failure(victim)) != Observation::Passed {
            return Ok(());
        }
        let with_it = |part: &[TestIndex]| serial(suite_order, [part, &[victim]].concat());
        let trials: Vec<(Origin, Plan)> =
            (0..).map(Origin::Part).zip(parts.into_iter().map(with_it)).collect();
        let end = most.map(|most| Instant::now() + most);
        lab.trials(&trials, &mut |account, _, _| {
            let over = end.is_some_and(|end| Instant::now() > end);
            if over || !account.book.waiting.is_empty() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    }
}

/// What comes before a test in a list, in parts of about the same length; none where that is short.
fn parts(list: &[TestIndex], victim: TestIndex) -> Vec<&[TestIndex]> {
    let before = list.iter().position(|&test| test == victim).unwrap_or_default();
    let length = before.div_ceil(VICTIM_PARTS);
    if length < VICTIM_PART { Vec::new() } else { list[..before].chunks(length).collect() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::finding::Kind;
    use crate::plan::{Axes, Seed};
    use crate::session::event::{Event, Reporter};
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, name, suite};
    use crate::session::{Limits, stress};
    use crate::suite::Suite;
    use crate::trial::Outcome;

    /// What each run is that looks for failures.
    #[derive(Default)]
    struct Origins(Vec<Origin>);

    impl Reporter for Origins {
        fn notice(&mut self, _: &Suite, event: &Event<'_>) {
            if let Event::Finished { origin, .. } = event {
                self.0.push(*origin);
            }
        }
    }

    /// What is found of the 251st of 300 tests, where it was seen, and in which runs that was looked for.
    fn looked_for(becomes: impl FnMut(Situation<'_>) -> Outcome) -> (Vec<(Kind, Origin)>, Vec<Origin>) {
        let (mut engine, mut origins) = (FakeEngine::new(suite(300), becomes), Origins::default());
        let victim = Some(suite(300).tests[250].id.to_string());
        let limits = Limits { victim, trials: Some(0), schedules: Some(0), ..Limits::default() };
        let result = stress(&mut engine, &mut origins, Seed(1), &Axes::default(), &limits).unwrap();
        (result.findings.iter().map(|found| (found.kind, found.origin)).collect(), origins.0)
    }

    fn is_victim(run: Situation<'_>) -> bool {
        run.is(name(TestIndex(250)))
    }

    fn after(run: Situation<'_>, number: u32) -> bool {
        run.after(name(TestIndex(number)))
    }

    #[test]
    fn the_first_part_after_which_it_fails_is_the_last_that_is_run() {
        let (found, ran) = looked_for(|run| fails_if(is_victim(run) && after(run, 40)));
        assert_eq!(found, [(Kind::Victim, Origin::Part(2))]);
        assert_eq!(ran, [Origin::Part(0), Origin::Part(1), Origin::Part(2)]);
    }

    #[test]
    fn where_no_part_makes_it_fail_the_whole_suite_is_run() {
        let (found, ran) = looked_for(|run| fails_if(is_victim(run) && after(run, 3) && after(run, 200)));
        assert_eq!(found, [(Kind::Victim, Origin::Baseline)]);
        assert_eq!((ran.len(), ran.last()), (VICTIM_PARTS + 1, Some(&Origin::Baseline)));
    }

    #[test]
    fn one_that_fails_alone_is_run_after_no_part() {
        let (found, ran) = looked_for(|run| fails_if(is_victim(run)));
        assert_eq!((found, ran), (vec![(Kind::Broken, Origin::Baseline)], vec![Origin::Baseline]));
    }

    proptest! {
        #[test]
        fn the_parts_are_what_comes_before_in_its_order(tests in 1u32..2000, at in any::<prop::sample::Index>()) {
            let list: Vec<TestIndex> = (0..tests).map(TestIndex).collect();
            let victim = at.index(list.len());
            let parts = parts(&list, list[victim]);
            prop_assert!(parts.len() <= VICTIM_PARTS);
            prop_assert_eq!(parts.is_empty(), victim <= VICTIM_PARTS * (VICTIM_PART - 1));
            if !parts.is_empty() {
                prop_assert_eq!(parts.concat(), &list[..victim]);
            }
        }
    }
}
