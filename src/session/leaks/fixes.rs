//! Fixes of places that are left changed: those of the places that hurt are looked for and tried in copies of the project, as
//! those of findings are.

use std::collections::BTreeSet;

use crate::explain::{Explanation, NoFix, NoFixReason};
use crate::leaks::{Harm, Leak, Owner};
use crate::limits::{LEAK_FIX_TRIALS, LEAK_FIXES};
use crate::plan::{Axes, Imports, OrderKind, Plan, Seed};
use crate::run::{Engine, RunError};
use crate::session::event::Reporters;
use crate::session::fix::search::{Leaving, Search, Trials, session_ended};
use crate::session::fix::together::{self, Told};
use crate::session::fix::trying::KeptPlace;
use crate::session::lab::Lab;
use crate::session::leaks::{Step, Work};
use crate::session::stress::baseline;
use crate::state::Place;
use crate::suite::{Suite, TestIndex};

/// Looks for fixes of those places for which tests fail or that others name, if they are wanted. Each step is told of.
///
/// # Errors
/// The run was interrupted. Those that were tried to the end by then are kept, and the other places say why they have none.
pub(crate) fn fix(
    (suite, rootdir): (&Suite, &str),
    engine: &mut dyn Engine,
    hash_seed: u32,
    leaks: &mut [Leak],
    is_wanted: impl Fn(&Leak) -> bool,
    tell: &mut dyn FnMut(Step),
) -> Result<(), RunError> {
    let hurts = |leak: &Leak| !leak.settled && leak.harm() < Harm::Unread;
    let numbers = 0..leaks.len();
    let wanted: Vec<usize> = numbers.filter(|&at| hurts(&leaks[at]) && is_wanted(&leaks[at])).collect();
    for &at in wanted.iter().skip(LEAK_FIXES) {
        leaks[at].fix = Some(Err(too_many()));
    }
    let plan = baseline::suite_order(suite, Seed(0), hash_seed);
    let mut open: Vec<(usize, Leaving)> = Vec::new();
    for &at in wanted.iter().take(LEAK_FIXES) {
        match leaving(suite, &plan, &leaks[at]) {
            Some(leaving) => open.push((at, leaving)),
            None => leaks[at].fix = Some(Err(of_shared_fixtures())),
        }
    }
    if open.is_empty() {
        return Ok(());
    }
    let (axes, mut nobody) = (Axes::default(), Reporters::default());
    let mut lab = Lab::new(suite, engine, &mut nobody, None);
    let mut trials = Trials::new(rootdir, Seed(0), &axes).at_most(LEAK_FIX_TRIALS);
    let searches: Vec<(usize, Search<'_>)> =
        open.iter().map(|(at, leaving)| (*at, Search::of_place(&trials, suite, leaving))).collect();
    let mut ended = 0;
    let tried = together::all(&mut lab, &mut trials, &searches, &mut |_, told| match told {
        Told::Fixing(..) => tell(Step { work: Work::Fix, ended, of: searches.len() }),
        Told::Fixed(at, fix) => {
            ended += 1;
            leaks[at].fix = Some(fix);
        }
    });
    if matches!(tried, Err(RunError::Interrupted)) {
        wanted.iter().for_each(|&at| {
            leaks[at].fix.get_or_insert_with(|| Err(session_ended()));
        });
    }
    tried
}

/// That no fix of a place was looked for, as those of others were.
fn too_many() -> NoFix {
    let says = format!("none was looked for: that is done for the first {LEAK_FIXES} places");
    NoFix { why: NoFixReason::NotTried, says }
}

/// That no change is known of a fixture that tests share and that leaves a place.
fn of_shared_fixtures() -> NoFix {
    let says = "none is known for what a shared fixture leaves; by hand: put it back in its teardown";
    NoFix { why: NoFixReason::Unknown, says: says.into() }
}

/// What is to be undone of a leak: of those who leave the place the tests or, if there are none, the imports; nothing of shared
/// fixtures.
fn leaving(suite: &Suite, of: &Plan, leak: &Leak) -> Option<Leaving> {
    let sort = |is: fn(&Owner) -> bool| leak.owners.iter().filter(|owner| is(owner)).cloned().collect();
    let sorts: [Vec<Owner>; 2] =
        [sort(|owner| matches!(owner, Owner::Test(_))), sort(|owner| matches!(owner, Owner::Import(_)))];
    let owners = sorts.into_iter().find(|owners| !owners.is_empty())?;
    let list: Vec<TestIndex> = owners.iter().filter_map(|owner| run_for(suite, leak, owner)).collect();
    let tests = owners.iter().filter_map(|owner| match owner {
        Owner::Test(test) => Some(*test),
        _ => None,
    });
    let imports = owners.iter().filter_map(|owner| match owner {
        Owner::Import(file) => Some(file.clone()),
        _ => None,
    });
    let victim = leak.victims.first().copied();
    let first = *list.first()?;
    let after = victim.or_else(|| leak.readers.iter().copied().find(|reader| !list.contains(reader)));
    let beside = match after {
        Some(after) if suite.admits(&[first, after]) => vec![first, after],
        _ => vec![first],
    };
    let place = Place { written: leak.written.clone(), ..leak.found.clone() };
    Some(Leaving {
        explanation: Explanation { confirmed: true, places: vec![place], ..Explanation::default() },
        tests: tests.collect(),
        imports: imports.collect(),
        plan: of_files(suite, of, beside),
        test: victim.unwrap_or(first),
        fails: victim.is_some(),
        left: KeptPlace { name: leak.place.clone(), owners, plan: of_files(suite, of, list) },
    })
}

/// The test that is run for whoever leaves a place.
fn run_for(suite: &Suite, leak: &Leak, owner: &Owner) -> Option<TestIndex> {
    match owner {
        Owner::Test(test) => Some(*test),
        Owner::Fixture(..) => leak.set_up_for.get(owner).copied(),
        Owner::Import(file) => suite.collected.iter().copied().find(|&test| suite.test(test).file == *file),
    }
}

/// A plan of these tests, for which their own files are imported and no others.
fn of_files(suite: &Suite, of: &Plan, list: Vec<TestIndex>) -> Plan {
    let files: BTreeSet<String> = list.iter().map(|&test| suite.test(test).file.clone()).collect();
    Plan {
        order: OrderKind::Explicit,
        workers: vec![list],
        imports: Imports::Only(files.into_iter().collect()),
        ..of.clone()
    }
}
