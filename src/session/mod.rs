//! A session: the line from collecting to findings, walked with a real engine.
//!
//! Here the pure rooms meet the clock and the processes. Trials come in rounds; after each round
//! every new failure is judged and, if it is an isolation failure, shrunk and confirmed. All trials
//! of a round come before its first shrinking, since each trial in which a victim passed clears
//! suspects for nothing.

pub mod result;
pub mod replay;
pub mod speedup;
pub mod lab;
pub mod stress;
pub mod investigate;
pub mod explain;
pub mod verify;
pub mod race;
pub mod fix;
pub mod suspect;
pub(crate) mod fake_engine;

pub use lab::{Event, Lab, Reporter};
pub use result::{Limits, SessionResult};
pub use stress::stress;
