//! What a session has seen fail, what of it waits to be looked into, and what was found: decisions about values,
//! without a run, a clock or a file.

mod sights;
mod tests;

use std::collections::BTreeSet;

use crate::explain::RelatedTests;
use crate::finding::known::{Identity, Recorded};
use crate::finding::same_polluter::{Polluter, SamePolluter};
use crate::finding::{Finding, Kind, known};
use crate::judge::signature::{FailureLocation, Signature};
use crate::judge::site::Site;
use crate::limits::SITES;
use crate::plan::document::PlanDocument;
use crate::session::account::finding_book::sights::{has_further_sights, is_alike, is_same};
use crate::session::event::Event;
use crate::session::suspect::Suspect;
use crate::suite::{Suite, TestIndex};
use crate::trial::Outcome;

/// A way in which something fails.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    /// The test; none for whichever shows it.
    test: Option<TestIndex>,
    crash: FailureLocation,
    /// Whether the test had passed before in its process: it may then pollute itself, which says nothing of a
    /// plan in which it runs once.
    again: bool,
    /// Where, and with which words; none for anywhere.
    site: Option<Site>,
}

impl Seen {
    fn anywhere(test: Option<TestIndex>, crash: FailureLocation) -> Self {
        Self { test, crash, again: false, site: None }
    }

    fn of(suspect: &Suspect) -> Self {
        let Signature { test, crash } = suspect.signature.clone();
        Self { test: Some(test), crash, again: suspect.again, site: suspect.site.clone() }
    }
}

/// A session's account of failures: seen, waiting, found.
#[derive(Clone, Debug, Default)]
pub(crate) struct FindingBook {
    /// The only test whose failures are taken in, if the user named one.
    victim: Option<TestIndex>,
    /// Failures recorded earlier.
    known: Vec<Recorded>,
    /// Failures that were looked into, or wait for it.
    seen: BTreeSet<Seen>,
    /// Failures that belong to a cause which was found, and what makes the test fail so, each by itself.
    explained: Vec<(Signature, BTreeSet<Polluter>)>,
    /// Failures that are told with the finding of this number, as showing after its polluter, until it is known whether
    /// they do so for its state.
    aside: Vec<(usize, Suspect)>,
    /// Findings that are told with another one, by number.
    folded: BTreeSet<usize>,
    /// Findings to which nothing is added any more, by number.
    complete: BTreeSet<usize>,
    /// Whether all failures have been seen that there will be.
    is_closed: bool,
    /// Those that are looked into before others, as an earlier session left them.
    come_first: BTreeSet<Signature>,
    /// Failures that are still to be looked into, in the order in which they came.
    pub(crate) waiting: Vec<Suspect>,
    findings: Vec<Finding>,
}

/// Whether the confirmed places of a finding are some of those of another one, or the same.
fn has_fewer_places(finding: &Finding, other: &Finding) -> bool {
    let (fewer, all) = (known::places(finding), known::places(other));
    !fewer.is_empty() && fewer.iter().all(|place| all.contains(place))
}

impl FindingBook {
    /// An empty one. `known` are the failures recorded earlier.
    pub(crate) fn new(victim: Option<TestIndex>, known: &[Recorded]) -> Self {
        Self { victim, known: known.to_vec(), ..Self::default() }
    }

    /// Takes in the failures of a trial: those that are new wait.
    pub(crate) fn take_in(&mut self, suspects: impl IntoIterator<Item = Suspect>) {
        for suspect in suspects {
            let test = suspect.signature.test;
            let unasked = self.victim.is_some_and(|victim| victim != test && victim != suspect.charged);
            if unasked || self.is_seen(&suspect) {
                continue;
            }
            match self.told_by_polluter(&suspect) {
                Some(with) => self.put_aside(with, suspect),
                None if self.seen.insert(Seen::of(&suspect)) => self.waiting.push(suspect),
                None => {}
            }
        }
    }

