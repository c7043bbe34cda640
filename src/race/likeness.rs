//! Tests that reach a resource, or one beside it, by the same lines: what one of them loses, the others may lose,
//! and it is one cause.

use std::collections::BTreeSet;

use crate::plan::schedule::Resource;
use crate::race::access::Call;
use crate::race::conflicts::Conflict;
use crate::race::operation::Operation;
use crate::suite::TestIndex;

/// The tests that do to a resource, or to one in the same folder, all that a test does to it, at the same lines;
/// each with the resource. The test itself is none of them.
pub(crate) fn like(
    conflicts: &[Conflict],
    test: TestIndex,
    resource: &Resource,
) -> Vec<(TestIndex, Resource)> {
    type Lines<'a> = BTreeSet<(Operation, Option<&'a str>)>;
    let lines = |calls: &BTreeSet<Call>| -> BTreeSet<(Operation, Option<String>)> {
        calls.iter().map(|call| (call.operation, call.at.clone())).collect()
    };
    let of = |conflict: &&Conflict| conflict.resource == *resource;
    let Some(own) = conflicts.iter().find(of).and_then(|conflict| conflict.uses.get(&test)).map(lines) else {
        return Vec::new();
    };
    let beside = |conflict: &&Conflict| {
        conflict.resource == *resource
            || folder(resource).is_some() && folder(&conflict.resource) == folder(resource)
    };
    // The resource itself comes first: what is found on it needs no other.
    let mut near: Vec<&Conflict> = conflicts.iter().filter(beside).collect();
    near.sort_by_key(|conflict| conflict.resource != *resource);
    let mut found: Vec<(TestIndex, Resource)> = Vec::new();
    for conflict in near {
        for (&other, calls) in &conflict.uses {
            let theirs: Lines<'_> = calls.iter().map(|call| (call.operation, call.at.as_deref())).collect();
            let known = other == test || found.iter().any(|(known, _)| *known == other);
            let all = own.iter().all(|(operation, at)| theirs.contains(&(*operation, at.as_deref())));
            if !known && all {
                found.push((other, conflict.resource.clone()));
            }
        }
    }
    found
}

/// The folder that a file is in, as the harness names it; nothing if that is one that everybody uses: the
/// temporary folder, or the project's.
pub(crate) fn folder(resource: &Resource) -> Option<&str> {
    let (folder, _) = resource.0.strip_prefix("file:")?.rsplit_once('/')?;
    (folder.contains('/') && !folder.is_empty()).then_some(folder)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn conflict(resource: &str, uses: &[(u32, &[(Operation, &str)])]) -> Conflict {
        let resource = Resource(resource.into());
        let call = |&(operation, at): &(Operation, &str)| Call {
            resource: resource.clone(),
            operation,
            writes: true,
            idle: false,
            statement: None,
            at: Some(at.into()),
            by: None,
        };
        let uses: BTreeMap<_, _> =
            uses.iter().map(|&(test, calls)| (TestIndex(test), calls.iter().map(call).collect())).collect();
        Conflict { resource, uses }
    }

    #[test]
    fn tests_are_alike_that_do_all_of_it_by_the_same_lines_to_the_file_or_to_one_beside_it() {
        let (reads, writes) = ((Operation::OpenToRead, "a.py:1"), (Operation::OpenToWrite, "a.py:2"));
        let elsewhere = (Operation::OpenToWrite, "a.py:9");
        let conflicts = [
            conflict("file:$TMPDIR/shelf/b", &[(5, &[reads, writes]), (1, &[reads, writes])]),
            conflict(
                "file:$TMPDIR/shelf/a",
                &[
                    (0, &[reads, writes]),
                    (1, &[reads, writes, elsewhere]),
                    (2, &[reads]),
                    (3, &[reads, elsewhere]),
                ],
            ),
            conflict("file:$TMPDIR/other/a", &[(6, &[reads, writes])]),
            conflict("listing:$TMPDIR/shelf", &[(7, &[reads, writes])]),
        ];
        let a = Resource("file:$TMPDIR/shelf/a".into());
        let b = Resource("file:$TMPDIR/shelf/b".into());
        assert_eq!(like(&conflicts, TestIndex(0), &a), [(TestIndex(1), a.clone()), (TestIndex(5), b)]);
        assert_eq!(like(&conflicts, TestIndex(9), &a), []);
    }
}
