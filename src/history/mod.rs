//! What many sessions say together: what is new and what is gone, how often tests fail, since when.
//!
//! Pure: what is known of the sessions comes in as values.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::finding::Kind;
use crate::judge::Tally;

/// A session that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// When it started, in milliseconds since 1970 (UTC).
    pub started: u64,
    /// The seed.
    pub seed: u64,
    /// The commit of the project, if it is in git.
    pub revision: Option<String>,
    /// How many tests the suite had.
    pub tests: u64,
    /// How many seeded trials were run.
    pub trials: u64,
    /// Whether it came to its end.
    pub ended: bool,
    /// Which of the tests that any session has a finding of it ran.
    #[serde(skip)]
    pub ran: BTreeSet<String>,
    /// Whether tests in conflict were raced.
    pub raced: bool,
    /// What was found.
    pub findings: Vec<Found>,
    /// The tests that were seen to fail and could not be judged, each once for each way in which it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<String>,
}

impl Session {
    fn has(&self, found: &Found) -> bool {
        self.findings.iter().any(|other| other.identity() == found.identity())
    }

    /// Whether it has the finding; nothing if it does not say.
    pub(crate) fn has_found(&self, found: &Found) -> Option<bool> {
        self.says(found).then(|| self.has(found))
    }

    /// Whether it would have the finding if it were still there: it ran the test, and, for a race, raced.
    fn says(&self, found: &Found) -> bool {
        let ran = found.test.as_ref().is_none_or(|test| self.ran.contains(test));
        self.has(found) || self.ended && ran && (found.kind != Kind::Race.name() || self.raced)
    }
}

/// A finding of a session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Found {
    /// The name of its kind.
    pub kind: String,
    /// The test; none for what concerns the whole suite.
    pub test: Option<String>,
    /// The finding in one line.
    #[serde(rename = "told")]
    pub summary: String,
    /// Whether it counts as an isolation failure.
    pub counts: bool,
    /// In how many seeded trials the test was run until it failed in one, that one counted; none if it failed in none.
    pub after: Option<u64>,
}

impl Found {
    /// What makes findings of different sessions the same: polluters may change, and one of several may be named.
    fn identity(&self) -> (&str, Option<&str>) {
        (&self.kind, self.test.as_deref())
    }
}

/// How often a test failed in the seeded trials of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// The test.
    pub test: String,
    /// The session's name.
    pub night: String,
    /// Its runs.
    pub(crate) tally: Tally,
}

/// How long a test takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slow {
    /// The test.
    pub test: String,
    /// How many runs there were.
    pub runs: u64,
    /// Seconds of the mean run.
    pub mean: f64,
    /// Seconds of the longest.
    pub(crate) longest: f64,
}

/// A finding over all sessions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// As it was found last.
    #[serde(flatten)]
    pub found: Found,
    /// In how many of the sessions.
    pub nights: usize,
    /// The name of the first.
    pub first: String,
    /// The commit of the project then.
    pub first_revision: Option<String>,
    /// The name of the last.
    pub last: String,
    /// Whether it is in the last session, and how it comes there.
    pub status: Status,
}

/// What became of a finding in the last session that came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// No session before had it.
    New,
    /// The one before had it not, an earlier one had.
    Back,
    /// The one before had it.
    Still,
    /// The one before had it, and the last has not.
    Gone,
    /// It did not run the test, or raced no tests; an earlier one had it.
    NotRun,
    /// Only earlier ones had it.
    Past,
}

/// How often a test fails in seeded trials.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rate {
    /// The test.
    pub test: String,
    /// In all sessions.
    #[serde(flatten)]
    pub all: Share,
    /// In each session that ran it, the oldest first.
    pub nights: Vec<NightRate>,
}

/// How often a test failed in one session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NightRate {
    /// The session's name.
    pub night: String,
    /// How often.
    #[serde(flatten)]
    pub share: Share,
}

/// A share of failing runs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Share {
    /// Runs and failures.
    #[serde(flatten)]
    pub(crate) tally: Tally,
    /// The failing rate.
    pub rate: f64,
    /// The exact interval of the rate at 95 % (Clopper & Pearson 1934).
    pub(crate) interval: (f64, f64),
}

impl From<Tally> for Share {
    fn from(tally: Tally) -> Self {
        Self { tally, rate: tally.rate(), interval: tally.interval() }
    }
}

/// All that the history says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The sessions, the oldest first.
    pub nights: Vec<Session>,
    /// The findings, those of the last session first.
    pub findings: Vec<Seen>,
    /// The tests that failed in seeded trials, those that fail most often first.
    pub rates: Vec<Rate>,
    /// The slowest tests.
    pub slowest: Vec<Slow>,
}

impl Summary {
    /// The last session that came to its end; what is new is new in that.
    pub fn last(&self) -> Option<&Session> {
        self.nights.iter().rev().find(|night| night.ended)
    }

