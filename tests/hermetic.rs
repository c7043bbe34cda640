//! Trials that run at once, in forks, come to the verdicts of trials that run one by one, of those in fresh processes, and
//! of those in forks of workers that have stopped; and a seed to the same ones each time: over the specimens, with real
//! pytest.
//!
//! `JOSTLE_TEST_SPECIMENS` names some specimens (by day two, at night all), `JOSTLE_TEST_TRIALS` says how many
//! trials each has (by day 3, at night 6).

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use jostle::judge::Signature;
use jostle::plan::{Axes, Mode, Plan, Seed, TrialIndex, plan};
use jostle::run::engine::Collect;
use jostle::run::engine::checkpoint::CheckpointCounts;
use jostle::run::engine::fresh::SpawnEngine;
use jostle::run::engine::warm::WarmEngine;
use jostle::run::{Engine, Job};
use jostle::suite::TestIndex;
use jostle::trial::Trial;

use crate::support;

/// Those that are run by day: they write into their project, or do away with it.
const FEW: &str = "leftover-file,removes-project";
/// Those whose tests pass or fail by chance.
const BY_CHANCE: [&str; 3] = ["nod", "nod-random", "flaky-victim"];

fn specimens() -> Vec<String> {
    let default = if support::night() { "all" } else { FEW };
    let named = std::env::var("JOSTLE_TEST_SPECIMENS").unwrap_or_else(|_| default.into());
    let wanted = |name: &String| named == "all" || named.split(',').any(|wanted| wanted == name);
    let constant = |name: &String| !BY_CHANCE.contains(&name.as_str());
    support::specimens().into_iter().filter(|name| wanted(name) && constant(name)).collect()
}

type Verdicts = Vec<BTreeMap<TestIndex, Option<Signature>>>;

/// How trials are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Fresh,
    Forks,
    /// In forks of workers that have stopped after so many percent of their tests.
    Stopped(usize),
}

/// Every trial's verdicts, as they are with so many workers at once.
fn verdicts(folder: &Path, way: Way, jobs: u32, trials: u64) -> Option<Verdicts> {
    // A test that hangs on purpose need not be waited for as long as one on a busy machine.
    let hangs = folder.ends_with("hang-after-pollution");
    let patience = Duration::from_secs(if hangs { 2 } else { 20 });
    // Those of the day need pytest alone.
    let python = if support::night() { support::corpus_python() } else { support::light_python() };
    let mut options = support::options(python, folder, patience);
    options.sandboxing = Some(support::sandboxing(&options.python.paths)?);
    options.jobs = jobs;
    let mut engine = WarmEngine::new(SpawnEngine::new(options).expect("an engine"), false);
    // How workers of one trial interleave is luck, so that only serial trials can be compared.
    let axes = Axes { workers: vec![1], modes: vec![Mode::No], ..Axes::default() };
    let suite =
        engine.collect(Collect::kept(axes.hash_seed_values(Seed(1))[0])).expect("it is collected").suite;
    if suite.tests.is_empty() {
        return Some(Vec::new());
    }
    let plans: Vec<Plan> = (0..trials).map(|index| plan(Seed(1), TrialIndex(index), &suite, &axes)).collect();
    let work: Vec<Job<'_>> = plans.iter().map(|plan| job(plan, way)).collect();
    let mut seen = Vec::new();
    let verdicts = |trial: &Trial| {
        trial.executions.iter().map(|run| (run.test, Signature::of(run.test, &run.outcome))).collect()
    };
    let ran = engine.run_all(&suite, &work, &mut |_, trial| {
        seen.push(verdicts(&trial));
        ControlFlow::Continue(())
    });
    ran.expect("the trials run");
    if let Way::Stopped(percent) = way {
        let CheckpointCounts { made, forks, unfit } = engine.checkpoints();
        println!("after {percent} % {made} workers stopped for {forks} trials, and others not: {unfit:?}");
    }
    Some(seen)
}

fn job(plan: &Plan, way: Way) -> Job<'_> {
    let mut job = if way == Way::Fresh { Job::fresh(plan) } else { Job::of(plan) };
    if let Way::Stopped(percent) = way {
        job.shared = u32::try_from((plan.workers[0].len() * percent / 100).max(1)).ok();
    }
    job
}

#[test]
fn no_verdict_depends_on_the_engine_on_where_a_worker_stops_or_on_which_trials_run_at_the_same_time() {
    let trials = u64::from(support::number("JOSTLE_TEST_TRIALS", 3, 6));
    for name in specimens() {
        let folder = tempfile::tempdir().expect("a folder");
        let suite = folder.path().join(&name);
        support::copy(&support::root().join("corpus").join(&name), &suite);
        let before = support::listing(&suite);
        let Some(one_by_one) = verdicts(&suite, Way::Forks, 1, trials) else { return };
        for (way, jobs) in [(Way::Forks, 4), (Way::Fresh, 2), (Way::Stopped(50), 1), (Way::Stopped(99), 2)] {
            let again = verdicts(&suite, way, jobs, trials).expect("a sandbox");
            assert_eq!(again, one_by_one, "{name} with {jobs} at once, {way:?}");
        }
        assert_eq!(support::listing(&suite), before, "{name}");
        println!(
            "{name}: {trials} trials, one by one and 4 at once in forks, in fresh processes, and after a stop: no verdict differs"
        );
    }
}

/// A session's report without its times.
fn report(suite: &Path, sandbox: &str) -> serde_json::Value {
    let output = support::jostle(suite)
        .args(["stress", "--json", "--seed", "1", "--trials", "2", "--sandbox", sandbox])
        .args(if support::night() { &support::NARROW[..] } else { &support::UNEXPLAINED })
        .arg("--python")
        .arg(support::light_python())
        .output()
        .expect("jostle runs");
    let mut report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    report.as_object_mut().expect("an object").remove("times");
    report
}

