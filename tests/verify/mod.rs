//! `jostle verify`: specimens before and after their fix, and suites that have changed.

mod changed;
mod said;
mod before_and_after;