    /// Whether a failure is one that was seen wherever it shows, or at enough places.
    fn is_seen(&self, suspect: &Suspect) -> bool {
        let Signature { test, crash } = &suspect.signature;
        let anywhere = |test| self.seen.contains(&Seen::anywhere(test, crash.clone()));
        let first = Seen { site: None, ..Seen::of(suspect) };
        let alike = |seen: &&Seen| Seen { site: None, ..(*seen).clone() } == first;
        let sites = self.seen.range(&first..).take_while(alike).count();
        anywhere(None) || anywhere(Some(*test)) || sites >= SITES || self.is_explained(suspect)
    }

    /// Whether the test is known to fail so after what came before it. Without such a polluter before it there is another
    /// reason.
    fn is_explained(&self, suspect: &Suspect) -> bool {
        let polluted =
            |polluters: &BTreeSet<Polluter>| polluters.iter().any(|polluter| suspect.follows(polluter));
        let mut explained = self.explained.iter().filter(|(signature, _)| *signature == suspect.signature);
        !suspect.again && explained.any(|(_, polluters)| polluted(polluters))
    }

    /// The finding with which the test is told as failing so after its polluter, which came before it here.
    fn told_by_polluter(&self, suspect: &Suspect) -> Option<usize> {
        let told = |finding: &Finding| {
            let polluter = finding.only_polluter();
            finding.same_polluter.victims.contains(&suspect.signature)
                && polluter.is_some_and(|polluter| suspect.follows(&polluter))
        };
        self.findings.iter().position(told).filter(|_| !suspect.again)
    }

    /// Keeps a failure that is told with a finding, once for each way in which it shows.
    fn put_aside(&mut self, with: usize, suspect: Suspect) {
        let key = Seen::of(&suspect);
        if !self.aside.iter().any(|(_, other)| Seen::of(other) == key) {
            self.aside.push((with, suspect));
        }
    }

    /// Takes note of failures that are told of elsewhere.
    pub(crate) fn are_seen(
        &mut self,
        failures: impl IntoIterator<Item = (Option<TestIndex>, FailureLocation)>,
    ) {
        self.seen.extend(failures.into_iter().map(|(test, crash)| Seen::anywhere(test, crash)));
    }

    /// Forgets what was seen and waits, as what failed for want of something is no failure.
    pub(crate) fn forget_seen(&mut self) {
        (self.seen, self.waiting) = Default::default();
    }

    /// Has failures looked into before all others but those that may be known.
    pub(crate) fn come_first(&mut self, signatures: BTreeSet<Signature>) {
        self.come_first = signatures;
    }

    /// Whether a failure is one of these, or may be known.
    pub(crate) fn is_one_of_the_first(&self, suspect: &Suspect, suite: &Suite) -> bool {
        self.come_first.contains(&suspect.signature) || !self.recorded(suspect, suite).is_empty()
    }

