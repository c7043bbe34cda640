//! Findings of each kind, as a session has them, for tests of what reports show of them.

#![cfg(test)]

use std::collections::BTreeSet;
use std::time::Duration;

use crate::explain::{Explanation, Fix, NoFix, NoFixReason, RelatedTests};
use crate::finding::known::{Known, Same};
use crate::finding::{Elsewhere, Finding, GivenUp, Kind, Minimal, NoCommand, Origin};
use crate::history::{Found, NightRate, Rate, Seen, Session, Share, Slow, Status as Became, Summary};
use crate::judge::signature::FailureLocation;
use crate::judge::unstable::stops_xdist;
use crate::judge::{Signature, Tally};
use crate::plan::coverage::Shares;
use crate::plan::document::PlanDocument;
use crate::plan::schedule::Resource;
use crate::plan::{Axes, Configuration, Imports, Mode, Plan, Seed, WorkerId};
use crate::race::access::Call;
use crate::race::delay::Delay;
use crate::race::operation::Operation;
use crate::race::trace::{Trace, TracedCall};
use crate::record::FailureFile;
use crate::report::speedup::Speedup;
use crate::report::verify::{Looked, Verification};
use crate::session::SessionResult;
use crate::session::fake_engine::{failed, plan, suite, test};
use crate::session::stress::baseline::compare_collections;
use crate::session::suspect::Suspect;
use crate::session::verify::{Stage, Verified};
use crate::speedup::limits::Limit;
use crate::speedup::outcomes::Difference;
use crate::speedup::statistics::Estimate;
use crate::speedup::summary::Differing;
use crate::speedup::{self, Row};
use crate::state::{Place, StateKind, Written};
use crate::suite::{CollectionError, Fixture, Phase, Suite, Test};
use crate::trial::{Collected, Failure, Interpreter, Outcome, Verdict};
use crate::verify::{Claim, Status};

/// `failed` of `runs`.
pub(super) fn tally(failed: u32, runs: u32) -> Tally {
    Tally { runs, failed }
}

fn failure(exception: &str, message: &str) -> Failure {
    match failed(exception) {
        Outcome::Failed(failure) => {
            let trace = format!("    def body():\n>       {message}\nE       {exception}");
            Failure { message: message.into(), trace, ..failure }
        }
        _ => unreachable!("it is a failure"),
    }
}

/// A finding of a test that fails with an assertion.
pub(super) fn finding(kind: Kind, letter: char, origin: Origin) -> Finding {
    let failure = failure("AssertionError", "assert 3 == 2");
    Finding {
        signature: Signature::of(test(letter), &Outcome::Failed(failure.clone())),
        failure: Some(failure),
        plan: Some(plan("abcdefgh")),
        ..Finding::new(kind, Some(test(letter)), origin)
    }
}

/// What is left of a plan, the last test of which is the one that fails.
fn minimal(lists: &str, culprits: &str) -> Option<Minimal> {
    Some(Minimal {
        plan: plan(lists),
        culprits: culprits.chars().map(test).collect(),
        imports: Vec::new(),
        one_minimal: true,
        calls: 9,
    })
}

pub(super) fn place(name: &str, kind: StateKind, old: &str, new: &str) -> Place {
    let at = |line| Written { file: "shop/prices.py".into(), line, function: "load".into(), call: None };
    Place {
        kind,
        old: old.into(),
        new: new.into(),
        written: Some(at(12)),
        read: Some(at(30)),
        ..Place::example(name)
    }
}

pub(super) fn explained(places: Vec<Place>) -> Explanation {
    Explanation { confirmed: true, changed: places.len(), places, experiments: 7, ..Explanation::default() }
}

