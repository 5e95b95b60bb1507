//! An enclosed host: its ROOT is the whole system for the programs that run on it.
//!
//! Scripts of packages and steps of a test name absolute paths, `/var/svc/manifest` or `/opt/VirtualBox`. In an enclosed
//! host they are right: programs run in a mount namespace of their own, with ROOT as their root. Linux itself is below
//! it, in `/.linux`, and what programs cannot do without (libraries, a shell, the usual utilities, devices) are links
//! into it. [`layout`] furnishes a root, [`mod@enter`] steps into one, [`power`] switches hosts on and off.

pub mod commands;
pub mod enter;
pub mod layout;
pub mod power;
mod utilities;

pub use enter::enter;
