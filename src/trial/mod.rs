//! What running a plan shows: the values that engines make, and that all rooms after them judge and tell.
//!
//! Values only: nothing here runs anything or decides what an outcome means.

mod leftover;
mod measured;
mod outcome;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::race::{Step, Touched};
use crate::state::Changed;
use crate::suite::Suite;

pub use leftover::{Change, Leftover, LeftoverKind};
pub(crate) use measured::{MeasuredRun, MeasuredTest, Verdict};
pub(crate) use outcome::NOT_COLLECTED;
pub use outcome::{Execution, Failure, Outcome};

/// What one run under one plan showed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Every test of the plan, worker by worker, in the order of the worker's list.
    pub executions: Vec<Execution>,
    /// Wall-clock time of the whole trial, process starts included.
    pub duration: Duration,
    /// How many processes the trial started.
    pub processes: u32,
    /// What the workers of a controlled trial did, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    /// How long each worker of a controlled trial was held while its tests ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Duration>,
    /// What each test touched outside of its process, if that was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<Touched>,
    /// What it left behind in the project, if that was to be told; paths are relative to the folder
    /// pytest is run in.
    #[serde(default)]
    pub leftovers: Vec<Leftover>,
    /// What the tests before the last one have changed, if that was asked for and it was reached.
    #[serde(skip)]
    pub changed: Option<Changed>,
}

#[cfg(test)]
impl Trial {
    /// A trial of which nothing is told but what its tests came to.
    pub(crate) fn of(executions: impl IntoIterator<Item = Execution>) -> Self {
        Self {
            executions: executions.into_iter().collect(),
            duration: Duration::ZERO,
            processes: 1,
            steps: Vec::new(),
            held: Vec::new(),
            touched: Vec::new(),
            leftovers: Vec::new(),
            changed: None,
        }
    }
}

/// What was learnt from collecting the suite once.
#[derive(Clone, Debug)]
pub struct Collected {
    /// The suite.
    pub suite: Suite,
    /// What collected it.
    pub interpreter: Interpreter,
    /// The flags that neutralise the suite's own options: `-n0`, `--no-cov`, …
    pub neutralised: Vec<String>,
}

/// The Python side of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// `3.11.7`
    pub python: String,
    /// `8.4.2`
    pub pytest: String,
    /// Absolute path of pytest's rootdir.
    pub rootdir: String,
    /// Distribution names and versions of the plugins pytest loaded: `pytest-xdist-3.8.0`.
    pub plugins: Vec<String>,
}
