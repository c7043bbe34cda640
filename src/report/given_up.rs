//! A search that was given up, for people and in JSON: how far it came, and who is suspected.

use std::io::{self, Write};

use serde::Serialize;

use crate::finding::{GivenUp, Minimal};
use crate::report::words;
use crate::suite::{Suite, TestId, TestIndex};

/// Suspects that are listed.
const LISTED: usize = 5;

/// Writes how many tests are left to choose from, and who of them is suspected.
///
/// # Errors
/// Those of the writer.
pub(crate) fn write(
    out: &mut dyn Write,
    given_up: &GivenUp,
    left: Option<&Minimal>,
    suite: &Suite,
) -> io::Result<()> {
    let of =
        left.map_or_else(String::new, |left| format!(" of {}", words::count(left.culprits.len(), "test")));
    let runs = words::count(given_up.runs as usize, "run");
    writeln!(out, "  {:<13} which{of} it takes: the search was given up after {runs}", "not found")?;
    for (test, odds) in given_up.suspects.iter().take(LISTED) {
        let percent = odds * 100.0;
        writeln!(
            out,
            "  {:<13} {}  {percent:.0} %, if it takes one test",
            "suspect",
            words::test(suite, *test)
        )?;
    }
    Ok(())
}

/// A search that was given up.
#[derive(Debug, Serialize)]
pub(crate) struct GivenUpDocument {
    runs: u32,
    suspects: Vec<SuspectDocument>,
}

#[derive(Debug, Serialize)]
struct SuspectDocument {
    test: TestId,
    odds: f64,
}

impl GivenUpDocument {
    /// What is told of it.
    pub(crate) fn new(given_up: &GivenUp, suite: &Suite) -> Self {
        let suspect = |&(test, odds): &(TestIndex, f64)| SuspectDocument {
            test: suite.test(test).id.clone(),
            odds: (odds * 1e4).round() / 1e4,
        };
        Self { runs: given_up.runs, suspects: given_up.suspects.iter().map(suspect).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Test;

    #[test]
    fn suspects_are_no_polluters() {
        let test = |name: &str| {
            let id = TestId { node_id: format!("test_a.py::{name}"), occurrence: 0 };
            Test { id, file: "test_a.py".into(), line: Some(4), group: None, rank: 0 }
        };
        let suite = Suite::new(vec![test("test_one"), test("test_two")], Vec::new(), 0);
        let given_up =
            GivenUp { runs: 1000, suspects: vec![(TestIndex(1), 0.8201), (TestIndex(0), 0.09126)] };
        let mut out = Vec::new();
        write(&mut out, &given_up, None, &suite).unwrap();
        let expected = [
            "  not found     which it takes: the search was given up after 1000 runs\n",
            "  suspect       test_a.py:4 test_two  82 %, if it takes one test\n",
            "  suspect       test_a.py:4 test_one  9 %, if it takes one test\n",
        ];
        assert_eq!(String::from_utf8(out).unwrap(), expected.concat());
        let document = serde_json::to_value(GivenUpDocument::new(&given_up, &suite)).unwrap();
        assert_eq!(document["suspects"][1]["odds"], 0.0913);
    }
}
