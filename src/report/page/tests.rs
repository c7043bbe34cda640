//! The page as a whole: all that was found is in it, no text of a suite's is markup in it, and it stays small.

#![cfg(test)]

use std::time::Duration;

use maud::html;
use proptest::prelude::*;

use super::packed::Shown;
use super::sources::Sources;
use super::trials::Trials;
use super::*;
use crate::finding::{Finding, Kind, Minimal, Origin};
use crate::plan::schedule::Resource;
use crate::plan::{Seed, WorkerId};
use crate::race::servers::{Listening, OutsideServer};
use crate::report::Again;
use crate::report::conclusion::Conclusion;
use crate::report::replay::Replay;
use crate::report::samples::{everything, finding, kept, session, tally, unjudged, verification};
use crate::session::fake_engine::test;
use crate::session::replay::Replayed;
use crate::session::stress::baseline::suite_order;
use crate::session::{Event, Reporter, SessionResult};
use crate::suite::{Suite, Test, TestId, TestIndex};
use crate::trial::{Execution, Outcome, Trial};

const AGAIN: Again<'_> = Again::Replay { options: " -n 2", of_file: "", failures: None };

fn written(outline: &SessionResult, trials: &Trials) -> String {
    page(outline, trials, &Sources::default(), AGAIN, &About::default())
}

fn escaped(text: &str) -> String {
    html! { (text) }.into_string()
}

/// A suite with tests of these names.
fn named(names: impl IntoIterator<Item = String>) -> Suite {
    let test = |name: String| Test {
        id: TestId { node_id: name, occurrence: 0 },
        file: "test_a.py".into(),
        line: Some(3),
        group: None,
        rank: 0,
    };
    Suite::new(names.into_iter().map(test).collect(), Vec::new(), 0)
}

/// Trials of a suite on two workers, in which every `failing`th run fails.
fn trials(suite: &Suite, times: u64, failing: usize) -> Trials {
    let mut trials = Trials::default();
    for index in 0..times {
        let plan = suite_order(suite, Seed(index), 1);
        let tests = (0..suite.tests.len()).map(|at| (at * 7919 + index as usize) % suite.tests.len());
        let execution = |(at, test): (usize, usize)| Execution {
            worker: WorkerId(0),
            process: 0,
            test: TestIndex(test as u32),
            outcome: if at % failing == failing - 1 {
                Outcome::Crashed { how: "x".into() }
            } else {
                Outcome::Passed
            },
            duration: Duration::from_micros(20 + (at * 31 % 4000) as u64),
        };
        let trial = Trial::of(tests.enumerate().map(execution));
        trials.notice(suite, &Event::Finished { origin: Origin::Trial(index), plan: &plan, trial: &trial });
    }
    trials
}

#[test]
fn every_finding_is_told_with_its_sentences() {
    let outline = everything();
    let page = written(&outline, &Trials::default());
    assert!(page.starts_with(MARK), "{}", &page[..80]);
    for (number, finding) in (1..).zip(&outline.findings) {
        let start = page.find(&format!("id=\"finding-{number}\"")).expect("it has a section");
        let section = &page[start..];
        let section = &section[..section.find("</section>").expect("an end")];
        assert!(section.contains(&escaped(&crate::report::words::meaning(finding))), "{section}");
        let text = crate::report::entry::plain(finding, &outline, AGAIN);
        assert!(section.contains(&escaped(&text)), "{section}");
        let at_times = section.contains("Shows it at times in plain pytest");
        assert_eq!(at_times, finding.command.is_some() && finding.fails_at_times(), "{section}");
        assert_eq!(section.contains("Replays it"), text.contains("jostle replay "), "{section}");
        let line = |label: &str| text.lines().find_map(|line| line.strip_prefix(&format!("  {label:<13} ")));
        let told = line("failed").map(|failed| section.contains(&format!("Failed: <b>{failed}</b>")));
        assert_eq!(told.unwrap_or(false), section.contains("Failed: <b>"), "{section}");
        let why = line("fix").filter(|fix| fix.starts_with("none"));
        assert!(why.is_none_or(|why| section.contains(&format!("<p>{}</p>", escaped(why)))), "{section}");
        if let Some(command) = finding.command.as_deref().map(crate::report::words::elsewhere) {
            let command = &command;
            assert!(section.contains(&format!(">{}</pre>", escaped(command))), "{section}");
        }
    }
    for told in outline.costs.iter().chain(&outline.remarks).chain(&outline.unseen) {
        assert!(page.contains(&escaped(told)), "{told}");
    }
    assert!(page.contains("No module named &#39;kettle&#39;") || page.contains("No module named 'kettle'"));
}

