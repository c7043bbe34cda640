//! A pytest process: started, heard, and ended for certain.

pub(crate) mod pytest;
pub(crate) mod reaper;
pub mod interrupt;
pub(crate) mod plain;
pub mod python;
