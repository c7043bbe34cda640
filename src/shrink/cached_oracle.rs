//! Asking the oracle: answers are remembered, and the best plan so far is kept.

use std::collections::HashMap;

use crate::limits::{CALLS_PER_TEST, CANDIDATE_DOUBT, CANDIDATE_RUNS};
use crate::plan::Plan;
use crate::shrink::{Oracle, Problem, Shrunk, Stopped, Verdict};
use crate::suite::TestIndex;

/// Lower odds of a suspect say nothing to a reader.
const WORTH_TELLING: f64 = 0.01;

/// The oracle with a memory.
pub(crate) struct CachedOracle<'o> {
    oracle: &'o mut dyn Oracle,
    known: HashMap<Plan, bool>,
    best: Plan,
    /// How often a candidate must pass before that is believed.
    repetitions: u32,
    calls: u32,
    most_calls: u32,
    tests_run: u64,
    /// How likely each test is to be the lone culprit, if that was asked.
    odds: Vec<(TestIndex, f64)>,
    tests_are_found: bool,
}

impl<'o> CachedOracle<'o> {
    /// An oracle for a problem.
    pub(crate) fn new(problem: &Problem<'_>, oracle: &'o mut dyn Oracle) -> Self {
        let passes =
            if problem.rate < 1.0 { (CANDIDATE_DOUBT.ln() / (1.0 - problem.rate).ln()).ceil() } else { 1.0 };
        let repetitions = (passes as u32).clamp(1, CANDIDATE_RUNS);
        let most_calls = (200 + CALLS_PER_TEST * problem.plan.len()) as u32 * repetitions;
        Self {
            oracle,
            known: HashMap::new(),
            best: problem.plan.clone(),
            repetitions,
            calls: 0,
            most_calls: most_calls.min(problem.most_calls),
            tests_run: 0,
            odds: Vec::new(),
            tests_are_found: false,
        }
    }

    /// Notes how likely tests are to be the lone culprit.
    pub(crate) fn suspect(&mut self, mut odds: Vec<(TestIndex, f64)>) {
        odds.retain(|&(_, odds)| odds >= WORTH_TELLING);
        odds.sort_by(|(a, a_odds), (b, b_odds)| b_odds.total_cmp(a_odds).then(a.cmp(b)));
        self.odds = odds;
    }

    /// Notes that the search for tests has come to its end: what follows takes none of them away.
    pub(crate) fn tests_are_found(&mut self) {
        self.tests_are_found = true;
    }

    /// Takes a candidate for the best without asking, as the caller confirms it.
    pub(crate) fn assume(&mut self, candidate: Plan) {
        self.best = candidate;
    }

    /// Notes that a candidate is known not to reproduce.
    pub(crate) fn passes(&mut self, candidate: Plan) {
        self.known.insert(candidate, false);
    }

    /// Whether a candidate reproduces; asked as often as it takes to believe that it does not.
    ///
    /// # Errors
    /// The oracle has stopped.
    pub(crate) fn reproduces(&mut self, candidate: &Plan) -> Result<bool, Stopped> {
        if let Some(&known) = self.known.get(candidate) {
            return Ok(known);
        }
        let mut found = false;
        for _ in 0..self.repetitions {
            found = self.once(candidate)?;
            if found {
                break;
            }
        }
        self.known.insert(candidate.clone(), found);
        Ok(found)
    }

    /// Runs a candidate once, whatever is known of it.
    ///
    /// # Errors
    /// The oracle has stopped.
    pub(crate) fn once(&mut self, candidate: &Plan) -> Result<bool, Stopped> {
        if self.calls >= self.most_calls {
            return Err(Stopped);
        }
        self.calls += 1;
        self.tests_run += candidate.len() as u64;
        let found = self.oracle.verdict(candidate)? == Verdict::Reproduces;
        if found && size(candidate) <= size(&self.best) {
            self.best = candidate.clone();
        }
        Ok(found)
    }

    /// The smallest plan that was seen to reproduce.
    pub(crate) fn best(&self) -> &Plan {
        &self.best
    }

    /// The result; `ended` says whether it is 1-minimal, if the passes came to their end.
    pub(crate) fn into_result(self, ended: Result<bool, Stopped>) -> Shrunk {
        Shrunk {
            exhausted: ended.is_err() && self.calls >= self.most_calls && !self.tests_are_found,
            odds: if self.tests_are_found { Vec::new() } else { self.odds },
            one_minimal: ended == Ok(true),
            complete: ended.is_ok(),
            plan: self.best,
            calls: self.calls,
            tests_run: self.tests_run,
        }
    }
}

fn size(plan: &Plan) -> (usize, usize) {
    (plan.workers.len(), plan.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::WorkerId;
    use crate::session::fake_engine::{plan, suite, test};
    use crate::shrink::Target;
    use crate::suite::Suite;

    /// Never reproduces.
    struct Passes;

    impl Oracle for Passes {
        fn verdict(&mut self, _: &Plan) -> Result<Verdict, Stopped> {
            Ok(Verdict::Passes)
        }
    }

    fn problem<'a>(lists: &str, suite: &'a Suite, rate: f64) -> Problem<'a> {
        let target = Target { victim: test('a'), worker: WorkerId(0) };
        Problem::new(plan(lists), target, suite, Vec::new(), rate)
    }

    #[test]
    fn a_pass_is_believed_once_chance_hardly_explains_it() {
        let suite = suite(2);
        let runs = |rate| {
            let mut passes = Passes;
            let mut oracle = CachedOracle::new(&problem("ba", &suite, rate), &mut passes);
            assert_eq!(oracle.reproduces(&plan("ba")), Ok(false));
            oracle.into_result(Ok(true)).calls
        };
        for rate in [0.8, 0.5, 0.3_f64] {
            let chance = |runs: u32| (1.0 - rate).powi(runs as i32);
            assert!(
                chance(runs(rate)) <= CANDIDATE_DOUBT && chance(runs(rate) - 1) > CANDIDATE_DOUBT,
                "{rate}"
            );
        }
        assert_eq!((runs(1.0), runs(0.01)), (1, CANDIDATE_RUNS));
    }

    #[test]
    fn a_search_ends_whatever_the_oracle_says() {
        let suite = suite(2);
        let runs = |problem: Problem<'_>| {
            let mut passes = Passes;
            let mut oracle = CachedOracle::new(&problem, &mut passes);
            // More than any of these may make.
            (0..10_000).take_while(|_| oracle.once(&plan("ba")).is_ok()).count()
        };
        let of_two = 200 + 2 * CALLS_PER_TEST;
        assert_eq!(runs(problem("ba", &suite, 1.0)), of_two);
        assert_eq!(runs(problem("ba", &suite, 0.5)), of_two * 10, "each candidate is run 10 times");
        assert_eq!(runs(problem("ba", &suite, 1.0).within(7)), 7);
    }
}
