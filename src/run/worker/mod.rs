//! The workers of one trial, while it runs.

pub(crate) mod meeting;
pub(crate) mod time_limits;
pub(crate) mod progress;
pub(crate) mod trial_run;
pub(crate) mod stopping;
pub(crate) mod control;
pub(crate) mod activity;