/// Victims: with all that can be told, with nothing, and of what is neither a test nor a place.
fn victims() -> Vec<Finding> {
    let victim = |letter| Finding {
        with: tally(8, 8),
        without: tally(0, 8),
        ..finding(Kind::Victim, letter, Origin::Trial(3))
    };
    let diff =
        "--- a/tests/conftest.py\n+++ b/tests/conftest.py\n@@ -1 +1,2 @@\n import pytest\n+import shop\n";
    let fix = Fix {
        diff: diff.into(),
        edits: Vec::new(),
        trials: 20,
        fails_anyway: 0,
        together_with: 0,
        order_apart: false,
        parallel: 5,
        raced: 2,
        git_applied: true,
    };
    let related_tests = RelatedTests {
        polluters: [test('c')].into(),
        victims: victim('g').signature.into_iter().collect(),
        cleaners: [test('d')].into(),
        whole: true,
        fresh: [test('c'), test('g')].into(),
        enough: [].into(),
        in_turn: None,
    };
    let prices = place("shop.prices.CACHE", StateKind::Global, "{}", "{'tea': 3}");
    let whole = Explanation {
        alone: true,
        others: 3,
        changed: 4,
        related_tests,
        fix: Some(fix),
        ..explained(vec![prices.clone()])
    };
    let unknown = Explanation {
        confirmed: false,
        cut_off: true,
        changed: 7,
        why: Some("putting back each place that changed did not help".into()),
        ..explained(vec![prices.clone()])
    };
    let zone = Place {
        along: Some("time.tzset()".into()),
        ..place("os.environ[\"TZ\"]", StateKind::Environment, "unset", "'UTC'")
    };
    let no_fix = NoFix {
        why: NoFixReason::Unknown,
        says: "none is known for this kind of place; by hand: join it".into(),
    };
    let both = Explanation { jointly: true, no_fix: Some(no_fix), ..explained(vec![prices, zone]) };
    let import = Minimal {
        imports: vec!["test_b.py".into()],
        plan: Plan { imports: Imports::Only(["test_b.py".into(), "test_h.py".into()].into()), ..plan("h") },
        ..minimal("h", "").expect("a plan")
    };
    let fixture = Fixture {
        name: "db".into(),
        scope: "module".into(),
        file: "conftest.py".into(),
        phase: Phase::Teardown,
    };
    let torn = Failure {
        phase: Phase::Teardown,
        fixture: Some(fixture),
        user: Some(test('e')),
        ..failure("OSError", "")
    };
    let given_up = GivenUp { runs: 1000, suspects: vec![(test('b'), 0.82), (test('d'), 0.091)] };
    vec![
        Finding {
            shrunk: minimal("bh", "b"),
            command: Some("pytest test_b.py::b test_h.py::h".into()),
            other_commands: [(test('g'), Some("pytest test_b.py::b test_g.py::g".into()))].into(),
            explanation: Some(whole),
            ..victim('h')
        },
        Finding {
            shrunk: minimal("cdg", "cd").map(|minimal| Minimal { one_minimal: false, ..minimal }),
            no_command: Some(NoCommand::Passed(3)),
            explanation: Some(unknown),
            also: vec![test('a'), test('b')],
            ..victim('g')
        },
        Finding {
            shrunk: minimal("df", "d"),
            no_command: Some(NoCommand::Order(test('f'), test('d'))),
            explanation: Some(both),
            known: Some(Known { file: "failures/victim-f-1f6a09c2.json".into(), same: Same::State }),
            ..victim('f')
        },
        Finding {
            shrunk: Some(import),
            with: tally(9, 16),
            without: tally(0, 16),
            command: Some("pytest test_b.py::b --deselect=test_b.py test_h.py::h".into()),
            ..finding(Kind::Victim, 'h', Origin::Baseline)
        },
        Finding { shrunk: minimal("cdg", "d"), passes_after: Some(vec![test('c')]), ..victim('g') },
        Finding {
            failure: Some(torn.clone()),
            signature: Signature::of(test('e'), &Outcome::Failed(torn)),
            shrunk: minimal("ea", "a"),
            ..victim('e')
        },
        Finding {
            shrunk: minimal("abcdefh", "abcdef"),
            given_up: Some(given_up),
            with: tally(5, 20),
            without: tally(0, 20),
            ..finding(Kind::Victim, 'h', Origin::Trial(9))
        },
    ]
}

fn brittle_and_nio() -> Vec<Finding> {
    let table = place("shop.db.TABLES", StateKind::Global, "[]", "['items']");
    vec![
        Finding {
            shrunk: minimal("ac", "a"),
            with: tally(0, 8),
            without: tally(8, 8),
            command: Some("pytest test_c.py::c".into()),
            explanation: Some(Explanation { alone: true, others: 1, changed: 2, ..explained(vec![table]) }),
            ..finding(Kind::Brittle, 'c', Origin::Alone)
        },
        Finding {
            shrunk: minimal("dd", "d"),
            with: tally(8, 8),
            without: tally(0, 8),
            no_command: Some(NoCommand::Twice),
            ..finding(Kind::Nio, 'd', Origin::Twice)
        },
    ]
}

