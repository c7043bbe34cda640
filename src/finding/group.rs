//! Who has to do with one place of shared state, and findings with one cause, told as a group.

use std::collections::BTreeSet;

use crate::explain::Explanation;
use crate::finding::{Finding, Kind};
use crate::judge::observation::FailureMatcher;
use crate::state::Place;
use crate::suite::{Suite, TestIndex, function};

/// The findings of one place of shared state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The place's name.
    pub(crate) place: String,
    /// The tests that leave it changed, over all findings, so that others fail.
    pub(crate) polluters: BTreeSet<TestIndex>,
    /// The tests that fail for it.
    pub(crate) victims: BTreeSet<TestIndex>,
    /// The tests that leave it as brittle tests need it.
    pub(crate) state_setters: BTreeSet<TestIndex>,
    /// The tests that fail without it.
    pub(crate) brittle: BTreeSet<TestIndex>,
    /// The tests that reset it.
    pub(crate) cleaners: BTreeSet<TestIndex>,
    /// How many findings go back to it.
    pub(crate) findings: usize,
}

impl Group {
    fn of(place: &str) -> Self {
        let place = place.to_owned();
        let [polluters, victims, state_setters, brittle, cleaners] = Default::default();
        Self { place, polluters, victims, state_setters, brittle, cleaners, findings: 0 }
    }

    /// All tests that change it, and all whose outcome it changes.
    pub(crate) fn sides(&self) -> [BTreeSet<TestIndex>; 2] {
        [&self.polluters | &self.state_setters, &self.victims | &self.brittle]
    }
}

/// The tests of a finding that leave its place changed: a single one does; of several that it takes together, those in
/// which it was seen to be written.
fn setters<'a>(
    finding: &'a Finding,
    place: &'a Place,
    suite: &'a Suite,
) -> impl Iterator<Item = TestIndex> + 'a {
    let (tests, imports) = finding.causes();
    let single = tests.len() + imports.len() == 1;
    let written = move |&test: &TestIndex| {
        let test = suite.test(test);
        let name = function(&test.id).rsplit("::").next();
        let written = place.written.as_ref();
        written.is_some_and(|written| written.file == test.file && name == Some(&*written.function))
    };
    tests.iter().copied().filter(move |test| single || written(test))
}

fn confirmed(finding: &Finding) -> Option<&Explanation> {
    finding.explanation.as_ref().filter(|explanation| explanation.confirmed)
}

