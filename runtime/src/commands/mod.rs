//! The commands, one file each: gather facts, decide, act, report.

pub mod backing;
pub mod bring_down;
pub mod dirlist;
pub mod explain;
pub mod leave_monitor;
pub mod list;
pub mod monitor;
pub mod power;
pub mod refresh;
pub mod sercon;
pub mod start;
pub mod start_wait;
pub mod startgui;
pub mod status;
pub mod stop;
pub mod subject;
pub mod terminal;
pub mod vmsvccheck;
pub mod window;
pub mod zfssnap;
pub mod zvol_rights;
