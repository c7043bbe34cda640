//! What happens in a session, told one by one as it happens: by the lab, which runs plans, and by those that judge and
//! explain what runs show. The progress, the history and the session's result are all made of these.

use std::collections::{BTreeMap, BTreeSet};

use crate::explain::{Explanation, Fix, NoFix, RelatedTests};
use crate::finding::same_polluter::SamePolluter;
use crate::finding::{Finding, NoCommand, Origin};
use crate::plan::Plan;
use crate::race::servers::OutsideServer;
use crate::session::result::SessionResult;
use crate::session::suspect::Suspect;
use crate::suite::{Suite, TestIndex};
use crate::trial::Trial;

/// Something that happened. A finding is named by its number: how many were found before it.
#[derive(Debug)]
pub enum Event<'a> {
    /// The suite was collected.
    Collected,
    /// It was so under the session's other hash seeds as well: from now on its tests have the names that reports give them.
    Compared,
    /// A trial, or a run of the baseline, is about to start.
    Started {
        /// Which.
        origin: Origin,
        /// Its plan.
        plan: &'a Plan,
    },
    /// It has ended.
    Finished {
        /// Which.
        origin: Origin,
        /// Its plan.
        plan: &'a Plan,
        /// What it showed.
        trial: &'a Trial,
    },
    /// A plan was run to judge, shrink, confirm or explain a failure.
    Probed,
    /// What failed so far did so for want of the machine's network, and is no failure.
    Forgotten,
    /// Tests talk to these servers, which are outside of the trials.
    Outside(&'a [OutsideServer]),
    /// Trials leave out these tests, as each takes its process along wherever it runs.
    LeftOut(&'a BTreeSet<TestIndex>),
    /// About so many schedules of tests in conflict are left to be tried. How many pairs have whose turn has not come, their
    /// calls will tell: they are taken to have as many as those before.
    Racing {
        /// How many.
        left: u64,
    },
    /// So many schedules of tests in conflict were tried.
    Raced(u64),
    /// A failure is being looked into.
    Investigating {
        /// The test.
        test: TestIndex,
        /// How many failures wait after this one.
        waiting: usize,
    },
    /// The state behind a finding is being looked for.
    Explaining {
        /// Which.
        of: usize,
        /// How many findings wait for that after this one.
        waiting: usize,
    },
    /// Fixes are being tried: of one finding by itself, or of several together.
    Fixing {
        /// Of which.
        of: &'a [usize],
        /// How many findings wait for that after these.
        waiting: usize,
    },
    /// A failure was judged, shrunk and confirmed. That is one event, as an unconfirmed verdict is told to nobody.
    Found(&'a Finding),
    /// A failure was shown to be another sight of a finding.
    Joined(usize, &'a Suspect),
    /// A finding turned out to be what the other one, which was explained, tells of as well.
    Folded(usize, usize),
    /// The other tests that fail after the polluter of a finding. Failures of those that were told so before, and are not
    /// among these any more, wait again.
    SamePolluter(usize, &'a SamePolluter),
    /// Whether a command of plain pytest shows a finding.
    Command(usize, &'a Result<String, NoCommand>),
    /// Which commands show those of a finding's other victims that were tried; see [`Finding::other_commands`].
    OtherCommands(usize, &'a BTreeMap<TestIndex, Option<String>>),
    /// A finding was traced to the state behind it, or why not.
    Explained(usize, &'a Explanation),
    /// Who else has to do with the state behind a finding.
    Related(usize, &'a RelatedTests),
    /// A fix of a finding holds, or why there is none.
    Fixed(usize, &'a Result<Fix, NoFix>),
    /// What the reader should know besides of a finding.
    Noted(usize, &'a str),
    /// A finding, as it is told: nothing is added to it any more. Each that is not told with another one is told so once,
    /// at the latest when the session ends.
    Complete(usize, &'a Finding),
    /// What the reader should know of the session.
    Remark(About, &'a str),
    /// The session is over; this is what its events came to.
    Ended(&'a SessionResult),
}

/// What a remark is about: reports have them in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Why the session takes much longer than others, or claims less: reports begin with it.
    Costs,
    /// How plans are run: without a sandbox, say.
    Runs,
    /// What the session did, and had no time for.
    Session,
}

/// Who is told of events.
pub trait Reporter {
    /// Takes notice.
    fn notice(&mut self, suite: &Suite, event: &Event<'_>);
}

/// Several who are told, one after the other; nobody if there are none.
#[derive(Default)]
pub struct Reporters<'a>(pub Vec<&'a mut dyn Reporter>);

impl Reporter for Reporters<'_> {
    fn notice(&mut self, suite: &Suite, event: &Event<'_>) {
        self.0.iter_mut().for_each(|reporter| reporter.notice(suite, event));
    }
}
