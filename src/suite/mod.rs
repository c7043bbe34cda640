//! What was collected: the tests, the order the suite runs them in, and what could not be collected.

mod fixture;
pub(crate) mod sorting;
pub(crate) mod suspicion;
pub(crate) mod triage;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use fixture::{Fixture, Phase};
use sorting::Sorting;

/// A test's place in the canonical order: sorted by [`TestId`], so it does not depend on the order
/// in which pytest (whose versions differ) happened to collect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TestIndex(pub u32);

impl TestIndex {
    /// The index as a position in [`Suite::tests`].
    pub fn get(self) -> usize {
        self.0 as usize
    }
}

/// How a test is named: two collected items may share one node id, so it takes the occurrence too.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TestId {
    /// pytest's node id, relative to rootdir. Any text: spaces, unicode, `::` and brackets included.
    pub node_id: String,
    /// 0 for the first collected item with this node id, 1 for the second, and so on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub occurrence: u32,
}

impl TestId {
    /// The node id without the parameters.
    pub fn function(&self) -> &str {
        let id = &self.node_id;
        let name = id.find("::").unwrap_or(0);
        id[name..].find('[').map_or(id, |parameters| &id[..name + parameters])
    }

    fn has_parameters(&self) -> bool {
        self.function().len() < self.node_id.len()
    }

    /// Whether it is a name of [`Suite::named_by_position`].
    fn tells_a_position(&self) -> bool {
        let parameters = &self.node_id[self.function().len()..];
        let number = parameters.strip_prefix("[#").and_then(|rest| rest.strip_suffix(']'));
        number.is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.node_id)?;
        if self.occurrence > 0 {
            write!(f, " (occurrence {})", self.occurrence + 1)?;
        }
        Ok(())
    }
}

/// One collected test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Test {
    /// The test's name.
    pub id: TestId,
    /// The file that defines it, relative to rootdir, with `/` between its parts.
    pub file: String,
    /// The 1-based line of its definition, where pytest knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The name of its `xdist_group` mark, which `--dist loadgroup` keeps on one worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Tests of a lower rank run before those of a higher one in every order, as the suite's plugins sort them:
    /// pytest-django runs those that roll back (0) before those with transactions (1) before the rest (2).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rank: u32,
}

/// A module (or other collector) that could not be imported or collected. Its tests never ran, so
/// nothing is known of their isolation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionError {
    /// Node id of the collector that failed, usually a file.
    pub node_id: String,
    /// Type of the exception, with its module unless that is `builtins`: `ModuleNotFoundError`.
    pub exception: String,
    /// The exception's message.
    pub message: String,
    /// File of the innermost frame inside rootdir, relative to it; for a syntax error, the file it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// 1-based line in `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// pytest's own rendering of the error.
    pub trace: String,
}

/// Identity of a collected list of tests: the first 16 hexadecimal digits of the SHA-256 over the
/// canonical list, each node id preceded by its length and followed by its occurrence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A collected suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    /// The tests in canonical order; [`TestIndex`] points into it.
    pub tests: Vec<Test>,
    /// Suite order: the order in which pytest would run them, after every plugin had its say.
    pub collected: Vec<TestIndex>,
    /// What could not be collected.
    pub errors: Vec<CollectionError>,
    /// How many tests the suite's own `-k`, `-m` or plugins deselected.
    pub(crate) deselected: u32,
    /// Identity of the list of tests.
    pub fingerprint: Fingerprint,
    /// The functions whose tests are named by their positions; see [`Suite::named_by_position`].
    pub(crate) positional: BTreeSet<String>,
    /// What its plugins impose on orders, besides the ranks of the tests.
    pub sorting: Sorting,
}

impl Suite {
    /// Makes a suite of tests given in suite order.
    pub fn new(tests: Vec<Test>, errors: Vec<CollectionError>, deselected: u32) -> Self {
        let mut by_id: Vec<usize> = (0..tests.len()).collect();
        by_id.sort_by(|&a, &b| tests[a].id.cmp(&tests[b].id));
        let mut collected = vec![TestIndex(0); tests.len()];
        for (canonical, &position) in by_id.iter().enumerate() {
            collected[position] = TestIndex(canonical as u32);
        }
        let mut slots: Vec<Option<Test>> = tests.into_iter().map(Some).collect();
        let tests: Vec<Test> = by_id.iter().filter_map(|&position| slots[position].take()).collect();
        let fingerprint = fingerprint(&tests);
        Self {
            tests,
            collected,
            errors,
            deselected,
            fingerprint,
            positional: BTreeSet::new(),
            sorting: Sorting::default(),
        }
    }

    /// The suite with the parametrised tests of these functions named `function[#1]`, `function[#2]`, … in suite
    /// order: the ids that pytest gives them are others in each process. The harness knows them by these names.
    #[must_use]
    pub fn named_by_position(&self, functions: &BTreeSet<String>) -> Self {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        let named = self.collected.iter().map(|&index| {
            let test = self.test(index);
            let function = test.id.function();
            if !functions.contains(function) || !test.id.has_parameters() {
                return test.clone();
            }
            let count = counts.entry(function).or_default();
            *count += 1;
            Test { id: TestId { node_id: format!("{function}[#{count}]"), occurrence: 0 }, ..test.clone() }
        });
        let suite = Self::new(named.collect(), self.errors.clone(), self.deselected).sorted_as(self);
        Self { positional: functions.clone(), ..suite }
    }

