//! A patch, for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();
const FILE: Style = Style::new().bold();

/// Writes a unified diff, each of its lines after four spaces and in the colour that diffs have.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(out: &mut dyn Write, diff: &str) -> io::Result<()> {
    for line in diff.lines() {
        let style = match line.as_bytes().first() {
            _ if line.starts_with("--- a/") || line.starts_with("+++ b/") => FILE,
            Some(b'+') => ADDED,
            Some(b'-') => REMOVED,
            Some(b'@') => PLACE,
            _ => Style::new(),
        };
        writeln!(out, "    {style}{}{style:#}", plain(line))?;
    }
    Ok(())
}

/// A unified diff as plain text.
pub(super) fn plain_lines(diff: &str) -> String {
    diff.lines().map(|line| format!("{}\n", plain(line))).collect()
}

/// A text with its control characters escaped: it may be of anybody's file, and they would be the terminal's to obey.
pub(super) fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut plain, char| {
        match char.is_control() && char != '\t' {
            true => plain.extend(char.escape_default()),
            false => plain.push(char),
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_patch_holds_does_nothing_to_the_terminal() {
        let mut out = Vec::new();
        write(&mut out, "+a\x1b]0;title\x07\tb\u{9b}2J\r\n").unwrap();
        let plain = "+a\\u{1b}]0;title\\u{7}\tb\\u{9b}2J";
        assert_eq!(String::from_utf8(out).unwrap(), format!("    {ADDED}{plain}{ADDED:#}\n"));
    }

    #[test]
    fn what_is_added_is_green_and_what_is_removed_red() {
        let diff = "--- a/test_a.py\n+++ b/test_a.py\n@@ -1,2 +1,2 @@\n import shop\n-a\n+b\n";
        let mut out = Vec::new();
        write(&mut out, diff).unwrap();
        let text = String::from_utf8(out).unwrap();
        let of = |style: Style, line: &str| format!("    {style}{line}{style:#}\n");
        let expected = [
            of(FILE, "--- a/test_a.py"),
            of(FILE, "+++ b/test_a.py"),
            of(PLACE, "@@ -1,2 +1,2 @@"),
            "     import shop\n".into(),
            of(REMOVED, "-a"),
            of(ADDED, "+b"),
        ];
        assert_eq!(text, expected.concat());
        let plain: String = diff.lines().map(|line| format!("    {line}\n")).collect();
        assert_eq!(anstream::adapter::strip_str(&text).to_string(), plain, "as in a file or a pipe");
    }
}
