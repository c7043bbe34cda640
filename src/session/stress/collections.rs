//! Whether the suite is collected in one way: under other values of `PYTHONHASHSEED`, where `random` starts otherwise, and
//! once more with nothing changed, so that each cause is told by the run that shows it.

use std::collections::BTreeSet;

use crate::finding::{Finding, Kind, Minimal, Origin};
use crate::judge::Tally;
use crate::judge::unstable::{difference, stops_xdist};
use crate::plan::{Plan, Seed};
use crate::run::engine::Collect;
use crate::run::{Engine, RunError};
use crate::session::stress::baseline::{compare_collections, suite_order};
use crate::suite::{Suite, TestIndex};

/// Where `random` starts in the collection that shows what comes of draws.
const OTHER: u32 = 1;
/// Functions that are named at most.
const NAMED: usize = 5;

/// What several collections of a suite say of it.
#[derive(Clone, Debug)]
pub(crate) struct Compared {
    /// The suite, in which tests whose ids differ are named by their positions.
    pub(crate) suite: Suite,
    /// What is collected in no fixed way.
    pub(crate) findings: Vec<Finding>,
}

/// The collection that shows what comes of draws.
pub(crate) fn drawing_otherwise(hash_seed: u32) -> Collect {
    Collect::once(hash_seed, OTHER)
}

/// Collects again, and compares with what was collected first under a hash seed. `drawn` is what is collected
/// [`drawing_otherwise`], if that was done.
///
/// # Errors
/// Those of the engine.
pub(crate) fn compare(
    engine: &mut dyn Engine,
    first: &Suite,
    drawn: Option<Suite>,
    seed: Seed,
    hash_seed: u32,
    others: &[u32],
) -> Result<Compared, RunError> {
    let missing = drawn.is_none().then(|| drawing_otherwise(hash_seed));
    let requests: Vec<Collect> =
        missing.into_iter().chain(others.iter().map(|&other| Collect::kept(other))).collect();
    let collected = engine.collect_all(&requests)?.into_iter().map(|collected| collected.suite);
    let mut suites = drawn.into_iter().chain(collected);
    let drawn = suites.next().ok_or(RunError::Interrupted)?;
    let hashed: Vec<(u32, Suite)> = others.iter().copied().zip(suites).collect();
    let differs = |other: &Suite| difference(first, other).is_some();
    if !differs(&drawn) && !hashed.iter().any(|(_, other)| differs(other)) {
        return Ok(Compared { suite: first.clone(), findings: Vec::new() });
    }
    let again = engine.collect(Collect::once(hash_seed, 0))?.suite;
    let collections = Collections { first, drawn, again, hashed };
    Ok(collections.compared(seed, hash_seed))
}

/// The collections of a suite, of which the first differs from another.
struct Collections<'a> {
    first: &'a Suite,
    /// Under the same hash seed, where `random` started otherwise.
    drawn: Suite,
    /// With nothing changed.
    again: Suite,
    /// Under other hash seeds.
    hashed: Vec<(u32, Suite)>,
}

impl Collections<'_> {
    fn compared(&self, seed: Seed, hash_seed: u32) -> Compared {
        let first = self.first;
        let others = [&self.drawn, &self.again].into_iter().chain(self.hashed.iter().map(|(_, suite)| suite));
        let renamed: BTreeSet<String> =
            others.flat_map(|other| first.functions_with_other_ids(other)).collect();
        let suite = first.named_by_position(&renamed);
        let by_chance = ByChance::new(first, &self.again, &self.drawn);
        let mut findings: Vec<Finding> = by_chance.finding(&suite, seed, hash_seed).into_iter().collect();
        // What differs anyway says nothing of the hash seed.
        let apart = |other: &Suite| other.named_by_position(&by_chance.functions());
        let (mut by_hash, mut with) = (None, Tally::default());
        if difference(&apart(first), &apart(&self.again)).is_none() {
            for (other, hashed) in &self.hashed {
                let seeds = (hash_seed, *other);
                let found = compare_collections(&suite, &apart(first), &apart(hashed), seed, seeds);
                with.add(found.is_some());
                by_hash = by_hash.or(found);
            }
        }
        findings.extend(by_hash.map(|finding| Finding { with, ..finding }));
        Compared { suite, findings }
    }
}

