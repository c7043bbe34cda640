//! Where a module's text can be edited, as the suite's own interpreter reads it: `sources.py` of the harness writes
//! down what is read here. All positions are byte offsets into the file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

/// A module of the project and where it can be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The file, relative to rootdir, with `/` between its parts.
    pub file: String,
    /// What it holds.
    pub content: Vec<u8>,
    /// Where it can be edited.
    pub layout: Layout,
}

/// Where a module can be edited.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Layout {
    /// How its lines end: `\n` or `\r\n`.
    pub(crate) newline: String,
    /// Whether it is UTF-8; else only ASCII can be added.
    pub(crate) utf8: bool,
    /// Where imports and fixtures can be added: after its imports, its docstring, or its first comments.
    pub top: usize,
    /// Whether the line before `top` lacks its end.
    pub open: bool,
    /// Whether nothing stands before `top`.
    pub first: bool,
    /// Whether imports stand before `top`.
    pub imports: bool,
    /// How many blank lines follow `top`.
    pub(crate) blank: usize,
    /// Whether nothing stands after `top`.
    pub last: bool,
    /// The modules that are imported before `top` whatever happens, and how they are named from there on.
    pub modules: BTreeMap<String, String>,
    /// What each name is bound to anywhere in the module: the module that is imported, or "" for all else.
    pub(crate) bindings: BTreeMap<String, Vec<String>>,
    /// All names that it binds or looks up, and texts that may be names of fixtures.
    pub words: BTreeSet<String>,
    /// The functions of the module and of its classes.
    pub functions: Vec<Function>,
    /// Its own statements that stand alone on one line and bind no name of it.
    pub statements: Vec<Line>,
}

/// A function of a module or a class.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Function {
    /// With its classes, as in a node id: `TestCart::test_total`.
    pub name: String,
    /// The 1-based line where its definition starts: that of its first decorator.
    pub line: u32,
    /// Where that line starts.
    pub start: usize,
    /// That line's indentation.
    pub(crate) indent: String,
    /// Where a statement can stand first in it; none if its body stands on the line of its `def`.
    pub body: Option<Body>,
    /// The names of its parameters.
    pub parameters: Vec<String>,
    /// What is to be left out of its decorator to make a fixture's scope that of a function.
    pub scope: Option<(usize, usize)>,
    /// How it has something done at its end, if it can.
    pub(crate) cleanup: Option<Cleanup>,
    /// Its statements that start or make something.
    pub(crate) started: Vec<Started>,
}

/// What a function calls to have something done at its end.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Cleanup {
    /// What takes a function to call: `request.addfinalizer`.
    pub(crate) call: String,
    /// Where it is given what that needs as an argument, and the text of this.
    pub(crate) argument: Option<(usize, String)>,
    /// Whether it is no test, but sets several up: a fixture, `setUp`.
    pub(crate) is_setup: bool,
}

/// A statement that starts something, or makes it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Started {
    /// 1-based.
    pub(crate) line: u32,
    /// Where the line after it starts.
    pub(crate) end: usize,
    /// Its indentation.
    pub(crate) indent: String,
    /// What it starts or makes, as it is named from there on.
    pub(crate) name: String,
    /// Whether it makes it.
    pub(crate) is_made: bool,
}

/// Where a statement can stand first in a function.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Body {
    /// The start of a line.
    pub at: usize,
    /// The body's indentation.
    pub(crate) indent: String,
    /// Whether the line before lacks its end.
    pub open: bool,
}

/// A statement that is a line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Line {
    /// 1-based.
    pub line: u32,
    /// Where it starts.
    pub start: usize,
    /// Where what goes with it ends: the line, and blank lines that would be too many without it.
    pub end: usize,
    /// The statement, without a comment after it.
    pub text: String,
}

impl Layout {
    /// The function that a test runs, by its name in the node id (`TestCart::test_total`) and by the 1-based line
    /// where pytest saw it start. One that is inherited within the file is found by its line.
    pub fn test(&self, name: &str, line: Option<u32>) -> Option<&Function> {
        let own = |name: &str| name.rsplit("::").next().unwrap_or_default().to_owned();
        let named: Vec<&Function> = self.functions.iter().filter(|function| function.name == name).collect();
        match named.as_slice() {
            [only] => Some(only),
            [] => self.at(line?).filter(|function| own(&function.name) == own(name)),
            _ => named.into_iter().find(|function| Some(function.line) == line),
        }
    }

    /// The function whose definition starts at a 1-based line.
    pub fn at(&self, line: u32) -> Option<&Function> {
        self.functions.iter().find(|function| function.line == line)
    }

    /// A name like the one that is wished for which nothing in the module has.
    pub fn free(&self, wished: &str) -> String {
        let names = (1..).map(|number| match number {
            1 => wished.to_owned(),
            _ => format!("{wished}_{number}"),
        });
        names.into_iter().find(|name| !self.words.contains(name)).unwrap_or_default()
    }

    /// How a module of one word is named after `top`, and the line that imports it there if one has to.
    pub fn named(&self, module: &str) -> (String, Option<String>) {
        if let Some(name) = self.modules.get(module) {
            return (name.clone(), None);
        }
        let bound = self.bindings.get(module);
        if bound.is_none_or(|targets| targets.iter().all(|target| target == module)) {
            return (module.to_owned(), Some(format!("import {module}")));
        }
        let alias = self.free(&format!("{module}_"));
        (alias.clone(), Some(format!("import {module} as {alias}")))
    }
}
