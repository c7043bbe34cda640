//! Sorts of shared state.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The field's word for a sort of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateKind {
    /// A process that a test has started.
    #[serde(rename = "child process")]
    ChildProcess,
    /// What a context variable is set to.
    #[serde(rename = "context variable")]
    ContextVariable,
    /// A row of a database's file.
    Database,
    /// What a web application uses in place of a dependency.
    #[serde(rename = "dependency override")]
    DependencyOverride,
    /// A file descriptor of the process.
    Descriptor,
    /// A variable of the environment, the working folder or the umask.
    Environment,
    /// The event loop that is set.
    #[serde(rename = "event loop")]
    EventLoop,
    /// A file or what it holds.
    #[serde(rename = "file system")]
    FileSystem,
    /// A value that a module, a class or an object holds.
    #[serde(rename = "global/module state")]
    Global,
    /// What importing a module of the project sets.
    #[serde(rename = "import-time")]
    ImportTime,
    /// The locale or the time zone.
    #[serde(rename = "locale/time zone")]
    Locale,
    /// A logger, or a filter of warnings.
    #[serde(rename = "logging/warnings")]
    Logging,
    /// A mock that was not taken away.
    #[serde(rename = "mock left active")]
    Mock,
    /// The table of modules, or the path that they are looked for on.
    #[serde(rename = "module table")]
    Modules,
    /// The state of a generator of random numbers.
    #[serde(rename = "random state")]
    Random,
    /// What a fixture of a wider scope holds.
    #[serde(rename = "session/module fixture state")]
    Fixture,
    /// What is called when a signal comes.
    #[serde(rename = "signal handler")]
    SignalHandler,
    /// Standard input, output or error.
    #[serde(rename = "standard stream")]
    Stream,
    /// A port of the network that cannot be bound.
    Port,
    /// A thread that a test has started.
    Thread,
    /// Objects that nobody refers to any more but each other, and that the garbage collector has not freed yet.
    #[serde(rename = "uncollected objects")]
    Uncollected,
}

impl StateKind {
    /// Whether it lies on the disk, where workers share it.
    pub(crate) fn is_on_disk(self) -> bool {
        matches!(self, Self::FileSystem | Self::Database)
    }
}

/// In the words that all formats have: `global/module state`.
impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
