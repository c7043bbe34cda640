//! Edits of generated Python modules: each compiles, git applies its diff, and the syntax tree of everything else is
//! unchanged. A real Python reads them. `JOSTLE_TEST_SOURCES` tells how many modules are tried (48, at night 1000).

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use jostle::explain::fix::{
    Edit, Edited, Purpose, Source, Target, Users, add_fixture, diff, with_copied_parameter, with_fixture,
    with_function_scope, without_statement,
};
use jostle::run::project::git::{Applied, apply};
use jostle::run::project::source::Reader;
use jostle::state::Statement;
use jostle::state::{PathBase, RestoreMethod, RestoreRecipe};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use serde_json::{Value, json};

use crate::support;

/// Lines before all others; `None` for a byte order mark.
const HEADS: [&str; 8] = [
    "",
    "#!/usr/bin/env python3\n",
    "# -*- coding: latin-1 -*-\n",
    "#!/usr/bin/python\n# coding: iso-8859-15\n# d\u{e9}\n\n",
    "# Licence.\n# More of it.\n\n",
    "# About the first test.\n",
    "\n\n",
    "\u{feff}",
];

const DOCSTRINGS: [&str; 6] = [
    "",
    "\"\"\"About it.\"\"\"\n",
    "'''About it.\n\nimport nothing\n'''\n",
    "\"One line.\"\n\n",
    "\"\"\"Two.\"\"\"; import os\n",
    "\"\"\"With a quote\\\"\"\"\"  # and a comment\n",
];

const IMPORTS: [&str; 21] = [
    "from os import path, \\\n    sep\n",
    "from os import (\n    path,  # not the end)\n    sep,\n)\n",
    "from os import (path,\n\n    sep)\n",
    "import os; import sys\n",
    "import os; X = (\n    1\n)\n",
    "import os \\\n\n",
    "import pytest\n",
    "import pytest as pt\n",
    "import shop.prices\n",
    "import shop.prices as shop\n",
    "import copy\n",
    "from copy import copy\n",
    "try:\n    import tomllib\nexcept ImportError:\n    tomllib = None\n",
    "try:\n    import pytest\nexcept ImportError:\n    pytest = None\n",
    "if True:\n    import json\n",
    "\x0c\nimport os\n",
    "# a comment\nimport os  # \"\"\"\n",
    "import os\n\n\n\n",
    "def first(): import os\n",
    "with open('x') as pytest:\n    import os\n",
    "if 1: import os\n",
];

const STATEMENTS: [&str; 10] = [
    "X = 1\n",
    "os.environ['A'] = '\u{e9}'\n",
    "\n\nshop.prices._DISCOUNTS['a'] = 1  # why\n\n\n",
    "pytest = None\n",
    "copy = pytest = 3\n",
    "TEXT = '''\nimport fake\ndef test_0():\n    pass\n'''\n",
    "def _restore_shop_prices_discounts():\n    pass\n",
    "setup(); teardown()\n",
    "setup(\n)\n",
    "if X:\n\tX = 2\n",
];

/// Definitions; `N` is a number of their own.
const DEFINITIONS: [&str; 13] = [
    "def test_N():\n    pass\n",
    "async def test_N(items):\n    await items\n",
    "@mark(\n    1,\n    # )\n)\n@other\ndef test_N(items, pytest):\n    \"\"\"doc\"\"\"\n    items.append(1)\n",
    "class TestN:\n\tdef test_N(self, items):\n\t\tpass\n",
    "class TestN:\n    \"\"\"doc\"\"\"\n\n    class TestInner:\n        @property\n        @mark\n        def test_N(self): return 1\n",
    "def test_N(items): pass\n",
    "if True:\n    def test_N(items=()):\n        def inner():\n            pass\n        return inner\n",
    "\x0cdef test_N(items):\n\n    # first\n    pass\n",
    "def test_N(\n    items,\n    *,\n    copy=None,  # :\n) -> None:\n    '''doc'''\n",
    "@pytest.fixture(scope=\"module\", autouse=True)\ndef db_N(request):\n    yield \"\u{e9}\"\n",
    "@pytest.fixture(\n    name=\"x\",\n    # wide\n    scope='session',\n)\ndef db_N(): pass\n",
    "@pytest.fixture(scope=\"class\")\n\ndef db_N():\n    return 1\n",
    "@ \\\n  mark\ndef test_N(items):  \\\n        pass\n",
];