    /// What it says of one test. Rates and times are left as they are: who asks for one test has only those of it.
    #[must_use]
    pub fn of_test(mut self, test: &str) -> Self {
        let is_of = |found: &Found| found.test.as_deref() == Some(test);
        self.findings.retain(|seen| is_of(&seen.found));
        for night in &mut self.nights {
            night.findings.retain(is_of);
            night.unjudged.retain(|name| name == test);
        }
        self
    }
}

/// Puts together what is known of the sessions, in whichever order it comes.
pub fn summarise(mut nights: Vec<Session>, failing: Vec<Failing>, slowest: Vec<Slow>) -> Summary {
    nights.sort_by(|one, other| (one.started, &one.name).cmp(&(other.started, &other.name)));
    let findings = findings(&nights);
    let rates = rates(&nights, failing);
    Summary { nights, findings, rates, slowest }
}

fn findings(nights: &[Session]) -> Vec<Seen> {
    let ended: Vec<&Session> = nights.iter().filter(|night| night.ended).collect();
    let mut seen_before = BTreeSet::new();
    let mut all = Vec::new();
    for night in ended.iter().rev() {
        for found in &night.findings {
            if !seen_before.insert(found.identity()) {
                continue;
            }
            let with: Vec<&&Session> = ended.iter().filter(|night| night.has(found)).collect();
            let told_by: Vec<&&Session> = ended.iter().filter(|night| night.says(found)).collect();
            let (Some(first), Some(last)) = (with.first(), with.last()) else {
                continue;
            };
            let in_last = |back: usize| told_by.iter().rev().nth(back).is_some_and(|night| night.has(found));
            let status = match (in_last(0), in_last(1)) {
                _ if told_by.last().map(|night| &night.name) != ended.last().map(|night| &night.name) => {
                    Status::NotRun
                }
                (true, true) => Status::Still,
                (true, false) if with.len() == 1 => Status::New,
                (true, false) => Status::Back,
                (false, true) => Status::Gone,
                (false, false) => Status::Past,
            };
            all.push(Seen {
                found: found.clone(),
                nights: with.len(),
                first: first.name.clone(),
                first_revision: first.revision.clone(),
                last: last.name.clone(),
                status,
            });
        }
    }
    all.sort_by(|one, other| (one.status, &one.found).cmp(&(other.status, &other.found)));
    all
}

