//! The commands, one file each: gather facts, decide, act, report.

pub mod bring_down;
pub mod monitor;
pub mod refresh;
pub mod sercon;
pub mod start;
pub mod status;
pub mod stop;
pub mod subject;
