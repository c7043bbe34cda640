//! Tests that the user suspects, as their files were changed or they failed last: how they go together with all others is
//! tried before anything else. In four runs each of them comes before and after each other test.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::finding::Origin;
use crate::plan::{Axes, OrderKind, Plan, order};
use crate::run::RunError;
use crate::session::event::About;
use crate::session::lab::Lab;
use crate::session::stress::Session;
use crate::suite::suspicion::Suspicion;
use crate::suite::{Suite, TestIndex};

/// What is said of them.
pub(crate) fn remark(suspicion: &Suspicion, suspected: usize, of: usize) -> String {
    let changed =
        suspicion.since.as_ref().map(|revision| format!("in a file that has changed since {revision}"));
    let failed = suspicion.last_failed.as_ref().map(|_| "seen to fail in the session before".to_owned());
    let why = [changed, failed].into_iter().flatten().collect::<Vec<_>>().join(", or ");
    if suspected == 0 {
        return format!("none of {of} tests is {why}, so that none is suspected");
    }
    format!(
        "{suspected} of {of} tests are suspected, as each is {why}: they are run before all others and after them, and \
         only they alone and twice"
    )
}

impl Session<'_> {
    /// Runs the suspected tests before all others and after them.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn suspected_first(&mut self, lab: &mut Lab<'_>, suite_order: &Plan) -> Result<(), RunError> {
        if self.suspected.is_empty() {
            return Ok(());
        }
        let left_out = lab.account().left_out();
        let plans = plans(lab.suite, suite_order, &self.suspected, self.axes);
        let plans = plans.into_iter().map(|plan| plan.without(left_out));
        let trials: Vec<(Origin, Plan)> = (0..).map(Origin::Suspected).zip(plans).collect();
        let of = trials.len();
        let mut ran = 0;
        lab.trials(&trials, &mut |_, _, _| {
            ran += 1;
            ControlFlow::Continue(())
        })?;
        not_all_orders(ran, of).iter().for_each(|remark| lab.remark(About::Session, remark));
        let waiting = lab.book().waiting.iter().map(|suspect| suspect.signature.clone());
        let first = waiting.filter(|signature| self.suspected.contains(&signature.test)).collect();
        lab.book_mut().come_first(first);
        self.judge_waiting(lab)
    }
}

/// What is said where some orders of the suspected tests were run and others not.
fn not_all_orders(ran: usize, of: usize) -> Option<String> {
    (ran < of)
        .then(|| format!("there was no time for all orders of the suspected tests: {ran} of {of} were run"))
}

