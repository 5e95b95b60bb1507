//! A guest under QEMU as a target: reached over its serial console, its life and death by QMP.
//!
//! `clean` makes text of what a console sends, `console` waits for it, `frame` and `session` run programs through it.
//! None of them knows which system is inside.

pub mod accel;
pub mod booted;
pub mod clean;
pub mod console;
pub mod disk;
pub mod frame;
pub mod login;
pub mod machine;
pub mod metadata;
pub mod migration;
pub mod nocloud;
pub mod profile;
pub mod qmp;
pub mod session;
pub mod snapshot;
pub mod ssh;
pub mod unpack;
pub mod watch;

#[cfg(test)]
mod fake;