/// What differs under one hash seed.
struct ByChance {
    /// Functions whose tests differ with nothing changed.
    run_to_run: BTreeSet<String>,
    /// Functions whose tests differ with where `random` starts, and else do not.
    draws: BTreeSet<String>,
    /// Those of both whose tests have the same ids in another order.
    order: BTreeSet<String>,
    /// How many of the two collections differ.
    differ: u32,
    /// The first test at which they do.
    at: Option<usize>,
}

impl ByChance {
    fn new(first: &Suite, again: &Suite, drawn: &Suite) -> Self {
        let run_to_run = first.functions_that_differ(again);
        let mut draws = first.functions_that_differ(drawn);
        draws.retain(|function| !run_to_run.contains(function));
        let ids: BTreeSet<String> =
            [again, drawn].iter().flat_map(|other| first.functions_with_other_ids(other)).collect();
        let order = run_to_run.union(&draws).filter(|function| !ids.contains(*function)).cloned().collect();
        let differences = [again, drawn].map(|other| difference(first, other));
        let differ = differences.iter().flatten().count() as u32;
        let at = differences.into_iter().flatten().map(|difference| difference.at).min();
        Self { run_to_run, draws, order, differ, at }
    }

    fn functions(&self) -> BTreeSet<String> {
        self.run_to_run.union(&self.draws).cloned().collect()
    }

    fn finding(&self, suite: &Suite, seed: Seed, hash_seed: u32) -> Option<Finding> {
        let near = suite.collected.get(self.at?).or(suite.collected.last()).copied();
        let functions = self.functions();
        let firsts = first_tests(suite, &functions);
        let test = firsts.first().copied().or(near)?;
        let plan = suite_order(suite, seed, hash_seed);
        let minimal = Minimal {
            plan: plan.clone(),
            culprits: Vec::new(),
            imports: Vec::new(),
            one_minimal: true,
            calls: 0,
        };
        Some(Finding {
            signature: Some(stops_xdist(suite, test)),
            plan: Some(Plan { random_seed: OTHER, ..plan }),
            shrunk: Some(minimal),
            with: Tally { runs: self.differ, failed: self.differ },
            also: firsts.into_iter().skip(1).collect(),
            note: Some(self.note(suite)),
            ..Finding::new(Kind::UnstableCollection, Some(test), Origin::Baseline)
        })
    }

    fn note(&self, suite: &Suite) -> String {
        let named = |functions: &BTreeSet<String>| places(suite, functions);
        let mut sentences = Vec::new();
        if !self.run_to_run.is_empty() {
            sentences.push(format!("{}: differs with nothing changed", named(&self.run_to_run)));
        }
        if !self.draws.is_empty() {
            sentences
                .push(format!("{}: differs by what `random` gives while it is imported", named(&self.draws)));
        }
        if sentences.is_empty() {
            sentences.push("tests have come or gone".to_owned());
        }
        sentences.push("pytest-xdist stops with \"Different tests were collected\"".into());
        if self.functions().len() > self.order.len() {
            sentences.push(
                "Give the parameters fixed ids (ids=[\"first\", …]) or fixed values; sorting does not help. Here \
                 the tests are named by their positions: [#1] is the first"
                    .into(),
            );
        }
        if !self.order.is_empty() {
            sentences.push(format!("{}: only the order differs, so sort the parameters", named(&self.order)));
        }
        sentences.join(". ")
    }
}

/// The first test of each function, in suite order.
fn first_tests(suite: &Suite, functions: &BTreeSet<String>) -> Vec<TestIndex> {
    let mut seen = BTreeSet::new();
    let of_them = |&&index: &&TestIndex| functions.contains(suite.test(index).id.function());
    let tests = suite.collected.iter().filter(of_them);
    tests.filter(|&&index| seen.insert(suite.test(index).id.function())).copied().collect()
}

