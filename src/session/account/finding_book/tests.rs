//! The account of failures, by tables.

#![cfg(test)]

use super::*;
use crate::explain::{Explanation, RelatedTests};
use crate::finding::known::{Known, RecordedPlan};
use crate::finding::{Minimal, Origin};
use crate::judge::Tally;
use crate::judge::site::{Lines, words};
use crate::plan::{Imports, Interleaving, Mode, OrderKind, Plan, Seed, TrialIndex, WorkerId};
use crate::suite::{Fixture, Phase};
use crate::trial::Failure;

fn plan(list: &[u32]) -> Plan {
    Plan {
        seed: Seed(1),
        index: TrialIndex(0),
        order: OrderKind::Explicit,
        mode: Mode::No,
        workers: vec![list.iter().map(|&test| TestIndex(test)).collect()],
        interleaving: Interleaving::Free,
        hash_seed: 1,
        random_seed: 1,
        imports: Imports::All,
    }
}

fn fixture(name: &str) -> Fixture {
    let (scope, file) = ("module".into(), "test_a.py".into());
    Fixture { name: name.into(), scope, file, phase: Phase::Teardown }
}

fn suspect(test: u32, phase: Phase, fixture: Option<Fixture>) -> Suspect {
    let crash = FailureLocation {
        phase,
        exception: "ValueError".into(),
        file: "capture.py".into(),
        function: "resume".into(),
    };
    let failure = Failure {
        phase,
        exception: crash.exception.clone(),
        file: crash.file.clone(),
        function: crash.function.clone(),
        line: 1,
        test_line: 0,
        message: String::new(),
        trace: String::new(),
        fixture,
        user: None,
    };
    Suspect {
        signature: Signature { test: TestIndex(test), crash },
        site: Some(Site::default()),
        again: false,
        charged: TestIndex(test),
        failure: Some(failure),
        origin: Origin::Baseline,
        plan: plan(&[0, test]),
        worker: WorkerId(0),
    }
}

fn finding(kind: Kind, of: &Suspect) -> Finding {
    Finding {
        signature: Some(of.signature.clone()),
        failure: of.failure.clone(),
        ..Finding::new(kind, Some(of.signature.test), of.origin)
    }
}

#[test]
fn nothing_is_told_with_another_for_its_looks_alone() {
    let (setup, call) = (Phase::Setup, Phase::Call);
    let like = |kind, one: Suspect, other: Suspect| is_alike(&finding(kind, &one), &other);
    assert!(like(Kind::Broken, suspect(1, setup, None), suspect(2, setup, None)));
    assert!(like(Kind::Victim, suspect(1, setup, None), suspect(2, setup, None)));
    assert!(!like(Kind::Victim, suspect(1, call, None), suspect(2, call, None)));
    assert!(!like(Kind::Broken, suspect(1, setup, None), suspect(2, call, None)));
    assert!(!like(Kind::Nod, suspect(1, setup, None), suspect(2, setup, None)));
    let mut elsewhere = suspect(2, setup, None);
    elsewhere.signature.crash.function = "start".into();
    assert!(!like(Kind::Victim, suspect(1, setup, None), elsewhere));
    assert!(!like(Kind::Victim, suspect(1, setup, None), suspect(1, setup, None)));
    let of = |name| suspect(2, setup, Some(fixture(name)));
    assert!(like(Kind::Victim, suspect(1, setup, Some(fixture("a"))), of("a")));
    assert!(!like(Kind::Victim, suspect(1, setup, Some(fixture("a"))), of("b")));
    assert!(!like(Kind::Victim, suspect(1, setup, None), of("a")));
    assert!(!like(Kind::Race, suspect(1, setup, None), suspect(2, setup, None)));
    // What is alike waits until it is shown to be the same.
    let mut book = FindingBook::default();
    book.take_in([suspect(1, setup, None), suspect(2, setup, None)]);
    let first = book.first().unwrap();
    book.findings.push(finding(Kind::Broken, &first));
    book.waiting.remove(0);
    assert_eq!(book.alike(&suspect(2, setup, None)), [0]);
    assert_eq!(book.first().unwrap().signature.test, TestIndex(2));
    assert_eq!(book.findings[0].also, []);
}

