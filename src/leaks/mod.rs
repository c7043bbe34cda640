//! What tests leave changed: from what was told of each to places, each with who leaves it, which tests have to do with it,
//! and whether it hurts.

mod allow;
pub(crate) mod after;
pub(crate) mod alike;
pub(crate) mod known;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub(crate) use allow::is_allowed;

use crate::explain::{Fix, NoFix};
use crate::state::{Left, Place, StateKind, Written};
use crate::suite::{Suite, TestIndex};

/// Who leaves a place changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A test.
    Test(TestIndex),
    /// A fixture that tests share, by its name, its scope, the file that defines it and the line where that begins.
    Fixture(String, String, String, Option<u32>),
    /// The import of a file.
    Import(String),
}

impl Owner {
    /// As reports and baselines name it.
    pub(crate) fn name(&self, suite: &Suite) -> String {
        match self {
            Self::Test(test) => suite.test(*test).id.to_string(),
            Self::Fixture(name, scope, file, _) => format!("fixture {name} (scope {scope}) of {file}"),
            Self::Import(file) => format!("import of {file}"),
        }
    }

    /// Whether both are one, wherever a fixture's definition begins.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fixture(name, scope, file, _), Self::Fixture(named, scoped, defined, _)) => {
                (name, scope, file) == (named, scoped, defined)
            }
            _ => self == other,
        }
    }

    /// The file where it is defined, and its line there.
    pub(crate) fn at<'a>(&'a self, suite: &'a Suite) -> (&'a str, Option<u32>) {
        match self {
            Self::Test(test) => (&suite.test(*test).file, suite.test(*test).line),
            Self::Fixture(_, _, file, line) => (file, *line),
            Self::Import(file) => (file, None),
        }
    }
}

/// Whether a place that is left changed hurts, as far as is known; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Harm {
    /// A test fails after one that leaves it, and passes alone and with the place put back.
    Victim,
    /// Another test runs a line that names it.
    Reader,
    /// No other test does.
    Unread,
}

/// A place that is left changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leak {
    /// Its name, the same in every run.
    pub(crate) place: String,
    /// The sort of state.
    pub(crate) kind: StateKind,
    /// As it was told first.
    pub(crate) found: Place,
    /// Its value before the first of those who leave it.
    pub(crate) old: String,
    /// Its value after.
    pub(crate) new: String,
    /// Who leaves it, each once.
    pub(crate) owners: Vec<Owner>,
    /// For which test each of those fixtures was set up that leave it.
    pub(crate) set_up_for: BTreeMap<Owner, TestIndex>,
    /// The line that changes it, in the first of those who leave it.
    pub(crate) written: Option<Written>,
    /// Whether that line was looked for.
    pub(crate) line_sought: bool,
    /// The other tests that run a line that names it.
    pub(crate) readers: Vec<TestIndex>,
    /// The tests that fail for it.
    pub(crate) victims: Vec<TestIndex>,
    /// Whether only the first use of a library changes it.
    pub(crate) settled: bool,
    /// Whether code may change it for itself as it is used for the first time, by its name and values. Once it is settled:
    /// that a second use did not change it.
    pub(crate) first_use: bool,
    /// A change of the project that was tried and keeps the place, or why there is none, if one was looked for.
    pub(crate) fix: Option<Result<Fix, NoFix>>,
}

impl Leak {
    /// Whether it hurts.
    pub(crate) fn harm(&self) -> Harm {
        match (self.victims.is_empty(), self.readers.is_empty()) {
            (false, _) => Harm::Victim,
            (true, false) => Harm::Reader,
            (true, true) => Harm::Unread,
        }
    }

    /// The first test that leaves it.
    pub(crate) fn test(&self) -> Option<TestIndex> {
        self.tests().next()
    }

    /// The tests that leave it.
    pub(crate) fn tests(&self) -> impl Iterator<Item = TestIndex> {
        self.owners.iter().filter_map(|owner| match owner {
            Owner::Test(test) => Some(*test),
            _ => None,
        })
    }
}

