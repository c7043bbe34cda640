//! A statement that a fixture runs: what sets a brittle test's state up, or what a module did when it was
//! imported.

use crate::state::{Place, RestoreMethod, Statement};

use crate::explain::fix::edit::Edit;
use crate::explain::fix::is_literal;
use crate::explain::fix::keep::{Body, is_module};
use crate::explain::fix::layout::Source;
use crate::explain::fix::source::Refusal;

impl Statement {
    /// What gives a place the value it has; none unless that is a literal, and the place's name an expression.
    pub(crate) fn that_sets(place: &Place) -> Option<Self> {
        let recipe = place.recipe.as_ref()?;
        let named = match recipe.how {
            RestoreMethod::Dict => place.name.strip_prefix(&recipe.object)?.starts_with("[\""),
            RestoreMethod::Attribute | RestoreMethod::Environ => true,
            _ => false,
        };
        let text = format!("{} = {}", place.name, place.new);
        (named && is_literal(&place.new)).then(|| Self { module: recipe.module.clone(), text })
    }

    /// A fixture that runs it as the last thing before the test, in the file whose module is `own`.
    pub(super) fn before(&self, mut body: Body, own: &str) -> Body {
        let in_own = is_module(&self.module, own);
        let text = match self.text.strip_prefix(&format!("{}.", self.module)) {
            Some(rest) if in_own => rest.to_owned(),
            _ => self.text.clone(),
        };
        if !in_own && !self.module.is_empty() && !body.imports.contains(&self.module) {
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

/// A module without the statement at a 1-based line, and that statement.
///
/// # Errors
/// It is no statement of the module's own that stands alone on its line and binds no name of the module.
pub fn without_statement(source: &Source, line: u32) -> Result<(Edit, Statement), Refusal> {
    let found = source.layout.statements.iter().find(|statement| statement.line == line);
    let found = found.ok_or_else(|| {
        Refusal::Unsafe(format!("needs more than line {line} to be moved, or the names that it binds"))
    })?;
    let mut edit = Edit::of(source);
    edit.remove(found.start, found.end);
    Ok((edit, Statement { module: String::new(), text: found.text.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_is_set_by_monkeypatch() {
        let patch = "monkeypatch.setattr(a.b(), \"c\", a.b().c)";
        assert_eq!(patched(patch, "a.b().c = 6").as_deref(), Some("monkeypatch.setattr(a.b(), \"c\", 6)"));
        assert_eq!(patched(patch, "a.b().d = 6"), None);
    }
}
