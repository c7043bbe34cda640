//! Which jobs can be run from one and the same checkpoint.

use crate::plan::{Interleaving, Mode, Plan, TrialIndex};
use crate::run::Job;
use crate::state::Instructions;
use crate::suite::{Suite, TestIndex};

/// All that decides what a worker has done, and is, when it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The plan as far as it has been run then.
    plan: Plan,
    /// After how many tests it stops.
    pub(super) stop: u32,
    /// What the teardown of its last test leaves for the next.
    left: Left,
    watched: Watched,
}

/// How the state is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Watched {
    /// It is not.
    Not,
    /// From this test on, and with the parameters of the test that follows, if it has any.
    From(u32, Option<TestIndex>),
    /// Around each test, from before the first.
    Around,
}

/// What a test has in common with the next: collectors, whose fixtures are not torn down between the two.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Left {
    /// It is the same test.
    Again,
    /// So many folders, files and classes.
    Collectors(usize),
}

impl Key {
    /// The checkpoint that a job may be run from; none if there can be none.
    pub(super) fn of(suite: &Suite, job: Job<'_>) -> Option<Self> {
        let plan = job.plan;
        let [list] = plan.workers.as_slice() else { return None };
        let stop = job.shared?;
        let (before, after) = list.split_at_checked(stop as usize)?;
        let next = after.first()?;
        if plan.interleaving != Interleaving::Free || job.recorded || job.fresh {
            return None;
        }
        let watched = match job.instructions {
            None => Watched::Not,
            Some(Instructions { left: true, .. }) => Watched::Around,
            // What else is watched or done belongs to the first tests, or to their end.
            Some(Instructions { import: None, watch, follow: None, teardown: None, from, .. })
                if after.len() == 1 && watch.is_empty() =>
            {
                let has_parameters = suite.test(*next).id.node_id.contains('[');
                Watched::From(*from, has_parameters.then_some(*next))
            }
            Some(_) => return None,
        };
        // Only workers of xdist show which trial it is.
        let index = if plan.mode == Mode::No { TrialIndex(0) } else { plan.index };
        let plan = Plan { index, workers: vec![before.to_vec()], ..plan.clone() };
        // Before the first test there is nothing to share but what was noted of all that each may leave, which is the same for all.
        let left = match before.last() {
            Some(_) if watched == Watched::Around => return None,
            Some(last) => left(suite, *last, *next),
            None if watched == Watched::Around => Left::Collectors(0),
            None => return None,
        };
        Some(Self { plan, stop, left, watched })
    }
}

fn left(suite: &Suite, last: TestIndex, next: TestIndex) -> Left {
    if last == next {
        return Left::Again;
    }
    let [last, next] = [last, next].map(|test| collectors(&suite.test(test).id.node_id));
    Left::Collectors(last.iter().zip(&next).take_while(|(last, next)| last == next).count())
}

/// The folders, the file and the classes that a test is in.
fn collectors(node_id: &str) -> Vec<&str> {
    let unparametrized = node_id.split_once('[').map_or(node_id, |(name, _)| name);
    let (path, rest) = unparametrized.split_once("::").unwrap_or((unparametrized, ""));
    let classes = rest.rsplit_once("::").map_or("", |(classes, _)| classes);
    path.split('/').chain(classes.split("::")).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_in_its_folders_its_file_and_its_classes() {
        for (node_id, expected) in [
            ("test_a.py::test_x", &["test_a.py"][..]),
            ("a/b/test_a.py::A::B::test_x[c/d::e]", &["a", "b", "test_a.py", "A", "B"]),
            ("doc/index.rst::index.rst", &["doc", "index.rst"]),
            ("check.yaml", &["check.yaml"]),
        ] {
            assert_eq!(collectors(node_id), expected, "{node_id}");
        }
    }
}
