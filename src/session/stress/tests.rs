//! Whole sessions of a small suite whose truth is known.

#![cfg(test)]

use std::time::Duration;

use super::*;
use crate::finding::known::Recorded;
use crate::plan::coverage::Shares;
use crate::record::FailureFile;
use crate::session::Explain;
use crate::session::event::Reporters;
use crate::session::fake_engine::{FakeEngine, Heard, Situation, fails_if, name, of_each_kind, suite, test};
use crate::session::fake_state::State;
use crate::suite::Phase;
use crate::trial::{Failure, Outcome};

const TESTS: u32 = 10;

fn limits() -> Limits {
    Limits { trials: Some(60), ..Limits::default() }
}

/// Each finding as `victim h: b`.
fn found(result: &SessionResult) -> Vec<String> {
    let of = |finding: &Finding| {
        let culprits: String = finding.causes().0.iter().map(|&test| format!(" {}", name(test))).collect();
        let test = finding.test.map_or('-', name);
        format!("{} {test}:{culprits}", finding.kind.name())
    };
    result.findings.iter().map(of).collect()
}

fn session(engine: &mut FakeEngine<'_>, limits: &Limits) -> SessionResult {
    stress(engine, &mut Reporters::default(), Seed(1), &Axes::default(), limits).unwrap()
}

const ALL: [&str; 6] =
    ["victim h: b", "brittle c: a", "nio j: j", "race i: f", "broken e:", "random-draws g:"];

#[test]
fn a_session_finds_what_there_is_and_no_more_with_forks_and_without() {
    let forking = session(&mut FakeEngine::new(suite(TESTS), of_each_kind), &limits());
    assert_eq!(found(&forking), ALL);
    assert!(forking.unjudged.is_empty() && !forking.interrupted && forking.error.is_none());
    let commands: Vec<Option<&str>> =
        forking.findings.iter().map(|finding| finding.command.as_deref()).collect();
    let victim = Some("pytest test_b.py::b test_h.py::h");
    assert_eq!(commands, [victim, Some("pytest test_c.py::c"), None, None, None, None]);
    let fresh = session(&mut FakeEngine::new(suite(TESTS), of_each_kind).without_forks(), &limits());
    assert_eq!(found(&fresh), ALL);
}

#[test]
fn a_healthy_suite_has_no_finding_and_all_of_its_trials() {
    let healthy = session(&mut FakeEngine::new(suite(TESTS), |_| Outcome::Passed), &limits());
    assert_eq!((found(&healthy).len(), healthy.trials), (0, 60));
    assert_eq!(healthy.alone, TESTS as usize);
    assert!(healthy.coverage.adjacent > 0.99, "each was run after each: {:?}", healthy.coverage);
}

#[test]
fn the_same_seed_gives_the_same_session() {
    let once = || {
        let (mut engine, mut heard) = (FakeEngine::new(suite(TESTS), of_each_kind), Heard::default());
        stress(&mut engine, &mut heard, Seed(1), &Axes::default(), &limits()).unwrap();
        (heard.0, engine.ran)
    };
    let (heard, ran) = once();
    assert!(heard.iter().any(|event| event.starts_with("Explained")), "{heard:?}");
    assert_eq!((heard, ran), once());
}

#[test]
fn a_session_for_one_victim_tells_of_no_other_test() {
    let limits = Limits { victim: Some("test_h.py::h".into()), ..limits() };
    let mut engine = FakeEngine::new(suite(TESTS), of_each_kind);
    let result = session(&mut engine, &limits);
    assert_eq!(found(&result), ["victim h: b"]);
    let serial = |ran: &&(Plan, bool)| ran.0.workers.len() == 1 && ran.0.len() == TESTS as usize;
    assert!(
        engine.ran.iter().filter(serial).count() <= 2,
        "the plan that showed it is not run again and again"
    );
    let unknown = Limits { victim: Some("test_z.py::z".into()), ..limits };
    let mut engine = FakeEngine::new(suite(TESTS), of_each_kind);
    let error =
        stress(&mut engine, &mut Reporters::default(), Seed(1), &Axes::default(), &unknown).unwrap_err();
    assert!(error.to_string().contains("no such test was collected"), "{error}");
    assert!(engine.ran.is_empty());
}

#[test]
fn a_session_that_fails_fast_ends_with_its_first_isolation_failure() {
    let limits = Limits { fail_fast: true, ..limits() };
    let result = session(&mut FakeEngine::new(suite(TESTS), of_each_kind), &limits);
    let isolation = result.findings.iter().filter(|finding| finding.kind.is_isolation_failure()).count();
    assert_eq!(isolation, 1, "{:?}", found(&result));
    assert!(!result.unjudged.is_empty(), "what is not looked into is said");
}

