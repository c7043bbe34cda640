//! What a module is given: imports and a fixture after its imports, decorators, or a line.

use crate::explain::fix::edit::{Edit, Rank};
use crate::explain::fix::layout::{Body, Function, Source};

/// Why a change cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No change is known for this sort of place.
    Unknown,
    /// It could not be made safely: a sentence's rest, `has no test_x that starts at line 3`.
    Unsafe(String),
}

/// A change of a module, or why it is not made.
pub type Edited = Result<Edit, Refusal>;

/// What a module is given at its top.
pub(crate) struct Addition<'a> {
    /// Lines that stand for themselves after the imports.
    pub(crate) block: &'a [String],
    /// Lines that import what these need.
    pub(crate) imports: &'a [String],
}

/// Adds imports and a block at a module's top.
pub(crate) fn add_at_top(edit: &mut Edit, source: &Source, addition: &Addition<'_>) {
    let (layout, newline) = (&source.layout, source.layout.newline.as_str());
    let (at, lines) = (layout.top, |lines: &[String]| {
        lines.iter().map(|line| format!("{line}{newline}")).collect::<String>()
    });
    if layout.open {
        edit.add(at, Rank::LineEnd, newline);
    }
    let gap = !layout.imports && !layout.first && !addition.imports.is_empty();
    if gap {
        edit.add(at, Rank::LineEnd, newline);
    }
    addition.imports.iter().for_each(|import| edit.add(at, Rank::Import, &format!("{import}{newline}")));
    if !addition.block.is_empty() {
        edit.add(at, Rank::Block, &format!("{newline}{newline}{}", lines(addition.block)));
    }
    if !layout.last && (gap || layout.first || !addition.block.is_empty()) {
        edit.add(at, Rank::Blank, &newline.repeat(2_usize.saturating_sub(layout.blank)));
    }
}

/// Adds a decorator above a definition.
pub(crate) fn decorate(edit: &mut Edit, source: &Source, function: &Function, decorator: &str) {
    let newline = &source.layout.newline;
    edit.add(function.start, Rank::Line, &format!("{}{decorator}{newline}", function.indent));
}

/// Adds a statement as the first one of a body.
pub(crate) fn add_first(edit: &mut Edit, source: &Source, body: &Body, statement: &str) {
    let newline = &source.layout.newline;
    if body.open {
        edit.add(body.at, Rank::LineEnd, newline);
    }
    edit.add(body.at, Rank::Line, &format!("{}{statement}{newline}", body.indent));
}

/// The edit, if the file's encoding can hold it.
pub(crate) fn encoded(edit: Edit, source: &Source) -> Edited {
    if source.layout.utf8 || edit.is_ascii() {
        return Ok(edit);
    }
    Err(Refusal::Unsafe("is not in UTF-8, and the change is not in ASCII".into()))
}
