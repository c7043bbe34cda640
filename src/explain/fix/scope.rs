//! A fixture's narrower scope.

use crate::explain::fix::edit::Edit;
use crate::explain::fix::layout::Source;
use crate::explain::fix::source::{Edited, Refusal};

/// A module whose fixture, defined from a 1-based line on, is made anew for each test.
///
/// # Errors
/// No fixture whose scope is written down starts there.
pub fn with_function_scope(source: &Source, line: u32) -> Edited {
    let scope = source.layout.at(line).and_then(|function| function.scope);
    let (at, end) = scope.ok_or_else(|| {
        Refusal::Unsafe(format!("has no fixture at line {line} whose scope is written down"))
    })?;
    let mut edit = Edit::of(source);
    edit.remove(at, end);
    Ok(edit)
}
