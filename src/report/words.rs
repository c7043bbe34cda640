//! The words in which findings are told, used by every report.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use crate::explain::Explanation;
use crate::finding::group::Group;
use crate::finding::known::{Known, Same};
use crate::finding::{Elsewhere, Finding, Kind, NoCommand, Origin};
use crate::judge::observation::FailureMatcher;
use crate::judge::signature::{FailureLocation, Signature};
use crate::judge::statistics::Tally;
use crate::race::trace::Trace;
use crate::state::Place;
use crate::suite::{Fixture, Phase, Suite, Test, TestIndex};

/// What the other tests of a minimal failure are to the one that fails.
pub(crate) fn role(kind: Kind) -> &'static str {
    match kind {
        Kind::Brittle => "state-setter",
        Kind::Race => "concurrent",
        _ => "polluter",
    }
}

/// What a finding is in common words, and then in the field's: `fails after another test (victim)`.
pub(crate) fn heading(finding: &Finding) -> String {
    let (tests, imports) = finding.causes();
    let others = tests.iter().filter(|&&test| Some(test) != finding.test).count();
    let common = common(finding.kind, finding.given_up.is_some(), (others, imports.len()));
    format!("{common} ({})", finding.kind.name())
}

/// A kind in common words, by how many tests and imports cause it, unless the search for these was given up.
pub(super) fn common(kind: Kind, given_up: bool, (tests, imports): (usize, usize)) -> &'static str {
    match (kind, tests, imports) {
        (Kind::Victim, ..) if given_up => "fails with other tests",
        (Kind::Brittle, ..) if given_up => "needs other tests",
        (Kind::Victim, 0, 1..) => "fails after an import",
        (Kind::Victim, 0 | 1, 0) => "fails after another test",
        (Kind::Victim, ..) => "fails after other tests",
        (Kind::Brittle, 0, 1..) => "needs an import",
        (Kind::Brittle, 0 | 1, 0) => "needs another test",
        (Kind::Brittle, ..) => "needs other tests",
        (Kind::Nio, ..) => "fails when run twice",
        (Kind::Race, ..) => "fails beside another worker",
        (Kind::UnstableCollection, ..) => "is not collected the same each time",
        (Kind::HashSeed, ..) => "depends on PYTHONHASHSEED",
        (Kind::RandomDraws, ..) => "depends on random draws",
        (Kind::Nod, ..) => "flaky",
        (Kind::Unreproduced, ..) => "unclear",
        (Kind::Broken, ..) => "fails alone too",
        (Kind::Leftover, ..) => "leaves files in the project",
    }
}

/// A test with the line that defines it, as editors and terminals know places: `tests/test_cart.py:14 test_total`. Its id
/// where the line is not known.
pub(crate) fn test(suite: &Suite, test: TestIndex) -> String {
    let Test { id, file, line, .. } = suite.test(test);
    let (id, Some(line)) = (id.to_string(), line) else {
        return id.to_string();
    };
    match id.strip_prefix(file.as_str()).and_then(|rest| rest.strip_prefix("::")) {
        Some(name) => format!("{file}:{line} {name}"),
        // A class of another file's, of which this one inherits.
        None => format!("{id} ({file}:{line})"),
    }
}

