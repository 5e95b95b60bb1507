//! vboxsvc: VirtualBox machines as SMF service instances.
//!
//! ARCHITECTURE.md has the map. In short: `commands` gather facts, `decide` says what to do and why, `commands` and
//! `monitor` do it through `virtualbox`, `smf` and `exec`.

pub mod exec;
pub mod settings;
pub mod smf;
pub mod virtualbox;
