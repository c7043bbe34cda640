//! The one way that events go: into the session's account first, so that no one hears of what that does not hold, and
//! then to those who are told.

use crate::run::remarks::{Remarks, Topic};
use crate::session::account::Account;
use crate::session::event::{About, Event, Reporter};
use crate::suite::Suite;

/// The stream of a session's events.
pub(crate) struct Stream<'a> {
    suite: &'a Suite,
    /// What the events have come to so far.
    pub(crate) account: Account,
    reporter: &'a mut dyn Reporter,
    /// What the engine has to say, which knows no events.
    remarks: Remarks,
}

impl<'a> Stream<'a> {
    /// A stream in which nothing was told yet.
    pub(crate) fn new(
        suite: &'a Suite,
        account: Account,
        reporter: &'a mut dyn Reporter,
        remarks: Remarks,
    ) -> Self {
        Self { suite, account, reporter, remarks }
    }

    /// Tells an event, and before it what the engine has had to say meanwhile.
    pub(crate) fn tell(&mut self, event: &Event<'_>) {
        self.tell_remarks();
        self.pass_on(event);
    }

    /// Tells what the engine has had to say.
    pub(crate) fn tell_remarks(&mut self) {
        for remark in self.remarks.take() {
            let about = if remark.topic == Topic::Forks { About::Costs } else { About::Runs };
            self.pass_on(&Event::Remark(about, &remark.text));
        }
    }

    fn pass_on(&mut self, event: &Event<'_>) {
        self.account.add(self.suite, event);
        self.reporter.notice(self.suite, event);
    }
}
