//! Which changes are worth trying, the narrowest and likeliest first.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use crate::explain::Explanation;
use crate::explain::fix::{
    Edit, End, Purpose, Refusal, Source, Target, Users, add_fixture, with_cleanup, with_copied_parameter,
    with_fixture, with_function_scope, with_rolled_back_session, without_statement,
};
use crate::run::project::source::Reader;
use crate::state::{Place, RestoreMethod, RestoreRecipe, SessionFixture, Statement};
use crate::suite::{Suite, Test, TestIndex};

/// Whose doing is to be changed.
pub(crate) struct Targets<'a> {
    /// The suite.
    pub(crate) suite: &'a Suite,
    /// The polluters, or the brittle test.
    pub(crate) tests: &'a BTreeSet<TestIndex>,
    /// Files whose import is the polluter.
    pub(crate) imports: &'a [String],
    /// Whether it takes all of them together, so that it is enough to change one.
    pub(crate) jointly: bool,
    /// Whether the test is to be given what it needs, instead of the place being kept.
    pub(crate) brittle: bool,
}

/// The changes to try, and what kept others from being made.
#[derive(Debug, Default)]
pub(crate) struct Proposals {
    /// Each is a change of one or more files.
    pub(crate) changes: Vec<Vec<Edit>>,
    /// Why a change could not be made that would have been tried: a file's name and what is the matter with it.
    pub(crate) refused: Option<String>,
}

/// Looks for changes.
pub(crate) fn proposals(
    reader: &Reader,
    rootdir: &Path,
    explanation: &Explanation,
    targets: &Targets<'_>,
) -> Proposals {
    let editor =
        Editor { reader, rootdir, targets, sources: RefCell::default(), refused: RefCell::default() };
    let mut changes: Vec<Vec<Edit>> =
        explanation.places.iter().flat_map(|place| editor.of_place(place)).collect();
    if !targets.brittle {
        changes.extend(fixtures(explanation).into_iter().filter_map(|recipe| editor.narrowed(recipe)));
    }
    let mut different: Vec<Vec<Edit>> = Vec::new();
    for change in changes {
        if !different.contains(&change) {
            different.push(change);
        }
    }
    Proposals { changes: different, refused: editor.refused.into_inner() }
}

struct Editor<'a> {
    reader: &'a Reader,
    rootdir: &'a Path,
    targets: &'a Targets<'a>,
    /// The files that were looked at.
    sources: RefCell<BTreeMap<String, Option<Source>>>,
    refused: RefCell<Option<String>>,
}

