//! A test that ends at its own end what it has started: a patcher is stopped, a thread is waited for, a file is closed.

use crate::explain::fix::edit::{Edit, Rank};
use crate::explain::fix::layout::{Function, Source, Started};
use crate::explain::fix::parameter::Target;
use crate::explain::fix::source::{Edited, Refusal, encoded};
use crate::state::StateKind;

/// What ends something, by the method for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The method.
    method: &'static str,
    /// Whether it is for what was made, and not for what was started after that.
    is_made: bool,
}

impl End {
    /// What ends a place of this kind; none for what is no object that a test holds.
    pub(crate) fn of(kind: StateKind) -> Option<Self> {
        match kind {
            StateKind::Mock => Some(Self { method: "stop", is_made: false }),
            StateKind::Thread => Some(Self { method: "join", is_made: false }),
            StateKind::Descriptor => Some(Self { method: "close", is_made: true }),
            _ => None,
        }
    }
}

/// A test module in which tests end what they start. What the one that is known by its line starts is ended there, be it in
/// one of these tests or in what sets them up; the others end what has the same name, or the only thing that they start.
///
/// # Errors
/// One of them has no such statement, or cannot be told to do anything at its end.
pub(crate) fn with_cleanup(source: &Source, tests: &[Target], line: Option<u32>, end: End) -> Edited {
    let known = source.layout.functions.iter().find_map(|function| {
        let started = function.started.iter().find(|started| Some(started.line) == line)?;
        Some((function, started)).filter(|_| started.is_made == end.is_made)
    });
    let sets_up = |function: &Function| function.cleanup.as_ref().is_some_and(|cleanup| cleanup.is_setup);
    let mut edit = Edit::of(source);
    if let Some((function, started)) = known.filter(|(function, _)| sets_up(function)) {
        end_in(&mut edit, source, function, started, end)?;
        return encoded(edit, source);
    }
    let mut ended = Vec::new();
    for test in tests {
        let function = source.layout.test(&test.name, test.line).ok_or_else(|| test.missing())?;
        // Parameters of one function make several tests.
        if !ended.contains(&function.start) {
            ended.push(function.start);
            let name = known.map(|(_, started)| started.name.as_str());
            let started = statement(function, line, name, end).ok_or(Refusal::Unknown)?;
            end_in(&mut edit, source, function, started, end)?;
        }
    }
    encoded(edit, source)
}

/// Has a function end what a statement of it starts.
fn end_in(
    edit: &mut Edit,
    source: &Source,
    function: &Function,
    started: &Started,
    end: End,
) -> Result<(), Refusal> {
    let cleanup = function.cleanup.as_ref().ok_or(Refusal::Unknown)?;
    if let Some((at, argument)) = &cleanup.argument {
        edit.add(*at, Rank::Line, argument);
    }
    let call = format!("{}({}.{})", cleanup.call, started.name, end.method);
    edit.add(started.end, Rank::Line, &format!("{}{call}{}", started.indent, source.layout.newline));
    Ok(())
}

/// The statement of a function after which what it starts can be ended.
fn statement<'a>(
    function: &'a Function,
    line: Option<u32>,
    name: Option<&str>,
    end: End,
) -> Option<&'a Started> {
    let of_sort: Vec<&Started> =
        function.started.iter().filter(|started| started.is_made == end.is_made).collect();
    let at_line = of_sort.iter().find(|started| Some(started.line) == line);
    let named = || of_sort.iter().find(|started| Some(started.name.as_str()) == name);
    match of_sort.as_slice() {
        [only] => Some(*only),
        _ => at_line.or_else(named).copied(),
    }
}
