//! The passes, in the order of what they make simpler.

use std::collections::BTreeSet;

use crate::limits::{PIECE, PIECES};
use crate::plan::{Imports, Interleaving, Plan, WorkerId};
use crate::shrink::cached_oracle::CachedOracle;
use crate::shrink::search::search;
use crate::shrink::space::{Importing, Space, files};
use crate::shrink::{Problem, Stopped, Target, noise, suspects};
use crate::suite::{Suite, TestIndex};

/// Runs every pass; tells whether the result is 1-minimal in its tests.
///
/// # Errors
/// The oracle has stopped; the caller has the best plan until then.
pub(crate) fn all(problem: &Problem<'_>, oracle: &mut CachedOracle<'_>) -> Result<bool, Stopped> {
    let mut one_minimal = false;
    for (start, known) in starts(problem, oracle)? {
        if let Some(minimal) = fewer_tests(problem, &start, known, oracle)? {
            one_minimal = minimal;
            break;
        }
    }
    oracle.tests_are_found();
    let victim = problem.target.victim;
    imports_alone(problem.suite, victim, oracle)?;
    // Where no other test is left, it is an import that makes it fail.
    if problem.assumes_own_imports && oracle.best().len() > 1 {
        own_imports(problem.suite, oracle);
    } else {
        fewer_imports(problem.suite, oracle)?;
    }
    suite_order(problem.suite, victim, oracle)?;
    fewer_meetings(oracle)?;
    Ok(one_minimal)
}

/// The worker whose list ends in the victim, else the first that has it.
fn worker_of(plan: &Plan, victim: TestIndex) -> WorkerId {
    let ends = plan.workers.iter().position(|list| list.last() == Some(&victim));
    let has = || plan.workers.iter().position(|list| list.contains(&victim));
    WorkerId(ends.or_else(has).unwrap_or(0) as u32)
}

/// Where the search for tests may start: some elements of a space.
struct Start<'a> {
    space: Space<'a>,
    elements: Vec<usize>,
}

/// The starts to be tried in turn, the simplest first, each with whether it is known to reproduce. A
/// serial plan starts without what comes after the victim; of several workers, the victim's and one
/// other do, if that reproduces. The last is the whole plan.
fn starts<'a>(
    problem: &Problem<'a>,
    oracle: &mut CachedOracle<'_>,
) -> Result<Vec<(Start<'a>, bool)>, Stopped> {
    let fixed = Importing::Fixed(problem.plan.imports.clone());
    let first = if problem.keeps_imports { fixed.clone() } else { Importing::OfTests };
    let narrow = Space::new(problem.plan.clone(), problem.target, problem.suite, first);
    if !problem.keeps_imports {
        oracle.passes(narrow.candidate(&[]));
    }
    let wide = narrow.importing(fixed);
    let everything: Vec<usize> = (0..wide.size()).collect();
    let start =
        |space: &Space<'a>, elements: &[usize]| Start { space: space.clone(), elements: elements.to_vec() };
    let mut starts = Vec::new();
    if problem.plan.workers.len() == 1 {
        let before = wide.before_victim();
        starts.push((start(&narrow, &before), false));
        if !problem.keeps_imports {
            starts.push((start(&wide, &before), false));
        }
    } else if let Some(pair) = two_workers(problem, &narrow, oracle)? {
        starts.push((start(&narrow, &pair), true));
    } else {
        starts.push((start(&narrow, &everything), false));
    }
    starts.push((start(&wide, &everything), true));
    Ok(starts)
}

/// The elements of the victim's worker and of another that is enough.
fn two_workers(
    problem: &Problem<'_>,
    space: &Space<'_>,
    oracle: &mut CachedOracle<'_>,
) -> Result<Option<Vec<usize>>, Stopped> {
    let own = space.victim_worker();
    for other in (0..problem.plan.workers.len()).filter(|&worker| worker != own) {
        let pair = space.on_workers(&[own, other]);
        if oracle.reproduces(&space.candidate(&pair))? {
            return Ok(Some(pair));
        }
    }
    Ok(None)
}