fn rates(nights: &[Session], failing: Vec<Failing>) -> Vec<Rate> {
    let mut tests: BTreeMap<String, BTreeMap<String, Tally>> = BTreeMap::new();
    for Failing { test, night, tally } in failing {
        tests.entry(test).or_default().insert(night, tally);
    }
    let rate = |(test, mut tallies): (String, BTreeMap<String, Tally>)| {
        let of_night = |night: &Session| {
            let tally = tallies.remove(&night.name)?;
            Some(NightRate { night: night.name.clone(), share: tally.into() })
        };
        let nights: Vec<NightRate> = nights.iter().filter_map(of_night).collect();
        let all = nights.iter().fold(Tally::default(), |all, night| Tally {
            runs: all.runs + night.share.tally.runs,
            failed: all.failed + night.share.tally.failed,
        });
        Rate { test, all: all.into(), nights }
    };
    let mut rates: Vec<Rate> = tests.into_iter().map(rate).collect();
    rates.sort_by(|one, other| {
        other.all.rate.total_cmp(&one.all.rate).then_with(|| one.test.cmp(&other.test))
    });
    rates
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(test: &str) -> Found {
        let (kind, summary) = ("victim".into(), format!("victim {test}"));
        Found { kind, test: Some(test.into()), summary, counts: true, after: None }
    }

    fn night(at: u64, ended: bool, tests: &[&str]) -> Session {
        Session {
            name: format!("night-{at}"),
            started: at,
            seed: at,
            revision: Some(format!("commit-{at}")),
            tests: 9,
            trials: 2,
            ran: ["new", "back", "still", "gone", "past", "a", "b", "c", "d"].map(str::to_owned).into(),
            raced: false,
            ended,
            findings: tests.iter().map(|test| found(test)).collect(),
            unjudged: Vec::new(),
        }
    }

    #[test]
    fn what_is_new_back_still_there_gone_and_past_is_told_apart() {
        let nights = vec![
            night(3, true, &["new", "back", "still"]),
            night(1, true, &["back", "past"]),
            night(4, false, &[]),
            night(2, true, &["still", "gone"]),
        ];
        let summary = summarise(nights, Vec::new(), Vec::new());
        assert_eq!(summary.last().map(|night| night.started), Some(3));
        let seen: Vec<(Option<&str>, Status, &str)> = summary
            .findings
            .iter()
            .map(|seen| (seen.found.test.as_deref(), seen.status, seen.first.as_str()))
            .collect();
        let expected = [
            (Some("new"), Status::New, "night-3"),
            (Some("back"), Status::Back, "night-1"),
            (Some("still"), Status::Still, "night-2"),
            (Some("gone"), Status::Gone, "night-2"),
            (Some("past"), Status::Past, "night-1"),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn of_what_the_last_session_did_not_run_nothing_is_claimed() {
        let race =
            |night: &mut Session| night.findings.iter_mut().for_each(|found| found.kind = "race".into());
        let mut nights = vec![night(1, true, &["a", "b"]), night(2, true, &["c"]), night(3, true, &[])];
        nights[2].ran.remove("a");
        race(&mut nights[1]);
        let status = |nights: &[Session]| {
            let summary = summarise(nights.to_vec(), Vec::new(), Vec::new());
            let of = |seen: Seen| (seen.found.test.unwrap_or_default(), seen.status);
            summary.findings.into_iter().map(of).collect::<BTreeMap<_, _>>()
        };
        let expected = [("a", Status::NotRun), ("b", Status::Past), ("c", Status::NotRun)];
        assert_eq!(status(&nights), expected.map(|(test, status)| (test.to_owned(), status)).into());
        nights[2].raced = true;
        assert_eq!(status(&nights)["c"], Status::Gone);
        // The one before the last said nothing of it either, but the one before that had it.
        nights[1].ran.remove("b");
        assert_eq!(status(&nights)["b"], Status::Gone);
    }

    #[test]
    fn of_one_test_its_own_findings_are_told() {
        let nights = vec![night(1, true, &["a", "b"]), night(2, true, &["b"])];
        let summary = summarise(nights, Vec::new(), Vec::new()).of_test("b");
        let told = |found: &[Found]| found.iter().filter_map(|found| found.test.clone()).collect::<Vec<_>>();
        assert_eq!(
            summary.findings.iter().map(|seen| seen.found.test.as_deref()).collect::<Vec<_>>(),
            [Some("b")]
        );
        assert_eq!(
            summary.nights.iter().map(|night| told(&night.findings)).collect::<Vec<_>>(),
            [["b"], ["b"]]
        );
    }

    #[test]
    fn rates_are_those_of_all_sessions_and_of_each_the_highest_first() {
        let nights = vec![night(2, true, &[]), night(1, false, &[])];
        let failing = |test: &str, at: u64, failed: u32, runs: u32| {
            let (test, night, tally) = (test.to_owned(), format!("night-{at}"), Tally { runs, failed });
            Failing { test, night, tally }
        };
        let told =
            vec![failing("a", 1, 2, 5), failing("b", 2, 3, 4), failing("a", 2, 1, 7), failing("c", 2, 3, 4)];
        let summary = summarise(nights, told, Vec::new());
        let tally = |failed, runs| Tally { runs, failed };
        type Told<'a> = (&'a str, Tally, Vec<(&'a str, Tally)>);
        let rates: Vec<Told<'_>> = summary
            .rates
            .iter()
            .map(|rate| {
                let each =
                    rate.nights.iter().map(|night| (night.night.as_str(), night.share.tally)).collect();
                (rate.test.as_str(), rate.all.tally, each)
            })
            .collect();
        let of_a = vec![("night-1", tally(2, 5)), ("night-2", tally(1, 7))];
        let of_others = vec![("night-2", tally(3, 4))];
        assert_eq!(
            rates,
            [("b", tally(3, 4), of_others.clone()), ("c", tally(3, 4), of_others), ("a", tally(3, 12), of_a)]
        );
        let all = summary.rates[2].all;
        assert_eq!((all.rate, all.interval), (0.25, tally(3, 12).interval()));
    }

    proptest! {
        #[test]
        fn the_order_in_which_sessions_are_told_makes_no_difference(
            sets in proptest::collection::vec((proptest::bool::ANY, proptest::collection::btree_set("[a-d]", 0..4)), 0..6),
            order in any::<prop::sample::Index>(),
        ) {
            let nights: Vec<Session> = (0_u64..).zip(&sets).map(|(at, (ended, tests))| {
                night(at, *ended, &tests.iter().map(String::as_str).collect::<Vec<_>>())
            }).collect();
            let mut turned = nights.clone();
            if !turned.is_empty() {
                turned.rotate_left(order.index(nights.len()));
            }
            let summary = summarise(nights, Vec::new(), Vec::new());
            prop_assert_eq!(&summary, &summarise(turned, Vec::new(), Vec::new()));
            let last = summary.last().map_or(0, |night| night.findings.len());
            let there = |seen: &&Seen| matches!(seen.status, Status::New | Status::Back | Status::Still);
            prop_assert_eq!(summary.findings.iter().filter(there).count(), last);
        }
    }
}
