//! Edits as one unified diff, which `git apply` and `patch` take.

use similar::TextDiff;

use crate::explain::fix::edit::Edit;

/// The edits as one unified diff, against the files as they are: bytes, as the files may be in any encoding.
pub fn diff(edits: &[Edit]) -> Vec<u8> {
    let pairs = edits.iter().map(|edit| (edit.file.as_str(), edit.before.clone(), edit.after()));
    pairs.flat_map(|(file, old, new)| between(file, &old, &new)).collect()
}

/// One file's diff; nothing if it is not changed.
pub(crate) fn between(file: &str, old: &[u8], new: &[u8]) -> Vec<u8> {
    // A character a byte and back, since lines are compared as text.
    let text = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect::<String>();
    let (old, new) = (text(old), text(new));
    let diff = TextDiff::from_lines(old.as_str(), new.as_str());
    let [from, to] = ["a", "b"].map(|side| text(header(&format!("{side}/{file}")).as_bytes()));
    let said = diff.unified_diff().header(&from, &to).to_string();
    said.chars().filter_map(|byte| u8::try_from(u32::from(byte)).ok()).collect()
}

/// A file's name as `git diff` writes it: quoted if it has to be, and with a tab after one that has a space.
fn header(name: &str) -> String {
    if name.contains(|c: char| c == '"' || c == '\\' || c.is_ascii_control()) {
        let quoted: String = name
            .chars()
            .map(|c| match c {
                '"' | '\\' => format!("\\{c}"),
                '\n' => "\\n".into(),
                '\t' => "\\t".into(),
                c if c.is_ascii_control() => format!("\\{:03o}", u32::from(c)),
                c => c.to_string(),
            })
            .collect();
        return format!("\"{quoted}\"");
    }
    if name.contains(' ') { format!("{name}\t") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_last_line_end_and_one_of_another_encoding_are_told_as_they_are() {
        let said = between("a.py", b"x\r\n# \xe9", b"x\r\ny\r\n# \xe9");
        let wanted: &[u8] =
            b"--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,3 @@\n x\r\n+y\r\n # \xe9\n\\ No newline at end of file\n";
        assert_eq!(said, wanted, "{}", String::from_utf8_lossy(&said));
        assert_eq!(between("a.py", b"x\n", b"x\n"), b"");
    }

    #[test]
    fn a_hunk_says_of_how_many_lines_it_is() {
        let said = between("a.py", b"\nX", b"import y\n\n@f\n\n    s\n\n\n");
        let said = String::from_utf8(said).unwrap();
        assert_eq!(said.lines().nth(2), Some("@@ -1,2 +1,7 @@"), "{said}");
    }

    #[test]
    fn names_are_written_as_git_reads_them() {
        assert_eq!(header("a/tests/test_x.py"), "a/tests/test_x.py");
        assert_eq!(header("a/my tests/test_x.py"), "a/my tests/test_x.py\t");
        assert_eq!(header("a/\"x\"\t.py"), "\"a/\\\"x\\\"\\t.py\"");
        assert_eq!(header("a/testé.py"), "a/testé.py");
    }
}