/// Searches the tests that are needed; tells whether the result is 1-minimal. None if the start does
/// not reproduce.
fn fewer_tests(
    problem: &Problem<'_>,
    Start { space, elements }: &Start<'_>,
    known: bool,
    oracle: &mut CachedOracle<'_>,
) -> Result<Option<bool>, Stopped> {
    let tests: Vec<TestIndex> = elements.iter().map(|&element| space.test(element)).collect();
    let weights = suspects::weights(&tests, &problem.seen, problem.rate);
    let pick = |positions: &[usize]| positions.iter().map(|&at| elements[at]).collect::<Vec<_>>();
    if problem.rate < 1.0 {
        let mut odds = weights.clone();
        let mut once = |positions: &[usize]| oracle.once(&space.candidate(&pick(positions)));
        let lone = noise::lone_culprit(&mut odds, problem.rate, &mut once);
        oracle.suspect(tests.iter().copied().zip(odds).collect());
        if let Some(lone) = lone?
            && oracle.reproduces(&space.candidate(&pick(&[lone])))?
        {
            return Ok(Some(true));
        }
    }
    let mut fails = |subset: &[usize]| oracle.reproduces(&space.candidate(subset));
    let found = match suspects::prime(&weights).map(|positions| pick(&positions)) {
        Some(prime) if fails(&prime)? => search(&prime, true, &mut fails)?,
        Some(_) => search(elements, known, &mut fails)?,
        // Where each run starts a process, fewer runs count for more than shorter ones.
        None if problem.keeps_imports && problem.plan.workers.len() == 1 => {
            match piece(elements, &mut fails)? {
                Some(piece) => search(piece, true, &mut fails)?,
                None => search(elements, known, &mut fails)?,
            }
        }
        None => search(elements, known, &mut fails)?,
    };
    Ok(found.map(|found| found.one_minimal))
}

/// A piece of a long list that fails by itself.
fn piece<'e>(
    elements: &'e [usize],
    fails: &mut dyn FnMut(&[usize]) -> Result<bool, Stopped>,
) -> Result<Option<&'e [usize]>, Stopped> {
    let size = elements.len().div_ceil(PIECES);
    if size < PIECE {
        return Ok(None);
    }
    for piece in elements.rchunks(size) {
        if fails(piece)? {
            return Ok(Some(piece));
        }
    }
    Ok(None)
}

/// Finds out of each test that is left whether its module's import is enough. Where all is imported it is not: then
/// the test would have gone.
fn imports_alone(suite: &Suite, victim: TestIndex, oracle: &mut CachedOracle<'_>) -> Result<(), Stopped> {
    let mut plan = oracle.best().clone();
    if plan.imports == Imports::All {
        return Ok(());
    }
    let victims_file = &suite.test(victim).file;
    loop {
        let target = Target { victim, worker: worker_of(&plan, victim) };
        let imports = Importing::Fixed(plan.imports.clone());
        let space = Space::new(plan.clone(), target, suite, imports);
        let mut next = None;
        for gone in (0..space.size()).filter(|&element| suite.test(space.test(element)).file != *victims_file)
        {
            let rest: Vec<usize> = (0..space.size()).filter(|&element| element != gone).collect();
            let candidate = space.candidate(&rest);
            if oracle.reproduces(&candidate)? {
                next = Some(candidate);
                break;
            }
        }
        match next {
            Some(candidate) => plan = candidate,
            None => return Ok(()),
        }
    }
}

/// Takes the files of the tests for all that must be imported.
fn own_imports(suite: &Suite, oracle: &mut CachedOracle<'_>) {
    let plan = oracle.best().clone();
    let imports = Imports::Only(files(suite, plan.workers.iter().flatten()));
    oracle.assume(Plan { imports, ..plan });
}

/// Searches the files that are needed besides those of the tests.
fn fewer_imports(suite: &Suite, oracle: &mut CachedOracle<'_>) -> Result<(), Stopped> {
    let plan = oracle.best().clone();
    let needed = files(suite, plan.workers.iter().flatten());
    let imported: Vec<String> = match &plan.imports {
        Imports::All => all_files(suite),
        Imports::Only(files) => files.iter().cloned().collect(),
    };
    let extra: Vec<String> = imported.into_iter().filter(|file| !needed.contains(file)).collect();
    if extra.is_empty() || (plan.imports != Imports::All && extra.len() == 1) {
        return Ok(());
    }
    let with = |kept: &[usize]| {
        let files = needed.iter().cloned().chain(kept.iter().map(|&at| extra[at].clone())).collect();
        Plan { imports: Imports::Only(files), ..plan.clone() }
    };
    if plan.imports == Imports::All && oracle.reproduces(&with(&[]))? {
        return Ok(());
    }
    let everything: Vec<usize> = (0..extra.len()).collect();
    if oracle.reproduces(&with(&everything))? {
        search(&everything, true, &mut |subset| oracle.reproduces(&with(subset)))?;
    }
    Ok(())
}

