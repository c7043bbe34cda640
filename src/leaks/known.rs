//! What an earlier `jostle leaks` has told: which tests leave a place changed, and which name it.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::leaks::after::LeftPlace;
use crate::suite::{Suite, TestId, TestIndex};

/// The places that were left changed, by names of tests, as a suite had them then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct KnownLeaks(Vec<KnownLeak>);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct KnownLeak {
    by: Vec<KnownOwner>,
    readers: Vec<TestId>,
    victims: Vec<TestId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct KnownOwner {
    name: String,
}

impl KnownLeaks {
    /// The same for the same places and tests.
    pub(crate) fn digest(&self) -> String {
        Sha256::digest(format!("{self:?}")).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The places that tests of a suite leave, by its own numbers. Tests that are gone are left out; so are shared fixtures
    /// and imports, which leave their places whatever the order.
    pub(crate) fn in_suite(&self, suite: &Suite) -> Vec<LeftPlace> {
        let tests: BTreeMap<String, TestIndex> = (0..)
            .map(TestIndex)
            .zip(&suite.tests)
            .map(|(index, test)| (test.id.to_string(), index))
            .collect();
        let find = |name: &String| tests.get(name).copied();
        let all = |ids: &[TestId]| ids.iter().filter_map(|id| find(&id.to_string())).collect();
        let place = |leak: &KnownLeak| LeftPlace {
            left_by: leak.by.iter().filter_map(|owner| find(&owner.name)).collect(),
            named_by: all(&leak.readers),
            victims: all(&leak.victims),
        };
        self.0.iter().map(place).filter(|place| !place.left_by.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Test;

    #[test]
    fn tests_are_found_by_their_names_and_others_left_out() {
        let test = |name: &str, occurrence| Test {
            id: TestId { node_id: format!("t.py::{name}"), occurrence },
            file: "t.py".into(),
            line: None,
            group: None,
            rank: 0,
        };
        let suite = Suite::new(vec![test("a", 0), test("b", 0), test("b", 1)], Vec::new(), 0);
        let second = suite.test(TestIndex(2)).id.to_string();
        let text = format!(
            r#"[{{"place": "x", "by": [{{"name": "t.py::a", "file": "t.py", "line": 1, "known": false}}, {{"name": "{second}"}},
                {{"name": "import of t.py"}}], "readers": [{{"node_id": "t.py::b"}}, {{"node_id": "t.py::b", "occurrence": 1}},
                {{"node_id": "t.py::gone"}}], "victims": [{{"node_id": "t.py::b"}}]}},
               {{"place": "y", "by": [{{"name": "t.py::gone"}}], "readers": [], "victims": []}}]"#
        );
        let known: KnownLeaks = serde_json::from_str(&text).unwrap();
        let expected = LeftPlace {
            left_by: vec![TestIndex(0), TestIndex(2)],
            named_by: vec![TestIndex(1), TestIndex(2)],
            victims: vec![TestIndex(1)],
        };
        assert_eq!(known.in_suite(&suite), [expected]);
        assert_ne!(known.digest(), KnownLeaks::default().digest());
    }
}
