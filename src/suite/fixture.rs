//! pytest's phases and fixtures.

use serde::{Deserialize, Serialize};

/// pytest's phases of a test, and of all tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Tests are collected, before any of them runs.
    Collect,
    /// Fixtures are set up.
    Setup,
    /// The test function runs.
    Call,
    /// Fixtures are torn down; those of a wider scope are charged to the last test that used them.
    Teardown,
}

impl Phase {
    /// The phase as it is written in output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Collect => "collection",
            Self::Setup => "setup",
            Self::Call => "call",
            Self::Teardown => "teardown",
        }
    }
}

/// A fixture that failed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fixture {
    /// What tests ask for it by; `setup_module` and the like for what pytest makes of these.
    pub name: String,
    /// `function`, `class`, `module`, `package` or `session`.
    pub scope: String,
    /// The file that defines it, relative to rootdir; of a plugin's, the file's name only.
    pub file: String,
    /// Whether it failed in its setup or its teardown, which may be charged to another phase of a test.
    pub phase: Phase,
}

impl Fixture {
    /// Whether several tests may share it, so that it is an accident to which of them pytest charges its teardown.
    pub(crate) fn is_shared(&self) -> bool {
        self.scope != "function"
    }

    /// Whether a fixture that was recorded is this one. Of one in a `conftest.py`, version 0.1.0 once recorded the folder
    /// and not the file.
    pub(crate) fn is_recorded_as(&self, recorded: &Self) -> bool {
        let Self { name, scope, file, phase } = self;
        let same_file = *file == recorded.file
            || file.rsplit_once('/').is_some_and(|(folder, _)| folder == recorded.file);
        same_file && (name, scope, phase) == (&recorded.name, &recorded.scope, &recorded.phase)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixture_is_known_by_the_folder_that_was_recorded_of_it() {
        let fixture = |name: &str, file: &str| Fixture {
            name: name.into(),
            scope: "session".into(),
            file: file.into(),
            phase: Phase::Setup,
        };
        let told = fixture("db", "tests/unit/conftest.py");
        assert!(told.is_recorded_as(&told));
        assert!(told.is_recorded_as(&fixture("db", "tests/unit")));
        assert!(!told.is_recorded_as(&fixture("db", "tests")));
        assert!(!told.is_recorded_as(&fixture("db", "tests/unit/test_a.py")));
        assert!(!told.is_recorded_as(&fixture("app", "tests/unit")));
        assert!(!told.is_recorded_as(&Fixture { phase: Phase::Teardown, ..told.clone() }));
    }
}