#[test]
fn what_a_page_is_of_stands_at_its_head() {
    let about = About {
        project: "<shop>".into(),
        date: "2026-11-24 02:00".into(),
        commit: Some("1a2b3c4d5e6f7a8b9c0d".into()),
        command: Some("jostle stress --html page.html -- -k 'a & b'".into()),
    };
    let of = |about: &About| page(&session(), &Trials::default(), &Sources::default(), AGAIN, about);
    let told = of(&about);
    assert!(told.contains("<title>jostle: &lt;shop&gt;: no isolation failure</title>"), "{told}");
    for (name, fact) in [
        ("project", "&lt;shop&gt;"),
        ("date", "2026-11-24 02:00 UTC"),
        ("commit", "1a2b3c4d5e6f"),
        ("command", "jostle stress --html page.html -- -k 'a &amp; b'"),
    ] {
        assert!(told.contains(&format!("<dt>{name}</dt><dd><code>{fact}</code></dd>")), "{name}: {told}");
    }
    let untold = of(&About { commit: None, command: None, ..about });
    assert!(untold.contains("<dt>date</dt>"), "{untold}");
    assert!(!untold.contains("<dt>commit</dt>") && !untold.contains("<dt>command</dt>"), "{untold}");
    assert!(of(&About::default()).contains("<title>jostle: no isolation failure</title>"));
}

#[test]
fn a_test_that_pollutes_itself_is_drawn_with_its_two_runs() {
    let outline = everything();
    let drawn = |finding: &Finding| {
        graph::graph(1, finding, &outline.collected.suite).map(|drawing| drawing.into_string())
    };
    let nio = outline.findings.iter().find(|finding| finding.kind == Kind::Nio).expect("one");
    let culprit = Minimal {
        plan: suite_order(&outline.collected.suite, Seed(1), 1),
        culprits: nio.test.into_iter().collect(),
        imports: Vec::new(),
        one_minimal: true,
        calls: 1,
    };
    let itself = drawn(&Finding { shrunk: Some(culprit), ..nio.clone() }).expect("a drawing");
    assert!(itself.contains(">first run<") && itself.contains(">second run<"), "{itself}");
    assert!(!itself.contains(">polluter<") && !itself.contains(">nio<"), "{itself}");
    let victim = drawn(&outline.findings[0]).expect("a drawing");
    assert!(victim.contains(">polluter<") && !victim.contains("second run"), "{victim}");
}

#[test]
fn what_is_raced_for_is_a_cause() {
    let outline = everything();
    let (number, race) =
        (1..).zip(&outline.findings).find(|(_, finding)| finding.trace.is_some()).expect("a race");
    let mut tests = race.also_broken();
    tests.extend(race.test);
    tests.extend(race.causes().0);
    let told = overview::causes(&outline).into_string();
    let trace = race.trace.as_ref().expect("a trace");
    let raced = format!(
        "<code>{}</code>: raced for by {} tests <a href=\"#finding-{number}\">",
        crate::report::words::raced_on(trace),
        tests.len()
    );
    assert!(told.contains(&raced), "{told}");
    assert_eq!(
        told.matches("raced for by").count(),
        outline.findings.iter().filter(|it| it.trace.is_some()).count()
    );
}