/// One line that says what the kind means.
pub(crate) fn meaning(finding: &Finding) -> Cow<'static, str> {
    if let Some(delay) = finding.trace.as_ref().and_then(|trace| trace.delay.as_ref()) {
        return format!("passes alone and in its worker's order, fails if the other worker {delay}").into();
    }
    Cow::Borrowed(match finding.kind {
        Kind::Victim | Kind::Race | Kind::Brittle if finding.given_up.is_some() => {
            "fails with others otherwise than alone; which of them it takes was not found"
        }
        Kind::Victim if finding.passes_after.is_some() => {
            "is skipped alone, passes after some tests and fails after others: the order decides"
        }
        Kind::Victim if finding.takes_a_second_run() => {
            "passes alone, fails when run a second time in the same process after what is named below"
        }
        Kind::Victim if of_shared_teardown(finding) && finding.fails_at_times() => {
            "a fixture it shares is torn down well when it runs alone, and at times not after what is named below"
        }
        Kind::Victim if of_shared_teardown(finding) => {
            "a fixture it shares is torn down well when it runs alone, and not after what is named below"
        }
        Kind::Victim if finding.fails_by_chance_too() => {
            "fails alone at times, and each time after what is named below"
        }
        Kind::Victim if finding.fails_at_times() => "passes alone, fails at times after what is named below",
        Kind::Victim => "passes alone, fails after what is named below",
        Kind::Brittle => "fails alone, passes after what is named below",
        Kind::Nio => "passes once, fails when run a second time in the same process: it pollutes itself",
        Kind::Race => {
            "passes alone and in its worker's order, fails while another worker runs what is named below"
        }
        Kind::UnstableCollection if finding.differs_under_one_hash_seed() => {
            "what is collected, or its order, changes from run to run, whatever PYTHONHASHSEED"
        }
        Kind::UnstableCollection => "what is collected, or its order, changes with PYTHONHASHSEED",
        Kind::HashSeed => "passes or fails by PYTHONHASHSEED, alone as well: not an isolation failure",
        Kind::RandomDraws => "passes or fails by random draws, alone as well: not an isolation failure",
        Kind::Nod => {
            "passes and fails under one and the same plan: non-deterministic, not an isolation failure"
        }
        Kind::Unreproduced if finding.fails_in_trials_only() => {
            "fails alone in all of jostle's runs and not so in plain pytest: it could not be judged"
        }
        Kind::Unreproduced if finding.note.is_some() => {
            "failed in a trial; the note says why no claim is made"
        }
        Kind::Unreproduced if finding.with.always() => {
            "failed each time again, and not clearly for what ran beside it: no claim is made"
        }
        Kind::Unreproduced if finding.with.failed > 0 => {
            "failed again at times, and not clearly for what ran beside it: no claim is made"
        }
        Kind::Unreproduced => "failed once and not again: no claim is made",
        Kind::Leftover => "left in the project what was not there, or not so, before",
        Kind::Broken if finding.plain.runs == 0 => {
            "fails alone and wherever it was run; whether in plain pytest too is not known"
        }
        Kind::Broken => "fails alone and wherever it was run: an ordinary bug, not an isolation failure",
    })
}

/// Whether what fails is the teardown of a fixture that tests share.
fn of_shared_teardown(finding: &Finding) -> bool {
    finding.failure.as_ref().is_some_and(|failure| failure.shared_teardown().is_some())
}

/// `victim test_b, polluter test_a`.
pub(crate) fn in_short(finding: &Finding, suite: &Suite) -> String {
    let test = finding.test.map_or_else(|| "the suite".to_owned(), |test| suite.test(test).id.to_string());
    let (culprits, imports) = finding.causes();
    let culprits = culprits.iter().map(|&culprit| suite.test(culprit).id.to_string());
    let causes: Vec<String> =
        culprits.chain(imports.iter().map(|file| format!("import of {file}"))).collect();
    if causes.is_empty() {
        return format!("{} {test}", finding.kind.name());
    }
    format!("{} {test}, {} {}", finding.kind.name(), role(finding.kind), causes.join(" and "))
}

/// `teardown of fixture `db` (scope module)`.
pub(crate) fn fixture(fixture: &Fixture) -> String {
    format!("{} of fixture `{}` (scope {})", fixture.phase.name(), fixture.name, fixture.scope)
}

/// What fails, if it fails as wanted.
pub(crate) fn wanted(wanted: &FailureMatcher, suite: &Suite) -> String {
    match wanted {
        FailureMatcher::Signature(Signature { test, .. })
        | FailureMatcher::At(Signature { test, .. }, _)
        | FailureMatcher::Failure(test) => suite.test(*test).id.to_string(),
        FailureMatcher::Fixture(fixture, _) => self::fixture(fixture),
        FailureMatcher::Location(crash) => format!("a test, with {},", crash.exception),
    }
}

/// `5 polluters, 6 victims`, `1 state-setter, 2 brittle tests`: the tests that have to do with a place.
pub(crate) fn group(group: &Group) -> String {
    if group.polluters.len() == 1 && group.polluters == group.victims {
        return "1 test that pollutes itself".into();
    }
    let sorts = [
        (&group.polluters, "polluter"),
        (&group.victims, "victim"),
        (&group.state_setters, "state-setter"),
        (&group.brittle, "brittle test"),
    ];
    let words = sorts.iter().filter(|(tests, _)| !tests.is_empty());
    words.map(|(tests, noun)| count(tests.len(), noun)).collect::<Vec<_>>().join(", ")
}