/// The suspected tests before all others and after them, each in suite order and in its reverse, as far as the suite's
/// plugins admit it: so each of them comes before each other test in two of the four, and after it in two.
fn plans(suite: &Suite, suite_order: &Plan, suspected: &[TestIndex], axes: &Axes) -> Vec<Plan> {
    let is_suspected: BTreeSet<TestIndex> = suspected.iter().copied().collect();
    let others: Vec<TestIndex> =
        suite.collected.iter().copied().filter(|test| !is_suspected.contains(test)).collect();
    let first = [suspected, others.as_slice()].concat();
    let last = [others.as_slice(), suspected].concat();
    let reversed = |list: &[TestIndex]| list.iter().rev().copied().collect::<Vec<_>>();
    let reverses = [reversed(&first), reversed(&last)];
    let admitted = |list| if axes.ignore_rank { list } else { order::admitted(suite, list) };
    let plan = |list| Plan { order: OrderKind::Explicit, workers: vec![list], ..suite_order.clone() };
    let mut plans: Vec<Plan> = Vec::new();
    for list in [first, last].into_iter().chain(reverses) {
        let plan = plan(admitted(list));
        if !plans.contains(&plan) {
            plans.push(plan);
        }
    }
    plans
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::finding::Kind;
    use crate::plan::Seed;
    use crate::session::event::{Event, Reporter};
    use crate::session::fake_engine::{FakeEngine, fails_if, name, plan, suite, test};
    use crate::session::result::Limits;
    use crate::session::stress::stress;

    fn letters(list: &[TestIndex]) -> String {
        list.iter().copied().map(name).collect()
    }

    fn of(tests: &[&str], files: &[&str]) -> Suspicion {
        let files = files.iter().map(|file| Path::new("/p").join(file)).collect();
        let last_failed = Some(tests.iter().map(ToString::to_string).collect());
        Suspicion { since: None, files, last_failed }
    }

    #[test]
    fn tests_are_suspected_by_their_id_or_their_file() {
        let suspected = of(&["test_d.py::d", "test_z.py::z"], &["test_b.py", "conftest.py"]);
        assert_eq!(letters(&suspected.in_suite(&suite(5), Path::new("/p"))), "bd");
        assert_eq!(letters(&suspected.in_suite(&suite(5), Path::new("/q"))), "d");
    }

    #[test]
    fn each_suspected_test_comes_before_and_after_each_other_one() {
        let plans = plans(&suite(5), &plan("abcde"), &[test('b'), test('d')], &Axes::default());
        let lists: Vec<String> = plans.iter().map(|plan| letters(&plan.workers[0])).collect();
        assert_eq!(lists, ["bdace", "acebd", "ecadb", "dbeca"]);
    }

    #[test]
    fn it_is_told_how_many_are_suspected_and_why() {
        let failed = of(&[], &[]);
        let both = Suspicion { since: Some("main".into()), ..failed.clone() };
        assert_eq!(
            remark(&both, 2, 9),
            "2 of 9 tests are suspected, as each is in a file that has changed since main, or seen to fail in the session \
             before: they are run before all others and after them, and only they alone and twice"
        );
        let none = "none of 9 tests is seen to fail in the session before, so that none is suspected";
        assert_eq!(remark(&failed, 0, 9), none);
    }

    #[test]
    fn there_may_be_no_time_for_all_orders_of_the_suspected_tests() {
        assert_eq!(not_all_orders(4, 4), None);
        let said = "there was no time for all orders of the suspected tests: 2 of 4 were run";
        assert_eq!(not_all_orders(2, 4).as_deref(), Some(said));
    }

    /// What is begun, each sort once in a row.
    #[derive(Default)]
    struct Begun(Vec<String>);

    impl Reporter for Begun {
        fn notice(&mut self, _: &Suite, event: &Event<'_>) {
            let Event::Started { origin, plan } = event else { return };
            self.0.push(match origin {
                Origin::Suspected(number) => format!("suspected {number}"),
                Origin::Alone => format!("alone {}", letters(&plan.workers[0])),
                Origin::Twice => format!("twice {}", letters(&plan.workers[0])),
                Origin::Trial(_) => "trial".into(),
                _ => return,
            });
        }
    }

    #[test]
    fn a_suspected_polluter_and_its_victim_are_found_before_the_trials() {
        let mut engine = FakeEngine::new(suite(8), |run| fails_if(run.is('b') && run.after('g')));
        let mut begun = Begun::default();
        let suspicion = Some(of(&["test_g.py::g"], &[]));
        let limits = Limits { trials: Some(1), suspicion, ..Limits::default() };
        let result = stress(&mut engine, &mut begun, Seed(1), &Axes::default(), &limits).unwrap();
        let found: Vec<_> = result.findings.iter().map(|it| (it.kind, it.test, it.origin)).collect();
        assert_eq!(found, [(Kind::Victim, Some(test('b')), Origin::Suspected(0))]);
        assert_eq!(
            begun.0[..6],
            ["alone g", "suspected 0", "suspected 1", "suspected 2", "suspected 3", "twice gg"]
        );
        assert!(result.remarks.iter().any(|remark| remark.starts_with("1 of 8 tests are suspected")));
    }
}
