//! What `jostle verify` said.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::support;

/// The report on standard output, which must be as the schema says.
pub fn json(output: &Output) -> Value {
    let report =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(output)));
    let schema =
        fs::read_to_string(support::root().join("src/report/verify.schema.json")).expect("the schema");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    validator.validate(&report).unwrap_or_else(|error| panic!("{error} at {}", error.instance_path()));
    report
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
