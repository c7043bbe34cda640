//! A session: the line from collecting to findings, walked with a real engine.
//!
//! Here the pure rooms meet the clock and the processes. Trials come in rounds; after each round
//! every new failure is judged and, if it is an isolation failure, shrunk and confirmed. All trials
//! of a round come before its first shrinking, since each trial in which a victim passed clears
//! suspects for nothing.

pub mod journaled;
mod edits;
pub mod deadline;
pub mod draws;
pub mod lab;
pub mod network;
pub mod leftovers;
pub mod history;
pub mod baseline;
pub mod fidelity;
pub mod ran;
pub mod recording;
pub mod races;
pub mod reruns;
pub mod artefact;
pub mod racing;
pub mod investigate;
mod nio;
pub mod findings;
pub mod same_cause;
pub mod confirm;
pub mod collections;
pub mod command;
pub mod explain;
pub mod copy;
mod circle;
mod proposals;
pub mod details;
pub mod fix;
mod control;
mod trying;
pub mod gathering;
pub mod outline;
pub mod stress;
pub mod replay;
pub mod verify;
mod verify_collection;
pub mod speedup;

pub use lab::{Lab, Notice, Observer};
pub use outline::{Limits, Outline};
pub use stress::stress;