#[test]
fn who_wants_less_explained_has_the_same_findings_after_fewer_runs() {
    let [no, state, fix] = [Explain::No, Explain::State, Explain::Fix].map(|explain| {
        let limits = Limits { explain, ..limits() };
        session(&mut FakeEngine::new(suite(TESTS), of_each_kind), &limits)
    });
    assert_eq!([found(&no), found(&state)], [found(&fix), found(&fix)]);
    let explained = |result: &SessionResult| {
        result.findings.iter().map(|finding| finding.explanation.is_some()).collect::<Vec<_>>()
    };
    assert_eq!(explained(&no), [false; ALL.len()]);
    assert_eq!(explained(&state), explained(&fix));
    assert!(explained(&fix).contains(&true) && no.probes < state.probes, "{} {}", no.probes, state.probes);
    assert!(state.probes <= fix.probes, "{} {}", state.probes, fix.probes);
}

#[test]
fn forks_that_differ_from_fresh_processes_are_given_up() {
    let differs = |run: Situation<'_>| fails_if(run.is('d') && !run.fresh);
    let mut engine = FakeEngine::new(suite(TESTS), differs);
    let result = session(&mut engine, &limits());
    assert_eq!(found(&result), [] as [&str; 0]);
    assert!(
        result.remarks.iter().any(|remark| remark.contains("test_d.py::d the first")),
        "{:?}",
        result.remarks
    );
}

#[test]
fn in_a_small_suite_each_test_is_run_directly_after_each_other_however_few_trials_there_are() {
    let next_to = |run: Situation<'_>| {
        let before = run.before.last().map(|&test| name(test));
        fails_if(run.is('d') && before == Some('h'))
    };
    let one = Limits { trials: Some(1), ..Limits::default() };
    let result = session(&mut FakeEngine::new(suite(TESTS), next_to), &one);
    assert_eq!(found(&result), ["victim d: h"]);
    let Shares { adjacent, .. } = result.coverage;
    assert!(adjacent > 0.99, "{adjacent}");
}

#[test]
fn failures_of_one_test_and_one_cause_are_told_once() {
    let in_words = |run: Situation<'_>| match fails_if(run.is('h') && run.after('b')) {
        Outcome::Failed(failure) => {
            let message = if run.before.len().is_multiple_of(2) { "even" } else { "odd" };
            Outcome::Failed(Failure { message: message.into(), ..failure })
        }
        passed => passed,
    };
    assert_eq!(found(&session(&mut FakeEngine::new(suite(TESTS), in_words), &limits())), ["victim h: b"]);
}

#[test]
fn what_fails_in_its_setup_is_told_with_another_only_if_it_does_so_in_its_place_and_not_alone() {
    let setup = |fails: bool| match fails_if(fails) {
        Outcome::Failed(failure) => Outcome::Failed(Failure { phase: Phase::Setup, ..failure }),
        passed => passed,
    };
    let becomes = |run: Situation<'_>| match name(run.test) {
        'g' => setup(true),
        'h' | 'i' => setup(run.after('b')),
        'j' => setup(run.after('c')),
        _ => Outcome::Passed,
    };
    let result = session(&mut FakeEngine::new(suite(TESTS), becomes), &limits());
    assert_eq!(found(&result), ["victim h: b", "victim j: c", "broken g:"]);
    let with = |finding: &Finding| {
        let same_polluter = finding.same_polluter.victims.iter().map(|victim| victim.test);
        finding.also.iter().copied().chain(same_polluter).map(name).collect()
    };
    let with: Vec<String> = result.findings.iter().map(with).collect();
    assert_eq!(with, ["i", "", ""]);
}

/// `d` to `h` fail after `b`, but for `g`, which does so under odd random seeds; `i` fails after `c`.
fn after_one(run: Situation<'_>) -> Outcome {
    match name(run.test) {
        'g' => fails_if(run.plan.random_seed % 2 == 1),
        'd'..='h' => fails_if(run.after('b')),
        'i' => fails_if(run.after('c')),
        _ => Outcome::Passed,
    }
}

