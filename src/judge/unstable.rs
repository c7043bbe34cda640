//! Suites of which pytest collects other tests, or in another order, in another process.

use crate::judge::signature::{FailureLocation, Signature};
use crate::suite::{Phase, Suite, Test, TestIndex, function};

/// A place at which two lists of collected tests differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// How many tests before it are the same.
    pub(crate) at: usize,
    /// The tests there as the two suites name them, where they have so many.
    pub(crate) names: [Option<String>; 2],
    /// The first suite's test there, or its last one, with the error that pytest-xdist stops with; none if it
    /// has no test.
    pub(crate) signature: Option<Signature>,
}

/// The first place at which what was collected differs.
pub(crate) fn difference(first: &Suite, other: &Suite) -> Option<Difference> {
    let test = |suite: &Suite, at: usize| -> Option<TestIndex> { suite.collected.get(at).copied() };
    let id = |suite: &Suite, at| test(suite, at).map(|test| suite.test(test).id.clone());
    let most = first.collected.len().max(other.collected.len());
    let at = (0..most).find(|&at| id(first, at) != id(other, at))?;
    let near = test(first, at).or(first.collected.last().copied());
    Some(Difference {
        at,
        names: [id(first, at), id(other, at)].map(|id| id.map(|id| id.to_string())),
        signature: near.map(|test| stops_xdist(first, test)),
    })
}

/// The error that pytest-xdist stops with, at a test.
pub(crate) fn stops_xdist(suite: &Suite, test: TestIndex) -> Signature {
    Signature { test, crash: crash(suite.test(test)) }
}

fn crash(test: &Test) -> FailureLocation {
    FailureLocation {
        phase: Phase::Collect,
        exception: "Different tests were collected".into(),
        file: test.file.clone(),
        function: function(&test.id).rsplit("::").next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::TestId;

    fn suite(names: &[&str]) -> Suite {
        let test = |name: &&str| Test {
            id: TestId { node_id: format!("test_a.py::{name}"), occurrence: 0 },
            file: "test_a.py".into(),
            line: None,
            group: None,
            rank: 0,
        };
        Suite::new(names.iter().map(test).collect(), Vec::new(), 0)
    }

    #[test]
    fn the_first_test_that_differs_is_told() {
        let (a, b) = (suite(&["t", "f[x]", "f[y::z]"]), suite(&["t", "f[y::z]", "f[x]"]));
        assert_eq!(difference(&a, &a), None);
        let found = difference(&a, &b).unwrap();
        let signature = found.signature.unwrap();
        assert_eq!((found.at, signature.crash.function.as_str()), (1, "f"));
        assert_eq!(found.names, [Some("test_a.py::f[x]".into()), Some("test_a.py::f[y::z]".into())]);
        assert_eq!(a.test(signature.test).id.node_id, "test_a.py::f[x]");
    }

    #[test]
    fn a_list_that_goes_on_differs() {
        let (short, long) = (suite(&["a"]), suite(&["a", "b"]));
        let found = difference(&short, &long).unwrap();
        assert_eq!((found.at, &found.names[0]), (1, &None));
        assert_eq!(found.signature.map(|signature| signature.test), Some(short.collected[0]));
        assert_eq!(difference(&suite(&[]), &short).unwrap().signature, None);
    }
}