    /// The suite with its tests named as in a record of it: by position where they were then.
    #[must_use]
    pub(crate) fn named_as<'a>(&self, recorded: impl IntoIterator<Item = &'a TestId>) -> Self {
        let unknown = recorded.into_iter().filter(|id| id.tells_a_position() && self.find(id).is_none());
        let functions: BTreeSet<String> = unknown.map(|id| id.function().to_owned()).collect();
        if functions.is_empty() { self.clone() } else { self.named_by_position(&functions) }
    }

    /// What a command line of pytest can name a test by: its node id, or its function if that is another in each
    /// process.
    pub fn argument(&self, index: TestIndex) -> &str {
        let id = &self.test(index).id;
        if self.positional.contains(id.function()) { id.function() } else { &id.node_id }
    }

    /// The ids of a function's parametrised tests, in suite order.
    fn ids_by_function(&self) -> BTreeMap<&str, Vec<&TestId>> {
        let mut ids: BTreeMap<&str, Vec<&TestId>> = BTreeMap::new();
        for id in self.collected.iter().map(|&index| &self.test(index).id).filter(|id| id.has_parameters()) {
            ids.entry(id.function()).or_default().push(id);
        }
        ids
    }

    /// The functions whose parametrised tests, or their order, differ in another collection of the suite. Those
    /// that are not collected at all there are left out.
    pub(crate) fn functions_that_differ(&self, other: &Self) -> BTreeSet<String> {
        let theirs = other.ids_by_function();
        let differs = |(function, ids): (&str, Vec<&TestId>)| {
            theirs.get(function).is_some_and(|theirs| *theirs != ids).then(|| function.to_owned())
        };
        self.ids_by_function().into_iter().filter_map(differs).collect()
    }

    /// Those of them whose tests have other ids there, in whatever order.
    pub(crate) fn functions_with_other_ids(&self, other: &Self) -> BTreeSet<String> {
        let sorted = |ids: &[&TestId]| ids.iter().map(|&id| id.clone()).collect::<BTreeSet<TestId>>();
        let (ours, theirs) = (self.ids_by_function(), other.ids_by_function());
        let mut functions = self.functions_that_differ(other);
        functions.retain(|function| sorted(&ours[&**function]) != sorted(&theirs[&**function]));
        functions
    }

    /// The test at an index of this suite.
    pub fn test(&self, index: TestIndex) -> &Test {
        &self.tests[index.get()]
    }

    /// Identity of what plans are made of: that of the list of tests, if no plugin sorts them; else the first 16
    /// hexadecimal digits of the SHA-256 over it and over what is imposed on orders.
    pub fn plan_fingerprint(&self) -> Fingerprint {
        if !self.is_sorted() {
            return self.fingerprint.clone();
        }
        let mut hash = Sha256::new();
        hash.update(&self.fingerprint.0);
        self.tests.iter().for_each(|test| hash.update(format!("{};", test.rank)));
        self.sorting.pairs().for_each(|(first, then)| hash.update(format!("{}<{};", first.0, then.0)));
        digits(hash)
    }

    /// The index of a test, if it was collected.
    pub fn find(&self, id: &TestId) -> Option<TestIndex> {
        self.tests.binary_search_by(|test| test.id.cmp(id)).ok().map(|i| TestIndex(i as u32))
    }
}

fn fingerprint(tests: &[Test]) -> Fingerprint {
    let mut hash = Sha256::new();
    for test in tests {
        hash.update(format!("{}:", test.id.node_id.len()));
        hash.update(&test.id.node_id);
        hash.update(format!("#{};", test.id.occurrence));
    }
    digits(hash)
}

fn digits(hash: Sha256) -> Fingerprint {
    Fingerprint(hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// A test without its parameters.
pub(crate) fn function(test: &TestId) -> &str {
    let id = &test.node_id;
    let name = id.find("::").unwrap_or(0);
    id[name..].find('[').map_or(id, |parameters| &id[..name + parameters])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> TestId {
        TestId { node_id: format!("test_a.py::{name}"), occurrence: 0 }
    }

    fn suite(names: &[&str]) -> Suite {
        let test =
            |name: &&str| Test { id: id(name), file: "test_a.py".into(), line: None, group: None, rank: 0 };
        Suite::new(names.iter().map(test).collect(), Vec::new(), 0)
    }

    fn names(suite: &Suite) -> Vec<&str> {
        let name = |&index: &TestIndex| &suite.test(index).id.node_id["test_a.py::".len()..];
        suite.collected.iter().map(name).collect()
    }

    #[test]
    fn tests_without_a_name_of_their_own_are_named_by_their_positions_in_suite_order() {
        let first = suite(&["t", "f[b7]", "g[x]", "f[a3]", "f"]);
        let other = suite(&["t", "f[c1]", "g[x]", "f[d2]", "f"]);
        let functions = first.functions_with_other_ids(&other);
        assert_eq!(functions, ["test_a.py::f".to_owned()].into());
        let named = first.named_by_position(&functions);
        assert_eq!(names(&named), ["t", "f[#1]", "g[x]", "f[#2]", "f"]);
        assert_eq!(named.fingerprint, other.named_by_position(&functions).fingerprint);
        let argument = |name| named.find(&id(name)).map(|index| named.argument(index));
        assert_eq!(argument("f[#2]"), Some("test_a.py::f"));
        assert_eq!(argument("g[x]"), Some("test_a.py::g[x]"));
        assert_eq!(names(&other.named_as([&id("f[#2]"), &id("g[x]")])), names(&named), "as it was recorded");
        assert_eq!(other.named_as([&id("f[9]"), &id("f[#0]"), &id("t")]), other);
    }

    #[test]
    fn another_order_of_the_same_ids_needs_no_other_names() {
        let (first, other) = (suite(&["f[a]", "f[b]"]), suite(&["f[b]", "f[a]"]));
        assert_eq!(first.functions_that_differ(&other).len(), 1);
        assert!(first.functions_with_other_ids(&other).is_empty());
        assert!(first.functions_that_differ(&suite(&["t"])).is_empty(), "it is not collected there");
    }
}