#[test]
fn victims_of_one_polluter_are_asked_about_it_and_no_more() {
    let told = |result: &SessionResult| -> Vec<String> {
        let others = |finding: &Finding| -> String {
            finding.same_polluter.victims.iter().map(|victim| name(victim.test)).collect()
        };
        found(result).iter().zip(&result.findings).map(|(it, of)| format!("{it} {}", others(of))).collect()
    };
    let limits = Limits { explain: Explain::No, ..limits() };
    let mut forking = FakeEngine::new(suite(TESTS), after_one);
    let all = session(&mut forking, &limits);
    assert_eq!(told(&all), ["victim d: b efh", "victim i: c ", "random-draws g: "]);
    assert!(all.unjudged.is_empty());
    let fresh = |letter| {
        let pair = [test('b'), test(letter)];
        forking.ran.iter().any(|(plan, fresh)| *fresh && plan.workers == [pair])
    };
    assert!(all.findings[0].same_polluter.fresh.iter().all(|&test| fresh(name(test))));
    let spawned = session(&mut FakeEngine::new(suite(TESTS), after_one).without_forks(), &limits);
    assert_eq!(told(&spawned), told(&all));
    assert_eq!(spawned.findings[0].same_polluter.fresh.len(), 3, "each was run in fresh processes alone");
}

/// `d` to `f` fail where the file of `b` was imported, `i` where that of `c` was; `g` fails after `b` alone.
fn by_import(run: Situation<'_>) -> Outcome {
    match name(run.test) {
        'd'..='f' => fails_if(run.imports('b')),
        'g' => fails_if(run.after('b')),
        'i' => fails_if(run.imports('c')),
        _ => Outcome::Passed,
    }
}

#[test]
fn victims_of_one_import_are_asked_about_it_and_no_more() {
    let limits = Limits { explain: Explain::No, ..limits() };
    let mut engine = FakeEngine::new(suite(TESTS), by_import);
    let result = session(&mut engine, &limits);
    let told = |finding: &Finding| -> String {
        let others = finding.same_polluter.victims.iter().map(|victim| name(victim.test)).collect::<String>();
        let (tests, imports) = finding.causes();
        let causes = tests.iter().map(|&test| name(test).to_string()).chain(imports.iter().cloned());
        format!("{} after {}: {others}", finding.test.map_or('-', name), causes.collect::<String>())
    };
    let told: Vec<String> = result.findings.iter().map(told).collect();
    assert_eq!(told, ["d after test_b.py: ef", "g after b: ", "i after test_c.py: "]);
    assert_eq!(result.findings[0].same_polluter.fresh.len(), 2);
    let runs = |letter| engine.ran.iter().filter(|(plan, _)| plan.workers == [[test(letter)]]).count();
    assert!(runs('e') * 2 < runs('d'), "{} runs of one, {} of another", runs('e'), runs('d'));
}

/// Notes what a session announces.
#[derive(Default)]
struct Announced {
    found: Vec<(Kind, Option<TestIndex>)>,
    explained: BTreeSet<usize>,
    commands: BTreeSet<usize>,
    failed: BTreeSet<TestIndex>,
    ended: bool,
}

impl Reporter for Announced {
    fn notice(&mut self, _: &Suite, event: &Event<'_>) {
        match event {
            Event::Found(finding) => self.found.push((finding.kind, finding.test)),
            Event::Explained(of, _) => _ = self.explained.insert(*of),
            Event::Command(of, _) => _ = self.commands.insert(*of),
            Event::Finished { trial, .. } => {
                let failed = trial.executions.iter().filter(|run| run.outcome.is_failure());
                self.failed.extend(failed.map(|run| run.test));
            }
            Event::Ended(_) => self.ended = true,
            _ => {}
        }
    }
}

