//! When a failure is one that is known: recorded earlier, in a folder under version control.
//!
//! Both mistakes are dear: a new failure taken for a known one is hidden, and a known one taken for new breaks
//! the build each night, until nobody looks. What counts is what a fix would have to change, so a failure is
//! known if the test and the kind are the recorded ones, and
//! - the recorded cause makes it fail: the same polluters, or, where it was not shrunk to the end, the same crash
//!   and the recorded polluters among those that are left. The crash is not compared else: one pair may show
//!   itself at several places, as a session too holds one test with one cause to be one failure; or
//! - both were traced to one place of shared state. Another polluter of that state is the same fault, and so is
//!   another of its victims, if the recorded one is among those that were seen to fail for it.
//!
//! Some kinds are told by other tests each night: a race by either of its sides; the failure of a fixture by
//! whichever test was charged with it; a test function that pollutes itself, or is collected in no fixed order,
//! by each of its parameters; a brittle test by any state-setter.

use crate::suite::{Phase, Suite, TestId, function};
use std::collections::BTreeSet;

use serde::Serialize;

use crate::finding::{Finding, Kind};
use crate::judge::signature::{FailureLocation, Signature};
use crate::plan::document::PlanDocument;
use crate::plan::{Imports, Plan};

/// What is to fail together with a test.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Culprit {
    /// A test.
    Test(TestId),
    /// The import of a file.
    Import(String),
}

/// What two failures are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What it is.
    pub kind: Kind,
    /// The test that fails.
    pub test: TestId,
    /// How it fails.
    pub crash: FailureLocation,
    /// What is run besides: polluters, state-setters, the other side of a race.
    pub culprits: BTreeSet<Culprit>,
    /// The places of shared state that were shown to be the cause, or the resource that is raced for.
    pub places: BTreeSet<String>,
    /// Other tests that were seen to fail for the same polluter and place. Which of them a session tells of is
    /// chance.
    pub also: BTreeSet<TestId>,
    /// Whether nothing can be left out of `culprits`.
    pub minimal: bool,
}

/// Why a failure is a known one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Same {
    /// The same cause.
    Failure,
    /// The same state, left by another test.
    State,
}

/// A failure that is recorded, by the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The file's name.
    pub file: String,
    /// What it is.
    pub identity: Identity,
    /// For its test, and for each other that is recorded with it, the plan that shows it again.
    pub plans: Vec<RecordedPlan>,
}

/// The plan of one test of a recorded failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPlan {
    /// The test.
    pub test: TestId,
    /// How it fails.
    pub crash: FailureLocation,
    /// The plan in which it fails so; of a brittle test, the one in which it passes.
    pub plan: PlanDocument,
}

/// What is known of a finding from earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The file that records it.
    pub file: String,
    /// Why it is the same.
    pub same: Same,
}

impl Identity {
    /// That of a written failure: a plan that shows it, and whether that is minimal.
    pub fn new(
        kind: Kind,
        test: TestId,
        crash: FailureLocation,
        plan: &PlanDocument,
        places: impl IntoIterator<Item = String>,
        minimal: bool,
    ) -> Self {
        let culprits = culprits(kind, &test, crash.phase, plan);
        let (places, also) = (places.into_iter().collect(), BTreeSet::new());
        Self { kind, test, crash, culprits, places, also, minimal }
    }

    /// That of a finding; none if it is of no test, or no plan is known for it.
    pub fn of(finding: &Finding, suite: &Suite) -> Option<Self> {
        let signature = finding.signature.as_ref()?;
        let written = |plan: &Plan| PlanDocument::new(plan, suite);
        let (plan, minimal) = match &finding.shrunk {
            Some(shrunk) => (written(&shrunk.plan), shrunk.one_minimal),
            None => (written(finding.plan.as_ref()?), false),
        };
        let id = |signature: &Signature| suite.test(signature.test).id.clone();
        let crash = signature.crash.clone();
        let identity = Self::new(finding.kind, id(signature), crash, &plan, places(finding), minimal);
        let related_tests =
            finding.explanation.iter().flat_map(|explanation| explanation.related_tests.all_victims());
        let others = related_tests.chain(&finding.same_polluter.victims);
        Some(Self { also: others.map(id).collect(), ..identity })
    }
}

