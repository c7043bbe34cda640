//! What an earlier `jostle leaks` has told: tests that name a place are run directly after those that leave it changed, before
//! the trials, which would put them so by luck.

use std::time::Duration;

use crate::finding::Origin;
use crate::leaks::after::{self, LeftPlace};
use crate::limits::{LEAK_STARTS, LEAK_SUITES, LEAK_TURNS};
use crate::plan::{OrderKind, Plan};
use crate::run::RunError;
use crate::session::event::About;
use crate::session::lab::Lab;
use crate::session::stress::Session;
use crate::session::stress::sweeps::sweep;
use crate::suite::TestIndex;

impl Session<'_> {
    /// Runs tests directly after those that leave what they name, those that end with the victim if there is one, until this
    /// time is over, and judges what that shows.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn leaking_first(
        &mut self,
        lab: &mut Lab<'_>,
        suite_order: &Plan,
        most: Option<Duration>,
    ) -> Result<(), RunError> {
        let Some(places) = &self.left_places else { return Ok(()) };
        let lists = after::runs(places, LEAK_TURNS, LEAK_SUITES * lab.suite.tests.len());
        let left_out = lab.account().left_out();
        let is_meant = |list: &Vec<TestIndex>| {
            let ends_with = |victim| list.last() == Some(&victim);
            self.victim.is_none_or(ends_with)
                && (self.axes.ignore_rank || lab.suite.admits(list))
                && !list.iter().any(|test| left_out.contains(test))
        };
        let plan = |list| Plan { order: OrderKind::Explicit, workers: vec![list], ..suite_order.clone() };
        let plans = lists.into_iter().filter(is_meant).map(plan);
        let mut trials: Vec<(Origin, Plan)> = (0..).map(Origin::Leaking).zip(plans).collect();
        let of = trials.len();
        if !lab.forks(suite_order) {
            trials.truncate(LEAK_STARTS);
        }
        let ran = if trials.is_empty() { 0 } else { sweep(lab, trials, most)? };
        lab.remark(About::Session, &remark(places, ran, of));
        if self.victim.is_some() { Ok(()) } else { self.judge_waiting(lab) }
    }
}

/// What is said of these runs.
fn remark(places: &[LeftPlace], ran: usize, of: usize) -> String {
    if of == 0 {
        return "no test is run directly after others for what --leaks tells: of its places, none is left changed by a test \
                here and named by another"
            .into();
    }
    let how_many = match places.len() {
        1 => "1 place".to_owned(),
        places => format!("{places} places"),
    };
    let all = format!(
        "tests that name one of {how_many} were run directly after those that leave it changed, as --leaks tells"
    );
    if ran == of { format!("{all}: {of} runs") } else { format!("{all}: {ran} of {of} runs were made") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Kind;
    use crate::plan::{Axes, Seed};
    use crate::session::event::{Event, Reporter, Reporters};
    use crate::session::fake_engine::{FakeEngine, Situation, fails_if, name, suite, test};
    use crate::session::{Limits, SessionResult, stress};
    use crate::suite::Suite;
    use crate::trial::Outcome;

    const TESTS: u32 = 24;

    /// `b` leaves what `g` and `r` name, `c` leaves what `r` names.
    fn known() -> Limits {
        let text = r#"[
            {"by": [{"name": "test_b.py::b"}], "readers": [{"node_id": "test_g.py::g"}, {"node_id": "test_r.py::r"}], "victims": []},
            {"by": [{"name": "test_c.py::c"}], "readers": [{"node_id": "test_r.py::r"}], "victims": []}
        ]"#;
        Limits { leaks: Some(serde_json::from_str(text).unwrap()), trials: Some(1), ..Limits::default() }
    }

    /// `r` fails directly after `b` and `c`.
    fn becomes(run: Situation<'_>) -> Outcome {
        let before: String = run.before.iter().rev().take(2).copied().map(name).collect();
        fails_if(run.is('r') && ["bc", "cb"].contains(&before.as_str()))
    }

    /// The lists of these runs.
    #[derive(Default)]
    struct Lists(Vec<String>);

    impl Reporter for Lists {
        fn notice(&mut self, _: &Suite, event: &Event<'_>) {
            if let Event::Started { origin: Origin::Leaking(_), plan } = event {
                self.0.push(plan.workers[0].iter().copied().map(name).collect());
            }
        }
    }

    fn session(limits: &Limits) -> (SessionResult, Vec<String>) {
        let (mut engine, mut lists) = (FakeEngine::new(suite(TESTS), becomes), Lists::default());
        let result = stress(&mut engine, &mut lists, Seed(1), &Axes::default(), limits).unwrap();
        (result, lists.0)
    }

    #[test]
    fn a_victim_of_two_is_found_directly_after_both_before_the_trials() {
        let (result, lists) = session(&known());
        assert_eq!(lists, ["bg", "bcr", "cbr"]);
        let found: Vec<_> = result.findings.iter().map(|it| (it.kind, it.test, it.origin)).collect();
        assert_eq!(found, [(Kind::Victim, Some(test('r')), Origin::Leaking(1))]);
        assert!(
            result.remarks.iter().any(|remark| remark.ends_with("as --leaks tells: 3 runs")),
            "{:?}",
            result.remarks
        );
        let (result, lists) = session(&Limits { leaks: None, ..known() });
        assert!(result.findings.is_empty() && lists.is_empty());
    }

    #[test]
    fn for_one_victim_only_its_own_runs_are_made() {
        let limits = |test: &str| Limits { victim: Some(format!("test_{test}.py::{test}")), ..known() };
        let (result, lists) = session(&limits("r"));
        assert_eq!(lists, ["bcr", "cbr"]);
        assert_eq!(result.findings.iter().map(|it| it.test).collect::<Vec<_>>(), [Some(test('r'))]);
        assert_eq!(session(&limits("g")).1, ["bg"]);
    }

    #[test]
    fn without_forks_only_some_of_these_runs_are_made() {
        let names: Vec<String> = (1..TESTS)
            .map(|at| format!(r#"{{"node_id": "{}"}}"#, suite(TESTS).tests[at as usize].id))
            .collect();
        let text = format!(
            r#"[{{"by": [{{"name": "test_a.py::a"}}], "readers": [{}], "victims": []}}]"#,
            names.join(",")
        );
        let limits = Limits { leaks: Some(serde_json::from_str(&text).unwrap()), ..known() };
        let ran = |mut engine: FakeEngine<'_>| {
            let result =
                stress(&mut engine, &mut Reporters::default(), Seed(1), &Axes::default(), &limits).unwrap();
            result.remarks.into_iter().find(|remark| remark.contains("--leaks")).unwrap()
        };
        assert!(ran(FakeEngine::new(suite(TESTS), becomes)).ends_with(": 23 runs"));
        let fresh = ran(FakeEngine::new(suite(TESTS), becomes).without_forks());
        assert!(fresh.ends_with(&format!(": {LEAK_STARTS} of 23 runs were made")), "{fresh}");
    }

    #[test]
    fn it_is_told_where_nothing_is_known_of_these_tests() {
        let limits = Limits { leaks: Some(serde_json::from_str("[]").unwrap()), ..known() };
        let (result, lists) = session(&limits);
        assert!(lists.is_empty());
        assert!(
            result.remarks.iter().any(|remark| remark.starts_with("no test is run directly")),
            "{:?}",
            result.remarks
        );
    }
}
