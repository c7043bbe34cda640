//! What `jostle leaks --json` has written, as `jostle stress` takes it.

use std::path::Path;

use serde::Deserialize;

use crate::formats::{LEAKS, LEAKS_BASELINE};
use crate::leaks::known::KnownLeaks;
use crate::parse::{object, reason};
use crate::record::{RecordError, atomic_file};

/// What is larger is something else: a suite of 100,000 tests that all leave a place has some 100 MB.
const MOST_BYTES: u64 = 512 << 20;

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

#[derive(Deserialize)]
struct LeaksReport {
    leaks: KnownLeaks,
}

/// Reads the places that tests leave changed.
///
/// # Errors
/// The file cannot be read, or `jostle leaks --json` has not written it.
pub(crate) fn read(path: &Path) -> Result<KnownLeaks, RecordError> {
    let name = path.display().to_string();
    let io = |source| RecordError::Io { what: "read", path: name.clone(), source };
    let bytes = atomic_file::read(path, MOST_BYTES).map_err(io)?;
    parse(&bytes).map_err(|why| RecordError::LeaksReport { path: name, why })
}

fn parse(bytes: &[u8]) -> Result<KnownLeaks, String> {
    let Schema { schema } = object(bytes)?;
    match schema.as_str() {
        LEAKS => Ok(object::<LeaksReport>(bytes)?.leaks),
        LEAKS_BASELINE => Err("it is a baseline, which does not know who names a place".into()),
        other => Err(reason(&format!("it says that it is {other}, and not {LEAKS}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_and_a_baseline_or_what_else_there_is_refused() {
        let report = br#"{"schema": "jostle.leaks/1", "exit_code": 1, "leaks": [{"place": "x", "by": [{"name": "t::a", "line": 1}],
            "readers": [{"node_id": "t::b"}], "victims": []}]}"#;
        assert_ne!(parse(report).unwrap(), KnownLeaks::default());
        let refused = |text: &str| parse(text.as_bytes()).unwrap_err();
        assert!(refused(r#"{"schema": "jostle.leaks-baseline/1", "leaks": {}}"#).contains("is a baseline"));
        assert!(refused(r#"{"schema": "jostle.report/1"}"#).contains("jostle.report/1"));
        assert!(refused(r#"{"leaks": []}"#).contains("schema"));
        assert!(refused("[]").contains("no JSON object"));
    }
}