impl Editor<'_> {
    fn read(&self, file: &str) -> Option<Source> {
        if let Some(known) = self.sources.borrow().get(file) {
            return known.clone();
        }
        let read = is_own(self.rootdir, file).and_then(|()| self.reader.read(self.rootdir, file));
        let source = read.map_err(|why| self.refuse(file, &why)).ok();
        self.sources.borrow_mut().insert(file.to_owned(), source.clone());
        source
    }

    fn refuse(&self, file: &str, why: &str) {
        self.refused.borrow_mut().get_or_insert_with(|| format!("{file} {why}"));
    }

    fn edited<T>(&self, file: &str, edit: impl FnOnce(&Source) -> Result<T, Refusal>) -> Option<T> {
        match edit(&self.read(file)?) {
            Ok(edit) => Some(edit),
            Err(Refusal::Unknown) => None,
            Err(Refusal::Unsafe(why)) => {
                self.refuse(file, &why);
                None
            }
        }
    }

    fn of_place(&self, place: &Place) -> Vec<Vec<Edit>> {
        if let Some(parameter) = parameter(place) {
            return self.copied(parameter).into_iter().collect();
        }
        let mut changes: Vec<Vec<Edit>> = self.ended(place).into_iter().collect();
        changes.extend(self.kept(place));
        changes
    }

    /// The place is left as it was found, or set up.
    fn kept(&self, place: &Place) -> Vec<Vec<Edit>> {
        let Some(recipe) = place.recipe.as_ref().filter(|recipe| recipe.how != RestoreMethod::Fixture) else {
            return Vec::new();
        };
        if !self.targets.imports.is_empty() {
            return self.moved(place, recipe).into_iter().collect();
        }
        if self.targets.brittle {
            let call = place.written.as_ref().and_then(|written| written.call.clone());
            let statements = [call, Statement::that_sets(place)];
            let set_up =
                |statement: Statement| self.with_fixtures(place, recipe, Purpose::SetUp(&statement), true);
            return statements.into_iter().flatten().filter_map(set_up).collect();
        }
        let ways: Vec<(RestoreRecipe, Purpose<'_>)> = [
            (recipe.how == RestoreMethod::File).then(|| (self.with_bindings(recipe), Purpose::OwnFolder)),
            Some((recipe.clone(), Purpose::Keep)),
            recipe.set_anew(&place.old).map(|recipe| (recipe, Purpose::Keep)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let narrow = ways.iter().map(|(recipe, purpose)| self.with_fixtures(place, recipe, *purpose, true));
        // Another test may do the same, unseen.
        let wide = ways.iter().map(|(recipe, purpose)| self.with_fixtures(place, recipe, *purpose, false));
        // A fixture may be told of by the place that its sessions lead to, used or not: that is for the trials to show.
        let rolled_back = recipe.sessions.iter().filter_map(|session| self.rolled_back(place, session));
        rolled_back.chain(narrow.chain(wide).flatten()).collect()
    }

    /// What the tests of a file commit is rolled back.
    fn rolled_back(&self, place: &Place, session: &SessionFixture) -> Option<Vec<Edit>> {
        let edit = |file: &str| self.edited(file, |source| with_rolled_back_session(source, session));
        self.files(place).into_keys().map(edit).collect()
    }

    /// What the tests have started is ended by each of them at its end.
    fn ended(&self, place: &Place) -> Option<Vec<Edit>> {
        let end = End::of(place).filter(|_| !self.targets.brittle && self.targets.imports.is_empty())?;
        let written = place.written.as_ref()?;
        // What tests of other files start is not known by its line.
        let files = self.files(place);
        let tests = files.get(written.file.as_str()).filter(|_| files.len() == 1)?;
        self.edited(&written.file, |source| with_cleanup(source, tests, written.line, end))
            .map(|edit| vec![edit])
    }

    /// A fixture in each file, used by the tests that are to be changed, or by all of the file.
    fn with_fixtures(
        &self,
        place: &Place,
        recipe: &RestoreRecipe,
        purpose: Purpose<'_>,
        narrow: bool,
    ) -> Option<Vec<Edit>> {
        let edit = |(file, tests): (&str, Vec<Target>)| {
            let users = if narrow { Users::Tests(&tests) } else { Users::File };
            self.edited(file, |source| with_fixture(source, recipe, purpose, users))
        };
        self.files(place).into_iter().map(edit).collect()
    }

    /// The files, with the tests in them; of several files the one that holds the write, if one does.
    fn files(&self, place: &Place) -> BTreeMap<&str, Vec<Target>> {
        let mut files: BTreeMap<&str, Vec<Target>> = BTreeMap::new();
        for &test in self.targets.tests {
            let test = self.targets.suite.test(test);
            files.entry(&test.file).or_default().push(target(test));
        }
        if let Some(written) = &place.written
            && self.targets.jointly
            && files.contains_key(written.file.as_str())
        {
            files.retain(|file, _| *file == written.file);
        }
        files
    }

    /// A file's recipe without the names that other test files have for its path.
    fn with_bindings(&self, recipe: &RestoreRecipe) -> RestoreRecipe {
        let own: BTreeSet<&str> =
            self.targets.tests.iter().map(|&test| stem(&self.targets.suite.test(test).file)).collect();
        let others: BTreeSet<&str> = self.targets.suite.tests.iter().map(|test| stem(&test.file)).collect();
        let mut recipe = recipe.clone();
        recipe.bindings.retain(|binding| {
            let module = binding.module.rsplit('.').next().unwrap_or_default();
            own.contains(module) || !others.contains(module)
        });
        recipe
    }

    fn copied(&self, parameter: &str) -> Option<Vec<Edit>> {
        let test = self.targets.suite.test(*self.targets.tests.first()?);
        self.edited(&test.file, |source| with_copied_parameter(source, &target(test), parameter))
            .map(|edit| vec![edit])
    }

    /// What a module does when it is imported, done before each of its tests.
    fn moved(&self, place: &Place, recipe: &RestoreRecipe) -> Option<Vec<Edit>> {
        let written =
            place.written.as_ref().filter(|written| self.targets.imports.contains(&written.file))?;
        let moved = self.edited(&written.file, |source| {
            let (mut edit, statement) = without_statement(source, written.line)?;
            add_fixture(&mut edit, source, recipe, Purpose::SetUp(&statement), Users::File)?;
            Ok(edit)
        });
        moved.map(|edit| vec![edit])
    }

    fn narrowed(&self, recipe: &RestoreRecipe) -> Option<Vec<Edit>> {
        let file = Path::new(&recipe.file).strip_prefix(self.rootdir).ok()?.to_str()?;
        self.edited(file, |source| with_function_scope(source, recipe.line)).map(|edit| vec![edit])
    }
}

/// Whether a file is the project's own, so that a change of its copy changes nothing else, and a module: tests may be
/// collected from text files, such as doctests.
fn is_own(rootdir: &Path, file: &str) -> Result<(), String> {
    let mut path = rootdir.to_owned();
    for part in Path::new(file).components() {
        let Component::Normal(name) = part else {
            return Err("is not below pytest's rootdir".into());
        };
        path.push(name);
        if path.is_symlink() {
            return Err("is reached by a symbolic link".into());
        }
    }
    match path.extension() {
        Some(extension) if extension == "py" => Ok(()),
        _ => Err("is no Python module, and nothing else is edited".into()),
    }
}

/// A test as its file names it.
fn target(test: &Test) -> Target {
    let id = &test.id.node_id;
    let name = id.strip_prefix(&test.file).and_then(|name| name.strip_prefix("::")).unwrap_or(id);
    let name = name.split('[').next().unwrap_or_default();
    Target { name: name.to_owned(), line: test.line }
}

fn stem(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or_default().trim_end_matches(".py")
}

/// The name of the parameter that is, or holds, a place.
fn parameter(place: &Place) -> Option<&str> {
    place.name.strip_prefix("parameter ")?.split(" of ").next()
}

/// Fixtures whose value is, or holds, the cause; for a database those that were set up meanwhile.
fn fixtures(explanation: &Explanation) -> Vec<&RestoreRecipe> {
    let holds = |fixture: &&Place| {
        let value = fixture.recipe.as_ref().map_or("", |recipe| &recipe.object);
        explanation.places.iter().any(|place| place.name.starts_with(value) || place.kind.is_on_disk())
    };
    explanation.fixtures.iter().filter(holds).filter_map(|place| place.recipe.as_ref()).collect()
}
