//! vboxsvc: VirtualBox machines as SMF service instances.
//!
//! ARCHITECTURE.md has the map. In short: `commands` gather facts, `decide` says what to do and why, `commands` and
//! `monitor` do it through `virtualbox`, `smf` and `exec`.

pub mod cli;
pub mod commands;
pub mod console;
pub mod decide;
pub mod environment;
pub mod exec;
pub mod exit;
pub mod gui;
pub mod hook;
pub mod identity;
mod interrupted;
pub mod log;
pub mod monitor;
pub mod rundir;
pub mod settings;
pub mod smf;
pub mod tools;
pub mod trust;
pub mod virtualbox;
pub mod zfs;
pub mod zvol;