#[test]
fn a_session_that_is_interrupted_at_any_run_tells_all_that_it_announced() {
    let mut whole = FakeEngine::new(suite(TESTS), of_each_kind);
    session(&mut whole, &limits());
    let mut announced_before = 0;
    for runs in (0..whole.ran.len()).step_by(7) {
        let mut engine = FakeEngine::new(suite(TESTS), of_each_kind).interrupted_after(runs);
        let mut announced = Announced::default();
        let result = stress(&mut engine, &mut announced, Seed(1), &Axes::default(), &limits()).unwrap();
        assert!(result.interrupted && announced.ended, "after {runs} runs");
        let told: BTreeSet<_> = result.findings.iter().map(|finding| (finding.kind, finding.test)).collect();
        assert_eq!(told, announced.found.iter().copied().collect(), "after {runs} runs");
        for (number, one) in announced.found.iter().enumerate() {
            let finding =
                result.findings.iter().find(|finding| (finding.kind, finding.test) == *one).unwrap();
            assert_eq!(
                finding.explanation.is_some(),
                announced.explained.contains(&number),
                "after {runs} runs"
            );
            // That a race has no command of its own follows from its kind, and is not announced.
            let commands = finding.command.is_some() || finding.no_command.is_some();
            let told = announced.commands.contains(&number) || finding.kind == Kind::Race;
            assert_eq!(commands, told, "after {runs} runs");
        }
        let unjudged = result.unjudged.iter().map(|suspect| Some(suspect.signature.test));
        let known: BTreeSet<_> = told.iter().map(|(_, test)| *test).chain(unjudged).flatten().collect();
        let lost: Vec<_> = announced.failed.difference(&known).collect();
        assert!(lost.is_empty(), "after {runs} runs {lost:?} failed, and nothing tells of them");
        assert!(announced.found.len() >= announced_before, "after {runs} runs");
        announced_before = announced.found.len();
    }
    assert_eq!(announced_before, ALL.len());
}

/// What a session has found, as it is recorded.
fn recorded(result: &SessionResult) -> Vec<Recorded> {
    let files = result.findings.iter().filter_map(|finding| FailureFile::new(finding, &result.collected));
    files.map(|file| file.clone().recorded(file.file_name())).collect()
}

#[test]
fn what_is_known_is_recognised_by_a_run_of_its_plan_and_nothing_is_found_out_of_it() {
    let first = session(&mut FakeEngine::new(suite(TESTS), of_each_kind), &limits());
    let known = Limits { known: recorded(&first), ..limits() };
    assert_eq!(known.known.len(), 4);
    let mut engine = FakeEngine::new(suite(TESTS), of_each_kind);
    let next = session(&mut engine, &known);
    assert_eq!(found(&next), ALL);
    for finding in &next.findings {
        assert_eq!(finding.known.is_some(), finding.kind.is_isolation_failure(), "{:?}", finding.kind);
        if let (Kind::Victim | Kind::Brittle | Kind::Nio, Some(minimal)) = (finding.kind, &finding.shrunk) {
            assert!(finding.explanation.is_none() && finding.command.is_none());
            assert_eq!((finding.with.runs, finding.without.runs, minimal.calls), (1, 1, 0));
        }
    }
    assert!(next.unseen.is_empty() && next.probes < first.probes, "{} of {}", next.probes, first.probes);
    let fresh = session(&mut FakeEngine::new(suite(TESTS), of_each_kind).without_forks(), &known);
    assert_eq!(found(&fresh), ALL);
    let once = |finding: &&Finding| finding.known.is_some() && finding.with.runs == 1;
    assert_eq!(fresh.findings.iter().filter(once).count(), 3, "where none was run alone before");
    // What was mended is looked for as far as it shows, and what fails for another reason is looked into.
    let after_f = |run: Situation<'_>| fails_if(run.is('h') && run.after('f'));
    let other = session(&mut FakeEngine::new(suite(TESTS), after_f), &known);
    assert_eq!(found(&other), ["victim h: f"]);
    assert!(other.findings[0].known.is_none());
    let named = Limits { victim: Some("test_h.py::h".into()), ..known };
    let asked = session(&mut FakeEngine::new(suite(TESTS), of_each_kind), &named);
    assert!(asked.findings[0].known.is_some() && asked.findings[0].with.runs > 1, "it was named");
}

#[test]
fn tests_that_fail_when_run_twice_are_not_told_together_for_that_alone() {
    let each_after_itself =
        |run: Situation<'_>| fails_if(['c', 'h'].iter().any(|&own| run.is(own) && run.after(own)));
    let result = session(&mut FakeEngine::new(suite(TESTS), each_after_itself), &limits());
    assert_eq!(found(&result), ["nio c: c", "nio h: h"]);
}

#[test]
fn a_test_that_others_make_fail_before_it_comes_to_its_second_run_is_run_twice_by_itself() {
    // Where the polluter comes before it in suite order, both of its runs in a row fail.
    let drawn = |run: Situation<'_>| fails_if(run.is('h') && (run.after('b') || run.after('h')));
    let result = session(&mut FakeEngine::new(suite(TESTS), drawn), &limits());
    assert_eq!(found(&result), ["victim h: b", "nio h: h"]);
}