/// What was seen of the places that changed as well: `putting back the 3 other places that changed does not
/// help`. None if that was not tried.
pub(crate) fn others(explanation: &Explanation) -> Option<String> {
    let rest = explanation.changed.saturating_sub(explanation.places.len());
    let which = match explanation.others {
        0 => return None,
        1 if rest == 1 => "the other place that changed".to_owned(),
        all if all == rest => format!("the {all} other places that changed"),
        some => format!("{some} of the {rest} other places that changed"),
    };
    Some(format!("putting back {which} does not help"))
}

/// What the line did that stands for the reading of a place: files and modules are seen being opened and imported,
/// of all else the line names it.
pub(crate) fn reading(place: &Place) -> &'static str {
    match place.name.starts_with("file ") || place.name.starts_with("sys.modules[") {
        true => "read at",
        false => "named at",
    }
}

/// Why no plain pytest command shows a failure.
pub(crate) fn no_command(why: NoCommand, suite: &Suite) -> String {
    match why {
        NoCommand::Twice => "none: pytest runs a test once, however often its id is named".into(),
        NoCommand::Workers => {
            "none is sure to: it takes two workers whose calls come in this order, which pytest-xdist leaves to chance"
                .into()
        }
        NoCommand::Order(first, second) => {
            let [first, second] = [first, second].map(|test| &suite.test(test).id);
            format!("none shows it: plain pytest runs {first} before {second}")
        }
        NoCommand::Passed(runs) => {
            format!("none shows it: it did not fail in {} of plain pytest", count(runs as usize, "run"))
        }
        NoCommand::AtTimes(Tally { runs, failed }) => {
            format!("none shows it each time: it failed in {failed} of {runs} runs of plain pytest")
        }
        NoCommand::Elsewhere(Elsewhere::Sandbox) => {
            "none shows it: it passes outside of a trial's sandbox, and fails in it without jostle's plugin and variables \
             too. Show trials what it needs with --share PATH, or use no sandbox (--sandbox off)"
                .into()
        }
        NoCommand::Elsewhere(Elsewhere::Jostle) => {
            "none shows it: it passes without jostle's plugin and the variables that jostle sets".into()
        }
        NoCommand::Elsewhere(Elsewhere::Skipped) => "none shows it: plain pytest skips it, or expects it to fail".into(),
        NoCommand::Elsewhere(Elsewhere::Unknown) => "none shows it each time".into(),
    }
}

/// How a test fails: `KeyError in load (shop/files.py), in its setup`.
pub(crate) fn crash(crash: &FailureLocation) -> String {
    let FailureLocation { phase, exception, file, function } = crash;
    let place = if file.is_empty() { function.clone() } else { format!("in {function} ({file})") };
    let phase = if *phase == Phase::Call { String::new() } else { format!(", in its {}", phase.name()) };
    format!("{exception} {place}{phase}")
}

/// `suite order`, `trial 7`.
pub(crate) fn origin(origin: Origin) -> String {
    match origin {
        Origin::Baseline => "suite order".into(),
        Origin::Alone => "each test alone".into(),
        Origin::Twice => "every test twice".into(),
        Origin::Apart(0) => "tests that take their process along, before all others".into(),
        Origin::Apart(number) => {
            format!("run {number} of a test that takes its process along, after all others")
        }
        Origin::LeftOver(number) => format!("run {} of what the session before did not judge", number + 1),
        Origin::Suspected(number) => {
            format!("run {number} of the suspected tests before or after all others")
        }
        Origin::Leaking(number) => {
            format!("run {number} of a test directly after those that leave what it names")
        }
        Origin::Part(number) => format!("part {number} of suite order with the named test after it"),
        Origin::Trial(index) => format!("trial {index}"),
        Origin::Adjacent(row) => format!("row {row} of every test directly after every other"),
        Origin::Pair(number) => format!("run {number} of two tests by themselves"),
        Origin::Recording => "the recording run".into(),
        Origin::Race(index) => format!("race trial {index}"),
        Origin::Replay => "the replayed plan".into(),
    }
}

/// The same within a sentence: `failed in trial 7`, `failed in the run of every test twice`.
pub(crate) fn within(origin: Origin) -> String {
    match origin {
        Origin::Alone => "the runs of each test alone".into(),
        Origin::Twice => "the run of every test twice".into(),
        origin => self::origin(origin),
    }
}