/// The places that a finding was traced to.
pub(crate) fn places(finding: &Finding) -> Vec<String> {
    let confirmed = finding.explanation.iter().filter(|explanation| explanation.confirmed);
    let state = confirmed.flat_map(|explanation| &explanation.places).map(|place| place.name.clone());
    state.chain(finding.trace.iter().map(|trace| trace.resource.to_string())).collect()
}

/// The tests that a plan runs with the failing one, and the files it imports for no test.
fn culprits(kind: Kind, test: &TestId, phase: Phase, plan: &PlanDocument) -> BTreeSet<Culprit> {
    let runs = |list: &&Vec<TestId>| kind == Kind::Race || list.contains(test);
    // The teardown of a fixture may fail for tests after the one that it was set up for.
    let all = kind == Kind::Race || phase == Phase::Teardown;
    let beside: BTreeSet<&TestId> = plan
        .workers
        .iter()
        .filter(runs)
        .flat_map(|list| {
            let last = list.iter().rposition(|one| one == test).filter(|_| !all);
            &list[..last.unwrap_or(list.len())]
        })
        .filter(|one| *one != test)
        .collect();
    let file = |id: &TestId| id.node_id.split("::").next().unwrap_or_default().to_owned();
    let own: BTreeSet<String> = beside.iter().map(|id| file(id)).chain([file(test)]).collect();
    let imports = match &plan.imports {
        Imports::All => Vec::new(),
        Imports::Only(files) => files.iter().filter(|name| !own.contains(*name)).cloned().collect(),
    };
    let tests = beside.into_iter().cloned().map(Culprit::Test);
    tests.chain(imports.into_iter().map(Culprit::Import)).collect()
}

/// The first of the recorded failures that a finding is, one with the same cause before others.
pub fn find(recorded: &[Recorded], found: &Identity) -> Option<Known> {
    let same = |one: &Recorded| same(&one.identity, found).map(|same| (same, one.file.clone()));
    recorded.iter().filter_map(same).min_by_key(|(same, _)| *same).map(|(same, file)| Known { file, same })
}

/// Whether a failure that was found is a recorded one.
pub(crate) fn same(recorded: &Identity, found: &Identity) -> Option<Same> {
    if recorded.kind != found.kind || !found.kind.is_isolation_failure() {
        return None;
    }
    let crash = recorded.crash == found.crash;
    let of_fixture = crash && found.crash.is_of_a_fixture();
    let one_place = !recorded.places.is_disjoint(&found.places);
    let by_cause = match found.kind {
        Kind::Race if of_fixture => true,
        Kind::Race => explains(&sides(recorded), &sides(found), found.minimal || !crash),
        Kind::Nio => crash && function(&recorded.test) == function(&found.test),
        Kind::Brittle if crash => recorded.test == found.test,
        Kind::UnstableCollection => function(&recorded.test) == function(&found.test),
        _ => {
            (recorded.test == found.test || recorded.also.contains(&found.test))
                && explains(&recorded.culprits, &found.culprits, found.minimal || !crash)
        }
    };
    match by_cause {
        true => Some(Same::Failure),
        false => {
            let of_it = recorded.test == found.test
                || found.also.contains(&recorded.test)
                || recorded.also.contains(&found.test);
            (of_it && one_place).then_some(Same::State)
        }
    }
}

/// Whether the recorded culprits are enough for what was found: it needs no more than they are, and, where it
/// is `exact`, no fewer than those it has.
fn explains(recorded: &BTreeSet<Culprit>, found: &BTreeSet<Culprit>, exact: bool) -> bool {
    let fewer = found.is_subset(recorded) && !found.is_empty();
    recorded == found || fewer || !exact && !recorded.is_empty() && recorded.is_subset(found)
}