/// `tests/test_a.py::test_b (tests/test_a.py:7)` for each function, the first few.
fn places(suite: &Suite, functions: &BTreeSet<String>) -> String {
    let firsts = first_tests(suite, functions);
    let place = |&index: &TestIndex| {
        let test = suite.test(index);
        let line = test.line.map_or_else(String::new, |line| format!(" ({}:{line})", test.file));
        format!("{}{line}", test.id.function())
    };
    let mut text = firsts.iter().take(NAMED).map(place).collect::<Vec<_>>().join(", ");
    if firsts.len() > NAMED {
        text.push_str(&format!(" and {} more", firsts.len() - NAMED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::{Test, TestId};

    fn suite(names: &[&str]) -> Suite {
        let test = |name: &&str| Test {
            id: TestId { node_id: format!("test_a.py::{name}"), occurrence: 0 },
            file: "test_a.py".into(),
            line: Some(7),
            group: None,
            rank: 0,
        };
        Suite::new(names.iter().map(test).collect(), Vec::new(), 0)
    }

    fn compared(first: &[&str], drawn: &[&str], again: &[&str], hashed: &[&str]) -> Compared {
        let first = suite(first);
        let hashed = vec![(9, suite(hashed))];
        Collections { first: &first, drawn: suite(drawn), again: suite(again), hashed }.compared(Seed(1), 3)
    }

    /// Of each finding: whether it is of the hash seed, and its tests.
    fn sentences(compared: &Compared) -> Vec<(bool, Vec<String>)> {
        let of = |finding: &Finding| {
            let plans = (finding.plan.as_ref().unwrap(), &finding.shrunk.as_ref().unwrap().plan);
            let tests = finding.test.into_iter().chain(finding.also.clone());
            let names =
                tests.map(|test| compared.suite.test(test).id.node_id["test_a.py::".len()..].to_owned());
            (plans.0.hash_seed != plans.1.hash_seed, names.collect())
        };
        compared.findings.iter().map(of).collect()
    }

    #[test]
    fn each_cause_is_told_by_the_collection_that_shows_it() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let by_hash = compared(&["f[a]", "f[b]"], &["f[a]", "f[b]"], &["f[a]", "f[b]"], &["f[b]", "f[a]"]);
        assert_eq!(sentences(&by_hash), [(true, names(&["f[a]"]))]);
        assert!(by_hash.suite.positional.is_empty(), "the ids are the same");
        let random = compared(&["t", "f[7]"], &["t", "f[8]"], &["t", "f[7]"], &["t", "f[7]"]);
        assert_eq!(sentences(&random), [(false, names(&["f[#1]"]))]);
        let anyway = compared(&["f[u]", "g[7]"], &["f[v]", "g[8]"], &["f[w]", "g[7]"], &["f[x]", "g[7]"]);
        assert_eq!(sentences(&anyway), [(false, names(&["f[#1]", "g[#1]"]))]);
        let note = anyway.findings[0].note.as_deref().unwrap();
        assert!(note.contains("f (test_a.py:7): differs with nothing changed"), "{note}");
        assert!(note.contains("g (test_a.py:7): differs by what `random` gives"), "{note}");
        let both = compared(
            &["f[u]", "h[a]", "h[b]"],
            &["f[v]", "h[a]", "h[b]"],
            &["f[w]", "h[a]", "h[b]"],
            &["f[x]", "h[b]", "h[a]"],
        );
        assert_eq!(sentences(&both), [(false, names(&["f[#1]"])), (true, names(&["h[a]"]))]);
        let other_names = compared(&["t_u", "s"], &["t_v", "s"], &["t_w", "s"], &["t_x", "s"]);
        assert_eq!(
            sentences(&other_names).len(),
            1,
            "a test whose name is another each time is no matter of hashes"
        );
        assert!(!sentences(&other_names)[0].0);
    }

    #[test]
    fn hashed_ids_are_told_as_such_and_known_by_their_positions() {
        let ids = compared(&["f[1]"], &["f[1]"], &["f[1]"], &["f[2]"]);
        assert_eq!(sentences(&ids), [(true, vec!["f[#1]".to_owned()])]);
    }
}
