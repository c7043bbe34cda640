//! Proposed fixes, as diffs: a fixture of the polluter's that leaves a place as it found it or keeps a file in a
//! folder of its own, a fixture's narrower scope, what a brittle test needs, a copied parameter, the end of what a
//! test has started.
//!
//! A proposal only: it is shown once it was tried in a copy of the project. Each is as narrow as it can be, since
//! what is cleaned up after a test may be in use by another one elsewhere.

mod cleanup;
pub(crate) mod layout;
pub(crate) mod edit;
pub mod diff;
mod keep;
mod own_folder;
mod parameter;
mod rolled_back;
mod scope;
mod source;
mod statement;

use crate::state::{RestoreRecipe, Statement};
pub(crate) use cleanup::{End, with_cleanup};
pub use diff::diff;
pub use edit::Edit;
use keep::Subject;
pub(crate) use layout::Layout;
pub use layout::Source;
pub use parameter::{Target, with_copied_parameter};
pub(crate) use rolled_back::with_rolled_back_session;
pub use scope::with_function_scope;
pub use source::Edited;
pub(crate) use source::Refusal;
use source::{Addition, add_at_top, decorate, encoded};
pub use statement::without_statement;

/// Who uses a fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users<'a> {
    /// These tests.
    Tests(&'a [Target]),
    /// All tests of the file.
    File,
}

/// What a fixture is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// To leave the place as it was found.
    Keep,
    /// To keep a file in a folder of the test's own.
    OwnFolder,
    /// To run a statement, and to leave the place as it was found.
    SetUp(&'a Statement),
}

/// A test module with a fixture for a place.
///
/// # Errors
/// No fixture is known that could serve, or the module cannot be edited.
pub fn with_fixture(
    source: &Source,
    recipe: &RestoreRecipe,
    purpose: Purpose<'_>,
    users: Users<'_>,
) -> Edited {
    let mut edit = Edit::of(source);
    add_fixture(&mut edit, source, recipe, purpose, users)?;
    encoded(edit, source)
}

/// Adds a fixture for a place to what is changed in a test module.
///
/// # Errors
/// As those of [`with_fixture`].
pub fn add_fixture(
    edit: &mut Edit,
    source: &Source,
    recipe: &RestoreRecipe,
    purpose: Purpose<'_>,
    users: Users<'_>,
) -> Result<(), Refusal> {
    let own = source.file.strip_suffix(".py").ok_or(Refusal::Unknown)?.replace('/', ".");
    let subject = Subject::new(recipe, &own).ok_or(Refusal::Unknown)?;
    let body = match purpose {
        Purpose::Keep => subject.keep(recipe),
        Purpose::OwnFolder => own_folder::body(recipe, &own),
        Purpose::SetUp(statement) => subject.keep(recipe).map(|body| statement.before(body, &own)),
    };
    let body = body.ok_or(Refusal::Unknown)?;
    let shown = subject.shown(recipe);
    let (verb, says) = match purpose {
        Purpose::Keep => ("restore", format!("Leave `{shown}` as it was found.")),
        Purpose::OwnFolder => ("own", format!("Keep `{shown}` in the test's own folder.")),
        Purpose::SetUp(_) => ("set_up", format!("Set `{shown}` up, and leave it as it was found.")),
    };
    let layout = &source.layout;
    let name = layout.free(&format!("_{verb}_{}", slug(&shown)));
    let (pytest, import) = layout.named("pytest");
    let decorator = match users {
        Users::File => format!("@{pytest}.fixture(autouse=True)"),
        Users::Tests(_) => format!("@{pytest}.fixture"),
    };
    let is_plain = !says.contains(['\\', '\n', '\r']) && !says.contains("\"\"\"");
    let docstring = is_plain.then(|| format!("\"\"\"{says}\"\"\""));
    let block = body.fixture(&name, decorator, docstring, layout).ok_or(Refusal::Unknown)?;
    if let Users::Tests(tests) = users {
        let mut decorated = Vec::new();
        for test in tests {
            let function = layout.test(&test.name, test.line).ok_or_else(|| test.missing())?;
            // Parameters of one function make several tests.
            if !decorated.contains(&function.start) {
                decorated.push(function.start);
                decorate(edit, source, function, &format!("@{pytest}.mark.usefixtures(\"{name}\")"));
            }
        }
    }
    add_at_top(edit, source, &Addition { block: &block, imports: &import.into_iter().collect::<Vec<_>>() });
    Ok(())
}

/// Whether a value, as it is shown, is an expression for itself.
fn is_literal(shown: &str) -> bool {
    after_literal(shown) == Some("")
}

/// What follows a literal at the beginning of a text: a number, a string, one of Python's constants, or a list, tuple, set or
/// dictionary of literals.
fn after_literal(shown: &str) -> Option<&str> {
    if let Some(rest) = shown.strip_prefix("set()") {
        return Some(rest);
    }
    let first = shown.chars().next()?;
    let closing = match first {
        '[' => ']',
        '(' => ')',
        '{' => '}',
        '\'' | '"' => {
            let (text, rest) = shown[1..].split_once(first)?;
            // A folder that stands as `$TMPDIR` has another name in each run.
            let is_plain = !text.contains(['\\', '…']) && !text.contains("$TMPDIR");
            return is_plain.then_some(rest);
        }
        _ => {
            let end = shown.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
            let (word, rest) = shown.split_at(end.unwrap_or(shown.len()));
            let digits = word.strip_prefix('-').unwrap_or(word);
            let is_number = word.parse::<f64>().is_ok() && digits.starts_with(|c: char| c.is_ascii_digit());
            return (matches!(word, "None" | "True" | "False") || is_number).then_some(rest);
        }
    };
    let mut rest = &shown[1..];
    loop {
        if let Some(after) = rest.strip_prefix(closing) {
            return Some(after);
        }
        rest = after_literal(rest)?;
        if let Some(value) = rest.strip_prefix(": ").filter(|_| first == '{') {
            rest = after_literal(value)?;
        }
        rest = match rest.strip_prefix(", ").or_else(|| rest.strip_prefix(',')) {
            Some(more) => more,
            None if rest.starts_with(closing) => rest,
            None => return None,
        };
    }
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '\\' | '"' => format!("\\{c}"),
        c if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn slug(shown: &str) -> String {
    let words = shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words.map(str::to_ascii_lowercase).collect();
    words[words.len().saturating_sub(3)..].join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_an_expression_for_itself_is_a_literal() {
        let plain = ["None", "-3", "1.5", "'a b'", "\"it's\"", "[]", "set()"];
        let within = ["[1, 'a']", "(1,)", "{'currency': 'EUR', 2: [None, {}]}", "{1, 2}"];
        for literal in plain.into_iter().chain(within) {
            assert!(is_literal(literal), "{literal}");
        }
        for other in [
            "(absent)",
            "'cut…'",
            "[1, … 3 more]",
            "{'a': <Shop open=True>}",
            "[1",
            "[1] + [2]",
            "-inf",
            "'a\\n'",
            "'a' + 'b'",
            "'",
            "'$TMPDIR/a'",
            "inf",
            "nan",
            "<function f>",
            "",
        ] {
            assert!(!is_literal(other), "{other}");
        }
    }

    #[test]
    fn any_text_can_be_a_key() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\x0ad""#);
    }
}
