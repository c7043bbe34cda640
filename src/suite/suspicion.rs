//! Tests that the user suspects of having to do with a failure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::suite::{Suite, TestIndex};

/// Which tests are suspected, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspicion {
    /// The revision that [`Suspicion::files`] have changed since, if such are suspected.
    pub(crate) since: Option<String>,
    /// Files all of whose tests are suspected, absolute.
    pub(crate) files: BTreeSet<PathBuf>,
    /// Node ids of those that failed in the session before, if such are suspected.
    pub(crate) last_failed: Option<BTreeSet<String>>,
}

impl Suspicion {
    /// The tests of a suite that are suspected, in suite order.
    pub(crate) fn in_suite(&self, suite: &Suite, rootdir: &Path) -> Vec<TestIndex> {
        let is_suspected = |&test: &TestIndex| {
            let test = suite.test(test);
            let failed = |failed: &BTreeSet<String>| failed.contains(&test.id.node_id);
            self.last_failed.as_ref().is_some_and(failed) || self.files.contains(&rootdir.join(&test.file))
        };
        suite.collected.iter().copied().filter(is_suspected).collect()
    }
}