/// What a race is on: `file $TMPDIR/a.txt`, `folder $TMPDIR/shelf, here its file jars.json`.
pub(crate) fn raced_on(trace: &Trace) -> String {
    let inside = trace.folder.as_deref().and_then(|folder| {
        let path = trace.resource.0.strip_prefix("file:")?;
        Some((folder, path.strip_prefix(folder)?.trim_start_matches('/')))
    });
    match inside {
        Some((folder, name)) => format!("folder {folder}, here its file {name}"),
        None => trace.resource.to_string(),
    }
}

/// A command of plain pytest as it is typed where the project is as well, but not this Python.
pub(crate) fn elsewhere(command: &str) -> String {
    let portable = || {
        let (before, after) = command.split_once(" -m pytest")?;
        let python = shlex::split(before)?.pop()?;
        let variables = before.strip_suffix(&*shlex::try_quote(&python).ok()?)?;
        Some(format!("{variables}python -m pytest{after}"))
    };
    portable().unwrap_or_else(|| command.to_owned())
}

/// `4 of 4 runs`.
pub(crate) fn tally(tally: Tally) -> String {
    format!("{} of {} {}", tally.failed, tally.runs, if tally.runs == 1 { "run" } else { "runs" })
}

/// `2026-11-24 02:00` in UTC, of so many milliseconds since 1970.
pub(crate) fn minute(milliseconds: u64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)).unwrap_or(UNIX_EPOCH);
    let text = humantime::format_rfc3339_seconds(at).to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

/// `1 test`, `2 tests`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `1 fix`, `2 fixes`.
pub(crate) fn count_of(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

/// `a, b and c`.
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// How a finding is known: `failures/victim-test_total-1f6a09c2.json`.
pub(crate) fn known(known: &Known) -> String {
    match known.same {
        Same::Failure => known.file.clone(),
        Same::State => format!("{}, the same state left by another test", known.file),
    }
}

/// `8 of 8 runs with the polluter, 0 of 8 runs without`; none of what takes no other test to fail.
pub(crate) fn with_and_without(finding: &Finding) -> Option<String> {
    let role = match finding.kind {
        Kind::Victim | Kind::Race | Kind::Brittle => role(finding.kind),
        _ => return None,
    };
    let (tests, imports) = finding.causes();
    let role = match tests.len() + imports.len() {
        _ if finding.kind == Kind::Race => "other worker".into(),
        _ if finding.given_up.is_some() => "other tests".into(),
        2.. => format!("{role}s"),
        _ => role.to_owned(),
    };
    let without_it = if finding.passes_after.is_some() { "after what it passes after" } else { "without" };
    let [with, without] = [finding.with, finding.without].map(tally);
    Some(format!("{with} with the {role}, {without} {without_it}"))
}

/// How often a finding's test failed in the runs that judged it, if there were any.
pub(crate) fn how_often(finding: &Finding) -> Option<String> {
    let [with, without] = [finding.with, finding.without].map(tally);
    let plain = finding.plain.runs > 0;
    Some(match finding.kind {
        Kind::Victim | Kind::Race | Kind::Brittle => return with_and_without(finding),
        Kind::Nio => format!("{with} when run twice, {without} the first time"),
        Kind::Nod | Kind::RandomDraws => {
            let both = Tally {
                runs: finding.with.runs + finding.without.runs,
                failed: finding.with.failed + finding.without.failed,
            };
            let (low, high) = both.interval();
            format!("{} (95 % interval {:.0}–{:.0} %)", tally(both), low * 100.0, high * 100.0)
        }
        _ if plain => format!("{without} alone, {} of plain pytest", tally(finding.plain)),
        Kind::HashSeed | Kind::Broken => format!("{without} alone"),
        Kind::Unreproduced if finding.with.runs + finding.without.runs == 0 => return None,
        Kind::Unreproduced if finding.with.runs == 0 => format!("{without} alone"),
        Kind::Unreproduced => format!("{with} of the same plan again, {without} alone"),
        Kind::UnstableCollection | Kind::Leftover => return None,
    })
}

/// What is advised against a race.
pub(crate) fn against_race(trace: &Trace) -> &'static str {
    match &trace.delay {
        _ if trace.resource.is_connections() => {
            "none is tried for a race: have each worker hold fewer connections (a smaller pool, one that is closed), or let \
             the server give more (max_connections)"
        }
        None => {
            "none is tried for a race: give each worker one of its own (tmp_path, port 0, worker_id), or make these calls \
             one step (a lock, os.replace)"
        }
        Some(_) => {
            "none is tried for a race: give each worker one of its own (tmp_path, port 0, worker_id), or have the test \
             wait for longer"
        }
    }
}

