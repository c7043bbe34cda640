//! Sorts of shared state.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The field's word for a sort of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

    /// What keeps a change of it from other tests, for who writes the test: in the imperative, without an end.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::ChildProcess => "end the process and wait for it in a fixture's teardown",
            Self::ContextVariable => "reset it with the token that its set() returned",
            Self::Database => {
                "roll back in a fixture's teardown, or give each test a database below tmp_path"
            }
            Self::DependencyOverride => "take the override away in a fixture's teardown",
            Self::Descriptor => "close it in the test that opens it, as a with statement does",
            Self::Environment => "change it with monkeypatch, which puts it back",
            Self::EventLoop => "close the loop in a fixture's teardown, and set none",
            Self::FileSystem => "write below tmp_path, or remove it in a fixture's teardown",
            Self::Global => "change it with monkeypatch, or put it back in a fixture's teardown",
            Self::ImportTime => "set it in a fixture or a function, and not while a module is imported",
            Self::Locale => "note it before the change, and put it back in a fixture's teardown",
            Self::Logging => {
                "put level, handlers and filters back in a fixture's teardown, or use caplog or warnings.catch_warnings()"
            }
            Self::Mock => "patch with monkeypatch or a with statement, so that it ends with the test",
            Self::Modules => "change sys.modules and sys.path with monkeypatch, which puts them back",
            Self::Random => "draw from a random.Random of the test's own, or seed in a fixture",
            Self::Fixture => "narrow the fixture's scope, or undo the change in the test",
            Self::SignalHandler => "set the handler that signal.signal() returned in a fixture's teardown",
            Self::Stream => "replace it with monkeypatch, or read it with capsys",
            Self::Port => {
                "bind port 0, which is any that is free, and close the socket in a fixture's teardown"
            }
            Self::Thread => "end the thread and join it in a fixture's teardown",
            Self::Uncollected => {
                "call gc.collect() in a fixture's teardown, or break the cycle of references"
            }
        }
    }
}

/// In the words that all formats have: `global/module state`.
impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_kind_has_a_short_remedy_of_its_own() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../report/report.schema.json")).unwrap();
        let names = find(&schema, "uncollected objects").expect("the kinds of places");
        let kinds: Vec<StateKind> =
            names.iter().map(|name| serde_json::from_value(name.clone()).unwrap()).collect();
        let remedies: BTreeSet<&str> = kinds.iter().map(|kind| kind.remedy()).collect();
        assert_eq!(remedies.len(), 21);
        for remedy in remedies {
            assert!(remedy.len() <= 110 && !remedy.ends_with('.'), "{remedy}");
            assert!(remedy.starts_with(char::is_lowercase), "{remedy}");
        }
    }

    /// The list that holds a text.
    fn find<'a>(value: &'a serde_json::Value, text: &str) -> Option<&'a Vec<serde_json::Value>> {
        match value {
            serde_json::Value::Array(all) if all.iter().any(|one| one == text) => Some(all),
            serde_json::Value::Array(all) => all.iter().find_map(|one| find(one, text)),
            serde_json::Value::Object(all) => all.values().find_map(|one| find(one, text)),
            _ => None,
        }
    }
}