/// What is done to a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Fixture { all: bool, own_folder: bool },
    Copy,
    Scope,
    Moved,
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => (any::<bool>(), any::<bool>()).prop_map(|(all, own_folder)| Kind::Fixture { all, own_folder }),
        1 => Just(Kind::Copy),
        1 => Just(Kind::Scope),
        1 => Just(Kind::Moved),
    ]
}

fn numbered(piece: &str, number: usize) -> String {
    piece.replace("_N", &format!("_{number}")).replace("TestN", &format!("Test{number}"))
}

/// A module's bytes.
fn modules() -> impl Strategy<Value = Vec<u8>> {
    let pieces = |from: &'static [&'static str], most: usize| prop::collection::vec(select(from), 0..=most);
    let future = select(&["", "from __future__ import annotations\n"][..]);
    let parts = (select(&HEADS[..]), select(&DOCSTRINGS[..]), future, pieces(&IMPORTS, 4));
    let rest = prop::collection::vec(
        prop_oneof![1 => select(&STATEMENTS[..]), 2 => select(&DEFINITIONS[..])],
        0..=5,
    );
    (parts, rest, any::<bool>(), any::<bool>()).prop_map(
        |((head, docstring, future, imports), rest, crlf, open)| {
            let mut text = format!("{head}{docstring}{future}{}", imports.concat());
            for (number, piece) in rest.iter().enumerate() {
                text += &numbered(piece, number);
            }
            if open {
                text.truncate(text.trim_end_matches('\n').len());
            }
            let text = if crlf { text.replace('\n', "\r\n") } else { text };
            if text.contains("coding: ") {
                text.chars().map(|c| c as u8).collect()
            } else {
                text.into_bytes()
            }
        },
    )
}

