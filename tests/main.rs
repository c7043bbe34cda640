//! The integration tests: one program, so that they are linked once and all of them run side by side.
//!
//! Each file is about a command or a promise, and says which variables let it do more; CONTRIBUTING.md lists them.
//! A test must stand company: others run on the other cores meanwhile.

mod support;

mod bad_input;
mod book;
mod ci_examples;
mod commands;
mod doctor;
mod cut;
mod engines;
mod explain;
mod fix;
mod fixes;
mod frameworks;
mod fuzz;
mod harness;
mod hermetic;
mod history;
mod installed;
mod leaks;
mod leaks_first;
mod libraries;
mod nightly;
mod old_files;
mod page;
mod plan_golden;
mod races;
mod replay_log;
mod resume;
mod rooms;
mod sandbox;
mod sentences;
mod server_races;
mod services;
mod shards;
mod shrink_properties;
mod slow_machine;
mod sorted_suites;
mod source_edits;
mod specimens;
mod speedup;
mod streamed;
mod system_calls;
mod verify;
mod versions;
mod wire;
mod xdist_schedulers;
