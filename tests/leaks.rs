//! `jostle leaks` on suites whose leaks are known: a place of each sort, each named by the line that changes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support;

/// How many of the planted leaks may be missed.
const MISSED: usize = 3;

fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = support::jostle(folder);
    command
        .arg("leaks")
        .args(["--progress", "none"])
        .args(arguments)
        .arg("--python")
        .arg(support::light_python());
    command.envs(variables.iter().copied()).output().expect("jostle runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The document on standard output, checked against its schema.
fn document(output: &Output) -> Value {
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)));
    let schema =
        fs::read_to_string(support::root().join("src/report/leaks.schema.json")).expect("the schema");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    if let Err(error) = validator.validate(&document) {
        panic!("{error} at {}: {document:#}", error.instance_path());
    }
    document
}

fn project(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn planted() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    support::copy(&support::root().join("tests/leaks/planted"), folder.path());
    folder
}

/// Of each test of the suite the places that it leaves, with the line where each is changed, if that is known.
fn told(document: &Value) -> BTreeMap<String, BTreeMap<String, Option<u64>>> {
    let mut told: BTreeMap<String, BTreeMap<String, Option<u64>>> = BTreeMap::new();
    for leak in document["leaks"].as_array().expect("leaks") {
        for owner in leak["by"].as_array().expect("owners") {
            let name = owner["name"].as_str().expect("a name").to_owned();
            let place = leak["place"].as_str().expect("a place").to_owned();
            told.entry(name).or_default().insert(place, leak["written"]["line"].as_u64());
        }
    }
    told
}

#[test]
fn planted_leaks_are_named_by_their_places_and_lines_and_no_clean_test_is_accused() {
    let folder = planted();
    let output = run(folder.path(), &["--json", "--explain", "state"], &[]);
    let told = told(&document(&output));
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let accused: Vec<_> = told.keys().filter(|name| !name.starts_with("test_leaks.py::")).collect();
    assert!(accused.is_empty(), "{accused:?}: {told:#?}");
    let text = fs::read_to_string(folder.path().join("test_leaks.py")).expect("the suite");
    let (mut test, mut planted, mut missed) = (String::new(), 0, Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(name) = line.strip_prefix("def ") {
            test = format!("test_leaks.py::{}", name.trim_end_matches("():"));
        }
        let Some((_, place)) = line.split_once("# leaks: ") else { continue };
        let (place, elsewhere) =
            place.split_once(", at ").map_or((place, None), |(place, at)| (place, Some(at)));
        planted += 1;
        let is_place = |name: &str| name == place || place == "descriptor" && name.starts_with(place);
        let found = told.get(&test).and_then(|places| places.iter().find(|(name, _)| is_place(name)));
        // What a library or the project's own code changes is changed at its line.
        let is_right = |line: &Option<u64>| line.is_some_and(|line| line == number || elsewhere.is_some());
        if !found.is_some_and(|(_, line)| is_right(line)) {
            missed.push((test.clone(), place.to_owned(), told.get(&test).cloned()));
        }
    }
    assert!(planted >= 60, "{planted}");
    assert!(missed.len() <= MISSED, "{} of {planted} were missed: {missed:#?}", missed.len());
}

/// A polluter with a victim, one with a reader and one that nobody reads.
const THREE: &[(&str, &str)] = &[
    ("shop.py", "RATE = 1\nNAME = 'a'\nUNREAD = 0\n"),
    (
        "test_shop.py",
        "import shop\n\n\ndef test_rate():\n    assert shop.RATE == 1\n\n\ndef test_name():\n    assert shop.NAME\n\n\n\
         def test_unread():\n    shop.UNREAD += 1\n\n\ndef test_rename():\n    shop.NAME = 'b'\n\n\n\
         def test_raise():\n    shop.RATE = 2\n",
    ),
];

#[test]
fn what_hurts_comes_first_and_a_victim_was_seen_to_fail() {
    let folder = project(THREE);
    let output = run(folder.path(), &["--json", "--explain", "state"], &[]);
    let document = document(&output);
    let leaks = document["leaks"].as_array().expect("leaks");
    let shown: Vec<_> = leaks.iter().map(|leak| (leak["place"].as_str(), leak["harm"].as_str())).collect();
    let expected = [("shop.RATE", "victim"), ("shop.NAME", "reader"), ("shop.UNREAD", "unread")];
    assert_eq!(shown, expected.map(|(place, harm)| (Some(place), Some(harm))));
    assert_eq!(leaks[0]["victims"][0]["node_id"], "test_shop.py::test_rate");
    assert_eq!(leaks[0]["written"]["line"], 21);
}