/// The confirmed causes, in the order of the findings.
pub(crate) fn groups(findings: &[Finding], suite: &Suite) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let alone = findings.iter().filter_map(confirmed).filter(|explanation| !explanation.jointly);
    let alone: BTreeSet<&str> =
        alone.flat_map(|explanation| &explanation.places).map(|place| &*place.name).collect();
    for finding in findings {
        let Some(explanation) = confirmed(finding) else {
            continue;
        };
        // What takes several places together has the cause of what one of them is enough for.
        let enough = explanation.related_tests.enough.values().filter(|names| names.len() == 1).flatten();
        let enough: BTreeSet<&str> = enough.map(String::as_str).chain(alone.iter().copied()).collect();
        let shared =
            explanation.places.iter().find(|place| explanation.jointly && enough.contains(&*place.name));
        let Some(place) = shared.or(explanation.places.first()) else {
            continue;
        };
        let at = groups.iter().position(|group| group.place == place.name).unwrap_or_else(|| {
            groups.push(Group::of(&place.name));
            groups.len() - 1
        });
        let (group, related_tests) = (&mut groups[at], &explanation.related_tests);
        group.findings += 1;
        let (leave, sufferers) = match finding.kind {
            Kind::Brittle => (&mut group.state_setters, &mut group.brittle),
            _ => (&mut group.polluters, &mut group.victims),
        };
        leave.extend(setters(finding, place, suite).chain(related_tests.all_polluters()));
        sufferers.extend(&finding.test);
        // That pytest charges a test with the teardown of a fixture makes it no victim.
        if !matches!(finding.wanted(), Some(FailureMatcher::Fixture(..))) {
            sufferers.extend(&finding.also);
        }
        if finding.kind == Kind::Nio {
            group.polluters.extend(&finding.also);
        }
        group.victims.extend(related_tests.all_victims().map(|signature| signature.test));
        group.cleaners.extend(&related_tests.cleaners);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::RelatedTests;
    use crate::finding::{Minimal, Origin};
    use crate::session::fake_engine::{plan, suite};
    use crate::state::Written;

    fn explained(kind: Kind, test: u32, place: &str, related_tests: RelatedTests) -> Finding {
        let place = Place::example(place);
        let explanation = Explanation {
            confirmed: true,
            places: vec![place],
            alone: true,
            others: 1,
            changed: 1,
            related_tests,
            experiments: 1,
            ..Explanation::default()
        };
        Finding {
            explanation: Some(explanation),
            ..Finding::new(kind, Some(TestIndex(test)), Origin::Baseline)
        }
    }

    fn tests(numbers: &[u32]) -> BTreeSet<TestIndex> {
        numbers.iter().map(|&number| TestIndex(number)).collect()
    }

    #[test]
    fn findings_of_one_place_are_one_group() {
        let related_tests =
            RelatedTests { polluters: tests(&[7]), cleaners: tests(&[8]), ..RelatedTests::default() };
        let findings = [
            explained(Kind::Victim, 1, "a", related_tests),
            explained(Kind::Victim, 2, "b", RelatedTests::default()),
            explained(Kind::Brittle, 3, "a", RelatedTests::default()),
        ];
        let found = groups(&findings, &suite(8));
        assert_eq!(found.len(), 2);
        assert_eq!((&found[0].victims, &found[0].brittle), (&tests(&[1]), &tests(&[3])));
        assert_eq!(found[0].polluters, tests(&[7]));
        assert_eq!(found[0].sides(), [tests(&[7]), tests(&[1, 3])]);
        assert_eq!(found[0].cleaners, tests(&[8]));
    }

    #[test]
    fn of_tests_that_it_takes_together_those_count_that_write_the_place() {
        // `b` and `c` each make half of what `d` fails by; `a` alone makes `e` fail.
        let caused = |finding: Finding, culprits: &[u32]| {
            let (culprits, imports) = (culprits.iter().map(|&test| TestIndex(test)).collect(), Vec::new());
            let shrunk = Minimal { plan: plan("abcde"), culprits, imports, one_minimal: true, calls: 1 };
            Finding { shrunk: Some(shrunk), ..finding }
        };
        let mut jointly = caused(explained(Kind::Victim, 3, "a", RelatedTests::default()), &[1, 2]);
        let alone = caused(explained(Kind::Victim, 4, "a", RelatedTests::default()), &[0]);
        let of =
            |jointly: &Finding| groups(&[jointly.clone(), alone.clone()], &suite(8))[0].polluters.clone();
        assert_eq!(of(&jointly), tests(&[0]), "nobody knows which of both writes it");
        let written = Written { file: "test_c.py".into(), line: 1, function: "c".into(), call: None };
        let place = &mut jointly.explanation.as_mut().expect("it is explained").places[0];
        place.written = Some(written);
        assert_eq!(of(&jointly), tests(&[0, 2]));
    }

    #[test]
    fn what_takes_several_places_is_of_the_group_of_one_that_is_enough_for_another() {
        let mut jointly = explained(Kind::Victim, 1, "a", RelatedTests::default());
        let explanation = jointly.explanation.as_mut().expect("it is explained");
        explanation.jointly = true;
        explanation.places.push(Place::example("b"));
        let of_b = explained(Kind::Victim, 2, "b", RelatedTests::default());
        let found = groups(&[jointly.clone(), of_b], &suite(8));
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].place, &found[0].victims), ("b", &tests(&[1, 2])));
        assert_eq!(groups(&[jointly], &suite(8))[0].place, "a");
    }

    #[test]
    fn who_pollutes_himself_is_polluter_and_victim() {
        let itself = explained(Kind::Nio, 1, "a", RelatedTests::default());
        let found = groups(&[Finding { also: vec![TestIndex(4)], ..itself }], &suite(8));
        assert_eq!(found[0].victims, tests(&[1, 4]));
        assert_eq!(found[0].polluters, tests(&[4]), "its own is told by its shrunk plan");
    }
}