#[test]
fn what_is_shown_to_be_of_a_finding_is_told_with_it_once() {
    let mut book = FindingBook::default();
    let users = [1, 2]
        .map(|test| Suspect { charged: TestIndex(7), ..suspect(test, Phase::Teardown, Some(fixture("a"))) });
    book.take_in(users.clone());
    book.take_in(users.clone());
    assert_eq!(book.waiting.len(), 2);
    book.waiting.remove(0);
    book.findings.push(finding(Kind::Victim, &users[0]));
    book.join(0, &users[1]);
    assert_eq!(book.findings[0].also, [TestIndex(2), TestIndex(7)]);
    assert_eq!(book.first().map(|suspect| suspect.signature.test), None);
    book.join(0, &users[1]);
    assert_eq!(book.findings[0].also.len(), 2);
}

#[test]
fn of_a_named_victim_alone_failures_are_taken_in() {
    let mut book = FindingBook::new(Some(TestIndex(2)), &[]);
    let charged = Suspect { charged: TestIndex(2), ..suspect(3, Phase::Teardown, Some(fixture("a"))) };
    book.take_in([suspect(1, Phase::Call, None), suspect(2, Phase::Call, None), charged]);
    let tests: Vec<u32> = book.waiting.iter().map(|suspect| suspect.signature.test.0).collect();
    assert_eq!(tests, [2, 3]);
}

#[test]
fn an_ordinary_bug_hides_no_other_failure_of_its_test() {
    let mut book = FindingBook::default();
    let (broken, other) = (suspect(1, Phase::Call, None), suspect(1, Phase::Setup, None));
    book.findings.push(finding(Kind::Broken, &broken));
    let elsewhere = Suspect { site: None, ..broken.clone() };
    book.take_in([broken.clone(), elsewhere, other.clone()]);
    assert_eq!(book.first().map(|suspect| suspect.signature), Some(other.signature));
    assert_eq!(book.waiting.len(), 1);
}

/// A test failing last of a plan at a line, with a message.
fn at(list: &[u32], line: u32, message: &str) -> Suspect {
    let (&test, before) = list.split_last().unwrap();
    Suspect {
        site: Some(Site { lines: Lines { test: line, crash: line }, words: words(message) }),
        again: before.contains(&test),
        plan: plan(list),
        ..suspect(test, Phase::Call, None)
    }
}

#[test]
fn failures_of_one_test_are_told_apart_by_line_words_and_whether_it_ran_before() {
    let waiting = |suspects: Vec<Suspect>| {
        let mut book = FindingBook::default();
        book.take_in(suspects);
        book.waiting.len()
    };
    let first = || at(&[2, 1], 6, "assert 2 == 1");
    assert_eq!(waiting(vec![first(), at(&[3, 1], 6, "assert 3 == 1")]), 1, "another value");
    assert_eq!(waiting(vec![first(), at(&[3, 1], 7, "assert 2 == 1")]), 2, "another line");
    assert_eq!(waiting(vec![first(), at(&[3, 1], 6, "no books")]), 2, "other words");
    assert_eq!(waiting(vec![first(), at(&[1, 1], 6, "assert 2 == 1")]), 2, "run twice");
    assert_eq!(waiting((1..50).map(|line| at(&[2, 1], line, "")).collect()), SITES, "always another");
}

/// A suite of ten tests, whose indices are their numbers.
fn suite() -> Suite {
    crate::session::fake_engine::suite(10)
}

/// A victim of some tests, recorded in a file or found.
fn victim(of: u32, culprits: &[u32]) -> Finding {
    let list: Vec<u32> = culprits.iter().copied().chain([of]).collect();
    let culprits = culprits.iter().map(|&test| TestIndex(test)).collect();
    let minimal = Minimal { plan: plan(&list), culprits, imports: Vec::new(), one_minimal: true, calls: 1 };
    Finding { shrunk: Some(minimal), ..finding(Kind::Victim, &suspect(of, Phase::Call, None)) }
}

