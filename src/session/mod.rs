//! A session: the line from collecting to findings, walked with a real engine.
//!
//! Here the pure rooms meet the clock and the processes. Trials come in rounds; after each round
//! every new failure is judged and, if it is an isolation failure, shrunk and confirmed. All trials
//! of a round come before its first shrinking, since each trial in which a victim passed clears
//! suspects for nothing.

pub mod event;
pub(crate) mod result;
pub(crate) mod account;
pub(crate) mod agenda;
pub(crate) mod complete;
pub(crate) mod replay;
pub(crate) mod speedup;
pub(crate) mod leaks;
pub mod lab;
pub mod stress;
pub mod investigate;
pub(crate) mod explain;
pub(crate) mod verify;
pub(crate) mod race;
pub(crate) mod fix;
pub mod suspect;
pub(crate) mod fake_engine;
pub(crate) mod fake_state;

pub(crate) use event::{Event, Reporter};
pub(crate) use lab::Lab;
pub(crate) use result::{Explain, Limits, SessionResult};
pub(crate) use stress::stress;
