//! What tests do to what lies outside of their process.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::WorkerId;
use crate::plan::schedule::Resource;
use crate::race::operation::Operation;
use crate::suite::TestIndex;

/// One thing that is done to one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call {
    /// To what.
    pub resource: Resource,
    /// What is done.
    #[serde(rename = "call")]
    pub(crate) operation: Operation,
    /// Whether it changes the resource, or keeps others out of it.
    pub writes: bool,
    /// Whether it was seen to do neither that nor to read it: a commit with nothing to commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idle: bool,
    /// The verb of the SQL statement that it runs, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// `file:line` of the innermost frame of the project; empty if there is none.
    #[serde(default)]
    pub at: Option<String>,
    /// Who makes it, if that is not the test's own Python: `C code`, `the subprocess git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Call {
    /// Whether the order of two calls can matter. Two changes of what a folder lists do not disturb each
    /// other; only who looks at the list sees them.
    pub(crate) fn conflicts_with(&self, other: &Self) -> bool {
        self.resource == other.resource
            && !self.idle
            && !other.idle
            && (self.writes || other.writes)
            && !(self.resource.is_listing() && self.writes && other.writes)
    }

    /// What is done, with the statement: `execute (SELECT)`.
    pub fn words(&self) -> String {
        match &self.statement {
            Some(statement) => format!("{} ({statement})", self.operation),
            None => self.operation.to_string(),
        }
    }

    /// Whether what it tells of the resource may be out of date when its worker acts on it.
    pub(crate) fn is_read(&self) -> bool {
        !self.writes && !self.idle && !self.operation.is_beside_content()
    }

    /// Where it is made, in words.
    pub fn place(&self) -> String {
        match (self.at.as_deref().filter(|at| !at.is_empty()), &self.by) {
            (Some(at), None) => at.to_owned(),
            (Some(at), Some(by)) => format!("{at}, in {by}"),
            (None, Some(by)) => format!("in {by}"),
            (None, None) => "outside of the project".to_owned(),
        }
    }

    /// Whether it makes, alters or removes what a server keeps under a name, and not just what is in that.
    pub(crate) fn defines(&self) -> bool {
        let defines = |statement: &str| ["CREATE", "ALTER", "DROP"].contains(&statement);
        self.resource.is_of_server() && self.statement.as_deref().is_some_and(defines)
    }

    /// Whether it ends a transaction of a database.
    pub(crate) fn ends_transaction(&self) -> bool {
        let ends = |statement: &str| ["COMMIT", "END", "ROLLBACK"].contains(&statement);
        self.operation.ends_transaction() || self.statement.as_deref().is_some_and(ends)
    }

    /// Whether it opens a database.
    pub(crate) fn is_to_database(&self) -> bool {
        self.operation == Operation::ConnectTo && self.resource.0.starts_with("file:")
    }

    /// Whether it is what is done at the end, be it after a failure.
    pub(crate) fn is_clean_up(&self) -> bool {
        self.operation.is_clean_up()
    }

    /// Whether it goes on with what is open, as one that reads or writes a file piece by piece does again
    /// and again.
    pub(crate) fn is_transfer(&self) -> bool {
        self.operation.is_transfer()
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.operation, self.resource)
    }
}

/// A call that was noted, and the fixture of a wider scope it was made for, if it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Access {
    /// The call.
    #[serde(flatten)]
    pub call: Call,
    /// The fixture, whose set-up another test would have paid for in another order.
    pub fixture: Option<String>,
}

/// What a call turned out to do, where that is seen only when it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Effect {
    /// As in [`Call::statement`].
    #[serde(default)]
    pub statement: Option<String>,
    /// As in [`Call::writes`].
    pub writes: bool,
    /// As in [`Call::idle`].
    pub idle: bool,
}

/// What one test touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The test.
    pub test: TestIndex,
    /// In the order in which it was first touched.
    pub accesses: Vec<Access>,
    /// The fixtures of a wider scope that the test uses, whoever set them up.
    pub fixtures: Vec<String>,
}

/// What a worker of a controlled trial did next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub worker: WorkerId,
    /// What.
    pub kind: StepKind,
}

/// Kinds of steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// A test started.
    Starts(TestIndex),
    /// A call on a shared resource was made.
    Calls(Call),
    /// It was overtaken just before this call.
    Overtaken(Call),
    /// It went to sleep.
    Sleeps {
        /// Where.
        at: Option<String>,
    },
    /// It waited for something, so that the other was let go.
    Waits,
    /// It was overtaken, and has not gone on for so many milliseconds since its last call.
    Takes(u32),
    /// It waited for too long while the other one was held in the middle of its calls.
    #[serde(rename = "rests")]
    UnfairWait,
    /// The teardown of its test started.
    TearsDown,
    /// It is about to make a call while an exception is being handled.
    Handles,
    /// It ended.
    Ends,
}

/// The calls and sleeps among the steps, as a schedule records them: what two runs of one schedule have in
/// common. Waits are told by the clock, and left out.
pub(crate) fn recorded(steps: &[Step]) -> Vec<String> {
    let line = |step: &Step| match &step.kind {
        StepKind::Calls(call) => Some(format!("{} {call}", step.worker)),
        StepKind::Sleeps { .. } => Some(format!("{} sleep", step.worker)),
        _ => None,
    };
    steps.iter().filter_map(line).collect()
}