#[test]
fn a_finding_is_told_twice_only_of_another_test_kind_or_cause() {
    let mut book = FindingBook::default();
    book.keep(victim(5, &[1, 2]), &suite());
    assert_eq!(book.same_as(&victim(5, &[1, 2])), Some(0));
    assert_eq!(book.same_as(&victim(5, &[1])), None);
    assert_eq!(book.same_as(&victim(6, &[1, 2])), None);
    assert_eq!(book.same_as(&Finding { kind: Kind::Brittle, ..victim(5, &[1, 2]) }), None);
    let import = |file: &str| {
        let mut finding = victim(5, &[]);
        finding.shrunk.iter_mut().for_each(|minimal| minimal.imports = vec![file.into()]);
        finding
    };
    book.keep(import("test_a.py"), &suite());
    assert_eq!(book.same_as(&import("test_a.py")), Some(1));
    assert_eq!(book.same_as(&import("test_b.py")), None);
}

#[test]
fn what_is_recorded_is_known_and_what_did_not_show_is_said() {
    let recorded = |file: &str, of: &Finding| Recorded {
        file: file.into(),
        identity: Identity::of(of, &suite()).unwrap(),
        plans: Vec::new(),
    };
    let known = [recorded("a.json", &victim(5, &[1])), recorded("b.json", &victim(6, &[1]))];
    let mut book = FindingBook::new(None, &known);
    book.keep(victim(5, &[1]), &suite());
    assert_eq!(book.findings[0].known.as_ref().map(|known| known.file.as_str()), Some("a.json"));
    assert!(!book.has_new(), "it is known");
    assert_eq!(book.unseen(&suite()), ["b.json"]);
    let broken = finding(Kind::Broken, &suspect(7, Phase::Call, None));
    book.keep(Finding { plan: Some(plan(&[7])), ..broken }, &suite());
    assert!(!book.has_new(), "it is no isolation failure");
    book.keep(victim(5, &[2]), &suite());
    assert!(book.has_new());
    let unknown = FindingBook::default();
    assert!(unknown.is_empty() && !unknown.has_new());
}

#[test]
fn what_is_told_elsewhere_is_not_taken_in_and_what_is_forgotten_is() {
    let failure = || suspect(1, Phase::Call, None);
    let mut book = FindingBook::default();
    book.take_in([failure()]);
    assert_eq!(book.waiting.len(), 1);
    book.forget_seen();
    assert!(book.is_empty());
    book.take_in([failure()]);
    assert_eq!(book.waiting.len(), 1, "it is seen anew");
    for test in [Some(TestIndex(1)), None] {
        let mut book = FindingBook::default();
        book.are_seen([(test, failure().signature.crash)]);
        book.take_in([failure(), suspect(2, Phase::Setup, None)]);
        let tests: Vec<u32> = book.waiting.iter().map(|suspect| suspect.signature.test.0).collect();
        assert_eq!(tests, [2], "seen of {test:?}");
    }
}