/// `3 isolation failures, 2 of them known`.
pub(crate) fn failures(found: usize, known: usize) -> String {
    let all = count(found, "isolation failure");
    match (found, known) {
        (_, 0) => all,
        (1, _) => format!("{all}, which is known"),
        (_, known) if known == found => format!("{all}, all known"),
        (_, known) => format!("{all}, {known} of them known"),
    }
}

/// A text of no more than so many characters: its middle is left out.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let kept = most.saturating_sub(1);
    let (before, after) = (kept / 2, kept - kept / 2);
    text.chars().take(before).chain(['…']).chain(text.chars().skip(length - after)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::suite::TestIndex;

    fn tests(count: u32) -> BTreeSet<TestIndex> {
        (0..count).map(TestIndex).collect()
    }

    #[test]
    fn a_command_for_elsewhere_names_no_python_of_this_machine() {
        let of = |command: &str| elsewhere(command);
        assert_eq!(of("/opt/py/bin/python -m pytest a.py::b"), "python -m pytest a.py::b");
        assert_eq!(
            of("PYTHONHASHSEED=3 '/my env/bin/python3' -m pytest 'a.py::b[ -m pytest]'"),
            "PYTHONHASHSEED=3 python -m pytest 'a.py::b[ -m pytest]'"
        );
        assert_eq!(of("python3 -m pytest a.py"), "python -m pytest a.py");
        assert_eq!(of("pytest a.py"), "pytest a.py");
    }

    #[test]
    fn the_tests_of_a_place_are_called_what_they_are() {
        let none = || Group {
            place: "a".into(),
            polluters: tests(0),
            victims: tests(0),
            state_setters: tests(0),
            brittle: tests(0),
            cleaners: tests(0),
            findings: 1,
        };
        let brittle = Group { state_setters: tests(5), brittle: tests(6), ..none() };
        assert_eq!(group(&brittle), "5 state-setters, 6 brittle tests");
        let mixed = Group { polluters: tests(1), victims: tests(2), brittle: tests(1), ..none() };
        assert_eq!(group(&mixed), "1 polluter, 2 victims, 1 brittle test");
        let nio = Group { polluters: tests(1), victims: tests(1), ..none() };
        assert_eq!(group(&nio), "1 test that pollutes itself");
        let in_turn = Group { polluters: tests(2), victims: tests(2), ..none() };
        assert_eq!(group(&in_turn), "2 polluters, 2 victims");
    }

    #[test]
    fn how_a_test_fails_is_told_with_its_phase_unless_that_is_its_body() {
        let told = |phase, file: &str| {
            let (exception, file, function) = ("KeyError".into(), file.into(), "load".into());
            crash(&FailureLocation { phase, exception, file, function })
        };
        assert_eq!(told(Phase::Call, "shop.py"), "KeyError in load (shop.py)");
        assert_eq!(told(Phase::Setup, "shop.py"), "KeyError in load (shop.py), in its setup");
        assert_eq!(told(Phase::Call, ""), "KeyError load");
    }

    #[test]
    fn what_was_not_put_back_is_not_said_to_be_no_help() {
        let words = |places: usize, changed: usize, tried: usize| {
            let place = Place::example("a");
            others(&Explanation {
                confirmed: true,
                places: vec![place; places],
                alone: tried > 0,
                others: tried,
                changed,
                experiments: 1,
                ..Explanation::default()
            })
        };
        assert_eq!(words(1, 1, 0), None, "nothing else had changed");
        assert_eq!(words(1, 5, 0), None, "nothing else could be put back");
        let said = |which: &str| Some(format!("putting back {which} does not help"));
        assert_eq!(words(1, 2, 1), said("the other place that changed"));
        assert_eq!(words(2, 5, 3), said("the 3 other places that changed"));
        assert_eq!(words(1, 5, 3), said("3 of the 4 other places that changed"));
    }
}