fn races() -> Vec<Finding> {
    let resource = Resource("file:$TMPDIR/shelf/jars.json".into());
    let call = |operation, writes, line| Call {
        resource: resource.clone(),
        operation,
        writes,
        idle: false,
        statement: None,
        at: Some(format!("shop/shelf.py:{line}")),
        by: None,
    };
    let turn = |worker, letter, call| TracedCall { worker: WorkerId(worker), test: test(letter), call };
    let trace = Trace {
        resource: resource.clone(),
        folder: Some("$TMPDIR/shelf".into()),
        calls: vec![
            turn(0, 'b', call(Operation::OpenToWrite, true, 7)),
            turn(1, 'f', call(Operation::Remove, true, 21)),
            turn(
                0,
                'b',
                Call {
                    at: None,
                    by: Some("the subprocess git".into()),
                    ..call(Operation::OpenToRead, false, 9)
                },
            ),
        ],
        delay: None,
        diverged: 1,
    };
    let delay = Delay {
        milliseconds: 250,
        passes: 120,
        after: call(Operation::Lock, true, 3),
        before: call(Operation::Unlock, true, 5),
    };
    let waits = Trace {
        folder: None,
        calls: vec![turn(1, 'f', call(Operation::Lock, true, 3))],
        delay: Some(delay),
        diverged: 0,
        resource,
    };
    let race = |trace, origin| Finding {
        shrunk: minimal("b|f", "f"),
        with: tally(8, 8),
        without: tally(0, 8),
        no_command: Some(NoCommand::Workers),
        trace,
        ..finding(Kind::Race, 'b', origin)
    };
    vec![
        race(Some(trace), Origin::Race(14)),
        race(Some(waits), Origin::Race(15)),
        Finding { no_command: None, ..race(None, Origin::Trial(5)) },
    ]
}

fn collections(suite: &Suite) -> Vec<Finding> {
    let swapped = |suite: &Suite| {
        let mut tests: Vec<Test> = suite.collected.iter().map(|&test| suite.test(test).clone()).collect();
        tests.swap(2, 3);
        Suite::new(tests, Vec::new(), 0)
    };
    let by_hash = compare_collections(suite, suite, &swapped(suite), Seed(1), (11, 12)).expect("they differ");
    let note = "test_d.py::d (test_d.py:1): differs with nothing changed".to_owned();
    let by_chance = Finding {
        signature: Some(stops_xdist(suite, test('d'))),
        failure: None,
        note: Some(note),
        shrunk: minimal("abcdefgh", ""),
        with: tally(2, 2),
        ..finding(Kind::UnstableCollection, 'd', Origin::Baseline)
    };
    vec![Finding { with: tally(3, 3), ..by_hash }, by_chance]
}

/// What is no isolation failure.
fn others() -> Vec<Finding> {
    let noted = |note: &str, finding: Finding| Finding { note: Some(note.into()), ..finding };
    let of = |kind, letter, with, without| Finding { with, without, ..finding(kind, letter, Origin::Alone) };
    let none = Tally::default();
    let left = "created out/report.txt, changed data.json";
    vec![
        of(Kind::HashSeed, 'a', none, tally(3, 3)),
        noted(
            "fails each time with random seed 3 and passes each time with random seed 4, 5 more runs of the same plan each",
            of(Kind::RandomDraws, 'b', none, tally(4, 10)),
        ),
        of(Kind::Nod, 'c', tally(1, 4), tally(5, 10)),
        noted(
            "when its plan was run again, it was skipped, or not run",
            of(Kind::Unreproduced, 'd', none, none),
        ),
        of(Kind::Unreproduced, 'e', tally(2, 20), tally(0, 3)),
        of(Kind::Unreproduced, 'e', tally(16, 16), tally(16, 16)),
        of(Kind::Unreproduced, 'f', tally(0, 3), tally(0, 3)),
        noted(
            "beside other tests it was seen to fail in another way",
            Finding { plain: tally(1, 1), ..of(Kind::Broken, 'g', none, tally(3, 3)) },
        ),
        noted(left, Finding::new(Kind::Leftover, Some(test('h')), Origin::Alone)),
        noted(left, Finding::new(Kind::Leftover, None, Origin::Trial(2))),
        of(Kind::Broken, 'h', none, tally(3, 3)),
        in_trials_only(Elsewhere::Sandbox, tally(0, 1), of(Kind::Unreproduced, 'a', none, tally(3, 3))),
        in_trials_only(Elsewhere::Jostle, tally(0, 3), of(Kind::Unreproduced, 'b', none, tally(3, 3))),
        in_trials_only(Elsewhere::Skipped, none, of(Kind::Unreproduced, 'c', none, tally(3, 3))),
        in_trials_only(Elsewhere::Unknown, tally(2, 3), of(Kind::Unreproduced, 'd', none, tally(3, 3))),
    ]
}

