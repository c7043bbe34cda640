//! Whatever the events are, and after each of them: what was told is in the result.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::explain::{Explanation, NoFix, NoFixReason, RelatedTests};
use crate::finding::same_polluter::SamePolluter;
use crate::finding::{Kind, Minimal, NoCommand};
use crate::judge::{Signature, Tally};
use crate::plan::WorkerId;
use crate::session::fake_engine::{failed, fails_if, plan, suite};
use crate::session::suspect::Suspect;
use crate::suite::TestIndex;
use crate::trial::{Execution, Interpreter};

const TESTS: u32 = 6;

/// An event that owns what it tells of. Which finding it is about is taken modulo how many there are.
#[derive(Clone, Debug)]
enum Step {
    Finished(Origin, BTreeSet<u32>),
    Probed,
    Forgotten,
    Raced(u64),
    Found(Kind, u32),
    Joined(usize, u32),
    SamePolluter(usize, BTreeSet<u32>),
    Command(usize, Result<String, NoCommand>),
    Explained(usize, u32),
    Related(usize, u32),
    Fixed(usize),
    Noted(usize, u8),
    Remark(About, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let origin = prop_oneof![
        Just(Origin::Baseline),
        Just(Origin::Alone),
        Just(Origin::Recording),
        Just(Origin::Race(3)),
        (0_u64..9).prop_map(Origin::Trial),
        (0_u64..9).prop_map(Origin::Adjacent),
    ];
    let fails = prop::collection::btree_set(0..TESTS, 0..3);
    let kind = prop_oneof![Just(Kind::Victim), Just(Kind::Broken), Just(Kind::Race), Just(Kind::Nod)];
    let command =
        prop_oneof!["pytest [a-c]".prop_map(Ok), (1_u32..9).prop_map(|runs| Err(NoCommand::Passed(runs))),];
    let about = prop_oneof![Just(About::Runs), Just(About::Session)];
    let which = 0_usize..8;
    let step = prop_oneof![
        3 => (origin, fails).prop_map(|(origin, fails)| Step::Finished(origin, fails)),
        1 => Just(Step::Probed),
        1 => (0_u64..9).prop_map(Step::Raced),
        1 => Just(Step::Forgotten),
        3 => (kind, 0..TESTS).prop_map(|(kind, test)| Step::Found(kind, test)),
        1 => (which.clone(), 0..TESTS).prop_map(|(of, test)| Step::Joined(of, test)),
        2 => (which.clone(), prop::collection::btree_set(0..TESTS, 0..3))
            .prop_map(|(of, tests)| Step::SamePolluter(of, tests)),
        1 => (which.clone(), command).prop_map(|(of, command)| Step::Command(of, command)),
        2 => (which.clone(), 0_u32..99).prop_map(|(of, experiments)| Step::Explained(of, experiments)),
        1 => (which.clone(), 0..TESTS).prop_map(|(of, cleaner)| Step::Related(of, cleaner)),
        1 => which.clone().prop_map(Step::Fixed),
        1 => (which, any::<u8>()).prop_map(|(of, note)| Step::Noted(of, note)),
        2 => (about, any::<u8>()).prop_map(|(about, text)| Step::Remark(about, text)),
    ];
    prop::collection::vec(step, 0..40)
}

/// What was announced, kept in the plainest way.
#[derive(Default)]
struct Announced {
    found: Vec<(Kind, u32)>,
    joined: BTreeSet<(usize, u32)>,
    same_polluter: BTreeMap<usize, BTreeSet<u32>>,
    commands: BTreeMap<usize, Result<String, NoCommand>>,
    explained: BTreeMap<usize, u32>,
    related: BTreeMap<usize, u32>,
    fixed: BTreeSet<usize>,
    noted: BTreeSet<(usize, String)>,
    remarks: [Vec<String>; 2],
    failed: BTreeSet<u32>,
    trials: u64,
    alone: usize,
    probes: u32,
    schedules: u64,
}

fn signature(test: u32) -> Signature {
    Signature::of(TestIndex(test), &failed("AssertionError")).unwrap()
}

/// A finding that is known again by its number.
fn finding(number: usize, kind: Kind, test: u32) -> Finding {
    let runs = number as u32;
    let culprits = vec![TestIndex(0)];
    let minimal = Minimal { plan: plan("af"), culprits, imports: Vec::new(), one_minimal: true, calls: 1 };
    Finding {
        shrunk: (kind == Kind::Victim).then_some(minimal),
        signature: Some(signature(test)),
        with: Tally { runs, failed: runs },
        ..Finding::new(kind, Some(TestIndex(test)), Origin::Recording)
    }
}

fn suspect(test: u32) -> Suspect {
    Suspect {
        signature: signature(test),
        charged: TestIndex(test),
        site: None,
        again: false,
        failure: None,
        origin: Origin::Baseline,
        plan: plan("abcdef"),
        worker: WorkerId(0),
    }
}

fn explanation(experiments: u32) -> Explanation {
    Explanation { experiments, ..Explanation::default() }
}

fn related(cleaner: u32) -> RelatedTests {
    RelatedTests { cleaners: [TestIndex(cleaner)].into(), ..RelatedTests::default() }
}

fn trial(fails: &BTreeSet<u32>) -> Trial {
    let execution = |number| Execution {
        worker: WorkerId(0),
        process: 0,
        test: TestIndex(number),
        outcome: fails_if(fails.contains(&number)),
        duration: Duration::ZERO,
    };
    Trial::of((0..TESTS).map(execution))
}

/// Tells the account of a step, and keeps what was announced; no step is about a finding where there is none.
fn tell(account: &mut Account, announced: &mut Announced, step: &Step) {
    let suite = suite(TESTS);
    let findings = announced.found.len();
    let at = |of: &usize| (findings > 0).then(|| of % findings);
    let mut add = |event: Event<'_>| account.add(&suite, &event);
    match step {
        Step::Finished(origin, fails) => {
            add(Event::Finished { origin: *origin, plan: &plan("abcdef"), trial: &trial(fails) });
            announced.trials += u64::from(matches!(origin, Origin::Trial(_)));
            announced.alone += usize::from(*origin == Origin::Alone);
            if !matches!(origin, Origin::Recording | Origin::Race(_)) {
                announced.failed.extend(fails);
            }
        }
        Step::Probed => {
            add(Event::Probed);
            announced.probes += 1;
        }
        Step::Forgotten => {
            add(Event::Forgotten);
            (announced.failed, announced.alone) = Default::default();
        }
        Step::Raced(schedules) => {
            add(Event::Raced(*schedules));
            announced.schedules += schedules;
        }
        Step::Found(kind, test) => {
            add(Event::Found(&finding(findings, *kind, *test)));
            announced.found.push((*kind, *test));
        }
        Step::Remark(about, text) => {
            add(Event::Remark(*about, &format!("remark {text}")));
            announced.remarks[usize::from(*about == About::Session)].push(format!("remark {text}"));
        }
        Step::Joined(of, test) => {
            if let Some(of) = at(of) {
                add(Event::Joined(of, &suspect(*test)));
                announced.joined.insert((of, *test));
            }
        }
        Step::SamePolluter(of, tests) => {
            if let Some(of) = at(of) {
                let victims = tests.iter().map(|&test| signature(test)).collect();
                add(Event::SamePolluter(of, &SamePolluter { victims, fresh: BTreeSet::new() }));
                announced.same_polluter.insert(of, tests.clone());
            }
        }
        Step::Command(of, command) => {
            if let Some(of) = at(of) {
                add(Event::Command(of, command));
                announced.commands.insert(of, command.clone());
            }
        }
        Step::Explained(of, experiments) => {
            if let Some(of) = at(of) {
                add(Event::Explained(of, &explanation(*experiments)));
                announced.explained.insert(of, *experiments);
                announced.related.remove(&of);
                announced.fixed.remove(&of);
            }
        }
        Step::Related(of, cleaner) => {
            if let Some(of) = at(of).filter(|of| announced.explained.contains_key(of)) {
                add(Event::Related(of, &related(*cleaner)));
                announced.related.insert(of, *cleaner);
            }
        }
        Step::Fixed(of) => {
            if let Some(of) = at(of).filter(|of| announced.explained.contains_key(of)) {
                add(Event::Fixed(of, &Err(NoFix { why: NoFixReason::Unknown, says: "none".into() })));
                announced.fixed.insert(of);
            }
        }
        Step::Noted(of, note) => {
            if let Some(of) = at(of) {
                add(Event::Noted(of, &format!("note {note}.")));
                announced.noted.insert((of, format!("note {note}.")));
            }
        }
    }
}

fn result(account: &Account) -> SessionResult {
    let interpreter = Interpreter {
        python: "3.12.1".into(),
        pytest: "8.4.2".into(),
        rootdir: "/nowhere".into(),
        plugins: Vec::new(),
    };
    let collected = Collected { suite: suite(TESTS), interpreter, neutralised: Vec::new() };
    account.result(collected, Seed(1), Axes::default())
}

/// Whether the result holds what was announced.
fn holds(result: &SessionResult, announced: &Announced) -> Result<(), TestCaseError> {
    prop_assert_eq!(result.findings.len(), announced.found.len());
    let numbered = |number: usize| {
        let found = result.findings.iter().find(|finding| finding.with.runs as usize == number);
        found.ok_or_else(|| TestCaseError::fail(format!("finding {number} is lost")))
    };
    for (number, (kind, test)) in announced.found.iter().enumerate() {
        let found = numbered(number)?;
        prop_assert_eq!((found.kind, found.test), (*kind, Some(TestIndex(*test))));
        match announced.commands.get(&number) {
            Some(Ok(command)) => prop_assert_eq!(found.command.as_ref(), Some(command)),
            Some(Err(why)) => prop_assert_eq!(found.no_command, Some(*why)),
            None => {
                let of_its_kind = (found.kind == Kind::Race).then_some(NoCommand::Workers);
                prop_assert_eq!((&found.command, found.no_command), (&None, of_its_kind));
            }
        }
        let explained = found.explanation.as_ref();
        let experiments = explained.map(|explanation| explanation.experiments);
        prop_assert_eq!(experiments, announced.explained.get(&number).copied());
        let cleaners = explained.map(|explanation| explanation.related_tests.cleaners.clone());
        let cleaner = announced.related.get(&number).map(|&test| TestIndex(test));
        prop_assert_eq!(cleaners.unwrap_or_default(), cleaner.into_iter().collect());
        let no_fix = explained.is_some_and(|explanation| explanation.no_fix.is_some());
        prop_assert_eq!(no_fix, announced.fixed.contains(&number));
    }
    for (number, test) in &announced.joined {
        let found = numbered(*number)?;
        let named = found.test.iter().chain(&found.also).chain(found.causes().0);
        prop_assert!(named.copied().collect::<BTreeSet<_>>().contains(&TestIndex(*test)));
    }
    for (number, tests) in &announced.same_polluter {
        let victims = numbered(*number)?.same_polluter.victims.iter().map(|victim| victim.test.0);
        prop_assert_eq!(&victims.collect::<BTreeSet<_>>(), tests);
    }
    for (number, note) in &announced.noted {
        prop_assert!(numbered(*number)?.note.as_ref().is_some_and(|noted| noted.contains(note)));
    }
    prop_assert_eq!(&result.remarks, &announced.remarks.concat());
    let figures = (result.trials, result.alone, result.probes, result.schedules);
    prop_assert_eq!(figures, (announced.trials, announced.alone, announced.probes, announced.schedules));
    let unjudged = result.unjudged.iter().map(|suspect| suspect.signature.test.0);
    let joined = announced.joined.iter().map(|&(_, test)| test);
    let same_polluter = announced.same_polluter.values().flatten().copied();
    let told: BTreeSet<u32> = unjudged.chain(joined).chain(same_polluter).collect();
    let lost: Vec<&u32> = announced.failed.difference(&told).collect();
    prop_assert!(lost.is_empty(), "{lost:?} failed, and nothing tells of them");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_that_is_cut_after_any_event_has_all_that_was_announced(steps in steps()) {
        let mut account = Account::of_search(&suite(TESTS), FindingBook::default());
        let mut announced = Announced::default();
        holds(&result(&account), &announced)?;
        for step in &steps {
            tell(&mut account, &mut announced, step);
            holds(&result(&account), &announced)?;
        }
    }
}
