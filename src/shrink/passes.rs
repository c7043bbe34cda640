//! The passes, in the order of what they make simpler.

use std::collections::BTreeSet;

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
    if oracle.best().imports == Imports::All {
        fewer_imports(problem.suite, oracle)?;
    }
    let minimal = oracle.best().clone();
    let target = Target { worker: worker_of(&minimal, problem.target.victim), ..problem.target };
    imports_alone(problem.suite, &minimal, target, oracle)?;
    fewer_imports(problem.suite, oracle)?;
    suite_order(problem.suite, target.victim, oracle)?;
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
        _ => search(elements, known, &mut fails)?,
    };
    Ok(found.map(|found| found.one_minimal))
}

/// Finds out of each test that is left whether its module's import is enough.
fn imports_alone(
    suite: &Suite,
    minimal: &Plan,
    target: Target,
    oracle: &mut CachedOracle<'_>,
) -> Result<(), Stopped> {
    let mut plan = minimal.clone();
    let victims_file = &suite.test(target.victim).file;
    loop {
        let imports = match &plan.imports {
            Imports::All => Imports::Only(files(suite, plan.workers.iter().flatten())),
            Imports::Only(files) => Imports::Only(files.clone()),
        };
        let target = Target { worker: worker_of(&plan, target.victim), ..target };
        let space = Space::new(plan.clone(), target, suite, Importing::Fixed(imports));
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