#[test]
fn what_a_session_came_to_is_said_in_one_line() {
    let of = |change: fn(&mut SessionResult)| {
        let mut outline = session();
        change(&mut outline);
        Conclusion::of(&outline).to_string()
    };
    let victim = |outline: &mut SessionResult| {
        outline.findings.push(finding(Kind::Victim, 'h', Origin::Baseline));
    };
    assert_eq!(of(|_| {}), "no isolation failure");
    assert_eq!(of(victim), "1 isolation failure");
    assert_eq!(
        of(|outline| outline.unjudged = everything().unjudged),
        "no isolation failure in what was looked into; 1 failure was not"
    );
    assert_eq!(
        of(|outline| {
            let resource = Resource("port:tcp 5432".into());
            let at = Listening { resource, program: None, reached: true };
            outline.outside = vec![OutsideServer { at, tests: [test('a')].into() }];
        }),
        "no isolation failure in what could be judged; 1 test talks to a server outside of the trials"
    );
    assert_eq!(
        of(|outline| outline.interrupted = true),
        "no isolation failure; interrupted, so this is not all"
    );
    let errors = |outline: &mut SessionResult| {
        outline.collected.suite.tests.clear();
        outline.collected.suite.errors = everything().collected.suite.errors;
    };
    assert_eq!(
        of(errors),
        "no isolation failure in what could be collected; the rest is hidden by 1 collection error"
    );
    assert!(of(|outline| outline.collected.suite.tests.clear()).starts_with("no test was collected in /"));
}

#[test]
fn seven_thousand_tests_in_forty_trials_stay_below_five_megabytes() {
    let name = |at: usize| {
        format!(
            "tests/unit/area_{}/test_module_{}.py::TestSomething::test_case[{at}-value]",
            at / 500,
            at / 20
        )
    };
    let mut outline = everything();
    let suite = named((0..7000).map(name));
    let findings = std::mem::take(&mut outline.findings);
    outline.findings = findings.iter().cycle().take(400).cloned().collect();
    let of_size = |suite: &Suite, times, failing| {
        let mut outline = outline.clone();
        outline.collected.suite = suite.clone();
        written(&outline, &trials(suite, times, failing)).len()
    };
    let usual = of_size(&suite, 40, 1000);
    assert!(usual < 5_000_000, "{usual}");
    let mut nothing = session();
    nothing.collected.suite = suite.clone();
    let page = written(&nothing, &trials(&suite, 40, 1000));
    assert!(page.matches("\"runs\":").count() == 40, "each trial can be drawn");
    let most = of_size(&suite, 80, 2);
    assert!(most < 5_000_000, "{most}");
}

