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
}