fn all_files(suite: &Suite) -> Vec<String> {
    let files: BTreeSet<&String> = suite.tests.iter().map(|test| &test.file).collect();
    files.into_iter().cloned().collect()
}

/// Puts the culprits on the victim's worker into suite order.
fn suite_order(suite: &Suite, victim: TestIndex, oracle: &mut CachedOracle<'_>) -> Result<(), Stopped> {
    let plan = oracle.best().clone();
    let mut position = vec![0; suite.tests.len()];
    suite.collected.iter().enumerate().for_each(|(at, test)| position[test.get()] = at);
    let mut sorted = plan.clone();
    for list in &mut sorted.workers {
        let end = if list.last() == Some(&victim) { list.len() - 1 } else { list.len() };
        list[..end].sort_by_key(|test| position[test.get()]);
    }
    if sorted != plan {
        oracle.reproduces(&sorted)?;
    }
    Ok(())
}

/// Lets workers run freely if they may.
fn fewer_meetings(oracle: &mut CachedOracle<'_>) -> Result<(), Stopped> {
    let plan = oracle.best().clone();
    if plan.interleaving != Interleaving::Free {
        oracle.reproduces(&Plan { interleaving: Interleaving::Free, ..plan })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Barrier;
    use crate::session::fake_engine::{plan, suite, test};
    use crate::shrink::{Oracle, Verdict, shrink};

    const VICTIM: char = 'a';

    /// Answers by a rule, and keeps what it was asked.
    struct Rule<'f> {
        reproduces: &'f dyn Fn(&Plan) -> bool,
        asked: Vec<Plan>,
    }

    impl Oracle for Rule<'_> {
        fn verdict(&mut self, candidate: &Plan) -> Result<Verdict, Stopped> {
            self.asked.push(candidate.clone());
            Ok(if (self.reproduces)(candidate) { Verdict::Reproduces } else { Verdict::Passes })
        }
    }

    fn problem<'a>(plan: &Plan, suite: &'a Suite) -> Problem<'a> {
        let worker = worker_of(plan, test(VICTIM));
        Problem::new(plan.clone(), Target { victim: test(VICTIM), worker }, suite, Vec::new(), 1.0)
    }

    /// What a pass makes of a plan, and what it asks.
    fn run(
        plan: &Plan,
        tests: u32,
        reproduces: &dyn Fn(&Plan) -> bool,
        pass: fn(&Suite, TestIndex, &mut CachedOracle<'_>) -> Result<(), Stopped>,
    ) -> (Plan, Vec<Plan>) {
        let (suite, mut rule) = (suite(tests), Rule { reproduces, asked: Vec::new() });
        let mut oracle = CachedOracle::new(&problem(plan, &suite), &mut rule);
        pass(&suite, test(VICTIM), &mut oracle).unwrap();
        let best = oracle.best().clone();
        (best, rule.asked)
    }

    fn lists(lists: &str) -> Vec<Vec<TestIndex>> {
        plan(lists).workers
    }

    fn only(letters: &str) -> Imports {
        Imports::Only(letters.chars().map(|letter| format!("test_{letter}.py")).collect())
    }

    fn importing(lists: &str, imports: Imports) -> Plan {
        Plan { imports, ..plan(lists) }
    }

    fn imports(candidate: &Plan, letter: char) -> bool {
        match &candidate.imports {
            Imports::All => true,
            Imports::Only(files) => files.contains(&format!("test_{letter}.py")),
        }
    }

    #[test]
    fn the_victim_is_where_it_ends_a_list_or_else_where_it_is() {
        let of = |lists: &str| worker_of(&plan(lists), test(VICTIM)).0;
        assert_eq!((of("ab|ca"), of("b|ac"), of("ab|c"), of("b|a|ca")), (1, 1, 0, 1));
    }

    /// The starts of a problem as plans, each with whether it is known to reproduce, and what was asked for them.
    fn starts_of(
        lists: &str,
        keeps_imports: bool,
        reproduces: &dyn Fn(&Plan) -> bool,
    ) -> (Vec<(Plan, bool)>, Vec<Plan>) {
        let (suite, mut rule) = (suite(4), Rule { reproduces, asked: Vec::new() });
        let problem = problem(&plan(lists), &suite).keeping_imports(keeps_imports);
        let mut oracle = CachedOracle::new(&problem, &mut rule);
        let starts = starts(&problem, &mut oracle).unwrap();
        let alone =
            Space::new(problem.plan.clone(), problem.target, &suite, Importing::OfTests).candidate(&[]);
        assert_eq!(oracle.reproduces(&alone), Ok(false));
        let plans = starts.iter().map(|(start, known)| (start.space.candidate(&start.elements), *known));
        (plans.collect(), rule.asked)
    }

    #[test]
    fn a_serial_plan_starts_without_what_comes_after_the_victim() {
        let whole = (plan("bac"), true);
        let (starts, asked) = starts_of("bac", false, &|_| false);
        assert_eq!(starts, [(importing("ba", only("ab")), false), (plan("ba"), false), whole.clone()]);
        assert_eq!(asked, [], "the victim alone is known to pass");
        let (starts, asked) = starts_of("bac", true, &|_| false);
        assert_eq!(starts, [(plan("ba"), false), whole]);
        assert_eq!(asked, [importing("a", only("a"))], "it is not, if all is imported");
    }

    #[test]
    fn of_several_workers_a_pair_with_the_victims_starts_if_one_does() {
        let whole = (plan("b|ac|d"), true);
        let pairs = [importing("b|ac", only("abc")), importing("ac|d", only("acd"))];
        let (starts, asked) = starts_of("b|ac|d", false, &|plan| {
            plan.workers.iter().flatten().any(|&other| other == test('d'))
        });
        assert_eq!(starts, [(pairs[1].clone(), true), whole.clone()]);
        assert_eq!(asked, pairs);
        let (starts, asked) = starts_of("b|ac|d", false, &|_| false);
        assert_eq!(starts, [(importing("b|ac|d", only("abcd")), false), whole]);
        assert_eq!(asked, pairs);
    }

    #[test]
    fn what_the_trials_showed_is_asked_about_first_and_believed_only_if_it_reproduces() {
        let suite = suite(6);
        let polluted = |plan: &Plan| plan.workers[0].contains(&test('c'));
        for (suspected, first) in [('c', "ca"), ('e', "ea")] {
            let mut rule = Rule { reproduces: &polluted, asked: Vec::new() };
            let seen = vec![(vec![test(suspected)], true)];
            let Problem { plan, target, .. } = problem(&plan("bcdefa"), &suite);
            let shrunk = shrink(&Problem::new(plan, target, &suite, seen, 1.0), &mut rule);
            assert_eq!(shrunk.plan.workers, lists("ca"));
            assert!(shrunk.one_minimal);
            assert_eq!(rule.asked[0].workers, lists(first));
        }
    }

    #[test]
    fn only_of_what_fails_at_times_odds_are_known_when_the_search_is_given_up() {
        let suite = suite(6);
        let odds = |rate| {
            let mut rule = Rule { reproduces: &|_| false, asked: Vec::new() };
            let Problem { plan, target, .. } = problem(&plan("bcdefa"), &suite);
            let problem = Problem::new(plan, target, &suite, Vec::new(), rate).within(2);
            shrink(&problem, &mut rule).odds.len()
        };
        assert_eq!((odds(0.5), odds(1.0)), (5, 0));
    }

    #[test]
    fn a_test_whose_import_is_enough_need_not_run() {
        let needs = |plan: &Plan| imports(plan, 'b') && plan.workers[0].contains(&test('c'));
        let (left, _) = run(&importing("bca", only("abc")), 3, &needs, imports_alone);
        assert_eq!(left, importing("ca", only("abc")));
        let (left, _) = run(&importing("bcda", only("abcd")), 4, &|_| true, imports_alone);
        assert_eq!(left, importing("a", only("abcd")));
        let (_, asked) = run(&importing("aa", only("a")), 1, &|_| true, imports_alone);
        assert_eq!(asked, [], "the victim's own file is imported anyway");
        let (_, asked) = run(&plan("ba"), 2, &|_| true, imports_alone);
        assert_eq!(asked, [], "what is left beside all imports is needed as more than one of them");
    }

    #[test]
    fn of_a_long_list_the_last_piece_that_fails_by_itself_is_searched() {
        let elements: Vec<usize> = (0..PIECES * PIECE).collect();
        let found = |elements: &[usize], fails: &dyn Fn(&[usize]) -> bool| {
            let mut asked = 0;
            let piece = piece(elements, &mut |piece| {
                asked += 1;
                Ok(fails(piece))
            });
            (piece.unwrap().map(|piece| (piece[0], piece.len())), asked)
        };
        let last = elements.len() - PIECE;
        assert_eq!(found(&elements, &|piece| piece.contains(&0)), (Some((0, PIECE)), PIECES));
        assert_eq!(found(&elements, &|piece| piece.contains(&0) || piece.contains(&last)).1, 1);
        let both = |piece: &[usize]| piece.contains(&0) && piece.contains(&last);
        assert_eq!(found(&elements, &both), (None, PIECES));
        let short = &elements[..PIECES * (PIECE - 1)];
        assert_eq!(found(short, &|_| true), (None, 0), "a run costs more than so few tests");
    }

    #[test]
    fn the_files_of_the_tests_that_are_left_are_assumed_to_do() {
        let pass = |suite: &Suite, _, oracle: &mut CachedOracle<'_>| {
            own_imports(suite, oracle);
            Ok(())
        };
        assert_eq!(run(&plan("ba"), 3, &|_| false, pass), (importing("ba", only("ab")), vec![]));
    }

    #[test]
    fn only_the_files_that_are_needed_stay_imported() {
        let pass = |suite: &Suite, _, oracle: &mut CachedOracle<'_>| fewer_imports(suite, oracle);
        let needs = |plan: &Plan| imports(plan, 'c');
        assert_eq!(run(&plan("a"), 4, &needs, pass).0, importing("a", only("ac")));
        assert_eq!(run(&importing("a", only("abc")), 3, &needs, pass).0, importing("a", only("ac")));
        let alone = importing("a", only("a"));
        assert_eq!(run(&plan("a"), 4, &|_| true, pass), (alone.clone(), vec![alone.clone()]));
        assert_eq!(run(&plan("a"), 2, &|_| true, pass), (alone.clone(), vec![alone]));
        let (left, asked) = run(&importing("a", only("ac")), 3, &|_| true, pass);
        assert_eq!(
            (left, asked),
            (importing("a", only("ac")), vec![]),
            "one file besides is known to be needed"
        );
        let (left, _) = run(&plan("a"), 4, &|plan| plan.imports == Imports::All, pass);
        assert_eq!(left, plan("a"), "no choice of files does what a plain collection does");
    }

    #[test]
    fn culprits_come_in_suite_order_before_the_victim_if_they_may() {
        let sorted = plan("bca|de");
        assert_eq!(run(&plan("cba|ed"), 5, &|_| true, suite_order), (sorted.clone(), vec![sorted.clone()]));
        assert_eq!(run(&plan("cba|ed"), 5, &|_| false, suite_order), (plan("cba|ed"), vec![sorted.clone()]));
        assert_eq!(run(&sorted, 5, &|_| true, suite_order), (sorted.clone(), vec![]));
    }

    #[test]
    fn workers_run_freely_if_they_may() {
        let pass = |_: &Suite, _, oracle: &mut CachedOracle<'_>| fewer_meetings(oracle);
        let barrier = Barrier { first: (WorkerId(0), 0), second: (WorkerId(1), 0) };
        let met = Plan { interleaving: Interleaving::Barriers(vec![barrier]), ..plan("a|b") };
        assert_eq!(run(&met, 2, &|_| true, pass), (plan("a|b"), vec![plan("a|b")]));
        assert_eq!(run(&met, 2, &|_| false, pass), (met.clone(), vec![plan("a|b")]));
        assert_eq!(run(&plan("a|b"), 2, &|_| true, pass), (plan("a|b"), vec![]));
    }
}
