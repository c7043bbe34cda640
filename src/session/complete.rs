//! Which findings are complete: nothing is added to them any more, so that the reader can be told of each, whole, while the
//! session goes on.
//!
//! One is not while its state is still to be looked for or its fix to be tried, or while a failure that is still to come
//! may turn out to be another sight of it, a note of it, or its own doubt.

mod tests;

use crate::finding::Finding;
use crate::session::account::leftovers::DOUBT;
use crate::session::event::Event;
use crate::session::lab::Lab;

/// Tells of those findings that are complete and meant, what stands first before the others.
pub(crate) fn tell(lab: &mut Lab<'_>, is_meant: impl Fn(usize, &Finding) -> bool) {
    let complete = |of: &usize| {
        let finding = &lab.book().findings()[*of];
        is_meant(*of, finding) && !lab.book().may_change(*of) && !may_be_doubted(lab, finding)
    };
    let complete: Vec<usize> = lab.book().incomplete().into_iter().filter(complete).collect();
    complete.into_iter().for_each(|of| tell_one(lab, of));
}

/// Tells of all that was not told yet, as the session ends: first of what tests left behind, which is known only now.
pub(crate) fn tell_rest(lab: &mut Lab<'_>) {
    let left = lab.account().left_behind();
    if !left.is_empty() {
        let findings = lab.book().findings().iter().enumerate();
        let doubted = findings.filter(|(_, finding)| may_be_doubted(lab, finding)).map(|(of, _)| of);
        doubted.collect::<Vec<usize>>().into_iter().for_each(|of| lab.tell(&Event::Noted(of, DOUBT)));
    }
    left.iter().for_each(|finding| _ = lab.found(finding));
    lab.book().incomplete().into_iter().for_each(|of| tell_one(lab, of));
}

/// Whether what an earlier trial left in the project may be why a test fails that is called broken.
fn may_be_doubted(lab: &Lab<'_>, finding: &Finding) -> bool {
    finding.kind.is_the_tests_own() && !lab.keeps_apart()
}

fn tell_one(lab: &mut Lab<'_>, of: usize) {
    let finding = lab.book().findings()[of].clone();
    lab.tell(&Event::Complete(of, &finding));
}