#[test]
fn the_victims_of_one_recorded_polluter_are_one_known_failure() {
    const PLACE: &str = "shop.CACHE";
    let state = State {
        writes: |letter| if letter == 'b' { &[(PLACE, true)] } else { &[] },
        becomes: |letter, dirty| fails_if("fhi".contains(letter) && dirty.contains(PLACE)),
    };
    let engine = || FakeEngine::of_state(suite(TESTS), state);
    let first = session(&mut engine(), &limits());
    assert_eq!(first.findings.len(), 1, "{:?}", found(&first));
    let next = session(&mut engine(), &Limits { known: recorded(&first), ..limits() });
    let [finding] = next.findings.as_slice() else { panic!("{:?}", found(&next)) };
    assert!(finding.known.is_some());
    let tests: BTreeSet<char> = finding.also.iter().chain(&finding.test).map(|&test| name(test)).collect();
    assert_eq!(tests, ['f', 'h', 'i'].into());
}

/// What is begun and found, in order: `Trial(0)`, `found h`.
#[derive(Default)]
struct InOrder(Vec<String>);

impl Reporter for InOrder {
    fn notice(&mut self, _: &Suite, event: &Event<'_>) {
        let told = match event {
            Event::Found(finding) => finding.test.map(|test| format!("found {}", name(test))),
            Event::Started { origin: Origin::Alone | Origin::Race(_), .. } => None,
            Event::Started { origin, .. } => Some(format!("{origin:?}")),
            _ => None,
        };
        self.0.extend(told);
    }
}

#[test]
fn with_a_time_limit_other_orders_and_what_they_show_come_before_every_test_twice() {
    let begun = |time: Option<Duration>| {
        let mut engine = FakeEngine::new(suite(TESTS), |run| fails_if(run.is('c') && run.after('h')));
        let (mut begun, limits) = (InOrder::default(), Limits { trials: Some(7), time, ..Limits::default() });
        stress(&mut engine, &mut begun, Seed(1), &Axes::default(), &limits).unwrap();
        begun.0
    };
    let place = |begun: &[String], what: &str| begun.iter().position(|it| it == what).unwrap();
    let timed = begun(Some(Duration::from_secs(3600)));
    let places = [
        "Baseline",
        "Trial(0)",
        "Trial(1)",
        "found c",
        "Trial(2)",
        "Trial(5)",
        "Twice",
        "Recording",
        "Trial(6)",
    ];
    let places = places.map(|what| place(&timed, what));
    assert!(places.is_sorted(), "{timed:?}");
    let untimed = begun(None);
    assert!(place(&untimed, "Twice") < place(&untimed, "Trial(0)"), "{untimed:?}");
}

/// The remarks of a session of a healthy suite with so many seconds, each of whose tests takes three, and how many trials it
/// had.
fn within(seconds: u64) -> (Vec<String>, u64) {
    let mut engine = FakeEngine::new(suite(TESTS), |_| Outcome::Passed).taking(Duration::from_secs(3));
    let limits = Limits { trials: Some(6), time: Some(Duration::from_secs(seconds)), ..Limits::default() };
    let result = session(&mut engine, &limits);
    (result.remarks, result.trials)
}

#[test]
fn a_sweep_that_takes_longer_than_its_share_of_the_time_takes_some_from_all_over() {
    let (remarks, trials) = within(150);
    let told = |of: &str| remarks.iter().any(|remark| remark.contains(of));
    assert_eq!(trials, 6);
    assert!(!told("to run every test twice"), "the rest of them fits in at the end: {remarks:?}");
    assert!(
        told("to record what every test touches, so that those in conflict are raced: 2 of 10"),
        "{remarks:?}"
    );
    let (remarks, trials) = within(3600);
    assert_eq!((remarks, trials), (Vec::new(), 6), "an hour is enough for all");
}

#[test]
fn what_shows_in_the_rest_of_a_sweep_is_judged() {
    for letter in "abcdefghij".chars() {
        // As above, two of the ten are run twice before the trials.
        let mut engine = FakeEngine::new(suite(TESTS), |run| fails_if(run.is(letter) && run.after(letter)))
            .taking(Duration::from_secs(3));
        let limits = Limits { trials: Some(6), time: Some(Duration::from_secs(150)), ..Limits::default() };
        assert_eq!(found(&session(&mut engine, &limits)), [format!("nio {letter}: {letter}")]);
    }
}

#[test]
fn what_would_end_after_the_time_is_not_begun() {
    let (remarks, trials) = within(20);
    let said = "there was no time for a trial: give more with --time";
    assert!(trials == 0 && remarks.iter().any(|remark| remark == said), "{remarks:?}");
    assert_eq!(no_trial(None), said);
}
