//! A test that ends at its own end what it has started: a patcher is stopped, a thread is waited for, a file is closed.

use crate::explain::fix::edit::{Edit, Rank};
use crate::explain::fix::layout::{Function, Source, Started};
use crate::explain::fix::parameter::Target;
use crate::explain::fix::source::{Edited, Refusal, encoded};
use crate::state::{Place, StateKind};

/// Descriptors that no test has made.
const STANDARD: [&str; 3] = ["descriptor 0", "descriptor 1", "descriptor 2"];

/// What ends something, by the method for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The method.
    method: &'static str,
    /// Whether it is for what was made, and not for what was started after that.
    is_made: bool,
}

impl End {
    /// What ends a place; none for what is no object that a test holds.
    pub(crate) fn of(place: &Place) -> Option<Self> {
        match place.kind {
            StateKind::Mock => Some(Self { method: "stop", is_made: false }),
            StateKind::Thread => Some(Self { method: "join", is_made: false }),
            StateKind::Descriptor if !STANDARD.contains(&&*place.name) => {
                Some(Self { method: "close", is_made: true })
            }
            _ => None,
        }
    }
}

/// A test module in which what is started at a line is ended by whoever starts it, be that one of the tests or what sets them
/// up. The other tests end what has the same name there, or the only thing that they start.
///
/// # Errors
/// One of them has no such statement, or cannot be told to do anything at its end.
pub(crate) fn with_cleanup(source: &Source, tests: &[Target], line: u32, end: End) -> Edited {
    let known = source.layout.functions.iter().find_map(|function| {
        let started = function.started.iter().find(|started| started.line == line)?;
        Some((function, started)).filter(|_| started.is_made == end.is_made)
    });
    let (function, known) = known.ok_or(Refusal::Unknown)?;
    let mut edit = Edit::of(source);
    end_in(&mut edit, source, function, known, end)?;
    if function.cleanup.as_ref().is_some_and(|cleanup| cleanup.is_setup) {
        return encoded(edit, source);
    }
    let is_it = |test: &Target| {
        source.layout.test(&test.name, test.line).is_some_and(|found| found.start == function.start)
    };
    if !tests.iter().any(is_it) {
        return Err(Refusal::Unknown); // who else calls it gives it no more than before
    }
    let mut ended = vec![function.start];
    for test in tests {
        let function = source.layout.test(&test.name, test.line).ok_or_else(|| test.missing())?;
        // Parameters of one function make several tests.
        if !ended.contains(&function.start) {
            ended.push(function.start);
            let started = like(function, known).ok_or(Refusal::Unknown)?;
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

/// The statement of another function that starts what one is known to start.
fn like<'a>(function: &'a Function, known: &Started) -> Option<&'a Started> {
    let of_sort = || function.started.iter().filter(|started| started.is_made == known.is_made);
    of_sort()
        .find(|started| started.name == known.name)
        .or_else(|| of_sort().next().filter(|_| of_sort().count() == 1))
}
