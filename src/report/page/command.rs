//! A line to copy. Without the script it can be selected by a click, and the button is not there.

use maud::{Markup, html};

/// Writes one with what it is for.
pub(super) fn command(id: &str, what: &str, line: &str) -> Markup {
    html! {
        div.command {
            span { (what) }
            pre.copied id=(id) tabindex="0" role="region" aria-label=(what) { (line) }
            (button(id))
        }
    }
}

/// The button that copies the text of an element.
pub(super) fn button(of: &str) -> Markup {
    html! { button type="button" hidden data-copy=(of) aria-label={ "Copy " (of) } { "Copy" } }
}
