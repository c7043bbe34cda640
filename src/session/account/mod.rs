//! What the events of a session come to so far. Each is taken in as it is told, so that whatever ends the session finds
//! here all that was told: no one keeps a finding, a remark or a figure elsewhere.

pub(crate) mod finding_book;
pub(crate) mod leftovers;
pub(crate) mod ran;
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::finding::{Finding, Origin};
use crate::plan::coverage::Coverage;
use crate::plan::{Axes, Plan, Seed};
use crate::race::servers::OutsideServer;
use crate::session::account::finding_book::FindingBook;
use crate::session::account::leftovers::Leftovers;
use crate::session::account::ran::{Ran, part_that_ran};
use crate::session::event::{About, Event};
use crate::session::result::SessionResult;
use crate::session::suspect::suspects;
use crate::suite::{Suite, TestIndex};
use crate::trial::{Collected, Trial};

/// The account.
#[derive(Default)]
pub(crate) struct Account {
    /// What was seen to fail, what of it is still to be looked into, and what was found.
    pub(crate) book: FindingBook,
    /// What the session's trials showed besides; none where they are not run to look for failures, as in a replay.
    search: Option<Search>,
    /// The tests that trials leave out.
    left_out: BTreeSet<TestIndex>,
    /// Servers outside of the trials that tests talk to.
    outside: Vec<OutsideServer>,
    remarks: Vec<(About, String)>,
    probes: u32,
}

/// What is known of trials that look for failures.
struct Search {
    coverage: Coverage,
    ran: Ran,
    leftovers: Leftovers,
    alone: usize,
    trials: u64,
    schedules: u64,
}

impl Account {
    /// An empty account of a session that looks for failures.
    pub(crate) fn of_search(suite: &Suite, book: FindingBook) -> Self {
        let search = Search {
            coverage: Coverage::new(suite),
            ran: Ran::default(),
            leftovers: Leftovers::default(),
            alone: 0,
            trials: 0,
            schedules: 0,
        };
        Self { book, search: Some(search), ..Self::default() }
    }

    /// Takes in an event.
    pub(crate) fn add(&mut self, suite: &Suite, event: &Event<'_>) {
        match event {
            Event::Finished { origin, plan, trial } => self.finished(*origin, plan, trial),
            Event::Probed => self.probes += 1,
            Event::Forgotten => {
                self.book.forget_seen();
                self.search.iter_mut().for_each(|search| search.alone = 0);
                // Trials use the machine's network from here on.
                self.outside
                    .iter_mut()
                    .for_each(|server| server.at.reached = server.at.reached || server.at.port().is_some());
            }
            Event::Raced(schedules) => {
                self.search.iter_mut().for_each(|search| search.schedules += schedules);
            }
            Event::Outside(servers) => {
                let is_told_anew = |known: &OutsideServer| {
                    servers.iter().any(|server| server.at.resource == known.at.resource)
                };
                self.outside.retain(|known| !is_told_anew(known));
                self.outside.extend_from_slice(servers);
            }
            Event::LeftOut(tests) => self.left_out.extend(*tests),
            Event::Remark(about, text) => self.remarks.push((*about, (*text).to_owned())),
            event => self.book.add(suite, event),
        }
    }

    /// Takes in a trial, if it looks for failures: those of races are looked into where they are run.
    fn finished(&mut self, origin: Origin, plan: &Plan, trial: &Trial) {
        let Some(search) = &mut self.search else { return };
        match origin {
            Origin::Recording | Origin::Race(_) | Origin::Replay => return,
            Origin::Trial(_) => search.trials += 1,
            Origin::Alone => search.alone += 1,
            Origin::Baseline
            | Origin::Twice
            | Origin::Apart(_)
            | Origin::LeftOver(_)
            | Origin::Suspected(_)
            | Origin::Leaking(_)
            | Origin::Part(_)
            | Origin::Adjacent(_)
            | Origin::Pair(_) => {}
        }
        if origin.mixes_tests() {
            search.coverage.add(&part_that_ran(plan, trial));
        }
        search.ran.add(trial);
        search.leftovers.add(origin, plan, trial);
        self.book.take_in(suspects(origin, plan, trial));
    }

    /// How many trials ran to their end, the baseline not counted.
    pub(crate) fn trials(&self) -> u64 {
        self.search.as_ref().map_or(0, |search| search.trials)
    }

    /// How many tests were run alone, in the sweep over them.
    pub(crate) fn alone(&self) -> usize {
        self.search.as_ref().map_or(0, |search| search.alone)
    }

    /// The tests that trials leave out.
    pub(crate) fn left_out(&self) -> &BTreeSet<TestIndex> {
        &self.left_out
    }

    /// The server outside of the trials that a test talks to, if it does; one that trials do not reach if there is such.
    pub(crate) fn outside_of(&self, test: TestIndex) -> Option<&OutsideServer> {
        let servers = self.outside.iter().filter(|server| server.tests.contains(&test));
        servers.min_by_key(|server| server.at.reached)
    }

    /// The remarks, those on how plans are run first.
    pub(crate) fn remarks(&self) -> Vec<String> {
        self.remarks_about(|_| true)
    }

    fn remarks_about(&self, wanted: impl Fn(About) -> bool) -> Vec<String> {
        let mut remarks: Vec<&(About, String)> =
            self.remarks.iter().filter(|(about, _)| wanted(*about)).collect();
        remarks.sort_by_key(|(about, _)| *about);
        remarks.into_iter().map(|(_, text)| text.clone()).collect()
    }

    /// What tests were seen to leave behind, as findings that are not told yet.
    pub(crate) fn left_behind(&self) -> Vec<Finding> {
        self.search.as_ref().map_or_else(Vec::new, |search| search.leftovers.findings())
    }

    /// What was found so far.
    fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.book.unfolded().cloned().collect();
        if self.search.is_some() {
            findings.sort_by_key(Finding::rank);
        }
        findings
    }

    /// What the events have come to, of a session that ends now by itself.
    pub(crate) fn result(&self, collected: Collected, seed: Seed, axes: Axes) -> SessionResult {
        let (suite, search) = (&collected.suite, self.search.as_ref());
        let never_ran = search.and_then(|search| search.ran.remark(suite));
        let unsearched = || Coverage::new(suite).shares();
        SessionResult {
            seed,
            axes,
            costs: self.remarks_about(|about| about == About::Costs),
            remarks: self.remarks_about(|about| about != About::Costs).into_iter().chain(never_ran).collect(),
            left_out: self.left_out.clone(),
            outside: self.outside.clone(),
            alone: self.alone(),
            trials: self.trials(),
            schedules: search.map_or(0, |search| search.schedules),
            probes: self.probes,
            coverage: search.map_or_else(unsearched, |search| search.coverage.shares()),
            findings: self.findings(),
            unjudged: self.book.unjudged(),
            unseen: self.book.unseen(suite),
            interrupted: false,
            error: None,
            duration: Duration::ZERO,
            collected,
        }
    }
}