fn in_trials_only(why: Elsewhere, plain: Tally, finding: Finding) -> Finding {
    Finding { plain, no_command: Some(NoCommand::Elsewhere(why)), ..finding }
}

/// A session of eight tests that found nothing.
pub(super) fn session() -> SessionResult {
    let interpreter = Interpreter {
        python: "3.12.1".into(),
        pytest: "8.4.2".into(),
        rootdir: "/home/ann/shop".into(),
        plugins: vec!["pytest-xdist-3.8.0".into()],
    };
    let neutralised = vec!["-n0".into(), "--no-cov".into()];
    SessionResult {
        collected: Collected { suite: suite(8), interpreter, neutralised },
        seed: Seed(7),
        axes: Axes::default(),
        costs: Vec::new(),
        remarks: Vec::new(),
        left_out: BTreeSet::new(),
        outside: Vec::new(),
        alone: 8,
        trials: 40,
        schedules: 12,
        probes: 97,
        coverage: Shares { ordered: 1.0, adjacent: 0.876, same_worker: 0.999, cross_worker: 0.5, tests: 8 },
        findings: Vec::new(),
        unjudged: Vec::new(),
        unseen: Vec::new(),
        interrupted: false,
        error: None,
        duration: Duration::from_millis(12_345),
    }
}

/// A session with a finding of each kind, in each of its forms, and all else that a report tells.
pub(crate) fn everything() -> SessionResult {
    let mut result = session();
    let findings = [victims(), brittle_and_nio(), races(), collections(&result.collected.suite), others()];
    result.findings = findings.concat();
    result.unjudged = vec![unjudged()];
    result.costs = vec!["every plan runs in fresh processes: threads are alive after collection".into()];
    result.remarks = vec!["trials use the machine's network".into()];
    result.unseen = vec!["failures/victim-a-00000001.json".into(), "failures/race-b-00000002.json".into()];
    result.collected.suite.errors = vec![collection_error()];
    result
}

/// A failure that was seen and not looked into.
pub(super) fn unjudged() -> Suspect {
    let failure = failure("KeyError", "'tea'");
    Suspect {
        signature: Signature::of(test('a'), &Outcome::Failed(failure.clone())).expect("it is a failure"),
        charged: test('a'),
        site: None,
        again: false,
        failure: Some(failure),
        origin: Origin::Trial(39),
        plan: plan("ba"),
        worker: WorkerId(0),
    }
}

fn collection_error() -> CollectionError {
    CollectionError {
        node_id: "test_i.py".into(),
        exception: "ModuleNotFoundError".into(),
        message: "No module named 'kettle'".into(),
        file: Some("test_i.py".into()),
        line: Some(3),
        trace: "test_i.py:3: in <module>\n    import kettle".into(),
    }
}

/// What was looked at again: failures that are gone, still there, and of which neither can be told.
pub(super) fn verification() -> Verification {
    let record = |kind, letter| {
        let plan = || PlanDocument::new(&plan("bh"), &suite(8));
        let of = finding(kind, letter, Origin::Baseline);
        FailureFile {
            version: crate::formats::FAILURE_FILE_VERSION,
            kind,
            test: suite(8).test(test(letter)).id.clone(),
            crash: of.signature.unwrap().crash,
            fixture: None,
            failed: Some(tally(8, 8)),
            places: Vec::new(),
            pytest: "8.4.2".into(),
            minimal: plan(),
            original: plan(),
            also: Vec::new(),
            passes_after: Vec::new(),
            fix: Vec::new(),
        }
    };
    let looked = |file: FailureFile, verified: Verified| Looked {
        path: format!("failures/{}", file.file_name()),
        file,
        verified,
    };
    let verified = |recorded| Verified {
        status: Status::Holds,
        claim: Claim::new(recorded, 0.95),
        minimal: tally(0, 4),
        original: tally(0, 1),
        neighbourhood: tally(0, 12),
        failed: None,
        why: None,
        notes: Vec::new(),
    };
    let crash =
        |exception: &str| FailureLocation { exception: exception.into(), ..record(Kind::Victim, 'h').crash };
    let fails = |stage, exception: &str| Verified {
        status: Status::StillFails,
        minimal: tally(1, 1),
        original: tally(0, 0),
        neighbourhood: tally(0, 0),
        failed: Some((stage, crash(exception))),
        ..verified(Some(tally(8, 8)))
    };
    let why = Some("test_f.py::f fails alone (KeyError in body): make it pass alone first".into());
    let nothing = tally(0, 0);
    let cannot = Verified {
        status: Status::CannotTell,
        why,
        minimal: nothing,
        original: nothing,
        neighbourhood: nothing,
        ..verified(Some(tally(8, 8)))
    };
    let notes = vec!["2 tests of the original plan are gone and were left out of it".into()];
    let assumed = FailureFile { failed: None, ..record(Kind::Brittle, 'c') };
    Verification {
        collected: session().collected,
        looked: vec![
            looked(record(Kind::Victim, 'h'), verified(Some(tally(8, 8)))),
            looked(assumed, Verified { notes, ..verified(None) }),
            looked(record(Kind::Victim, 'g'), fails(Stage::Minimal, "AssertionError")),
            looked(record(Kind::Race, 'e'), fails(Stage::Original, "KeyError")),
            looked(record(Kind::Nio, 'd'), fails(Stage::Neighbourhood, "AssertionError")),
            looked(record(Kind::Victim, 'f'), cannot),
        ],
        require_fail: false,
        confidence: 0.95,
        remarks: vec!["trials use the machine's network".into()],
        interrupted: false,
        seconds: 3.2,
    }
}