#[test]
fn what_was_run_is_told_as_it_was_seen() {
    let mut outline = everything();
    let suite = outline.collected.suite.clone();
    let mut seen = trials(&suite, 3, 3);
    let plan = suite_order(&suite, Seed(1), 1);
    let run = |test: u32, outcome| Execution {
        worker: WorkerId(0),
        process: 0,
        test: TestIndex(test),
        outcome,
        duration: Duration::from_millis(250),
    };
    let told = |trials: &mut Trials, origin, runs: Vec<Execution>| {
        let trial = Trial { duration: Duration::from_secs(2), ..Trial::of(runs) };
        trials.notice(&suite, &Event::Finished { origin, plan: &plan, trial: &trial });
    };
    told(&mut seen, Origin::Baseline, vec![run(0, Outcome::Passed), run(1, Outcome::Skipped)]);
    told(&mut seen, Origin::Race(3), vec![run(0, Outcome::Crashed { how: "x".into() })]);
    told(&mut seen, Origin::Alone, vec![run(4, Outcome::Passed)]);
    let page = written(&outline, &seen);
    let rows = [
        ("suite order", 1, "2.0"),
        ("races under control", 1, "2.0"),
        ("each test alone", 1, "2.0"),
        ("trials", 3, "0.0"),
    ];
    for (purpose, runs, time) in rows {
        let row =
            format!("<td>{purpose}</td><td class=\"number\">{runs}</td><td class=\"number\">{time} s</td>");
        assert!(page.contains(&row), "{row}");
    }
    // Of the eight tests two fail in each trial, and in a race what was run is no run of the suite.
    assert_eq!(seen.failures.len(), 6);
    let kept = seen.kept(8);
    assert_eq!(kept.len(), 5, "what was run alone is one column");
    assert_eq!(packed::shown(&kept[3].row)[..2], [Shown::Passed, Shown::Skipped]);
    assert_eq!(packed::shown(&kept[4].row)[4], Shown::Passed);
    for words in [
        "Tests that failed, by runs",
        "Failures in runs, one by one",
        "Each square stands for a pair of tests",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let sorted = "Orders that the suite's plugins do not admit are not tried.";
    assert!(!page.contains(sorted) && !page.contains("had no room"));
    outline.collected.suite.tests[0].rank = 1;
    assert!(written(&outline, &seen).contains(sorted));
    outline.axes.ignore_rank = true;
    assert!(!written(&outline, &seen).contains(sorted));
    seen.notice(&suite, &Event::Forgotten);
    assert!(seen.is_empty() && seen.failures.is_empty());
}

#[test]
fn a_finding_is_drawn_with_all_that_have_to_do_with_it() {
    let outline = everything();
    let suite = &outline.collected.suite;
    let drawn = |number: usize| {
        graph::graph(number, &outline.findings[number], suite).map(|drawing| drawing.into_string())
    };
    let first = drawn(0).expect("it has a polluter");
    for (class, name) in [
        ("polluter", "test_b.py::b"),
        ("polluter", "test_c.py::c"),
        ("place", "shop.prices.CACHE"),
        ("victim", "test_h.py::h"),
        ("victim", "test_g.py::g"),
        ("cleaner", "test_d.py::d"),
    ] {
        assert!(
            first.contains(&format!("<g class=\"{class}\"><title>{name}</title>")),
            "{class} {name}: {first}"
        );
    }
    let unknown = drawn(1).expect("it has polluters");
    assert!(unknown.contains("place unknown") && !unknown.contains("shop.prices.CACHE"), "{unknown}");
    let raced = outline.findings.iter().position(|finding| finding.trace.is_some()).expect("a race");
    assert!(drawn(raced).expect("it has another side").contains(">race on<"));
    let broken = outline.findings.iter().position(|finding| finding.kind == Kind::Broken).expect("a bug");
    assert_eq!(drawn(broken), None);
}

#[test]
fn what_has_no_room_is_counted() {
    let suite = named((0..7000).map(|at| format!("test_a.py::test_{at}")));
    // Every other test fails: nothing is saved by what comes in a row.
    let trials = trials(&suite, 80, 2);
    let kept = trials.kept(7000).len() as u64;
    assert!(kept > 20 && trials.left_out == 80 - kept, "{kept}");
    let mut outline = session();
    outline.collected.suite = suite;
    let page = written(&outline, &trials);
    assert!(page.contains(&format!("{} more had no room here", trials.left_out)));
}

#[test]
fn nothing_is_fetched_and_only_what_is_written_here_is_run() {
    let page = written(&everything(), &Trials::default());
    assert!(
        page.contains("content=\"default-src 'none'; style-src 'sha256-")
            || page.contains("default-src &#39;none&#39;")
    );
    for fetching in [" src=", "url(", "@import", "<link", "<iframe", "style=", "onclick="] {
        assert!(!page.contains(fetching), "{fetching}");
    }
    for outside in page.split("href=\"").skip(1) {
        assert!(outside.starts_with('#'), "{}", &outside[..30]);
    }
}

#[test]
fn a_replay_is_told_by_how_often_it_failed() {
    let outline = session();
    let suite = outline.collected.suite.clone();
    let replayed = Replayed {
        tally: tally(2, 3),
        silent: 0,
        failures: vec![(unjudged(), 2)],
        diverged: 1,
        ..Replayed::default()
    };
    let replay = Replay::new(&replayed, &suite, None);
    let page = of_replay(&replay, &outline, &trials(&suite, 1, 3), &Sources::default(), &About::default());
    for words in [
        "<h1>tests failed in 2 of 3 runs</h1>",
        "1 of 3 runs made other calls than recorded, or in another order",
        "<td><code>KeyError</code></td>",
        "<td class=\"number\">2 runs</td>",
        "id=\"gantt\"",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let clean = "no isolation failure";
    assert!(!page.contains(clean) && !page.contains("id=\"coverage\""), "one plan is no session");
    let log = Replay::of_log(&replayed, &suite);
    let page = of_replay(&log, &everything(), &Trials::default(), &Sources::default(), &About::default());
    assert!(page.contains("<h1>what failed in the log failed in 2 of 3 runs of its plan</h1>"), "{page}");
    assert!(page.contains("id=\"finding-1\"") && !page.contains("id=\"gantt\""));
}

#[test]
fn recorded_failures_are_told_with_their_bounds() {
    let mut report = verification();
    let page = verify::page(&report, &About::default());
    assert!(page.contains("<h1>6 recorded failures: 2 gone, 3 still there, 1 cannot be told</h1>"), "{page}");
    for (number, looked) in (1..).zip(&report.looked) {
        let start = page.find(&format!("id=\"failure-{number}\"")).expect("it has a section");
        let section = &page[start..];
        let section = &section[..section.find("</section>").expect("an end")];
        assert!(section.contains(&looked.path), "{section}");
        assert_eq!(section.contains("because"), looked.verified.why.is_some());
        assert_eq!(section.contains("fails with"), looked.verified.failed.is_some());
        assert_eq!(section.contains("How often it fails"), looked.verified.minimal.runs > 0, "{section}");
    }
    assert!(
        page.contains("minimal plan: failed in 0 of 4 runs</td><td class=\"number\">at most 52.7 %"),
        "{page}"
    );
    assert!(page.contains("assumed: failed in") && page.contains("holds at 95 % confidence"), "{page}");
    assert!(page.contains("badge good\">fixed"), "{page}");
    report.require_fail = true;
    let before = verify::page(&report, &About::default());
    assert!(before.contains("badge bad\">gone") && before.contains("as before a fix"), "{before}");
}

#[test]
fn a_history_is_told_night_by_night() {
    let page = history::page(&kept(true), None, &["one file is damaged".into()], &About::default());
    let headline = "1 new, 1 back, 1 still there, 1 gone since the session before; 1 it did not run (?)";
    assert!(page.contains(&format!("<h1>{headline}</h1>")), "{page}");
    for words in [
        "2025-11-25 16:00: failed in 12 of 400 runs, 3.0 % (1.6–5.2 %)",
        "id=\"rate-1\"",
        "class=\"found\"",
        "class=\"passed\"",
        "Slowest tests",
        "1.250 s",
        "one file is damaged",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let test = "test_h.py::h";
    let of_one = history::page(&kept(true).of_test(test), Some(test), &[], &About::default());
    assert!(of_one.contains(&format!("<h1>{test}: 1 new, 0 back")), "{of_one}");
    let cut = history::page(&kept(false), None, &[], &About::default());
    assert!(cut.contains("did not come to its end"), "{cut}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_name_of_a_test_is_markup(
        names in prop::collection::btree_set(r#"(</?script>|<!--|]]>|"|'|&|<img src=x onerror=alert\(1\)>|\\u003c|[a-z]|🥚|é){1,12}"#, 8..12),
    ) {
        let mut outline = everything();
        let names: Vec<String> = names.into_iter().collect();
        outline.collected.suite = named(names.clone());
        let trials = trials(&outline.collected.suite, 3, 3);
        let page = written(&outline, &trials);
        prop_assert_eq!(page.matches("<script").count(), 2, "the data and the script");
        prop_assert_eq!(page.matches("</script").count(), 2);
        prop_assert!(!page.contains("<img") && !page.contains("<!--"));
        let start = page.find("id=\"data\">").expect("the data") + "id=\"data\">".len();
        let json = &page[start..];
        let json: serde_json::Value =
            serde_json::from_str(&json[..json.find("</script").expect("its end")]).expect("JSON");
        let mut before: Vec<u16> = Vec::new();
        let mut read = Vec::new();
        for name in json["names"].as_array().expect("names") {
            let shared = name[0].as_u64().expect("a number") as usize;
            before.truncate(shared);
            before.extend(name[1].as_str().expect("a text").encode_utf16());
            read.push(String::from_utf16(&before).expect("a text"));
        }
        let ids: Vec<String> = outline.collected.suite.tests.iter().map(|test| test.id.to_string()).collect();
        prop_assert_eq!(read, ids);
    }

    #[test]
    fn a_text_is_cut_in_its_middle_to_what_fits(text in ".{0,60}", most in 1_usize..40) {
        let cut = crate::report::words::cut(&text, most);
        prop_assert!(cut.chars().count() <= most.max(1));
        prop_assert_eq!(cut == text || cut.contains('…'), true);
    }
}