fn python() -> PathBuf {
    std::env::var("JOSTLE_TEST_PYTHON").unwrap_or_else(|_| "python3".into()).into()
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

type Checker = (ChildStdin, BufReader<ChildStdout>);

thread_local! {
    static READER: Reader = Reader::new(&python());
    static CHECKER: RefCell<Checker> = RefCell::new(checker());
}

#[expect(clippy::zombie_processes, reason = "it ends when the tests do")]
fn checker() -> Checker {
    let mut child = Command::new(python())
        .arg(support::root().join("tests/source_edits/unchanged.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let (asks, answers) = (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"));
    (asks, BufReader::new(answers))
}

/// What the checker says of an edit.
fn problem(old: &[u8], new: &[u8], kind: &str, uses: usize, line: Option<u32>) -> Option<String> {
    let asked = json!({ "old": text(old), "new": text(new), "kind": kind, "uses": uses, "line": line });
    let said = CHECKER.with_borrow_mut(|(asks, answers)| {
        writeln!(asks, "{asked}").expect("it reads");
        let mut said = String::new();
        answers.read_line(&mut said).expect("it answers");
        said
    });
    let said: Value = serde_json::from_str(&said).expect("the checker answers");
    said.as_str().map(str::to_owned)
}

fn compiles(content: &[u8]) -> Result<(), String> {
    READER.with(|reader| reader.compiles("a.py", content))
}

fn source(content: &[u8]) -> Result<Source, String> {
    let layout = READER.with(|reader| reader.layout(content))?;
    Ok(Source { file: "my tests/test_a.py".into(), content: content.to_owned(), layout })
}

fn recipe(how: RestoreMethod) -> RestoreRecipe {
    RestoreRecipe {
        module: "shop.prices".into(),
        object: "shop.prices._DISCOUNTS".into(),
        key: "out.txt".into(),
        base: PathBase::Rootdir,
        ..RestoreRecipe::new(how)
    }
}

/// An edit of a kind: its kind for the checker, the functions that use its fixture, and the line that is left out.
fn edited(source: &Source, kind: Kind, at: usize) -> Option<(Edited, &'static str, usize, Option<u32>)> {
    let layout = &source.layout;
    let nth = |count: usize| (count > 0).then(|| at % count);
    // What has the name of a fixture is no test, and the check would take it for one of ours.
    let tests: Vec<_> = layout.functions.iter().filter(|function| !function.name.starts_with('_')).collect();
    let test = |number: usize| Target { name: tests[number].name.clone(), line: Some(tests[number].line) };
    let of = nth(tests.len());
    Some(match kind {
        Kind::Fixture { all, own_folder } => {
            let (recipe, purpose) = match own_folder {
                true => (recipe(RestoreMethod::File), Purpose::OwnFolder),
                false => (recipe(RestoreMethod::Dict), Purpose::Keep),
            };
            let targets: Vec<Target> = of.into_iter().map(test).collect();
            let users = if all { Users::File } else { Users::Tests(&targets) };
            let uses = if all { 0 } else { targets.len() };
            (with_fixture(source, &recipe, purpose, users), "fixture", uses, None)
        }
        Kind::Copy => (with_copied_parameter(source, &test(of?), "items"), "copy", 0, None),
        Kind::Scope => (with_function_scope(source, tests[of?].line), "scope", 0, None),
        Kind::Moved => {
            let line = layout.statements[nth(layout.statements.len())?].line;
            let edit = without_statement(source, line).and_then(|(mut edit, statement)| {
                add_fixture(
                    &mut edit,
                    source,
                    &recipe(RestoreMethod::Dict),
                    Purpose::SetUp(&statement),
                    Users::File,
                )?;
                Ok(edit)
            });
            (edit, "fixture", 0, Some(line))
        }
    })
}

fn cases() -> u32 {
    support::number("JOSTLE_TEST_SOURCES", 48, 1000)
}

/// The edit is applied by git, and changes nothing else.
fn check(content: &[u8], kind: Kind, at: usize) -> Result<bool, TestCaseError> {
    let source = match source(content) {
        Ok(source) => source,
        // Only what is no Python may be refused: some of the pieces do not go together.
        Err(why) => {
            prop_assert!(compiles(content).is_err(), "refused: {why}");
            return Ok(false);
        }
    };
    let Some((Ok(edit), name, uses, line)) = edited(&source, kind, at) else {
        return Ok(false);
    };
    let new = edit.after();
    prop_assert_eq!(problem(content, &new, name, uses, line), None, "{}", String::from_utf8_lossy(&new));
    let patch = diff(std::slice::from_ref(&edit));
    let said = String::from_utf8_lossy(&patch).into_owned();
    prop_assert_ne!(apply(&[edit], &patch), Applied::No, "{}", said);
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_edit_changes_nothing_else(content in modules(), kind in kinds(), at in any::<usize>()) {
        check(&content, kind, at)?;
    }

    #[test]
    fn two_fixtures_go_into_one_file(content in modules(), at in any::<(usize, usize)>()) {
        let Ok(source) = source(&content) else { return Ok(()) };
        let fixture = |at: usize, how: RestoreMethod, purpose| {
            let functions = &source.layout.functions;
            let tests: Vec<Target> = (!functions.is_empty())
                .then(|| &functions[at % functions.len()])
                .map(|function| Target { name: function.name.clone(), line: Some(function.line) })
                .into_iter()
                .collect();
            with_fixture(&source, &recipe(how), purpose, Users::Tests(&tests))
        };
        let made = (fixture(at.0, RestoreMethod::Dict, Purpose::Keep), fixture(at.1, RestoreMethod::File, Purpose::OwnFolder));
        let (Ok(first), Ok(second)) = made else { return Ok(()) };
        let both = first.with(&second).expect("they have different names");
        let after = both.after();
        prop_assert_eq!(compiles(&after), Ok(()), "{}", String::from_utf8_lossy(&after));
        let patch = diff(std::slice::from_ref(&both));
        prop_assert_ne!(apply(&[both], &patch), Applied::No);
    }
}

/// Each piece at least once, whatever is drawn.
#[test]
fn every_piece_can_be_edited() {
    let mut made = 0;
    for import in IMPORTS {
        let content = format!("{}{import}\ndef test_0(items):\n    pass\n", DOCSTRINGS[1]);
        for all in [true, false] {
            let kind = Kind::Fixture { all, own_folder: false };
            made += usize::from(
                check(content.as_bytes(), kind, 0).unwrap_or_else(|error| panic!("{import:?}: {error}")),
            );
        }
    }
    assert_eq!(made, 2 * IMPORTS.len());
    let kinds = [Kind::Fixture { all: false, own_folder: false }, Kind::Copy, Kind::Scope];
    let mut made = [0; 3];
    for definition in DEFINITIONS {
        let content = format!("import pytest\n\n\n{}", numbered(definition, 0));
        for (made, kind) in made.iter_mut().zip(kinds) {
            let checked = check(content.as_bytes(), kind, 0);
            *made += usize::from(checked.unwrap_or_else(|error| panic!("{definition:?}: {error}")));
        }
    }
    assert_eq!(made, [DEFINITIONS.len(), 6, 3], "fixtures, copied parameters, narrower scopes");
}

/// What is wrong is found by the check that the properties rely on.
#[test]
fn a_wrong_edit_is_told() {
    let fixture = "import pytest\n@pytest.fixture\ndef _restore_a():\n    yield\n";
    let old = "\"\"\"About.\"\"\"\nfrom os import path, \\\n    sep\ndef test_a(): pass\n";
    let told = |new: &str| problem(old.as_bytes(), new.as_bytes(), "fixture", 0, None);
    let good = old.replace("def test_a", &format!("{fixture}def test_a"));
    assert_eq!(told(&good), None);
    for (new, why) in [
        (old.replace("    sep", &format!("{fixture}    sep")), "compile"),
        (format!("{fixture}{old}"), "docstrings"),
        (good.replace("pass", "return"), "something else"),
        (good.replace("import pytest\n", ""), "pytest is not known"),
        (good.replace("import pytest\n", "import pytest\npytest = 1\n"), "something else"),
        (old.to_owned(), "0 fixtures"),
    ] {
        let said = told(&new).unwrap_or_else(|| panic!("nothing is told of {new}"));
        assert!(said.contains(why), "{said}: {new}");
    }
}

#[test]
fn names_that_are_taken_are_left_alone() {
    let edit = |content: &str| -> String {
        let source = source(content.as_bytes()).expect("Python");
        let test = [Target { name: "test_a".into(), line: None }];
        let edit: Edit =
            with_fixture(&source, &recipe(RestoreMethod::Dict), Purpose::Keep, Users::Tests(&test))
                .expect("a fixture");
        String::from_utf8(edit.after()).expect("UTF-8")
    };
    let test = "\n\ndef test_a():\n    pass\n";
    let aliased = edit(&format!("import pytest as pt\n{test}"));
    assert!(aliased.contains("@pt.fixture\n") && aliased.contains("@pt.mark.usefixtures("), "{aliased}");
    assert!(!aliased.contains("import pytest\n"), "{aliased}");
    let shadowed = edit(&format!("import os\npytest = 1\n{test}"));
    assert!(
        shadowed.contains("import pytest as pytest_\n") && shadowed.contains("@pytest_.fixture\n"),
        "{shadowed}"
    );
    let taken = edit(&format!("def _restore_shop_prices_discounts(): pass\n{test}"));
    assert!(taken.contains("usefixtures(\"_restore_shop_prices_discounts_2\")"), "{taken}");
    // What the module calls `shop` is another module's at times.
    let known = edit(&format!("import shop.prices\n{test}"));
    assert!(!known.contains("    import shop.prices\n"), "{known}");
    let rebound = edit(&format!("import shop.prices\nshop = 1\n{test}"));
    assert!(rebound.contains("    import shop.prices\n"), "{rebound}");
    let statement = Statement { module: "shop".into(), text: "shop.setup()".into() };
    let source = source(test.as_bytes()).expect("Python");
    let set_up = with_fixture(&source, &recipe(RestoreMethod::Dict), Purpose::SetUp(&statement), Users::File)
        .expect("a fixture");
    let body = "    import shop.prices\n    import shop\n\n    saved = dict(shop.prices._DISCOUNTS)\n    shop.setup()\n    yield\n";
    let said = String::from_utf8(set_up.after()).expect("UTF-8");
    assert!(said.contains(body), "{said}");
    for other in ["# coding: latin-1\n", "", "import os\r\n"] {
        let content = format!("{other}X = '\u{e9}'\r\n{test}");
        assert!(!edit(&content).is_empty());
    }
}
