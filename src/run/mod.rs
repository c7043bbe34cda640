//! Running a plan: the only room that starts and ends processes.
//!
//! An [`Engine`] turns a [`Plan`] into a [`Trial`]. It prints nothing and decides nothing about the
//! meaning of what it saw.

pub mod protocol;
pub mod sandbox;
mod syscalls;
pub mod engine;
pub(crate) mod worker;
pub mod process;
pub mod services;
pub mod site;
pub mod project;
mod error;
pub mod host;
pub mod remarks;

pub use engine::{Engine, Job};
pub use error::RunError;
