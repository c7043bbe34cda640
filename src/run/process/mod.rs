//! A pytest process: started, heard, and ended for certain.

pub mod pytest;
pub mod reaper;
pub mod interrupt;
pub mod plain;
pub mod python;
