//! A statement that a fixture runs: what sets a brittle test's state up, or what a module did when it was
//! imported.

use serde::{Deserialize, Serialize};

use crate::explain::Place;
use crate::explain::fix::is_literal;
use crate::explain::fix::keep::{Body, is_module};

/// A statement of a fixture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The module that has to be imported for it; empty for none.
    pub module: String,
    /// Its only line.
    pub text: String,
}

impl Statement {
    /// What gives a place the value it has; none unless that is a literal, and the place's name an expression.
    pub fn that_sets(place: &Place) -> Option<Self> {
        let mend = place.mend.as_ref()?;
        let named = match mend.how.as_str() {
            "dict" => place.name.strip_prefix(&mend.object)?.starts_with("[\""),
            "attribute" | "environ" => true,
            _ => false,
        };
        let text = format!("{} = {}", place.name, place.new);
        (named && is_literal(&place.new)).then(|| Self { module: mend.module.clone(), text })
    }

    /// A fixture that runs it as the last thing before the test, in the module `stem`.
    pub(super) fn before(&self, mut body: Body, stem: &str) -> Body {
        let own = is_module(&self.module, stem);
        let text = match self.text.strip_prefix(&format!("{}.", self.module)) {
            Some(rest) if own => rest.to_owned(),
            _ => self.text.clone(),
        };
        if !own && !self.module.is_empty() && !body.imports.contains(&self.module) {
            body.imports.push(self.module.clone());
        }
        match body.before.last_mut().and_then(|patch| patched(patch, &text).map(|new| (patch, new))) {
            Some((patch, new)) => *patch = new,
            None => body.before.push(text),
        }
        body
    }
}

/// A `monkeypatch.setattr` that sets an attribute to itself, made to set it to what a statement does.
fn patched(patch: &str, statement: &str) -> Option<String> {
    let arguments = patch.strip_prefix("monkeypatch.setattr(")?.strip_suffix(')')?;
    let mut parts = arguments.rsplitn(3, ", ");
    let (kept, quoted, object) = (parts.next()?, parts.next()?, parts.next()?);
    let (target, value) = statement.split_once(" = ")?;
    (target == kept).then(|| format!("monkeypatch.setattr({object}, {quoted}, {value})"))
}

/// A module without the statement at a 1-based line, and that statement; none unless it is a single line
/// of the module's own that binds no name of it.
pub fn without_statement(content: &str, line: u32) -> Option<(String, Statement)> {
    let mut lines: Vec<&str> = content.split('\n').collect();
    let at = line.checked_sub(1)? as usize;
    let text = lines.get(at)?.trim_end();
    let balanced = ["()", "[]", "{}"].iter().all(|pair| {
        let (open, close) = pair.split_at(1);
        text.matches(open).count() == text.matches(close).count()
    });
    let target = text.split(" = ").next()?;
    let binds = text.contains(" = ") && target.chars().all(|c| c.is_alphanumeric() || "_, ".contains(c));
    let keyword = ["import ", "from ", "def ", "class ", "del ", "with ", "@", "#", "if ", "for ", "\"", "'"];
    let simple = text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && !text.ends_with([':', '\\'])
        && !keyword.iter().any(|word| text.starts_with(word));
    if !balanced || binds || !simple || text.contains("\"\"\"") || text.contains("'''") {
        return None;
    }
    let statement = Statement { module: String::new(), text: text.to_owned() };
    lines.remove(at);
    // Of the blank lines on both sides one pair is enough.
    let blank = |lines: &[&str], at: usize| lines.get(at).is_some_and(|line| line.trim().is_empty());
    while at > 0 && blank(&lines, at - 1) && blank(&lines, at) {
        lines.remove(at);
    }
    Some((lines.join("\n"), statement))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_taken_out_only_if_nothing_else_needs_it() {
        let taken = |line: &str| without_statement(&format!("import a\n\n{line}\n\n\nX = 1\n"), 3);
        let (content, statement) = taken("a.b().c = 6").unwrap();
        assert_eq!(content, "import a\n\nX = 1\n");
        assert_eq!(statement.text, "a.b().c = 6");
        assert!(taken("os.environ[\"A\"] = \"b\"").is_some());
        assert!(taken("setup()").is_some());
        for other in [
            "X = 1",
            "a, b = 1, 2",
            "import os",
            "    f()",
            "f(",
            "if x: f()",
            "# f()",
            "def f(): pass",
            "\"\"\"f\"\"\"",
        ] {
            assert_eq!(taken(other), None, "{other}");
        }
    }

    #[test]
    fn an_attribute_is_set_by_monkeypatch() {
        let patch = "monkeypatch.setattr(a.b(), \"c\", a.b().c)";
        assert_eq!(patched(patch, "a.b().c = 6").as_deref(), Some("monkeypatch.setattr(a.b(), \"c\", 6)"));
        assert_eq!(patched(patch, "a.b().d = 6"), None);
    }
}