    /// Sorts what waits: what may be known first, as that costs least; then what an earlier session left; then serial plans, as they are cheaper to shrink
    /// and may explain what was seen under several workers.
    pub(crate) fn sort(&mut self, suite: &Suite) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_by_cached_key(|suspect| {
            let left = self.come_first.contains(&suspect.signature);
            (self.recorded(suspect, suite).is_empty(), !left, suspect.plan.workers.len(), suspect.origin)
        });
        self.waiting = waiting;
    }

    /// The recorded failures that one may be, as the same test fails in the same way, each with the plan that shows it.
    pub(crate) fn recorded(&self, suspect: &Suspect, suite: &Suite) -> Vec<(&Recorded, &PlanDocument)> {
        let (test, crash) = (&suite.test(suspect.signature.test).id, &suspect.signature.crash);
        let plans = self.known.iter().flat_map(|known| known.plans.iter().map(move |plan| (known, plan)));
        let of_it = plans.filter(|(_, plan)| plan.test == *test && plan.crash == *crash);
        of_it.map(|(known, plan)| (known, &plan.plan)).collect()
    }

    /// The first failure that waits and says something new; those before it that do not are let go.
    pub(crate) fn first(&mut self) -> Option<Suspect> {
        let settled = self.waiting.iter().take_while(|suspect| self.is_settled(suspect)).count();
        self.waiting.drain(..settled);
        self.waiting.first().cloned()
    }

    /// The findings of which a failure may be another sight: it is the same crash, in the same fixture if in one.
    /// That is no claim: [`crate::session::stress::same_cause`] shows it.
    pub(crate) fn alike(&self, suspect: &Suspect) -> Vec<usize> {
        let alike = |(at, finding): (usize, &Finding)| is_alike(finding, suspect).then_some(at);
        self.findings.iter().enumerate().filter_map(alike).collect()
    }

    /// Takes in an event that is about findings.
    pub(crate) fn add(&mut self, suite: &Suite, event: &Event<'_>) {
        match event {
            Event::Found(finding) => self.keep((*finding).clone(), suite),
            Event::Joined(of, suspect) => self.join(*of, suspect),
            Event::Folded(of, _) => _ = self.folded.insert(*of),
            Event::Complete(of, _) => _ = self.complete.insert(*of),
            Event::SamePolluter(of, told) => {
                self.set_aside(*of, told);
                self.identify(*of, suite);
            }
            Event::Command(of, Ok(command)) => self.findings[*of].command = Some(command.clone()),
            Event::Command(of, Err(why)) => self.findings[*of].no_command = Some(*why),
            Event::OtherCommands(of, found) => self.findings[*of].other_commands.clone_from(found),
            Event::Explained(of, explanation) => {
                self.findings[*of].explanation = Some((*explanation).clone());
                self.identify(*of, suite);
            }
            Event::Related(of, tests) => {
                let explanation = self.findings[*of].explanation.as_mut();
                explanation.into_iter().for_each(|it| it.related_tests = (*tests).clone());
                self.identify(*of, suite);
                self.fold_related(*of);
            }
            Event::Fixed(of, fix) => {
                if let Some(explanation) = &mut self.findings[*of].explanation {
                    (explanation.fix, explanation.no_fix) =
                        (fix.as_ref().ok().cloned(), fix.as_ref().err().cloned());
                }
            }
            Event::Noted(of, note) => self.findings[*of].also_note(note),
            _ => {}
        }
    }

    /// Tells a failure with the finding of which it was shown to be. The tests that its fixture was set up for, and
    /// those that were charged with it, are named.
    fn join(&mut self, finding: usize, suspect: &Suspect) {
        let key = Seen::of(suspect);
        self.waiting.retain(|other| Seen::of(other) != key);
        let finding = &mut self.findings[finding];
        let named = |test: TestIndex| {
            Some(test) == finding.test || finding.causes().0.contains(&test) || finding.also.contains(&test)
        };
        let new: BTreeSet<TestIndex> =
            [suspect.signature.test, suspect.charged].into_iter().filter(|&test| !named(test)).collect();
        finding.also.extend(new);
        finding.also.sort_unstable();
    }

    /// Tells failures with a finding as showing after its polluter. Those that were told so, and are not any more, wait
    /// again.
    fn set_aside(&mut self, of: usize, told: &SamePolluter) {
        self.findings[of].same_polluter.clone_from(told);
        let (kept, again): (Vec<_>, Vec<_>) = std::mem::take(&mut self.aside)
            .into_iter()
            .partition(|(with, suspect)| *with != of || told.victims.contains(&suspect.signature));
        self.aside = kept;
        let waiting = std::mem::take(&mut self.waiting);
        // A sight of one without the polluter before it is another matter, and waits.
        waiting.iter().for_each(|suspect| _ = self.seen.remove(&Seen::of(suspect)));
        self.take_in(waiting.into_iter().chain(again.into_iter().map(|(_, suspect)| suspect)));
    }

    /// What other tests show of a cause that is explained needs no finding of its own.
    fn fold_related(&mut self, of: usize) {
        let finding = &self.findings[of];
        let circles = finding.explanation.iter().map(|explanation| &explanation.related_tests);
        for related_tests in circles {
            let (tests, imports) = finding.causes();
            let tests = related_tests.all_polluters().chain(tests.iter().copied()).map(Polluter::Test);
            let imports = imports.iter().cloned().map(Polluter::Import);
            let polluters: BTreeSet<Polluter> = tests.chain(imports).collect();
            self.explained
                .extend(related_tests.all_victims().map(|victim| (victim.clone(), polluters.clone())));
        }
        let waiting = std::mem::take(&mut self.waiting);
        let (explained, left): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|suspect| self.is_explained(suspect));
        self.waiting = left;
        explained.iter().for_each(|suspect| _ = self.seen.remove(&Seen::of(suspect)));
        let aside = std::mem::take(&mut self.aside);
        self.aside = aside.into_iter().filter(|(_, suspect)| !self.is_explained(suspect)).collect();
        let finding = &mut self.findings[of];
        let explanation = finding.explanation.iter();
        let related =
            explanation.flat_map(|explanation| explanation.related_tests.all_victims()).cloned().collect();
        finding.same_polluter = finding.same_polluter.without(&related);
    }

    /// Findings that may still change and have the polluter of this one, and whose places are some of its: how each fails, and
    /// for which places.
    pub(crate) fn of_fewer_places(&self, of: usize) -> Vec<(Signature, Vec<String>)> {
        let (own, polluter) = (&self.findings[of], self.findings[of].only_polluter());
        let others = self.findings.iter().enumerate().filter(|(at, other)| {
            *at != of
                && polluter.is_some()
                && !self.folded.contains(at)
                && !self.complete.contains(at)
                && other.known.is_none()
                && other.only_polluter() == polluter
                && has_fewer_places(other, own)
        });
        others.filter_map(|(_, other)| Some((other.signature.clone()?, known::places(other)))).collect()
    }

    /// The findings that are victims of which the explanation of this one tells, and that name no other test.
    pub(crate) fn to_fold(&self, into: usize) -> Vec<usize> {
        let is_told = |finding: &Finding| {
            let polluter = finding.only_polluter()?;
            let told = |victim: &Signature| {
                let of_it = |(signature, polluters): &&(Signature, BTreeSet<Polluter>)| {
                    signature == victim && polluters.contains(&polluter)
                };
                self.explained.iter().any(|told| of_it(&told))
            };
            let related = finding.explanation.iter().map(|explanation| &explanation.related_tests);
            let has_no_others = related.clone().all(|it| it.polluters.is_empty() && it.cleaners.is_empty());
            let victims = finding.signature.iter().chain(&finding.same_polluter.victims);
            let mut victims = victims.chain(related.flat_map(RelatedTests::all_victims));
            Some(victims.all(told) && finding.also.is_empty() && has_no_others)
        };
        let own = &self.findings[into];
        let folds = |(at, finding): &(usize, &Finding)| {
            let adds_nothing = finding.explanation.is_none()
                || !self.complete.contains(at) && has_fewer_places(finding, own);
            let is_new = adds_nothing && finding.known.is_none();
            *at != into && !self.folded.contains(at) && is_new && is_told(finding) == Some(true)
        };
        self.findings.iter().enumerate().filter(folds).map(|(at, _)| at).collect()
    }

    /// Whether the test was found to fail in this way for reasons of its own, wherever it then shows. Another way
    /// in which it fails may have another reason.
    fn is_settled(&self, suspect: &Suspect) -> bool {
        let by_chance = |finding: &Finding| matches!(finding.kind, Kind::Nod | Kind::RandomDraws);
        // A test that fails by chance at one of its lines may fail at another for a reason.
        let elsewhere = |finding: &Finding| {
            let told = finding.failure.clone().map(|failure| Site::of(&Outcome::Failed(failure)));
            by_chance(finding) && suspect.site.is_some() && told.is_some() && told != suspect.site
        };
        let same = |finding: &&Finding| {
            finding.signature.as_ref() == Some(&suspect.signature) && !elsewhere(finding)
        };
        self.findings.iter().filter(same).any(|finding| finding.kind.is_the_tests_own())
    }

    /// Which finding tells of the same test and the same cause as another one, if one does.
    pub(crate) fn same_as(&self, finding: &Finding) -> Option<usize> {
        self.findings.iter().position(|told| is_same(told, finding))
    }

    /// Keeps a finding from now on, whatever ends the session.
    fn keep(&mut self, finding: Finding, suite: &Suite) {
        self.findings.push(finding);
        self.identify(self.findings.len() - 1, suite);
    }

    /// Finds out whether a finding is known: what was recorded of it may be its state.
    fn identify(&mut self, at: usize, suite: &Suite) {
        let finding = &mut self.findings[at];
        let identity = Identity::of(finding, suite);
        finding.known = identity.and_then(|identity| known::find(&self.known, &identity));
    }

    /// Whether nothing was found and nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.waiting.is_empty()
    }

    /// What was found, without what is told with another finding.
    pub(crate) fn unfolded(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .enumerate()
            .filter(|(at, _)| !self.folded.contains(at))
            .map(|(_, finding)| finding)
    }

    /// Takes note that no further failure comes.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Whether what a further failure turns out to be may still change what is told of a finding.
    pub(crate) fn may_change(&self, of: usize) -> bool {
        let finding = &self.findings[of];
        let by_another = has_further_sights(finding) || finding.kind == Kind::Race || finding.known.is_some();
        by_another && !self.is_closed
    }

    /// Whether nothing is added to a finding any more.
    pub(crate) fn is_complete(&self, of: usize) -> bool {
        self.complete.contains(&of)
    }

    /// The findings that are still to be told as complete, by number, in the order in which they are told.
    pub(crate) fn incomplete(&self) -> Vec<usize> {
        let untold = |of: &usize| !self.folded.contains(of) && !self.complete.contains(of);
        let mut all: Vec<usize> = (0..self.findings.len()).filter(untold).collect();
        all.sort_by_key(|&of| self.findings[of].rank());
        all
    }

    /// What was found, by number.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What still waits, but for the sight that a finding was made of.
    pub(crate) fn unjudged(&self) -> Vec<Suspect> {
        let is_of = |finding: &Finding, suspect: &Suspect| {
            finding.signature.as_ref() == Some(&suspect.signature) && finding.origin == suspect.origin
        };
        let waits = |suspect: &&Suspect| !self.findings.iter().any(|finding| is_of(finding, suspect));
        self.waiting.iter().filter(waits).cloned().collect()
    }

    /// The known failures that no finding is.
    pub(crate) fn unseen(&self, suite: &Suite) -> Vec<String> {
        let found: Vec<Identity> =
            self.findings.iter().filter_map(|finding| Identity::of(finding, suite)).collect();
        let seen = |known: &Recorded| found.iter().any(|found| known::same(&known.identity, found).is_some());
        self.known.iter().filter(|known| !seen(known)).map(|known| known.file.clone()).collect()
    }

    /// The race that a test was found to lose.
    pub(crate) fn race_of(&self, test: TestIndex) -> Option<usize> {
        let names = |finding: &Finding| finding.test == Some(test) || finding.also.contains(&test);
        self.findings.iter().position(|finding| finding.kind == Kind::Race && names(finding))
    }

    /// Whether an isolation failure was found that is not known.
    pub(crate) fn has_new(&self) -> bool {
        let new = |finding: &Finding| finding.kind.is_isolation_failure() && finding.known.is_none();
        self.unfolded().any(new)
    }
}
