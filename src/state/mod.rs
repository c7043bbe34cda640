//! Places of shared state, as the harness names them, and what to do with them before a test.

mod kind;
mod named;

use serde::{Deserialize, Serialize};

pub(crate) use kind::StateKind;
pub use named::NamedPlace;

use crate::suite::Fixture;

/// A place whose value differs from what it was before the first test of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// As a developer would write it: `os.environ["TZ"]`, `shop.api.app.dependency_overrides[get_db]`,
    /// `fixture db of conftest.py (scope module)`. The same in every process that runs the same tests.
    pub name: String,
    /// The sort of state.
    pub kind: StateKind,
    /// The value before, in one short line.
    pub old: String,
    /// The value after.
    pub new: String,
    /// Whether the old value can be put back.
    pub(crate) restorable: bool,
    /// Whether it changes in many healthy suites, or its restoring may disturb other state.
    #[serde(alias = "weak")]
    pub(crate) low_confidence: bool,
    /// Whether an object of an installed library or of Python's own holds it, far from what the project names.
    #[serde(default)]
    pub(crate) in_library: bool,
    /// Whether all that has changed of it is told by its entries as well.
    #[serde(default, skip_serializing)]
    pub(crate) told_by_items: bool,
    /// The line after which it had its new value, if that is known.
    #[serde(default)]
    pub written: Option<Written>,
    /// Where no such line is known though it was looked for: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_line: Option<NoLine>,
    /// The last line of the victim's run that names it, if that is known.
    #[serde(default)]
    pub read: Option<Written>,
    /// What a fixture needs to know to keep it, if one can.
    #[serde(skip_serializing)]
    pub recipe: Option<RestoreRecipe>,
    /// A call that is a part of putting the value back, as one would write it: `time.tzset()`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) along: Option<String>,
}

/// Why no line is known that gave a place its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoLine {
    /// It changed while no line of the project ran that could be looked at.
    Elsewhere,
    /// Several threads ran since it was looked at before.
    Threads,
    /// No look after a line found it changed.
    Unseen,
    /// It cannot be looked at after each line.
    Unwatched,
}

/// What a fixture that keeps a place needs to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRecipe {
    /// What sort of thing is kept.
    pub how: RestoreMethod,
    /// The module whose import makes the object reachable.
    #[serde(default)]
    pub module: String,
    /// The expression for the object that holds the state; of a fixture what its value is called as a place.
    #[serde(default)]
    pub object: String,
    /// The attribute of that object.
    #[serde(default)]
    pub attribute: String,
    /// What the attribute is set to, if not to what it was.
    #[serde(default)]
    pub value: String,
    /// The key, path or name; of an attribute the dictionary to take it from, where the object makes another of it.
    #[serde(default)]
    pub key: String,
    /// What a path is relative to.
    #[serde(default)]
    pub base: PathBase,
    /// The scope of a fixture.
    #[serde(default)]
    pub scope: String,
    /// The file that defines a fixture.
    #[serde(default)]
    pub file: String,
    /// The line where its definition starts.
    #[serde(default)]
    pub line: u32,
    /// The names for a file's path, or for its folder's.
    #[serde(default, alias = "holders")]
    pub bindings: Vec<PathBinding>,
    /// Fixtures whose sessions lead to the database that a row or a sequence is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<SessionFixture>,
}

impl RestoreRecipe {
    /// A recipe of which no more is known than what sort of thing is kept.
    pub fn new(how: RestoreMethod) -> Self {
        Self {
            how,
            module: String::new(),
            object: String::new(),
            attribute: String::new(),
            value: String::new(),
            key: String::new(),
            base: PathBase::Nothing,
            scope: String::new(),
            file: String::new(),
            line: 0,
            bindings: Vec::new(),
            sessions: Vec::new(),
        }
    }
}

/// What sort of thing a fixture keeps, and so how it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RestoreMethod {
    /// An attribute of an object.
    Attribute,
    /// What a cached function remembers.
    Cache,
    /// The working folder.
    Cwd,
    /// What a dictionary holds.
    Dict,
    /// The level below which logging is off.
    Disable,
    /// A variable of the environment.
    Environ,
    /// A file that was not there.
    File,
    /// A fixture of a wider scope, which is set up anew.
    Fixture,
    /// A logger's level.
    Level,
    /// What a library has a way of its own to reset: by lines before the test and after it.
    Lines,
    /// What a list holds.
    List,
    /// The locale.
    Locale,
    /// A lock that was not held.
    Lock,
    /// An entry of the table of modules.
    Modules,
    /// The path that modules are looked for on.
    Path,
    /// The state of `random`.
    Random,
    /// What a set holds.
    Set,
    /// What a getter gives and a setter takes.
    Setting,
    /// The time zone.
    Zone,
}

/// What a path is relative to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PathBase {
    /// What is kept is no path.
    #[default]
    #[serde(rename = "")]
    Nothing,
    /// pytest's rootdir.
    Rootdir,
    /// The temporary folder.
    Temporary,
}

