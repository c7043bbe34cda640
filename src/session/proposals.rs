//! Which changes are worth trying, the narrowest and likeliest first.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::explain::fix::{
    Edit, Purpose, Statement, Users, with_copied_parameter, with_fixture, with_function_scope,
    without_statement,
};
use crate::explain::{Explanation, Mend, Place};
use crate::suite::{Suite, TestIndex};

/// Whose doing is to be changed.
pub struct Targets<'a> {
    /// The suite.
    pub suite: &'a Suite,
    /// The polluters, or the brittle test.
    pub tests: &'a BTreeSet<TestIndex>,
    /// Files whose import is the polluter.
    pub imports: &'a [String],
    /// Whether it takes all of them together, so that it is enough to change one.
    pub jointly: bool,
    /// Whether the test is to be given what it needs, instead of the place being kept.
    pub brittle: bool,
}

/// The changes to try.
pub fn proposals(rootdir: &Path, explanation: &Explanation, targets: &Targets<'_>) -> Vec<Vec<Edit>> {
    let editor = Editor { rootdir, targets };
    let narrowed = || fixtures(explanation).into_iter().filter_map(|mend| editor.narrowed(mend));
    let mut found: Vec<Vec<Edit>> =
        explanation.places.iter().flat_map(|place| editor.of_place(place)).collect();
    if !targets.brittle {
        found.extend(narrowed());
    }
    found
}

struct Editor<'a> {
    rootdir: &'a Path,
    targets: &'a Targets<'a>,
}

impl Editor<'_> {
    fn read(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.rootdir.join(file)).ok()
    }

    fn edited(&self, file: &str, edit: impl FnOnce(&str) -> Option<String>) -> Option<Vec<Edit>> {
        let content = edit(&self.read(file)?)?;
        Some(vec![Edit { file: file.to_owned(), content }])
    }

    fn of_place(&self, place: &Place) -> Vec<Vec<Edit>> {
        if let Some(parameter) = parameter(place) {
            return self.copied(parameter).into_iter().collect();
        }
        let Some(mend) = place.mend.as_ref().filter(|mend| mend.how != "fixture") else {
            return Vec::new();
        };
        if !self.targets.imports.is_empty() {
            return self.moved(place, mend).into_iter().collect();
        }
        if self.targets.brittle {
            let call = place.written.as_ref().and_then(|written| written.call.clone());
            let statements = [call, Statement::that_sets(place)];
            let set_up =
                |statement: Statement| self.with_fixtures(place, mend, Purpose::SetUp(&statement), true);
            return statements.into_iter().flatten().filter_map(set_up).collect();
        }
        let ways: Vec<(Mend, Purpose<'_>)> = [
            (mend.how == "file").then(|| (self.with_holders(mend), Purpose::OwnFolder)),
            Some((mend.clone(), Purpose::Keep)),
            mend.from_scratch(&place.old).map(|mend| (mend, Purpose::Keep)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let narrow = ways.iter().map(|(mend, purpose)| self.with_fixtures(place, mend, *purpose, true));
        // Another test may do the same, unseen.
        let wide = ways.iter().map(|(mend, purpose)| self.with_fixtures(place, mend, *purpose, false));
        narrow.chain(wide).flatten().collect()
    }

    /// A fixture in each file, used by the tests that are to be changed, or by all of the file.
    fn with_fixtures(
        &self,
        place: &Place,
        mend: &Mend,
        purpose: Purpose<'_>,
        narrow: bool,
    ) -> Option<Vec<Edit>> {
        let edit = |(file, lines): (&str, Option<Vec<u32>>)| {
            let users = match &lines {
                Some(lines) if narrow => Users::Tests(lines),
                _ => Users::File,
            };
            self.edited(file, |content| with_fixture(file, content, mend, purpose, users))
        };
        let edits: Option<Vec<Vec<Edit>>> = self.files(place).into_iter().map(edit).collect();
        edits.map(|edits| edits.concat())
    }

    /// The files, with the lines of the tests in them; of several files the one that holds the write, if
    /// one does. No lines if those of a test are not known.
    fn files(&self, place: &Place) -> BTreeMap<&str, Option<Vec<u32>>> {
        let mut files: BTreeMap<&str, Option<BTreeSet<u32>>> = BTreeMap::new();
        for &test in self.targets.tests {
            let test = self.targets.suite.test(test);
            let lines = files.entry(&test.file).or_insert_with(|| Some(BTreeSet::new()));
            match (lines.as_mut(), test.line) {
                (Some(known), Some(line)) => drop(known.insert(line)),
                _ => *lines = None,
            }
        }
        if let Some(written) = &place.written
            && self.targets.jointly
            && files.contains_key(written.file.as_str())
        {
            files.retain(|file, _| *file == written.file);
        }
        files
            .into_iter()
            .map(|(file, lines)| (file, lines.map(|lines| lines.into_iter().collect())))
            .collect()
    }

    /// A file's mend without the names that other test files have for its path.
    fn with_holders(&self, mend: &Mend) -> Mend {
        let own: BTreeSet<&str> =
            self.targets.tests.iter().map(|&test| stem(&self.targets.suite.test(test).file)).collect();
        let others: BTreeSet<&str> = self.targets.suite.tests.iter().map(|test| stem(&test.file)).collect();
        let mut mend = mend.clone();
        mend.holders.retain(|holder| {
            let module = holder.module.rsplit('.').next().unwrap_or_default();
            own.contains(module) || !others.contains(module)
        });
        mend
    }

    fn copied(&self, parameter: &str) -> Option<Vec<Edit>> {
        let test = self.targets.suite.test(*self.targets.tests.first()?);
        self.edited(&test.file, |content| with_copied_parameter(content, test.line?, parameter))
    }

    /// What a module does when it is imported, done before each of its tests.
    fn moved(&self, place: &Place, mend: &Mend) -> Option<Vec<Edit>> {
        let written =
            place.written.as_ref().filter(|written| self.targets.imports.contains(&written.file))?;
        self.edited(&written.file, |content| {
            let (content, statement) = without_statement(content, written.line)?;
            with_fixture(&written.file, &content, mend, Purpose::SetUp(&statement), Users::File)
        })
    }

    fn narrowed(&self, mend: &Mend) -> Option<Vec<Edit>> {
        let file = Path::new(&mend.file).strip_prefix(self.rootdir).ok()?.to_str()?;
        self.edited(file, |content| with_function_scope(content, mend.line))
    }
}

fn stem(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or_default().trim_end_matches(".py")
}

/// The name of the parameter that is, or holds, a place.
fn parameter(place: &Place) -> Option<&str> {
    place.name.strip_prefix("parameter ")?.split(" of ").next()
}

/// Fixtures whose value is, or holds, the cause; for a database those that were set up meanwhile.
fn fixtures(explanation: &Explanation) -> Vec<&Mend> {
    let holds = |fixture: &&Place| {
        explanation.places.iter().any(|place| {
            let name =
                fixture.mend.as_ref().map(|mend| format!("fixture {} (scope {})", mend.key, mend.scope));
            name.is_some_and(|name| place.name.starts_with(&name))
                || matches!(&*place.kind, "database" | "file system")
        })
    };
    explanation.fixtures.iter().filter(holds).filter_map(|place| place.mend.as_ref()).collect()
}
