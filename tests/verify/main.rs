//! `jostle verify`: specimens before and after their fix, and suites that have changed.

mod changed;
mod said;
mod specimens;
#[path = "../support/mod.rs"]
mod support;
