//! The page of `jostle conflicts`: resources that tests share, with who reads and who changes each, and where.

use maud::{Markup, html};

use crate::race::conflicts::Conflict;
use crate::report::conflicts::conclusion;
use crate::report::page::frame::{About, Part, figures, framed, table};
use crate::report::page::overview;
use crate::report::{terminal, words};
use crate::suite::Suite;
use crate::trial::Collected;

/// Bytes for the calls of tests; resources that have no room are counted in the overview alone.
const CALLS_BYTES: usize = 3_000_000;

/// The page.
pub(crate) fn page(collected: &Collected, conflicts: &[Conflict], about: &About) -> String {
    let suite = &collected.suite;
    let (mut written, mut shown) = (0, 0);
    let calls = html! {
        @for (number, conflict) in (1..).zip(conflicts) {
            @let section = section(number, conflict, suite);
            @if written + section.0.len() <= CALLS_BYTES {
                ({ written += section.0.len(); shown += 1; section })
            }
        }
    };
    let mut parts = vec![Part::new("overview", "Overview", summary(collected, conflicts, shown))];
    if shown > 0 {
        parts.push(Part::new("resources", "Resources", calls));
    }
    framed(about, &conclusion(suite, conflicts), &parts)
}

fn summary(collected: &Collected, conflicts: &[Conflict], shown: usize) -> Markup {
    let rows = html! {
        @for (number, conflict) in (1..).zip(conflicts) {
            tr {
                td { @if number <= shown { a href={ "#resource-" (number) } { code { (conflict.resource) } } } @else { code { (conflict.resource) } } }
                td.number { (conflict.uses.len()) }
                td.number { (writers(conflict)) }
                td.number { (conflict.pairs()) }
            }
        }
    };
    html! {
        (overview::collection_errors(&collected.suite))
        @if !conflicts.is_empty() {
            p { "Tests that touch what another changes may disturb each other on two workers. " code { "jostle stress" } " tries whether they do." }
            (table("Resources in conflict", &["Resource", "Tests", "That change it", "Pairs in conflict"], &rows))
        }
        @if shown < conflicts.len() { p { "Calls on the last " (words::count(conflicts.len() - shown, "resource")) " had no room here: --json has them." } }
        (figures(&[
            ("tests", collected.suite.tests.len().to_string()),
            ("run by", terminal::interpreter(collected)),
        ]))
    }
}

fn writers(conflict: &Conflict) -> usize {
    conflict.uses.values().filter(|calls| calls.iter().any(|call| call.writes)).count()
}

fn section(number: usize, conflict: &Conflict, suite: &Suite) -> Markup {
    let rows = html! {
        @for (&test, calls) in &conflict.uses {
            @for (at, call) in calls.iter().enumerate() {
                tr {
                    td { @if at == 0 { code { (suite.test(test).id) } } }
                    td { @if call.writes { span.badge.doubtful { "changes it" } } @else { "reads it" } }
                    td { (call.operation) }
                    td { code { (call.place()) } }
                }
            }
        }
    };
    html! {
        section.finding id={ "resource-" (number) } aria-labelledby={ "resource-" (number) "-name" } {
            h3 id={ "resource-" (number) "-name" } { code { (conflict.resource) } }
            p { (words::count(conflict.uses.len(), "test")) ", " (writers(conflict)) " of which change it; " (words::count(conflict.pairs(), "pair")) " in conflict" }
            details open[conflict.uses.len() <= 12] {
                summary { "Calls" }
                (table("Calls", &["Test", "Which", "Call", "At"], &rows))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::plan::schedule::Resource;
    use crate::race::Call;
    use crate::race::operation::Operation;
    use crate::report::samples::session;
    use crate::session::fake_engine::test;

    #[test]
    fn each_resource_is_told_with_who_changes_it() {
        let collected = session().collected;
        let resource = Resource("file:<b>data.json".into());
        let call = |writes| Call {
            resource: resource.clone(),
            operation: if writes { Operation::OpenToAppend } else { Operation::List },
            writes,
            idle: false,
            statement: None,
            at: Some("test_a.py:7".into()),
            by: None,
        };
        let uses: BTreeMap<_, _> =
            [(test('a'), BTreeSet::from([call(true)])), (test('b'), BTreeSet::from([call(false)]))].into();
        let page = page(&collected, &[Conflict { resource: resource.clone(), uses }], &About::default());
        assert!(page.contains("<h1>1 resource in conflict"), "{page}");
        for words in
            ["&lt;b&gt;data.json", "changes it", "reads it", "test_a.py:7", "1 of which change it; 1 pair"]
        {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!page.contains("<b>data"));
        assert!(super::page(&collected, &[], &About::default()).contains("none touches a file"));
    }
}