/// All tests of a race: either side may be the one that fails.
fn sides(race: &Identity) -> BTreeSet<Culprit> {
    race.culprits.iter().cloned().chain([Culprit::Test(race.test.clone())]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    fn id(name: &str) -> TestId {
        TestId { node_id: format!("test_a.py::{name}"), occurrence: 0 }
    }

    fn victim(culprits: &[&str], places: &[&str]) -> Identity {
        Identity {
            kind: Kind::Victim,
            test: id("victim"),
            crash: FailureLocation {
                phase: Phase::Call,
                exception: "AssertionError".into(),
                file: "test_a.py".into(),
                function: "victim".into(),
            },
            culprits: culprits.iter().map(|name| Culprit::Test(id(name))).collect(),
            places: places.iter().map(|&place| place.to_owned()).collect(),
            also: BTreeSet::new(),
            minimal: true,
        }
    }

    fn other_crash(of: Identity) -> Identity {
        Identity { crash: FailureLocation { exception: "KeyError".into(), ..of.crash.clone() }, ..of }
    }

    #[test]
    fn the_recorded_pair_is_known_however_it_crashes() {
        let recorded = victim(&["p"], &[]);
        assert_eq!(same(&recorded, &victim(&["p"], &["x"])), Some(Same::Failure));
        assert_eq!(same(&recorded, &other_crash(victim(&["p"], &[]))), Some(Same::Failure));
        assert_eq!(same(&recorded, &victim(&["q"], &[])), None);
        assert_eq!(same(&recorded, &victim(&["p", "q"], &[])), None, "p alone does not do it");
        assert_eq!(same(&recorded, &Identity { test: id("other"), ..victim(&["p"], &[]) }), None);
        assert_eq!(same(&recorded, &Identity { kind: Kind::Race, ..victim(&["q"], &[]) }), None);
    }

    #[test]
    fn another_polluter_of_the_recorded_state_is_known_as_such() {
        let recorded = victim(&["p"], &["os.environ[\"TZ\"]", "a"]);
        assert_eq!(same(&recorded, &victim(&["q"], &["a"])), Some(Same::State));
        assert_eq!(same(&recorded, &victim(&["q"], &["b"])), None);
        assert_eq!(same(&recorded, &victim(&["q"], &[])), None, "nothing was shown");
    }

    #[test]
    fn another_victim_of_the_recorded_state_is_known_if_the_recorded_one_fails_for_it_too() {
        let recorded = victim(&["p"], &["a"]);
        let other = |places| Identity { test: id("other"), ..victim(&["p"], places) };
        let told_by = |places| Identity { also: [id("victim")].into(), ..other(places) };
        assert_eq!(same(&recorded, &told_by(&["a"])), Some(Same::State));
        assert_eq!(same(&recorded, &told_by(&["b"])), None);
        assert_eq!(same(&recorded, &other(&["a"])), None);
        let both = Identity { also: [id("other")].into(), ..recorded };
        assert_eq!(same(&both, &other(&[])), Some(Same::Failure));
        let of_another = |places| Identity { test: id("other"), ..victim(&["q"], places) };
        assert_eq!(same(&both, &of_another(&["a"])), Some(Same::State));
        assert_eq!(same(&both, &of_another(&["b"])), None);
    }

    #[test]
    fn what_was_not_shrunk_to_the_end_is_known_by_its_crash_and_the_recorded_polluter_in_it() {
        let recorded = victim(&["p"], &[]);
        let cut_short = Identity { minimal: false, ..victim(&["p", "q", "r"], &[]) };
        assert_eq!(same(&recorded, &cut_short), Some(Same::Failure));
        assert_eq!(same(&recorded, &other_crash(cut_short.clone())), None);
        assert_eq!(same(&victim(&["s"], &[]), &cut_short), None);
        assert_eq!(same(&victim(&[], &[]), &cut_short), None, "nothing is recorded that would do it");
    }

    #[test]
    fn kinds_that_are_told_by_other_tests_are_known_by_what_stays() {
        let race = |test: &str, other: &str| Identity {
            kind: Kind::Race,
            test: id(test),
            ..victim(&[other], &["file x"])
        };
        assert_eq!(same(&race("a", "b"), &race("b", "a")), Some(Same::Failure));
        assert_eq!(same(&race("a", "b"), &race("a", "c")), Some(Same::State));
        assert_eq!(same(&race("a", "b"), &race("c", "d")), None);
        let fixture = |race: Identity| Identity {
            crash: FailureLocation { phase: Phase::Setup, ..race.crash.clone() },
            ..race
        };
        assert_eq!(same(&fixture(race("a", "b")), &fixture(race("c", "d"))), Some(Same::Failure));

        let nio = |test: &str| Identity { kind: Kind::Nio, test: id(test), ..victim(&[], &[]) };
        assert_eq!(same(&nio("f[1]"), &nio("f[2-a::b]")), Some(Same::Failure));
        assert_eq!(same(&nio("f[1]"), &nio("g[1]")), None);
        let brittle = |setter: &str| Identity { kind: Kind::Brittle, ..victim(&[setter], &[]) };
        assert_eq!(same(&brittle("a"), &brittle("b")), Some(Same::Failure));
        let unstable =
            |test: &str| Identity { kind: Kind::UnstableCollection, test: id(test), ..victim(&[], &[]) };
        assert_eq!(same(&unstable("f[1]"), &unstable("f[2]")), Some(Same::Failure));
        assert_eq!(same(&unstable("f[1]"), &unstable("g[1]")), None);
    }

    #[test]
    fn the_same_cause_goes_before_the_same_state() {
        let recorded = |file: &str, polluter| Recorded {
            file: file.into(),
            identity: victim(&[polluter], &["x"]),
            plans: Vec::new(),
        };
        let known = find(&[recorded("first", "q"), recorded("second", "p")], &victim(&["p"], &["x"]));
        assert_eq!(known, Some(Known { file: "second".into(), same: Same::Failure }));
        assert_eq!(find(&[], &victim(&["p"], &["x"])), None);
    }

    fn identities() -> impl Strategy<Value = Identity> {
        let names = || select(vec!["a", "b", "c", "d[1]"]);
        let kinds = vec![Kind::Victim, Kind::Brittle, Kind::Nio, Kind::Race, Kind::Nod, Kind::Broken];
        let phases = vec![Phase::Setup, Phase::Call];
        (
            select(kinds),
            names(),
            select(phases),
            btree_set(names(), 0..3),
            btree_set(names(), 0..2),
            any::<bool>(),
        )
            .prop_map(|(kind, test, phase, culprits, places, minimal)| {
                let of = victim(
                    &culprits.into_iter().collect::<Vec<_>>(),
                    &places.into_iter().collect::<Vec<_>>(),
                );
                Identity {
                    kind,
                    test: id(test),
                    crash: FailureLocation { phase, ..of.crash.clone() },
                    minimal,
                    ..of
                }
            })
    }

    proptest! {
        #[test]
        fn what_is_recorded_is_known(identity in identities()) {
            let known = same(&identity, &identity);
            prop_assert_eq!(known == Some(Same::Failure), identity.kind.is_isolation_failure());
        }

        #[test]
        fn no_failure_of_another_kind_is_known(recorded in identities(), found in identities()) {
            if same(&recorded, &found).is_some() {
                prop_assert_eq!(recorded.kind, found.kind);
            }
        }

        #[test]
        fn a_minimal_victim_of_other_tests_and_other_state_is_new(recorded in identities(), found in identities()) {
            let apart = recorded.culprits.is_disjoint(&found.culprits) && recorded.places.is_disjoint(&found.places);
            if found.kind == Kind::Victim && apart && !found.culprits.is_empty() {
                prop_assert_eq!(same(&recorded, &found), None);
            }
        }
    }
}