/// A fixture that gives a session of SQLAlchemy's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFixture {
    /// Its name.
    pub(crate) name: String,
    /// The expression for what makes a session: a class, or a `sessionmaker`.
    pub(crate) made_by: String,
    /// The module that has to be imported for that.
    pub(crate) made_in: String,
    /// The expression for the engine.
    pub(crate) engine: String,
    /// The module that has to be imported for that.
    pub(crate) engine_in: String,
}

/// A name for a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PathBinding {
    /// The module whose import makes the object reachable.
    pub module: String,
    /// The expression for the object that has it.
    pub object: String,
    /// Its attribute; `__defaults__` of a function.
    pub attribute: String,
    /// What has to follow a folder's path where this is replaced: the file's name, or nothing if this names
    /// the folder that the file is in.
    pub rest: String,
    /// Whether it is a text.
    pub text: bool,
    /// Which of the defaults it is.
    pub index: Option<u32>,
    /// How many there are.
    pub count: u32,
}

/// What the harness does with the places that have changed, before the last test of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Instructions {
    /// The names of the places that are restored.
    pub restore: Vec<String>,
    /// The file, relative to rootdir, whose import is looked into instead of the tests before the last.
    pub import: Option<String>,
    /// The name of a place of which is to be told where it is written, and where the last test reads it; with `left`, those of
    /// places of which is to be told where whoever leaves them has written them.
    pub watch: Vec<String>,
    /// The name of a place of which is to be told after each test whether that has changed it. It is put
    /// back at once if it is to be restored; nothing else is told.
    pub follow: Option<String>,
    /// The place in the list of the test before which the state is noted; with `left`, nothing is told or put back of those
    /// before it.
    pub from: u32,
    /// The fixture before whose teardown all this is done, and not before the last test: the tests from `from` on
    /// make that fail.
    pub teardown: Option<Fixture>,
    /// Whether it is told after each test, import and fixture what that has left changed, and nothing else.
    pub left: bool,
    /// Names of places of which it is told which tests run a line that names them, and nothing else.
    pub readers: Vec<String>,
}

/// What a test, the import of a file, or a fixture that tests share has left changed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Left {
    /// The test, by its place in the worker's list; for a fixture, the one for which it was set up.
    pub(crate) position: Option<u32>,
    /// The fixture, once it was torn down.
    pub(crate) fixture: Option<Fixture>,
    /// The file that was imported.
    pub(crate) file: Option<String>,
    /// The line where the fixture's definition starts.
    pub(crate) line: Option<u32>,
    /// The places.
    pub(crate) places: Vec<Place>,
    /// Which of these, by their positions, are likely changed by the first use of a library alone.
    pub(crate) settled: Vec<u32>,
    /// Which of these, by their positions, code may have changed for itself as it was used for the first time: a second use
    /// is to tell.
    pub(crate) first_use: Vec<u32>,
    /// Where those of them that were to be watched were written, each by its position.
    pub(crate) written: Vec<(u32, Written)>,
}

/// The places that a test runs a line of that names them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reading {
    /// The test, by its place in the worker's list.
    pub(crate) position: u32,
    /// The places, by their positions in [`Instructions::readers`].
    pub(crate) places: Vec<u32>,
}

/// What became of a place that is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// After which test, by its place in the worker's list.
    pub position: u32,
    /// Whether that test has changed it.
    pub moved: bool,
    /// Whether it is another than at the start.
    pub changed: bool,
}

/// What the harness found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Changed {
    /// The places that have changed, those of the project's objects first.
    pub places: Vec<Place>,
    /// Whether there was more than could be looked at.
    pub(crate) cut_off: bool,
    /// Places that were to be restored and could not be.
    pub failed: Vec<String>,
    /// Places that the user has named and that could not be read, each with the reason.
    pub(crate) unread: Vec<String>,
    /// Where the place that was to be watched was written last.
    #[serde(default)]
    pub written: Option<Written>,
    /// Why that is not known, if it was looked for.
    #[serde(default)]
    pub(crate) no_line: Option<NoLine>,
    /// Where the last test read it.
    #[serde(skip)]
    pub read: Option<Written>,
    /// What became of the place that was to be followed, test by test.
    #[serde(skip)]
    pub followed: Vec<Followed>,
    /// What tests, imports and fixtures have left, one by one.
    #[serde(skip)]
    pub(crate) left: Vec<Left>,
    /// Which places tests name, test by test.
    #[serde(skip)]
    pub(crate) readings: Vec<Reading>,
}

/// A line of the project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The file, relative to rootdir.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// The function.
    pub function: String,
    /// What a test called to write a place, if others can call it as well.
    #[serde(default, skip_serializing)]
    pub call: Option<Statement>,
}

/// A statement of a fixture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The module that has to be imported for it; empty for none.
    pub module: String,
    /// Its only line.
    pub text: String,
}

#[cfg(test)]
impl Place {
    /// A global that was 0 and is 1, of which no more is known: for tests.
    pub(crate) fn example(name: &str) -> Self {
        Self {
            name: name.into(),
            kind: StateKind::Global,
            old: "0".into(),
            new: "1".into(),
            restorable: true,
            low_confidence: false,
            in_library: false,
            told_by_items: false,
            written: None,
            no_line: None,
            read: None,
            recipe: None,
            along: None,
        }
    }
}