#[test]
fn a_seed_gives_the_same_report_each_time_although_tests_leave_files() {
    let runs = support::number("JOSTLE_TEST_RUNS", 2, 4);
    if support::sandboxing(&[]).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let suite = folder.path().join("leftover-file");
    support::copy(&support::root().join("corpus/leftover-file"), &suite);
    let first = report(&suite, "on");
    assert_eq!(first["findings"][0]["kind"], "victim");
    for _ in 1..runs {
        assert_eq!(report(&suite, "on"), first);
    }
    println!("{runs} reports with sandboxes, all the same");
    let without: Vec<_> = (0..2).map(|_| report(&suite, "off")).collect();
    assert_ne!(without[1], first, "what the first session left is there in the second");
    let called_broken: Vec<_> =
        without.iter().flat_map(|report| report["findings"].as_array().expect("findings")).collect();
    let called_broken: Vec<_> =
        called_broken.into_iter().filter(|finding| finding["kind"] == "broken").collect();
    assert!(!called_broken.is_empty(), "{without:?}");
    for finding in called_broken {
        let note = finding["note"].as_str().expect("a note");
        assert!(note.contains("not kept apart"), "{finding}");
    }
    println!("without, the second differs, and what is called broken is doubted");
}

#[cfg(target_os = "linux")]
#[test]
fn a_suite_that_needs_the_machines_network_gets_it_and_it_is_said() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    if support::sandboxing(&[]).is_none() {
        return;
    }
    // Without a name in the file system it is one of the network, and is not known as a server that keeps something.
    let name = format!("jostle-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let _server = UnixListener::bind_addr(&address).expect("a socket");
    let connect = format!("socket.socket(socket.AF_UNIX).connect('\\0{name}')");
    for source in [
        format!("import socket\ndef test_a(): {connect}\ndef test_b(): pass\n"),
        format!("import socket\n{connect}\ndef test_a(): pass\n"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("test_a.py"), source).expect("a file");
        let stress = |network: &str| {
            let output = support::jostle(folder.path())
                .args(["stress", "--json", "--seed", "1", "--trials", "2", "--network", network])
                .args(support::UNEXPLAINED)
                .arg("--python")
                .arg(support::light_python())
                .output()
                .expect("jostle runs");
            let report = serde_json::from_slice(&output.stdout).expect("a report");
            (output.status.code(), report)
        };
        let (code, report): (_, serde_json::Value) = stress("auto");
        assert_eq!((code, report["findings"].as_array().map(Vec::len)), (Some(0), Some(0)), "{report}");
        assert!(report["remarks"].to_string().contains("the machine's network"), "{report}");
        let (_, report) = stress("private");
        let errors = report["collection_errors"].as_array().map_or(0, Vec::len);
        assert!(errors > 0 || report["findings"][0]["kind"] == "broken", "{report}");
    }
}

#[test]
fn what_fails_for_the_sandbox_or_for_jostle_itself_is_not_called_broken() {
    if support::sandboxing(&[]).is_none() {
        return;
    }
    let file = tempfile::Builder::new().prefix("machine-").tempfile_in("/tmp").expect("a file");
    let name = file.path().display();
    let more = format!(
        "def test_writes(): assert os.path.exists('{name}') and open('{name}', 'w').write('more') == 0\n\
         def test_parent_is_seen(): assert os.path.exists(f'/proc/{{os.getppid()}}')\n"
    );
    let source = format!(
        "import os\n\
         def test_reads_the_machines_file(): assert os.path.exists('{name}')\n\
         def test_hash_seed_is_left_alone(): assert 'PYTHONHASHSEED' not in os.environ\n\
         def test_adds_up(): assert 1 + 1 == 3\n{}",
        // By day `session::investigate::plain` has what else plain pytest may say, with an engine that starts no process.
        if support::night() { &more } else { "" },
    );
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("test_a.py"), source).expect("a file");
    let output = support::jostle(folder.path())
        .args(["stress", "--json", "--seed", "1", "--trials", "2"])
        .args(support::UNEXPLAINED)
        .arg("--python")
        .arg(support::light_python())
        .env_remove("PYTHONHASHSEED")
        .output()
        .expect("jostle runs");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    let findings = report["findings"].as_array().expect("findings");
    let of = |test: &str| {
        let is = |finding: &&serde_json::Value| finding["test"]["node_id"] == format!("test_a.py::{test}");
        let finding = findings.iter().find(is).unwrap_or_else(|| panic!("{test}: {report}"));
        let why = finding["no_command"].as_str().unwrap_or_default().to_owned();
        (finding["kind"].as_str().expect("a kind").to_owned(), why)
    };
    let (kind, why) = of("test_reads_the_machines_file");
    assert!(kind == "unreproduced" && why.contains("--share"), "{kind}: {why}");
    let (kind, why) = of("test_hash_seed_is_left_alone");
    assert!(kind == "unreproduced" && why.contains("variables that jostle sets"), "{kind}: {why}");
    assert_eq!(of("test_adds_up"), ("broken".to_owned(), String::new()));
    if support::night() {
        assert_eq!(of("test_writes"), ("broken".to_owned(), String::new()));
    }
    assert!(!findings.iter().any(|finding| finding["kind"] == "broken" && finding["plain"]["runs"] == 0));
    assert_eq!(fs::read_to_string(file.path()).expect("the file"), "", "it was written in a sandbox");
    assert!(!folder.path().join(".pytest_cache").exists(), "nothing is left in the project");
    assert_eq!(output.status.code(), Some(10), "a part could not be judged");
}