/// The places that were left, in the order in which they were told. `list` is what the worker ran.
pub(crate) fn grouped(told: &[Left], list: &[TestIndex]) -> Vec<Leak> {
    let mut leaks: Vec<Leak> = Vec::new();
    let mut known: BTreeMap<(String, bool), usize> = BTreeMap::new();
    for left in told {
        let Some(owner) = owner(left, list) else { continue };
        for (at, place) in left.places.iter().enumerate() {
            let settled = left.settled.contains(&(at as u32));
            let first_use = left.first_use.contains(&(at as u32));
            let at = *known.entry((place.name.clone(), settled)).or_insert_with(|| {
                leaks.push(Leak {
                    place: place.name.clone(),
                    kind: place.kind,
                    found: place.clone(),
                    old: place.old.clone(),
                    new: place.new.clone(),
                    owners: Vec::new(),
                    set_up_for: BTreeMap::new(),
                    written: None,
                    line_sought: false,
                    readers: Vec::new(),
                    victims: Vec::new(),
                    settled,
                    first_use: true,
                    fix: None,
                });
                leaks.len() - 1
            });
            leaks[at].first_use &= first_use;
            if !leaks[at].owners.contains(&owner) {
                leaks[at].owners.push(owner.clone());
                let test = left.position.and_then(|at| list.get(at as usize));
                leaks[at].set_up_for.extend(test.map(|&test| (owner.clone(), test)));
            }
        }
    }
    leaks
}

/// Who has left what was told. `list` is what the worker ran.
pub(crate) fn owner(left: &Left, list: &[TestIndex]) -> Option<Owner> {
    if let Some(fixture) = &left.fixture {
        let (name, scope, file) = (fixture.name.clone(), fixture.scope.clone(), fixture.file.clone());
        return Some(Owner::Fixture(name, scope, file, left.line));
    }
    if let Some(file) = &left.file {
        return Some(Owner::Import(file.clone()));
    }
    list.get(left.position? as usize).copied().map(Owner::Test)
}

/// Brings those first that hurt most, then those that more tests leave.
pub(crate) fn sort(leaks: &mut [Leak]) {
    leaks.sort_by(|one, other| {
        let rank = |leak: &Leak| (leak.settled, leak.harm(), std::cmp::Reverse(leak.owners.len()));
        rank(one).cmp(&rank(other)).then_with(|| one.place.cmp(&other.place))
    });
}

/// Who leaves what, as a baseline has it: names of places and of those who leave them.
pub(crate) type Pairs = BTreeSet<(String, String)>;

/// The pairs of leaks, but for what is settled.
pub(crate) fn pairs(leaks: &[Leak], suite: &Suite) -> Pairs {
    let unsettled = leaks.iter().filter(|leak| !leak.settled);
    unsettled.flat_map(|leak| leak.owners.iter().map(|owner| pair(leak, owner, suite))).collect()
}

/// Whether a baseline has that somebody leaves a place.
pub(crate) fn is_known(known: &Pairs, leak: &Leak, owner: &Owner, suite: &Suite) -> bool {
    known.contains(&pair(leak, owner, suite))
}

fn pair(leak: &Leak, owner: &Owner, suite: &Suite) -> (String, String) {
    (leak.place.clone(), owner.name(suite))
}

/// The pairs of a baseline that are gone, of tests, imports and fixtures that a run could have shown: nothing is known of tests
/// that were not collected.
pub(crate) fn gone(known: &Pairs, now: &Pairs, suite: &Suite) -> Pairs {
    let tests: BTreeSet<String> = suite.tests.iter().map(|test| test.id.to_string()).collect();
    let files: BTreeSet<&str> = suite.tests.iter().map(|test| test.file.as_str()).collect();
    let was_run = |owner: &str| {
        tests.contains(owner)
            || owner.strip_prefix("import of ").is_some_and(|file| files.contains(file))
            || owner
                .rsplit_once(" of ")
                .is_some_and(|(name, file)| name.starts_with("fixture ") && files.contains(file))
    };
    known.difference(now).filter(|(_, owner)| was_run(owner)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(position: u32, names: &[&str], settled: &[u32]) -> Left {
        Left {
            position: Some(position),
            fixture: None,
            file: None,
            line: None,
            places: names.iter().map(|name| Place::example(name)).collect(),
            settled: settled.to_vec(),
            first_use: Vec::new(),
            written: Vec::new(),
        }
    }

    #[test]
    fn a_place_is_told_once_with_all_who_leave_it() {
        let list = [TestIndex(4), TestIndex(2), TestIndex(7)];
        let told = [left(0, &["a", "b"], &[1]), left(1, &["a"], &[]), left(2, &["c", "a"], &[])];
        let mut leaks = grouped(&told, &list);
        leaks[2].readers = vec![TestIndex(1)];
        sort(&mut leaks);
        let shown: Vec<_> = leaks.iter().map(|leak| (leak.place.as_str(), leak.owners.len())).collect();
        assert_eq!(shown, [("c", 1), ("a", 3), ("b", 1)]);
        assert_eq!((leaks[0].harm(), leaks[1].harm(), leaks[2].settled), (Harm::Reader, Harm::Unread, true));
        assert_eq!(leaks[1].test(), Some(TestIndex(4)));
    }
}
