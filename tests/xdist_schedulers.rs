//! The simulated schedulers against pytest-xdist's own classes. `JOSTLE_TEST_SCHEDULERS` tells how many cases are compared
//! in each mode (150, at night 1000).

use std::io::Write;
use std::process::{Command, Stdio};

use jostle::plan::Mode;
use jostle::plan::schedulers::partition;
use jostle::suite::{Suite, Test, TestId, TestIndex};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};

use crate::support;

/// Cases compared in each mode.
fn count() -> u64 {
    u64::from(support::number("JOSTLE_TEST_SCHEDULERS", 150, 1000))
}

const MODES: [Mode; 6] =
    [Mode::Load, Mode::Loadscope, Mode::Loadfile, Mode::Loadgroup, Mode::Worksteal, Mode::Each];

struct Case {
    suite: Suite,
    order: Vec<TestIndex>,
    workers: usize,
    ticks: Vec<u64>,
}

/// A suite of up to 200 tests in files and classes, with parameters that hold what xdist splits at.
fn case(number: u64) -> Case {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let tests = if random.random_bool(0.2) { random.random_range(0..8) } else { random.random_range(0..200) };
    let files = random.random_range(1..20);
    let groups = random.random_range(0..4);
    let parameters = ["", "[a]", "[x::y]", "[a@b]", "[a/b::c]", "[]]", "[@]"];
    let test = |at: usize| {
        let file =
            format!("{}/test_{}.py", ["tests", "te@st", "a[b]"][at % 3], random.random_range(0..files));
        let class = if random.random_bool(0.4) {
            format!("::Test{}", random.random_range(0..3))
        } else {
            String::new()
        };
        let parameter = parameters[random.random_range(0..parameters.len())];
        let grouped = groups > 0 && random.random_bool(0.4);
        let group =
            grouped.then(|| ["one", "t@wo", "th]ree", "four"][random.random_range(0..groups)].to_owned());
        let id = TestId { node_id: format!("{file}{class}::test_{at}{parameter}"), occurrence: 0 };
        Test { id, file, line: None, group, rank: 0 }
    };
    let suite = Suite::new((0..tests).map(test).collect(), Vec::new(), 0);
    let heavy =
        |random: &mut ChaCha8Rng| 1 + (random.random_range(1_u64..30) << random.random_range(0_u32..10));
    let ticks = suite.tests.iter().map(|_| heavy(&mut random)).collect();
    Case { order: suite.collected.clone(), workers: random.random_range(1..=9), ticks, suite }
}

/// The case as xdist sees it: in `loadgroup` a test's group is part of its node id.
fn as_json(case: &Case, mode: Mode) -> Value {
    let id = |&test: &TestIndex| {
        let test = case.suite.test(test);
        match (&test.group, mode) {
            (Some(group), Mode::Loadgroup) => format!("{}@{group}", test.id.node_id),
            _ => test.id.node_id.clone(),
        }
    };
    json!({
        "mode": mode.name(),
        "workers": case.workers,
        "ids": case.order.iter().map(id).collect::<Vec<_>>(),
        "durations": case.order.iter().map(|test| case.ticks[test.get()]).collect::<Vec<_>>(),
    })
}

fn xdist_lists(cases: &[Value]) -> Vec<Vec<Vec<usize>>> {
    let mut driver = Command::new(support::light_python())
        .arg(support::root().join("tests/xdist_schedulers/driver.py"))
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the driver starts");
    let input = serde_json::to_vec(cases).expect("cases as JSON");
    driver.stdin.take().expect("a pipe").write_all(&input).expect("the driver reads");
    let output = driver.wait_with_output().expect("the driver ends");
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).expect("lists as JSON")
}

#[test]
fn the_simulations_hand_out_what_xdist_hands_out() {
    for mode in MODES {
        let cases: Vec<Case> = (0..count()).map(case).collect();
        let expected = xdist_lists(&cases.iter().map(|case| as_json(case, mode)).collect::<Vec<_>>());
        for (number, (case, expected)) in cases.iter().zip(expected).enumerate() {
            let named = |list: &Vec<usize>| list.iter().map(|&at| case.order[at]).collect::<Vec<_>>();
            let expected: Vec<Vec<TestIndex>> = expected.iter().map(named).collect();
            let lists = partition(mode, case.workers, &case.order, &case.suite.tests, &case.ticks);
            assert_eq!(lists, expected, "{mode:?}, case {number}: {}", as_json(case, mode));
        }
        println!("{}: {} cases equal", mode.name(), count());
    }
}

#[test]
fn every_test_is_handed_out_once_and_scopes_stay_whole() {
    for case in (0..count()).map(case) {
        for mode in MODES {
            let lists = partition(mode, case.workers, &case.order, &case.suite.tests, &case.ticks);
            let mut all = lists.concat();
            all.sort_unstable();
            let copies = if mode == Mode::Each { case.workers } else { 1 };
            let mut expected = case.order.repeat(copies);
            expected.sort_unstable();
            assert_eq!(all, expected, "{mode:?}");
        }
        let lists = partition(Mode::Loadfile, case.workers, &case.order, &case.suite.tests, &case.ticks);
        for (worker, list) in lists.iter().enumerate() {
            let files = |list: &Vec<TestIndex>| {
                list.iter().map(|&test| case.suite.test(test).file.clone()).collect::<Vec<_>>()
            };
            let own = files(list);
            for other in lists.iter().skip(worker + 1) {
                assert!(files(other).iter().all(|file| !own.contains(file)), "a file on two workers");
            }
        }
    }
}
