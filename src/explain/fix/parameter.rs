//! A test that works on a copy of its parameter.

use crate::explain::fix::edit::Edit;
use crate::explain::fix::layout::Source;
use crate::explain::fix::source::{Addition, Edited, Refusal, add_at_top, add_first, encoded};

/// A test's own name and where pytest saw it start, as [`crate::explain::fix::layout::Layout::test`] takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `TestCart::test_total`
    pub name: String,
    /// 1-based.
    pub line: Option<u32>,
}

impl Target {
    /// Why a test's definition cannot be edited.
    pub(super) fn missing(&self) -> Refusal {
        Refusal::Unsafe(format!("does not define {} in a way that can be edited", self.name))
    }
}

/// A test module in which a test copies a parameter before it does anything else.
///
/// # Errors
/// The test has no such parameter, or its body stands on the line of its `def`.
pub fn with_copied_parameter(source: &Source, test: &Target, parameter: &str) -> Edited {
    let function = source.layout.test(&test.name, test.line).ok_or_else(|| test.missing())?;
    let named = function.parameters.iter().any(|name| name == parameter);
    let body = function.body.as_ref().filter(|_| named).ok_or_else(|| test.missing())?;
    let (copy, import) = source.layout.named("copy");
    let mut edit = Edit::of(source);
    add_first(&mut edit, source, body, &format!("{parameter} = {copy}.deepcopy({parameter})"));
    if let Some(import) = import {
        add_at_top(&mut edit, source, &Addition { block: &[], imports: &[import] });
    }
    encoded(edit, source)
}
