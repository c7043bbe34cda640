//! `--tests FILE`: the tests that a suite is narrowed to.

use std::io::Read;
use std::path::Path;

use crate::cli::values::UsageError;

/// The node ids of a file, or, if it is named `-`, of standard input, in the order in which they stand there.
///
/// # Errors
/// It cannot be read, or has none.
pub(crate) fn read(path: &Path) -> Result<Vec<String>, UsageError> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let wrong = |why: String| UsageError(format!("--tests {}: {why}", path.display()));
    let text = text.map_err(|error| wrong(format!("{error}. Give a file with a node id on each line")))?;
    let ids = node_ids(&text);
    if ids.is_empty() {
        return Err(wrong("it has no node id. Write them as `pytest --collect-only -q` prints them".into()));
    }
    Ok(ids)
}

/// The lines that are neither empty nor comments.
fn node_ids(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_that_is_no_comment_is_a_node_id() {
        let text = "# of the last night\ntest_a.py::test_one[a b#c]\n\n  test_b.py::test_two \r\n";
        assert_eq!(node_ids(text), ["test_a.py::test_one[a b#c]", "test_b.py::test_two"]);
        assert_eq!(node_ids(" \n# nothing\n"), [] as [&str; 0]);
    }
}