#[test]
fn what_is_cheaper_to_shrink_is_looked_into_first() {
    let seen = |workers: usize, origin| Suspect {
        plan: Plan { workers: vec![Vec::new(); workers], ..plan(&[]) },
        origin,
        ..suspect(1, Phase::Call, None)
    };
    let waiting = vec![seen(2, Origin::Baseline), seen(1, Origin::Trial(4)), seen(1, Origin::Trial(2))];
    let mut book = FindingBook { waiting, ..FindingBook::default() };
    let order = |book: &mut FindingBook| -> Vec<(usize, Origin)> {
        book.sort(&suite());
        book.waiting.iter().map(|suspect| (suspect.plan.workers.len(), suspect.origin)).collect()
    };
    let (early, late, parallel) = ((1, Origin::Trial(2)), (1, Origin::Trial(4)), (2, Origin::Baseline));
    assert_eq!(order(&mut book), [early, late, parallel]);
    let of = |test: TestIndex, crash: FailureLocation| RecordedPlan {
        test: suite().test(test).id.clone(),
        crash,
        plan: PlanDocument::new(&plan(&[1]), &suite()),
    };
    let crash = book.waiting[2].signature.crash.clone();
    let other = Suspect { origin: Origin::Trial(9), ..suspect(2, Phase::Call, None) };
    book.waiting.push(other);
    let identity = Identity::of(&victim(2, &[1]), &suite()).unwrap();
    let elsewhere = FailureLocation { function: "elsewhere".into(), ..crash.clone() };
    let plans = vec![of(TestIndex(1), elsewhere), of(TestIndex(2), crash)];
    book.known = vec![Recorded { file: "a.json".into(), identity, plans }];
    assert_eq!(
        order(&mut book),
        [(1, Origin::Trial(9)), early, late, parallel],
        "what may be known is first"
    );
}

#[test]
fn what_a_cause_explains_fails_after_its_polluters_only() {
    let mut book = FindingBook::default();
    let waits = at(&[5, 1], 6, "");
    book.take_in([waits.clone()]);
    let related_tests = RelatedTests {
        victims: [waits.signature.clone()].into(),
        polluters: [TestIndex(7)].into(),
        ..RelatedTests::default()
    };
    let explanation =
        Explanation { confirmed: true, alone: true, others: 1, related_tests, ..Explanation::default() };
    let (culprits, imports) = (vec![TestIndex(5)], Vec::new());
    let minimal = Minimal { plan: plan(&[5, 0]), culprits, imports, one_minimal: true, calls: 1 };
    let of = finding(Kind::Victim, &suspect(0, Phase::Call, None));
    book.findings.push(Finding { shrunk: Some(minimal), explanation: Some(explanation), ..of });
    book.fold_related(0);
    assert_eq!(book.waiting.len(), 0);
    for (list, waiting) in [(&[7, 2, 1][..], 0), (&[2, 5, 1], 0), (&[7, 1, 1], 1), (&[2, 1], 2)] {
        book.take_in([at(list, 6, "")]);
        assert_eq!(book.waiting.len(), waiting, "{list:?}");
    }
}

#[test]
fn what_was_found_does_not_wait_as_well() {
    let suite = crate::session::fake_engine::suite(5);
    let mut book = FindingBook::new(None, &[]);
    let (found, elsewhere) = (suspect(1, Phase::Call, None), suspect(1, Phase::Call, None));
    let elsewhere = Suspect { origin: Origin::Trial(3), ..elsewhere };
    book.keep(finding(Kind::Race, &found), &suite);
    book.waiting.extend([found, elsewhere, suspect(2, Phase::Call, None)]);
    let unjudged = book.unjudged();
    let left: Vec<_> = unjudged.iter().map(|suspect| (suspect.signature.test.0, suspect.origin)).collect();
    assert_eq!(book.findings().len(), 1);
    assert_eq!(left, [(1, Origin::Trial(3)), (2, Origin::Baseline)]);
}

#[test]
fn what_is_told_by_its_polluter_waits_again_once_it_is_not() {
    let suite = suite();
    let told = |tests: &[u32]| SamePolluter {
        victims: tests.iter().map(|&test| suspect(test, Phase::Call, None).signature).collect(),
        ..SamePolluter::default()
    };
    let waiting = |book: &FindingBook| book.waiting.iter().map(|it| it.signature.test.0).collect::<Vec<_>>();
    let mut book = FindingBook::default();
    let found = Finding { with: Tally { runs: 8, failed: 8 }, ..victim(4, &[5]) };
    book.take_in([at(&[5, 1], 6, ""), at(&[5, 2], 6, ""), at(&[7, 2], 6, ""), at(&[5, 3], 6, "")]);
    assert_eq!(waiting(&book), [1, 2, 3], "a second sight of one is no other failure");
    book.keep(found, &suite);
    book.add(&suite, &Event::SamePolluter(0, &told(&[1, 2])));
    assert_eq!(waiting(&book), [3]);
    assert_eq!(Identity::of(&book.findings[0], &suite).unwrap().also.len(), 2, "a file of it is one of all");
    for (list, waits) in [(&[5, 8, 1][..], &[3][..]), (&[5, 1, 1], &[3, 1]), (&[7, 2], &[3, 1, 2])] {
        book.take_in([at(list, 6, "")]);
        assert_eq!(waiting(&book), waits, "{list:?}");
    }
    book.add(&suite, &Event::SamePolluter(0, &told(&[2])));
    assert_eq!(waiting(&book), [3, 1, 2, 1], "after the polluter it fails for something else");
    assert_eq!(book.findings[0].same_polluter, told(&[2]));
}

