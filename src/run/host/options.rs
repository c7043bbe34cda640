//! How the processes of a suite are started.

use crate::run::process::interrupt::Interrupt;
use crate::run::process::python::Python;
use crate::run::remarks::Remarks;
use crate::run::services::Reset;
use crate::run::site::trial_env::Sandboxing;
use crate::state::NamedPlace;
use std::path::PathBuf;
use std::time::Duration;

/// How a suite is run.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The Python that has pytest.
    pub python: Python,
    /// The folder pytest is run in.
    pub invocation_dir: PathBuf,
    /// What pytest is given besides.
    pub pytest_args: Vec<String>,
    /// The node ids of the tests that are kept of what is collected; all of it where there are none.
    pub tests: Vec<String>,
    /// When a test has run too long.
    pub test_timeout: Duration,
    /// When a trial has run too long; without it, a limit follows from the trials before.
    pub trial_timeout: Option<Duration>,
    /// The user's wish to stop.
    pub interrupt: Interrupt,
    /// The `jostle` that ends what is left if this process dies; without it, nothing does.
    pub reaper: Option<PathBuf>,
    /// How trials are kept apart; without it, by a temporary folder of their own only.
    pub sandboxing: Option<Sandboxing>,
    /// Servers that all trials share, with what puts them back before each.
    pub resets: Vec<Reset>,
    /// How many bytes of memory each worker may use.
    pub memory: Option<u64>,
    /// How many workers run at once, over all trials, if these are kept apart.
    pub jobs: u32,
    /// Whether to tell what each trial leaves behind in the project. Without sandboxes that is always
    /// told, as it is there for the trials after it.
    pub tells_leftovers: bool,
    /// Files and folders of the project, if there are such, that jostle itself writes to: no test has left what is there.
    pub own_files: Vec<PathBuf>,
    /// The places of state that the user has named.
    pub named_places: Vec<NamedPlace>,
    /// Where it is told what the user should know of how plans are run.
    pub remarks: Remarks,
}