#[test]
fn only_new_leaks_fail_against_a_baseline_and_those_that_are_gone_are_told() {
    let folder = project(THREE);
    let baseline = folder.path().join("leaks.json");
    let state = ["--explain", "state"];
    let written = ["--write-baseline", "leaks.json", "--junit", "leaks.xml"];
    let output = run(folder.path(), &[&state[..], &written].concat(), &[("GITHUB_ACTIONS", "true")]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    // What was just written down is known, wherever it is told.
    let junit = fs::read_to_string(folder.path().join("leaks.xml")).expect("JUnit XML");
    assert!(junit.contains("failures=\"0\"") && !junit.contains("<failure"), "{junit}");
    assert!(said(&output).contains("::warning") && !said(&output).contains("::error"), "{}", said(&output));
    let first = fs::read_to_string(&baseline).expect("the baseline");
    assert!(first.contains("\"shop.RATE\": [\n      \"test_shop.py::test_raise\"\n    ]"), "{first}");
    let against = [state, ["--baseline", "leaks.json"]].concat();
    assert_eq!(run(folder.path(), &against, &[]).status.code(), Some(0));

    let text = THREE[1].1.replace("    shop.NAME = 'b'", "    assert shop.NAME")
        + "\n\ndef test_new():\n    shop.NEW = 1\n";
    fs::write(folder.path().join("test_shop.py"), text).expect("the suite");
    let files = ["--junit", "leaks.xml", "--code-quality", "quality.json"];
    let output = run(folder.path(), &[&against[..], &files].concat(), &[("GITHUB_ACTIONS", "true")]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for told in [
        "shop.NEW  1 test",
        "gone  shop.NAME: test_shop.py::test_rename",
        "1 place newly left changed, 2 known, 1 gone",
        "::error file=test_shop.py,line=25,title=leak%3A test_shop.py%3A%3Atest_new::leaves shop.NEW changed",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
    let junit = fs::read_to_string(folder.path().join("leaks.xml")).expect("JUnit XML");
    assert!(junit.contains("<failure message=\"leak: leaves shop.NEW changed"), "{junit}");
    let quality: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("quality.json")).expect("a report"))
            .expect("JSON");
    let weights: BTreeSet<_> =
        quality.as_array().expect("issues").iter().map(|issue| issue["severity"].as_str()).collect();
    assert_eq!(weights, [Some("critical"), Some("minor")].into());

    fs::write(&baseline, "{\"schema\": \"jostle.report/1\", \"leaks\": {}}").expect("the baseline");
    let output = run(folder.path(), &["--baseline", "leaks.json"], &[]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn what_only_the_first_use_changes_is_settled() {
    let shop = "_compiled = {}\n_user = None\n_calls = 0\n\n\ndef price(number):\n    if 'double' not in _compiled:\n        \
                _compiled['double'] = eval('lambda number: 2 * number')\n    return _compiled['double'](number)\n\n\n\
                def login(name):\n    global _user\n    _user = name\n\n\ndef call():\n    global _calls\n    _calls += 1\n";
    let tests = "import shop\n\n\ndef test_price():\n    assert shop.price(2) == 4\n\n\ndef test_login():\n    shop.login('ada')\n\n\n\
                 def test_call():\n    shop.call()\n";
    let folder = project(&[("shop.py", shop), ("test_shop.py", tests)]);
    let output = run(folder.path(), &["--explain", "state", "-v"], &[]);
    let said = said(&output);
    for told in [
        "shop._user  1 test",
        "shop._calls  1 test",
        "settled  shop._compiled[\"double\"]: first changed by test_shop.py::test_price, and not in its second run",
        "3 tests: 2 places left changed",
    ] {
        assert!(said.contains(told), "{told}: {said}");
    }
}

#[test]
fn a_test_that_did_not_pass_is_told() {
    let tests = "import pytest\n\ndef test_passes():\n    pass\n\ndef test_fails():\n    assert 0\n\ndef test_skips():\n    pytest.skip()\n";
    let folder = project(&[("test_shop.py", tests)]);
    let said = said(&run(folder.path(), &[], &[]));
    let told = "2 tests did not pass, and may leave more when passing: test_shop.py::test_fails\n";
    assert!(said.starts_with(told), "{said}");
}

#[test]
fn of_places_alike_the_lines_of_three_are_looked_for() {
    let shop = "class Cart:\n    pass\n\n\nCARTS = [Cart() for _ in range(5)]\n";
    let tests = "import shop\n\n\ndef test_fill():\n    for cart in shop.CARTS:\n        cart.size = 1\n";
    let folder = project(&[("shop.py", shop), ("test_shop.py", tests)]);
    let said = said(&run(folder.path(), &["--explain", "state"], &[]));
    assert!(said.contains("shop.CARTS[4].size  1 test"), "{said}");
    assert_eq!(said.matches("changed at test_shop.py:6").count(), 3, "{said}");
    let told = "no line was looked for of 2 places; it is of 500 at most, and of 3 that the same leave and only numbers tell \
                apart\n1 test: 5 places left changed\n";
    assert!(said.ends_with(told), "{said}");
    // It is told of what is told.
    fs::write(folder.path().join("jostle.toml"), "[leaks]\nallow = [\"shop.CARTS[3]\"]\n").expect("settings");
    let document = document(&run(folder.path(), &["--explain", "state", "--json"], &[]));
    assert_eq!((&document["allowed"], &document["lines_not_sought"]), (&1.into(), &1.into()), "{document:#}");
}

#[test]
fn places_alike_are_settled_where_three_of_them_are_not_left_again() {
    let shop = "class Cart:\n    pass\n\n\nCARTS = [Cart() for _ in range(5)]\n";
    // What the first test makes is kept for the second, which leaves nothing by itself.
    let tests = "import shop\n\n\ndef test_make():\n    shop.fill = lambda cart: setattr(cart, 'size', 1)\n\n\n\
                 def test_fill():\n    if hasattr(shop, 'fill'):\n        for cart in shop.CARTS:\n            shop.fill(cart)\n";
    let folder = project(&[("shop.py", shop), ("test_shop.py", tests)]);
    let document = document(&run(folder.path(), &["--explain", "state", "--json"], &[]));
    let carts = |of: &str| {
        let places = document[of].as_array().expect("leaks").iter().map(|leak| leak["place"].as_str());
        places.filter(|place| place.is_some_and(|place| place.starts_with("shop.CARTS["))).count()
    };
    assert_eq!((carts("leaks"), carts("settled")), (0, 5), "{document:#}");
    assert_eq!(document["lines_not_sought"], 0, "{document:#}");
}

#[test]
fn a_fix_of_what_hurts_is_tried_shown_and_written() {
    let folder = project(THREE);
    let arguments = ["--json=report.json", "--write-fix", "fix.patch"];
    let output = run(folder.path(), &arguments, &[("GITHUB_ACTIONS", "true")]);
    let said = said(&output);
    let tried = "fix: tried in a copy: keeps the place by itself, and holds in 4 of 4 trials, 1 of them on two workers; in all \
                 the fix of another place was applied too, to try both at once";
    assert_eq!(said.matches(tried).count(), 2, "{said}");
    assert!(said.contains("    +    monkeypatch.setattr(shop, \"RATE\", shop.RATE)\n"), "{said}");
    assert!(said.contains("fix%2C tried in a copy") || said.contains("fix, tried in a copy"), "{said}");
    let report = fs::read(folder.path().join("report.json")).expect("the report");
    let document = document(&Output { stdout: report, ..output });
    let fixes: Vec<_> =
        document["leaks"].as_array().expect("leaks").iter().map(|leak| &leak["fix"]).collect();
    assert_eq!(fixes.len(), 3);
    assert!(fixes[0]["diff"].is_string() && fixes[1]["together_with"] == 1 && fixes[2].is_null());

    let patch = fs::read_to_string(folder.path().join("fix.patch")).expect("the patch");
    let mut git = Command::new("git");
    let applied = git.args(["apply", "fix.patch"]).current_dir(folder.path()).output().expect("git runs");
    assert!(applied.status.success(), "{patch}");
    let output = run(folder.path(), &["--explain", "state"], &[]);
    let said = self::said(&output);
    assert!(said.contains("1 place left changed") && said.contains("shop.UNREAD  1 test"), "{said}");
}

#[test]
fn an_interrupt_while_fixes_are_tried_keeps_what_is_left_changed() {
    let tests = "import os, time\n\nimport shop\n\n\ndef test_pay():\n    shop.RATE = 2\n    if os.path.getsize(__file__) != \
                 int(os.environ['SIZE']):\n        open(os.environ['RUNS'], 'w').close()\n        time.sleep(600)\n\n\n\
                 def test_rate():\n    assert shop.RATE == 1\n";
    let folder = project(&[("shop.py", "RATE = 1\n"), ("test_shop.py", tests)]);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let runs = elsewhere.path().join("runs");
    let mut command = support::jostle(folder.path());
    command.env("SIZE", tests.len().to_string()).env("RUNS", &runs);
    command.args(["leaks", "--json=report.json", "--share"]).arg(elsewhere.path());
    command.arg("--python").arg(support::light_python());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("jostle starts");
    support::wait_for(&runs);
    support::said(Command::new("kill").args(["-INT", &child.id().to_string()]));
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let ends = "interrupted while fixes were tried, so not all of them were; what is left changed is all told\n\
                2 tests: 1 place left changed\n";
    assert!(said(&output).contains(ends), "{}", said(&output));
    let report = fs::read(folder.path().join("report.json")).expect("the report");
    let document = document(&Output { stdout: report, ..output });
    assert_eq!((&document["interrupted"], &document["exit_code"]), (&true.into(), &2.into()));
    let says = &document["leaks"][0]["no_fix"]["says"];
    assert!(says.as_str().unwrap_or_default().contains("the session ended before one was tried"), "{says}");
}

#[test]
fn a_fix_that_breaks_another_test_is_not_shown() {
    let folder = project(&[
        ("shop.py", "RATE = 1\n"),
        (
            "test_shop.py",
            "import shop\n\n\ndef test_raise():\n    shop.RATE = 2\n\n\ndef test_rate():\n    assert shop.RATE == 2\n",
        ),
    ]);
    let output = run(folder.path(), &["--write-fix", "fix.patch"], &[]);
    let said = said(&output);
    let why = "  fix: none: tried, and it made test_shop.py::test_rate fail, which needs what the polluter leaves\n";
    assert!(said.contains(why), "{said}");
    assert!(said.contains("no fix to write: none was found that holds"), "{said}");
    assert!(!folder.path().join("fix.patch").exists());
    let output = run(folder.path(), &["--explain", "state", "--write-fix", "fix.patch"], &[]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
fn what_is_allowed_is_left_out_and_imports_and_fixtures_are_charged_for_their_own() {
    let folder = project(&[
        ("jostle.toml", "[leaks]\nallow = [\"shop.ALLOWED\"]\n"),
        ("shop.py", "ALLOWED = 0\nHELD = 0\nLEFT = 0\n"),
        (
            "test_shop.py",
            "import os\n\nimport pytest\nimport shop\n\nos.environ['SHOP_IMPORTED'] = '1'\n\n\n@pytest.fixture(scope='module')\n\
             def held():\n    shop.HELD = 1\n    shop.LEFT = 1\n    yield\n    shop.HELD = 0\n\n\n\
             def test_one(held):\n    pass\n\n\ndef test_two(held):\n    shop.ALLOWED = 1\n",
        ),
    ]);
    let output = run(folder.path(), &["--json"], &[]);
    let document = document(&output);
    let told = told(&document);
    assert_eq!(document["allowed"], 1, "{document:#}");
    let names: Vec<_> = told
        .iter()
        .map(|(name, places)| (name.as_str(), places.keys().cloned().collect::<Vec<_>>()))
        .collect();
    let expected = [
        ("fixture held (scope module) of test_shop.py", vec!["shop.LEFT".to_owned()]),
        ("import of test_shop.py", vec!["os.environ[\"SHOP_IMPORTED\"]".to_owned()]),
    ];
    assert_eq!(names, expected);
}