#[test]
fn only_a_victim_of_one_thing_that_fails_each_time_has_others_of_its_polluter() {
    let always = Tally { runs: 8, failed: 8 };
    let of = |finding: Finding| Finding { with: always, ..finding }.only_polluter();
    assert_eq!(of(victim(4, &[5])), Some(Polluter::Test(TestIndex(5))));
    assert_eq!(of(victim(4, &[5, 6])), None);
    assert_eq!(of(Finding { kind: Kind::Nio, ..victim(4, &[5]) }), None);
    assert_eq!(of(Finding { without: Tally { runs: 8, failed: 1 }, ..victim(4, &[5]) }), None);
    let at_times = Finding { with: Tally { runs: 8, failed: 7 }, ..victim(4, &[5]) };
    assert_eq!(at_times.only_polluter(), None);
    let teardown = suspect(4, Phase::Teardown, Some(fixture("a")));
    let told = finding(Kind::Victim, &teardown);
    assert_eq!(of(Finding { failure: told.failure, signature: told.signature, ..victim(4, &[5]) }), None);
    let with_import = |finding: &mut Finding| {
        finding.shrunk.iter_mut().for_each(|minimal| minimal.imports.push("test_a.py".into()));
    };
    for (culprits, polluter) in [(&[5][..], None), (&[], Some(Polluter::Import("test_a.py".into())))] {
        let mut import = victim(4, culprits);
        with_import(&mut import);
        assert_eq!(of(import), polluter, "{culprits:?}");
    }
}

#[test]
fn what_another_failure_may_still_add_to_is_known_beforehand() {
    let (setup, call) = (Phase::Setup, Phase::Call);
    let of_fixture = || Some(fixture("a"));
    let known = || Known { file: "failures/a.json".into(), same: known::Same::Failure };
    // Kind, phase, whether in a fixture, whether known, and whether it may change.
    let rows = [
        (Kind::Victim, call, false, false, false),
        (Kind::Victim, call, false, true, true),
        (Kind::Victim, setup, false, false, true),
        (Kind::Victim, call, true, false, true),
        (Kind::Broken, call, false, false, false),
        (Kind::Broken, setup, false, false, true),
        (Kind::Brittle, setup, true, false, false),
        (Kind::Nio, call, false, false, true),
        (Kind::Race, call, false, false, true),
        (Kind::Nod, setup, true, false, false),
        (Kind::Unreproduced, setup, false, false, false),
    ];
    for (kind, phase, in_fixture, is_known, may_change) in rows {
        let of = |test| suspect(test, phase, in_fixture.then(of_fixture).flatten());
        let found = Finding { known: is_known.then(known), ..finding(kind, &of(1)) };
        let mut book = FindingBook { findings: vec![found], ..FindingBook::default() };
        assert_eq!(book.may_change(0), may_change, "{kind:?} {phase:?} {in_fixture} {is_known}");
        let alike = is_alike(&book.findings[0], &Suspect { again: true, ..of(2) });
        assert!(may_change || !alike, "{kind:?} {phase:?} {in_fixture}: another sight is told with it");
        book.close();
        assert!(!book.may_change(0), "nothing comes any more");
    }
}