/// A history of two sessions, of which the second came to its end or did not.
pub(super) fn kept(ended: bool) -> Summary {
    let found = |kind: &str, test: &str, after| Found {
        kind: kind.into(),
        test: Some(test.into()),
        summary: format!("{kind} {test}, polluter test_b.py::b"),
        counts: true,
        after,
    };
    let night = |name: &str, started, ended, findings| Session {
        name: name.into(),
        started,
        seed: 7,
        revision: Some("1a2b3c4d5e6f7a8b".into()),
        tests: 8,
        trials: 400,
        ended,
        ran: BTreeSet::new(),
        raced: true,
        findings,
        unjudged: if name == "two" { vec!["test_a.py::a".into(), "test_b.py::b".into()] } else { Vec::new() },
    };
    let h = || found("victim", "test_h.py::h", Some(12));
    let seen = |status, test: &str| Seen {
        found: found("victim", test, (status == Became::New).then_some(1)),
        nights: 1,
        first: "one".into(),
        first_revision: None,
        last: "two".into(),
        status,
    };
    let statuses = [
        (Became::New, "test_h.py::h"),
        (Became::Back, "test_g.py::g"),
        (Became::Still, "test_f.py::f"),
        (Became::Gone, "test_e.py::e"),
        (Became::NotRun, "test_d.py::d"),
        (Became::Past, "test_c.py::c"),
    ];
    let share = |failed, runs| Share::from(tally(failed, runs));
    let of_night = |night: &str, failed| NightRate { night: night.into(), share: share(failed, 400) };
    Summary {
        nights: vec![
            night("one", 1_764_000_000_000, true, Vec::new()),
            night("two", 1_764_086_400_000, ended, vec![h()]),
        ],
        findings: statuses.into_iter().map(|(status, test)| seen(status, test)).collect(),
        rates: vec![Rate {
            test: "test_h.py::h".into(),
            all: share(12, 800),
            nights: vec![of_night("one", 0), of_night("two", 12)],
        }],
        slowest: vec![Slow { test: "test_a.py::a".into(), runs: 800, mean: 1.25, longest: 3.0 }],
    }
}

/// Runs on one and two workers, of which those with scopes kept together did something else.
pub(super) fn speedup() -> Speedup {
    let row = |workers, mode, median: f64, speedup, limit| Row {
        configuration: Configuration { workers, mode },
        seconds: vec![median; 3],
        estimate: Some(Estimate { median, spread: Some(median / 20.0) }),
        speedup,
        efficiency: speedup.map(|speedup| speedup / f64::from(workers)),
        bound: 10.0 / f64::from(workers) + 1.0,
        unit: None,
        parts: None,
        limit,
        differing: Differing::default(),
    };
    let fastest = Configuration { workers: 2, mode: Mode::Load };
    let difference =
        Difference { test: test('b'), seen: Some(Verdict::Failed), expected: Some(Verdict::Passed) };
    let differing = Differing { runs: 3, differences: vec![difference], trouble: None };
    Speedup {
        collected: session().collected,
        summary: speedup::Summary {
            cores: 2,
            total: 10.0,
            start_up: 1.0,
            rows: vec![
                row(1, Mode::No, 11.2, Some(1.0), None),
                row(2, Mode::Load, 7.0, Some(1.6), Some(Limit::StartUp)),
                Row { differing, ..row(2, Mode::Loadscope, 8.0, None, None) },
            ],
            best: Some(fastest),
            enough: Some(fastest),
            failing: 0,
            unsteady: Vec::new(),
        },
        rounds: 3,
        interrupted: false,
        against: None,
    }
}
