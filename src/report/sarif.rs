//! SARIF 2.1.0, as GitHub's code scanning and editors read it: a rule for each kind, a result for each entry.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::report::entry::{Entry, Other, Weight, in_repository};
use crate::report::kinds;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// GitHub shows no more related places of a result.
const RELATED: usize = 100;

/// The log of a session's entries. What has no file cannot be shown at a place, and is left out.
pub(crate) fn log(entries: &[Entry], rootdir: &Path, repository: Option<&Path>) -> Value {
    let mut rules: Vec<&str> = Vec::new();
    let mut results = Vec::new();
    for entry in entries {
        let Some(file) = &entry.file else { continue };
        let rule = rules.iter().position(|&kind| kind == entry.kind).unwrap_or_else(|| {
            rules.push(entry.kind);
            rules.len() - 1
        });
        let named = |file: &str| in_repository(file, rootdir, repository);
        results.push(result(entry, rule, &named(file), &named));
    }
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "jostle",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.into_iter().map(rule).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A kind, as the book has it.
fn rule(kind: &str) -> Value {
    // The book's section is of all collection errors.
    let section = if kind == "collection-error" { "collection-errors" } else { kind };
    let mut rule = json!({ "id": kind });
    if let (Some(short), Some(whole)) = (kinds::in_short(section), kinds::without_examples(section)) {
        rule["shortDescription"] = json!({ "text": short });
        rule["help"] = json!({ "text": whole });
    }
    rule
}

fn result(entry: &Entry, rule: usize, file: &str, named: &dyn Fn(&str) -> String) -> Value {
    let causes = entry.causes.iter().map(|cause| (entry.role, cause));
    let also = entry.also.iter().map(|other| ("fails as well", other));
    let related: Vec<Value> =
        (1..).zip(causes.chain(also)).take(RELATED).map(|(id, it)| related(id, it, named)).collect();
    let mut result = json!({
        "ruleId": entry.kind,
        "ruleIndex": rule,
        "level": match entry.weight {
            Weight::Fails | Weight::Error => "error",
            Weight::Known => "warning",
            Weight::Remark => "note",
        },
        "message": { "text": format!("{}: {}.\n\n{}", entry.test, entry.headline, entry.text).trim_end() },
        "locations": [location(file, entry.line, &entry.test)],
        "relatedLocations": related,
        // GitHub takes two results with one of the second for the same.
        "partialFingerprints": { "cause/v1": entry.fingerprint(), "primaryLocationLineHash": entry.fingerprint() },
    });
    if entry.weight == Weight::Known {
        result["suppressions"] = json!([{ "kind": "external" }]);
    }
    result
}

/// A test that has to do with a result, and how.
fn related(id: usize, (how, other): (&str, &Other), named: &dyn Fn(&str) -> String) -> Value {
    let mut related = location(&named(&other.file), other.line, &other.test);
    related["id"] = json!(id);
    related["message"] = json!({ "text": format!("{how}: {}", other.test) });
    related
}

fn location(file: &str, line: Option<u32>, test: &str) -> Value {
    json!({
        "physicalLocation": {
            "artifactLocation": { "uri": uri(file), "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": line.unwrap_or(1) },
        },
        "logicalLocations": [{ "fullyQualifiedName": test }],
    })
}

/// A relative path as a URI reference.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(byte.into())
            }
            // Writing to a string cannot fail.
            _ => _ = write!(uri, "%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Again;
    use crate::report::entry::entries;
    use crate::report::samples::everything;

    #[test]
    fn a_path_is_a_uri_of_its_bytes() {
        assert_eq!(uri("tests/test_a.py"), "tests/test_a.py");
        assert_eq!(uri("a b/tést[1].py"), "a%20b/t%C3%A9st%5B1%5D.py");
    }

    #[test]
    fn each_entry_with_a_file_is_a_result_of_a_rule_that_the_book_tells() {
        let entries = entries(&everything(), false, Again::Gone);
        let log = log(&entries, Path::new("/home/ann/shop"), None);
        let run = &log["runs"][0];
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), entries.iter().filter(|entry| entry.file.is_some()).count());
        for result in results {
            let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
            let told = rule["help"]["text"].as_str();
            // What was not looked into has no section.
            assert_eq!(told.is_some_and(|told| told.len() > 100), rule["id"] != "not-judged", "{rule}");
        }
        let known = entries.iter().filter(|entry| entry.weight == Weight::Known).count();
        assert!(known > 0);
        assert_eq!(results.iter().filter(|result| result.get("suppressions").is_some()).count(), known);
    }
}
