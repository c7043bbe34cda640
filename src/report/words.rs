//! The words in which findings are told, used by every report.

use crate::judge::finding::{Finding, Kind, Origin};
use crate::judge::known::{Known, Same};
use crate::judge::sight::Wanted;
use crate::judge::signature::Signature;
use crate::judge::statistics::Tally;
use crate::run::Fixture;
use crate::suite::Suite;

/// What the other tests of a minimal failure are to the one that fails.
pub fn role(kind: Kind) -> &'static str {
    match kind {
        Kind::Brittle => "state-setter",
        Kind::Race => "concurrent",
        _ => "polluter",
    }
}

/// One line that says what the kind means.
pub fn meaning(finding: &Finding) -> &'static str {
    match finding.kind {
        Kind::Victim | Kind::Race | Kind::Brittle if finding.given_up.is_some() => {
            "fails with others otherwise than alone; which of them it takes was not found"
        }
        Kind::Victim if of_shared_teardown(finding) && finding.fails_at_times() => {
            "a fixture it shares is torn down well when it runs alone, and at times not after what is named below"
        }
        Kind::Victim if of_shared_teardown(finding) => {
            "a fixture it shares is torn down well when it runs alone, and not after what is named below"
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
        Kind::Unreproduced if finding.note.is_some() => {
            "failed in a trial; the note says why no claim is made"
        }
        Kind::Unreproduced if finding.with.failed > 0 => {
            "failed again at times, and not clearly for what ran beside it: no claim is made"
        }
        Kind::Unreproduced => "failed once and not again: no claim is made",
        Kind::Leftover => "left in the project what was not there, or not so, before",
        Kind::Broken => "fails alone and wherever it was run: an ordinary bug, not an isolation failure",
    }
}

/// Whether what fails is the teardown of a fixture that tests share.
fn of_shared_teardown(finding: &Finding) -> bool {
    finding.failure.as_ref().is_some_and(|failure| failure.shared_teardown().is_some())
}

/// `victim test_b, polluter test_a`.
pub fn in_short(finding: &Finding, suite: &Suite) -> String {
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
pub fn fixture(fixture: &Fixture) -> String {
    format!("{} of fixture `{}` (scope {})", fixture.phase.name(), fixture.name, fixture.scope)
}

/// What fails, if it fails as wanted.
pub fn wanted(wanted: &Wanted, suite: &Suite) -> String {
    match wanted {
        Wanted::Signature(Signature { test, .. })
        | Wanted::At(Signature { test, .. }, _)
        | Wanted::Failure(test) => suite.test(*test).id.to_string(),
        Wanted::Fixture(fixture, _) => self::fixture(fixture),
        Wanted::Crash(crash) => format!("a test, with {},", crash.exception),
    }
}

/// `suite order`, `trial 7`.
pub fn origin(origin: Origin) -> String {
    match origin {
        Origin::Baseline => "suite order".into(),
        Origin::Alone => "each test alone".into(),
        Origin::Twice => "every test twice".into(),
        Origin::Trial(index) => format!("trial {index}"),
        Origin::Adjacent(row) => format!("row {row} of every test directly after every other"),
        Origin::Recording => "the recording run".into(),
        Origin::Race(index) => format!("race trial {index}"),
        Origin::Replay => "the replayed plan".into(),
    }
}

/// `4 of 4 runs`.
pub fn tally(tally: Tally) -> String {
    format!("{} of {} {}", tally.failed, tally.runs, if tally.runs == 1 { "run" } else { "runs" })
}

/// `1 test`, `2 tests`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// How a finding is known: `failures/victim-test_total-1f6a09c2.json`.
pub fn known(known: &Known) -> String {
    match known.same {
        Same::Failure => known.file.clone(),
        Same::State => format!("{}, the same state left by another test", known.file),
    }
}

/// `3 isolation failures, 2 of them known`.
pub fn failures(found: usize, known: usize) -> String {
    let all = count(found, "isolation failure");
    match (found, known) {
        (_, 0) => all,
        (1, _) => format!("{all}, which is known"),
        (_, known) if known == found => format!("{all}, all known"),
        (_, known) => format!("{all}, {known} of them known"),
    }
}
