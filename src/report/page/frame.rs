//! What all pages have: the head with the policy, the headline, links to the parts, and the script.

use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// How each page begins, by which one is known that may be written over.
pub(crate) const MARK: &str = "<!DOCTYPE html><html lang=\"en\" data-jostle=\"page\">";

/// So much of a commit's name tells it apart.
const COMMIT: usize = 12;

/// A part of a page.
pub(super) struct Part {
    /// What links to it name.
    pub(super) id: &'static str,
    /// What stands in the list of parts.
    pub(super) name: &'static str,
    /// Its heading.
    pub(super) heading: &'static str,
    /// What it shows.
    pub(super) body: Markup,
}

impl Part {
    /// One with this name as its heading.
    pub(super) fn new(id: &'static str, name: &'static str, body: Markup) -> Self {
        Self { id, name, heading: name, body }
    }
}

/// What a page is of, for who was not there when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// The name of the project's folder; empty if it has none.
    pub(crate) project: String,
    /// When it was made: `2026-11-24 02:00`, in UTC.
    pub(crate) date: String,
    /// The commit of the project, if it is in git.
    pub(crate) commit: Option<String>,
    /// The command that made it, if it can be told.
    pub(crate) command: Option<String>,
}

impl About {
    fn markup(&self) -> Markup {
        let short = |commit: &str| commit.get(..COMMIT).unwrap_or(commit).to_owned();
        let date = if self.date.is_empty() { String::new() } else { format!("{} UTC", self.date) };
        let facts = [
            ("project", Some(self.project.clone())),
            ("date", Some(date)),
            ("commit", self.commit.as_deref().map(short)),
            ("command", self.command.clone()),
        ];
        let told = facts.iter().filter_map(|(name, fact)| Some((name, fact.as_ref()?)));
        let told: Vec<_> = told.filter(|(_, fact)| !fact.is_empty()).collect();
        html! {
            @if !told.is_empty() {
                dl.about { @for (name, fact) in told { div { dt { (name) } dd { code { (fact) } } } } }
            }
        }
    }
}

/// A page with a headline and its parts, of which there is one at least.
pub(super) fn framed(about: &About, headline: &str, parts: &[Part]) -> String {
    let title = match about.project.as_str() {
        "" => format!("jostle: {headline}"),
        project => format!("jostle: {project}: {headline}"),
    };
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" data-jostle="page" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "jostle " (env!("CARGO_PKG_VERSION")) };
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    p.product { "jostle " (env!("CARGO_PKG_VERSION")) }
                    h1 { (headline) }
                    (about.markup())
                    @if parts.len() > 1 {
                        nav aria-label="Sections" {
                            ul { @for part in parts { li { a href={ "#" (part.id) } { (part.name) } } } }
                        }
                    }
                }
                main #main tabindex="-1" {
                    @for part in parts {
                        section aria-labelledby=(part.id) {
                            h2 id=(part.id) { (part.heading) }
                            (part.body)
                        }
                    }
                }
                p.status #copied role="status" {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// As a policy names a text.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text)))
}

/// A table that may be wider than the screen, with a name.
pub(super) fn table(name: &str, head: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) {
            table {
                thead { tr { @for word in head { th scope="col" { (word) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// Named figures beside each other.
pub(super) fn figures(figures: &[(&str, String)]) -> Markup {
    html! {
        dl.figures { @for (name, figure) in figures { div { dt { (name) } dd { (figure) } } } }
    }
}
