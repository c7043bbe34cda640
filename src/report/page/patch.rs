//! A patch, its lines in colour.

use maud::{Markup, html};

use crate::report::page::command;

/// Writes one. The text is the patch, character by character, so that what is copied can be applied.
pub(super) fn patch(number: usize, diff: &str) -> Markup {
    let id = format!("patch-{number}");
    html! {
        div.command {
            pre.copied.patch id=(id) tabindex="0" role="region" aria-label="Patch" {
                @for line in diff.split_inclusive('\n') {
                    @match sort(line) {
                        Some(sort) => span class=(sort) { (line) },
                        None => (line),
                    }
                }
            }
            (command::button(&id))
        }
    }
}

fn sort(line: &str) -> Option<&'static str> {
    match line.as_bytes().first()? {
        _ if line.starts_with("+++") || line.starts_with("---") => Some("file"),
        b'+' => Some("added"),
        b'-' => Some("removed"),
        b'@' => Some("hunk"),
        _ => None,
    }
}
